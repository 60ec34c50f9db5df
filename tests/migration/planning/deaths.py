"""Migrations die at every moment and are gone on with: a part of ``make fuzz``; ``python -m tests.migration.planning.deaths``.

A moment is a call to the cluster or a write to the run's own files; a process dies right before or right after it. One life is
carried out, and at each moment it is forked: the child dies there, waits or not, and another process goes on to the end while the
same watch looks on. The end has to be that of a run that nobody disturbed, nothing may be broken on the way that is not broken
there, and of all policies, custom resources, definitions and back-ups none may be lost.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eksnetpol.execution.progress import past_of
from eksnetpol.migration.invariants import Violation
from eksnetpol.planning.rollback import PARTIAL
from tests.execution.ends import events
from tests.execution.trouble import Killed
from tests.migration.planning.lives import Life
from tests.migration.towns import ENGINES

READS = frozenset({"get", "objects", "pods_on", "describe_addon", "describe_update", "load"})
"""Calls that change nothing: whoever dies after one leaves what there was before it."""
IDLE = (0.0, 3600.0)
"""Seconds after which somebody goes on, in turn: at once, and an hour later."""


@dataclass
class Deaths:
    """All deaths of one life: at the first moment of each step, and at those others that *picks* says of by their numbers.

    With *alike* moments count, too, that leave just what the one before them left. *jobs* processes go on at a time.
    """

    engine: str
    picks: Callable[[int], bool] = lambda _number: True
    alike: bool = False
    back: bool = False
    """Nobody goes on: the run is gone back on."""
    jobs: int = 1
    moments: int = 0
    died: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    """How often somebody died in each step."""
    wrong: list[str] = field(default_factory=list)
    """What was wrong after which death."""

    def go(self) -> Deaths:
        """Die all deaths."""
        whole = Life(self.engine)
        whole.go()
        self._wanted, self._broken = whole.ending(), whole.broken
        self._life = Life(self.engine)
        self._life.cluster.observers.append(self._turned)
        self._changes, self._last = 0, (-1, -1.0)
        self._child, self._idle = False, 0.0
        self._running: dict[int, str] = {}
        with tempfile.TemporaryDirectory() as folder:
            self._folder = Path(folder)
            gc.collect()
            gc.freeze()
            try:
                self._life.go(before=self._moment("before"), after=self._moment("after"))
            except Killed:
                self._go_on()
            finally:
                gc.unfreeze()
            while self._running:
                self._wait()
        return self

    def _turned(self) -> None:
        self._changes += 1

    def _moment(self, when: str) -> Callable[[int, str], None]:
        def moment(number: int, name: str) -> None:
            if self._child:
                return
            if when == "after" and name not in READS:
                self._changes += 1
            left = (self._changes, self._life.cluster.monotonic())
            if left == self._last and not self.alike:
                return
            self._last = left
            self.moments += 1
            if self.picks(self.moments - 1) or self._life.people.watch.step not in self.steps:
                self._die(f"{when} {name}, moment {number} in {self._life.people.watch.step or 'the beginning'}")

        return moment

    def _die(self, where: str) -> None:
        while len(self._running) >= self.jobs:
            self._wait()
        self.steps[self._life.people.watch.step] += 1
        self.died += 1
        child = os.fork()
        if child:
            self._running[child] = where
            return
        self._child, self._idle = True, IDLE[self.died % len(IDLE)]
        raise Killed

    def _wait(self) -> None:
        child, status = os.wait()
        where = self._running.pop(child)
        said = self._folder / str(child)
        if status or not said.exists():
            self.wrong.append(f"{where}: the process ended with {status}")
        else:
            self.wrong += [f"{where}: {one}" for one in json.loads(said.read_text())]

    def _go_on(self) -> None:
        """Go on with a life whose process has died, say what is wrong with it, and be gone."""
        try:
            wrong = list(self._after_death())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent has to hear of it
            wrong = ["".join(traceback.format_exception_only(error))]
        (self._folder / str(os.getpid())).write_text(json.dumps(wrong))
        os._exit(0)

    def _after_death(self) -> Iterator[str]:
        life = self._life
        life.cluster.sleep(self._idle)
        yield from (f"{one} is lost while nobody is at work" for one in life.lost())
        if self.back:
            yield from self._taken_back()
            return
        life.go()
        ended = life.ending()
        wanted = self._wanted
        yield from (f"{what} differs: {_first(ended[what], wanted[what])}" for what in ended if ended[what] != wanted[what])
        yield from (f"{one} is lost" for one in life.lost())
        yield from self._newly_broken(life.violations)
        done = [line.removeprefix("succeeded ") for line in events(life.disk) if line.startswith("succeeded ")]
        if done != [step.id for step in life.plan.steps]:
            yield f"not every step was done once: {Counter(done) - Counter(step.id for step in life.plan.steps)}"

    def _newly_broken(self, violations: Iterable[Violation]) -> Iterator[str]:
        yield from (f"{v.invariant} in {v.step}: {v.words}" for v in violations if (v.invariant, v.step) not in self._broken)

    def _taken_back(self) -> Iterator[str]:
        life = self._life
        refusals = {stop.flag for stop in life.way_back().refusals}
        touched = past_of(life.disk.entries).touched
        doors = [step.id for step in life.plan.steps if step.id in touched and step.one_way and step.undo is None]
        if doors:
            # Nodes that were drained: what was on them cannot be taken back, and nobody goes back unasked.
            yield from [f"{doors} cannot be taken back, and that is not said: {refusals}"] if refusals != {PARTIAL} else ()
            return
        if refusals:
            yield f"it is refused: {life.way_back().refusals}"
        life.back()
        yield from life.unlike_at_first()
        yield from self._newly_broken(life.people.watch.violations)


def _first(found: Any, wanted: Any) -> str:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in [*found, *wanted]:
            if found.get(key) != wanted.get(key):
                return f"{key}: {found.get(key)!r:.300}, not {wanted.get(key)!r:.300}"
    return f"{found!r:.600}, not {wanted!r:.600}"


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="which ones (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one for each core)")
    parser.add_argument("--all", action="store_true", help="die at moments, too, that leave what the one before has left")
    parser.add_argument("--back", action="store_true", help="go back on it after each death, in place of going on")
    asked = parser.parse_args()
    failed = 0
    for engine in asked.engine or ENGINES:
        began = time.monotonic()
        deaths = Deaths(engine, alike=asked.all, back=asked.back, jobs=asked.jobs).go()
        failed += len(deaths.wrong)
        for line in deaths.wrong[:10]:
            _say(f"  {line}")
        took = time.monotonic() - began
        _say(f"{engine}: {deaths.died} deaths in {len(deaths.steps)} steps, {len(deaths.wrong)} ended wrong, {took:.0f} s")
    return 1 if failed else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
