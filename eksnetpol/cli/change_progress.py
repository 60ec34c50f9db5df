"""How a change proceeds, told on stderr: a line per event, and on a terminal a bar that fills as nodes roll."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eksnetpol.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID

    from eksnetpol.interfaces.acting import RolloutState, Watcher

_QUIET = 10.0
"""Seconds between two lines about a roll-out that goes on as it should."""


@contextmanager
def telling(terminal: Terminal, *, clock: Callable[[], datetime] | None = None) -> Iterator[Watcher]:
    """Give a watcher for a change; *clock* is the time that is told, where it is not the real one."""
    lines = EventLines(terminal, clock or _now)
    if not terminal.animated or clock is not None:
        yield lines
        return
    with _bars() as progress:
        yield MovingBar(lines, progress)


def _now() -> datetime:
    return datetime.now(UTC)


class EventLines:
    """A line for each event: when, which step, what."""

    def __init__(self, terminal: Terminal, clock: Callable[[], datetime]) -> None:
        self._terminal = terminal
        self._clock = clock
        self._step = ""
        self._rolled: RolloutState | None = None
        self._told = float("-inf")

    def say(self, text: str) -> None:
        """Write one line with the time."""
        self._terminal.say(f"{self._clock():%H:%M:%S}  {text}")

    def started(self, step: str, title: str, number: int, of: int) -> None:
        """Say which step begins."""
        self._step, self._rolled, self._told = step, None, float("-inf")
        self.say(f"step {number}/{of} {step}: {title}")

    def skipped(self, step: str, why: str) -> None:
        """Say that nothing has to be done."""
        self.say(f"{step}: nothing to do, {why}")

    def rollout(self, state: RolloutState) -> None:
        """Say how far the nodes are, not for every one of thousands."""
        if state == self._rolled or not state.desired:
            return
        last = self._rolled
        enough = last is None or (state.updated - last.updated) * 10 >= state.desired or state.updated == state.desired
        now = self._clock().timestamp()
        if enough or now - self._told >= _QUIET:
            self._rolled, self._told = state, now
            self.say(f"{self._step}: {rolled(state)}")

    def note(self, text: str) -> None:
        """Say it."""
        self.say(f"{self._step}: {text}" if self._step else text)

    def succeeded(self, step: str, seconds: float) -> None:
        """Say that a step is done."""
        self.say(f"{step}: done after {seconds:.0f} s")

    def failed(self, step: str, why: str) -> None:
        """Say why a step is not."""
        self.say(f"{step}: {why}")


def rolled(state: RolloutState) -> str:
    """Return how far a roll-out is: ``40/100 nodes rolled, 97 available``."""
    return f"{state.updated:,}/{state.desired:,} nodes rolled, {state.available:,} available"


class MovingBar:
    """The same lines, above a bar for the step that is under way."""

    def __init__(self, lines: EventLines, progress: Progress) -> None:
        self._lines = lines
        self._progress = progress
        self._task: TaskID | None = None

    def started(self, step: str, title: str, number: int, of: int) -> None:
        """Begin a bar."""
        self._lines.started(step, title, number, of)
        self._end()
        self._task = self._progress.add_task(step, total=None, seen="")

    def skipped(self, step: str, why: str) -> None:
        """Say that nothing has to be done."""
        self._lines.skipped(step, why)

    def rollout(self, state: RolloutState) -> None:
        """Fill the bar."""
        if self._task is not None and state.desired:
            self._progress.update(self._task, total=state.desired, completed=state.updated, seen=rolled(state))

    def note(self, text: str) -> None:
        """Say it."""
        self._lines.note(text)

    def succeeded(self, step: str, seconds: float) -> None:
        """End the bar."""
        self._end()
        self._lines.succeeded(step, seconds)

    def failed(self, step: str, why: str) -> None:
        """End the bar."""
        self._end()
        self._lines.failed(step, why)

    def _end(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[seen]}", markup=False),
    )
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    return Progress(*columns, console=console, transient=True)
