"""How many pods a set of classes stands for, without looking at its members one by one."""

from __future__ import annotations

from dataclasses import dataclass

from eksnetpol.policy.universe import Classes, Universe, set_of


@dataclass(frozen=True, slots=True)
class Weights:
    """The sizes of classes, bit by bit: ``planes[i]`` are the classes in whose number of pods bit *i* is set."""

    planes: tuple[Classes, ...]

    def of(self, classes: Classes) -> int:
        """Return how many pods *classes* stand for."""
        return sum((classes & plane).bit_count() << bit for bit, plane in enumerate(self.planes))


def weigh(universe: Universe) -> Weights:
    """Take the sizes of the classes of *universe*."""
    sizes = [len(c.pods) for c in universe.classes]
    most = max(sizes, default=0)
    planes = (set_of(i for i, size in enumerate(sizes) if size >> bit & 1) for bit in range(most.bit_length()))
    return Weights(tuple(planes))
