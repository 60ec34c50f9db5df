"""Small clusters in the short forms of `tests/builders.py`, and what is simulated of them."""

from __future__ import annotations

from typing import Any

from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.operations.policy_simulation import simulate
from eksnetpol.policy.dormant import workloads_of
from eksnetpol.policy.needs import Flow, Kind, Verdict
from eksnetpol.policy.outlook import Simulation
from eksnetpol.policy.profile import Mode, Profile, Semantics
from eksnetpol.policy.world import World
from tests.checks.cases import snapshot

Json = dict[str, Any]

DNS_PORTS = [{"port": 53, "protocol": "UDP", "name": "dns"}, {"port": 53, "protocol": "TCP", "name": "dns-tcp"}]
KUBE_DNS: Json = {
    "name": "kube-dns", "namespace": "kube-system", "ip": "10.100.0.10", "selector": {"k8s-app": "kube-dns"}, "ports": DNS_PORTS
}  # fmt: skip
KUBERNETES: Json = {"name": "kubernetes", "namespace": "default", "ip": "10.100.0.1", "ports": [443]}
COREDNS: Json = {
    "name": "coredns-1", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}, "owner": "ReplicaSet/coredns",
    "account": "coredns", "ip": "10.0.9.9", "ports": [{"containerPort": 53, "protocol": "UDP"}, 53],
}  # fmt: skip
DENY: Json = {"name": "deny", "types": ["Ingress", "Egress"]}
NAMESPACES = ["shop", "bank", "kube-system", "default"]


def web(**more: Any) -> Json:
    """A pod of ``shop`` that answers on 8080, with a token it does not mount."""
    return {"name": "web-1", "labels": {"app": "web"}, "ip": "10.0.0.10", "ports": [8080], "token": False, **more}


def cluster(**sections: Any) -> ClusterSnapshot:
    """A look at a cluster with CoreDNS where nobody has a role of any kind, but for what *sections* say."""
    usual: Json = {
        "namespaces": NAMESPACES,
        "services": [KUBE_DNS, KUBERNETES],
        "pods": [COREDNS, web()],
        "network_policies": [],
        "service_accounts": [],
        "pod_identities": [],
        "instances": [{"InstanceId": "i-1", "MetadataOptions": {"HttpEndpoint": "disabled"}}],
        "daemonsets": [],
        "nodes": [{"name": "node-a"}],
        "vpc": {"VpcId": "vpc-1", "Cidrs": ["10.0.0.0/16"]},
        "subnets": [{"SubnetId": "subnet-1", "CidrBlock": "10.0.64.0/24"}],
        "vpc_endpoints": [],
        "api_server_endpoints": [{"metadata": {"name": "kubernetes"}, "endpoints": [{"addresses": ["10.0.64.7"]}]}],
        "webhooks": [],
        "api_services": [],
    }
    pods = [COREDNS, *sections.pop("pods", [web()])]
    services = [KUBE_DNS, KUBERNETES, *sections.pop("services", [])]
    return snapshot({**usual, "pods": pods, "services": services, **sections})


def simulated(found: ClusterSnapshot, mode: Mode = Mode.STANDARD, semantics: Semantics = Semantics.VPC_CNI) -> Simulation:
    """What happens in it."""
    return simulate(found, World.of(found), Profile(semantics=semantics, mode=mode))


def fates(done: Simulation, kind: Kind) -> dict[str, str]:
    """The verdict on one need by workload, e.g. ``{"shop/ReplicaSet/owner": "loses"}``; the worst where there are several."""
    found: dict[str, str] = {}
    order = list(Verdict)
    for flow in flows(done, kind):
        for part in flow.parts:
            for workload in workloads_of(done.dormancy.engine, part.classes):
                before = found.get(str(workload), Verdict.KEEPS)
                found[str(workload)] = min(before, part.verdict, key=lambda v: order.index(Verdict(v)))
    return found


def flows(done: Simulation, kind: Kind) -> list[Flow]:
    return [f for f in done.flows if f.kind is kind]


def reasons(done: Simulation, kind: Kind) -> str:
    """All that is said about one need."""
    return "; ".join(p.reason for f in flows(done, kind) for p in f.parts)


def names(done: Simulation, classes: int) -> set[str]:
    """The names of workloads."""
    return {w.name for w in workloads_of(done.dormancy.engine, classes)}
