"""The run ledger: a folder for each run, with its plan, its journal and what it keeps, on this machine.

A run's folder gets its name when plan and journal are on the disk, so a run is there with both or not at all. The journal's first
line says whose it is; every other line is an `Entry`. A line counts once it is on the disk with its end: one that was cut off was
never written, and goes with the next.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from eksnetpol import __version__
from eksnetpol.errors import EksNetpolError, JournalError, UnreadableInput, UsageError
from eksnetpol.gateways import plan_file
from eksnetpol.gateways.durable import replace_file, sync_folder
from eksnetpol.gateways.run_folder import JOURNAL, PLAN, Header, RunFolder, write_new
from eksnetpol.gateways.run_state import same_cluster, summary_of
from eksnetpol.model.plan import Plan, Verb
from eksnetpol.model.runs import RunSummary
from eksnetpol.model.snapshot import Target

ROOM = 1 << 20
"""Bytes that must be free before a run starts: its journal, its back-ups and what was there before."""

_PRIVATE = 0o700
_NEW = ".new-"
_NAMED = 8


def new_run_id(verb: Verb, now: datetime) -> str:
    """Return a run's id: ``20261127-030744-enable-4f2a``. Ids sort by the time they were made at, in UTC."""
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{verb}-{secrets.token_hex(2)}"


class Runs:
    """All runs of one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def at(cls, folder: str | None) -> Runs:
        """Return the ledger in *folder*, or where it is by default: ``eksnetpol/runs`` of the person's state directory."""
        if folder:
            return cls(Path(folder).absolute())
        state = os.environ.get("XDG_STATE_HOME", "")
        # The XDG base directory specification wants relative paths ignored.
        if os.path.isabs(state):  # noqa: PTH117 - empty is no path
            return cls(Path(state) / "eksnetpol" / "runs")
        try:
            return cls(Path.home() / ".local" / "state" / "eksnetpol" / "runs")
        except RuntimeError as error:
            raise JournalError(f"where to keep runs is not known ({error}); give --state-dir") from error

    def start(self, plan: Plan, run_id: str) -> RunFolder:
        """Begin a run of *plan* and return it, held by this process.

        Raises `JournalError`, with nothing changed anywhere, where it cannot be written: no right, no room, a file system that
        is read-only, a run of that id.
        """
        header = Header(run=run_id, plan=plan.digest, tool=__version__, by=_who())
        with _written(self.root):
            _make(self.root)
            if (self.root / run_id).exists():
                raise JournalError(f"{self.root / run_id}: there is a run of that id already")
            free = shutil.disk_usage(self.root).free
            if free < ROOM:
                raise JournalError(
                    f"{self.root}: only {free:,} bytes are free, and a run keeps what was there before; nothing was changed; "
                    "make room, or give --state-dir"
                )
            made = self.root / f"{_NEW}{run_id}"
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir(mode=_PRIVATE)
            try:
                replace_file(made / PLAN, plan_file.encode(plan))
                write_new(made / JOURNAL, header)
                sync_folder(made)
                made.rename(self.root / run_id)
                sync_folder(self.root)
            except BaseException:
                shutil.rmtree(made, ignore_errors=True)
                raise
        run = RunFolder(self.root / run_id)
        run.hold()
        return run

    def find(self, run: str) -> RunFolder:
        """Return the run whose id begins with *run*; raise `UsageError` where there is none or are several.

        Raises `UnreadableInput` for a journal of another format, or one that belongs to another plan than the one beside it.
        """
        ids = self._ids()
        found = [run] if run in ids else [one for one in ids if one.startswith(run)]
        if len(found) == 1:
            folder = RunFolder(self.root / found[0])
            folder.check()
            return folder
        if not ids:
            raise UsageError(f"there are no runs in {self.root}; --state-dir names another place")
        listed = ", ".join(sorted(found or ids, reverse=True)[:_NAMED])
        more = f" and {len(found or ids) - _NAMED} more" if len(found or ids) > _NAMED else ""
        what = f"several runs begin with {run!r}" if found else f"there is no run {run!r}"
        raise UsageError(f"{what} in {self.root}; there are: {listed}{more}")

    def all(self) -> tuple[RunSummary, ...]:
        """Return what is known of every run, the newest first; one that cannot be read says why."""
        return tuple(self._summary(run) for run in sorted(self._ids(), reverse=True))

    def unfinished(self, target: Target) -> tuple[RunSummary, ...]:
        """Return the runs on the cluster *target* that neither ended nor were taken back, the newest first."""
        return tuple(
            run for run in self.all() if run.state in {"running", "stopped", "failed"} and same_cluster(run.target, target)
        )

    def _ids(self) -> list[str]:
        try:
            return [p.name for p in self.root.iterdir() if not p.name.startswith(".") and (p / JOURNAL).is_file()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise JournalError(f"{self.root}: the runs cannot be read: {error.strerror}") from error

    def _summary(self, run: str) -> RunSummary:
        folder = RunFolder(self.root / run)
        try:
            header = folder.check()
            return summary_of(header, folder.plan(), folder.entries(), held=folder.is_held())
        except (UnreadableInput, JournalError) as error:
            return RunSummary(run, state="unreadable", problem=str(error))


def _make(root: Path) -> None:
    """Make the folder of all runs, and those above it that are missing, for their owner alone."""
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    for folder in reversed(missing):
        with suppress(FileExistsError):
            folder.mkdir(mode=_PRIVATE)


@contextmanager
def _written(root: Path) -> Iterator[None]:
    try:
        yield
    except EksNetpolError:
        raise
    except OSError as error:
        raise JournalError(
            f"{error.filename or root}: a run cannot be kept there: {error.strerror}; nothing was changed; "
            "give --state-dir a folder that can be written"
        ) from error


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container whose user has no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


__all__ = ["RunFolder", "RunSummary", "Runs", "new_run_id"]
