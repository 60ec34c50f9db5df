"""Every field of the definitions that Antrea ships is known, at every depth, and no other one is."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksnetpol.engines.antrea.read import OTHER_KINDS, read
from eksnetpol.engines.dialects import KINDS
from eksnetpol.policy.stacks.rules import Refused
from eksnetpol.policy.world import World
from tests.engines.antrea.drawing import one

SHIPPED = Path(__file__).parents[2] / "data" / "engines" / "antrea" / "antrea-eks.yaml"
OURS = ("ClusterGroup", "ClusterNetworkPolicy", "Group", "NetworkPolicy", "Tier")
Json = dict[str, Any]
Path_ = tuple[str, ...]


@cache
def definitions() -> dict[str, Json]:
    """The schema of ``spec`` of each kind, and all versions that are served."""
    found = {}
    for text in re.split(r"^---.*$", SHIPPED.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if "kind: CustomResourceDefinition" in text:
            spec = yaml.load(text, Loader=yaml.CSafeLoader)["spec"]
            versions = [v["name"] for v in spec["versions"] if v["served"]]
            schema = spec["versions"][-1]["schema"]["openAPIV3Schema"]["properties"].get("spec", {})
            found[spec["names"]["kind"]] = {"versions": versions, "schema": schema}
    return found


def test_all_kinds_are_known_and_served_in_one_version() -> None:
    assert set(definitions()) == {*OURS, *OTHER_KINDS}
    assert all(definitions()[kind]["versions"] == ["v1beta1"] for kind in OURS)
    assert KINDS["antrea"] == {"crd.antrea.io": OURS}


def nodes(schema: Json, path: Path_ = ()) -> Iterator[tuple[Path_, Json]]:
    """Yield every place of a schema: keys by name, elements of lists as ``[]``."""
    yield path, schema
    for key, member in schema.get("properties", {}).items():
        yield from nodes(member, (*path, key))
    if "items" in schema:
        yield from nodes(schema["items"], (*path, "[]"))


def sample(schema: Json) -> Any:
    """Return some value of a schema."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        wanted = schema.get("required", [])
        return {key: sample(member) for key, member in schema.get("properties", {}).items() if key in wanted}
    if schema.get("type") == "array":
        return [sample(schema["items"])]
    if "x-kubernetes-preserve-unknown-fields" in schema:
        return {}
    plain = {"boolean": True, "integer": 1, "number": 1}
    return plain.get(schema.get("type", ""), "10.0.0.0/8" if schema.get("format") == "cidr" else "x")


def at(schema: Json, path: Path_, value: Any) -> Any:
    """Return an object of *schema* with *value* at *path*, and what is required around it."""
    if not path:
        return value
    head, *rest = path
    if head == "[]":
        return [at(schema["items"], tuple(rest), value)]
    return {**sample(schema), head: at(schema["properties"][head], tuple(rest), value)}


def spec_of(kind: str, schema: Json, path: Path_, value: Any) -> Json:
    found: Json = at(schema, path, value)
    if kind.endswith("NetworkPolicy"):
        found["priority"] = found["priority"] if path[:1] == ("priority",) else 1
        rules = [*found.get("ingress", []), *found.get("egress", [])]
        if "appliedTo" not in found and not any("appliedTo" in rule for rule in rules):
            found["appliedTo"] = [{"podSelector": {}}]
    return found


def unread(kind: str, spec: Json) -> tuple[Refused, ...]:
    namespace = "shop" if kind in {"Group", "NetworkPolicy"} else ""
    return read([one(kind, "x", copy.deepcopy(spec), namespace)], (), World()).unread


@pytest.mark.parametrize("kind", OURS)
def test_every_field_is_known_and_no_other(kind: str) -> None:
    schema = definitions()[kind]["schema"]
    places = list(nodes(schema))
    assert len(places) > 2
    for path, node in places[1:]:
        found = unread(kind, spec_of(kind, schema, path, sample(node)))
        assert [r for r in found if "unknown field" in r.why] == [], path
    for path, node in places:
        if node.get("type") == "object" and "additionalProperties" not in node:
            found = unread(kind, spec_of(kind, schema, path, {**sample(node), "twist": 1}))
            assert [(r.why, r.place.rpartition(".")[2]) for r in found] == [("unknown field twist", "twist")], path
            assert found[0].ref.name == "x"


SHAPES: dict[tuple[str, str], Json] = {
    ("ClusterNetworkPolicy", "from"): {"externalEntitySelector": {}, "fqdn": "example.org"},
    ("ClusterNetworkPolicy", "to"): {"externalEntitySelector": {}},
    ("ClusterNetworkPolicy", "appliedTo"): {"externalEntitySelector": {}},
    ("NetworkPolicy", "from"): {
        "namespaces": {"match": "Self"},
        "serviceAccount": {"name": "a", "namespace": "b"},
        "fqdn": "example.org",
    },
    ("NetworkPolicy", "to"): {"namespaces": {"match": "Self"}, "serviceAccount": {"name": "a", "namespace": "b"}},
    ("NetworkPolicy", "appliedTo"): {
        "namespaceSelector": {},
        "serviceAccount": {"name": "a", "namespace": "b"},
        "service": {"name": "a", "namespace": "b"},
        "nodeSelector": {},
    },
}


@pytest.mark.parametrize(("kind", "field"), SHAPES)
def test_what_the_other_kind_alone_knows_is_unknown(kind: str, field: str) -> None:
    for key, value in SHAPES[kind, field].items():
        rule = {"action": "Allow"}
        spec: Json = {"priority": 1, "appliedTo": [{"podSelector": {}}]}
        if field == "appliedTo":
            spec |= {"appliedTo": [{key: value}], "ingress": [rule]}
        else:
            spec["ingress" if field == "from" else "egress"] = [{**rule, field: [{key: value}]}]
        assert any(f"unknown field {key}" in r.why for r in unread(kind, spec)), key
    own = definitions()[kind]["schema"]["properties"]
    for place in ("ingress", "egress") if field == "appliedTo" else (("ingress",) if field == "from" else ("egress",)):
        assert not SHAPES[kind, field].keys() & own[place]["items"]["properties"][field]["items"]["properties"].keys()


def test_what_is_no_shape_at_all_is_unread_by_place() -> None:
    cases: dict[str, tuple[Json, str, str]] = {
        "a word for a number": ({"priority": "high"}, "spec.priority", "expected `float`, got `str`"),
        "another action": (
            {"priority": 1, "ingress": [{"action": "Log"}]},
            "spec.ingress[0].action",
            "invalid enum value 'Log'",
        ),
        "nothing": ({}, "spec", "object missing required field `priority`"),
        "no list": ({"priority": 1, "appliedTo": {}}, "spec.appliedTo", "expected `array`, got `object`"),
        "null": ({"priority": 1, "appliedTo": [None]}, "spec.appliedTo[0]", "says nothing of whom it means"),
    }
    for title, (spec, place, why) in cases.items():
        assert [(r.place, r.why) for r in unread("ClusterNetworkPolicy", spec)] == [(place, why)], title


def test_other_versions_kinds_and_keys_are_unread() -> None:
    good = one("NetworkPolicy", "x", {"priority": 1, "appliedTo": [{"podSelector": {}}]}, "shop")
    stack = read(
        [
            {**good, "apiVersion": "crd.antrea.io/v1alpha1"},
            {**good, "twist": {}},
            {**good, "kind": "GlobalPolicy"},
            {**good, "kind": "Egress"},
            {**good, "apiVersion": "controlplane.antrea.io/v1beta2"},
        ],
        (),
        World(),
    )
    assert [(r.place, r.why) for r in stack.unread] == [
        ("apiVersion", "crd.antrea.io/v1alpha1 is not known here, crd.antrea.io/v1beta1 alone is"),
        ("twist", "unknown field twist"),
        ("kind", "the kind GlobalPolicy is not known here"),
    ]
    assert str(stack.unread[0].ref) == "networkpolicy.crd.antrea.io/shop/x"
