"""Pods that should get different rules have different names, as the agent reads them."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import few, listed, workloads
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.identities import Identities, Identity
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.universe import indexes_of


@check(
    title="pods that share an identity with the agent share their policies",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=("aws/aws-network-policy-agent#671", "aws/aws-network-policy-agent#327"),
    intents=ENFORCING,
)
def identities_are_unshared(isolation: Isolation, identities: Identities) -> Iterator[Finding]:
    """
    The agent keeps rules for a pod's name without what follows its last dash. A StatefulSet and a DaemonSet of one name, Jobs
    whose names were cut short, or two replicas of one StatefulSet are one to it: where different policies select them, all get
    the rules of all, on each node where they meet. Where the same policies select all of them, it goes well until one is edited.
    """
    universe = isolation.universe
    torn = _torn(isolation, identities)
    for (namespace, prefix), classes in identities.shared.items():
        if not classes & isolation.either:
            continue
        members = tuple(universe.members(classes))
        owners = workloads(members)
        policies = torn.get((namespace, prefix))
        if policies:
            yield Finding(
                subject=_who(owners, prefix, namespace),
                message=(
                    f"pods named {prefix}-* are one to the agent, but {listed(policies)} "
                    f"{'selects' if len(policies) == 1 else 'select'} only some of them: all get the rules of all"
                ),
                remedy="Rename a workload, or let every policy select all of these pods or none of them.",
                command=f"kubectl get pods -n {namespace} --show-labels | grep '^{prefix}-'",
                evidence=few(str(o) for o in owners),
            )
        elif len(owners) > 1:
            yield Finding(
                subject=_who(owners, prefix, namespace),
                message=f"different workloads have pods named {prefix}-*, which are one to the agent",
                remedy="Rename one of them before a policy selects only one.",
                command=f"kubectl get pods -n {namespace} --show-labels | grep '^{prefix}-'",
                evidence=few(str(o) for o in owners),
                severity=Severity.WARNING,
            )


def _who(owners: tuple[Subject, ...], prefix: str, namespace: str) -> Subject:
    owned = next((o for o in owners if o.kind != "Pod"), None)
    return owned or Subject("Pod", f"{prefix}-*", namespace)


def _torn(isolation: Isolation, identities: Identities) -> dict[Identity, list[str]]:
    """Return the identities of whose bearers some policy selects only some, with the names of these policies."""
    of_class: dict[int, list[Identity]] = {}
    for identity, classes in identities.shared.items():
        for index in indexes_of(classes):
            of_class.setdefault(index, []).append(identity)
    torn: dict[Identity, list[str]] = {}
    for subjects in isolation.subjects:
        hit = subjects.selected & identities.entangled
        # What others get from a policy that selects all of them is the same for all.
        if hit and identities.spread(hit) != hit:
            touched = dict.fromkeys(identity for index in indexes_of(hit) for identity in of_class[index])
            for identity in touched:
                if identities.shared[identity] & ~hit:
                    torn.setdefault(identity, []).append(subjects.policy.name)
    return torn
