"""Every namespace with pods of its own has a policy."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import BEST_PRACTICES, ENFORCING, check
from eksnetpol.checks.words import count, few
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.snapshot import Target
from eksnetpol.policy.isolation import Isolation

SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease"})


@check(
    title="every namespace with pods has a policy",
    severity=Severity.ADVICE,
    docs=BEST_PRACTICES,
    sources=(BEST_PRACTICES,),
    intents=ENFORCING,
)
def namespaces_have_policies(isolation: Isolation, target: Target) -> Iterator[Finding | Evidence]:
    """
    Where no policy selects a pod, everything may reach it and it may reach everything. AWS advises to begin each namespace with a
    policy that denies all, and to allow from there. Policies for the whole cluster are not counted.
    """
    universe = isolation.universe
    busy = [n for n, classes in universe.in_namespace.items() if n not in SYSTEM and classes & isolation.policed]
    with_policies = {s.policy.namespace for s in isolation.subjects}
    open_ones = sorted(n for n in busy if n not in with_policies)
    yield Evidence(f"{len(busy) - len(open_ones)} of {count(len(busy), 'namespace')} with pods have a policy")
    if open_ones:
        yield Finding(
            subject=Subject("Cluster", target.title),
            message=f"{count(len(open_ones), 'namespace')} with pods have no policy: nothing is closed there",
            remedy="Begin each with a policy that denies all, and allow what is needed.",
            command="kubectl get networkpolicies -A",
            evidence=few(open_ones, 20),
        )
