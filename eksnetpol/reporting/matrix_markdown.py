"""A matrix as Markdown, for a page or a comment: a table of who takes what from whom."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.policy.answers import Answer
from eksnetpol.policy.cells import Places
from eksnetpol.policy.universe import set_of
from eksnetpol.reporting.differences import cases
from eksnetpol.reporting.escape import markdown
from eksnetpol.reporting.matrix_view import MatrixPage, in_words

_ROWS = 400
"""Rows of the table. GitHub takes comments of 65,536 characters."""


def write(page: MatrixPage) -> Iterator[str]:
    """Yield *page* as Markdown."""
    title = f" of {markdown(page.title)}" if page.title else ""
    yield f"### Who may reach whom{title} ({page.profile.semantics})\n\n"
    yield "| destination | takes | from |\n|---|---|---|\n"
    rows = left_out = 0
    alike: dict[frozenset[tuple[Answer, Places]], list[int]] = {}
    for number, column in page.table.columns():
        alike.setdefault(page.spoken(number, column), []).append(number)
    for taken, numbers in alike.items():
        there = markdown(page.who(set_of(numbers), everybody=False))
        ordered = sorted(taken, key=lambda item: (-item[1].bit_count(), str(item[0].some)))
        cells = [(in_words(answer), page.who(sources, everybody=False)) for answer, sources in ordered]
        for what, who in cells or [("nothing", "")]:
            rows += 1
            if rows > _ROWS:
                left_out += 1
                continue
            yield f"| {there} | {markdown(what)} | {markdown(who)} |\n"
    if left_out:
        yield f"\n{left_out:,} more rows are left out; `-o json` has all.\n"
    if page.notes:
        yield "\n" + "".join(f"- {markdown(note)}\n" for note in page.notes)
    if page.compared is not None:
        yield "\n" + "".join(f"{'  ' * (indent // 2)}- {markdown(line)}\n" for indent, line in cases(page.compared))
