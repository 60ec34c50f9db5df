"""Pods that live on the node's role still reach it."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, NotApplicable, check
from eksnetpol.checks.words import by_namespace, count, listed
from eksnetpol.facts.cluster_rules import ClusterRulebook, accepted_address
from eksnetpol.facts.credentials import AccountPods, Source, hands_out_metadata
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.eks import Instance
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.addresses import IMDS
from eksnetpol.policy.closing import closing, excepting
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.reach import Blocks, reach

PORT = 80
V4_EGRESS = "ENABLE_V4_EGRESS"


@check(
    title="pods with no role but the node's reach the instance metadata",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "aws/amazon-vpc-cni-k8s#2592", "aws/aws-network-policy-agent#120", "aws/containers-roadmap#2440"),
    intents=ENFORCING,
)
def instance_metadata_stays_reachable(
    isolation: Isolation,
    egress_blocks: Blocks,
    account_pods: AccountPods,
    ip_family: str,
    instances: tuple[Instance, ...] | Unread,
    vpc_cni: VpcCni | Unread | None,
    cluster_rulebook: ClusterRulebook | Unread,
) -> Iterator[Finding | Evidence]:
    """
    A pod without a role of its own (IRSA, EKS Pod Identity) can use that of its node, which the instance metadata service hands
    out at 169.254.169.254, or fd00:ec2::254. Egress policies take that away like any other address, unless an ipBlock allows it.
    Many pods never ask for credentials, and want this closed: then waive it, with a reason. Pods of an IPv6 cluster with
    ENABLE_V4_EGRESS, which is the default, reach 169.254.169.254 whatever policies say.
    """
    if not isinstance(instances, Unread) and instances and not any(hands_out_metadata(i) for i in instances):
        raise NotApplicable("no instance hands its metadata to pods: it is off, or the hop limit is 1")
    if ip_family == "ipv6" and isinstance(vpc_cni, VpcCni) and not vpc_cni.env_is(V4_EGRESS, "false", default="true"):
        raise NotApplicable(f"{V4_EGRESS} is on: IPv4 egress, which no policy holds for, leads to {IMDS[0]}")
    address = IMDS[ip_family == "ipv6"]
    needed = account_pods.of(Source.NODE) & isolation.egress
    universe = isolation.universe
    yield Evidence(f"{count(universe.count_pods(needed), 'egress-isolated pod')} with no role but the node's")
    if not needed:
        return
    found = reach(egress_blocks, isolation, address, "TCP", PORT)
    needed &= ~accepted_address(cluster_rulebook, needed, address, "TCP", PORT)
    closed = found.refused & needed
    names: dict[str, dict[str, None]] = {}
    for subject, place, _ in excepting(found, needed):
        names.setdefault(subject.namespace, {})[f"{subject.name} (except of {place})"] = None
    for subject, _ in closing(isolation, closed & ~found.excepted):
        names.setdefault(subject.namespace, {})[subject.name] = None
    for group in by_namespace(universe, closed):
        yield Finding(
            subject=group.subject,
            message=(
                f"{count(group.pods, 'isolated pod')} with no role but the node's cannot reach {address}: closed by "
                f"{listed(names.get(group.namespace, ()))}"
            ),
            remedy=(
                f"If they call AWS, give them a role by EKS Pod Identity or IRSA, or allow exactly {address} on TCP port {PORT}; "
                "if not, waive this."
            ),
            command=f"kubectl get networkpolicies -n {group.namespace} -o yaml",
            evidence=group.evidence,
        )
