from __future__ import annotations

import json
from pathlib import Path

import pytest

from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.gateways.rule_places import RulePlaces
from eksnetpol.model.findings import Subject

TEXT = """\
# what the shop lets through
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: one
  namespace: shop
spec:
  podSelector: {}
  ingress:
    - from:
        - podSelector: {}
        - ipBlock:
            cidr: 10.0.0.0/8
      ports:
        - port: 80
    - {}
---
apiVersion: v1
kind: List
items:
  - apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: two, namespace: shop}
    spec:
      podSelector: {}
      egress:
      - to: [{podSelector: {}}]
"""
ONE, TWO = Subject("NetworkPolicy", "one", "shop"), Subject("NetworkPolicy", "two", "shop")


def places(path: Path, text: str) -> RulePlaces:
    path.write_text(text, encoding="utf-8")
    return RulePlaces(read_manifests([str(path)]).origins)


@pytest.mark.parametrize(
    ("subject", "place", "line"),
    [
        (ONE, "", 2),
        (ONE, "ingress[0]", 10),
        (ONE, "ingress[0].from[0]", 11),
        (ONE, "ingress[0].from[1]", 12),
        (ONE, "ingress[1]", 16),
        (ONE, "ingress[7]", 10),
        (TWO, "", 21),
        (TWO, "egress[0]", 27),
        (TWO, "egress[0].to[0]", 27),
    ],
)
def test_a_rule_is_on_the_line_where_it_begins(tmp_path: Path, subject: Subject, place: str, line: int) -> None:
    file = tmp_path / "p.yaml"
    assert places(file, TEXT).of(subject, place) == f"{file}:{line}"


def test_json_is_found_its_way_about_too(tmp_path: Path) -> None:
    rules = {"podSelector": {}, "ingress": [{}, {"ports": [{"port": 80}]}]}
    meta = {"name": "one", "namespace": "shop"}
    value = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": rules}
    file = tmp_path / "p.json"
    assert places(file, json.dumps(value, indent=1)).of(ONE, "ingress[1]") == f"{file}:12"


def test_what_came_from_no_file_has_no_place() -> None:
    assert RulePlaces({}).of(ONE, "ingress[0]") == ""
    assert RulePlaces({}).of(None) == ""


def test_a_file_that_is_gone_or_has_changed_is_named_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    found = places(file, TEXT)
    file.unlink()
    assert found.of(ONE, "ingress[0]") == f"{file}:2"
    found = places(file, TEXT)
    file.write_text(TEXT.replace("name: one", "name: other"), encoding="utf-8")
    assert found.of(ONE, "ingress[0]") == f"{file}:2"
    found = places(file, TEXT)
    file.write_text("{", encoding="utf-8")
    assert found.of(ONE, "ingress[0]") == f"{file}:2"
