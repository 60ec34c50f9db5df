"""What ``policy reach`` and ``policy explain`` answer, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from eksnetpol.policy.answers import Decision
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.questions import Reply
from eksnetpol.policy.suggest import Suggestion
from eksnetpol.reporting import policy_words as words
from eksnetpol.reporting.escape import encodable, visible

_WORDS = {True: "allowed", False: "denied"}


@dataclass(frozen=True, slots=True)
class Page:
    """An answer and what is shown with it. ``other`` is the answer under the other meaning, where both were asked for."""

    reply: Reply
    profile: Profile
    other: tuple[Profile, Reply] | None = None
    explained: bool = False
    suggestions: tuple[Suggestion, ...] = ()
    then: Reply | None = None
    """The answer once all suggestions are there."""


def text(page: Page, place_of: words.PlaceOf, width: int, *, color: bool) -> str:
    """Return *page* for a terminal of *width* columns; ASCII alone without *color*."""
    shown = words.lines(_parts(page, place_of), width, ascii_only=not color)
    return shown + manifests(page)


def manifests(page: Page) -> str:
    """Return the policies that would allow it, as YAML; empty where there is nothing to add."""
    return "".join(_manifest(s) for s in page.suggestions)


def json(page: Page, place_of: words.PlaceOf) -> str:
    """Return *page* as JSON."""
    return words.dumped(_document(page, place_of))


def _parts(page: Page, place_of: words.PlaceOf) -> Iterator[tuple[int, str]]:
    yield 0, words.sentence(page.reply)
    for number, decision in enumerate(page.reply.decisions):
        if len(page.reply.decisions) > 1 or page.reply.asked is None or page.reply.asked.port is None:
            yield 0, ""
            yield 0, f"{'e.g. ' if not number else ''}{words.on(decision.protocol, decision.port)} is {_verdict(decision)}:"
        yield from _sides(page, decision, place_of)
    for note in words.notes(page.reply.notes):
        yield 0, f"note: {note}"
    if page.other is not None:
        yield from _compared(page, *page.other, place_of)
    if page.suggestions:
        yield 0, ""
        yield from _promised(page, place_of)


def _verdict(decision: Decision) -> str:
    return "allowed for some pairs of pods and denied for others" if decision.partial else _WORDS[decision.allowed]


def _sides(page: Page, decision: Decision, place_of: words.PlaceOf) -> Iterator[tuple[int, str]]:
    if decision.partial:
        yield 2, f"for example {decision.source} to {decision.destination}"
    for heading, said in words.sides(decision, place_of, everybody=page.explained):
        yield 2, heading
        for line in said:
            yield 4, line


def _compared(page: Page, profile: Profile, other: Reply, place_of: words.PlaceOf) -> Iterator[tuple[int, str]]:
    yield 0, ""
    if (other.allowed, other.partial, other.connections) == (page.reply.allowed, page.reply.partial, page.reply.connections):
        yield 0, f"Under {profile.semantics} it is the same."
        return
    yield 0, f"Under {profile.semantics} it differs: {words.sentence(other)}"
    for decision in other.decisions[:1]:
        yield 2, f"for example {decision.source} to {decision.destination} on {words.on(decision.protocol, decision.port)}"
        for heading, said in words.sides(decision, place_of):
            yield 2, heading
            for line in said:
                yield 4, line
    for note in words.notes(other.notes):
        if note not in words.notes(page.reply.notes):
            yield 2, f"note: {note}"


def _promised(page: Page, place_of: words.PlaceOf) -> Iterator[tuple[int, str]]:
    if page.then is None:
        yield 0, "No rule that is added would allow it:"
    elif page.then.allowed and not page.then.partial:
        one = "The smallest rule that would allow it" if len(page.suggestions) == 1 else "The smallest rules that together would"
        yield 0, f"{one}:"
    else:
        yield 0, f"This would be needed, and does not suffice: then {words.sentence(page.then)}"
        for decision in page.then.decisions[:1]:
            for heading, said in words.sides(decision, place_of):
                yield 2, heading
                yield from ((4, line) for line in said)


def _manifest(suggestion: Suggestion) -> str:
    if not suggestion.policy:
        return f"---\n# {visible(suggestion.words)}\n"
    body = yaml.safe_dump(dict(suggestion.policy), sort_keys=False, width=120)
    return f"---\n# {visible(suggestion.words)}\n{body}"


def _document(page: Page, place_of: words.PlaceOf) -> dict[str, Any]:
    document = reply_document(page.reply, place_of) | words.profile_document(page.profile)
    if page.explained:
        document["suggestions"] = [_suggested(s) for s in page.suggestions]
        document["suffices"] = None if page.then is None else page.then.allowed and not page.then.partial
    if page.other is not None:
        profile, other = page.other
        document["compared"] = reply_document(other, place_of) | words.profile_document(profile)
    return document


def reply_document(reply: Reply, place_of: words.PlaceOf) -> dict[str, Any]:
    """Return an answer as JSON has it."""
    return {
        "from": encodable(reply.source.title),
        "to": encodable(reply.destination.title),
        "asked": None if reply.asked is None else encodable(reply.asked.text),
        "allowed": reply.allowed,
        "partial": reply.partial,
        "connections": {
            "every": words.connections_document(reply.connections.every),
            "some": words.connections_document(reply.connections.some),
        },
        "deciders": deciders(reply.decisions[:1], place_of),
        "decisions": [words.decision_document(d, place_of) for d in reply.decisions],
        "notes": [encodable(note) for note in reply.notes],
    }


def deciders(decisions: Sequence[Decision], place_of: words.PlaceOf) -> list[dict[str, Any]]:
    """Return all that had a say in *decisions*, as JSON has it."""
    return [words.decider_document(d, place_of) for decision in decisions for d in decision.deciders]


def _suggested(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "direction": suggestion.direction.value,
        "words": encodable(suggestion.words),
        "policy": dict(suggestion.policy) or None,
        "into": None if suggestion.into is None else str(suggestion.into),
    }
