"""Snapshots as files: JSON, gzipped when the name ends in ``.gz``, replayed on another machine with the same result.

The document starts with an envelope (``apiVersion``, ``kind``, ``schemaVersion``, ``toolVersion``); the snapshot's own fields
follow beside it. Reading is one typed decoding pass over the bytes: of 100,000 pods that is the whole cost.
"""

from __future__ import annotations

import gc
import gzip
import os
import re
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from eksnetpol import __version__
from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.gateways.durable import replace_file
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.problems import Problem
from eksnetpol.model.snapshot import SCHEMA_VERSION, ClusterSnapshot, Seen, SourceKind
from eksnetpol.policy.validation import sound

API_VERSION = "eksnetpol.io/v1"
KIND = "ClusterSnapshot"

LIMIT = 4 << 30
"""Bytes that a gzipped snapshot may unfold to. One of 100,000 pods and 10,000 policies is a twentieth of that."""

_GZIP = b"\x1f\x8b"
_BYTE = re.compile(r"\(byte (\d+)\)")
_PLACE = re.compile(r" - at `(?P<path>[^`]*)`$")


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str = ""
    kind: str = ""
    schema_version: int = 0
    tool_version: str = ""


class _Document(ClusterSnapshot, frozen=True, kw_only=True, rename="camel"):
    api_version: str = ""
    kind: str = ""
    schema_version: int = 0
    tool_version: str = ""


_DOCUMENT = msgspec.json.Decoder(_Document)
_ENVELOPE = msgspec.json.Decoder(_Envelope)


# --- writing ----------------------------------------------------------------------------------------------------------


def encode(snapshot: ClusterSnapshot) -> bytes:
    """Return *snapshot* as the document that `decode` reads."""
    head = msgspec.json.encode(_Envelope(API_VERSION, KIND, SCHEMA_VERSION, __version__))
    body = msgspec.json.encode(snapshot)
    return head if body == b"{}" else b"".join((head[:-1], b",", body[1:]))


def save(snapshot: ClusterSnapshot, path: str | Path) -> None:
    """Write *snapshot* to *path*, ``-`` for stdout; gzipped when the name ends in ``.gz``.

    A file is readable for its owner alone, and is replaced in one step when everything is on the disk: a kill in between leaves
    what was there before. Raises `UsageError` when it cannot be written.
    """
    data = encode(snapshot)
    if str(path) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    if str(path).endswith(".gz"):
        # Neither time nor name are stored, so that the same snapshot gives the same bytes.
        data = gzip.compress(data, compresslevel=6, mtime=0)
    try:
        replace_file(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise UsageError(f"{path}: the snapshot cannot be written there: {error.strerror}") from error


# --- reading ----------------------------------------------------------------------------------------------------------


def load(path: str | Path, *, limit: int = LIMIT) -> ClusterSnapshot:
    """Return the snapshot in *path*, ``-`` for stdin, gzipped or not.

    Raises `UnreadableInput`, naming the place, for what is no snapshot, is damaged or unfolds to more than *limit* bytes, and
    for a snapshot that a newer version wrote; `UsageError` when there is no such file.
    """
    place = "stdin" if str(path) == "-" else str(path)
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else Path(path).read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{place}: there is no such file; `eksnetpol snapshot save {place}` makes one") from None
    except OSError as error:
        raise UsageError(f"{place}: the snapshot cannot be read: {error.strerror}") from error
    if data.startswith(_GZIP):
        data = _unfold(data, place, limit)
    return decode(data, place)


def load_sound(path: str | Path, problems: Callable[[Problem], None]) -> ClusterSnapshot:
    """Return the snapshot in *path* as `load` does, without the policies that an API server would refuse.

    Only one that was made of files can hold such: what a cluster holds its server has taken. *problems* is told of each fault.
    """
    snapshot = load(path)
    if snapshot.source is not SourceKind.MANIFESTS:
        return snapshot
    snapshot, found = sound(snapshot)
    for problem in found:
        problems(problem)
    return snapshot


def decode(data: bytes, place: str) -> ClusterSnapshot:
    """Return the snapshot that *data*, not gzipped, holds; raise `UnreadableInput` as `load` does."""
    if not data.strip():
        raise UnreadableInput(place, f"this is empty; expected a {KIND} as `eksnetpol snapshot save` writes it")
    try:
        with collector_paused():
            document = _DOCUMENT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _explained(error, data, place) from None
    # What was decoded lives as long as the process: later collections need not walk it.
    gc.freeze()
    _check(_Envelope(document.api_version, document.kind, document.schema_version, document.tool_version), place)
    snapshot = ClusterSnapshot(**{name: getattr(document, name) for name in ClusterSnapshot.__struct_fields__})
    _check_pods(snapshot, place)
    return snapshot


def _unfold(data: bytes, place: str, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data:
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(data, limit - size + 1)
        except zlib.error as error:
            raise UnreadableInput(place, f"the gzip data is damaged ({error}); take the snapshot anew") from None
        size += len(part)
        if size > limit:
            raise UnreadableInput(place, f"this unfolds to more than {limit:,} bytes; no snapshot is that large")
        if not member.eof:
            raise UnreadableInput(place, "the gzip data ends too early: the file was cut off; take or copy it anew")
        parts.append(part)
        # Nothing but zeros may follow the last member: tapes and some transports pad.
        data = member.unused_data.lstrip(b"\0")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check(head: _Envelope, place: str) -> None:
    if (head.api_version, head.kind) != (API_VERSION, KIND):
        found = " ".join(part for part in (head.api_version, head.kind) if part)
        seen = f"this is a {found}" if found else "this has no apiVersion and kind"
        hint = "; use --manifests for Kubernetes objects" if found and not found.startswith("eksnetpol.io/") else ""
        raise UnreadableInput(place, f"{seen}, expected {API_VERSION} {KIND} as `eksnetpol snapshot save` writes it{hint}")
    if head.schema_version > SCHEMA_VERSION:
        by = f" by eksnetpol {head.tool_version}" if head.tool_version else ""
        raise UnreadableInput(
            place,
            f"this snapshot was written{by} in schema version {head.schema_version}; this is eksnetpol {__version__}, which "
            f"reads up to version {SCHEMA_VERSION}: update eksnetpol, or take the snapshot with this version",
        )
    if head.schema_version < 1:
        raise UnreadableInput(place, f"schemaVersion is missing; expected a number from 1 to {SCHEMA_VERSION}")


def _check_pods(snapshot: ClusterSnapshot, place: str) -> None:
    """Decode what `k8s.Pod` keeps as JSON text, each distinct text once, so that a mistake there is met here."""
    if not isinstance(snapshot.pods, Seen):
        return
    known: set[bytes] = set()
    # Of pods that stand together most have the same texts, and to compare is cheaper than to look up.
    raw_labels = raw_containers = raw_init = msgspec.Raw()
    for number, pod in enumerate(snapshot.pods.value):
        spec = pod.spec
        if raw_labels == pod.metadata.labels and raw_containers == spec.containers and raw_init == spec.init_containers:
            continue
        raw_labels, raw_containers, raw_init = pod.metadata.labels, spec.containers, spec.init_containers
        labels, containers, init = bytes(pod.metadata.labels), bytes(spec.containers), bytes(spec.init_containers)
        if labels in known and containers in known and init in known:
            continue
        name = ""
        try:
            name = "metadata.labels"
            k8s.labels_of(labels)
            name = "spec.containers"
            k8s.containers_of(containers)
            name = "spec.initContainers"
            k8s.containers_of(init)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UnreadableInput(place, f"pods.value[{number}].{name}: {_lowered(_PLACE.sub('', str(error)))}") from None
        known.update((labels, containers, init))


def _lowered(words: str) -> str:
    return f"{words[:1].lower()}{words[1:]}"


def _explained(error: Exception, data: bytes, place: str) -> UnreadableInput:
    if isinstance(error, RecursionError):
        return UnreadableInput(place, "this is nested too deeply to be a snapshot")
    if isinstance(error, msgspec.ValidationError):
        return _mistyped(error, data, place)
    text = str(error)
    at = _BYTE.search(text)
    if "truncated" in text or (at and int(at[1]) >= len(data)):
        line = data.count(b"\n") + 1
        return UnreadableInput(f"{place}:{line}", "the JSON ends too early: the file was cut off; take or copy it anew")
    offset = int(at[1]) if at else _first_bad_byte(data)
    line, column = data.count(b"\n", 0, offset) + 1, offset - data.rfind(b"\n", 0, offset)
    what = _BYTE.sub("", text).removeprefix("JSON is malformed: ").strip()
    return UnreadableInput(f"{place}:{line}", f"this is not JSON: {what} (column {column})")


def _mistyped(error: msgspec.ValidationError, data: bytes, place: str) -> UnreadableInput:
    # As far as it was read it is JSON, so its envelope can tell whether it is something else, or of a newer version.
    try:
        _check(_ENVELOPE.decode(data), place)
    except UnreadableInput as better:
        return better
    except msgspec.ValidationError:
        return UnreadableInput(place, f"this is no {API_VERSION} {KIND} as `eksnetpol snapshot save` writes it")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as worse:
        return _explained(worse, data, place)
    found = _PLACE.search(str(error))
    path = found["path"].removeprefix("$").removeprefix(".") if found else ""
    return UnreadableInput(place, f"{path or 'the document'}: {_lowered(_PLACE.sub('', str(error)))}")


def _first_bad_byte(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0
