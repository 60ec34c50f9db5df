"""Egress to addresses names ports by number."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import few, listed
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.rules import Direction, Rules, names_of


@check(
    title="egress to address blocks uses port numbers",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=("https://github.com/aws/amazon-network-policy-controller-k8s", LIMIT),
    intents=ENFORCING,
    about="objects",
)
def egress_blocks_use_port_numbers(rules: Rules) -> Iterator[Finding]:
    """
    A port name is looked up on pods. An egress rule to an ipBlock, or without `to`, leads to no pod, so the controller drops its
    names without a word; where nothing else is left of its ports, the block is dropped too.
    """
    found: dict[Subject, list[str]] = {}
    for rule in rules.with_names:
        to_addresses = not rule.peers or any(p.ip_block is not None for p in rule.peers)
        if rule.direction is Direction.EGRESS and to_addresses:
            names = listed(str(p) for p in names_of(rule.ports))
            found.setdefault(rule.subject, []).append(f"{rule.place}: {names}")
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=f"{places[0]}: names mean nothing towards addresses, and are dropped",
            remedy="Use numbers, in a rule of their own.",
            command=f"kubectl edit {subject.kind.lower()} {subject.name} -n {subject.namespace}",
            evidence=few(places),
        )
