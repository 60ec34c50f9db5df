"""A matrix as CSV (RFC 4180, with line feeds): a row for every pair between which something may flow."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from eksnetpol.policy.universe import indexes_of
from eksnetpol.reporting.matrix_view import MatrixPage

HEAD = ("from", "to", "connections", "some")


def write(page: MatrixPage) -> Iterator[str]:
    """Yield *page* as CSV. ``some`` is what only some pairs of pods have besides."""
    yield ",".join(HEAD) + "\n"
    for number, column in page.table.columns():
        found = {
            i: (str(answer.every), "" if answer.is_uniform else str(answer.some - answer.every))
            for answer, sources in column.items()
            for i in indexes_of(sources)
        }
        buffer = io.StringIO()
        there = page.places[number].title
        csv.writer(buffer, lineterminator="\n").writerows((page.places[i].title, there, *found[i]) for i in sorted(found))
        yield buffer.getvalue()
