"""Isolated pods have no interface that policies do not reach."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import by_namespace, count
from eksnetpol.facts.annotations import MULTUS, Annotated
from eksnetpol.model.findings import Finding, Severity
from eksnetpol.policy.isolation import Isolation


@check(
    title="isolated pods have no interface beside the one that is policed",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT,),
    intents=ENFORCING,
)
def isolated_pods_have_one_interface(isolation: Isolation, annotated: Annotated) -> Iterator[Finding]:
    """
    Policies hold for the primary interface, eth0. What passes through networks that Multus attaches to a pod, by the annotation
    k8s.v1.cni.cncf.io/networks, is not looked at.
    """
    on_more = annotated.pods.get(MULTUS, {})
    for group in by_namespace(isolation.universe, annotated.of(MULTUS) & isolation.either):
        pods = sum(len(on_more[c.index]) for c in group.classes)
        yield Finding(
            subject=group.subject,
            message=f"{count(pods, 'isolated pod')} have further networks by Multus, where no policy holds",
            remedy="Close these networks with security groups, or with the means of whoever provides them.",
            command=f"kubectl get network-attachment-definitions -n {group.namespace}",
            evidence=group.evidence,
        )
