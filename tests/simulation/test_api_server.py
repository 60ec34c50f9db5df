"""What the API server in memory does besides fields: the end of objects, kinds that come and go, watching, copies, listeners."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from eksnetpol.errors import Busy, Conflict, Exists, NotFound, Rejected
from eksnetpol.model.kinds import (
    CONFIGMAP,
    DAEMONSET,
    DEFINITION,
    LEASE,
    NETWORK_POLICY,
    NODE_CLASS,
    POD,
    POLICY_ENDPOINT,
    Json,
    ObjectRef,
)
from eksnetpol.simulation.api_server import ApiObjects, Change
from tests.fields.server import Server
from tests.simulation.twin import of
from tests.testbed.cluster import ControlPlane
from tests.testbed.fixtures import NewControlPlane

CRD = Path(__file__).parent.parent / "data" / "crds" / "networking.k8s.aws" / "policyendpoints.yaml"
FINALIZER = "networking.k8s.aws/resources"


class Cluster(ApiObjects):
    """An API server whose clock is set by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)
        super().__init__(lambda: self.time)


@pytest.fixture
def api() -> Cluster:
    return Cluster()


def definition() -> Json:
    found: Json = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    return found


def config(name: str = "c", **more: object) -> Json:
    return of(CONFIGMAP, name, "n", **more)


REF = ObjectRef.to(CONFIGMAP, "c", "n")


# --- one object ----------------------------------------------------------------------------------------------------------


def test_an_object_gets_what_makes_it_one(api: Cluster) -> None:
    made = api.create(of(DAEMONSET, "d", "n", spec={}, status={"numberReady": 3}))
    meta = made["metadata"]
    assert (meta["generation"], meta["creationTimestamp"], meta["resourceVersion"]) == (1, "2026-11-27T12:00:00Z", "1")
    assert len(meta["uid"]) == 36
    assert "status" not in made, "that is its controller's to say"
    other = api.create(config())
    assert other["metadata"]["uid"] != meta["uid"]
    assert "generation" not in other["metadata"]


def test_a_generation_counts_what_is_wanted_and_nothing_else(api: Cluster) -> None:
    api.create(of(DAEMONSET, "d", "n", spec={"minReadySeconds": 1}))
    ref = ObjectRef.to(DAEMONSET, "d", "n")

    def generation() -> int:
        found = api.get(ref)
        assert found is not None
        return int(found["metadata"]["generation"])

    api.patch(ref, [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}])
    api.write_status(ref, {"numberReady": 1}, manager="kube-controller-manager")
    assert generation() == 1
    api.patch(ref, [{"op": "replace", "path": "/spec/minReadySeconds", "value": 2}])
    assert generation() == 2
    api.patch(ref, [{"op": "replace", "path": "/status", "value": {"numberReady": 9}}])
    assert api.get(ref)["status"] == {"numberReady": 1}, "a status is written apart"  # type: ignore[index]


def test_what_is_returned_is_the_callers_own(api: Cluster) -> None:
    mine = config(data={"a": "1"})
    made = api.create(mine)
    for obj in (mine, made, api.get(REF)):
        assert obj is not None
        obj["data"]["a"] = "2"
    assert api.peek(REF)["data"] == {"a": "1"}  # type: ignore[index]


def test_a_name_is_taken_once(api: Cluster) -> None:
    api.create(config(metadata={"finalizers": [FINALIZER]}))
    with pytest.raises(Exists, match='configmaps "c" already exists'):
        api.create(config())
    api.delete(REF)
    with pytest.raises(Busy, match="object is being deleted"):
        api.create(config())


def test_a_name_can_be_made_up(api: Cluster) -> None:
    first, second = (
        api.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "p-", "namespace": "n"}}) for _ in "ab"
    )
    assert first["metadata"]["name"].startswith("p-")
    assert first["metadata"]["name"] != second["metadata"]["name"]


def test_a_replacement_of_an_older_state_is_refused(api: Cluster) -> None:
    read = api.create(of(LEASE, "l", "n", spec={"holderIdentity": "a"}))
    won = api.replace({**read, "spec": {"holderIdentity": "b"}})
    with pytest.raises(Conflict, match="the object has been modified") as raised:
        api.replace({**read, "spec": {"holderIdentity": "c"}})
    assert raised.value.fields == ()
    assert api.get(ObjectRef.to(LEASE, "l", "n")) == won


def test_a_patch_guards_against_another_object_of_the_name(api: Cluster) -> None:
    api.create(config())
    with pytest.raises(Conflict, match="no longer as it was"):
        api.patch(REF, [{"op": "test", "path": "/metadata/uid", "value": "another"}, {"op": "add", "path": "/data", "value": {}}])
    with pytest.raises(Rejected):
        api.patch(REF, [{"op": "remove", "path": "/nothing"}])
    with pytest.raises(NotFound):
        api.patch(ObjectRef.to(CONFIGMAP, "other", "n"), [])


def test_what_changes_nothing_is_no_change(api: Cluster) -> None:
    before = api.apply(config(data={"a": "1"}))
    api.time += timedelta(hours=1)
    assert api.apply(config(data={"a": "1"})) == before
    assert api.replace(before) == before
    assert api.version == before["metadata"]["resourceVersion"]


def test_a_dry_run_leaves_no_trace(api: Cluster) -> None:
    api.create(config(), dry_run=True)
    assert api.get(REF) is None
    made = api.create(config())
    assert "data" in api.apply(config(data={"a": "1"}), dry_run=True)
    api.patch(REF, [{"op": "add", "path": "/data", "value": {"a": "1"}}], dry_run=True)
    api.delete(REF, dry_run=True)
    assert api.get(REF) == made
    assert api.version == "1"


# --- the end of objects ----------------------------------------------------------------------------------------------------


def test_a_finalizer_holds_an_object_until_it_is_gone(api: Cluster) -> None:
    api.create(config(metadata={"finalizers": [FINALIZER, "other/one"]}))
    api.time += timedelta(minutes=1)
    api.delete(REF)
    api.time += timedelta(minutes=1)
    api.delete(REF)
    assert api.get(REF)["metadata"]["deletionTimestamp"] == "2026-11-27T12:01:00Z"  # type: ignore[index]
    guard = [
        {"op": "test", "path": "/metadata/finalizers/0", "value": FINALIZER},
        {"op": "remove", "path": "/metadata/finalizers/0"},
    ]
    api.patch(REF, guard)
    assert api.get(REF)["metadata"]["finalizers"] == ["other/one"]  # type: ignore[index]
    with pytest.raises(Rejected, match="gets no new finalizers"):
        api.patch(REF, [{"op": "add", "path": "/metadata/finalizers/-", "value": "new/one"}])
    api.patch(REF, [{"op": "remove", "path": "/metadata/finalizers"}])
    assert api.get(REF) is None


def test_another_object_of_the_name_is_not_deleted(api: Cluster) -> None:
    uid = api.create(config())["metadata"]["uid"]
    api.delete(REF, uid="another")
    assert api.get(REF) is not None
    api.delete(REF, uid=uid)
    api.delete(REF, uid=uid)
    assert api.get(REF) is None


def test_what_an_object_alone_owns_goes_after_it(api: Cluster) -> None:
    one, two = (api.create(of(NETWORK_POLICY, name, "n", spec={"podSelector": {}}))["metadata"]["uid"] for name in ("one", "two"))

    def owned(name: str, *uids: str) -> None:
        api.create(config(name, metadata={"ownerReferences": [{"uid": uid, "name": uid} for uid in uids]}))

    owned("of-one", one)
    owned("of-both", one, two)
    owned("of-a-ghost", "never-was")
    below = api.get(ObjectRef.to(CONFIGMAP, "of-one", "n"))
    assert below is not None
    owned("of-the-owned", below["metadata"]["uid"])
    api.delete(ObjectRef.to(NETWORK_POLICY, "one", "n"))
    assert [o["metadata"]["name"] for o in api.objects(CONFIGMAP)] == ["of-a-ghost", "of-both"]
    api.delete(ObjectRef.to(NETWORK_POLICY, "two", "n"))
    assert [o["metadata"]["name"] for o in api.objects(CONFIGMAP)] == ["of-a-ghost"]


# --- kinds that come and go ------------------------------------------------------------------------------------------------


def endpoint(**meta: object) -> Json:
    return of(POLICY_ENDPOINT, "e", "n", metadata=meta, spec={"policyRef": {"name": "p", "namespace": "n"}})


def test_a_kind_is_there_when_its_definition_is(api: Cluster) -> None:
    ref = ObjectRef.to(POLICY_ENDPOINT, "e", "n")
    assert not api.serves(POLICY_ENDPOINT)
    assert api.get(ref) is None
    assert api.objects(POLICY_ENDPOINT) == ()
    with pytest.raises(NotFound):
        api.create(endpoint())
    with pytest.raises(NotFound):
        api.apply(endpoint())
    with pytest.raises(NotFound):
        api.patch(ref, [])
    api.delete(ref)
    made = api.apply(definition())
    assert [(c["type"], c["status"]) for c in made["status"]["conditions"]] == [
        ("NamesAccepted", "True"),
        ("Established", "True"),
    ]
    assert made["status"]["storedVersions"] == ["v1alpha1"]
    api.create(endpoint())
    assert [o["metadata"]["name"] for o in api.objects(POLICY_ENDPOINT)] == ["e"]


def test_a_definition_takes_its_objects_along_and_waits_for_them(api: Cluster) -> None:
    api.apply(definition())
    api.create(endpoint(finalizers=[FINALIZER]))
    crd = ObjectRef.to(DEFINITION, str(POLICY_ENDPOINT))
    api.delete(crd)
    assert api.get(crd) is not None
    assert "deletionTimestamp" in api.objects(POLICY_ENDPOINT)[0]["metadata"]
    api.patch(ObjectRef.to(POLICY_ENDPOINT, "e", "n"), [{"op": "remove", "path": "/metadata/finalizers"}])
    assert api.get(crd) is None
    assert not api.serves(POLICY_ENDPOINT)


@pytest.mark.testbed
def test_a_real_definition_waits_for_its_objects_as_well(new_control_plane: NewControlPlane) -> None:
    plane: ControlPlane = new_control_plane()
    server = Server(plane)
    assert server.apply(definition(), "test").ok
    plane.did("wait", "--for=condition=Established", "crd", str(POLICY_ENDPOINT))
    assert server.create(
        {**endpoint(finalizers=[FINALIZER]), "metadata": {"name": "e", "namespace": "default", "finalizers": [FINALIZER]}}, "t"
    ).ok
    crd = ObjectRef.to(DEFINITION, str(POLICY_ENDPOINT))
    server.delete(crd)
    real = server.get(crd)
    assert real is not None
    plane.did("wait", "--for=jsonpath={.metadata.deletionTimestamp}", f"{POLICY_ENDPOINT}/e", "-n", "default")
    ours = Cluster()
    ours.apply(definition())
    ours.create(endpoint(finalizers=[FINALIZER]))
    ours.delete(crd)
    assert ours.get(crd)["metadata"]["finalizers"] == real["metadata"]["finalizers"]  # type: ignore[index]
    server.close()


def test_a_kind_may_be_there_without_a_known_definition() -> None:
    api = ApiObjects(lambda: datetime(2026, 1, 1, tzinfo=UTC), serving=(NODE_CLASS,))
    api.apply(of(NODE_CLASS, "default", spec={"networkPolicy": "DefaultAllow"}))
    assert api.copy().objects(NODE_CLASS)[0]["spec"] == {"networkPolicy": "DefaultAllow"}


# --- looking ---------------------------------------------------------------------------------------------------------------


def test_a_watch_tells_what_happened_since(api: Cluster) -> None:
    version = api.create(config(data={"a": "1"}))["metadata"]["resourceVersion"]
    api.create(config("other"))
    api.apply(config(data={"a": "2"}), force=True)
    api.delete(REF)
    api.create(config(data={"a": "3"}))
    told = list(api.watch(REF, since=version))
    assert [one and one["data"]["a"] for one in told] == ["2", None, "3"]
    assert [one and one["data"]["a"] for one in api.watch(REF)] == ["3"]
    assert list(api.watch(REF, since=api.version)) == []


def test_listeners_hear_of_each_change_and_may_write(api: Cluster) -> None:
    heard: list[tuple[str, bool, bool]] = []

    def listen(change: Change) -> None:
        heard.append((change.ref.name, change.before is not None, change.after is not None))
        if change.ref.name == "c" and change.before is None:
            api.create(config("made-by-listener"))

    api.after_change.append(listen)
    api.create(config())
    api.apply(config(data={"a": "1"}))
    api.delete(REF)
    assert heard == [
        ("c", False, True),
        ("made-by-listener", False, True),
        ("c", True, True),
        ("c", True, False),
    ]


def test_a_copy_goes_its_own_way(api: Cluster) -> None:
    api.create(config(data={"a": "1"}))
    api.after_change.append(lambda _: pytest.fail("nobody listens to the copy"))
    other = api.copy()
    other.apply(config(data={"a": "2"}), force=True)
    other.create(config("new"))
    other.delete(REF)
    assert [o["metadata"]["name"] for o in other.objects(CONFIGMAP)] == ["new"]
    assert [o["data"] for o in api.objects(CONFIGMAP)] == [{"a": "1"}]


def test_objects_are_taken_as_they_were_found(api: Cluster) -> None:
    found = config(metadata={"uid": "u", "resourceVersion": "4711", "creationTimestamp": "2020-01-01T00:00:00Z"}, data={"a": "1"})
    api.load([found])
    assert api.get(REF) == found
    made = api.create(config("next"))
    assert int(made["metadata"]["resourceVersion"]) > 4711


def test_a_controllers_put_keeps_no_books(api: Cluster) -> None:
    pod = api.put(of(POD, "p", "n", status={"phase": "Pending"}))
    assert pod["metadata"]["uid"]
    after = api.put({**pod, "status": {"phase": "Running"}})
    assert after["metadata"]["uid"] == pod["metadata"]["uid"]
    assert "managedFields" not in after["metadata"]
    assert api.objects(POD) == (after,)


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("", "abcd"),
        ("app=web", "ab"),
        ("app==web,tier!=back", "a"),
        ("app", "abc"),
        ("!app", "d"),
        ("app in (web, db)", "abc"),
        ("app notin (web)", "cd"),
        ("app!=web", "cd"),
        ("k8s.io/x=y,app", "c"),
        ("app in (web,db),tier=back", "b"),
    ],
)
def test_selectors(api: Cluster, selector: str, names: str) -> None:
    labels = {"a": {"app": "web"}, "b": {"app": "web", "tier": "back"}, "c": {"app": "db", "k8s.io/x": "y"}, "d": {}}
    for name, own in labels.items():
        api.create(config(name, metadata={"labels": own}))
    api.create(of(CONFIGMAP, "elsewhere", "m", metadata={"labels": {"app": "web"}}))
    assert "".join(o["metadata"]["name"] for o in api.objects(CONFIGMAP, namespace="n", selector=selector)) == names


@pytest.mark.parametrize("selector", ["app in web", "=x", "a b", "a in (x"])
def test_what_is_no_selector_is_refused(api: Cluster, selector: str) -> None:
    with pytest.raises(Rejected, match="unable to parse"):
        api.objects(CONFIGMAP, selector=selector)
