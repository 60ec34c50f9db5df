"""What comes in by a node's port reaches pods on other nodes."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import AGENT_README, ENFORCING, check
from eksnetpol.checks.places import show_policies
from eksnetpol.checks.words import count, few, listed, workloads
from eksnetpol.facts.arrivals import Arrival, Way, by_service
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.isolation import Isolation


@check(
    title="traffic by node ports reaches isolated pods on other nodes",
    severity=Severity.WARNING,
    docs=AGENT_README,
    sources=("https://github.com/aws/aws-network-policy-agent", "aws/aws-network-policy-agent#56"),
    intents=ENFORCING,
)
def node_ports_reach_isolated_pods(arrivals: tuple[Arrival, ...], isolation: Isolation) -> Iterator[Finding]:
    """
    With externalTrafficPolicy Cluster a node hands what comes in by its port to any pod, under its own address. A pod's own node
    is always let in; other nodes are addresses like all others. So a part of the connections, different for every pod, is
    dropped where ingress is isolated and no block holds the nodes.
    """
    for service, closed, ports, _ in by_service(arrivals, {Way.ANY_NODE: ""}):
        members = tuple(isolation.universe.members(closed))
        where = listed(map(str, ports))
        names = listed(p.name for c in members for p in isolation.policies_of(c, "Ingress"))
        yield Finding(
            subject=Subject("Service", service.name, service.namespace),
            message=(
                f"takes traffic by node ports, and no other node is let in to {count(sum(len(c.pods) for c in members), 'pod')} "
                f"behind it on port {where} (isolated by {names})"
            ),
            remedy=(
                f"Allow ingress on port {where} from ipBlocks of the nodes' subnets; or use targets of type ip, or "
                "externalTrafficPolicy: Local, and allow the clients."
            ),
            command=show_policies(service.namespace),
            evidence=few(str(w) for w in workloads(members)),
        )
