"""One state of a cluster by a single word: a snapshot, manifests, or manifests as a Git revision has them."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from pathlib import Path

from eksnetpol.errors import UsageError
from eksnetpol.gateways.git_tree import is_revision, read_revision
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.gateways.manifest_objects import Tell
from eksnetpol.gateways.snapshot_file import KIND, load, load_sound
from eksnetpol.model.snapshot import ClusterSnapshot

_GZIP = b"\x1f\x8b"
_HEAD = 512
"""Bytes from a snapshot's beginning in which its kind stands."""


def read_state(word: str, note: Callable[[str], None] = lambda _: None, problems: Tell | None = None) -> ClusterSnapshot:
    """Return what *word* means: a file that `snapshot_file.save` wrote, a file or directory of manifests, ``-`` for manifests on
    stdin, or ``REVISION:PATH`` of the Git repository around.

    What exists as a file goes before a revision of that name. Raises `UsageError` for what is none of these, and what the
    readers themselves raise; *note* is told what manifests leave out, and *problems*, where there is any, what is malformed.
    """
    path = Path(word)
    if word == "-":
        return read_manifests([word], sys.stdin.buffer if sys.stdin else None, note, problems=problems)
    if path.is_file() and _is_snapshot(path):
        return load(word) if problems is None else load_sound(word, problems)
    if path.exists():
        return read_manifests([word], None, note, problems=problems)
    if is_revision(word):
        return read_revision(word, note, problems=problems)
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
