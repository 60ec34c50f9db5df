"""Our API server in memory against a real one: the same operations, the same outcomes, the same owners, the same objects."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eksnetpol.model.kinds import CONFIGMAP, DAEMONSET, DEFINITION, NODE_CLASS, Json, Kind, ObjectRef
from tests.fields.server import Server, namespace_for, place
from tests.simulation.twin import Twin, of
from tests.testbed.cluster import ControlPlane

pytestmark = pytest.mark.testbed

NAMESPACE = "twins"
MANAGERS = st.sampled_from(("ann", "bob", "eks"))
_numbers = itertools.count()

generated = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)

SCHEMA: Json = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                "order": {"type": "array", "items": {"type": "string"}},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string"},
                            "size": {"type": "integer"},
                            "options": {"type": "object", "additionalProperties": {"type": "string"}},
                        },
                    },
                },
                "whole": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "additionalProperties": {"type": "string"},
                },
                "inner": {
                    "type": "object",
                    "properties": {
                        "on": {"type": "boolean"},
                        "deep": {"type": "object", "additionalProperties": {"type": "integer"}},
                    },
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
}
"""A kind with one of each: the name is EKS Auto Mode's, the schema made for this."""


def definition() -> Json:
    names = {"kind": NODE_CLASS.name, "plural": NODE_CLASS.plural}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": SCHEMA},
        "subresources": {"status": {}},
    }
    spec = {"group": NODE_CLASS.group, "scope": "Cluster", "names": names, "versions": [version]}
    return of(DEFINITION, str(NODE_CLASS), spec=spec)


@pytest.fixture(scope="module")
def server(control_plane: ControlPlane) -> Iterator[Server]:
    found = Server(control_plane)
    namespace_for(found, NAMESPACE)
    assert found.create(definition(), "test").ok
    control_plane.did("wait", "--for=condition=Established", "crd", str(NODE_CLASS))
    yield found
    found.ask("DELETE", place(DEFINITION, "", str(NODE_CLASS)))
    found.close()


def twin(server: Server, kind: Kind) -> Twin:
    ref = ObjectRef.to(kind, f"one-{next(_numbers)}", NAMESPACE if kind.namespaced else "")
    found = Twin(server, ref)
    if kind is NODE_CLASS:
        found.ours.create(definition())
    return found


# --- ConfigMaps: maps, labels, finalizers ------------------------------------------------------------------------------

_texts = st.sampled_from(("1", "2"))
_data = st.dictionaries(st.sampled_from(("a", "b", "x.y_z")), _texts, max_size=3)
_some = st.fixed_dictionaries(
    {},
    optional={
        "data": _data,
        "labels": st.dictionaries(st.sampled_from(("app", "k8s.io/team")), _texts, min_size=1, max_size=2),
        "finalizers": st.lists(st.sampled_from(("test/one", "test/two")), unique=True, min_size=1),
    },
)
_patch_parts = st.sampled_from(
    (
        ({"op": "add", "path": "/data/a", "value": "3"},),
        ({"op": "remove", "path": "/data/a"},),
        ({"op": "replace", "path": "/data/b", "value": "1"},),
        ({"op": "test", "path": "/data/a", "value": "1"},),
        # What a copy of nothing comes to is the library's own affair.
        ({"op": "test", "path": "/data/b", "value": "1"}, {"op": "copy", "from": "/data/b", "path": "/data/x.y_z"}),
        ({"op": "test", "path": "/data/a", "value": "1"}, {"op": "move", "from": "/data/a", "path": "/data/b"}),
        ({"op": "add", "path": "/metadata/labels", "value": {"k8s.io/team": "3"}},),
        ({"op": "remove", "path": "/metadata/labels/k8s.io~1team"},),
        ({"op": "add", "path": "/metadata/finalizers", "value": ["test/one"]},),
        ({"op": "add", "path": "/metadata/finalizers/-", "value": "test/two"},),
        ({"op": "remove", "path": "/metadata/finalizers/0"},),
        (
            {"op": "test", "path": "/metadata/finalizers", "value": ["test/one"]},
            {"op": "remove", "path": "/metadata/finalizers/0"},
        ),
    )
)
_config_operations = st.lists(
    st.one_of(
        st.tuples(st.just("apply"), _some, MANAGERS, st.booleans()),
        st.tuples(st.just("replace"), _some, MANAGERS, st.booleans()),
        st.tuples(
            st.just("patch"),
            st.lists(_patch_parts, min_size=1, max_size=3).map(lambda parts: list(itertools.chain(*parts))),
            MANAGERS,
            st.just(False),  # noqa: FBT003 - nothing to force
        ),
        st.tuples(st.just("delete"), st.none(), st.none(), st.booleans()),
    ),
    min_size=2,
    max_size=7,
)


def _configmap(ref: ObjectRef, some: Json) -> Json:
    meta = {name: some[name] for name in ("labels", "finalizers") if name in some}
    return of(CONFIGMAP, ref.name, NAMESPACE, metadata=meta, **({"data": some["data"]} if "data" in some else {}))


def _put(some: Json) -> Any:
    def change(obj: Json) -> None:
        for name in ("labels", "finalizers"):
            obj["metadata"].pop(name, None)
            obj["metadata"] |= {name: some[name]} if name in some else {}
        obj.pop("data", None)
        obj |= {"data": some["data"]} if "data" in some else {}

    return change


@generated
@given(first=st.booleans(), start=_some, operations=_config_operations)
def test_a_configmap_lives_the_same_life(server: Server, first: bool, start: Json, operations: list[Any]) -> None:
    both = twin(server, CONFIGMAP)
    (both.create if first else both.apply)(_configmap(both.ref, start), "ann")
    for word, what, manager, flag in operations:
        if word == "apply":
            both.apply(_configmap(both.ref, what), manager, force=flag)
        elif word == "replace":
            both.replace(_put(what), manager, stale=flag)
        elif word == "patch":
            both.patch(what, manager)
        else:
            both.delete(other_uid=flag)


# --- a kind of a definition: a set, a list by key, atomic lists and maps, what no schema describes ------------------------

_part = st.fixed_dictionaries(
    {"name": st.sampled_from(("p", "q", "r"))},
    optional={"size": st.sampled_from((1, 2)), "options": st.dictionaries(st.sampled_from(("o", "u")), _texts, max_size=2)},
)
_spec = st.fixed_dictionaries(
    {},
    optional={
        "tags": st.lists(st.sampled_from(("t", "u", "v")), unique=True, max_size=3),
        "order": st.lists(_texts, max_size=2),
        "parts": st.lists(_part, unique_by=lambda part: part["name"], max_size=3),
        "whole": st.dictionaries(st.sampled_from(("w", "z")), _texts, max_size=2),
        "inner": st.fixed_dictionaries(
            {},
            optional={"on": st.booleans(), "deep": st.dictionaries(st.sampled_from(("d", "e")), st.integers(1, 2), max_size=2)},
        ),
        "free": st.dictionaries(
            st.sampled_from(("f", "g")),
            st.one_of(_texts, st.lists(_texts, max_size=2), st.dictionaries(_texts, _texts)),
            max_size=2,
        ),
    },
)
_custom_operations = st.lists(
    st.one_of(
        st.tuples(st.just("apply"), _spec, MANAGERS, st.booleans()),
        st.tuples(st.just("replace"), _spec, MANAGERS, st.just(False)),  # noqa: FBT003 - not stale
        st.tuples(st.just("status"), _texts, st.none(), st.none()),
    ),
    min_size=2,
    max_size=6,
)


def test_what_nothing_describes_is_emptied_to_null(server: Server) -> None:
    both = twin(server, NODE_CLASS)
    both.apply(of(NODE_CLASS, both.ref.name, spec={"free": {"f": {"1": "1"}}, "inner": {"deep": {"d": 1}}}), "ann")
    both.apply(of(NODE_CLASS, both.ref.name, spec={"free": {"f": {}}, "tags": ["t"]}), "ann")
    both.apply(of(NODE_CLASS, both.ref.name, spec={"free": {"f": {"2": "1"}}}), "ann")


@generated
@given(first=st.booleans(), start=_spec, operations=_custom_operations)
def test_an_object_of_a_definition_lives_the_same_life(server: Server, first: bool, start: Json, operations: list[Any]) -> None:
    both = twin(server, NODE_CLASS)
    (both.create if first else both.apply)(of(NODE_CLASS, both.ref.name, spec=start), "ann")
    for word, what, manager, flag in operations:
        if word == "apply":
            both.apply(of(NODE_CLASS, both.ref.name, spec=what), manager, force=flag)
        elif word == "replace":
            both.replace(lambda obj, what=what: obj.update(spec=what), manager)  # type: ignore[misc]
        else:
            both.status({"phase": what}, "controller")


# --- DaemonSets: what enabling is about --------------------------------------------------------------------------------

_COMPLETE = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}
_env = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from(("A", "B", "C")), "value": _texts}),
    unique_by=lambda one: one["name"],
    max_size=3,
)
_port = st.fixed_dictionaries(
    {"containerPort": st.sampled_from((80, 81))}, optional={"protocol": st.sampled_from(("TCP", "UDP"))}
)
_container = st.fixed_dictionaries(
    {"name": st.sampled_from(("aws-node", "agent")), "image": st.sampled_from(("i:1", "i:2"))},
    optional={
        "args": st.lists(_texts, max_size=2),
        "env": _env,
        "ports": st.lists(_port, max_size=2, unique_by=lambda one: (one["containerPort"], one.get("protocol", "TCP"))),
        "volumeMounts": st.just([{"name": "run", "mountPath": "/run"}]),
    },
)
_pods = st.fixed_dictionaries(
    {"containers": st.lists(_container, min_size=1, max_size=2, unique_by=lambda one: one["name"])},
    optional={
        "tolerations": st.sampled_from(([{"operator": "Exists"}], [{"key": "k", "operator": "Exists"}])),
        "hostNetwork": st.sampled_from((True,)),
    },
)
_edits = st.sampled_from(("arguments", "more", "less", "twice", "network"))
_daemon_operations = st.lists(
    st.one_of(
        st.tuples(st.just("apply"), _pods, MANAGERS, st.booleans()),
        st.tuples(st.just("edit"), _edits, MANAGERS, st.none()),
    ),
    min_size=1,
    max_size=6,
)


def _edited(what: str) -> Any:
    """Return what somebody does with an editor: nothing that the API server would complete."""

    def change(obj: Json) -> None:
        pods = obj["spec"]["template"]["spec"]
        container = pods["containers"][-1]
        env = container.get("env", [])
        if what == "arguments":
            container["args"] = ["edited"]
        elif what == "more":
            container["env"] = [*env, {"name": "D", "value": "2"}]
        elif what == "less" and env:
            container["env"] = env[1:]
            if not env[1:]:
                del container["env"]
        elif what == "twice" and env:
            container["env"] = [*env, env[0] | {"value": "3"}]
        elif what == "network":
            pods["hostNetwork"] = not pods.get("hostNetwork", False)

    return change


def _daemonset(ref: ObjectRef, pods: Json) -> Json:
    labels = {"k8s-app": "aws-node"}
    whole = {**pods, "volumes": [{"name": "run", "emptyDir": {}}]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": whole}}
    return of(DAEMONSET, ref.name, NAMESPACE, spec=spec)


@generated
@given(first=st.booleans(), start=_pods, operations=_daemon_operations)
def test_a_daemonset_lives_the_same_life(server: Server, first: bool, start: Json, operations: list[Any]) -> None:
    both = twin(server, DAEMONSET)
    whole = _daemonset(both.ref, start)
    if first:
        both.create(both.completed(whole), "ann")
    else:
        both.apply(whole, "ann")
    for word, what, manager, force in operations:
        if word == "apply":
            both.apply(_daemonset(both.ref, what), manager, force=force)
        else:
            both.replace(_edited(what), manager)
