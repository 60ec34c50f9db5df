"""One state of a cluster by a single word: a snapshot, manifests, or manifests as a Git revision has them."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from pathlib import Path

from eksnetpol.errors import UsageError
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.gateways.snapshot_file import KIND, load
from eksnetpol.model.snapshot import ClusterSnapshot

_GZIP = b"\x1f\x8b"
_HEAD = 512
"""Bytes from a snapshot's beginning in which its kind stands."""


def read_state(word: str, note: Callable[[str], None] = lambda _: None) -> ClusterSnapshot:
    """Return what *word* means: a file that `snapshot_file.save` wrote, a file or directory of manifests, ``-`` for manifests on
    stdin, or ``REVISION:PATH`` of the Git repository around.

    What exists as a file goes before a revision of that name. Raises `UsageError` for what is none of these, and what the
    readers themselves raise; *note* is told what manifests leave out.
    """
    path = Path(word)
    if word == "-":
        return read_manifests([word], sys.stdin.buffer if sys.stdin else None, note)
    if path.is_file() and _is_snapshot(path):
        return load(word)
    if path.exists():
        return read_manifests([word], None, note)
    raise UsageError(
        f"{word}: there is no such file or directory; expected a snapshot, manifests, or REVISION:PATH of a Git repository"
    )


def _is_snapshot(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if head.startswith(_GZIP):
            head = zlib.decompressobj(wbits=31).decompress(head, _HEAD)
    except (OSError, zlib.error):
        # Whoever reads it says what is wrong with it.
        return False
    return KIND.encode() in head and head.lstrip().startswith(b"{")
