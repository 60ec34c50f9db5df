"""Pausing Python's cyclic garbage collector while a page is decoded, from any number of threads."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_depth = 0
_was_on = False


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the collector off until the last of all concurrent users has left, then put it back as it was found.

    Decoding makes many objects and no garbage: every collection in between walks all of them for nothing. With the
    collector on, decoding 20,000 pods took 1.8 s instead of 0.1 s.
    """
    global _depth, _was_on  # noqa: PLW0603 - the collector is the process's, so is the count of those who want it off
    with _lock:
        if _depth == 0:
            _was_on = gc.isenabled()
            gc.disable()
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _was_on:
                gc.enable()
