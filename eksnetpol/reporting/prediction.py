"""Predicted objects as a Kubernetes List, in JSON or as YAML documents, and in numbers, as text. Nothing is held as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec
import yaml

from eksnetpol.policy.prediction.predict import Count, Note, Prediction, Undetermined
from eksnetpol.reporting.escape import visible
from eksnetpol.reporting.yaml import Dumper

_ENDLESS = 2**31 - 1
_LISTS = frozenset({"egress", "ingress", "podSelectorEndpoints"})
_HEADINGS = ("POLICY", "OBJECTS", "PODS", "INGRESS", "EGRESS", "UNDETERMINED")


def as_json(documents: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a ``List`` of *documents*, each on a line of its own, in ASCII."""
    yield b'{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":""},"items":['
    between = b"\n"
    for document in documents:
        yield between
        yield document if document.isascii() else json.dumps(msgspec.json.decode(document)).encode()
        between = b",\n"
    yield b"\n]}\n"


def as_yaml(documents: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a YAML document for each of *documents*, in ASCII, as PyYAML writes it."""
    for document in documents:
        value = _FRAME.decode(document)
        head = _dumped({"apiVersion": value.apiVersion, "kind": value.kind, "metadata": value.metadata})
        lines = ["---\n", head, "spec:\n"]
        for key in sorted(value.spec):
            raw = value.spec[key]
            if key in _LISTS:
                # The same entries stand in many objects, so each is written once.
                lines.append(f"  {key}:\n")
                lines += [_entry(bytes(item)) for item in _ITEMS.decode(raw)]
            else:
                lines.append(_indented(_dumped({key: msgspec.json.decode(raw)})))
        yield "".join(lines).encode()


class _Frame(msgspec.Struct):
    """An object with its spec undecoded."""

    apiVersion: str  # noqa: N815 - the API's name
    kind: str
    metadata: dict[str, Any]
    spec: dict[str, msgspec.Raw]


_FRAME = msgspec.json.Decoder(_Frame)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


@lru_cache(maxsize=1 << 16)
def _entry(data: bytes) -> str:
    return _indented(_dumped([msgspec.json.decode(data)]))


def _dumped(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=Dumper, sort_keys=True, width=_ENDLESS, allow_unicode=False)
    # The same string to a YAML reader, but no workflow command to a CI runner.
    return text.replace("##[", "#\\x23[")


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


def as_text(prediction: Prediction) -> Iterator[bytes]:
    """Yield a line for each policy, and then what is to be said of some."""
    counts = prediction.counts()
    doubts: dict[str, int] = {}
    for doubt in prediction.undetermined:
        doubts[str(doubt.subject)] = doubts.get(str(doubt.subject), 0) + 1
    rows = [_row(count, doubts.get(str(count.subject), 0)) for count in counts]
    total = tuple(str(sum(getattr(c, name) for c in counts)) for name in ("objects", "pods", "ingress", "egress"))
    last = (f"total: {len(counts)}", *total, str(sum(doubts.values())))
    widths = [max(len(row[i]) for row in (_HEADINGS, last, *rows)) for i in range(len(_HEADINGS))]
    for row in (_HEADINGS, *rows, last):
        cells = (cell.ljust(widths[0]) if not i else cell.rjust(widths[i]) for i, cell in enumerate(row))
        yield "  ".join(cells).rstrip().encode() + b"\n"
    for line in (*map(note, prediction.notes), *map(undetermined, prediction.undetermined)):
        yield f"\nnote: {visible(line, ascii_only=True)}\n".encode()


def note(said: Note) -> str:
    """Return a note as a sentence."""
    if said.subject is None:
        return said.words
    return f"{said.subject}{' is left out' if said.left_out else ''}: {said.words}"


def undetermined(doubt: Undetermined) -> str:
    """Return what is left to chance as a sentence."""
    answers = " or ".join(_answer(a) for a in doubt.answers)
    return (
        f"{doubt.subject}: {doubt.place} opens {doubt.service} ({doubt.address}) on {answers}: "
        "its pods disagree, and the controller goes by the one it meets first"
    )


def _answer(ports: tuple[tuple[str, int | None, int | None], ...] | None) -> str:
    if ports is None:
        return "no port"
    return ", ".join(f"{p}{'' if n is None else f' {n}'}{'' if e is None else f'-{e}'}" for p, n, e in ports)


def _row(count: Count, doubts: int) -> tuple[str, ...]:
    numbers = (count.objects, count.pods, count.ingress, count.egress)
    return (visible(str(count.subject), ascii_only=True), *map(str, numbers), str(doubts) if doubts else "")
