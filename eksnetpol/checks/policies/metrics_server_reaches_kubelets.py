"""The metrics server reaches the kubelets it asks."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, NotApplicable, check
from eksnetpol.checks.places import show_policies
from eksnetpol.checks.words import by_namespace, count, listed
from eksnetpol.facts.arrivals import addresses_of_nodes
from eksnetpol.model.eks import Vpc
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.model.kubernetes import Node
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.openings import Openings, blocks_that_admit
from eksnetpol.policy.rules import Direction, admits, entries_of
from eksnetpol.policy.universe import Classes

PORT = 10250
NAMED = (("k8s-app", "metrics-server"), ("app.kubernetes.io/name", "metrics-server"))


@check(
    title="the metrics server reaches the kubelets",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=("https://docs.aws.amazon.com/eks/latest/userguide/metrics-server.html", "aws/amazon-vpc-cni-k8s#2928"),
    intents=ENFORCING,
)
def metrics_server_reaches_kubelets(
    openings: Openings, nodes: tuple[Node, ...] | Unread, vpc: Vpc | Unread
) -> Iterator[Finding | Evidence]:
    """
    The metrics server asks the kubelet of every node on TCP port 10250, for `kubectl top` and the HorizontalPodAutoscaler. Its
    own node is always open to it, so that with isolated egress it may know of one node and no other. A block of the nodes opens
    them; that the API server reaches the metrics server is asked with all aggregated APIs.
    """
    isolation = openings.isolation
    universe = isolation.universe
    servers: Classes = 0
    for label in NAMED:
        servers |= universe.with_label(*label)
    servers &= ~universe.terminal
    if not servers:
        raise NotApplicable("no pods of the metrics server are known here")
    yield Evidence(f"{count(universe.count_pods(servers), 'pod')} of the metrics server")
    shut = servers & isolation.egress
    if shut:
        shut &= ~blocks_that_admit(openings.blocks, addresses_of_nodes(nodes, vpc), "TCP", PORT)
    for peer in openings.peers if shut else ():
        # A peer on the host network has the address of its node.
        if peer.classes & universe.on_host_network:
            for rule, _ in peer.places:
                if rule.direction is Direction.EGRESS and admits(entries_of(rule.ports), "TCP", PORT):
                    shut &= ~isolation.subjects[rule.at].selected
    for group in by_namespace(universe, shut):
        names = listed(p.name for c in group.classes for p in isolation.policies_of(c, "Egress"))
        yield Finding(
            subject=group.subject,
            message=f"the metrics server reaches no kubelet but its own node's on TCP port {PORT}: closed by {names}",
            remedy=f"Allow its egress to ipBlocks of the nodes' subnets on TCP port {PORT}.",
            command=show_policies(group.namespace),
            evidence=group.evidence,
        )
