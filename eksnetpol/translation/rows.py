"""Rows of boxes: what is left of each rule, looked up by whom it holds for, and no more of it than says something new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eksnetpol.policy.connections import EVERYTHING, NOTHING
from eksnetpol.policy.stacks.formulas import Formula
from eksnetpol.translation.boxes import Box
from eksnetpol.translation.subjects import Subjects

Row = list[Box]
"""What is left of one box: parts of it, all of its own subject, with less of its pods, its peers or its connections."""


class Rows:
    """Rows in their order, looked up by whom they hold for."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        """Take *rows* that are there already."""
        self.rows: dict[int, Row] = {}
        self._places: dict[int, int] = {}
        self._subjects = Subjects()
        for row in rows:
            self.append(row)

    def __iter__(self) -> Iterator[Row]:
        return (row for _, row in self.numbered())

    def numbered(self) -> list[tuple[int, Row]]:
        """Return them with their numbers, in their order."""
        return [(number, self.rows[number]) for number in sorted(self.rows, key=self._places.__getitem__)]

    def near(self, subject: Formula) -> list[tuple[int, Row]]:
        """Return those that may hold for pods of *subject*, with their numbers, in their order."""
        numbers = sorted(self._subjects.near(subject), key=self._places.__getitem__)
        return [(number, self.rows[number]) for number in numbers]

    def prepend(self, row: Row) -> None:
        """Add a row before all others."""
        self._add(row, -1)

    def append(self, row: Row) -> None:
        """Add a row after all others."""
        self._add(row, 1)

    def put(self, number: int, row: Row) -> None:
        """Let a row be another; one that has nothing left is gone."""
        self.rows[number] = row
        if not row:
            del self.rows[number]
            self._subjects.drop(number)

    def _add(self, row: Row, side: int) -> None:
        if row:
            number = self._subjects.add(row[0].subject)
            self.rows[number] = row
            self._places[number] = side * (number + 1)


def needed(row: Row) -> Row:
    """Leave out the boxes of a row that others say too, one of them alone or several together."""
    kept = dict.fromkeys(row)
    fewer = {box: frozenset(box.unless) for box in row}
    for box in sorted(row, key=_cuts, reverse=True):
        others = [one for one in kept if one is not box and one.but <= box.but and fewer[one] <= fewer[box]]
        # Everything is written without ports; several rules with ports let other protocols through no more.
        together = NOTHING
        if box.connections != EVERYTHING:
            for one in others:
                together = together | one.connections
        if box.connections <= together or any(box.connections <= one.connections for one in others):
            del kept[box]
    return list(kept)


def foremost(row: Row, most: int) -> Row:
    """Return so many of the boxes of a row: those first that hold for all its pods and leave all connections."""
    kept = frozenset(sorted(row, key=lambda box: (bool(box.unless) or box.connections != EVERYTHING, _cuts(box)))[:most])
    return [box for box in row if box in kept]


def _cuts(box: Box) -> int:
    return len(box.unless) + len(box.but)
