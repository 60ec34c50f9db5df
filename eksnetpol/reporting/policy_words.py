"""Words and documents that all answers about policies share: sentences, who decided, and where that stands."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from eksnetpol.model.findings import Subject
from eksnetpol.policy.answers import Answer, Decider, Decision, Side
from eksnetpol.policy.connections import ICMP, Connections
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.questions import ECHO, Reply, settling
from eksnetpol.reporting.escape import encodable, visible

PlaceOf = Callable[[Subject | None, str], str]
"""Where a rule stands: ``file:line``, empty where it came from no file."""

_NARROWEST = 40


def sentence(reply: Reply) -> str:
    """Return the answer in one sentence."""
    source, destination = reply.source.title, reply.destination.title
    on = f" on {reply.asked.text}" if reply.asked else ""
    if reply.allowed and not reply.partial:
        if reply.asked:
            return f"{source} may reach {destination}{on}."
        if reply.connections.every.is_everything:
            return f"{source} may reach {destination} on everything."
        return f"{source} may reach {destination} on {reply.connections.every}."
    if reply.partial:
        return f"{source} may reach {destination}{on} only in part: {partly(reply.connections)}."
    return f"{source} may not reach {destination}{on}{'' if reply.asked else ' at all'}."


def partly(answer: Answer) -> str:
    """Return what every and what some pairs of pods have, where that differs."""
    some = answer.some - answer.every
    if answer.every and some:
        return f"every pair on {answer.every}, some pairs on {some} as well"
    return f"some pairs, on {some}" if some else f"{answer.every} alone"


def on(protocol: str, number: int) -> str:
    """Return one connection in words: ``TCP 8080``."""
    return "an ICMP echo request" if (protocol, number) == (ICMP, ECHO) else f"{protocol} {number}"


def heading(side: Side) -> str:
    """Return what a side says as a whole."""
    word = side.direction.lower()
    if not side.isolated and not side.deciders:
        return f"{word}: allowed, nothing restricts it"
    return f"{word}: {'allowed' if side.allowed else 'denied'}"


def said(decider: Decider, place_of: PlaceOf) -> str:
    """Return what one that had a say said, and where it stands."""
    place = place_of(decider.subject, decider.place)
    return f"{decider.words} ({place})" if place else decider.words


def sides(decision: Decision, place_of: PlaceOf, *, everybody: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Yield the heading of each side and what settled it, or with *everybody* all that had a say, in order."""
    for side in decision.sides:
        spoken = side.deciders if everybody else settling(side)
        yield heading(side), [said(d, place_of) for d in spoken]


def decider_document(decider: Decider, place_of: PlaceOf) -> dict[str, Any]:
    """Return one that had a say as JSON has it."""
    subject = decider.subject
    return {
        "policy": None if subject is None else "/".join(p for p in (subject.namespace, subject.name) if p),
        "kind": None if subject is None else subject.kind,
        "direction": decider.direction.value,
        "say": decider.say.value,
        "place": decider.place,
        "words": encodable(decider.words),
        "file": encodable(place_of(subject, decider.place)) or None,
    }


def decision_document(decision: Decision, place_of: PlaceOf) -> dict[str, Any]:
    """Return a verdict on one port as JSON has it."""
    return {
        "protocol": decision.protocol,
        "port": decision.port,
        "allowed": decision.allowed,
        "partial": decision.partial,
        "from": decision.source,
        "to": decision.destination,
        "sides": [
            {
                "direction": side.direction.value,
                "allowed": side.allowed,
                "isolated": side.isolated,
                "deciders": [decider_document(d, place_of) for d in side.deciders],
            }
            for side in decision.sides
        ],
    }


def connections_document(connections: Connections) -> dict[str, str]:
    """Return a set of connections as JSON has it: the numbers of each protocol, ``"80,443,8000-8100"``."""
    return {protocol: str(numbers) for protocol, numbers in connections.items()}


def profile_document(profile: Profile) -> dict[str, Any]:
    """Return under which meaning an answer was given."""
    return {
        "semantics": profile.semantics.value,
        "controllerVersion": str(profile.controller),
        "agentVersion": str(profile.agent),
        "mode": profile.mode.value,
        "ipFamily": profile.family,
    }


def notes(said: Sequence[str]) -> list[str]:
    """Return notes for people, who need not be told pod by pod that files hold no addresses."""
    unknown = [n for n in said if n.startswith("the address of ") and " is not known" in n]
    if len(unknown) > 1:
        pods = " and ".join(n.removeprefix("the address of ").partition(" is not known")[0] for n in unknown)
        rest = unknown[0].partition(" is not known")[2]
        return [*(n for n in said if n not in unknown), f"the addresses of {pods} are not known{rest}"]
    return list(said)


def lines(parts: Iterable[tuple[int, str]], width: int, *, ascii_only: bool) -> str:
    """Return pairs of indent and text as lines of at most *width* columns; an empty text is an empty line."""
    done: list[str] = []
    for indent, text in parts:
        shown = visible(text, ascii_only=ascii_only)
        lead = " " * indent
        done += textwrap.wrap(
            shown,
            max(width, _NARROWEST),
            initial_indent=lead,
            subsequent_indent=lead + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return "\n".join(done) + "\n"


_SELECTOR = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*") is no selector: .*\(at character (?P<at>\d+)\)""", re.DOTALL
)
_BESIDE = 32
"""So many characters of a long selector are shown before and after a place."""


def caret(words: str) -> Iterator[str]:
    """Yield the selector that *words* say does not parse, cut where it is long, and a caret under the place; else nothing."""
    found = _SELECTOR.search(words)
    if found is None:
        return
    text, at = str(ast.literal_eval(found["text"])), int(found["at"]) - 1
    start = at - _BESIDE if len(text) > 2 * _BESIDE and at > _BESIDE else 0
    end = max(at, start) + _BESIDE if len(text) > 2 * _BESIDE else len(text)
    before = ("..." if start else "") + visible(text[start:at], ascii_only=True)
    yield before + visible(text[at:end], ascii_only=True) + ("..." if end < len(text) else "")
    yield f"{' ' * len(before)}^"


def dumped(document: Mapping[str, Any]) -> str:
    """Return a document as JSON text."""
    return json.dumps(document, indent=2) + "\n"

