"""A matrix as JSON: every pair between which something may flow, destination by destination, written as it is worked out.

``connections`` is what every pair of pods has, as ``TCP 80,443; UDP 53`` or ``all``; where ``partial`` is true, ``some`` is what
some pairs have. Within a version of the tool members are only added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from eksnetpol.policy.answers import Answer
from eksnetpol.policy.cells import Place
from eksnetpol.policy.difference import Changed
from eksnetpol.policy.universe import indexes_of
from eksnetpol.reporting import policy_words as words
from eksnetpol.reporting.escape import encodable
from eksnetpol.reporting.matrix_view import MatrixPage


def write(page: MatrixPage) -> Iterator[str]:
    """Yield *page* as JSON."""
    head: dict[str, Any] = {
        **words.profile_document(page.profile),
        "workloads": [encodable(p.title) for p in page.places if not p.is_outside],
        "outside": [_outside(p) for p in page.places if p.is_outside],
        "notes": [encodable(n) for n in page.notes],
    }
    if page.compared is not None:
        head["compared"] = {
            **words.profile_document(page.compared.after.engine.profile),
            "differences": [changed(c) for c in page.compared.changes],
        }
    yield json.dumps(head, indent=2)[:-2] + ',\n  "connections": ['
    names = [json.dumps(encodable(p.title)) for p in page.places]
    tails: dict[Answer, str] = {}
    first = True
    for number, column in page.table.columns():
        there = names[number]
        found: dict[int, str] = {}
        for answer, sources in column.items():
            tail = tails.get(answer)
            if tail is None:
                tail = tails[answer] = f', "to": %s, {json.dumps(_answer(answer))[1:]}'
            end = tail.replace("%s", there, 1)
            found.update((i, end) for i in indexes_of(sources))
        rows = [f'{{"from": {names[i]}{found[i]}' for i in sorted(found)]
        if rows:
            yield ("\n    " if first else ",\n    ") + ",\n    ".join(rows)
            first = False
    yield "]\n}\n" if first else "\n  ]\n}\n"


def changed(change: Changed) -> dict[str, Any]:
    """Return a pair that has not the same in two matrices."""
    return {
        "from": encodable(change.source.title),
        "to": encodable(change.destination.title),
        "change": change.change.value,
        "before": _answer(change.before),
        "after": _answer(change.after),
        "gained": str(change.gained),
        "lost": str(change.lost),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    document: dict[str, Any] = {"connections": str(answer.every), "partial": not answer.is_uniform}
    return document if answer.is_uniform else document | {"some": str(answer.some)}


def _outside(place: Place) -> dict[str, Any]:
    block = "" if place.atom is None else str(place.atom.block)
    return {"name": place.title, "block": block, "but": list(place.but)}
