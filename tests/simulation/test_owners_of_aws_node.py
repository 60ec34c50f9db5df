"""The objects of the VPC CNI as upstream ships them, and those who fight over them: on a real API server and on ours."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from eksnetpol.errors import Conflict
from eksnetpol.fields.apply import FieldConflict, applied, written
from eksnetpol.fields.conflicts import conflicts
from eksnetpol.fields.holds import differences
from eksnetpol.fields.owners import MANAGER, owners
from eksnetpol.fields.paths import read, text
from eksnetpol.fields.structure import as_kept, layout_of
from eksnetpol.interfaces import acting
from eksnetpol.model.kinds import CONFIGMAP, DAEMONSET, Json, ObjectRef
from eksnetpol.simulation.api_server import ApiObjects
from tests.fields.server import Server, namespace_for
from tests.simulation.twin import Twin, books, of
from tests.testbed.cluster import ControlPlane

pytestmark = pytest.mark.testbed

NAMESPACE = "owners"
MANIFEST = Path(__file__).parent.parent / "data" / "vpc-cni" / "v1.21.1" / "aws-k8s-cni.yaml"
NOW = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)
CONTAINERS = ".spec.template.spec.containers"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def server(control_plane: ControlPlane) -> Iterator[Server]:
    found = Server(control_plane)
    namespace_for(found, NAMESPACE)
    yield found
    found.close()


def upstream(kind: str) -> list[Json]:
    return [one for one in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")) if one and one["kind"] == kind]


def aws_node() -> Json:
    (found,) = upstream("DaemonSet")
    found["metadata"] |= {"namespace": NAMESPACE, "name": f"aws-node-{next(_numbers)}"}
    return found


def switched_on(ref: ObjectRef) -> Json:
    """What turning enforcement on says of the DaemonSet."""
    env = [{"name": "NETWORK_POLICY_ENFORCING_MODE", "value": "strict"}]
    args = ["--enable-ipv6=false", "--enable-network-policy=true"]
    containers = [{"name": "aws-node", "env": env}, {"name": "aws-eks-nodeagent", "args": args}]
    return of(DAEMONSET, ref.name, NAMESPACE, spec={"template": {"spec": {"containers": containers}}})


@pytest.mark.parametrize(
    "kind", ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "CustomResourceDefinition", "DaemonSet"]
)
def test_what_upstream_ships_is_owned_the_same(server: Server, kind: str) -> None:
    ours = ApiObjects(lambda: NOW)
    for obj in upstream(kind):
        if "namespace" in obj["metadata"]:
            obj["metadata"]["namespace"] = NAMESPACE
        obj.get("spec", {}).pop("preserveUnknownFields", None)  # see below: what is said and not kept
        ref = ObjectRef.of(obj)
        for manager, force in (("kubectl-client", False), ("eks", False), ("helm", True)):
            assert server.apply(obj, manager, force=force).ok
            ours.apply(obj, manager=manager, force=force)
            live = server.get(ref)
            made = ours.get(ref)
            assert live is not None
            assert made is not None
            ours_alone = [line for line in books(live) if line["manager"] != "kube-apiserver"]
            assert ours_alone == books(made)
            assert differences(live, obj) == ()
            assert differences(made, obj) == ()
            assert conflicts(live, obj, "somebody") == ()
            assert all(read(text(path)) == path for path in owners(live["metadata"]["managedFields"]))


@pytest.mark.parametrize("release", sorted(path.name for path in MANIFEST.parent.parent.iterdir()))
def test_what_every_release_ships_holds_once_it_is_applied(server: Server, release: str) -> None:
    path = MANIFEST.parent.parent / release / MANIFEST.name
    for obj in filter(None, yaml.safe_load_all(path.read_text(encoding="utf-8"))):
        if "namespace" in obj["metadata"]:
            obj["metadata"]["namespace"] = NAMESPACE
        applied_now = server.apply(obj, "upstream", force=True)
        assert applied_now.ok, applied_now
        assert differences(applied_now.body, obj) == ()
        kept = applied(None, obj, manager="upstream", force=False, now=NOW)
        assert differences(as_kept(kept, layout_of(kept)), obj) == ()


def test_a_fight_over_aws_node_is_told_in_the_servers_words(server: Server) -> None:
    whole = aws_node()
    both = Twin(server, ObjectRef.of(whole))
    both.apply(whole, "eks")
    wanted = switched_on(both.ref)
    live = server.get(both.ref)
    assert live is not None
    refusal = server.apply(wanted, MANAGER)
    causes = refusal.body["details"]["causes"]
    with pytest.raises(FieldConflict) as raised:
        applied(live, wanted, manager=MANAGER, force=False, now=NOW)
    assert [f.path for f in raised.value.fields] == [c["field"] for c in causes] == [
        f'{CONTAINERS}[name="aws-eks-nodeagent"].args',
        f'{CONTAINERS}[name="aws-node"].env[name="NETWORK_POLICY_ENFORCING_MODE"].value',
    ]  # fmt: skip
    assert str(raised.value) == refusal.body["message"]
    assert conflicts(live, wanted) == raised.value.fields
    assert {f.managers for f in raised.value.fields} == {("eks",)}
    assert raised.value.fields[1].live == "standard"
    assert raised.value.fields[1].wanted == "strict"
    with pytest.raises(Conflict) as told:
        both.ours.apply(wanted)
    assert told.value.fields == tuple((c["field"], "eks") for c in causes)

    both.apply(wanted, MANAGER, force=True)
    both.apply(wanted, MANAGER)  # nothing is left to do
    both.apply(whole, "eks")  # EKS says again what it said: a conflict with us
    both.apply(whole, "eks", force=True)
    both.apply(of(DAEMONSET, both.ref.name, NAMESPACE), MANAGER)  # we let go of all that is ours


def test_what_somebody_added_goes_when_they_leave_it_out(server: Server) -> None:
    whole = aws_node()
    both = Twin(server, ObjectRef.of(whole))
    both.apply(whole, "eks")
    extra = {"name": "side", "image": "side:1", "env": [{"name": "A", "value": "1"}]}
    more = {"name": "aws-node", "env": [{"name": "MINE", "value": "1"}]}
    spec = {"template": {"spec": {"containers": [extra, more], "volumes": [{"name": "mine", "emptyDir": {}}]}}}
    both.apply(of(DAEMONSET, both.ref.name, NAMESPACE, spec=spec), MANAGER)

    def touch(obj: Json) -> None:
        next(c for c in obj["spec"]["template"]["spec"]["containers"] if c["name"] == "side")["args"] = ["touched"]

    both.replace(touch, "kubectl-edit")
    both.apply(of(DAEMONSET, both.ref.name, NAMESPACE), MANAGER)
    live = both.ours.peek(both.ref)
    assert live is not None
    left = live["spec"]["template"]["spec"]
    assert "side" not in {c["name"] for c in left["containers"]}, "to own its arguments is not to own the container"
    assert "mine" not in {v["name"] for v in left["volumes"]}
    assert "MINE" not in {e["name"] for c in left["containers"] for e in c.get("env", [])}


def test_an_atomic_value_without_what_the_server_fills_in_is_a_conflict(server: Server) -> None:
    """``fieldRef`` is one value: who leaves out its ``apiVersion`` fights with its owner over it."""
    whole = aws_node()
    both = Twin(server, ObjectRef.of(whole))
    both.apply(both.completed(whole), "eks")
    env = [{"name": "MY_NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
    spec = {"template": {"spec": {"containers": [{"name": "aws-node", "env": env}]}}}
    both.apply(of(DAEMONSET, both.ref.name, NAMESPACE, spec=spec), MANAGER)
    live = server.get(both.ref)
    assert live is not None
    assert live["metadata"]["managedFields"][0]["manager"] == "eks"
    assert len(live["metadata"]["managedFields"]) == 1, "the apply was refused"
    env[0]["valueFrom"]["fieldRef"]["apiVersion"] = "v1"  # type: ignore[index]
    both.apply(of(DAEMONSET, both.ref.name, NAMESPACE, spec=spec), MANAGER)
    assert len(both.ours.peek(both.ref)["metadata"]["managedFields"]) == 2  # type: ignore[index]


def test_two_who_say_what_is_not_kept_are_in_conflict(server: Server) -> None:
    """False and nothing are the same to the API server, but not to who owns what: saying it twice is a conflict."""
    whole = aws_node()
    both = Twin(server, ObjectRef.of(whole))
    both.apply(whole, "eks")
    env = [{"name": "NEW", "value": ""}]
    spec = {"template": {"spec": {"hostPID": False, "containers": [{"name": "aws-node", "env": env}]}}}
    silent = of(DAEMONSET, both.ref.name, NAMESPACE, spec=spec)
    both.apply(silent, "ann")
    both.apply(silent, "bob")
    live = server.get(both.ref)
    assert live is not None
    assert differences(live, silent) == ()
    assert [(c.path, c.managers) for c in conflicts(live, silent, "bob")] == [
        (f'{CONTAINERS}[name="aws-node"].env[name="NEW"].value', ("ann",)),
        (".spec.template.spec.hostPID", ("ann",)),
    ]


def test_whoever_was_there_before_the_first_apply_owns_all(server: Server) -> None:
    config = of(CONFIGMAP, f"old-{next(_numbers)}", NAMESPACE, data={"a": "1", "b": "2"}, metadata={"labels": {"x": "y"}})
    both = Twin(server, ObjectRef.of(config))
    both.create(config, "ann")
    both.replace(lambda obj: obj["metadata"].update(managedFields=[{}]), "ann")
    real = server.get(both.ref)
    assert real is not None
    forgotten = real | {"metadata": real["metadata"] | {"managedFields": [{}]}}
    assert server.replace(forgotten, "ann").ok
    ours = both.ours.get(both.ref)
    assert ours is not None
    both.ours.replace(ours | {"metadata": ours["metadata"] | {"managedFields": [{}]}}, manager="ann")
    assert "managedFields" not in both.ours.peek(both.ref)["metadata"]  # type: ignore[index]
    both.apply(of(CONFIGMAP, both.ref.name, NAMESPACE, data={"a": "2"}), MANAGER)
    both.apply(of(CONFIGMAP, both.ref.name, NAMESPACE, data={"a": "2"}), MANAGER, force=True)


def test_the_oldest_of_many_updaters_are_put_together(server: Server) -> None:
    config = of(CONFIGMAP, f"many-{next(_numbers)}", NAMESPACE, data={"start": "1"})
    both = Twin(server, ObjectRef.of(config))
    both.create(config, "manager-00")
    for number in range(1, 13):
        both.patch([{"op": "add", "path": f"/data/k{number:02}", "value": "1"}], f"manager-{number:02}")
    assert len(books(both.ours.peek(both.ref) or {})) == 10


def test_a_dry_run_says_the_same_and_does_nothing(server: Server) -> None:
    config = of(CONFIGMAP, f"dry-{next(_numbers)}", NAMESPACE, data={"a": "1"})
    both = Twin(server, ObjectRef.of(config))
    both.apply(config, "ann")
    wanted = of(CONFIGMAP, both.ref.name, NAMESPACE, data={"b": "1"})
    real = server.apply(wanted, "bob", dryRun="All").body
    ours = both.ours.apply(wanted, manager="bob", dry_run=True)
    assert real["data"] == ours["data"] == {"a": "1", "b": "1"}
    assert books(real) == books(ours)
    both.apply(config, "ann")  # finds everything as it was


def test_our_manager_is_one() -> None:
    assert acting.MANAGER == MANAGER


def test_an_object_of_which_little_is_known_gives_no_trouble() -> None:
    """A snapshot keeps owners but not all values: what is owned and not known counts as another value."""
    line = {
        "manager": "eks",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}, "f:spec": {'k:{"name":"x"}': {"f:y": {}}}},
    }
    partial = {"metadata": {"name": "c", "managedFields": [line]}, "data": {"b": "1"}}
    wanted = of(CONFIGMAP, "c", "n", data={"a": "1", "b": "1"})
    assert [(c.path, c.managers, c.live, c.wanted) for c in conflicts(partial, wanted)] == [(".data.a", ("eks",), None, "1")]
    after = applied(partial, wanted, manager=MANAGER, force=True, now=NOW)
    assert after["data"] == {"a": "1", "b": "1"}
    assert json.dumps(written(partial, {**partial, "data": {}}, manager="x", now=NOW))
