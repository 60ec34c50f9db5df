"""Pods that policies select belong to a workload."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import count, few
from eksnetpol.facts.annotations import MIRROR, Annotated
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.isolation import Isolation


@check(
    title="isolated pods belong to a workload",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "aws/aws-network-policy-agent#327"),
    intents=ENFORCING,
)
def pods_have_owners(isolation: Isolation, annotated: Annotated) -> Iterator[Finding]:
    """
    AWS supports network policies only for pods that something owns: a ReplicaSet, a StatefulSet, a Job, another controller. The
    agent tells pods apart by their name without its last part, so the standalone pods web-a and web-b are one to it, and get each
    other's rules. Static pods, and pods on the host network, are no concern of policies.
    """
    universe = isolation.universe
    mirrors = annotated.pods.get(MIRROR, {})
    standalone: dict[str, list[str]] = {}
    for pod_class in universe.members(isolation.either):
        if not pod_class.is_owned:
            static = {p.name for p in mirrors.get(pod_class.index, ())}
            names = [p.name for p in pod_class.pods if p.name not in static]
            if names:
                standalone.setdefault(pod_class.namespace, []).extend(names)
    for namespace, names in standalone.items():
        yield Finding(
            subject=Subject("Namespace", namespace),
            message=(
                f"policies isolate {count(len(names), 'pod')} without an owner, which AWS does not support: the agent may give "
                "them the rules of others whose names begin alike"
            ),
            remedy="Run them by a Deployment, StatefulSet or Job.",
            command=f"kubectl get pods -n {namespace} -o jsonpath='{{.items[?(!@.metadata.ownerReferences)].metadata.name}}'",
            evidence=few(names),
        )
