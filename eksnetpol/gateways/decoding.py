"""Decoding in several threads at once.

msgspec describes a type when it first meets it, and hands the unfinished description to whoever meets it meanwhile: two threads
that decode kinds with a struct in common for the first time end the process with a segmentation fault (msgspec 0.22). So each
description is made whole, by one thread at a time, before anything is decoded with it.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_describing = threading.Lock()


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Return the decoder of *kind*, for any number of threads."""
    with _describing:
        return _described(kind)


def convert(value: Any, kind: type[T]) -> T:
    """Return *value* as *kind*, for any number of threads; raise `msgspec.ValidationError` when it is none."""
    decoder(kind)
    return msgspec.convert(value, kind)


@lru_cache(maxsize=512)
def _described(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
