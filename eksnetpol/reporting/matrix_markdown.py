"""A matrix as Markdown, for a page or a comment: a table of who takes what from whom."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.reporting.differences import cases
from eksnetpol.reporting.escape import markdown, markdown_code
from eksnetpol.reporting.matrix_view import MatrixPage, in_words

_ROWS = 400
"""Rows of the table. GitHub takes comments of 65,536 characters."""


def write(page: MatrixPage) -> Iterator[str]:
    """Yield *page* as Markdown."""
    title = f" of {markdown(page.title)}" if page.title else ""
    yield f"### Who may reach whom{title} ({page.profile.semantics})\n\n"
    yield "| destination | takes | from |\n|---|---|---|\n"
    rows = left_out = 0
    for number, column in page.table.columns():
        place = page.places[number]
        there = markdown_code(place.title, cell=True)
        if not column:
            rows += 1
            yield f"| {there} | nothing | |\n" if rows <= _ROWS else ""
        for answer, sources in sorted(column.items(), key=lambda item: -item[1].bit_count()):
            rows += 1
            if rows > _ROWS:
                left_out += 1
                continue
            who = markdown(page.who(sources, everybody=False))
            yield f"| {there} | {markdown(in_words(answer))} | {who} |\n"
    if left_out:
        yield f"\n{left_out:,} more rows are left out; `-o json` has all.\n"
    if page.notes:
        yield "\n" + "".join(f"- {markdown(note)}\n" for note in page.notes)
    if page.compared is not None:
        yield "\n" + "".join(f"{'  ' * (indent // 2)}- {markdown(line)}\n" for indent, line in cases(page.compared))
