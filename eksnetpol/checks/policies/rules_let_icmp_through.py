"""Something lets ICMP through to isolated pods."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import LIMIT, LINT_ALONE, NotApplicable, check
from eksnetpol.checks.places import show_policies
from eksnetpol.checks.words import count, some
from eksnetpol.model.findings import Finding, Severity
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Direction, Rule, Rules
from eksnetpol.policy.weights import Weights


@check(
    title="some rule without ports lets ICMP through",
    severity=Severity.ADVICE,
    docs=LIMIT,
    sources=("aws/aws-network-policy-agent#90", "aws/aws-network-policy-agent#207"),
    intents=LINT_ALONE,
    about="objects",
)
def rules_let_icmp_through(
    rules: Rules, isolation: Isolation, weights: Weights, ip_family: str | Unread
) -> Iterator[Finding]:
    """
    Policies name ports of TCP, UDP and SCTP. ICMP, and every protocol without ports, passes only where a rule has no ports at
    all; a rule for "all TCP ports" denies it. Besides ping this stops the messages by which IPv4 finds the size of packets on a
    path, so that large transfers over tunnels hang. ICMPv6 is always let through. Of each namespace one policy is named.
    """
    if ip_family == "ipv6":
        raise NotApplicable("the agent always lets ICMPv6 through")
    selected = [s.selected for s in isolation.subjects]
    for direction, isolated in ((Direction.INGRESS, isolation.ingress), (Direction.EGRESS, isolation.egress)):
        mine = [r for r in rules.everything if r.direction is direction]
        passing = 0
        for rule in mine:
            if not rule.ports:
                passing |= selected[rule.at]
        stopped = isolated & ~passing
        by_namespace: dict[str, list[Rule]] = {}
        for rule in mine if stopped else ():
            if selected[rule.at] & stopped:
                by_namespace.setdefault(rule.policy.metadata.namespace, []).append(rule)
        for namespace, rules_ in by_namespace.items():
            pods = weights.of(isolation.universe.in_namespace[namespace] & stopped)
            yield Finding(
                subject=rules_[0].subject,
                message=(
                    f"every {direction.lower()} rule for {count(pods, 'pod')} of namespace {namespace} names ports, so that no "
                    "ICMP passes"
                ),
                remedy="Where ping or path discovery matters, allow the peers it is for in a rule without ports.",
                command=show_policies(namespace),
                evidence=some(r.policy.name for r in rules_),
            )
