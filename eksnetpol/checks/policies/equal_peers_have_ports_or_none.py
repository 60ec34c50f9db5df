"""A peer has all its ports in one kind of rule: with ports, or without."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import few
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.rules import Rule, Rules, peer_classes
from eksnetpol.policy.universe import Classes, Universe

_EVERYWHERE = ("0.0.0.0/0", "::/0")


@check(
    title="no policy opens all ports and certain ports to one peer",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=("aws/amazon-network-policy-controller-k8s#98", "aws/amazon-network-policy-controller-k8s#197"),
    intents=ENFORCING,
    about="objects",
)
def equal_peers_have_ports_or_none(rules: Rules, universe: Universe) -> Iterator[Finding]:
    """
    The controller unites the rules of a policy that name the same addresses. Before v1.1.3 a rule without ports, which opens
    all, was lost in one with ports. The release of the controller cannot be asked for, and the rule with ports says nothing
    that the other does not.
    """
    found: dict[Subject, list[str]] = {}
    for together in _several(rules.everything):
        open_, ported = [r for r in together if not r.ports], [r for r in together if r.ports]
        for rule in ported:
            for other in open_:
                if _shared(universe, rule, other):
                    found.setdefault(rule.subject, []).append(f"{other.place} opens all ports to peers of {rule.place}")
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=f"{places[0]}; older controllers keep the certain ports alone",
            remedy="Remove the peers from the rule with ports, or from the one without.",
            command=edit(subject),
            evidence=few(places),
        )


def _several(rules: Iterable[Rule]) -> Iterator[list[Rule]]:
    """Yield the rules of each policy and direction that has some with ports and some without; they stand together."""
    group: list[Rule] = []
    mixed, ports = False, False
    for rule in rules:
        if group and rule.at == group[0].at and rule.direction is group[0].direction:
            group.append(rule)
            mixed = mixed or bool(rule.ports) is not ports
            continue
        if mixed:
            yield group
        group, mixed, ports = [rule], False, bool(rule.ports)
    if mixed:
        yield group


def _shared(universe: Universe, one: Rule, other: Rule) -> bool:
    return bool(_blocks(one) & _blocks(other)) or bool(_pods(universe, one) & _pods(universe, other))


def _blocks(rule: Rule) -> set[tuple[str, tuple[str, ...]]]:
    blocks = {(p.ip_block.cidr, tuple(sorted(p.ip_block.except_))) for p in rule.peers if p.ip_block is not None}
    return blocks if rule.peers else {(cidr, ()) for cidr in _EVERYWHERE}


def _pods(universe: Universe, rule: Rule) -> Classes:
    answer = 0
    for peer in rule.peers:
        answer |= peer_classes(universe, rule.policy.metadata.namespace, peer)
    return answer
