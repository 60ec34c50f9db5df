"""Digests of schemas: prose, order and defaults do not count, everything else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.assets.definitions import definitions, recognise
from eksnetpol.model.digests import schema_digest
from tests.testbed.fixtures import NewControlPlane

DATA = Path(__file__).parent.parent / "data"
RELEASED = sorted((DATA / "crds" / "networking.k8s.aws").glob("*.yaml"))
CARRYING = [DATA / "vpc-cni" / v / "aws-k8s-cni.yaml" for v in ("v1.14.0", "v1.20.5", "v1.21.0", "v1.21.1")]

leaves = st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "boolean"])})
schemas = st.recursive(
    leaves,
    lambda inner: st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from("abc"), inner, min_size=1)},
        optional={"required": st.lists(st.sampled_from("abc"), unique=True)},
    ),
    max_leaves=8,
)


def digest(schema: dict[str, Any]) -> str:
    return schema_digest({"v1alpha1": {"openAPIV3Schema": schema}})


def upended(schema: Any) -> Any:
    """The same schema, its members the other way round, explained, with a default written out."""
    if not isinstance(schema, dict):
        return schema
    turned: dict[str, Any] = {k: upended(v) if k != "properties" else _all(v) for k, v in reversed(schema.items())}
    if "required" in turned:
        turned["required"] = list(reversed(turned["required"]))
    return {"description": "what it is for", **turned, "nullable": False}


def _all(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: upended(inner) for name, inner in reversed(properties.items())}


@given(schemas)
def test_prose_order_and_defaults_do_not_count(schema: dict[str, Any]) -> None:
    assert digest(schema) == digest(upended(schema))


@given(schemas, schemas)
def test_schemas_of_other_shapes_have_other_digests(left: dict[str, Any], right: dict[str, Any]) -> None:
    def plain(schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        kept = {k: plain(v) for k, v in schema.items() if v != []}
        return kept | ({"required": sorted(kept["required"])} if isinstance(kept.get("required"), list) else {})

    assert (digest(left) == digest(right)) == (plain(left) == plain(right))


def test_a_property_called_description_counts() -> None:
    with_one = {"type": "object", "properties": {"description": {"type": "string"}}}
    assert digest(with_one) != digest({"type": "object", "properties": {}})


def test_a_property_called_like_a_keyword_is_a_property() -> None:
    one = {"type": "object", "properties": {"required": {"type": "string"}, "nullable": {"type": "string"}}}
    other = {"type": "object", "properties": {"required": {"type": "integer"}, "nullable": {"type": "string"}}}
    assert digest(one) != digest(other)


@pytest.mark.parametrize(
    "change", [{"maxLength": 9}, {"enum": ["a"]}, {"default": False}, {"nullable": True}, {"x-kubernetes-list-type": "set"}]
)
def test_what_restricts_counts(change: dict[str, Any]) -> None:
    assert digest({"type": "string", **change}) != digest({"type": "string"})


def test_another_version_counts() -> None:
    schema = {"openAPIV3Schema": {"type": "object"}}
    assert schema_digest({"v1": schema}) != schema_digest({"v1alpha1": schema})


def definitions_in(path: Path) -> list[dict[str, Any]]:
    found = yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    wanted = (d for d in found if d and d["kind"] == "CustomResourceDefinition")
    return [d for d in wanted if d["spec"]["group"] == "networking.k8s.aws"]


def digest_of(definition: dict[str, Any]) -> str:
    return schema_digest({v["name"]: v["schema"] for v in definition["spec"]["versions"]})


@pytest.mark.parametrize("path", [*RELEASED, *CARRYING], ids=lambda p: "/".join(p.parts[-2:]))
def test_every_released_definition_is_recognised(path: Path) -> None:
    found = definitions_in(path)
    assert found
    for definition in found:
        assert recognise(definition["metadata"]["name"], digest_of(definition)) is not None


def test_no_digest_is_known_that_nobody_released() -> None:
    seen = {(d["metadata"]["name"], digest_of(d)) for path in RELEASED for d in definitions_in(path)}
    assert {(d.name, d.digest) for d in definitions()} == seen


@pytest.mark.testbed
def test_an_api_server_gives_back_what_has_the_same_digest(new_control_plane: NewControlPlane) -> None:
    control_plane = new_control_plane()
    for path in RELEASED:
        (definition,) = definitions_in(path)
        control_plane.apply(definition)
        live = control_plane.get("customresourcedefinition", definition["metadata"]["name"])
        assert digest_of(live) == digest_of(definition), path.name
