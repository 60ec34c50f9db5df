"""A status for the terminal: the headline first, then the rows it is made of, then what deserves attention."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.reporting import status_view as view
from eksnetpol.reporting.policy_words import lines
from eksnetpol.reporting.status_view import Standing


def text(standing: Standing, width: int, *, color: bool, verbose: bool = False) -> str:
    """Return *standing* in lines of at most *width* columns; ASCII where there is no *color*, every node where *verbose*."""
    return lines(_text(standing, verbose=verbose), width, ascii_only=not color)


def _text(standing: Standing, *, verbose: bool) -> Iterator[tuple[int, str]]:
    found = standing.status.headline
    yield 0, f"{found.verdict.upper()}: {view.headline(standing)}."
    for reason in found.why:
        yield 2, f"{view.SIGNS[found.verdict]} {reason}"
    yield 0, view.circumstances(standing)
    yield 0, ""
    rows = list(view.rows(standing))
    broad = max(len(name) for name, _ in rows)
    for name, words in rows:
        yield 2, f"{name.ljust(broad)}  {words}"
    for title, said in view.sections(standing, everything=verbose):
        yield 0, ""
        yield 0, title
        for line in said:
            yield 2, line
