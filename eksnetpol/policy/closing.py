"""Which policies close what somebody needs."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.model.findings import Subject
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.reach import Reach
from eksnetpol.policy.universe import Classes


def excepting(found: Reach, needed: Classes) -> Iterator[tuple[Subject, str, Classes]]:
    """Yield the rules whose ``except`` stops pods of *needed*: policy, place in it, and the pods."""
    stopped = found.excepted & needed
    for rule, selected in found.exceptions:
        if selected & stopped:
            yield rule.subject, rule.place, selected & stopped


def closing(isolation: Isolation, refused: Classes) -> Iterator[tuple[Subject, Classes]]:
    """Yield policies that isolate *refused* in egress, the widest first, each with those that no one before it had."""
    takers = [(s.selected & refused, s) for s in isolation.subjects if s.selected & refused and s.policy.isolates_egress]
    takers.sort(key=lambda taker: -taker[0].bit_count())
    for classes, subjects in takers:
        mine = classes & refused
        if mine:
            refused &= ~mine
            yield subjects.subject, mine
