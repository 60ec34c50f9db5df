"""What may be made to go wrong with a simulated cluster's API server, and what somebody else does to it at a given time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any

from eksnetpol.errors import Rejected, TransientError, Unreachable
from eksnetpol.model.kinds import Json, Kind, ObjectRef
from eksnetpol.model.webhooks import unanswered
from eksnetpol.simulation.life import Life

VERBS = ("create", "patch", "update", "delete")
"""What admission is asked about."""


class Hardships:
    """Admission that refuses, an API server that does not answer, things that happen at a time."""

    _time: float
    _life: Life | None

    def __init__(self) -> None:
        self._refusals: list[Callable[[str, ObjectRef], str]] = []
        self._planned: list[tuple[float, int, Callable[[Any], object]]] = []
        self._serial = 0
        self._back_at = 0.0

    def refuse(self, why: str, *, kind: Kind, name: str = "", verbs: Iterable[str] = VERBS) -> None:
        """Let admission refuse these verbs for objects of *kind*, for all or for one *name*, saying *why*."""
        refused = frozenset(verbs)

        def judge(verb: str, ref: ObjectRef) -> str:
            fits = (ref.api_version, ref.kind) == (kind.api_version, kind.name) and name in {"", ref.name}
            return why if fits and verb in refused else ""

        self._refusals.append(judge)

    def at(self, seconds: float, do: Callable[[Any], object]) -> None:
        """Let *do* happen to this cluster once so many seconds have passed since it began: what somebody else does meanwhile."""
        self._serial += 1
        heapq.heappush(self._planned, (max(seconds, self._time), self._serial, do))

    def lose_api(self, seconds: float) -> None:
        """Let the API server answer nobody for so many seconds. Controllers, which would wait for it too, go on."""
        self._back_at = self._time + seconds

    def _answers(self) -> None:
        if self._time < self._back_at:
            raise Unreachable("the API server does not answer: connection refused")

    def _admit(self, verb: str, ref: ObjectRef, labels: Json | None = None) -> None:
        for judge in self._refusals:
            if why := judge(verb, ref):
                raise Rejected(f"The API server would not {verb} {ref}: {why}")
        if self._life is not None and (why := self._life.services.refusing(verb, ref, labels or {})):
            raise TransientError(f"the API server could not {verb} {ref} (500: {why}); {unanswered(why)}")

    def _next_planned(self) -> float | None:
        return self._planned[0][0] if self._planned else None

    def _let_happen(self) -> None:
        while self._planned and self._planned[0][0] <= self._time:
            heapq.heappop(self._planned)[2](self)
