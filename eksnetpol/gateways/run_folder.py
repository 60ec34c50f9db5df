"""One run on the disk: its plan, its journal, the files it keeps, and the lock of whoever works on it."""

from __future__ import annotations

import fcntl
import os
import re
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from eksnetpol.errors import JournalError, Refused, UnreadableInput
from eksnetpol.gateways import plan_file
from eksnetpol.gateways.durable import replace_file
from eksnetpol.interfaces.acting import Entry
from eksnetpol.model.fingerprints import digest_of_file
from eksnetpol.model.plan import Plan

JOURNAL, PLAN, LOCK = "journal.jsonl", "plan.json", "lock"
FORMAT = 1
"""Of the journal; raised when an older reader would misread it."""

_OWN = frozenset({JOURNAL, PLAN, LOCK})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_MODE = 0o600
_TRIES, _BETWEEN = 5, 0.05


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a journal: which run and plan it belongs to, and who began it with what."""

    journal: int = FORMAT
    run: str
    plan: str
    tool: str = ""
    by: str = ""


_HEADER = msgspec.json.Decoder(Header)
_ENTRY = msgspec.json.Decoder(Entry)


class RunFolder:
    """A run's folder, as `interfaces.acting.Journal`.

    Whoever writes holds the run: a second process that tries is refused. Reading is free to all.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: int | None = None
        self._journal: int | None = None

    @property
    def run(self) -> str:
        """The run's id."""
        return self.folder.name

    # --- reading ---

    def check(self) -> Header:
        """Return the journal's first line; raise `UnreadableInput` where it is of another format, run or plan."""
        place = str(self.folder / JOURNAL)
        first = self._lines()[:1]
        try:
            header = _HEADER.decode(first[0]) if first else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            header = None
        if header is None:
            raise UnreadableInput(f"{place}:1", "this is no journal of a run")
        if header.journal != FORMAT:
            raise UnreadableInput(
                place, f"this journal was written in format {header.journal} by eksnetpol {header.tool}; this one reads {FORMAT}"
            )
        if header.run != self.run:
            raise UnreadableInput(place, f"this is the journal of run {header.run}; the folder was renamed or copied together")
        if self.plan().digest != header.plan:
            why = f"this is not the plan that run {self.run} carries out; it was replaced"
            raise UnreadableInput(str(self.folder / PLAN), why)
        return header

    def plan(self) -> Plan:
        """Return the plan that is carried out; raise `UnreadableInput` where it was changed."""
        place = self.folder / PLAN
        return plan_file.decode(self._read(place) or b"", str(place))

    def entries(self) -> tuple[Entry, ...]:
        """Return all lines, in order; raise `UnreadableInput` for one that is none, unless it is the last and was cut off."""
        found = []
        for number, line in enumerate(self._lines()[1:], 2):
            try:
                found.append(_ENTRY.decode(line))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise UnreadableInput(f"{self.folder / JOURNAL}:{number}", f"this is no line of a journal: {error}") from None
        return tuple(found)

    def load(self, name: str, *, run: str = "") -> bytes | None:
        """Return a file of this run, or of another beside it; None where there is none."""
        folder = self.folder.parent / _named(run) if run else self.folder
        return self._read(folder / _named(name))

    # --- writing ---

    def append(self, entry: Entry) -> None:
        """Write a line and put it on the disk; raise `JournalError` where that cannot be done, with nothing written."""
        self.hold()
        line = msgspec.json.encode(entry) + b"\n"
        try:
            if self._journal is None:
                self._journal = os.open(self.folder / JOURNAL, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
                self._cut_the_torn_end(self._journal)
            before = os.fstat(self._journal).st_size
            try:
                _write_all(self._journal, line)
                os.fsync(self._journal)
            except OSError:
                # Half a line would be ignored by readers; without it there is nothing to ignore.
                with suppress(OSError):
                    os.ftruncate(self._journal, before)
                raise
        except OSError as error:
            raise JournalError(self._unwritten(self.folder / JOURNAL, error)) from error

    def save(self, name: str, data: bytes) -> str:
        """Keep a file of the run, whole or not at all, and return its digest; raise `JournalError` where that cannot be done."""
        self.hold()
        if name in _OWN:
            raise JournalError(f"{name} is the run's own, no name for what it keeps")
        path = self.folder / _named(name)
        try:
            replace_file(path, data)
        except OSError as error:
            raise JournalError(self._unwritten(path, error)) from error
        return digest_of_file(data)

    # --- whose it is now ---

    def hold(self) -> None:
        """Keep the run for this process until `release` or its end; raise `Refused` while another one works on it."""
        if self._lock is not None:
            return
        try:
            handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        except OSError as error:
            raise JournalError(self._unwritten(self.folder / LOCK, error)) from error
        try:
            held = _locked(handle)
            holder = os.read(handle, 32).decode(errors="replace").strip()
            if held:
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(handle)
            raise JournalError(self._unwritten(self.folder / LOCK, error)) from error
        if not held:
            os.close(handle)
            by = f" (process {holder})" if holder.isdigit() else ""
            raise Refused(f"another process{by} is carrying out run {self.run}; wait until it has ended")
        self._lock = handle

    def release(self) -> None:
        """Let others work on the run; calling it again does nothing."""
        for handle in (self._journal, self._lock):
            if handle is not None:
                os.close(handle)
        self._journal = self._lock = None

    def is_held(self) -> bool:
        """Return whether a process works on the run at this moment."""
        if self._lock is not None:
            return True
        try:
            handle = os.open(self.folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    # --- the disk ---

    def _lines(self) -> list[bytes]:
        """Return the lines that were written to their end."""
        whole, end, _ = (self._read(self.folder / JOURNAL) or b"").rpartition(b"\n")
        return whole.split(b"\n") if end else []

    def _cut_the_torn_end(self, handle: int) -> None:
        size = os.fstat(handle).st_size
        with open(handle, "rb", closefd=False) as file:
            data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole < size:
            os.ftruncate(handle, whole)

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise JournalError(f"{path}: cannot be read: {error.strerror}") from error

    def _unwritten(self, path: Path, error: OSError) -> str:
        return (
            f"{path}: cannot be written: {error.strerror}; nothing is changed that is not written down first; make it writable, "
            f"then go on with eksnetpol resume {self.run}"
        )


def _locked(handle: int) -> bool:
    # Whoever lists runs holds each for an instant to see whether it is held.
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN)
        else:
            return True
    return False


def write_new(path: Path, header: Header) -> None:
    """Make a journal that has its first line alone, on the disk; raise `OSError`."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        _write_all(handle, msgspec.json.encode(header) + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise JournalError(f"{name!r} is no name of a run or of a file of one")
    return name


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
