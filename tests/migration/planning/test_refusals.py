"""What a cluster is not moved for, and what is an error that names what is missing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from eksnetpol.errors import EksNetpolError, UsageError
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.migration.planning.gate import taking_on
from eksnetpol.migration.planning.leaving import LABEL, excluded, terms_of
from eksnetpol.migration.planning.migrate import plan_cleanup, plan_migration
from eksnetpol.migration.planning.options import Exit, LeftOver, MigrateOptions
from eksnetpol.model.conditions import Answering, Holds
from eksnetpol.model.kubernetes import ApiService, CustomObject, DisruptionBudget, Namespace, ObjectMeta
from eksnetpol.model.plan import Plan
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind, Unread, Why
from eksnetpol.translation import Translation
from tests.migration.planning import clusters
from tests.migration.planning.clusters import options, planned, value
from tests.simulation import engine_clusters


def of(snapshot: ClusterSnapshot, **said: Any) -> Plan:
    catalog()
    return plan_migration(Lookup(snapshot), Translation(), options(**said))


def whys(plan: Plan) -> str:
    return "\n".join(f"{r.why} [{r.flag}]" for r in plan.refusals)


def with_agent(snapshot: ClusterSnapshot, name: str, **changes: Any) -> ClusterSnapshot:
    """Change the metadata of an engine's DaemonSet."""
    sets = tuple(
        replace(one, metadata=replace(one.metadata, **changes)) if one.name == name else one for one in value(snapshot.daemonsets)
    )
    return replace(snapshot, daemonsets=Seen(sets))


def test_nothing_is_left_to_do_where_no_engine_is() -> None:
    plan = of(clusters.recorded())
    assert (plan.steps, plan.refusals) == ((), ())
    assert plan.facts[0] == "no other engine is here: nothing is to be left"


@pytest.mark.parametrize("section", ["daemonsets", "crds", "foreign_policies", "network_policies", "nodes", "api_services"])
def test_what_decides_and_was_not_read_is_an_error_that_names_it(section: str) -> None:
    snapshot = clusters.calico_by_manifest()
    hidden = replace(snapshot, foreign_kinds=Seen(value(snapshot.foreign_kinds)), **{section: Unread("403: no", Why.DENIED)})
    if section == "foreign_policies":
        from eksnetpol.model.kubernetes import KindCount

        hidden = replace(hidden, foreign_kinds=Seen((KindCount("crd.projectcalico.org", "NetworkPolicy", "networkpolicies", 1),)))
    with pytest.raises(EksNetpolError, match=section.replace("_", " ")):
        of(hidden)


def test_manifests_say_what_somebody_wants_and_not_what_is() -> None:
    with pytest.raises(UsageError, match="planned from a cluster"):
        of(replace(clusters.calico_by_manifest(), source=SourceKind.MANIFESTS))


def test_two_engines_are_never_left_at_once() -> None:
    both = clusters.with_manifest(clusters.calico_by_manifest(), "kube-router/kube-router-firewall-daemonset.yaml")
    assert "enforce at once" in whys(of(both))
    assert all(not r.flag for r in of(both).refusals)


def test_an_engine_that_connects_pods_or_is_not_known_is_refused() -> None:
    canal = clusters.with_manifest(replace(clusters.recorded(), engine_settings=Seen(()), foreign_policies=Seen(()),
                                           foreign_kinds=Seen(())), "calico/canal.yaml")  # fmt: skip
    plan = of(canal)
    assert plan.steps == ()
    assert "connects the pods as well" in whys(plan)


def test_what_goes_with_the_engine_has_to_be_accepted_by_name() -> None:
    felix = CustomObject("crd.projectcalico.org/v1", "FelixConfiguration", ObjectMeta(name="default"), {"wireguardEnabled": True})
    plan = of(replace(clusters.calico_by_manifest(), engine_settings=Seen((felix,))))
    (stop,) = plan.refusals
    assert stop.flag == taking_on("wireguard")
    assert plan.steps, "it is made and shown all the same"


def test_an_ebpf_data_plane_is_refused_without_a_flag() -> None:
    felix = CustomObject("crd.projectcalico.org/v1", "FelixConfiguration", ObjectMeta(name="default"), {"bpfEnabled": True})
    (stop,) = of(replace(clusters.calico_by_manifest(), engine_settings=Seen((felix,)))).refusals
    assert (stop.flag, "kube-proxy" in stop.why) == ("", True)


def test_which_image_cleans_is_never_guessed() -> None:
    assert "--cleaner-image IMAGE" in whys(of(clusters.calico_by_manifest(), cleaner_image=""))
    assert whys(of(clusters.calico_by_manifest(), cleaner_image="", exit=Exit.REPLACEMENT)) == ""
    plan = of(clusters.kube_router(), cleaner_image="")
    assert whys(plan) == ""
    jobs = [step.action.object for step in plan.steps if step.id.endswith("/clean")]  # type: ignore[union-attr]
    assert {c["image"] for job in jobs for c in job["spec"]["template"]["spec"]["containers"]} == {
        "docker.io/cloudnativelabs/kube-router"
    }


def test_kube_routers_own_command_is_a_risk_to_services_by_ipvs() -> None:
    from eksnetpol.model.kubernetes import ConfigMap

    snapshot = clusters.kube_router()
    text = {"config": "iptables:\n  a: b\nmode: ipvs\n"}
    proxy = ConfigMap(ObjectMeta(name="kube-proxy-config", namespace="kube-system"), text)
    ipvs = replace(snapshot, configmaps=Seen((*(c for c in value(snapshot.configmaps) if "proxy" not in c.metadata.name), proxy)))
    (stop,) = of(ipvs, cleaner_image="").refusals
    assert stop.flag == taking_on("ipvs-flush")
    assert of(ipvs).refusals == ()


def test_cilium_is_not_left_in_place_nor_beside_an_addon_nor_beside_agents_that_are_on() -> None:
    in_place = of(clusters.cilium(), exit=Exit.IN_PLACE)
    assert in_place.steps == ()
    assert "have to be replaced" in whys(in_place)
    assert "EKS manages it as an add-on" in whys(of(engine_clusters.cilium(clusters.recorded())))
    assert "are both on, on the same nodes" in whys(of(engine_clusters.cilium(clusters.recorded("ready"))))


def test_bare_pods_are_named_before_their_nodes_go() -> None:
    snapshot = clusters.cilium()
    pods = value(snapshot.pods)
    first = next(pod for pod in pods if not pod.spec.host_network)
    bare = replace(first, metadata=replace(first.metadata, name="lonely", uid="u", owner_references=()))
    snapshot = replace(snapshot, pods=Seen((*pods, bare)))
    name = f"{bare.namespace}/lonely"
    (stop,) = of(snapshot).refusals
    assert stop.flag == f"--bare {name}"
    plan = of(snapshot, bare=(name,))
    assert plan.refusals == ()
    assert all(step.action.bare == (name,) for step in plan.steps if step.id.endswith("/evict"))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("mark", "who"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "net:apps/DaemonSet:kube-system/calico-node"}}, "Argo CD net"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "infra"}}, "Flux infra"),
        ({"annotations": {"meta.helm.sh/release-name": "calico"}}, "Helm calico"),
    ],
)
def test_who_would_put_the_agent_back_has_to_let_go_first(mark: dict[str, Any], who: str) -> None:
    (stop,) = of(with_agent(clusters.calico_by_manifest(), "calico-node", **mark)).refusals
    assert stop.flag == "--take-over"
    assert stop.why.startswith(f"{who} owns daemonset/kube-system/calico-node")


def test_what_widens_or_is_not_understood_stops_the_plan() -> None:
    odd = {"tier": "default", "selector": "a ~~ b", "types": ["Ingress"]}
    strange = clusters.calico_object("GlobalNetworkPolicy", "default.odd", "", odd)
    plan = planned(replace(clusters.calico_by_manifest(), foreign_policies=Seen(clusters.policies(strange))))
    assert "not understood" in whys(plan)
    assert all(not r.flag for r in plan.refusals)


@pytest.mark.parametrize(
    ("batch", "nodes", "canary", "sizes"),
    [
        ("5%", 100, 1, (1, *(5,) * 19, 4)),
        ("5%", 3, 1, (1, 1, 1)),
        ("2", 5, 1, (1, 2, 2)),
        ("100%", 7, 0, (7,)),
        ("50%", 7, 3, (3, 4)),
        ("10", 1, 1, (1,)),
        ("1", 0, 1, ()),
    ],
)
def test_batches_are_small_and_the_canary_goes_first(batch: str, nodes: int, canary: int, sizes: tuple[int, ...]) -> None:
    assert MigrateOptions(batch=batch, canary=canary).sizes(nodes) == sizes
    assert sum(sizes) == nodes


@pytest.mark.parametrize("batch", ["", "0", "0%", "101%", "-1", "ten", "5 %", "1.5"])
def test_a_batch_that_means_nothing_is_refused(batch: str) -> None:
    with pytest.raises(UsageError, match="--batch"):
        MigrateOptions(batch=batch).sizes(10)


def test_only_some_nodes_are_left_and_then_nothing_is_uninstalled() -> None:
    snapshot = clusters.calico_by_manifest()
    name = value(snapshot.nodes)[0].name
    plan = of(snapshot, nodes=f"kubernetes.io/hostname={name}")
    assert {step.id.split("/")[1] for step in plan.steps if step.id.endswith("/label")} == {name}
    assert not [step for step in plan.steps if step.phase in {"7 uninstall", "8 left-overs"}]
    assert any("plan again for them" in line for line in plan.afterwards)
    with pytest.raises(UsageError, match="--nodes"):
        of(snapshot, nodes="kubernetes.io/hostname")


def test_nodes_that_somebody_cordoned_stay_so_and_nodes_that_left_are_left_alone() -> None:
    snapshot = clusters.calico_by_manifest()
    first, second, third = value(snapshot.nodes)
    cordoned = replace(first, spec=replace(first.spec, unschedulable=True))
    gone = replace(second, metadata=replace(second.metadata, labels={**second.metadata.labels, LABEL: "vpc-cni"}))
    there = replace(snapshot, nodes=Seen((cordoned, gone, third)))
    assert f"roll/{second.name}/clean" in [step.id for step in of(there).steps], "the old agent is on it all the same"
    pods = (p for p in value(snapshot.pods) if p.spec.node_name != second.name or not p.name.startswith("calico-node"))
    ids = [step.id for step in of(replace(there, pods=Seen(tuple(pods)))).steps]
    assert f"roll/{first.name}/label" in ids
    assert f"roll/{first.name}/cordon" not in ids
    assert f"roll/{first.name}/uncordon" not in ids
    assert not [i for i in ids if second.name in i]
    assert f"roll/{third.name}/cordon" in ids


def test_the_exclusion_asks_all_that_was_asked_before_in_every_term() -> None:
    terms = [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"matchFields": [{"key": "metadata.name"}]}]
    before = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    ours = {"key": LABEL, "operator": "NotIn", "values": ["vpc-cni"]}
    after = excluded(before)
    assert terms_of(after) == [
        {"matchExpressions": [{"key": "a", "operator": "Exists"}, ours]},
        {"matchFields": [{"key": "metadata.name"}], "matchExpressions": [ours]},
    ]
    assert excluded(after) == after
    assert terms_of(excluded({})) == [{"matchExpressions": [ours]}]


def test_the_operator_is_told_what_its_agents_asked_for_as_well() -> None:
    """An override takes the place of what the operator gives its agents by itself: on EKS, to stay off Fargate."""
    snapshot = clusters.calico_by_operator()
    fargate = {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate"]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [fargate]}]}}}  # fmt: skip
    sets = tuple(
        replace(one, spec=replace(one.spec, template=replace(one.spec.template, spec=replace(one.spec.template.spec,
                                                                                             affinity=affinity))))
        if one.name == "calico-node" else one
        for one in value(snapshot.daemonsets)
    )  # fmt: skip
    step = next(s for s in of(replace(snapshot, daemonsets=Seen(sets))).steps if s.id == "exclude")
    wanted = next(c for c in step.until.conditions if isinstance(c, Holds) and c.ref.kind == "Installation")  # type: ignore[union-attr]
    told = wanted.object["spec"]["calicoNodeDaemonSet"]["spec"]["template"]["spec"]["affinity"]
    assert [e["key"] for e in terms_of(told)[0]["matchExpressions"]] == ["eks.amazonaws.com/compute-type", LABEL]


def test_left_overs_go_only_where_they_are_asked_for() -> None:
    plan = of(clusters.calico_by_operator())
    assert not [step for step in plan.steps if step.phase == "8 left-overs"]
    assert any("admission, policies, definitions, namespaces" in line for line in plan.afterwards)
    some = of(clusters.calico_by_operator(), left_overs=(LeftOver.POLICIES,))
    ids = {step.id.removeprefix("left-overs/") for step in some.steps if step.phase == "8 left-overs"}
    assert ids == {"gate", "free-ippools", "free-tiers", "policies"}


def test_parts_without_an_agent_are_uninstalled_once_no_kernel_is_in_doubt() -> None:
    snapshot = clusters.calico_by_operator()
    sets = tuple(one for one in value(snapshot.daemonsets) if one.name != "calico-node")
    parts = replace(snapshot, daemonsets=Seen(sets))
    plan = planned(parts)
    (stop,) = plan.refusals
    assert "rules are out of the kernels of 3 nodes" in stop.why
    assert stop.flag == taking_on("frozen-rules")
    assert not [step for step in plan.steps if step.phase == "6 exit"]
    assert "uninstall/operator" in {step.id for step in plan.steps}
    marked = [replace(n.metadata, labels={**n.metadata.labels, LABEL: "vpc-cni"}) for n in value(parts.nodes)]
    left = tuple(replace(n, metadata=meta) for n, meta in zip(value(parts.nodes), marked, strict=True))
    assert planned(replace(parts, nodes=Seen(left))).refusals == ()


def test_a_clean_up_afterwards_takes_what_is_left_and_refuses_while_the_engine_is_here() -> None:
    catalog()
    said = options(left_overs=tuple(LeftOver))
    snapshot = clusters.calico_by_manifest()
    sets = tuple(one for one in value(snapshot.daemonsets) if one.name != "calico-node")
    parts = tuple(one for one in value(snapshot.deployments) if not one.name.startswith("calico"))
    rest = replace(snapshot, daemonsets=Seen(sets), deployments=Seen(parts))
    plan = plan_cleanup(Lookup(rest), said)
    assert plan.refusals == ()
    assert {step.phase for step in plan.steps} == {"1 back-up", "2 translate", "8 left-overs"}
    assert "left-overs/definitions" in {step.id for step in plan.steps}
    assert plan_cleanup(Lookup(rest), options()).steps == ()
    there = plan_cleanup(Lookup(replace(rest, deployments=snapshot.deployments)), said)
    assert "Calico is still here" in whys(there)
    assert plan_cleanup(Lookup(clusters.recorded()), said).facts == ("nothing is left over of an engine that is known here",)


@pytest.mark.parametrize(
    ("spec", "never"),
    [({"maxUnavailable": 0}, True), ({"maxUnavailable": "0%"}, True), ({"minAvailable": "100%"}, True),
     ({"maxUnavailable": 1}, False), ({"minAvailable": 1}, False), ({"minAvailable": "50%"}, False)],
)  # fmt: skip
def test_budgets_that_never_allow_an_eviction_are_named_before(spec: dict[str, Any], never: bool) -> None:
    budget = msgspec.convert({"metadata": {"name": "db", "namespace": "boutique"}, "spec": spec}, DisruptionBudget)
    snapshot = replace(clusters.cilium(), disruption_budgets=Seen((budget,)))
    assert any("never allow an eviction: boutique/db" in line for line in of(snapshot).warnings) is never
    in_place = replace(clusters.calico_by_manifest(), disruption_budgets=Seen((budget,)))
    assert not any("boutique/db" in line for line in of(in_place).warnings), "nobody is evicted there"


def test_budgets_that_were_not_read_are_said_to_be_unknown() -> None:
    snapshot = replace(clusters.cilium(), disruption_budgets=Unread("403: no", Why.DENIED))
    assert any("whether disruption budgets let nodes be drained is not known: 403: no" in line for line in of(snapshot).warnings)


def test_what_calico_writes_of_nodes_is_kept_and_is_no_change_of_a_policy() -> None:
    snapshot = clusters.calico_by_manifest()
    point = clusters.calico_object("HostEndpoint", "node-a-auto-hep", "", {"node": "node-a", "interfaceName": "*"})
    more = replace(snapshot, foreign_policies=Seen((*value(snapshot.foreign_policies), point)))
    plain, marked = planned(snapshot), planned(more)
    gates = [step.until for step in plain.steps if step.id == "translated"]
    assert [step.until for step in marked.steps if step.id == "translated"] == gates
    kept = next(step.action for step in marked.steps if step.id == "back-up/old-policies")
    assert "hostendpoint/node-a-auto-hep" in {str(one.ref) for one in kept.objects}  # type: ignore[union-attr]


def test_what_stumbles_before_has_to_be_taken_on_and_is_not_waited_for() -> None:
    snapshot = clusters.calico_by_manifest()
    down = {"conditions": [{"type": "Available", "status": "False", "message": "no response"}]}
    said = {"metadata": {"name": "v1.metrics.example.org"}, "spec": {"group": "metrics.example.org"}, "status": down}
    api = msgspec.convert(said, ApiService)
    hangs = msgspec.convert({"metadata": {"name": "old-shop"}, "status": {"phase": "Terminating"}}, Namespace)
    services, spaces = (*value(snapshot.api_services), api), (*value(snapshot.namespaces), hangs)
    plan = of(replace(snapshot, api_services=Seen(services), namespaces=Seen(spaces)))
    assert {stop.flag for stop in plan.refusals} == {taking_on("v1.metrics.example.org"), taking_on("old-shop")}
    asked = [c for step in plan.steps for c in getattr(step.until, "conditions", ()) if isinstance(c, Answering)]
    assert len(asked) >= 4
    assert {c.except_for for c in asked} == {("v1.metrics.example.org", "old-shop")}
