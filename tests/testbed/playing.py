"""Somebody played beside a test on a real API server: a turn, again and again, until the test is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException

from tests.fields.server import Server
from tests.testbed.cluster import ControlPlane


@contextmanager
def playing(plane: ControlPlane, turn: Callable[[Server], None], *, every: float = 0.2) -> Iterator[threading.Event]:
    """Do *turn* each *every* seconds; they rest while the event that is yielded is set. A server that is away is asked again."""
    over, rests = threading.Event(), threading.Event()
    thread = threading.Thread(target=_play, args=(plane, turn, every, over, rests), daemon=True)
    thread.start()
    try:
        yield rests
    finally:
        over.set()
        thread.join()


def _play(
    plane: ControlPlane, turn: Callable[[Server], None], every: float, over: threading.Event, rests: threading.Event
) -> None:
    server = Server(plane)
    while not over.wait(every):
        if rests.is_set():
            continue
        try:
            turn(server)
        except (OSError, HTTPException):
            server.close()
            server = Server(plane)
    server.close()
