"""How much may be worked out for one translation: counted in what is looked at, never in time, so that it ends alike everywhere.

Where nothing is left, questions are answered as `algebra` answers what cannot be told: ends may meet, and nothing is implied. Who
asks has to make something stricter of that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from eksnetpol.policy.stacks.algebra import Clause, TooMany, conjunction, negation, weighed, weighed_clauses
from eksnetpol.policy.stacks.formulas import EVERYBODY, Formula
from eksnetpol.policy.stacks.slots import imply, meet, slots_of

TOO_MUCH = "what is left of it takes too long to work out, and is left out"
"""What is said of a rule of which something is left out because no effort was left."""


_TOTAL, _FOR_A_RULE, _SHARE = 4_000_000, 3_000, 4
"""What there is for one translation, what every rule adds, and into how many parts what is left is cut for whoever is next."""


@dataclass
class Effort:
    """``left``: how many conditions may still be looked at."""

    left: int = 4_000_000

    @property
    def is_spent(self) -> bool:
        """True where nothing is worked out any more."""
        return self.left <= 0

    def is_nobody(self, formula: Formula) -> bool:
        """Say whether surely no end can satisfy *formula*."""
        if self.is_spent:
            return False
        answer, weight = weighed(formula)
        self.left -= weight + 1
        return answer

    def meets(self, one: Formula, other: Formula) -> bool:
        """Say whether some end can satisfy both; True as well where that cannot be told."""
        plain = slots_of(one), slots_of(other)
        if plain[0] is not None and plain[1] is not None:
            self.left -= 1
            return meet(plain[0], plain[1])
        return not self.is_nobody(conjunction(one, other)) if not self.is_spent else True

    def implies(self, one: Formula, other: Formula) -> bool:
        """Say whether every end that satisfies *one* satisfies *other*; False as well where that cannot be told."""
        if other in {one, EVERYBODY}:
            return True
        plain = slots_of(one), slots_of(other)
        if plain[0] is not None and plain[1] is not None:
            self.left -= 1
            return imply(plain[0], plain[1])
        return self.is_nobody(conjunction(one, negation(other))) if not self.is_spent else False

    def implies_any(self, one: Formula, others: Collection[Formula]) -> bool:
        """Say whether one of *others* alone is implied by *one*; False as well where that cannot be told."""
        # What is there word for word needs no looking through the rest.
        return bool(others) and (one in others or any(self.implies(one, other) for other in others))

    def clauses(self, formula: Formula, limit: int) -> tuple[Clause, ...]:
        """Return clauses as `algebra.clauses` does. Raises `TooMany` where there are more, and where no effort is left."""
        if self.is_spent:
            raise TooMany(limit)
        found, weight = weighed_clauses(formula, limit)
        self.left -= weight + 1
        if found is None:
            raise TooMany(limit)
        return found


def shares(rules: int, parts: int, effort: Effort) -> Iterator[int]:
    """Yield the numbers of *parts* in their order, with *effort* set to what each may take of what there is for so many *rules*.

    A part that is hard leaves enough for those after it, and what it does not take is theirs.
    """
    total = _TOTAL + _FOR_A_RULE * rules
    for part in range(parts):
        share = max(total // min(parts - part, _SHARE), 0)
        effort.left = share
        yield part
        total -= share - max(effort.left, 0)
