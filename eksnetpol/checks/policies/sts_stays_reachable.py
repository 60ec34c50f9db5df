"""Pods with IRSA can still exchange their token."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import count, few, workloads
from eksnetpol.facts.credentials import ROLE_ANNOTATION
from eksnetpol.model.eks import PodIdentityAssociation, Vpc, VpcEndpoint
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.model.kubernetes import ServiceAccount
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.addresses import overlaps, parse_cidr
from eksnetpol.policy.closing import closing
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Direction, Rule, Rules, admits, entries_of
from eksnetpol.policy.universe import Classes, Universe, set_of

PORT = 443


@check(
    title="pods with IRSA reach STS",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html"),
    intents=ENFORCING,
)
def sts_stays_reachable(
    isolation: Isolation,
    rules: Rules,
    service_accounts: tuple[ServiceAccount, ...],
    pod_identities: tuple[PodIdentityAssociation, ...] | Unread,
    vpc: Vpc | Unread,
    vpc_endpoints: tuple[VpcEndpoint, ...] | Unread,
) -> Iterator[Finding | Evidence]:
    """
    With IRSA a pod exchanges its token for credentials at STS, over HTTPS: at public addresses, or at an interface endpoint
    inside the VPC. An egress policy must let it go to one of them on TCP port 443. Which addresses STS has today is not asked; a
    rule to any public block, or to the VPC where an endpoint may be, is taken to be meant for it.
    """
    universe = isolation.universe
    needed = _with_irsa(universe, service_accounts, pod_identities) & isolation.egress
    yield Evidence(f"{count(universe.count_pods(needed), 'egress-isolated pod')} with IRSA")
    if not needed:
        return
    private = isinstance(vpc_endpoints, Unread) or any(e.service_name.endswith(".sts") for e in vpc_endpoints)
    allowed = 0
    for rule in rules.everything:
        selected = isolation.subjects[rule.at].selected
        if rule.direction is Direction.EGRESS and selected & needed & ~allowed and _leads_there(rule, vpc, private=private):
            allowed |= selected
    for subject, classes in closing(isolation, needed & ~allowed):
        yield Finding(
            subject=subject,
            message=(
                f"isolates {count(universe.count_pods(classes), 'pod')} with IRSA, and no rule lets them reach STS on TCP port "
                f"{PORT}: they get no credentials"
            ),
            remedy="Allow TCP 443 to the VPC's interface endpoint of STS, or to its public addresses.",
            command=f"kubectl get networkpolicies -n {subject.namespace} -o yaml",
            evidence=few(str(w) for w in workloads(universe.members(classes))),
        )


def _with_irsa(
    universe: Universe, accounts: tuple[ServiceAccount, ...], associations: tuple[PodIdentityAssociation, ...] | Unread
) -> Classes:
    roles = {(a.metadata.namespace, a.metadata.name) for a in accounts if a.metadata.annotations.get(ROLE_ANNOTATION)}
    if not isinstance(associations, Unread):
        # Where both are there, the SDKs find the association first.
        roles -= {(a.namespace, a.service_account) for a in associations}
    if not roles:
        return 0
    return set_of(c.index for c in universe.classes if (c.namespace, c.service_account or "default") in roles)


def _leads_there(rule: Rule, vpc: Vpc | Unread, *, private: bool) -> bool:
    if not admits(entries_of(rule.ports), "TCP", PORT):
        return False
    if not rule.peers:
        return True
    return any(
        p.domain_names or (p.ip_block is not None and _may_hold(p.ip_block.cidr, vpc, private=private)) for p in rule.peers
    )


def _may_hold(cidr: str, vpc: Vpc | Unread, *, private: bool) -> bool:
    network = parse_cidr(cidr)
    if network is None or network.is_link_local:
        return False
    if not network.is_private:
        return True
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(ipaddress.IPv6Network("fd00:ec2::/32")):
        return False
    return private and (isinstance(vpc, Unread) or any(overlaps(cidr, whole) for whole in vpc.cidrs))
