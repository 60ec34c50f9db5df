"""Whom rules hold for, looked up by the values of labels that they ask for: of thousands, most have nothing in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from eksnetpol.policy.stacks.formulas import Formula
from eksnetpol.policy.stacks.slots import slots_of
from eksnetpol.policy.universe import indexes_of


@dataclass
class Subjects:
    """Formulas by number, in the order in which they were added."""

    formulas: list[Formula] = field(default_factory=list)
    _asking: dict[str, int] = field(default_factory=dict)
    """By key of a label, those that list its values, as a set of numbers."""
    _listed: dict[tuple[str, str], int] = field(default_factory=dict)
    """By key and value, those whose lists have it."""
    _there: int = 0

    @classmethod
    def of(cls, formulas: Iterable[Formula]) -> Subjects:
        """Return *formulas*, numbered from 0."""
        found = cls()
        for formula in formulas:
            found.add(formula)
        return found

    def add(self, formula: Formula) -> int:
        """Add *formula*, and return its number."""
        number = len(self.formulas)
        bit = 1 << number
        self.formulas.append(formula)
        self._there |= bit
        for key, slot in (slots_of(formula) or {}).items():
            if slot.values is not None:
                self._asking[key] = self._asking.get(key, 0) | bit
                for value in slot.values:
                    self._listed[key, value] = self._listed.get((key, value), 0) | bit
        return number

    def drop(self, number: int) -> None:
        """Leave one out from now on."""
        self._there &= ~(1 << number)

    def near(self, formula: Formula) -> Iterator[int]:
        """Yield the numbers of those that may have an end in common with *formula*; what it implies is among them, too."""
        found = self._there
        for key, slot in (slots_of(formula) or {}).items():
            if slot.values is not None and key in self._asking:
                alike = found & ~self._asking[key]
                for value in slot.values:
                    alike |= found & self._listed.get((key, value), 0)
                found = alike
        return indexes_of(found)


@lru_cache(maxsize=256)
def looked_up(formulas: tuple[Formula, ...]) -> Subjects:
    """Return *formulas*, numbered from 0, for whoever only asks."""
    return Subjects.of(formulas)
