"""Engines in a simulated cluster: who enforces on which node, what operators put back and let go of, and what goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from eksnetpol.errors import TransientError, Unreachable
from eksnetpol.model.enforcement import Enforcement
from eksnetpol.model.engine_kinds import CALICO_API_SERVER, INSTALLATION, WHISKER
from eksnetpol.model.kinds import (
    API_SERVICE,
    DAEMONSET,
    DEFINITION,
    DEPLOYMENT,
    NAMESPACE,
    NETWORK_POLICY,
    NODE,
    POD,
    POLICY_ENDPOINT,
    Json,
    Kind,
    ObjectRef,
)
from eksnetpol.model.snapshot import Seen
from eksnetpol.simulation.people import GitOps, NodeSupply
from eksnetpol.simulation.world import SimulatedCluster
from tests.simulation import engine_clusters
from tests.simulation.engine_clusters import value
from tests.simulation.test_life import (
    AGENT,
    SWITCH,
    UNLABELLED,
    agents,
    cordon,
    drain,
    exclude,
    is_ready,
    job,
    label,
    nodes,
    snapshot,
)

OPERATED = ObjectRef.to(DAEMONSET, "calico-node", "calico-system")
INSTALLED = ObjectRef.to(INSTALLATION, "default")
V3 = ObjectRef.to(API_SERVICE, "v3.projectcalico.org")
TIER = ObjectRef("crd.projectcalico.org/v1", "Tier", "default")
POLICIES = Kind("GlobalNetworkPolicy", "globalnetworkpolicies", "crd.projectcalico.org", namespaced=False)


@pytest.fixture
def cluster() -> SimulatedCluster:
    return SimulatedCluster.of(engine_clusters.calico_by_manifest(snapshot()))


@pytest.fixture
def operated() -> SimulatedCluster:
    return SimulatedCluster.of(engine_clusters.calico_by_operator(snapshot()))


def switch_on(cluster: SimulatedCluster) -> None:
    """Turn on the policy controller and the agents, as enabling does."""
    cluster.patch(SWITCH, [{"op": "replace", "path": "/data/enable-network-policy-controller", "value": "true"}])
    flag(cluster, on=True)


def flag(cluster: SimulatedCluster, *, on: bool) -> None:
    ref = ObjectRef.to(DAEMONSET, "aws-node", "kube-system")
    live = cluster.get(ref)
    assert live is not None
    agent = next(c for c in live["spec"]["template"]["spec"]["containers"] if c["name"] == "aws-eks-nodeagent")
    agent["args"] = [f"--enable-network-policy={str(on).lower()}"]
    cluster.replace(live)
    cluster.sleep(900)


def old(cluster: SimulatedCluster, node: str) -> Enforcement:
    return cluster.scene().nodes[node].old


def clean(cluster: SimulatedCluster, node: str, engine: str = "calico") -> Json:
    made = job(node, f"clean-{nodes(cluster).index(node)}", labels={"eksnetpol.io/cleans": engine})
    cluster.create(made)
    return made


# --- who enforces -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", ["calico_by_manifest", "calico_by_operator", "kube_router", "cilium"])
def test_at_first_the_old_engine_enforces_everywhere_and_the_new_one_nowhere(made: str) -> None:
    cluster = SimulatedCluster.of(getattr(engine_clusters, made)(snapshot()))
    scene = cluster.scene()
    assert {(n.old, n.new, n.ready, n.schedulable) for n in scene.nodes.values()} == {
        (Enforcement.LIVE, Enforcement.ABSENT, True, True)
    }
    assert scene.agents == len(scene.nodes) == 12
    assert all(scene.parts.values())
    assert sum(n.pods for n in scene.nodes.values()) == sum(
        not p.spec.host_network and p.status.phase == "Running" for p in value(cluster.snapshot().pods)
    )


def test_an_engine_that_enforces_nothing_is_none() -> None:
    base = engine_clusters.cilium(snapshot())
    maps = value(base.configmaps)
    audited = tuple(replace(m, data={**m.data, "policy-audit-mode": "true"}) for m in maps if m.metadata.name == "cilium-config")
    cluster = SimulatedCluster.of(replace(base, configmaps=Seen(audited)))
    assert {n.old for n in cluster.scene().nodes.values()} == {Enforcement.ABSENT}


def test_a_node_is_left_step_by_step(cluster: SimulatedCluster) -> None:
    switch_on(cluster)
    exclude(cluster)
    cluster.sleep(900)
    node = nodes(cluster)[0]
    seen: list[tuple[Enforcement, Enforcement, bool]] = []

    def look() -> None:
        state = cluster.scene().nodes[node]
        if not seen or seen[-1] != (state.old, state.new, state.schedulable):
            seen.append((state.old, state.new, state.schedulable))

    cluster.observers.append(look)
    cordon(cluster, node)
    label(cluster, node)
    cluster.sleep(60)
    assert node not in agents(cluster)
    clean(cluster, node)
    cluster.sleep(60)
    cordon(cluster, node, on=False)
    assert seen == [
        (Enforcement.LIVE, Enforcement.LIVE, False),
        (Enforcement.FROZEN, Enforcement.LIVE, False),
        (Enforcement.CLEANING, Enforcement.LIVE, False),
        (Enforcement.ABSENT, Enforcement.LIVE, False),
        (Enforcement.ABSENT, Enforcement.LIVE, True),
    ]
    others = [n for name, n in cluster.scene().nodes.items() if name != node]
    assert {(n.old, n.new) for n in others} == {(Enforcement.LIVE, Enforcement.LIVE)}


def test_rules_that_are_frozen_count_pods_that_come_late(cluster: SimulatedCluster) -> None:
    exclude(cluster)
    cluster.sleep(900)
    node = nodes(cluster)[0]
    label(cluster, node)
    cluster.sleep(30)
    assert cluster.scene().nodes[node].late == 0
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "late", "namespace": "default"}}
    cluster.create({**made, "spec": {"nodeName": node, "containers": []}})
    cluster.sleep(30)
    state = cluster.scene().nodes[node]
    assert (state.old, state.late) == (Enforcement.FROZEN, 1)
    label(cluster, node, **{"eksnetpol.io/engine": "calico"})
    cluster.sleep(30)
    state = cluster.scene().nodes[node]
    assert (state.old, state.late) == (Enforcement.LIVE, 0)


def test_a_cleaner_beside_a_live_agent_changes_nothing_for_good(cluster: SimulatedCluster) -> None:
    node = nodes(cluster)[0]
    clean(cluster, node)
    cluster.sleep(15)
    assert old(cluster, node) is Enforcement.CLEANING
    cluster.sleep(60)
    assert old(cluster, node) is Enforcement.LIVE


def test_another_engines_cleaner_leaves_rules_alone(cluster: SimulatedCluster) -> None:
    exclude(cluster)
    cluster.sleep(900)
    node = nodes(cluster)[0]
    label(cluster, node)
    cluster.sleep(30)
    clean(cluster, node, "kube-router")
    cluster.sleep(60)
    assert old(cluster, node) is Enforcement.FROZEN


def test_a_roll_out_freezes_each_node_for_a_while(cluster: SimulatedCluster) -> None:
    seen: Counter[Enforcement] = Counter()
    cluster.observers.append(lambda: seen.update(n.old for n in cluster.scene().nodes.values()))
    exclude(cluster)
    cluster.sleep(900)
    assert seen[Enforcement.FROZEN] > 0
    assert seen.keys() == {Enforcement.LIVE, Enforcement.FROZEN}


def test_the_new_engine_enforces_where_agent_and_controller_are_on(cluster: SimulatedCluster) -> None:
    flag(cluster, on=True)
    assert {n.new for n in cluster.scene().nodes.values()} == {Enforcement.STARTING}, "nobody writes for it yet"
    cluster.patch(SWITCH, [{"op": "replace", "path": "/data/enable-network-policy-controller", "value": "true"}])
    cluster.sleep(10)
    assert {n.new for n in cluster.scene().nodes.values()} == {Enforcement.LIVE}
    cluster.patch(SWITCH, [{"op": "replace", "path": "/data/enable-network-policy-controller", "value": "false"}])
    cluster.sleep(10)
    assert {n.new for n in cluster.scene().nodes.values()} == {Enforcement.FROZEN}
    flag(cluster, on=False)
    assert {n.new for n in cluster.scene().nodes.values()} == {Enforcement.FROZEN}, "their programs stay with the endpoints"
    for endpoint in cluster.objects(POLICY_ENDPOINT):
        cluster.delete(ObjectRef.of(endpoint))
    pods = cluster.objects(POD, namespace="kube-system", selector="k8s-app=aws-node")
    for pod in pods:
        cluster.delete(ObjectRef.of(pod), uid=pod["metadata"]["uid"])
    cluster.sleep(120)
    assert {n.new for n in cluster.scene().nodes.values()} == {Enforcement.ABSENT}


def test_policies_and_sources_are_counted_when_they_say_something_else(cluster: SimulatedCluster) -> None:
    first = cluster.scene()
    cluster.patch(SWITCH, [{"op": "replace", "path": "/data/enable-network-policy-controller", "value": "true"}])
    cluster.sleep(30)
    assert all(p["metadata"]["finalizers"] for p in cluster.objects(NETWORK_POLICY))
    assert cluster.scene().policies == first.policies, "a finalizer says nothing of what flows"
    like = cluster.objects(NETWORK_POLICY)[0]
    meta = {"name": "new", "namespace": like["metadata"]["namespace"]}
    cluster.create({"apiVersion": like["apiVersion"], "kind": like["kind"], "metadata": meta, "spec": like["spec"]})
    second = cluster.scene()
    assert (second.policies - first.policies, second.sources - first.sources) == (1, 0)
    cluster.delete(ObjectRef.of(cluster.objects(POLICIES)[0]))
    assert cluster.scene().sources == first.sources + 1


def test_observers_are_called_after_every_write_and_every_turn(cluster: SimulatedCluster) -> None:
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    cluster.observers.append(count)
    node = nodes(cluster)[0]
    cordon(cluster, node)
    assert calls == 1
    cluster.sleep(0)
    assert calls == 1
    cluster.sleep(1)
    assert calls == 2
    drain(cluster, node)
    assert calls > 4


# --- the Tigera operator ----------------------------------------------------------------------------------------------


def template(cluster: SimulatedCluster, ref: ObjectRef = OPERATED) -> Json:
    live = cluster.get(ref)
    assert live is not None
    found: Json = live["spec"]["template"]["spec"]
    return found


def override(cluster: SimulatedCluster, affinity: Json | None) -> None:
    spec = {"calicoNodeDaemonSet": {"spec": {"template": {"spec": {"affinity": affinity}}}}} if affinity else {}
    cluster.apply({"apiVersion": "operator.tigera.io/v1", "kind": "Installation", "metadata": {"name": "default"}, "spec": spec})


def test_an_override_of_the_installation_reaches_the_agent_and_goes_again(operated: SimulatedCluster) -> None:
    before = template(operated)
    override(operated, UNLABELLED)
    operated.sleep(5)
    assert template(operated)["affinity"] == UNLABELLED
    override(operated, None)
    operated.sleep(5)
    assert template(operated) == before


def test_what_is_edited_or_deleted_behind_its_back_is_put_back(operated: SimulatedCluster) -> None:
    live = operated.get(OPERATED)
    assert live is not None
    live["spec"]["template"]["spec"]["affinity"] = UNLABELLED
    operated.replace(live)
    operated.sleep(5)
    assert "affinity" not in template(operated)
    typha = ObjectRef.to(DEPLOYMENT, "calico-typha", "calico-system")
    operated.delete(OPERATED)
    operated.delete(typha)
    operated.sleep(120)
    assert all(operated.scene().parts.values())
    assert {n.old for n in operated.scene().nodes.values()} == {Enforcement.LIVE}
    assert operated.life.workloads.ready(typha) == 2


def test_without_its_operator_an_installation_hangs_for_ever(operated: SimulatedCluster) -> None:
    operated.delete(ObjectRef.to(DEPLOYMENT, "tigera-operator", "tigera-operator"))
    operated.sleep(60)
    operated.delete(INSTALLED)
    operated.sleep(3_600)
    held = operated.get(INSTALLED)
    assert held is not None
    assert held["metadata"]["finalizers"] == engine_clusters.FINALIZERS
    assert operated.get(OPERATED) is not None


def test_the_api_server_object_takes_its_api_along(operated: SimulatedCluster) -> None:
    operated.delete(ObjectRef.to(CALICO_API_SERVER, "default"))
    operated.sleep(60)
    assert operated.get(V3) is None
    assert operated.get(ObjectRef.to(DEPLOYMENT, "calico-apiserver", "calico-system")) is None
    assert operated.get(OPERATED) is not None


def with_whisker(*, served: bool) -> SimulatedCluster:
    base = engine_clusters.calico_by_operator(snapshot())
    typha = next(d for d in value(base.deployments) if d.name == "calico-typha")
    whisker = replace(typha, metadata=replace(typha.metadata, name="whisker", uid="uid-whisker"))
    crds = tuple(c for c in value(base.crds) if served or c.name != str(WHISKER))
    return SimulatedCluster.of(replace(base, deployments=Seen((*value(base.deployments), whisker)), crds=Seen(crds)))


def test_what_the_operators_smaller_objects_are_made_into_shows_that_they_are_there() -> None:
    cluster = with_whisker(served=True)
    (own,) = cluster.objects(WHISKER)
    part = ObjectRef.to(DEPLOYMENT, "whisker", "calico-system")
    cluster.delete(part)
    cluster.sleep(5)
    assert cluster.get(part) is not None
    cluster.delete(ObjectRef.of(own))
    cluster.sleep(30)
    assert cluster.get(part) is None


def test_a_workload_whose_kind_nobody_serves_is_left_alone() -> None:
    cluster = with_whisker(served=False)
    override(cluster, UNLABELLED)
    cluster.sleep(60)
    assert cluster.get(ObjectRef.to(DEPLOYMENT, "whisker", "calico-system")) is not None


def test_an_installation_goes_when_all_that_belongs_to_it_has(operated: SimulatedCluster) -> None:
    operated.delete(INSTALLED)
    operated.sleep(300)
    held = operated.get(INSTALLED)
    assert held is not None
    assert held["metadata"]["finalizers"] == ["operator.tigera.io/apiserver-controller", "tigera.io/operator-cleanup"]
    assert operated.get(OPERATED) is None
    operated.delete(ObjectRef.to(CALICO_API_SERVER, "default"))
    operated.sleep(60)
    assert operated.get(INSTALLED) is None
    scene = operated.scene()
    assert scene.agents == 0
    assert {n.old for n in scene.nodes.values()} == {Enforcement.FROZEN}
    assert [name for name, there in scene.parts.items() if there] == ["deployment/tigera-operator/tigera-operator"]


def test_a_stuck_finalizer_holds_until_it_is_loose(operated: SimulatedCluster) -> None:
    operated.life.operators.stuck.add("operator.tigera.io/installation-controller")
    operated.delete(ObjectRef.to(CALICO_API_SERVER, "default"))
    operated.delete(INSTALLED)
    operated.sleep(3_600)
    held = operated.get(INSTALLED)
    assert held is not None
    assert "operator.tigera.io/installation-controller" in held["metadata"]["finalizers"]
    operated.life.operators.stuck.clear()
    operated.delete(ObjectRef.of(operated.objects(POLICIES)[0]))
    operated.sleep(60)
    assert operated.get(INSTALLED) is None


# --- definitions, tiers, namespaces, APIs -------------------------------------------------------------------------------


def test_a_definition_takes_its_objects_along_and_hangs_on_those_that_are_held(operated: SimulatedCluster) -> None:
    policies = ObjectRef.to(DEFINITION, "globalnetworkpolicies.crd.projectcalico.org")
    tiers = ObjectRef.to(DEFINITION, "tiers.crd.projectcalico.org")
    operated.delete(policies)
    assert operated.get(policies) is None
    assert operated.objects(POLICIES) == ()
    operated.delete(ObjectRef.to(DEPLOYMENT, "tigera-operator", "tigera-operator"))
    operated.delete(ObjectRef.to(DEPLOYMENT, "calico-kube-controllers", "calico-system"))
    operated.sleep(60)
    operated.delete(tiers)
    operated.sleep(600)
    held = operated.get(tiers)
    assert held is not None
    assert operated.get(TIER) is not None
    operated.patch(TIER, [{"op": "remove", "path": "/metadata/finalizers"}])
    assert operated.get(tiers) is None
    after = operated.snapshot()
    assert value(after.foreign_policies) == ()
    assert not {"tiers.crd.projectcalico.org", policies.name} & {c.name for c in value(after.crds)}


def test_kube_controllers_let_go_of_tiers(cluster: SimulatedCluster) -> None:
    cluster.delete(TIER)
    held = cluster.get(TIER)
    assert held is not None
    cluster.sleep(5)
    assert cluster.get(TIER) is None


def test_cilium_makes_its_definitions_again_while_its_operator_runs() -> None:
    cluster = SimulatedCluster.of(engine_clusters.cilium(snapshot()))
    ref = ObjectRef.to(DEFINITION, "ciliumnetworkpolicies.cilium.io")
    cluster.delete(ref)
    assert cluster.get(ref) is None
    cluster.sleep(5)
    assert cluster.get(ref) is not None
    cluster.delete(ObjectRef.to(DEPLOYMENT, "cilium-operator", "kube-system"))
    cluster.sleep(60)
    cluster.delete(ref)
    cluster.sleep(600)
    assert cluster.get(ref) is None


def test_an_api_without_pods_is_stale_and_no_namespace_ends_meanwhile(operated: SimulatedCluster) -> None:
    operated.delete(ObjectRef.to(DEPLOYMENT, "tigera-operator", "tigera-operator"))
    operated.delete(ObjectRef.to(DEPLOYMENT, "calico-apiserver", "calico-system"))
    operated.sleep(60)
    stale = operated.get(V3)
    assert stale is not None
    assert [c["status"] for c in stale["status"]["conditions"] if c["type"] == "Available"] == ["False"]
    space = ObjectRef.to(NAMESPACE, "tigera-operator")
    operated.delete(space)
    operated.sleep(600)
    hanging = operated.get(space)
    assert hanging is not None
    assert hanging["status"]["conditions"][0]["type"] == "NamespaceDeletionDiscoveryFailure"
    operated.delete(V3)
    operated.sleep(60)
    assert operated.get(space) is None


def test_a_namespace_takes_workloads_and_pods_along(operated: SimulatedCluster) -> None:
    operated.delete(ObjectRef.to(DEPLOYMENT, "tigera-operator", "tigera-operator"))
    operated.delete(V3)
    operated.delete(ObjectRef.to(NAMESPACE, "calico-system"))
    operated.sleep(120)
    assert operated.get(ObjectRef.to(NAMESPACE, "calico-system")) is None
    assert operated.objects(POD, namespace="calico-system") == ()
    assert operated.get(OPERATED) is None
    assert {n.old for n in operated.scene().nodes.values()} == {Enforcement.FROZEN}


# --- people, and what goes wrong ----------------------------------------------------------------------------------------


def supplied(cluster: SimulatedCluster, **how: object) -> NodeSupply:
    life = cluster.life
    supply = NodeSupply(cluster.ground, life.nodes, life.pods, **how)  # type: ignore[arg-type]
    life.actors.append(supply)
    return supply


def labelled(cluster: SimulatedCluster, *, ready: bool = True) -> list[str]:
    found = cluster.objects(NODE, selector="eksnetpol.io/engine=vpc-cni")
    return [n["metadata"]["name"] for n in found if not ready or is_ready(n)]


def test_new_nodes_come_labelled_get_ready_and_never_had_the_old_engine(cluster: SimulatedCluster) -> None:
    switch_on(cluster)
    exclude(cluster)
    cluster.sleep(900)
    supplied(cluster, ahead=2, late=100.0, ready_in=30.0)
    cluster.sleep(90)
    assert labelled(cluster, ready=False) == []
    cluster.sleep(20)
    assert (len(labelled(cluster, ready=False)), len(labelled(cluster))) == (2, 0)
    cluster.sleep(60)
    new = labelled(cluster)
    assert len(new) == 2
    states = cluster.scene().nodes
    assert {(states[n].old, states[n].new, states[n].ready) for n in new} == {(Enforcement.ABSENT, Enforcement.LIVE, True)}
    assert not set(new) & agents(cluster).keys()


def test_drained_nodes_are_deleted_and_others_come_until_all_are_new(cluster: SimulatedCluster) -> None:
    exclude(cluster)
    cluster.sleep(900)
    supplied(cluster, ahead=3, late=10.0, ready_in=10.0, deletes_in=20.0)
    before = nodes(cluster)
    once = job(before[3])
    cluster.create(once)
    cluster.sleep(60)
    (pod,) = cluster.objects(POD, selector="job=once")
    assert pod["status"]["phase"] == "Succeeded"
    for node in before:
        drain(cluster, node)
        cluster.sleep(60)
        assert cluster.get(ObjectRef.to(NODE, node)) is None
        assert len(nodes(cluster)) >= len(before)
    assert len(labelled(cluster)) == len(before) == len(nodes(cluster))
    assert cluster.objects(POD, selector="job=once") == (), "what had finished is collected with its node"
    assert all(is_ready(p) for p in cluster.objects(POD))
    assert {n.old for n in cluster.scene().nodes.values()} == {Enforcement.ABSENT}
    assert cluster.scene().agents == 0


@pytest.mark.parametrize(("how", "ready"), [({"never": True}, 0), ({"unready": 1}, 2)])
def test_new_nodes_may_never_come_or_never_get_ready(cluster: SimulatedCluster, how: dict[str, object], ready: int) -> None:
    supplied(cluster, ahead=3, **how)
    cluster.sleep(7_200)
    assert len(labelled(cluster)) == ready
    down = set(labelled(cluster, ready=False)) - set(labelled(cluster))
    assert len(down) == (1 if "unready" in how else 0)
    assert all(not cluster.scene().nodes[name].ready for name in down)
    assert not any(is_ready(pod) for name in down for pod in cluster.pods_on(name))


def test_git_ops_puts_back_what_is_deleted_and_what_is_edited(cluster: SimulatedCluster) -> None:
    cluster.life.actors.append(GitOps(cluster.ground, [AGENT], every=60.0))
    cluster.delete(AGENT)
    cluster.sleep(120)
    assert cluster.scene().parts[str(AGENT)]
    assert {n.old for n in cluster.scene().nodes.values()} == {Enforcement.LIVE}
    exclude(cluster)
    cluster.sleep(120)
    assert "affinity" not in template(cluster, AGENT)


def test_a_webhook_that_fails_closed_stops_what_it_is_asked_about(operated: SimulatedCluster) -> None:
    hook = {
        "name": "policies.example.com",
        "failurePolicy": "Fail",
        "clientConfig": {"service": {"namespace": "calico-system", "name": "calico-api"}},
        "rules": [{"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "operations": ["CREATE"]}],
    }
    operated.create({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                     "metadata": {"name": "policies"}, "webhooks": [hook]})  # fmt: skip
    like = operated.objects(NETWORK_POLICY)[0]
    space = like["metadata"]["namespace"]

    def create(name: str) -> None:
        meta = {"name": name, "namespace": space}
        operated.create({"apiVersion": like["apiVersion"], "kind": like["kind"], "metadata": meta, "spec": like["spec"]})

    create("answered")
    operated.delete(ObjectRef.to(CALICO_API_SERVER, "default"))
    operated.sleep(60)
    with pytest.raises(TransientError, match=r'failed calling webhook "policies.example.com": no endpoints available'):
        create("unanswered")
    operated.delete(ObjectRef.to(NETWORK_POLICY, "answered", space))
    hook["failurePolicy"] = "Ignore"
    ref = ObjectRef("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "policies")
    operated.patch(ref, [{"op": "replace", "path": "/webhooks", "value": [hook]}])
    create("unasked")


def test_a_lost_api_server_answers_nobody_for_a_while(cluster: SimulatedCluster) -> None:
    node = nodes(cluster)[0]
    cluster.lose_api(30)
    calls: list[Callable[[], object]] = [
        lambda: cluster.get(AGENT),
        lambda: cluster.objects(NODE),
        lambda: cluster.pods_on(node),
        lambda: cordon(cluster, node),
        lambda: cluster.delete(AGENT),
        lambda: cluster.evict(ObjectRef.to(POD, "a", "b")),
        lambda: next(cluster.watch(AGENT)),
    ]
    for call in calls:
        with pytest.raises(Unreachable):
            call()
    cluster.sleep(31)
    assert cluster.get(AGENT) is not None


def test_things_happen_when_they_are_to(cluster: SimulatedCluster) -> None:
    spec = {"tier": "default", "selector": "all()", "types": ["Egress"]}
    made = {"apiVersion": POLICIES.api_version, "kind": POLICIES.name, "metadata": {"name": "default.late"}, "spec": spec}
    before = cluster.scene().sources
    cluster.at(100, lambda there: there.create(made))
    cluster.sleep(99)
    assert cluster.scene().sources == before
    cluster.sleep(2)
    assert cluster.scene().sources == before + 1
    assert "default.late" in {p.metadata.name for p in value(cluster.snapshot().foreign_policies)}
