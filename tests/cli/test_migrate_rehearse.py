from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from msgspec.structs import replace

from eksnetpol.gateways import snapshot_file
from eksnetpol.model.snapshot import Seen, Unread, Why
from tests.cli.conftest import Ended
from tests.migration.shops import owned, short
from tests.migration.towns import town
from tests.planning.clusters import look

Cli = Callable[..., Ended]
IMAGE = ("--cleaner-image", "example.com/cleaner:1")


@pytest.fixture
def saved(quiet_place: Path) -> Callable[..., str]:
    """Save the shop under an engine, with some sections changed, and return the file's name."""

    def save(engine: str = "calico_by_operator", **sections: object) -> str:
        snapshot_file.save(replace(town(engine).snapshot, **sections), quiet_place / f"{engine}.json")
        return f"{engine}.json"

    return save


@pytest.mark.parametrize("engine", ["calico_by_operator", "kube_router", "cilium"])
def test_a_snapshot_is_rehearsed(cli: Cli, saved: Callable[..., str], engine: str) -> None:
    ended = cli("migrate", "rehearse", "--snapshot", saved(engine), *IMAGE, "--width", "150", "-o", "json")
    found = json.loads(ended.out)
    assert found["violations"] == []
    assert found["error"] == ""
    assert found["outcome"] == "well"
    assert found["end"]["new"] == 3
    assert ended.code == found["exitCode"] == int(bool(found["refusals"]))


def test_what_people_see(cli: Cli, saved: Callable[..., str]) -> None:
    ended = cli("migrate", "rehearse", "--snapshot", saved(), *IMAGE, "--width", "150", "--left-overs", "policies")
    assert ended.out.startswith("WELL: Lead prod off Calico: ")
    assert "6 exit" in ended.out
    assert "left-overs, before left-overs/" in ended.out
    assert "roll/node-a/cordon  " not in ended.out
    verbose = cli("migrate", "rehearse", "--snapshot", saved(), *IMAGE, "--width", "150", "-v")
    assert "roll/node-a/cordon  " in verbose.out


def test_a_page_and_a_document_at_once(cli: Cli, saved: Callable[..., str], quiet_place: Path) -> None:
    outputs = ("-o", "html=page.html", "-o", "json=done.json", "-o", "markdown=done.md")
    cli("migrate", "rehearse", "--snapshot", saved(), *IMAGE, *outputs)
    assert (quiet_place / "page.html").read_text().startswith("<!doctype html>")
    assert (quiet_place / "done.md").read_text().startswith("## WELL")
    schema = json.loads(cli("schema", "rehearsal").out)
    jsonschema.Draft202012Validator(schema).validate(json.loads((quiet_place / "done.json").read_text()))


def test_batches_are_as_they_were_asked_for(cli: Cli, saved: Callable[..., str]) -> None:
    words = ("--batch", "3", "--canary", "0", "--soak", "5s", "-o", "json")
    found = json.loads(cli("migrate", "rehearse", "--snapshot", saved(), *IMAGE, *words).out)
    assert [b["step"] for b in found["beats"] if b["step"].endswith("/soak")] == ["roll/batch-1/soak"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--batch", "none"), "--batch 'none'"),
        (("--nodes", "pool"), "--nodes"),
        (("--manifests", "."), "exactly one"),
    ],
)
def test_wishes_that_mean_nothing(cli: Cli, saved: Callable[..., str], words: tuple[str, ...], said: str) -> None:
    ended = cli("migrate", "rehearse", "--snapshot", saved(), *IMAGE, *words)
    assert ended.code == 2
    assert ended.out == ""
    assert said in ended.err or "--manifests" in ended.err


def test_a_waiver_that_has_expired(cli: Cli, saved: Callable[..., str]) -> None:
    ended = cli("migrate", "rehearse", "--snapshot", saved(), *IMAGE, "--waive", "networkpolicy/shop/db=net,2020-01-01,later")
    assert (ended.code, ended.out) == (6, "")
    assert "expired on 2020-01-01" in ended.err


def test_a_waiver_in_the_file_that_has_expired_is_named_with_its_day(
    cli: Cli, saved: Callable[..., str], quiet_place: Path
) -> None:
    written = '[[migration-waivers]]\npolicy = "networkpolicy/shop/db"\nowner = "net"\nreason = "later"\nexpires = 2020-01-01\n'
    (quiet_place / "eksnetpol.toml").write_text(written)
    words = "the waiver of networkpolicy/shop/db by net expired on 2020-01-01 and no longer waives anything"
    file = saved()
    assert words in json.loads(cli("migrate", "rehearse", "--snapshot", file, *IMAGE, "-o", "json").out)["notes"]
    for command in (("run", "--plan"), ("runbook",)):
        shown = cli("migrate", *command, "--snapshot", file, *IMAGE, "--width", "400")
        assert words in shown.out + shown.err, command


def test_two_engines_at_once(cli: Cli, saved: Callable[..., str]) -> None:
    calico, cilium = town("calico_by_manifest").snapshot, town("cilium").snapshot
    both = {}
    for name in ("daemonsets", "pods", "foreign_policies"):
        one, other = getattr(calico, name), getattr(cilium, name)
        merged = {(getattr(o, "kind", ""), o.metadata.namespace, o.metadata.name): o for o in (*one.value, *other.value)}
        both[name] = Seen(tuple(merged.values()))
    ended = cli("migrate", "rehearse", "--snapshot", saved("calico_by_manifest", **both), *IMAGE)
    assert (ended.code, ended.out) == (6, "")
    assert "several engines enforce at once" in ended.err


@pytest.mark.parametrize("command", ["rehearse", "run", "runbook"])
@pytest.mark.parametrize("section", ["pods", "nodes", "foreign_policies", "daemonsets"])
def test_a_snapshot_without_what_it_takes(cli: Cli, saved: Callable[..., str], command: str, section: str) -> None:
    lacking = saved(**{section: Unread(f"{section} is forbidden", Why.DENIED)})
    ended = cli("migrate", command, "--snapshot", lacking, *IMAGE)
    assert (ended.code, ended.out) == (6, "")
    assert f"{section} is forbidden" in ended.err


@pytest.mark.usefixtures("quiet_place")
def test_nothing_to_rehearse(cli: Cli) -> None:
    written = short() | {"daemonsets": [], "deployments": []}
    calm = replace(owned(look(written)), foreign_policies=Seen(()), foreign_kinds=Seen(()), engine_settings=Seen(()))
    snapshot_file.save(calm, Path("calm.json"))
    ended = cli("migrate", "rehearse", "--snapshot", "calm.json")
    assert (ended.code, ended.out) == (6, "")
    assert "nothing to rehearse" in ended.err


def test_a_runbook(cli: Cli, saved: Callable[..., str], quiet_place: Path) -> None:
    ended = cli("migrate", "runbook", "--snapshot", saved(), *IMAGE, "--batch", "100%", "-o", "markdown=change.md")
    page = (quiet_place / "change.md").read_text()
    assert page.startswith("# Lead prod off Calico")
    assert "kubectl cordon node-a" in page
    assert "kubectl cordon node-c" not in page
    assert ended.code == int("## What stands in the way" in page)
    assert "kubectl cordon node-c" in cli("migrate", "runbook", "--snapshot", saved(), *IMAGE, "-v").out


def test_no_runbook_of_files(cli: Cli, quiet_place: Path) -> None:
    (quiet_place / "empty").mkdir()
    ended = cli("migrate", "runbook", "--manifests", "empty")
    assert (ended.code, ended.out) == (2, "")
