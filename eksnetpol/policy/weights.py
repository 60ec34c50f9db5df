"""Numbers of pods for all classes at once, without looking at them one by one.

A number for each class is kept bit by bit: plane *i* is the set of the classes in whose number bit *i* is set.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from eksnetpol.policy.universe import Classes, Universe, set_of

CROWD = 64


@dataclass(frozen=True, slots=True)
class Weights:
    """How many pods each class stands for."""

    planes: tuple[Classes, ...]
    crowds: Classes
    """Those with `CROWD` pods or more."""

    def of(self, classes: Classes) -> int:
        """Return how many pods *classes* stand for."""
        return sum((classes & plane).bit_count() << bit for bit, plane in enumerate(self.planes))

    def exceed(self, bound: int, classes: Classes) -> bool:
        """Say whether *classes* stand for more than *bound* pods. Sets of a few small classes are told at a glance."""
        if not classes & self.crowds and classes.bit_count() * CROWD <= bound:
            return False
        return self.of(classes) > bound


@dataclass(slots=True)
class Sums:
    """A number for each class, to which others are added for many at once."""

    planes: list[Classes] = field(default_factory=list)

    def add(self, classes: Classes, amount: int) -> None:
        """Add *amount* to the number of each of *classes*."""
        for bit in range(amount.bit_length()):
            if amount >> bit & 1:
                self._carry(classes, bit)

    def _carry(self, carry: Classes, at: int) -> None:
        while carry:
            if at >= len(self.planes):
                self.planes.extend([0] * (at + 1 - len(self.planes)))
            self.planes[at], carry = self.planes[at] ^ carry, self.planes[at] & carry
            at += 1

    def above(self, bound: int, among: Classes) -> Classes:
        """Return those of *among* whose number is greater than *bound*."""
        more, equal = 0, among
        for at in reversed(range(max(len(self.planes), bound.bit_length()))):
            plane = self.planes[at] if at < len(self.planes) else 0
            if bound >> at & 1:
                equal &= plane
            else:
                more |= equal & plane
                equal &= ~plane
        return more


def weigh(universe: Universe) -> Weights:
    """Take the sizes of the classes of *universe*."""
    by_size: dict[int, list[int]] = {}
    for pod_class in universe.classes:
        by_size.setdefault(len(pod_class.pods), []).append(pod_class.index)
    planes = [0] * max(by_size, default=0).bit_length()
    crowds = 0
    # There are few different sizes.
    for size, indexes in by_size.items():
        classes = set_of(indexes)
        crowds |= classes if size >= CROWD else 0
        for bit in range(size.bit_length()):
            planes[bit] |= classes if size >> bit & 1 else 0
    return Weights(tuple(planes), crowds)
