"""All that changes on a real API server, as watches tell it: one thread for each kind, one line for all of them.

A store has one counter for all its objects, so what every watch told can be put in the order in which it was written.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from queue import SimpleQueue
from urllib.parse import urlsplit

from eksnetpol.model.kinds import Json, Kind, ObjectRef
from tests.fields.server import place
from tests.testbed.cluster import ControlPlane

AGAIN = 0.3
"""Seconds after which a kind is asked for again that nobody serves, or whose watch ended."""
WATCHES_FOR = 3600
_GOES = frozenset({"DELETED"})


@dataclass(frozen=True, slots=True)
class Event:
    """An object as it was at ``version``; ``after`` is None where it went. ``at``: when that was heard, in Unix time."""

    version: int
    at: float
    ref: ObjectRef
    after: Json | None


class Feed:
    """Watches *kinds* until `stop`; what happens is put into ``heard``. `synced` waits until all was listed once."""

    def __init__(self, plane: ControlPlane, kinds: Iterable[Kind]) -> None:
        self.heard: SimpleQueue[Event] = SimpleQueue()
        self._plane = plane
        self._over = threading.Event()
        self._connections: dict[Kind, http.client.HTTPSConnection] = {}
        self.kinds = tuple(dict.fromkeys(kinds))
        self.served: dict[Kind, bool] = {}
        """Of every kind that was asked for whether it is served."""
        self._listed = {kind: threading.Event() for kind in self.kinds}
        self._threads = [threading.Thread(target=self._follow, args=(kind,), daemon=True) for kind in self.kinds]
        for thread in self._threads:
            thread.start()

    def synced(self) -> None:
        """Wait until every kind was listed, or is known not to be served."""
        for kind, listed in self._listed.items():
            assert listed.wait(30.0), kind

    def stop(self) -> None:
        """End all watches."""
        self._over.set()
        for connection in tuple(self._connections.values()):
            sock = connection.sock
            if sock is not None:
                # A read that waits for the next line ends with this, and with nothing else.
                try:
                    sock.shutdown(2)
                except OSError:
                    continue
        for thread in self._threads:
            thread.join(5.0)

    def _follow(self, kind: Kind) -> None:
        known: dict[ObjectRef, int] = {}
        while not self._over.is_set():
            try:
                version = self._list(kind, known)
                self._listed[kind].set()
                if version:
                    self._watch(kind, version, known)
            except (OSError, http.client.HTTPException, ValueError):
                # The server is away, or the line broke in the middle: what is there is listed anew.
                pass
            self._over.wait(AGAIN)

    def _list(self, kind: Kind, known: dict[ObjectRef, int]) -> str:
        connection = self._connect(kind)
        connection.request("GET", place(kind), headers=self._headers)
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        found = json.loads(said) if answer.status == http.HTTPStatus.OK else {}
        self.served[kind] = bool(found)
        version = int(found.get("metadata", {}).get("resourceVersion", 0))
        there = [{"apiVersion": kind.api_version, "kind": kind.name, **one} for one in found.get("items", ())]
        listed = {ObjectRef.of(one): one for one in there}
        for ref in [ref for ref in known if ref not in listed]:
            # Nobody told when it went: not before it was last heard of.
            self._tell(known, ref, version or known[ref] + 1, None)
        for ref, one in listed.items():
            if known.get(ref) != int(one["metadata"]["resourceVersion"]):
                self._tell(known, ref, int(one["metadata"]["resourceVersion"]), one)
        return str(version) if found else ""

    def _watch(self, kind: Kind, version: str, known: dict[ObjectRef, int]) -> None:
        connection = self._connect(kind)
        query = f"watch=1&resourceVersion={version}&timeoutSeconds={WATCHES_FOR}"
        connection.request("GET", f"{place(kind)}?{query}", headers=self._headers)
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            connection.close()
            return
        while line := answer.readline():
            told = json.loads(line)
            if told["type"] not in {"ADDED", "MODIFIED", *_GOES}:
                break
            one = told["object"]
            self._tell(known, ObjectRef.of(one), int(one["metadata"]["resourceVersion"]), None if told["type"] in _GOES else one)
        connection.close()

    def _tell(self, known: dict[ObjectRef, int], ref: ObjectRef, version: int, after: Json | None) -> None:
        if after is None:
            known.pop(ref, None)
        else:
            known[ref] = version
        self.heard.put(Event(version, time.time(), ref, after))

    def _connect(self, kind: Kind) -> http.client.HTTPSConnection:
        url = urlsplit(self._plane.url)
        context = ssl.create_default_context(cadata=self._plane.ca_pem)
        made = http.client.HTTPSConnection(str(url.hostname), url.port, context=context, timeout=WATCHES_FOR)
        self._connections[kind] = made
        return made

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._plane.token()}", "Accept": "application/json"}
