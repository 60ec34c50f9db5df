from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_

from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread, Why
from eksnetpol.model.versions import Release
from eksnetpol.operations.policy_simulation import AS_EKS_INSTALLS_IT, simulate
from eksnetpol.policy.needs import Kind, Verdict
from eksnetpol.policy.outlook import FailOn, Simulation
from eksnetpol.policy.profile import STANDARD, Mode, Profile, Semantics
from eksnetpol.policy.remedies import Remedy
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.world import World
from tests import builders
from tests.checks.cases import snapshot as look
from tests.policy import worlds
from tests.policy.outlooks import DENY, Json, cluster, fates, flows, reasons, simulated, web

WEB = "shop/ReplicaSet/owner"
KUBE_SYSTEM: Json = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
TO_DNS: Json = {**KUBE_SYSTEM, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
BOTH = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]


def block(cidr: str, *excepts: str) -> Json:
    return {"ipBlock": {"cidr": cidr, **({"except": list(excepts)} if excepts else {})}}


def egress(*peers: Json, ports: list[Json] | None = None) -> Json:
    rule: Json = {"to": list(peers)}
    return {"name": "out", "types": ["Egress"], "egress": [rule if ports is None else {**rule, "ports": ports}]}


def ingress(*peers: Json, ports: list[Json] | None = None, **more: Any) -> Json:
    rule: Json = {"from": list(peers)}
    return {"name": "in", "types": ["Ingress"], "ingress": [rule if ports is None else {**rule, "ports": ports}], **more}


def added(snapshot: ClusterSnapshot, remedies: tuple[Remedy, ...]) -> ClusterSnapshot:
    """The same cluster with the policies that are to be added."""
    assert isinstance(snapshot.network_policies, Seen)
    more = tuple(msgspec.convert(_plain(r.policy), NetworkPolicy) for r in remedies)
    return with_(snapshot, network_policies=Seen((*snapshot.network_policies.value, *more)))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        (DENY, "loses"),
        (egress(TO_DNS, ports=BOTH), "keeps"),
        (egress(TO_DNS, ports=BOTH[:1]), "partly"),
        (egress(KUBE_SYSTEM), "keeps"),
        (egress(block("10.0.9.0/24"), ports=BOTH), "loses"),  # the pods, but not the Service's address
        (egress(block("10.100.0.10/32"), ports=BOTH), "keeps"),
        (egress(block("0.0.0.0/0"), ports=BOTH), "keeps"),
        (egress({"podSelector": {}}), "loses"),
        ({"name": "in", "types": ["Ingress"]}, None),
    ],
)
def test_dns_goes_to_the_address_of_its_service_by_udp_and_tcp(policy: Json, verdict: str | None) -> None:
    done = simulated(cluster(network_policies=[policy]))
    assert fates(done, Kind.DNS).get(WEB) == verdict


def test_by_the_specification_dns_goes_to_the_pods_behind_the_service() -> None:
    snapshot = cluster(network_policies=[egress(block("10.0.9.0/24"), ports=BOTH)])
    assert fates(simulated(snapshot, semantics=Semantics.KUBERNETES), Kind.DNS)[WEB] == "keeps"


def test_isolated_resolvers_turn_everybody_away_and_get_a_policy_of_their_own() -> None:
    policy = {"name": "closed", "namespace": "kube-system", "types": ["Ingress"]}
    snapshot = cluster(network_policies=[policy])
    done = simulated(snapshot)
    assert fates(done, Kind.DNS) == {WEB: "loses"}
    assert "isolated themselves" in reasons(done, Kind.DNS)
    (remedy,) = done.remedies
    assert remedy.policy["metadata"] == {"name": "allow-dns", "namespace": "kube-system"}
    assert fates(simulated(added(snapshot, done.remedies)), Kind.DNS) == {}


def test_resolvers_that_take_one_namespace_alone_are_lost_to_the_others() -> None:
    own = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}
    policy = ingress(own, ports=BOTH, namespace="kube-system")
    pods = [web(), web(namespace="bank", ip="10.0.0.11")]
    done = simulated(cluster(pods=pods, network_policies=[policy]))
    assert fates(done, Kind.DNS) == {"bank/ReplicaSet/owner": "loses"}


def test_whom_the_resolvers_would_turn_away_next_is_thought_of() -> None:
    other = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "bank"}}}
    snapshot = cluster(network_policies=[DENY, ingress(other, ports=BOTH, namespace="kube-system")])
    done = simulated(snapshot)
    assert reasons(done, Kind.DNS) == "no rule lets them send UDP and TCP 53 to kube-system/kube-dns"
    assert [r.namespace for r in done.remedies] == ["shop", "kube-system"]
    assert fates(simulated(added(snapshot, done.remedies)), Kind.DNS) == {WEB: "keeps"}


def test_the_resolvers_themselves_ask_the_vpc() -> None:
    policy = {"name": "closed", "namespace": "kube-system", "types": ["Egress"]}
    done = simulated(cluster(network_policies=[policy]))
    assert fates(done, Kind.UPSTREAM_DNS) == {"kube-system/ReplicaSet/coredns": "loses"}
    assert "10.0.0.2" in reasons(done, Kind.UPSTREAM_DNS)
    inside = egress(block("10.0.0.0/8")) | {"namespace": "kube-system"}
    blind = simulated(cluster(network_policies=[inside], vpc={"unread": "denied"}))
    assert fates(blind, Kind.UPSTREAM_DNS) == {"kube-system/ReplicaSet/coredns": "unknown"}


def test_the_cache_on_the_node_is_asked_for_where_it_runs() -> None:
    daemonset = {"name": "node-local-dns", "containers": ["example.com/cache:1"]}
    assert flows(simulated(cluster(network_policies=[DENY])), Kind.NODE_LOCAL_DNS) == []
    closed = simulated(cluster(network_policies=[egress(TO_DNS, ports=BOTH)], daemonsets=[daemonset]))
    assert fates(closed, Kind.NODE_LOCAL_DNS)[WEB] == "loses"
    opened = simulated(cluster(network_policies=[egress(block("169.254.20.10/32"), ports=BOTH)], daemonsets=[daemonset]))
    assert fates(opened, Kind.NODE_LOCAL_DNS)[WEB] == "keeps"


def test_without_pods_behind_it_the_resolver_is_opened_by_its_address() -> None:
    """As with EKS Auto Mode, which answers on the node."""
    snapshot = cluster(network_policies=[DENY])
    assert isinstance(snapshot.pods, Seen)
    pods = tuple(p for p in snapshot.pods.value if p.namespace != "kube-system")
    done = simulated(with_(snapshot, pods=Seen(pods)))
    remedy = next(r for r in done.remedies if r.kind is Kind.DNS)
    assert remedy.policy["spec"]["egress"][0]["to"] == [{"ipBlock": {"cidr": "10.100.0.10/32"}}]


def test_files_without_a_resolver_are_judged_by_the_one_that_eks_installs() -> None:
    def judged(policy: Json) -> Simulation:
        files = {"pods": [web()], "network_policies": [policy], "partial": True}
        return simulated(look(files))

    for policy, verdict in ((DENY, "loses"), (egress(TO_DNS, ports=BOTH), "keeps")):
        done = judged(policy)
        assert fates(done, Kind.DNS) == {WEB: verdict}
        assert AS_EKS_INSTALLS_IT in done.notes
        assert all("coredns" not in str(w) for f in done.flows for w in fates(done, f.kind))
        assert done.dormancy.pods(done.dormancy.counted) == 1


# --- the API server and credentials -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "semantics", "verdict"),
    [
        (DENY, Semantics.VPC_CNI, "loses"),
        (egress(block("10.100.0.1/32"), ports=[{"port": 443}]), Semantics.VPC_CNI, "keeps"),
        (egress(block("10.0.64.7/32"), ports=[{"port": 443}]), Semantics.VPC_CNI, "loses"),
        (egress(block("10.0.64.7/32"), ports=[{"port": 443}]), Semantics.KUBERNETES, "keeps"),
        (egress(block("10.100.0.1/32"), ports=[{"port": 6443}]), Semantics.VPC_CNI, "loses"),
    ],
)
def test_the_api_server_is_behind_a_service_without_pods(policy: Json, semantics: Semantics, verdict: str) -> None:
    done = simulated(cluster(pods=[web(token=True)], network_policies=[policy]), semantics=semantics)
    assert fates(done, Kind.API_SERVER)[WEB] == verdict


def test_who_mounts_no_token_needs_no_api_server() -> None:
    done = simulated(cluster(pods=[web(token=False)], network_policies=[DENY]))
    assert WEB not in fates(done, Kind.API_SERVER)
    account = {"metadata": {"name": "default", "namespace": "shop"}, "automountServiceAccountToken": False}
    by_account = {k: v for k, v in web().items() if k != "token"}
    done = simulated(cluster(pods=[by_account], network_policies=[DENY], service_accounts=[account]))
    assert WEB not in fates(done, Kind.API_SERVER)


def test_an_api_server_that_was_not_read_is_lost_for_sure_or_not_known() -> None:
    gone: Json = {"api_server_endpoints": {"unread": "denied"}, "pods": [web(token=True)]}
    for policy, verdict in ((DENY, "loses"), (egress(block("10.0.0.0/8")), "unknown"), (egress(block("0.0.0.0/0")), "keeps")):
        done = simulated(cluster(network_policies=[policy], **gone), semantics=Semantics.KUBERNETES)
        assert fates(done, Kind.API_SERVER)[WEB] == verdict


ASSOCIATION = {"namespace": "shop", "serviceAccount": "robot"}
AGENT = block("169.254.170.23/32")


@pytest.mark.parametrize(
    ("policy", "associations", "verdict"),
    [
        (DENY, [ASSOCIATION], "loses"),
        (egress(AGENT, ports=[{"port": 80}]), [ASSOCIATION], "keeps"),
        (egress(block("0.0.0.0/0", "169.254.0.0/16")), [ASSOCIATION], "loses"),
        (DENY, [], None),
        (DENY, {"unread": "denied"}, "unknown"),
        (egress(AGENT, ports=[{"port": 80}]), {"unread": "denied"}, "keeps"),
    ],
)
def test_pods_with_an_association_need_the_pod_identity_agent(policy: Json, associations: Any, verdict: str | None) -> None:
    done = simulated(cluster(pods=[web(account="robot")], network_policies=[policy], pod_identities=associations))
    assert fates(done, Kind.POD_IDENTITY).get(WEB) == verdict


ROLE = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/r"}
IRSA = {"metadata": {"name": "robot", "namespace": "shop", "annotations": ROLE}}
STS_INSIDE = [{"VpcEndpointId": "vpce-1", "ServiceName": "com.amazonaws.eu-west-1.sts"}]
HTTPS = [{"port": 443}]


@pytest.mark.parametrize(
    ("policy", "endpoints", "verdict"),
    [
        (DENY, [], "loses"),
        (egress(block("0.0.0.0/0"), ports=HTTPS), [], "keeps"),
        (egress(block("0.0.0.0/0", "10.0.0.0/8"), ports=HTTPS), [], "keeps"),
        (egress(block("0.0.0.0/0"), ports=[{"port": 80}]), [], "loses"),
        (egress(block("52.0.0.0/8"), ports=HTTPS), [], "unknown"),
        (egress(block("10.0.0.0/16"), ports=HTTPS), [], "loses"),
        (egress(block("10.0.0.0/16"), ports=HTTPS), STS_INSIDE, "keeps"),
        (egress(block("10.0.64.0/24"), ports=HTTPS), STS_INSIDE, "unknown"),
        (egress(block("52.0.0.0/8"), ports=HTTPS), STS_INSIDE, "loses"),
        (egress(block("10.0.0.0/16"), ports=HTTPS), {"unread": "denied"}, "unknown"),
    ],
)
def test_pods_with_irsa_need_sts_wherever_it_is(policy: Json, endpoints: Any, verdict: str) -> None:
    done = simulated(
        cluster(pods=[web(account="robot")], network_policies=[policy], service_accounts=[IRSA], vpc_endpoints=endpoints)
    )
    assert fates(done, Kind.STS)[WEB] == verdict


def test_an_association_goes_before_irsa_and_accounts_that_were_not_read_are_not_known() -> None:
    both = cluster(
        pods=[web(account="robot")], network_policies=[DENY], service_accounts=[IRSA], pod_identities=[ASSOCIATION]
    )
    assert WEB not in fates(simulated(both), Kind.STS)
    blind = cluster(pods=[web(account="robot")], network_policies=[DENY], service_accounts={"unread": "denied"})
    assert fates(simulated(blind), Kind.STS)[WEB] == "unknown"


def test_pods_with_no_role_but_the_nodes_may_use_the_instance_metadata() -> None:
    handed_out = [{"InstanceId": "i-1", "MetadataOptions": {"HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 2}}]
    done = simulated(cluster(network_policies=[DENY], instances=handed_out))
    assert fates(done, Kind.IMDS)[WEB] == "loses"
    assert not flows(done, Kind.IMDS)[0].is_sure
    assert flows(simulated(cluster(network_policies=[DENY])), Kind.IMDS) == []
    opened = egress(block("169.254.169.254/32"), ports=[{"port": 80}])
    assert fates(simulated(cluster(network_policies=[opened], instances=handed_out)), Kind.IMDS)[WEB] == "keeps"
    robot = cluster(
        pods=[web(account="robot")], network_policies=[DENY], instances=handed_out, pod_identities=[ASSOCIATION]
    )
    assert WEB not in fates(simulated(robot), Kind.IMDS)


def six(policy: Json, **more: Any) -> Simulation:
    """What happens in an IPv6 cluster in which the node's role is handed out."""
    handed_out = [{"InstanceId": "i-1", "MetadataOptions": {"HttpEndpoint": "enabled"}}]
    snapshot = cluster(
        pods=[web(account="robot", ip="2001:db8::10"), web(name="web-2", owner="ReplicaSet/other", ip="2001:db8::11")],
        network_policies=[policy],
        pod_identities=[ASSOCIATION],
        instances=handed_out,
        cluster={"name": "shop", "kubernetesNetworkConfig": {"ipFamily": "ipv6"}},
        **more,
    )
    return simulate(snapshot, World.of(snapshot), Profile(family="ipv6"))


def test_an_ipv6_cluster_has_addresses_of_its_own() -> None:
    opened = egress(block("fd00:ec2::23/128"), block("fd00:ec2::254/128"), ports=[{"port": 80}])
    other = "shop/ReplicaSet/other"
    for policy, verdict in ((DENY, "loses"), (opened, "keeps"), (egress(AGENT), "loses")):
        done = six(policy)
        assert fates(done, Kind.POD_IDENTITY)[WEB] == verdict
        assert fates(done, Kind.IMDS)[other] == verdict
    done = six(DENY)
    mine = [r.policy["spec"]["egress"][0]["to"] for r in done.remedies if r.kind in {Kind.IMDS, Kind.POD_IDENTITY}]
    cidrs = {peer["ipBlock"]["cidr"] for peers in mine for peer in peers}
    assert cidrs == {"fd00:ec2::23/128", "fd00:ec2::254/128"}


def test_an_ipv6_clusters_way_out_by_ipv4_leads_to_the_metadata_whatever_policies_say() -> None:
    node = builders.aws_node({"env": {"ENABLE_V4_EGRESS": "true", "ENABLE_IPv6": "true"}})
    assert fates(six(DENY, daemonsets=[node]), Kind.IMDS) == {"shop/ReplicaSet/other": "keeps"}
    closed = builders.aws_node({"env": {"ENABLE_V4_EGRESS": "false", "ENABLE_IPv6": "true"}})
    assert fates(six(DENY, daemonsets=[closed]), Kind.IMDS) == {"shop/ReplicaSet/other": "loses"}


# --- into pods --------------------------------------------------------------------------------------------------------

HOOK = {
    "metadata": {"name": "guard"}, "kind": "ValidatingWebhookConfiguration",
    "webhooks": [{"name": "g.example.com", "clientConfig": {"service": {"namespace": "shop", "name": "hook", "port": 443}}}],
}  # fmt: skip
HOOK_SERVICE = {"name": "hook", "selector": {"app": "web"}, "ports": [{"port": 443, "targetPort": 8080}]}


@pytest.mark.parametrize(
    ("policy", "more", "verdict"),
    [
        (DENY, {}, "loses"),
        (ingress(block("10.0.64.0/24"), ports=[{"port": 8080}]), {}, "keeps"),
        (ingress(block("10.0.64.0/24"), ports=[{"port": 443}]), {}, "loses"),
        (ingress(block("10.0.64.0/25"), ports=[{"port": 8080}]), {}, "partly"),
        (ingress(block("10.0.64.0/24", "10.0.64.128/25"), ports=[{"port": 8080}]), {}, "partly"),
        (DENY, {"subnets": {"unread": "denied"}}, "loses"),
        (ingress(block("10.0.64.7/32")), {"subnets": {"unread": "denied"}}, "keeps"),
        (ingress(block("10.0.0.0/8")), {"subnets": {"unread": "no"}, "api_server_endpoints": {"unread": "no"}}, "unknown"),
        (DENY, {"subnets": {"unread": "no"}, "api_server_endpoints": {"unread": "no"}}, "loses"),
        (egress(block("0.0.0.0/0")), {}, None),
    ],
)
def test_webhooks_are_called_from_the_subnets_of_the_control_plane(policy: Json, more: Json, verdict: str | None) -> None:
    done = simulated(cluster(network_policies=[policy], webhooks=[HOOK], services=[HOOK_SERVICE], **more))
    assert fates(done, Kind.WEBHOOK).get(WEB) == verdict


def test_aggregated_apis_are_called_on_the_ports_that_names_mean() -> None:
    api = {"metadata": {"name": "v1.metrics"}, "spec": {"service": {"namespace": "shop", "name": "api", "port": 443}}}
    service = {"name": "api", "selector": {"app": "web"}, "ports": [{"port": 443, "targetPort": "https"}]}
    pods = [web(ports=[{"containerPort": 10250, "name": "https"}])]
    policy = ingress(block("10.0.64.0/24"), ports=[{"port": 10250}])
    for rules, verdict in (([policy], "keeps"), ([DENY], "loses")):
        done = simulated(cluster(pods=pods, network_policies=rules, api_services=[api], services=[service]))
        assert fates(done, Kind.AGGREGATED_API) == {WEB: verdict}


def balancer(**more: Any) -> Json:
    return {"name": "lb", "type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}], **more}


def with_notes(**notes: str) -> Json:
    ports = [{"port": 80, "targetPort": 8080}]
    spec = {"type": "LoadBalancer", "clusterIP": "10.100.0.77", "selector": {"app": "web"}, "ports": ports}
    own = {f"service.beta.kubernetes.io/aws-load-balancer-{k.replace('_', '-')}": v for k, v in notes.items()}
    return {"metadata": {"name": "lb", "namespace": "shop", "annotations": own}, "spec": spec}


FROM_VPC = ingress(block("10.0.0.0/16"), ports=[{"port": 8080}])
FROM_ALL = ingress(block("0.0.0.0/0"), ports=[{"port": 8080}])


@pytest.mark.parametrize(
    ("service", "policy", "verdict"),
    [
        (balancer(), DENY, "loses"),
        (balancer(), FROM_VPC, "keeps"),  # by node ports, whose nodes put their own addresses on
        (balancer(externalTrafficPolicy="Local"), FROM_VPC, "unknown"),
        (balancer(externalTrafficPolicy="Local"), FROM_ALL, "keeps"),
        (with_notes(nlb_target_type="ip"), FROM_VPC, "unknown"),
        (with_notes(nlb_target_type="ip", scheme="internal"), FROM_VPC, "keeps"),
        (with_notes(target_group_attributes="preserve_client_ip.enabled=true"), FROM_VPC, "partly"),
        (with_notes(target_group_attributes="preserve_client_ip.enabled=false"), FROM_VPC, "keeps"),
        (balancer(), ingress(block("10.0.64.0/24"), ports=[{"port": 8080}]), "partly"),
        ({**balancer(), "type": "NodePort"}, DENY, "loses"),
        ({**balancer(), "type": "ClusterIP"}, DENY, None),
    ],
)
def test_load_balancers_come_from_the_vpc_or_with_clients_addresses(service: Json, policy: Json, verdict: str | None) -> None:
    done = simulated(cluster(services=[service], network_policies=[policy]))
    assert (fates(done, Kind.LOAD_BALANCER) | fates(done, Kind.NODE_PORT)).get(WEB) == verdict


def test_probes_are_kept_but_by_old_agents_and_in_strict_mode_without_policies() -> None:
    probed = web(containers=[{"ports": [8080], "probes": ["readiness"]}])
    probed.pop("ports")
    snapshot = cluster(pods=[probed], network_policies=[DENY])
    assert fates(simulated(snapshot), Kind.PROBES) == {WEB: "keeps"}
    old = simulate(snapshot, World.of(snapshot), Profile(agent=Release(1, 1, 6)))
    assert fates(old, Kind.PROBES) == {WEB: "unknown"}
    bare = cluster(pods=[probed])
    assert fates(simulated(bare), Kind.PROBES) == {}
    assert fates(simulated(bare, Mode.STRICT), Kind.PROBES) == {WEB: "loses"}


def test_scrapers_are_known_by_their_image_and_targets_by_annotation() -> None:
    notes = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}
    prometheus = {
        "name": "prometheus-0", "namespace": "bank", "labels": {"app": "prometheus"}, "owner": "StatefulSet/prometheus",
        "ip": "10.0.3.3", "containers": [{"image": "quay.io/prometheus/prometheus:v3.1.0"}],
    }  # fmt: skip
    snapshot = cluster(pods=[web(annotations=notes), prometheus], network_policies=[DENY])
    done = simulated(snapshot)
    assert fates(done, Kind.METRICS) == {WEB: "loses"}
    assert fates(simulated(added(snapshot, done.remedies)), Kind.METRICS) == {WEB: "keeps"}


# --- strict mode, and how it ends -------------------------------------------------------------------------------------


def test_in_strict_mode_pods_without_policies_lose_what_they_need_until_a_policy_leaves_them_open() -> None:
    snapshot = cluster(pods=[web(token=True)])
    done = simulated(snapshot, Mode.STRICT)
    assert fates(done, Kind.DNS)[WEB] == "loses"
    assert fates(done, Kind.API_SERVER)[WEB] == "loses"
    assert {r.kind for r in done.remedies} == {None}
    after = simulated(added(snapshot, done.remedies), Mode.STRICT)
    assert after.dormancy.uncovered == 0
    assert [f for f in after.flows if f.classes(*set(Verdict) - {Verdict.KEEPS})] == []


def test_the_exit_code_is_for_what_is_lost_or_isolated_and_then_for_what_is_not_known() -> None:
    def code(done: Simulation, on: FailOn = FailOn.LOST, *, unknown: bool = True) -> int:
        return done.exit_code(on, fail_on_unknown=unknown)

    lost = simulated(cluster(network_policies=[DENY]))
    assert [code(lost, on) for on in FailOn] == [1, 1, 0]
    kept = simulated(cluster(network_policies=[egress(TO_DNS, ports=BOTH)]))
    assert [code(kept, on) for on in FailOn] == [0, 1, 0]
    unknown = simulated(cluster(network_policies=[egress(TO_DNS, ports=BOTH)], pod_identities={"unread": "denied"}))
    assert [code(unknown), code(unknown, unknown=False)] == [3, 0]
    blind = simulated(cluster(network_policies={"unread": "denied"}))
    assert [code(blind), code(blind, unknown=False)] == [3, 0]
    calm = simulated(cluster())
    assert [code(calm, on) for on in FailOn] == [0, 0, 0]


def test_a_kind_that_is_skipped_is_not_judged() -> None:
    snapshot = cluster(network_policies=[DENY])
    done = simulate(snapshot, World.of(snapshot), Profile(), {Kind.DNS})
    assert flows(done, Kind.DNS) == []
    assert [r for r in done.remedies if r.kind is Kind.DNS] == []


# --- the policies to add ----------------------------------------------------------------------------------------------


def test_the_policy_selects_isolated_pods_alone() -> None:
    pods = [
        web(owner="ReplicaSet/web"),
        web(name="api-1", labels={"app": "api"}, owner="ReplicaSet/api", ip="10.0.0.11"),
        web(name="free-1", labels={"app": "free"}, owner="ReplicaSet/free", ip="10.0.0.12"),
    ]
    among = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "api"]}]}
    snapshot = cluster(pods=pods, network_policies=[{"name": "some", "pods": among, "types": ["Egress"]}])
    done = simulated(snapshot)
    (remedy,) = done.remedies
    assert remedy.policy == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "allow-dns", "namespace": "shop"},
        "spec": {
            "podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["api", "web"]}]},
            "policyTypes": ["Egress"],
            "egress": [{"to": [TO_DNS], "ports": BOTH}],
        },
    }
    after = simulated(added(snapshot, done.remedies)).dormancy
    assert after.pods(after.isolated[Direction.EGRESS]) == 2


def test_a_name_that_is_taken_gets_a_number() -> None:
    taken = {"name": "allow-dns", "types": ["Egress"]}
    (remedy,) = simulated(cluster(network_policies=[taken])).remedies
    assert remedy.policy["metadata"]["name"] == "allow-dns-2"


def test_what_other_policies_except_is_opened_by_name_since_the_agent_denies_it() -> None:
    holed = ingress(block("10.0.0.0/16", "10.0.64.0/25"), ports=[{"port": 9}])
    snapshot = cluster(network_policies=[holed], webhooks=[HOOK], services=[HOOK_SERVICE])
    done = simulated(snapshot)
    (remedy,) = done.remedies
    assert remedy.policy["spec"]["ingress"][0]["from"] == [block("10.0.64.0/24"), block("10.0.64.0/25")]
    assert fates(simulated(added(snapshot, done.remedies)), Kind.WEBHOOK) == {WEB: "keeps"}


@st.composite
def troubled(draw: st.DrawFn) -> ClusterSnapshot:
    """A random cluster with a resolver, whose pods have roles, tokens, webhooks and load balancers."""
    pods, namespaces = draw(worlds.clusters())
    policies = draw(st.lists(worlds.policies(), min_size=1, max_size=4))
    named = tuple(with_(p, metadata=with_(p.metadata, name=f"{p.name}-{i}")) for i, p in enumerate(policies))
    to = draw(st.sampled_from([80, "http"]))
    from_shop = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}
    narrow = builders.policy(ingress(from_shop, ports=BOTH, namespace="kube-system"))
    if draw(st.booleans()):
        named = (*named, msgspec.convert(narrow, NetworkPolicy))
    service = {"name": "hook", "selector": {"app": "a"}, "ports": [{"port": 443, "targetPort": to}]}
    handed_out = [{"InstanceId": "i-1", "MetadataOptions": {"HttpEndpoint": "enabled"}}]
    base = cluster(
        pods=[],
        services=[service, {**balancer(selector={"app": "b"}), "ip": "10.100.0.30"}],
        webhooks=[HOOK],
        instances=handed_out,
        pod_identities=draw(st.sampled_from([[], [{"namespace": "shop", "serviceAccount": "default"}]])),
        daemonsets=draw(st.sampled_from([[], [{"name": "node-local-dns", "containers": ["example.com/cache:1"]}]])),
    )
    assert isinstance(base.pods, Seen)
    assert isinstance(base.namespaces, Seen)
    others = tuple(n for n in base.namespaces.value if n.name not in worlds.NAMESPACES)
    return with_(
        base,
        pods=Seen((*base.pods.value, *pods)),
        namespaces=Seen((*others, *namespaces)),
        network_policies=Seen(named),
    )


SECTIONS = (
    "services", "service_accounts", "pod_identities", "webhooks", "api_services", "subnets", "vpc", "vpc_endpoints",
    "api_server_endpoints", "instances", "nodes",
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=100)
@given(troubled(), st.sets(st.sampled_from(SECTIONS), min_size=1), st.sampled_from(list(STANDARD)))
def test_what_was_not_read_makes_nothing_better(snapshot: ClusterSnapshot, unread: set[str], semantics: Semantics) -> None:
    missing = Unread("forbidden", Why.DENIED)
    blind = with_(snapshot, **dict.fromkeys(unread, missing))
    whole, less = simulated(snapshot, semantics=semantics), simulated(blind, semantics=semantics)
    for flow in whole.flows:
        lost = worlds.pods_in(whole.dormancy.engine.atlas.universe, flow.classes(Verdict.LOSES, Verdict.PARTLY))
        kept = set()
        for other in less.flows:
            if (other.kind, other.title) == (flow.kind, flow.title):
                kept |= worlds.pods_in(less.dormancy.engine.atlas.universe, other.classes(Verdict.KEEPS))
        assert not lost & kept, (flow.title, unread)
    if whole.exit_code(FailOn.LOST, fail_on_unknown=True) == 1:
        assert less.exit_code(FailOn.LOST, fail_on_unknown=True) in {1, 3}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(troubled(), st.sampled_from(list(STANDARD)), st.sampled_from(list(Mode)))
def test_adding_the_policies_makes_every_flow_keep_and_isolates_nobody(
    snapshot: ClusterSnapshot, semantics: Semantics, mode: Mode
) -> None:
    before = simulated(snapshot, mode, semantics)
    after = simulated(added(snapshot, before.remedies), mode, semantics)
    for direction in Direction:
        assert _isolated(after, direction) >= _isolated(before, direction)
        gained = _isolated(after, direction) - _isolated(before, direction)
        assert not gained or (mode is Mode.STRICT and gained <= _uncovered(before)), gained
    for flow in after.flows:
        promised: set[tuple[str, str]] = set()
        for remedy in before.remedies:
            if remedy.kind is None or (remedy.kind is flow.kind and flow.direction in remedy.policy["spec"]["policyTypes"]):
                promised |= worlds.pods_in(before.dormancy.engine.atlas.universe, remedy.classes)
        left = worlds.pods_in(after.dormancy.engine.atlas.universe, flow.classes(Verdict.LOSES, Verdict.PARTLY))
        assert not left & promised, (flow.title, flow.parts, [r.policy for r in before.remedies])


def _isolated(done: Simulation, direction: Direction) -> set[tuple[str, str]]:
    return worlds.pods_in(done.dormancy.engine.atlas.universe, done.dormancy.isolated[direction])


def _uncovered(done: Simulation) -> set[tuple[str, str]]:
    return worlds.pods_in(done.dormancy.engine.atlas.universe, done.dormancy.uncovered)


def test_the_verdicts_of_one_flow_do_not_overlap() -> None:
    done = simulated(cluster(pods=[web(token=True)], network_policies=[egress(block("10.0.64.7/32"))]))
    for flow in done.flows:
        seen = 0
        for part in flow.parts:
            assert not seen & part.classes
            seen |= part.classes
        assert seen
