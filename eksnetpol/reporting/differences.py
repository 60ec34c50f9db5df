"""Where two meanings of the same policies differ, each with a case that shows it."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.policy.answers import Decision
from eksnetpol.policy.difference import Changed, Difference, witness
from eksnetpol.policy.questions import settling
from eksnetpol.reporting import policy_words as words
from eksnetpol.reporting.matrix_view import in_words
from eksnetpol.reporting.view import plural

_SHOWN = 20


def cases(found: Difference, *, verbose: bool = False) -> Iterator[tuple[int, str]]:
    """Yield lines, with their indent, on where the two sides of *found* differ: its engines are of one world."""
    mine, other = found.before.engine.profile.semantics, found.after.engine.profile.semantics
    if not found.changes:
        yield 0, f"Under {other} everything is the same."
        return
    yield 0, f"Under {other} {plural(len(found.changes), 'pair')} {'has' if len(found.changes) == 1 else 'have'} something else:"
    shown = found.changes if verbose else found.changes[:_SHOWN]
    for change in shown:
        yield 2, f"{change.source.title} to {change.destination.title}: {_what(change, str(mine), str(other))}"
        yield from ((4, line) for line in _shown_by(found, change))
    if len(shown) < len(found.changes):
        yield 2, f"and {len(found.changes) - len(shown):,} more; -v shows all"


def _what(change: Changed, mine: str, other: str) -> str:
    before = in_words(change.before) if change.before.some else "nothing"
    after = in_words(change.after) if change.after.some else "nothing"
    return f"{before} under {mine}, {after} under {other}"


def _shown_by(found: Difference, change: Changed) -> Iterator[str]:
    case = witness(found, change)
    if case is None:
        return
    first, second = case
    yield f"e.g. {first.source} to {first.destination} on {words.on(first.protocol, first.port)}"
    for semantics, decision in ((found.before.engine.profile.semantics, first), (found.after.engine.profile.semantics, second)):
        yield f"{semantics}: {'allowed' if decision.allowed else 'denied'}; {_why(decision)}"


def _why(decision: Decision) -> str:
    said = [d.words for side in decision.sides if side.allowed == decision.allowed for d in settling(side)]
    return "; ".join([*dict.fromkeys(said), *decision.notes]) or "nothing restricts it"
