"""Unit tests for policies: what is expected to be allowed or denied, and what is.

``allow: true`` holds when every connection that is asked for may flow between every pair of pods, ``allow: false`` when none may
between any. Without a port a case is about all of its protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from eksnetpol.errors import UsageError
from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.answers import Engine
from eksnetpol.policy.parties import Directory, Named, planned
from eksnetpol.policy.questions import Reply, answer, asked
from eksnetpol.policy.world import World

BuildEngine = Callable[[World, Sequence[Pod]], Engine]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A pod that does not exist yet."""

    namespace: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One expectation. ``place`` is the file and line that it is from; ``port`` as people write it, None for all."""

    name: str
    source: str | Labelled
    destination: str | Labelled
    allow: bool
    port: str | int | None = None
    protocol: str | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case ended."""

    case: Case
    reply: Reply

    @property
    def passed(self) -> bool:
        """True when it is as expected: nothing in between is."""
        return self.reply.allowed == self.case.allow and not self.reply.partial


def run(cases: Sequence[Case], world: World, build: BuildEngine) -> tuple[Outcome, ...]:
    """Return how *cases* end in *world*, having built one engine for all, with every pod that does not exist yet.

    Raises `UsageError` with the place of the first case that asks for what there is not.
    """
    new = planned(_labelled(cases), world)
    engine = build(world, [one.pod for one in new])
    directory = Directory(engine, new)
    return tuple(Outcome(case, _reply(case, directory)) for case in cases)


def _labelled(cases: Iterable[Case]) -> Iterable[tuple[str, dict[str, str]]]:
    return (
        (side.namespace, dict(side.labels))
        for case in cases
        for side in (case.source, case.destination)
        if isinstance(side, Labelled)
    )


def _reply(case: Case, directory: Directory) -> Reply:
    try:
        source, destination = _party(case.source, directory), _party(case.destination, directory)
        protocol = case.protocol or ("TCP" if case.port is None else None)
        return answer(directory.engine, source, destination, asked(case.port, protocol, destination, directory.engine))
    except UsageError as error:
        where = f"{case.place}: " if case.place else ""
        raise UsageError(f"{where}case {case.name!r}: {error}") from None


def _party(side: str | Labelled, directory: Directory) -> Named:
    return directory.labelled(side.namespace, dict(side.labels)) if isinstance(side, Labelled) else directory.party(side)
