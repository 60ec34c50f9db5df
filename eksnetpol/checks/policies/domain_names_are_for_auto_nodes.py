"""Domain names in policies are used where they are enforced."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import AUTO_MODE, ENFORCING, NotApplicable, check
from eksnetpol.checks.places import show
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.coverage import by_owner
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import Node
from eksnetpol.model.policies import ClusterNetworkPolicy
from eksnetpol.model.snapshot import SourceKind, Unread
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Direction, Rules
from eksnetpol.policy.universe import Classes


@check(
    title="policies with domain names select pods on Auto Mode nodes alone",
    severity=Severity.BLOCKER,
    docs=AUTO_MODE,
    sources=(AUTO_MODE, "aws/containers-roadmap#2801"),
    intents=ENFORCING,
)
def domain_names_are_for_auto_nodes(
    isolation: Isolation,
    rules: Rules,
    node_kinds: NodeKinds | Unread,
    nodes: tuple[Node, ...] | Unread,
    cluster_subjects: tuple[tuple[ClusterNetworkPolicy, Classes], ...],
    source: SourceKind,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Only the agent of EKS Auto Mode nodes knows domain names; that of the VPC CNI leaves such entries out, without an error. The
    pod is isolated all the same, so that what the names would allow is closed on every other node.
    """
    named: dict[Subject, Classes] = {}
    for rule in rules.with_selectors:
        if rule.direction is Direction.EGRESS and any(p.domain_names for p in rule.peers):
            named[rule.subject] = isolation.subjects[rule.at].selected
    for policy, classes in cluster_subjects:
        if any(peer.get("domainNames") for rule in policy.spec.egress for peer in rule.get("to") or ()):
            named[Subject("ClusterNetworkPolicy", policy.metadata.name)] = classes
    if not named:
        raise NotApplicable("no policy has domain names")
    yield Evidence(f"{count(len(named), 'policy', 'policies')} with domain names")
    if isinstance(node_kinds, Unread) or isinstance(nodes, Unread) or source is SourceKind.MANIFESTS:
        for subject in named:
            yield Unknown(subject, "whether the pods it selects run on Auto Mode nodes: nodes are not known here")
        return
    auto = {n.name for n in node_kinds.auto}
    unpoliced = isolation.universe.on_host_network | isolation.universe.terminal
    for subject, classes in named.items():
        pods = [
            p
            for c in isolation.universe.members(classes & ~unpoliced)
            for p in c.pods
            if p.spec.node_name and p.spec.node_name not in auto
        ]
        if pods:
            yield Finding(
                subject=subject,
                message=f"allows domain names to {count(len(pods), 'pod')} on nodes whose agent does not know them",
                remedy="Run these pods on Auto Mode nodes, or allow addresses instead.",
                command=show(subject),
                evidence=(listed(str(w) for w in by_owner(pods)),),
            )
