"""The timeline of a migration: what each step did to who enforces where, and to what flows.

`Recorder` is told how a plan is carried out, as an `interfaces.acting.Watcher` is, and asks a `Watch` what it saw meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Literal

import msgspec

from eksnetpol.migration.invariants import Violation
from eksnetpol.migration.watching import Census, Watch
from eksnetpol.model.plan import FORMAT, Plan, Step
from eksnetpol.model.snapshot import Target

Ending = Literal["done", "true already", "failed"]


class Beat(msgspec.Struct, frozen=True, rename="camel"):
    """One step as it went. ``began`` and ``seconds`` are the cluster's own time, from the beginning of the run.

    ``before`` and ``after`` count nodes by who enforces on them; ``frozen`` is the most that had frozen rules alone at once.
    ``wider`` counts pairs that something flowed between which did not before the migration, at the worst moment of the step, and
    ``flows`` shows some. ``narrower`` counts pairs that something does not flow between any more at its end, and ``lost`` shows
    some; ``cut_off`` counts pods that nothing reaches. ``disrupts`` is what people may notice, ``way_back`` how it is taken back.
    """

    step: str
    title: str
    phase: str
    began: float
    seconds: float
    ending: Ending
    before: Census
    after: Census
    frozen: int = 0
    wider: int = 0
    flows: tuple[str, ...] = ()
    narrower: int = 0
    lost: tuple[tuple[str, str, str], ...] = ()
    cut_off: int = 0
    disrupts: str = ""
    way_back: str = ""
    one_way: str = ""
    door: str = ""
    seen: str = ""
    """What was last seen of it, where it did not end well."""


class Phase(msgspec.Struct, frozen=True, rename="camel"):
    """The steps of one phase together: of ``beats`` the sums of seconds and the worst of all else."""

    name: str
    beats: int
    began: float
    seconds: float
    before: Census
    after: Census
    frozen: int
    wider: int
    narrower: int
    cut_off: int
    disrupts: tuple[str, ...]
    doors: tuple[str, ...]


class Rehearsal(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How a migration went in memory.

    ``seconds`` are the cluster's own. ``error`` is why it stopped, empty where it went to its end. ``refusals`` say why
    nobody may run this plan on the cluster as it is. ``looks`` counts the moments at which the invariants were asked about.
    """

    api_version: str = FORMAT
    kind: str = "MigrationRehearsal"
    target: Target
    title: str
    engine: str
    seconds: float
    beginning: Census
    end: Census
    phases: tuple[Phase, ...]
    beats: tuple[Beat, ...]
    violations: tuple[Violation, ...] = ()
    error: str = ""
    refusals: tuple[str, ...] = ()
    looks: int = 0
    steps: int = 0
    notes: tuple[str, ...] = ()

    @property
    def went_well(self) -> bool:
        """True where it went to its end and nothing was broken on the way."""
        return not self.violations and not self.error

    @property
    def exit_code(self) -> int:
        """0 where it went well and nothing stands in the way of running it, else 1."""
        return 0 if self.went_well and not self.refusals else 1


class Recorder:
    """Writes a timeline down. *now* gives the cluster's own seconds."""

    def __init__(self, plan: Plan, watch: Watch, now: Callable[[], float]) -> None:
        self.beats: list[Beat] = []
        self._steps = {step.id: step for step in plan.steps}
        self._watch = watch
        self._now = now
        self._start = now()
        self._began = 0.0
        self._before = watch.census

    def started(self, step: str, title: str, number: int, of: int) -> None:  # noqa: ARG002 - as watchers are told
        """A step begins."""
        self._began, self._before = self._now() - self._start, self._watch.census
        self._watch.begin(step)

    def skipped(self, step: str, why: str) -> None:  # noqa: ARG002
        """A step was true already."""
        self._watch.done.add(step)
        self._end(step, "true already")

    def succeeded(self, step: str, seconds: float) -> None:  # noqa: ARG002
        """A step's condition holds."""
        self._watch.done.add(step)
        self._end(step, "done")

    def failed(self, step: str, why: str) -> None:
        """A step will not succeed, or was not waited for any longer."""
        self._end(step, "failed", why)

    def rollout(self, state: object) -> None:
        """Say nothing: the scenes tell it."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def _end(self, name: str, ending: Ending, seen: str = "") -> None:
        step, watch = self._steps[name], self._watch
        watch()
        narrowed = watch.exposure.narrowed()
        self.beats.append(
            Beat(
                step=step.id,
                title=step.title,
                phase=step.phase,
                began=self._began,
                seconds=self._now() - self._start - self._began,
                ending=ending,
                before=self._before,
                after=watch.census,
                frozen=watch.frozen,
                wider=watch.worst.pairs,
                flows=tuple(map(str, watch.worst.flows)),
                narrower=narrowed.pairs,
                lost=narrowed.shown,
                cut_off=narrowed.cut_off,
                disrupts=step.disrupts,
                way_back=way_back(step),
                one_way=step.one_way,
                door=step.door,
                seen=seen,
            )
        )


def way_back(step: Step) -> str:
    """Return how a step is taken back, as a title; empty where nothing is to be taken back, or cannot be."""
    return step.undo.title if step.undo is not None else ""


def phases(beats: Sequence[Beat]) -> Iterator[Phase]:
    """Yield the phases of a timeline, in their order."""
    for name, members in groupby(beats, lambda beat: beat.phase):
        own = list(members)
        yield Phase(
            name=name,
            beats=len(own),
            began=own[0].began,
            seconds=sum(beat.seconds for beat in own),
            before=own[0].before,
            after=own[-1].after,
            frozen=max(beat.frozen for beat in own),
            wider=max(beat.wider for beat in own),
            narrower=max(beat.narrower for beat in own),
            cut_off=max(beat.cut_off for beat in own),
            disrupts=tuple(dict.fromkeys(beat.disrupts for beat in own if beat.disrupts)),
            doors=tuple(beat.door for beat in own if beat.door),
        )


def in_step(violations: Sequence[Violation], step: str) -> tuple[Violation, ...]:
    """Return the violations that began during *step*."""
    return tuple(violation for violation in violations if violation.step == step)
