"""Rules that allow everything leave no other rule without effect."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import count, listed
from eksnetpol.model.findings import Finding, Severity
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Direction, Rule, Rules
from eksnetpol.policy.universe import Classes

CLOSING = re.compile(r"\b(deny|block|isolate|isolation|restrict|lockdown|quarantine)", re.IGNORECASE)


@check(
    title="no rule allows everything beside rules that would close",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "https://kubernetes.io/docs/concepts/services-networking/network-policies/"),
    intents=ENFORCING,
    about="objects",
)
def allow_all_rules_stand_alone(rules: Rules, isolation: Isolation) -> Iterator[Finding]:
    """
    Policies add up: what one allows, no other takes back. A rule without peers and without ports (`- {}`, or an empty `from`)
    lets everything through in its direction, and every other rule for the same pods decides nothing any more. In a policy whose
    name speaks of closing it is surely not meant.
    """
    for direction in Direction:
        opening = [r for r in rules.without_peers if r.direction is direction and not r.ports]
        if not opening:
            continue
        selected = [s.selected for s in isolation.subjects]
        open_ = 0
        for rule in opening:
            open_ |= selected[rule.at]
        moot = [r for r in rules.everything if r.direction is direction and (r.peers or r.ports) and selected[r.at]]
        moot = [r for r in moot if not selected[r.at] & ~open_]
        for rule in opening:
            yield from _said(rule, moot, selected)


def _said(rule: Rule, moot: list[Rule], selected: list[Classes]) -> Iterator[Finding]:
    names = tuple(dict.fromkeys(r.policy.name for r in moot if selected[r.at] & selected[rule.at]))
    if CLOSING.search(rule.policy.name):
        message = f"{rule.place} allows everything, in a policy that is called {rule.policy.name}"
    elif names:
        message = f"{rule.place} allows everything, so that {count(len(names), 'policy', 'policies')} decide nothing for its pods"
    else:
        return
    yield Finding(
        subject=rule.subject,
        message=message,
        remedy="Remove the rule, or say in it who is meant.",
        command=edit(rule.subject),
        evidence=(f"without effect: {listed(names)}",) if names else (),
    )
