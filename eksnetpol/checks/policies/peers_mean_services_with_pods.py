"""Egress peers mean pods, not Services that have none."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import few
from eksnetpol.facts.idle_peers import IdlePeer
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.model.kubernetes import Service
from eksnetpol.policy.peers import place_of
from eksnetpol.policy.rules import Direction


@check(
    title="no egress peer means a Service that has no pods",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=("aws/amazon-network-policy-controller-k8s#222", "https://github.com/aws/amazon-network-policy-controller-k8s"),
    intents=ENFORCING,
    about="objects",
)
def peers_mean_services_with_pods(idle_peers: tuple[IdlePeer, ...]) -> Iterator[Finding]:
    """
    A Service of type ExternalName, or without a selector, stands for something outside the cluster. A podSelector with its labels
    or its name finds no pods, and opens neither its address nor what is behind it: that takes ipBlocks. Asked are peers that mean
    no pod, where such a Service has these labels or is called by one of them.
    """
    found: dict[Subject, list[str]] = {}
    for idle in idle_peers:
        if idle.service is not None:
            for rule, index in idle.peer.places:
                if rule.direction is Direction.EGRESS:
                    found.setdefault(rule.subject, []).append(f"{place_of(rule, index)}: {_words(idle.service)}")
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=f"means no pods by {places[0]}",
            remedy="Allow the addresses it leads to, and its ClusterIP where it has one, with ipBlocks.",
            command=edit(subject),
            evidence=few(places),
        )


def _words(service: Service) -> str:
    where = f"service/{service.namespace}/{service.name}"
    if service.spec.type == "ExternalName":
        return f"{where} is a name outside the cluster ({service.spec.external_name or 'ExternalName'})"
    return f"{where} has no selector, so no pods are behind it"
