"""People who change a Helm release when a run waits for it: its values, or they uninstall it."""

from __future__ import annotations

from dataclasses import dataclass, field

from eksnetpol.model.conditions import Absent, All, Condition, Holds
from eksnetpol.model.kinds import ObjectRef
from eksnetpol.simulation.ground import Ground

MANAGER = "helm"


@dataclass(slots=True)
class ChartOwner:
    """They hear what is waited for (`asked`), and ``late`` seconds later it is so: fields of objects, or that they are gone.

    With ``never`` nobody does anything.
    """

    ground: Ground
    late: float = 60.0
    never: bool = False
    _due: list[tuple[float, Condition]] = field(default_factory=list)

    def asked(self, condition: Condition, now: float) -> None:
        """Hear what a run waits for that is people's to do."""
        if not self.never:
            self._due.append((now + self.late, condition))

    def next_due(self, now: float) -> float | None:
        """Return when they act next."""
        del now
        return min((due for due, _ in self._due), default=None)

    def turn(self, now: float) -> None:
        """Do what is to be done by now."""
        ready = [condition for due, condition in self._due if due <= now]
        self._due = [(due, condition) for due, condition in self._due if due > now]
        for condition in ready:
            self._make_true(condition)

    def _make_true(self, condition: Condition) -> None:
        match condition:
            case All():
                for one in condition.conditions:
                    self._make_true(one)
            case Holds():
                ref = ObjectRef.of(condition.object)
                if self.ground.get(ref) is not None:
                    self.ground.of(ref.of_kind).apply(condition.object, force=True, manager=MANAGER)
            case Absent():
                for gone in condition.objects:
                    if self.ground.get(gone.ref) is not None:
                        self.ground.delete(gone.ref)
            case _:
                # What follows from those by itself.
                return
