"""A cluster of a snapshot acts as a real one would: controllers, agents, definitions, namespaces, admission, and time."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from eksnetpol.errors import Busy, EksNetpolError, Exists, Rejected
from eksnetpol.gateways import snapshot_file
from eksnetpol.interfaces.acting import Clock, Hands
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.actions import CreateAddon, UpdateAddon
from eksnetpol.model.kinds import (
    CLUSTER_POLICY_ENDPOINT,
    CONFIGMAP,
    DAEMONSET,
    DEFINITION,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    POLICY_ENDPOINT,
    Json,
    ObjectRef,
)
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind, Unread
from eksnetpol.simulation.eks import Fate
from eksnetpol.simulation.world import SimulatedCluster

CLUSTERS = Path(__file__).parents[2] / "demo" / "clusters"
REF = ObjectRef.to(DAEMONSET, "aws-node", "kube-system")
SWITCH = ObjectRef.to(CONFIGMAP, "amazon-vpc-cni", "kube-system")
FINALIZER = "networking.k8s.aws/resources"


def snapshot(name: str = "dormant") -> ClusterSnapshot:
    return snapshot_file.load(CLUSTERS / f"{name}.json.gz")


@pytest.fixture
def cluster() -> SimulatedCluster:
    return SimulatedCluster.of(snapshot())


def switch(cluster: SimulatedCluster, value: str) -> None:
    pair = {"op": "replace", "path": "/data/enable-network-policy-controller", "value": value}
    cluster.patch(SWITCH, [pair])


def agent(cluster: SimulatedCluster, image: str, *, on: bool) -> None:
    """Give the DaemonSet another agent, and its switch."""
    live = cluster.get(REF)
    assert live is not None
    container = next(c for c in live["spec"]["template"]["spec"]["containers"] if c["name"] == "aws-eks-nodeagent")
    container["image"] = image
    container["args"] = [f"--enable-network-policy={str(on).lower()}"]
    cluster.replace(live)


def status(cluster: SimulatedCluster) -> Json:
    live = cluster.get(REF)
    assert live is not None
    found: Json = live["status"]
    return found


def first_policy(cluster: SimulatedCluster) -> ObjectRef:
    return ObjectRef.of(cluster.objects(NETWORK_POLICY)[0])


def test_it_is_what_a_plan_is_carried_out_with(cluster: SimulatedCluster) -> None:
    hands: Hands = cluster
    clock: Clock = cluster
    assert hands.get(REF) is not None
    assert clock.now() == snapshot().taken_at


def test_nothing_happens_by_itself_and_what_was_not_touched_stays_as_it_was(cluster: SimulatedCluster) -> None:
    cluster.sleep(3_600)
    after = cluster.snapshot()
    before = snapshot()
    assert after.taken_at - before.taken_at == timedelta(hours=1)
    assert replace(after, taken_at=before.taken_at, source=before.source) == before
    assert after.source is SourceKind.SIMULATION


def test_looking_at_everything_changes_nothing(cluster: SimulatedCluster) -> None:
    for kind in (NETWORK_POLICY, DEFINITION, CONFIGMAP, DAEMONSET, NAMESPACE):
        assert cluster.objects(kind)
    before = snapshot()
    assert replace(cluster.snapshot(), source=before.source) == before


# --- the policy controller --------------------------------------------------------------------------------------------


def test_switched_on_the_controller_holds_policies_and_makes_their_endpoints(cluster: SimulatedCluster) -> None:
    switch(cluster, "true")
    cluster.sleep(10)
    policies = cluster.objects(NETWORK_POLICY)
    assert all(p["metadata"]["finalizers"] == [FINALIZER] for p in policies)
    owners = {o["uid"] for e in cluster.objects(POLICY_ENDPOINT) for o in e["metadata"]["ownerReferences"]}
    assert owners == {p["metadata"]["uid"] for p in policies}
    after = cluster.snapshot()
    assert isinstance(after.network_policies, Seen)
    assert all(p.metadata.finalizers == (FINALIZER,) for p in after.network_policies.value)
    assert isinstance(after.policy_endpoints, Seen)
    assert len(after.policy_endpoints.value) == len(cluster.objects(POLICY_ENDPOINT))


@pytest.mark.parametrize("value", ["True", "yes", "1", " true", ""])
def test_any_other_text_is_off(cluster: SimulatedCluster, value: str) -> None:
    switch(cluster, value)
    cluster.sleep(10)
    assert cluster.objects(POLICY_ENDPOINT) == ()
    assert not any(p["metadata"].get("finalizers") for p in cluster.objects(NETWORK_POLICY))


def test_while_it_is_on_a_policy_goes_with_its_endpoints(cluster: SimulatedCluster) -> None:
    switch(cluster, "true")
    cluster.sleep(10)
    made = len(cluster.objects(POLICY_ENDPOINT))
    ref = first_policy(cluster)
    cluster.delete(ref)
    held = cluster.get(ref)
    assert held is not None
    assert held["metadata"]["deletionTimestamp"]
    cluster.sleep(5)
    assert cluster.get(ref) is None
    assert 0 < len(cluster.objects(POLICY_ENDPOINT)) < made


def test_once_it_is_off_a_policy_hangs_until_somebody_takes_the_finalizer(cluster: SimulatedCluster) -> None:
    switch(cluster, "true")
    cluster.sleep(10)
    made = len(cluster.objects(POLICY_ENDPOINT))
    switch(cluster, "false")
    cluster.sleep(10)
    ref = first_policy(cluster)
    cluster.delete(ref)
    cluster.sleep(600)
    assert cluster.get(ref) is not None
    assert len(cluster.objects(POLICY_ENDPOINT)) == made
    cluster.patch(ref, [{"op": "remove", "path": "/metadata/finalizers/0"}])
    assert cluster.get(ref) is None
    assert len(cluster.objects(POLICY_ENDPOINT)) < made


def test_a_policy_that_comes_later_gets_what_the_others_have(cluster: SimulatedCluster) -> None:
    switch(cluster, "true")
    cluster.sleep(10)
    before = len(cluster.objects(POLICY_ENDPOINT))
    like = cluster.objects(NETWORK_POLICY)[0]
    name = {"name": "late", "namespace": like["metadata"]["namespace"]}
    cluster.create({"apiVersion": like["apiVersion"], "kind": like["kind"], "metadata": name, "spec": like["spec"]})
    cluster.sleep(5)
    late = cluster.get(ObjectRef.to(NETWORK_POLICY, "late", name["namespace"]))
    assert late is not None
    assert late["metadata"]["finalizers"] == [FINALIZER]
    assert len(cluster.objects(POLICY_ENDPOINT)) > before


def test_a_namespace_goes_when_its_policies_let_it(cluster: SimulatedCluster) -> None:
    switch(cluster, "true")
    cluster.sleep(10)
    policy = first_policy(cluster)
    ref = ObjectRef.to(NAMESPACE, policy.namespace)
    switch(cluster, "false")
    cluster.sleep(10)
    cluster.delete(ref)
    cluster.sleep(60)
    ending = cluster.get(ref)
    assert ending is not None
    assert ending["status"]["phase"] == "Terminating"
    switch(cluster, "true")
    cluster.sleep(60)
    assert cluster.get(ref) is None
    assert cluster.get(policy) is None


def test_missing_definitions_are_made_again_whatever_the_switch_says(cluster: SimulatedCluster) -> None:
    ref = ObjectRef.to(DEFINITION, str(POLICY_ENDPOINT))
    cluster.delete(ref)
    assert cluster.get(ref) is None
    cluster.sleep(16)
    made = cluster.get(ref)
    assert made is not None
    assert any(c["type"] == "Established" and c["status"] == "True" for c in made["status"]["conditions"])


def test_an_old_control_plane_has_no_controller() -> None:
    old = snapshot()
    assert isinstance(old.cluster, Seen)
    cluster = SimulatedCluster.of(replace(old, cluster=Seen(replace(old.cluster.value, version="1.24"))))
    switch(cluster, "true")
    cluster.delete(ObjectRef.to(DEFINITION, str(POLICY_ENDPOINT)))
    cluster.sleep(60)
    assert cluster.objects(POLICY_ENDPOINT) == ()
    assert cluster.get(ObjectRef.to(DEFINITION, str(POLICY_ENDPOINT))) is None


# --- the agents -------------------------------------------------------------------------------------------------------

IMAGE = "registry.example/aws-network-policy-agent"


def test_a_new_template_rolls_and_its_pods_are_seen(cluster: SimulatedCluster) -> None:
    agent(cluster, f"{IMAGE}:v1.2.7", on=True)
    seen = [found["status"]["numberAvailable"] for found in cluster.watch(REF, seconds=600) if found]
    nodes = status(cluster)["desiredNumberScheduled"]
    assert min(seen) == nodes - -(-nodes // 10)
    assert seen[-1] == nodes
    after = cluster.snapshot()
    assert isinstance(after.agent_pods, Seen)
    images = {c.image for p in after.agent_pods.value for c in p.spec.containers if c.name == "aws-eks-nodeagent"}
    assert images == {f"{IMAGE}:v1.2.7"}
    assert isinstance(after.controller_revisions, Seen)
    newest = max(after.controller_revisions.value, key=lambda r: r.revision)
    assert f"aws-eks-nodeagent={IMAGE}:v1.2.7" in newest.images
    hashes = {p.metadata.labels["controller-revision-hash"] for p in after.agent_pods.value}
    assert hashes == {newest.metadata.name.removeprefix("aws-node-")}


def test_an_old_agent_that_is_switched_off_crashes_as_long_as_endpoints_are_left(cluster: SimulatedCluster) -> None:
    switch(cluster, "true")
    cluster.sleep(10)
    agent(cluster, f"{IMAGE}:v1.1.4", on=False)
    cluster.sleep(600)
    assert status(cluster)["numberAvailable"] < status(cluster)["desiredNumberScheduled"]
    assert "panics" in cluster.agents.crashes
    waiting = [
        s.state.waiting.reason
        for p in cluster.agents.seen()
        for s in p.status.container_statuses
        if s.state.waiting is not None
    ]
    assert set(waiting) == {"CrashLoopBackOff"}
    for policy in cluster.objects(NETWORK_POLICY):
        cluster.delete(ObjectRef.of(policy))
    cluster.sleep(600)
    assert status(cluster)["numberAvailable"] == status(cluster)["desiredNumberScheduled"]


@pytest.mark.parametrize(
    ("tag", "on", "missing", "crashes"),
    [
        ("v1.2.0", False, POLICY_ENDPOINT, True),
        ("v1.2.1", False, POLICY_ENDPOINT, False),
        ("v1.2.1", True, POLICY_ENDPOINT, True),
        ("v1.3.4", True, CLUSTER_POLICY_ENDPOINT, False),
        ("v1.3.5", True, CLUSTER_POLICY_ENDPOINT, True),
        ("v1.3.5", False, CLUSTER_POLICY_ENDPOINT, False),
    ],
)
def test_an_agent_needs_the_definitions_that_it_watches(tag: str, on: bool, missing: object, crashes: bool) -> None:
    # A control plane without the controller, so that nobody makes them again.
    old = snapshot()
    assert isinstance(old.cluster, Seen)
    cluster = SimulatedCluster.of(replace(old, cluster=Seen(replace(old.cluster.value, version="1.24"))))
    cluster.delete(ObjectRef.to(DEFINITION, str(missing)))
    agent(cluster, f"{IMAGE}:{tag}", on=on)
    cluster.sleep(900)
    assert (status(cluster)["numberAvailable"] < status(cluster)["desiredNumberScheduled"]) is crashes


def test_a_node_that_never_gets_ready_is_left_out_of_the_rest(cluster: SimulatedCluster) -> None:
    pods = cluster.objects(POD, namespace="kube-system", selector="k8s-app=aws-node")
    cluster.doom_nodes([pods[0]["spec"]["nodeName"]])
    agent(cluster, f"{IMAGE}:v1.2.7", on=True)
    cluster.sleep(3_600)
    told = status(cluster)
    assert told["updatedNumberScheduled"] == told["desiredNumberScheduled"] == told["numberAvailable"] + 1


def test_a_pod_that_is_deleted_comes_again(cluster: SimulatedCluster) -> None:
    pod = cluster.objects(POD, selector="k8s-app=aws-node")[0]
    cluster.delete(ObjectRef.of(pod), uid=pod["metadata"]["uid"])
    cluster.sleep(5)
    assert status(cluster)["numberAvailable"] == status(cluster)["desiredNumberScheduled"] - 1
    cluster.sleep(60)
    assert status(cluster)["numberAvailable"] == status(cluster)["desiredNumberScheduled"]
    assert cluster.get(ObjectRef.of(pod)) is None


# --- the add-on -------------------------------------------------------------------------------------------------------

ON = json.dumps({"nodeAgent": {"logLevel": "info"}, "enableNetworkPolicy": "true"})
VERSION = "v1.20.5-eksbuild.1"


def ended(cluster: SimulatedCluster, update: str) -> str:
    for _ in range(200):
        if cluster.describe_update("vpc-cni", update).status != "InProgress":
            break
        cluster.sleep(5)
    return cluster.describe_update("vpc-cni", update).status


def test_an_update_writes_both_switches_and_is_told_at_the_end(cluster: SimulatedCluster) -> None:
    update = cluster.update_addon(UpdateAddon(VERSION, ON, "OVERWRITE"), token="one")  # noqa: S106 - no secret
    assert cluster.update_addon(UpdateAddon(VERSION, ON, "OVERWRITE"), token="one") == update  # noqa: S106 - no secret
    with pytest.raises(Busy):
        cluster.update_addon(UpdateAddon(VERSION, ON, "NONE"), token="two")  # noqa: S106 - no secret
    assert ended(cluster, update.id) == "Successful"
    live = cluster.get(SWITCH)
    assert live is not None
    assert live["data"]["enable-network-policy-controller"] == "true"
    after = cluster.snapshot()
    assert isinstance(after.addon, Seen)
    assert after.addon.value is not None
    assert (after.addon.value.status, after.addon.value.configuration_values) == ("ACTIVE", ON)
    assert isinstance(after.addon_updates, Seen)
    assert after.addon_updates.value[0].id == update.id


def test_an_update_that_changes_nothing_rolls_nothing() -> None:
    cluster = SimulatedCluster.of(snapshot("ready"))
    addon = cluster.describe_addon("vpc-cni")
    assert addon is not None
    wanted = UpdateAddon(addon.addon_version, addon.configuration_values, "OVERWRITE")
    assert ended(cluster, cluster.update_addon(wanted, token="one").id) == "Successful"  # noqa: S106 - no secret
    assert cluster.monotonic() < 30
    assert not cluster.agents.changed


def test_refusals_are_those_of_the_calls(cluster: SimulatedCluster) -> None:
    with pytest.raises(Rejected, match="not supported"):
        cluster.update_addon(UpdateAddon("v9.9.9-eksbuild.1", ON, "NONE"), token="one")  # noqa: S106 - no secret
    with pytest.raises(Rejected, match="enableNetworkPolicy"):
        cluster.update_addon(UpdateAddon(VERSION, '{"enableNetworkPolicy":true}', "NONE"), token="two")  # noqa: S106
    with pytest.raises(Exists):
        cluster.create_addon(CreateAddon(VERSION, ON, "NONE"), token="three")  # noqa: S106 - no secret


def test_what_admission_refuses_fails_the_update_and_the_call(cluster: SimulatedCluster) -> None:
    cluster.refuse("no privileged pods here", kind=DAEMONSET, name="aws-node")
    update = cluster.update_addon(UpdateAddon(VERSION, ON, "OVERWRITE"), token="one")  # noqa: S106 - no secret
    assert ended(cluster, update.id) == "Failed"
    (error,) = cluster.describe_update("vpc-cni", update.id).errors
    assert (error.error_code, "no privileged pods here" in error.error_message) == ("AdmissionRequestDenied", True)
    with pytest.raises(Rejected, match="no privileged pods here"):
        agent(cluster, f"{IMAGE}:v1.2.7", on=True)


def test_a_fate_is_what_becomes_of_the_next_update(cluster: SimulatedCluster) -> None:
    cluster.doom_updates(Fate(({"errorCode": "AccessDenied", "errorMessage": "no"},)))
    update = cluster.update_addon(UpdateAddon(VERSION, ON, "OVERWRITE"), token="one")  # noqa: S106 - no secret
    assert ended(cluster, update.id) == "Failed"
    addon = cluster.describe_addon("vpc-cni")
    assert addon is not None
    assert addon.status == "UPDATE_FAILED"


def test_an_add_on_that_is_deleted_but_kept_leaves_its_objects(cluster: SimulatedCluster) -> None:
    cluster.delete_addon("vpc-cni", preserve=True)
    cluster.delete_addon("vpc-cni", preserve=True)
    cluster.sleep(60)
    assert cluster.describe_addon("vpc-cni") is None
    assert cluster.get(REF) is not None
    cluster.create_addon(CreateAddon(VERSION, ON, "OVERWRITE"), token="one")  # noqa: S106 - no secret
    cluster.sleep(600)
    addon = cluster.describe_addon("vpc-cni")
    assert addon is not None
    assert addon.status == "ACTIVE"


def test_an_add_on_that_is_deleted_takes_its_objects(cluster: SimulatedCluster) -> None:
    cluster.delete_addon("vpc-cni", preserve=False)
    cluster.sleep(60)
    assert cluster.get(REF) is None
    assert cluster.get(SWITCH) is None
    after = cluster.snapshot()
    assert isinstance(after.daemonsets, Seen)
    assert "aws-node" not in {d.name for d in after.daemonsets.value}
    assert after.addon == Seen(None)


# --- what is not known ------------------------------------------------------------------------------------------------


def test_what_was_not_read_cannot_be_rehearsed() -> None:
    unread = Unread("list daemonsets is forbidden")
    cluster = SimulatedCluster.of(replace(snapshot(), daemonsets=unread, addon=unread))
    for ask in (lambda: cluster.get(REF), lambda: cluster.describe_addon("vpc-cni")):
        with pytest.raises(EksNetpolError, match=r"cannot be rehearsed.*is forbidden"):
            ask()
    switch(cluster, "true")
    cluster.sleep(60)
    after = cluster.snapshot()
    assert (after.daemonsets, after.addon) == (unread, unread)


def test_a_cluster_without_the_vpc_cni_gets_it_on_every_node_that_suits() -> None:
    bare = snapshot()
    assert isinstance(bare.daemonsets, Seen)
    assert isinstance(bare.nodes, Seen)
    others = tuple(d for d in bare.daemonsets.value if d.name != "aws-node")
    nodes = bare.nodes.value
    first = nodes[0].metadata
    fargate = replace(nodes[0], metadata=replace(first, labels={**first.labels, "eks.amazonaws.com/compute-type": "fargate"}))
    cluster = SimulatedCluster.of(
        replace(
            bare,
            daemonsets=Seen(others),
            nodes=Seen((fargate, *nodes[1:])),
            agent_pods=Seen(tuple[k8s.AgentPod, ...]()),
            addon=Seen(None),
        )
    )
    assert cluster.get(REF) is None
    cluster.create_addon(CreateAddon(VERSION, ON, "OVERWRITE"), token="one")  # noqa: S106 - no secret
    cluster.sleep(600)
    assert status(cluster)["numberAvailable"] == len(nodes) - 1
