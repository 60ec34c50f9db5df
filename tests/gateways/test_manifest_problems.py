"""What is malformed is left out and named; all the rest is read."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.errors import UnreadableInput
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.model.problems import Problem
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from tests.policy.refused import REFUSED, TAKEN

GOOD = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: good, namespace: shop}
spec: {podSelector: {}}
"""

BAD = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: bad
  namespace: shop
spec:
  podSelector: {}
  ingress:
  - from:
    - podSelector: {}
    - ipBlock:
        cidr: 10.0.0.0/33
  - ports:
    - port: 20
      endPort: 10
"""


NO_CIDR = "'10.0.0.0/33' is no CIDR; expected one such as 10.9.8.0/24 or 2001:db8::/64"


def read(text: str | bytes) -> tuple[ClusterSnapshot, list[Problem]]:
    told: list[Problem] = []
    data = text.encode() if isinstance(text, str) else text
    return read_manifests(["-"], io.BytesIO(data), problems=told.append), told


def names(snapshot: ClusterSnapshot, section: str = "network_policies") -> list[str]:
    seen = getattr(snapshot, section)
    return [thing.metadata.name for thing in seen.value] if isinstance(seen, Seen) else []


def test_a_malformed_policy_is_left_out_and_each_fault_has_its_line() -> None:
    snapshot, told = read(f"{GOOD}---\n{BAD}---\n{GOOD.replace('good', 'better')}")
    assert names(snapshot) == ["good", "better"]
    assert [str(problem) for problem in told] == [
        f"stdin:17: networkpolicy/shop/bad: spec.ingress[0].from[1].ipBlock.cidr: {NO_CIDR}",
        "stdin:20: networkpolicy/shop/bad: spec.ingress[1].ports[0].endPort: 10 is below port, which is 20",
    ]
    assert "networkpolicy/shop/bad" not in snapshot.origins


def test_without_anybody_to_tell_nothing_has_changed() -> None:
    assert names(read_manifests(["-"], io.BytesIO(BAD.encode()))) == ["bad"]
    with pytest.raises(UnreadableInput, match=r"^stdin:3: the key 'kind' is there twice"):
        read_manifests(["-"], io.BytesIO(b"apiVersion: v1\nkind: Pod\nkind: Pod\n"))


@pytest.mark.parametrize(
    ("broken", "place", "message"),
    [
        ("a: [\n", "stdin:6", "this is not YAML"),
        ("apiVersion: v1\nkind: Pod\nkind: Pod\n", "stdin:8", "the key 'kind' is there twice"),
        ("apiVersion: v1\n", "stdin:6", "kind is missing"),
        ("- a\n", "stdin:6", "this is a list"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: 5}\n", "stdin:8", "metadata.name: expected `str | null`, got `int`"),
    ],
)
def test_a_broken_document_takes_no_other_with_it(broken: str, place: str, message: str) -> None:
    snapshot, told = read(f"{GOOD}---\n{broken}---\n{BAD}---\n{GOOD.replace('good', 'better')}")
    assert names(snapshot) == ["good", "better"]
    assert len(told) == 3
    assert told[0].place == place
    assert message in told[0].message
    after = 5 + broken.count("\n")
    assert [problem.place for problem in told[1:]] == [f"stdin:{after + 13}", f"stdin:{after + 16}"]
    assert snapshot.origins["networkpolicy/shop/better"].line == after + 18


def test_a_malformed_object_of_another_kind_is_left_out_too() -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - port: eighty\n"
    snapshot, told = read(f"{service}---\n{GOOD}")
    assert (names(snapshot, "services"), names(snapshot)) == ([], ["good"])
    assert [str(p) for p in told] == ["stdin:6: service/default/web: spec.ports[0].port: expected `int`, got `str`"]


def test_an_element_of_a_list_takes_no_other_with_it() -> None:
    items = [yaml.safe_load(GOOD), {"kind": "Pod"}, yaml.safe_load(BAD)]
    for text in (
        json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1),
        yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}),
    ):
        snapshot, told = read(text)
        assert names(snapshot) == ["good"]
        lines = text.splitlines()
        assert [problem.field for problem in told] == [
            "",
            "spec.ingress[0].from[1].ipBlock.cidr",
            "spec.ingress[1].ports[0].endPort",
        ]
        assert "10.0.0.0/33" in lines[int(told[1].place.partition(":")[2]) - 1]
        assert "endPort" in lines[int(told[2].place.partition(":")[2]) - 1]


def test_a_directory_without_anything_sound_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BAD)
    (tmp_path / "b.yaml").write_text("kind: [\n")
    (tmp_path / "c.json").write_text('{"kind": ')
    (tmp_path / "d.yaml").write_bytes(b"kind: \xff\n")
    told: list[Problem] = []
    snapshot = read_manifests([str(tmp_path)], problems=told.append)
    assert names(snapshot) == []
    assert [p.place.rpartition("/")[2] for p in told] == ["a.yaml:12", "a.yaml:15", "b.yaml:1", "c.json:1", "d.yaml:1"]


def test_nothing_at_all_is_still_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="no Kubernetes objects are here"):
        read_manifests([str(tmp_path)], problems=lambda _: None)
    with pytest.raises(UnreadableInput, match="this is empty"):
        read("")


@pytest.mark.parametrize("name", REFUSED)
def test_every_malformed_policy_is_left_out_and_named(name: str) -> None:
    case = REFUSED[name]
    snapshot, told = read(yaml.safe_dump(case.policy))
    if case.by(strict=False):
        assert {problem.field for problem in told} == case.by(strict=False)
        assert all(problem.subject and problem.subject.name in {"a", "Web", "(without a name)"} for problem in told)
        assert not any(
            names(snapshot, section)
            for section in ("network_policies", "application_policies", "cluster_policies", "admin_policies")
        )
    else:
        assert (names(snapshot), told) == (["a"], [])


def test_sound_policies_are_read_and_nobody_is_told_of_them() -> None:
    snapshot, told = read(yaml.safe_dump_all(TAKEN.values()))
    assert told == []
    assert len(names(snapshot, "admin_policies")) == 1
    assert len(names(snapshot)) == 2
    seen: Any = snapshot.admin_policies
    assert seen.value[0].title == "ClusterNetworkPolicy.policy.networking.k8s.io"


@given(
    st.lists(
        st.sampled_from([GOOD, BAD, "a: [\n", "{\n", "- x\n", "kind: X\n", "'\n", "\tx\n", "%\n", "", "# nothing\n"]), max_size=6
    )
)
def test_whatever_stands_beside_it_a_sound_document_is_read(parts: list[str]) -> None:
    told: list[Problem] = []
    text = "".join(f"---\n{part}" for part in [*parts, GOOD.replace("good", "last")])
    assert "last" in names(read_manifests(["-"], io.BytesIO(text.encode()), problems=told.append))
    assert all(int(problem.place.removeprefix("stdin:")) <= text.count("\n") for problem in told)
