"""Short names for contents: plans, back-ups and files of a run are told apart by them."""

from __future__ import annotations

import hashlib

import msgspec


def digest_of(value: object) -> str:
    """Return sixteen hex digits that stand for *value*, which is made of what JSON has; the order of keys means nothing."""
    return digest_of_file(msgspec.json.encode(value, order="deterministic"))


def digest_of_file(data: bytes) -> str:
    """Return the sixteen hex digits that stand for a file of a run: what `Journal.save` returns."""
    return hashlib.sha256(data).hexdigest()[:16]
