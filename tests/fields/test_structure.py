"""The shipped table of structures, held to the API server it was taken from, and what is read from definitions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eksnetpol.fields.sets import fields_of
from eksnetpol.fields.structure import as_kept, layout_of
from eksnetpol.model.engine_kinds import ENGINE_KINDS
from eksnetpol.model.kinds import BUILT_IN, KINDS
from tests.fields.deriving import SHIPPED, derived, written
from tests.testbed.cluster import ControlPlane


@pytest.mark.testbed
def test_the_shipped_table_is_what_the_api_server_says(control_plane: ControlPlane, request: pytest.FixtureRequest) -> None:
    text = written(derived(control_plane))
    if request.config.getoption("--update-golden"):
        SHIPPED.write_text(text, encoding="utf-8")
    assert SHIPPED.read_text(encoding="utf-8") == text, "--update-golden writes it"


def test_every_built_in_kind_is_in_the_table() -> None:
    table = json.loads(SHIPPED.read_text(encoding="utf-8"))
    assert set(table["kinds"]) == {f"{kind.api_version}/{kind.name}" for kind in BUILT_IN}
    assert {kind.name for kind in set(KINDS) - {*BUILT_IN, *ENGINE_KINDS}} == {
        "ApplicationNetworkPolicy", "ClusterNetworkPolicy", "PolicyEndpoint", "ClusterPolicyEndpoint", "NodeClass",
    }  # fmt: skip


def pods(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d"}, "spec": {"template": {"spec": spec}}}


def fields(obj: dict[str, Any], definition: dict[str, Any] | None = None) -> set[str]:
    from eksnetpol.fields.paths import text

    return {text(path) for path in fields_of(obj, layout_of(obj, definition).shape)} - {".apiVersion", ".kind", ".metadata.name"}


TEMPLATE = ".spec.template.spec"


def test_entries_of_lists_are_known_by_their_keys() -> None:
    container = {
        "name": "aws-node",
        "args": ["--a"],
        "env": [{"name": "X", "value": "1"}],
        "ports": [{"containerPort": 80}],
        "volumeMounts": [{"mountPath": "/run", "name": "run"}],
    }
    here = f'{TEMPLATE}.containers[name="aws-node"]'
    assert fields(pods(containers=[container], volumes=[{"name": "run", "emptyDir": {}}], tolerations=[{"key": "k"}])) == {
        here,
        f"{here}.name",
        f"{here}.args",
        f'{here}.env[name="X"]',
        f'{here}.env[name="X"].name',
        f'{here}.env[name="X"].value',
        f'{here}.ports[containerPort=80,protocol="TCP"]',
        f'{here}.ports[containerPort=80,protocol="TCP"].containerPort',
        f'{here}.volumeMounts[mountPath="/run"]',
        f'{here}.volumeMounts[mountPath="/run"].mountPath',
        f'{here}.volumeMounts[mountPath="/run"].name',
        f'{TEMPLATE}.volumes[name="run"]',
        f'{TEMPLATE}.volumes[name="run"].name',
        f'{TEMPLATE}.volumes[name="run"].emptyDir',
        f"{TEMPLATE}.tolerations",
    }


def test_rules_and_selectors_are_one_value_each() -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "r"},
        "rules": [{"verbs": ["get"]}],
    }
    assert fields(role) == {".rules"}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": {"podSelector": {"matchLabels": {"a": "b"}}, "ingress": [{}]}}  # fmt: skip  # noqa: E501
    assert fields(policy) == {".spec.podSelector", ".spec.ingress"}


def test_owners_are_known_by_uid_and_finalizers_by_themselves() -> None:
    meta = {"name": "c", "finalizers": ["a/b"], "ownerReferences": [{"uid": "u", "name": "n"}], "labels": {"k8s.io/x": "1"}}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}
    assert fields(config) == {
        '.metadata.finalizers[="a/b"]',
        '.metadata.ownerReferences[uid="u"]',
        ".metadata.labels.k8s.io/x",
    }


def test_a_kind_nobody_describes_divides_by_its_keys_alone() -> None:
    obj = {
        "apiVersion": "test.io/v1",
        "kind": "Thing",
        "metadata": {"name": "t"},
        "spec": {"list": [{"name": "x"}], "map": {"k": 1}},
    }
    assert fields(obj) == {".spec", ".spec.list", ".spec.map", ".spec.map.k"}


def test_a_definition_tells_what_is_not_in_the_table() -> None:
    of_list = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object"},
    }
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"list": of_list}}}}
    version = {"name": "v1", "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}}
    definition = {"spec": {"versions": [version]}}
    obj = {"apiVersion": "test.io/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {"list": [{"name": "x"}]}}
    assert fields(obj, definition) == {'.spec.list[name="x"]', '.spec.list[name="x"].name'}
    assert layout_of(obj, definition).status
    assert not layout_of({**obj, "apiVersion": "test.io/v2"}, definition).status


def test_what_silence_says_as_well_is_not_kept() -> None:
    container = {"name": "c", "env": [{"name": "X", "value": ""}], "args": [], "resources": {}}
    found = as_kept(
        pods(containers=[container], hostNetwork=False, nodeSelector={}, volumes=[{"name": "v", "emptyDir": {}}]),
        layout_of(pods()),
    )
    assert found["spec"]["template"]["spec"] == {
        "containers": [{"name": "c", "env": [{"name": "X"}], "resources": {}}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"value": ""}}
    assert as_kept(data, layout_of(data)) == data
