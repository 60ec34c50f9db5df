"""A journal in memory, and ways for a process to die or an API to fail at a chosen moment."""

# ruff: noqa: D102, ARG002 - the methods are those of `Journal` and `Watcher`, as their docstrings tell

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eksnetpol.interfaces.acting import Entry
from eksnetpol.model.fingerprints import digest_of_file

CHANGES = frozenset({"create", "apply", "patch", "replace", "delete", "update_addon", "create_addon", "delete_addon", "evict"})


class Killed(BaseException):
    """The process is gone: nothing it would do after this is done."""


class Disk:
    """What outlives a process: the files of its run."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.files: dict[tuple[str, str], bytes] = {}


class Process:
    """One process at work on *world* and *disk*: counts what it does, and dies or meets trouble at a moment.

    A moment is a number: every call of `Hands` and every write to the journal has one. *before* and *after* are called with a
    number and a name, and raise what is to happen.
    """

    def __init__(
        self,
        world: Any,
        disk: Disk,
        run: str = "r1",
        *,
        before: Callable[[int, str], None] | None = None,
        after: Callable[[int, str], None] | None = None,
    ) -> None:
        self.moments: list[str] = []
        self._before = before or (lambda _number, _name: None)
        self._after = after or (lambda _number, _name: None)
        self._dead = False
        self.hands: Any = _Hands(self, world)
        self.journal = _Journal(self, disk, run)

    def does(self, name: str, do: Callable[[], Any]) -> Any:
        if self._dead:
            raise Killed
        number = len(self.moments)
        self.moments.append(name)
        try:
            self._before(number, name)
            try:
                return do()
            finally:
                # An answer that is an error is an answer, too.
                self._after(number, name)
        except Killed:
            self._dead = True
            raise


class _Hands:
    def __init__(self, process: Process, world: Any) -> None:
        self._process = process
        self._world = world

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._world, name)
        return lambda *args, **named: self._process.does(name, lambda: method(*args, **named))


class _Journal:
    """Implements `Journal`."""

    def __init__(self, process: Process, disk: Disk, run: str) -> None:
        self._process = process
        self._disk = disk
        self._run = run

    @property
    def run(self) -> str:
        return self._run

    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._disk.entries)

    def append(self, entry: Entry) -> None:
        self._process.does("append", lambda: self._disk.entries.append(entry))

    def save(self, name: str, data: bytes) -> str:
        self._process.does("save", lambda: self._disk.files.__setitem__((self._run, name), data))
        return digest_of_file(data)

    def load(self, name: str, *, run: str = "") -> bytes | None:
        return self._disk.files.get((run or self._run, name))


class Heard:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def started(self, step: str, title: str, number: int, of: int) -> None:
        self.lines.append(f"started {step} {number}/{of}")

    def skipped(self, step: str, why: str) -> None:
        self.lines.append(f"skipped {step}: {why}")

    def rollout(self, state: Any) -> None:
        self.lines.append(f"rollout {state.updated}/{state.desired} ready {state.ready}")

    def note(self, text: str) -> None:
        self.lines.append(f"note {text}")

    def succeeded(self, step: str, seconds: float) -> None:
        self.lines.append(f"succeeded {step}")

    def failed(self, step: str, why: str) -> None:
        self.lines.append(f"failed {step}: {why}")
