"""Cluster policies name ports by number."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, NotApplicable, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import few
from eksnetpol.facts.cluster_rules import ClusterRulebook
from eksnetpol.model.findings import Finding, Severity, Subject

CONTROLLER = "https://github.com/aws/amazon-network-policy-controller-k8s"


@check(
    title="cluster policies use port numbers",
    severity=Severity.BLOCKER,
    docs=CONTROLLER,
    sources=(CONTROLLER,),
    intents=ENFORCING,
    about="objects",
)
def cluster_policies_use_port_numbers(cluster_rulebook: ClusterRulebook) -> Iterator[Finding]:
    """
    The controller cannot look up a port's name in a ClusterNetworkPolicy: as soon as such a rule meets a pod, the process ends,
    and ends again each time it starts anew. No policy of the cluster is kept up to date from then on. In a rule for domain names
    the port is left out instead, which opens all of them.
    """
    if not cluster_rulebook.rules:
        raise NotApplicable("there is no ClusterNetworkPolicy with a rule")
    found: dict[Subject, list[str]] = {}
    for placed in cluster_rulebook.rules:
        names = [m.name for m in placed.rule.matches or () if m.name]
        if names:
            found.setdefault(placed.subject, []).append(f"{placed.place}: {', '.join(names)}")
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=f"{places[0]}: the controller ends when it resolves a port's name in a cluster policy",
            remedy="Use portNumber or portRange.",
            command=edit(subject),
            evidence=few(places),
        )
