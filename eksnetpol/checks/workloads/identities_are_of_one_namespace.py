"""No two namespaces have pods that an old agent takes for one."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import listed
from eksnetpol.facts.changing import Changing
from eksnetpol.model.findings import Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release
from eksnetpol.policy.identities import Identities
from eksnetpol.policy.identity import SEPARATED_SINCE
from eksnetpol.policy.isolation import Isolation

FIXED_IN_CNI = Release(1, 22, 4)


@check(
    title="pods of two namespaces are never one to the agent",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=("aws/aws-network-policy-agent#576",),
    intents=ENFORCING,
)
def identities_are_of_one_namespace(
    isolation: Isolation, identities: Identities, agent_release: Release | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown]:
    """
    Before v1.4.0 the agent joined a pod's name and its namespace with a dash: a-b in namespace c and a in namespace b-c were one,
    and each got the rules of the other, across the border that a namespace is meant to be.
    """
    if isinstance(agent_release, Release) and agent_release.base >= SEPARATED_SINCE:
        return
    for name, namespaces in _ambiguous(isolation, identities).items():
        subject = Subject("Namespace", namespaces[0])
        if isinstance(agent_release, Unread):
            yield Unknown(subject, f"whether pods of {listed(namespaces)} are one to the agent: {agent_release.reason}")
            continue
        fixed = next((f.cni for f in releases.fix if f.of == "agent" and f.since == SEPARATED_SINCE), FIXED_IN_CNI)
        yield Finding(
            subject=subject,
            message=f"agent {agent_release} takes pods of {listed(namespaces)} for one: it calls both {name}",
            remedy=f"Upgrade to VPC CNI {fixed} with agent {SEPARATED_SINCE} or later, or rename a workload.",
            command=changing.upgrade(fixed),
        )


def _ambiguous(isolation: Isolation, identities: Identities) -> dict[str, tuple[str, ...]]:
    """Return names that identities of different namespaces come to, where a policy isolates one of them."""
    classes = isolation.universe.classes
    first: dict[str, str] = {}
    again: dict[str, set[str]] = {}
    for index, prefixes in identities.of_class.items():
        namespace = classes[index].namespace
        for prefix in prefixes:
            name = f"{prefix}-{namespace}"
            before = first.setdefault(name, namespace)
            if before != namespace:
                again.setdefault(name, {before}).add(namespace)
    isolated = {n for n, c in isolation.universe.in_namespace.items() if c & isolation.either} if again else set()
    return {name: tuple(sorted(found)) for name, found in again.items() if found & isolated}
