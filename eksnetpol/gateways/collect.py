"""One look at a cluster: every section side by side, and for each that could not be read the reason."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from queue import SimpleQueue
from typing import Any, cast

from msgspec.structs import replace

from eksnetpol.errors import Bug, EksNetpolError
from eksnetpol.gateways.kubernetes_lists import arrivals
from eksnetpol.gateways.sections import Look, Missing, Reader, readers
from eksnetpol.gateways.session import Connection, why_unread
from eksnetpol.interfaces import AwsGateway, KubernetesGateway, Observer
from eksnetpol.model.snapshot import NOT_ASKED, ClusterSnapshot, Seen, SourceKind, Unread

WORKERS = 8

SHORT_TURN = 0.0005
"""Seconds a thread may keep the interpreter while others wait; Python's own is ten times that."""


def collect(
    connection: Connection,
    observer: Observer,
    *,
    sections: Collection[str] | None = None,
    workers: int = WORKERS,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ClusterSnapshot:
    """Return what can be seen through *connection*: all sections, or *sections* and what they build on.

    A section that cannot be read is `Unread` and stops none of the others. Only a bug of ours raises.
    """
    wanted = _with_what_they_build_on(set(readers()) if sections is None else set(sections))
    # A reader whose door is shut is never called, so that it always finds the gateway it needs.
    look = Look(
        connection.target,
        cast("AwsGateway", connection.aws),
        cast("KubernetesGateway", connection.kubernetes),
        connection.cluster,
    )
    taken_at = now()
    observer.started(len(wanted))
    with short_turns():
        _Run(look, connection, observer, workers).all(wanted)
    observer.finished()
    header = ClusterSnapshot(taken_at=taken_at, source=SourceKind.LIVE, target=connection.target)
    return replace(header, **look.sections)


@contextmanager
def short_turns() -> Iterator[None]:
    """Let threads that read from sockets have their turn soon, beside the one that decodes; afterwards all is as before.

    A page comes in a hundred and more TLS records, and after each the reading thread waits for the interpreter. At Python's own
    turns of 5 ms a whole look took 1.2 times what getting the pages takes, with these it took 1.06 times.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(SHORT_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _with_what_they_build_on(names: set[str]) -> tuple[Reader, ...]:
    unknown = names - set(readers())
    if unknown:
        raise Bug(f"there is no section {min(unknown)!r}")
    waiting = list(names)
    while waiting:
        more = set(readers()[waiting.pop()].after) - names
        names |= more
        waiting += more
    return tuple(reader for name, reader in readers().items() if name in names)


class _Run:
    """The readers of one look at work. What happens comes through one queue, so that the observer hears it from one thread."""

    def __init__(self, look: Look, connection: Connection, observer: Observer, workers: int) -> None:
        self.look = look
        self.observer = observer
        self.workers = workers
        self.shut = {"aws": connection.aws_problem or NOT_ASKED, "kubernetes": connection.kubernetes_problem or NOT_ASKED}
        self.open = {"aws": connection.aws is not None, "kubernetes": connection.kubernetes is not None}
        self.news: SimpleQueue[tuple[str, Any]] = SimpleQueue()

    def all(self, wanted: tuple[Reader, ...]) -> None:
        """Read *wanted*, each after those it builds on."""
        order: TopologicalSorter[str] = TopologicalSorter({r.name: r.after for r in wanted})
        order.prepare()
        rank = {r.name: n for n, r in enumerate(wanted)}
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="look")
        try:
            while order.is_active():
                for name in sorted(order.get_ready(), key=rank.__getitem__):
                    context = copy_context()
                    future = pool.submit(context.run, self._read, readers()[name])
                    future.add_done_callback(lambda done, name=name: self.news.put((name, done)))  # type: ignore[misc]
                self._hear(order)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _hear(self, order: TopologicalSorter[str]) -> None:
        name, what = self.news.get()
        if isinstance(what, int):
            self.observer.progress(name, what)
            return
        done: Future[Seen[Any] | Unread] = what
        section = done.result()
        self.look.sections[name] = section
        order.done(name)
        if isinstance(section, Unread):
            self.observer.unread(name, section.reason)
        else:
            self.observer.section(name, _size(section.value))

    def _read(self, reader: Reader) -> Seen[Any] | Unread:
        if not self.open[reader.door]:
            return self.shut[reader.door]
        arrivals.set(lambda count: self.news.put((reader.name, count)))
        try:
            return Seen(reader.read(self.look))
        except Missing as missing:
            return missing.unread
        except Bug:
            raise
        except EksNetpolError as error:
            return why_unread(error)


def _size(value: object) -> int:
    if value is None:
        return 0
    return len(value) if isinstance(value, tuple) else 1
