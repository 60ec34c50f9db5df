"""Policies select no pods that they cannot do anything to."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import by_namespace, count, listed
from eksnetpol.model.findings import Finding, Severity
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.universe import Classes


@check(
    title="no policy is meant for pods on the host network",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=("https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/network-policy-faq.md", LIMIT),
    intents=ENFORCING,
    about="objects",
)
def host_network_pods_are_unselected(isolation: Isolation) -> Iterator[Finding]:
    """
    Pods on the host network share the node's interfaces, which the agent does not police. A policy that selects one looks as if
    it held for it, and does nothing.
    """
    universe = isolation.universe
    unpoliced = universe.on_host_network & ~universe.terminal
    in_vain: dict[str, Classes] = {}
    names: dict[str, list[str]] = {}
    for subjects in isolation.subjects:
        found = subjects.selected & unpoliced
        # An empty selector means whatever is in the namespace; it does not say that somebody counts on it for these pods.
        if found and not subjects.policy.spec.pod_selector.is_empty:
            namespace = subjects.policy.namespace
            in_vain[namespace] = in_vain.get(namespace, 0) | found
            names.setdefault(namespace, []).append(subjects.policy.name)
    for namespace, classes in in_vain.items():
        (group,) = by_namespace(universe, classes)
        yield Finding(
            subject=group.subject,
            message=(
                f"policies select {count(group.pods, 'pod')} on the host network, where none is enforced: "
                f"{listed(names[namespace])}"
            ),
            remedy="Move the pods off the host network, or close their ports with the nodes' security groups.",
            command=f"kubectl get pods -n {namespace} -o custom-columns=POD:.metadata.name,HOST:.spec.hostNetwork",
            evidence=group.evidence,
        )
