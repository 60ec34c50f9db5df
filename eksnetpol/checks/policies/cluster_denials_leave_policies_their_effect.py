"""What NetworkPolicies allow, no cluster policy denies."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, NotApplicable, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import few
from eksnetpol.facts.cluster_rules import ADMIN, ClusterRulebook, PlacedRule
from eksnetpol.model.cluster_rules import Action
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.addresses import covers
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.peers import SelectedPeer, place_of
from eksnetpol.policy.rules import EVERYTHING, Direction, Rule, Rules, entries_of
from eksnetpol.policy.universe import Classes

LAST = 65535


@check(
    title="no cluster policy denies what NetworkPolicies allow",
    severity=Severity.WARNING,
    docs="https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html",
    sources=("https://github.com/aws/aws-network-policy-agent", "aws/containers-roadmap#2725"),
    intents=ENFORCING,
    about="objects",
)
def cluster_denials_leave_policies_their_effect(
    cluster_rulebook: ClusterRulebook, isolation: Isolation, rules: Rules, selected_peers: tuple[SelectedPeer, ...]
) -> Iterator[Finding]:
    """
    A rule of the Admin tier that denies is asked before all NetworkPolicies. A peer of theirs that it holds entirely, with all
    its ports, allows nothing, although the policy reads as if it did. Accept and Pass of a lower priority number come first and
    leave it its effect; only what is denied as a whole is said here.
    """
    denials = [r for r in cluster_rulebook.rules if r.tier == ADMIN and r.rule.action is Action.DENY]
    if not denials:
        raise NotApplicable("no ClusterNetworkPolicy of the Admin tier denies anything")
    found: dict[Subject, list[str]] = {}
    for denial in denials:
        meant = denial.classes(isolation.universe)
        for rule, index in _held(denial, meant, rules, selected_peers):
            selected = isolation.subjects[rule.at].selected & isolation.policed
            spared = _spared(cluster_rulebook, denial)
            if selected & ~spared and not selected & ~denial.selected and _covers_ports(denial, rule):
                found.setdefault(rule.subject, []).append(
                    f"{place_of(rule, index)} is denied by {denial.place} of clusternetworkpolicy/{denial.policy}"
                )
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=f"{places[0]}, and so allows nothing",
            remedy="Narrow the rule that denies, or say Pass or Accept in a cluster policy of a lower priority number.",
            command=edit(subject),
            evidence=few(places),
        )


def _held(
    denial: PlacedRule, meant: Classes, rules: Rules, selected_peers: tuple[SelectedPeer, ...]
) -> Iterator[tuple[Rule, int]]:
    """Yield the peers of policies' rules that *denial* holds entirely."""
    for peer in selected_peers if meant else ():
        if peer.classes and not peer.classes & ~meant:
            for rule, index in peer.places:
                if rule.direction is denial.direction:
                    yield rule, index
    networks = [n for p in denial.peers for n in p.networks]
    for rule in rules.with_blocks if networks else ():
        for index, own in enumerate(rule.peers if rule.direction is denial.direction is Direction.EGRESS else ()):
            if own.ip_block is not None and any(covers(n, own.ip_block.cidr) for n in networks):
                yield rule, index


def _spared(rulebook: ClusterRulebook, denial: PlacedRule) -> Classes:
    """Return the classes for which a rule that accepts or passes comes before *denial*: it may spare them, so nothing is said."""
    answer = 0
    for earlier in rulebook.of(ADMIN, denial.direction):
        if earlier is denial:
            break
        if earlier.rule.action is not Action.DENY:
            answer |= earlier.selected
    return answer


def _covers_ports(denial: PlacedRule, rule: Rule) -> bool:
    matches = denial.rule.matches
    if matches is None:
        return True
    entries = entries_of(rule.ports)
    if len(entries) < len(rule.ports) or EVERYTHING in entries:
        return False
    return all(
        any(m.protocol == protocol and m.low <= (low or 1) and (high or LAST if low else LAST) <= m.high for m in matches)
        for protocol, low, high in entries
    )
