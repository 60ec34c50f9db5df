"""Watching one object: every change of it for a while, and not a moment longer than that.

A watch that the server ends, or whose connection breaks, goes on from the last version that was seen; one that is too old for the
server (410) begins anew with the object as it is. See kubernetes.io, "Efficient detection of changes".
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from eksnetpol.errors import EksNetpolError
from eksnetpol.gateways import change_permits as permitted
from eksnetpol.gateways import migration_permits as migrating
from eksnetpol.gateways.faults import http_fault
from eksnetpol.gateways.kubernetes_http import ApiServer, PageExpired
from eksnetpol.gateways.kubernetes_lists import Resource
from eksnetpol.gateways.permits import MIGRATING, POLICY_CHANGING, RbacPermission, needs
from eksnetpol.model.kinds import Json, ObjectRef

_GRACE = 1.0
"""Seconds a server may take longer to end a watch than it was told."""

_SHORTEST = 0.05
_PAUSE = 0.2
_GONE = 410
_BLOCK = 1 << 16


class WatchCalls:
    """Watching."""

    api: ApiServer
    get: Callable[[ObjectRef], Json | None]

    @needs(*permitted.WATCHED, commands=permitted.ACTING)
    @needs(*permitted.WATCHED_POLICIES, commands=POLICY_CHANGING)
    @needs(*migrating.WATCHED, commands=MIGRATING)
    def watch(self, ref: ObjectRef, *, since: str = "", seconds: float = 5.0) -> Iterator[Json | None]:
        """Yield the object whenever it changes, for at most *seconds*; None when it goes. *since* is a resourceVersion.

        Without *since* what is there at the beginning comes first. A kind that is not served raises `errors.NotFound`.
        """
        return _Watch(self.api, self.get, ref, since, time.monotonic() + seconds).events()


class _Ended(Exception):
    """A stream is over, in one way or another."""


@dataclass(slots=True)
class _Watch:
    api: ApiServer
    get: Callable[[ObjectRef], Json | None]
    ref: ObjectRef
    since: str
    end: float

    def events(self) -> Iterator[Json | None]:
        while (left := self.end - time.monotonic()) > _SHORTEST:
            began = time.monotonic()
            try:
                yield from self._stream(left)
            except PageExpired:
                yield from self._anew()
            # A server that ends every watch at once is not to be asked without a pause.
            pause = min(_PAUSE - (time.monotonic() - began), self.end - time.monotonic())
            if pause > 0:
                time.sleep(pause)

    def _anew(self) -> Iterator[Json | None]:
        live = self.get(self.ref)
        self.since = str(live["metadata"].get("resourceVersion", "")) if live else ""
        yield live

    def _stream(self, left: float) -> Iterator[Json | None]:
        kind = self.ref.of_kind
        needed = RbacPermission("watch", kind.plural, kind.group, (self.ref.name,), namespace=self.ref.namespace)
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={self.ref.name}",
            "timeoutSeconds": str(max(1, math.ceil(left))),
            "allowWatchBookmarks": "true",
            **({"resourceVersion": self.since} if self.since else {}),
        }
        path = Resource(kind.plural, kind.group, kind.version).path(self.ref.namespace)
        response = self.api.stream(path, needed, query)
        try:
            for line in _lines(response, self.end):
                event = self._event(line, str(needed))
                if event is not None:
                    yield event[0]
        except _Ended:
            return
        finally:
            # What was not read is of no use to whoever gets the connection next.
            with suppress(Exception):
                response.close()

    def _event(self, line: bytes, asked: str) -> tuple[Json | None] | None:
        """Return what an event tells, None where it tells nothing; raise `PageExpired` where the watch has to begin anew."""
        try:
            event: Any = msgspec.json.decode(line)
            kind, found = event["type"], event["object"]
        except (msgspec.MsgspecError, UnicodeDecodeError, TypeError, KeyError) as error:
            raise _Ended from error
        if kind == "ERROR":
            raise self._error(found, asked)
        self.since = str(found.get("metadata", {}).get("resourceVersion", "")) or self.since
        if kind == "BOOKMARK":
            return None
        return (None,) if kind == "DELETED" else (found,)

    def _error(self, status: Json, asked: str) -> Exception:
        code = int(status.get("code") or 0)
        fault: EksNetpolError = http_fault(code, msgspec.json.encode(status), asked, self.api.server)
        if code == _GONE:
            return PageExpired(str(fault))
        return _Ended(str(fault))


def _lines(response: Any, end: float) -> Iterator[bytes]:
    """Yield the whole lines of a body as they come, until it ends or *end*, by the clock that never goes back."""
    import urllib3

    held = b""
    blocks = response.stream(_BLOCK)
    try:
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return
            _patience(response, left + _GRACE)
            block = next(blocks, None)
            if block is None:
                return
            *whole, held = (held + block).split(b"\n")
            yield from whole
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise _Ended(str(error)) from error


def _patience(response: Any, seconds: float) -> None:
    """Let the next read of *response* take at most *seconds*: a server that falls silent is no reason to wait."""
    socket = getattr(getattr(response, "connection", None), "sock", None)
    if socket is not None:
        socket.settimeout(seconds)
