"""What policies make of one observed flow: asked once for all pods of a class, and remembered.

A verdict can depend on the very pods, on their nodes above all; only then are single pods asked about.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.policy.answers import Decision, Engine, Side
from eksnetpol.policy.connections import UNIVERSE
from eksnetpol.policy.flow_places import Kind, Place
from eksnetpol.policy.rules import Direction

_REMEMBERED = 1 << 18


class Verdict(StrEnum):
    """What policies say of a flow. *unknown*: they cannot be asked, and the judgement says why."""

    DENIED = "denied"
    UNKNOWN = "unknown"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, with the sides that made it. ``reason`` says why it is unknown."""

    verdict: Verdict
    sides: tuple[Side, ...] = ()
    reason: str = ""

    @property
    def denied_at(self) -> tuple[Direction, ...]:
        """The directions in which it is denied."""
        return tuple(s.direction for s in self.sides if not s.allowed)


_FREE = Judgement(Verdict.ALLOWED)
_GONE = Judgement(Verdict.UNKNOWN, reason="the log names a pod that the cluster no longer has, nor any of its workload")
_NO_PORT = Judgement(Verdict.UNKNOWN, reason="the log has no port")
_PARTLY = Judgement(
    Verdict.UNKNOWN, reason="the log has no address, and policies let some of what is outside through and some not"
)


class Verdicts:
    """Judges flows between places under one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._known: dict[Hashable, Judgement | None] = {}

    def judge(
        self, source: Place, destination: Place, protocol: str, number: int, asked: tuple[Place, int] | None = None
    ) -> Judgement:
        """Return what becomes of a flow to *number* of *destination*.

        *asked* is the Service and port that the source asked for where its address was turned into the destination's: then the
        way out is judged by the Service, and the way in by the pod.
        """
        if Kind.GONE in {source.kind, destination.kind}:
            return _GONE
        if source.pod is not None and source.pod is destination.pod:
            return _FREE
        if number not in UNIVERSE[protocol]:
            return _NO_PORT
        near = _is_near(source, destination)
        via = (asked[0].key, asked[1]) if asked else None
        key = (source.key, destination.key, near, protocol, number, via)
        if key not in self._known:
            self._remember(key, self._for_all(source, destination, protocol, number, asked))
        answer = self._known[key]
        if answer is not None:
            return answer
        single = (_alone(source), _alone(destination), protocol, number, via)
        if single not in self._known:
            self._remember(single, self._alone(source, destination, protocol, number, asked))
        return self._known[single] or _PARTLY

    def _remember(self, key: Hashable, judgement: Judgement | None) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key] = judgement

    def _for_all(
        self, source: Place, destination: Place, protocol: str, number: int, asked: tuple[Place, int] | None
    ) -> Judgement | None:
        """Return the judgement of all pods of two classes; None where they are not judged alike."""
        if Kind.NODE in {source.kind, destination.kind}:
            return None
        outgoing = asked[0] if asked else destination
        out_number = asked[1] if asked else number
        first = self.engine.decide(source.party, outgoing.party, protocol, out_number)
        if first.partial:
            return None
        if asked is None:
            return _judgement(first)
        second = self.engine.decide(source.party, destination.party, protocol, number)
        return None if second.partial else _both(first, second)

    def _alone(
        self, source: Place, destination: Place, protocol: str, number: int, asked: tuple[Place, int] | None
    ) -> Judgement:
        mine, theirs = source.alone, destination.alone
        decision = self.engine.decide(mine, theirs, protocol, number)
        if asked is not None:
            return _both(self.engine.decide(mine, asked[0].party, protocol, asked[1]), decision)
        return _PARTLY if decision.partial else _judgement(decision)


def _alone(place: Place) -> Hashable:
    """Return what tells one place from all others; files name pods that have no address."""
    return place.address if place.pod is None else (place.pod.namespace, place.pod.name)


def _is_near(source: Place, destination: Place) -> bool | None:
    """Say whether a pod and a node are together; None where no node is involved."""
    for one, other in ((source, destination), (destination, source)):
        if one.kind is Kind.NODE:
            return other.pod is not None and other.pod.status.host_ip == one.address
    return None


def _judgement(decision: Decision) -> Judgement:
    return Judgement(Verdict.ALLOWED if decision.allowed else Verdict.DENIED, decision.sides)


def _both(to_service: Decision, to_pod: Decision) -> Judgement:
    """Return what the way out to a Service and the way into a pod make together."""
    outgoing = tuple(s for s in to_service.sides if s.direction is Direction.EGRESS)
    incoming = tuple(s for s in to_pod.sides if s.direction is Direction.INGRESS)
    sides = (*outgoing, *incoming)
    return Judgement(Verdict.ALLOWED if all(s.allowed for s in sides) else Verdict.DENIED, sides)
