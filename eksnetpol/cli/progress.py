"""How a look proceeds, told on stderr: moving on a terminal, a line per section at ``-v``, else not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eksnetpol.cli.terminal import Terminal
from eksnetpol.interfaces import Observer, SilentObserver

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_PATIENCE = 0.7
"""Seconds before anything moves: what is done by then needs no progress."""


@contextmanager
def busy(terminal: Terminal, what: str) -> Iterator[None]:
    """Show *what* is being done while the body runs, if that takes longer than a moment."""
    started = time.monotonic()
    terminal.say(what, level=1)
    if not terminal.animated:
        yield
    else:
        done = threading.Event()
        spinner = threading.Thread(target=_spin, args=(what, done), daemon=True)
        spinner.start()
        try:
            yield
        finally:
            done.set()
            spinner.join()
    terminal.say(f"{what}: {time.monotonic() - started:.2f} s", level=2)


def _spin(what: str, done: threading.Event) -> None:
    if done.wait(_PATIENCE):
        return
    with _console().status(what):
        done.wait()


@contextmanager
def counting(terminal: Terminal) -> Iterator[Callable[[str, int, int], None]]:
    """Give a function to be told what is done, how much of it, and of how much: a bar, or at ``-v`` a line for each thing."""
    if not terminal.animated or terminal.verbose:
        yield _Stages(terminal)
        return
    with _progress() as progress:
        yield _Bars(progress)


class _Stages:
    """A line for each thing that is done."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._what = ""

    def __call__(self, what: str, _done: int, _total: int) -> None:
        if what != self._what:
            self._terminal.say(what, level=1)
        self._what = what


class _Bars:
    """A bar for each thing that is done, which is gone when the next begins."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            for task in self._tasks.values():
                self._progress.remove_task(task)
            self._tasks = {what: self._progress.add_task(what, total=total or None, seen="")}
        self._progress.update(self._tasks[what], completed=done)


@contextmanager
def watching(terminal: Terminal, what: str) -> Iterator[Observer]:
    """Give an observer for a look at a live cluster."""
    if terminal.verbose and not terminal.quiet:
        yield Lines(terminal)
    elif terminal.animated:
        with _progress() as progress:
            yield Bar(progress, progress.add_task(what, total=None, seen=""))
    else:
        yield SilentObserver()


class Lines:
    """A line for each section; at ``-vv`` with the seconds since the start."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._start = time.monotonic()
        self._reasons: set[str] = set()

    def started(self, total: int) -> None:
        """Say how much there is to do."""
        self._start = time.monotonic()
        self._terminal.say(f"asking for {total} sections", level=1)

    def progress(self, name: str, count: int) -> None:
        """Say nothing until the section is whole."""

    def section(self, name: str, count: int) -> None:
        """Say what was read."""
        self._terminal.say(f"{self._clock()}{name}: {count}", level=1)

    def unread(self, name: str, reason: str) -> None:
        """Say what was not, and why, once for each reason."""
        words = "as before" if reason in self._reasons else reason
        self._reasons.add(reason)
        self._terminal.say(f"{self._clock()}{name}: not read: {words}", level=1)

    def finished(self) -> None:
        """Say how long it took."""
        self._terminal.say(f"looked for {time.monotonic() - self._start:.2f} s", level=2)

    def _clock(self) -> str:
        return f"{time.monotonic() - self._start:7.2f} s  " if self._terminal.verbose > 1 else ""


class Bar:
    """A bar that fills section by section and goes away at the end."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def started(self, total: int) -> None:
        """Give the bar its length."""
        self._progress.update(self._task, total=total)

    def progress(self, name: str, count: int) -> None:
        """Show that a section is growing."""
        self._progress.update(self._task, seen=f"{name} {count:,}")

    def section(self, name: str, count: int) -> None:
        """Go one further."""
        self._progress.update(self._task, advance=1, seen=f"{name} {count:,}")

    def unread(self, name: str, reason: str) -> None:  # noqa: ARG002 - the report says why
        """Go one further."""
        self._progress.update(self._task, advance=1, seen=f"{name} not read")

    def finished(self) -> None:
        """Show nothing more."""
        self._progress.update(self._task, seen="")


def _progress() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[seen]}", markup=False),
    )
    return Progress(*columns, console=_console(), transient=True)


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, emoji=False)
