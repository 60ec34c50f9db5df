"""How expectations ended (``policy test``): text, JSON and JUnit XML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eksnetpol.policy.cases import Case, Labelled, Outcome
from eksnetpol.policy.profile import Profile
from eksnetpol.reporting import policy_words as words
from eksnetpol.reporting.escape import encodable, xml, xml_attribute
from eksnetpol.reporting.policy_reach import deciders

_WORDS = {True: "allowed", False: "denied"}


@dataclass(frozen=True, slots=True)
class CasesPage:
    """How cases ended, and under which meaning; ``other`` is how they end under the other one, where both were asked for."""

    outcomes: tuple[Outcome, ...]
    profile: Profile
    other: tuple[Profile, tuple[Outcome, ...]] | None = None

    @property
    def differing(self) -> tuple[tuple[Outcome, Outcome], ...]:
        """Cases that end otherwise under the other meaning: how they end here, and there."""
        others = self.other[1] if self.other else self.outcomes
        return tuple((a, b) for a, b in zip(self.outcomes, others, strict=True) if _ended(a) != _ended(b))


def text(page: CasesPage, place_of: words.PlaceOf, width: int, *, color: bool) -> str:
    """Return a line for each case with what decided it, failures in full and last, and the count."""
    failed = [o for o in page.outcomes if not o.passed]
    parts = [(0, f"ok    {o.case.name}: {_ended(o)}{_because(o, place_of)}") for o in page.outcomes if o.passed]
    for outcome in failed:
        parts.append((0, f"FAIL  {outcome.case.name}: expected {_WORDS[outcome.case.allow]}, is {_ended(outcome)}"))
        parts += [(6, line) for line in _reasons(outcome, place_of)]
        parts.append((6, f"the case is at {outcome.case.place}"))
    parts += [(0, ""), (0, count(page.outcomes))]
    if page.other is not None:
        parts += [(0, ""), *_compared(page, page.other[0], place_of)]
    return words.lines(parts, width, ascii_only=not color)


def count(outcomes: Sequence[Outcome]) -> str:
    """Return how many passed and failed, in words."""
    failed = sum(not o.passed for o in outcomes)
    return f"{len(outcomes) - failed} passed, {failed} failed"


def json(page: CasesPage, place_of: words.PlaceOf) -> str:
    """Return all cases as JSON."""
    document = {**words.profile_document(page.profile), "cases": [_document(o, place_of) for o in page.outcomes]}
    if page.other is not None:
        profile = words.profile_document(page.other[0])
        document["compared"] = {**profile, "differences": [_document(theirs, place_of) for _, theirs in page.differing]}
    return words.dumped(document)


def junit(page: CasesPage, place_of: words.PlaceOf) -> str:
    """Return all cases as JUnit XML, in a suite for each file."""
    files: dict[str, list[Outcome]] = {}
    for outcome in page.outcomes:
        files.setdefault(outcome.case.place.rpartition(":")[0], []).append(outcome)
    body: list[str] = []
    for file, mine in files.items():
        body.append(f'  <testsuite name="{xml_attribute(file)}" {_counts(mine)} time="0">')
        body += [line for outcome in mine for line in _testcase(outcome, file, place_of)]
        body.append("  </testsuite>")
    head = f'<testsuites name="eksnetpol policy test" {_counts(page.outcomes)} time="0">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *body, "</testsuites>"]) + "\n"


def _compared(page: CasesPage, other: Profile, place_of: words.PlaceOf) -> Iterator[tuple[int, str]]:
    """Yield lines on the cases that end otherwise under the other meaning, each with what decides it there."""
    for mine, theirs in page.differing:
        yield 0, f"{mine.case.name}: {_ended(theirs)} under {other.semantics}, {_ended(mine)} under {page.profile.semantics}"
        yield from ((2, line) for line in _reasons(theirs, place_of))
    if not page.differing:
        yield 0, f"Under {other.semantics} every case ends alike."


def _ended(outcome: Outcome) -> str:
    reply = outcome.reply
    if reply.partial:
        return f"allowed only in part ({words.partly(reply.connections)})"
    return _WORDS[reply.allowed]


def _because(outcome: Outcome, place_of: words.PlaceOf) -> str:
    """Return the one that settled it, in a few words."""
    settled = outcome.reply.settled
    if not settled:
        return ", nothing restricts it"
    last = settled[-1]
    if last.subject is None:
        return f", {last.words}"
    place = place_of(last.subject, last.place)
    by = " ".join(p for p in (str(last.subject), last.place) if p)
    return f" by {by}" + (f" ({place})" if place else "")


def _reasons(outcome: Outcome, place_of: words.PlaceOf) -> Iterator[str]:
    reply = outcome.reply
    what = f" on {reply.asked.text}" if reply.asked else ""
    yield f"{reply.source.title} to {reply.destination.title}{what}"
    for decision in reply.decisions[:1]:
        if reply.partial or (reply.asked and reply.asked.port is None):
            yield f"e.g. {decision.source} to {decision.destination} on {words.on(decision.protocol, decision.port)}"
        for heading, said in words.sides(decision, place_of):
            yield heading
            yield from (f"  {line}" for line in said)
    yield from (f"note: {note}" for note in words.notes(reply.notes))


def _document(outcome: Outcome, place_of: words.PlaceOf) -> dict[str, Any]:
    case, reply = outcome.case, outcome.reply
    return {
        "name": encodable(case.name),
        "from": _party(case.source),
        "to": _party(case.destination),
        "port": case.port,
        "protocol": reply.asked.protocol if reply.asked else None,
        "allowed": reply.allowed,
        "expected": case.allow,
        "passed": outcome.passed,
        "partial": reply.partial,
        "place": encodable(case.place),
        "deciders": deciders(reply.decisions[:1], place_of),
        "notes": [encodable(note) for note in reply.notes],
    }


def _party(side: str | Labelled) -> Any:
    if isinstance(side, Labelled):
        return {"namespace": encodable(side.namespace), "labels": dict(side.labels)}
    return encodable(side)


def _counts(outcomes: Sequence[Outcome]) -> str:
    failed = sum(not o.passed for o in outcomes)
    return f'tests="{len(outcomes)}" failures="{failed}" errors="0" skipped="0"'


def _testcase(outcome: Outcome, file: str, place_of: words.PlaceOf) -> Iterator[str]:
    case: Case = outcome.case
    line = case.place.rpartition(":")[2]
    where = f'file="{xml_attribute(file)}" line="{xml_attribute(line)}"'
    opening = f'    <testcase classname="eksnetpol.policy" name="{xml_attribute(case.name)}" {where} time="0"'
    if outcome.passed:
        yield f"{opening}/>"
        return
    message = f"expected {_WORDS[case.allow]}, is {_ended(outcome)}"
    body = "\n".join(_reasons(outcome, place_of))
    yield f"{opening}>"
    yield f'      <failure type="policy" message="{xml_attribute(message)}">{xml(body)}</failure>'
    yield "    </testcase>"
