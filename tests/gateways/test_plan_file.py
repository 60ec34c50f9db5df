"""Plans in files: what is read is what was written, and nothing that was changed in between."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from eksnetpol import __version__
from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.gateways.plan_file import decode, encode, read_plan, write_plan
from eksnetpol.model.actions import Apply, Look, Taking, UpdateAddon
from eksnetpol.model.conditions import AddonIs, All, Holds, RolledOut
from eksnetpol.model.plan import FieldChange, Plan, Step, Undo, Verb, Way
from eksnetpol.model.snapshot import Target

SWITCH = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system"},
    "data": {"enable-network-policy-controller": "true", "größe": "☃"},
}
VALUES = '{"enableNetworkPolicy":"true"}'
PLAN = Plan(
    tool=__version__,
    made_at=datetime(2026, 11, 27, 3, 7, 44, tzinfo=UTC),
    target=Target(cluster="shop", region="eu-west-1"),
    verb=Verb.ENABLE,
    way=Way.ADDON,
    title="Turn network policy on",
    steps=(
        Step(
            "switch",
            "Switch the controller on",
            Apply(SWITCH, (Taking(".data.x", "helm"),)),
            Holds(SWITCH),
            patience=60,
            undo=Undo("Switch it off", Look(), Holds(SWITCH)),
        ),
        Step(
            "update",
            "Update the add-on",
            UpdateAddon("v1.20.5-eksbuild.1", VALUES, "PRESERVE"),
            All((AddonIs("v1.20.5-eksbuild.1", VALUES), RolledOut(Holds(SWITCH).ref))),
        ),
    ),
    basis={"addon vpc-cni": "0123456789abcdef"},
    changes=(FieldChange("add-on vpc-cni", "enableNetworkPolicy", None, "true"),),
)
Document = dict[str, Any]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(PLAN, path)
    assert read_plan(path) == PLAN
    assert read_plan(path).digest == PLAN.digest
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first, *_ = json.loads(path.read_text()).items()
    assert first == ("apiVersion", "eksnetpol.io/v1")


def test_a_plan_through_pipes(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_plan(PLAN, "-")
    written = capfdbinary.readouterr().out
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(written)))
    assert read_plan("-") == PLAN


def test_another_layout_of_the_same_document_is_the_same_plan() -> None:
    document = json.loads(encode(PLAN))
    shuffled = dict(sorted(document.items(), reverse=True))
    assert decode(json.dumps(shuffled).encode(), "plan.json") == PLAN


def _set(*path: str | int, to: Any) -> Callable[[Document], None]:
    def edit(document: Document) -> None:
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = to

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (_set("steps", 0, "action", "object", "data", "enable-network-policy-controller", to="false"), "edited by hand"),
        (_set("steps", 0, "patience", to=61), "edited by hand"),
        (_set("target", "cluster", to="production"), "edited by hand"),
        (_set("basis", to={}), "edited by hand"),
        (_set("refusals", to=[{"why": "x"}]), "edited by hand"),
        (_set("digest", to="0000000000000000"), "edited by hand"),
        (_set("digest", to=None), "digest is missing"),
        (_set("stepz", to=[]), "unknown field `stepz`"),
        (_set("steps", 0, "action", "forse", to=True), "unknown field `forse`"),
        (_set("steps", 0, "action", "do", to="explode"), "steps[0].action.do: Invalid value 'explode'"),
        (_set("steps", 1, "id", to=7), "steps[1].id: Expected `str`"),
        (_set("kind", to="Preflight"), "this is a eksnetpol.io/v1 Preflight, expected eksnetpol.io/v1 Plan"),
        (_set("apiVersion", to="v1"), "this is a v1 Plan"),
        (_set("apiVersion", to=None), "this has no apiVersion and kind"),
        (_set("apiVersion", to="eksnetpol.io/v2"), "which reads eksnetpol.io/v1: update eksnetpol"),
    ],
)
def test_an_edited_plan_is_refused_with_its_place(tmp_path: Path, edit: Callable[[Document], None], words: str) -> None:
    document = json.loads(encode(PLAN))
    edit(document)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document))
    with pytest.raises(UnreadableInput) as caught:
        read_plan(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "this is empty"),
        (b"  \n", "this is empty"),
        (b"steps: []", "this is not JSON"),
        (b"\xff\xfe", "this is not JSON"),
        (b'{"apiVersion":', "this is not JSON"),
        (b"[" * 100_000, "this is not JSON"),
        (b"[]", "this is no Plan"),
        (b"null", "this is no Plan"),
        (b"{}", "this has no apiVersion and kind"),
    ],
)
def test_what_is_no_plan_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableInput) as caught:
        decode(data, "plan.json")
    assert words in str(caught.value)


def test_a_plan_of_another_version_may_be_no_forgery() -> None:
    document = json.loads(encode(replace(PLAN, tool="0.0.1")))
    document["title"] = "something else"
    with pytest.raises(UnreadableInput) as caught:
        decode(json.dumps(document).encode(), "plan.json")
    assert "or made by another eksnetpol (0.0.1)" in str(caught.value)


def test_places_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_plan(tmp_path / "none.json")
    assert "there is no such file" in str(caught.value)
    with pytest.raises(UsageError):
        read_plan(tmp_path)
    with pytest.raises(UsageError):
        write_plan(PLAN, tmp_path / "no" / "such" / "folder.json")
