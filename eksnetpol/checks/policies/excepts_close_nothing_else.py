"""What a block excepts, no other rule for the same pods allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import count, some
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.addresses import Network, covers, parse_cidr
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.peers import place_of
from eksnetpol.policy.reach import Blocks
from eksnetpol.policy.rules import Rule, Rules
from eksnetpol.policy.universe import Classes

_EVERYWHERE = ("0.0.0.0/0", "::/0")


class _Opened(NamedTuple):
    """A block without some of its parts, whatever the ports."""

    cidr: str
    excepts: tuple[str, ...]


@check(
    title="what a block excepts is allowed by no wider rule for the same pods",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=("aws/aws-network-policy-agent#92", "aws/aws-network-policy-agent#120", "aws/aws-network-policy-agent#481"),
    intents=ENFORCING,
    about="objects",
)
def excepts_close_nothing_else(
    rules: Rules, isolation: Isolation, egress_blocks: Blocks, ingress_blocks: Blocks
) -> Iterator[Finding]:
    """
    In Kubernetes an `except` only says what its own block leaves out. The agent keeps it as a denial, which holds against every
    wider block that any other rule or policy opens to the same pods; only a rule for exactly that block, or for one inside it,
    comes before it. Where an except closes the cluster's DNS, the check of DNS says so.
    """
    found: dict[int, tuple[Subject, dict[str, str]]] = {}
    pods: dict[int, Classes] = {}
    for blocks in (egress_blocks, ingress_blocks):
        lost = _lost(blocks)
        closers = _closers(blocks)
        cidrs = {opened.cidr for opened in lost}
        for rule, index, opened in _openings(rules, blocks, cidrs) if lost else ():
            for hole, classes in lost.get(opened, {}).items():
                mine = classes & isolation.subjects[rule.at].selected
                if mine:
                    where = rule.place if index is None else place_of(rule, index)
                    names = some((name for name, shut in closers[hole] if shut & mine), 3)
                    if rule.at not in found:
                        found[rule.at] = (rule.subject, {})
                    found[rule.at][1][f"{where} opens {opened.cidr}, but not {hole}"] = ", ".join(names)
                    pods[rule.at] = pods.get(rule.at, 0) | mine
    for at, (subject, places) in found.items():
        words, closing = next(iter(places.items()))
        number = isolation.universe.count_pods(pods[at])
        yield Finding(
            subject=subject,
            message=f"{words}: closed to {count(number, 'pod')} by the except of {closing}",
            remedy="Allow the excepted block by itself where it is wanted, or except it here too.",
            command=edit(subject),
            evidence=some(f"{words} (except of {closing})" for words, closing in places.items()),
        )


def _lost(blocks: Blocks) -> Mapping[_Opened, Mapping[str, Classes]]:
    """Return what blocks seem to open and some except denies: by block, the excepted parts and the classes that lose them."""
    opened: dict[_Opened, Classes] = {}
    ruled: dict[Network | None, Classes] = {}
    denied: dict[str, Classes] = {}
    for block, classes in blocks.selected.items():
        key = _Opened(block.cidr, block.excepts)
        opened[key] = opened.get(key, 0) | classes
        for hole in block.excepts:
            denied[hole] = denied.get(hole, 0) | classes
    if not denied:
        return {}
    for key, classes in opened.items():
        network = parse_cidr(key.cidr)
        ruled[network] = ruled.get(network, 0) | classes
    found: dict[_Opened, dict[str, Classes]] = {}
    for hole, shut in denied.items():
        network = parse_cidr(hole)
        shut &= ~ruled.get(network, 0)  # noqa: PLW2901 - what is left of it
        if network is None or not shut:
            continue
        for _, block, _ in blocks.holding(network):
            key = _Opened(block.cidr, block.excepts)
            classes = opened[key] & shut
            if classes and covers(key.cidr, hole) and not any(covers(e, hole) for e in key.excepts):
                found.setdefault(key, {})[hole] = classes
    return found


def _openings(rules: Rules, blocks: Blocks, cidrs: set[str]) -> Iterator[tuple[Rule, int | None, _Opened]]:
    """Yield those of *cidrs* in rules of one direction, with the place among their peers; None where they have none."""
    everywhere = [_Opened(cidr, ()) for cidr in _EVERYWHERE]
    for rule in rules.without_peers:
        if rule.direction is blocks.direction:
            yield from ((rule, None, opened) for opened in everywhere)
    for rule in rules.with_blocks:
        if rule.direction is blocks.direction:
            for index, peer in enumerate(rule.peers):
                if peer.ip_block is not None and peer.ip_block.cidr in cidrs:
                    yield rule, index, _Opened(peer.ip_block.cidr, peer.ip_block.except_)


def _closers(blocks: Blocks) -> Mapping[str, list[tuple[str, Classes]]]:
    """Return, for each excepted block, the rules that except it, and the pods they are for."""
    found: dict[str, list[tuple[str, Classes]]] = {}
    for block, rules in blocks.exceptions.items():
        for hole in block.excepts:
            found.setdefault(hole, []).extend((f"{rule.policy.name} {rule.place}", classes) for rule, classes in rules)
    return found
