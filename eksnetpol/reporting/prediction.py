"""Predicted objects as a Kubernetes List, in JSON or as YAML documents, and in numbers, as text. Nothing is held as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import msgspec
import yaml

from eksnetpol.policy.prediction.predict import Count, Note, Prediction, Undetermined
from eksnetpol.reporting.escape import visible
from eksnetpol.reporting.yaml import Dumper

_ENDLESS = 2**31 - 1
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
    """Yield a YAML document for each of *documents*, in ASCII."""
    for document in documents:
        value = msgspec.json.decode(document)
        text = yaml.dump(value, Dumper=Dumper, sort_keys=True, width=_ENDLESS, allow_unicode=False, explicit_start=True)
        # The same string to a YAML reader, but no workflow command to a CI runner.
        yield text.replace("##[", "#\\x23[").encode()


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
