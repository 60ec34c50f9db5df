"""Selectors mean pods of this cluster."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import few
from eksnetpol.facts.idle_peers import IdlePeer
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.peers import place_of


@check(
    title="no selector is meant for another cluster",
    severity=Severity.ADVICE,
    docs=LIMIT,
    sources=(LIMIT, "https://github.com/aws/amazon-network-policy-controller-k8s"),
    intents=ENFORCING,
    about="objects",
)
def peers_are_of_this_cluster(idle_peers: tuple[IdlePeer, ...]) -> Iterator[Finding]:
    """
    Selectors are looked up among the pods of this cluster alone. A peer that asks for a label by which meshes tell clusters,
    networks or regions apart, and means no pod here, is likely meant for pods elsewhere: these are addresses to this cluster.
    """
    found: dict[Subject, list[str]] = {}
    for idle in idle_peers:
        if idle.is_remote:
            both = (idle.peer.peer.namespace_selector, idle.peer.peer.pod_selector)
            labels = " and ".join(str(s) for s in both if s is not None)
            for rule, index in idle.peer.places:
                found.setdefault(rule.subject, []).append(f"{place_of(rule, index)}: {labels}")
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=f"{places[0]} means no pod here; pods of other clusters are no peers",
            remedy="Allow the addresses of the other cluster's pods or load balancers with an ipBlock.",
            command=edit(subject),
            evidence=few(places),
        )
