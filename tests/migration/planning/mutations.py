"""The real plans, each broken in every way there is; ``python -m tests.migration.planning.mutations`` tells what comes of it.

Steps are dropped, swapped with the next phase's, done before all else that acts, or last; phases are swapped; ways back dropped.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

from msgspec.structs import replace

from eksnetpol.errors import EksNetpolError
from eksnetpol.migration.invariants import disordered
from eksnetpol.model.actions import BackUp, Look
from eksnetpol.model.enforcement import Enforcement
from eksnetpol.model.plan import Plan, Step
from tests.migration.planning.lives import Life, planned
from tests.migration.towns import ENGINES


@dataclass(frozen=True)
class Broken:
    """What came of a broken plan: how it was broken, which invariants did not hold, and what a plain look at nodes found."""

    how: str
    invariants: frozenset[str]
    open: str
    """The first moment at which pods were on a node that nothing at all enforced on, empty where there was none."""
    stopped: str


def mutations(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """Yield the broken plans, and how each is broken."""
    steps = plan.steps
    for at, step in enumerate(steps):
        yield f"without {step.id}", _of(plan, (*steps[:at], *steps[at + 1 :]))
    for at, (one, other) in enumerate(pairwise(steps)):
        if one.phase != other.phase:
            yield f"{other.id} before {one.id}", _of(plan, (*steps[:at], other, one, *steps[at + 2 :]))
    first = next(at for at, step in enumerate(steps) if not isinstance(step.action, Look | BackUp))
    for at, step in enumerate(steps):
        if at > first and not isinstance(step.action, Look):
            yield f"{step.id} first", _of(plan, (*steps[:first], step, *steps[first:at], *steps[at + 1 :]))
            yield f"{step.id} last", _of(plan, (*steps[:at], *steps[at + 1 :], step))
        if step.undo is not None:
            alone = replace(step, undo=None, one_way="", door="")
            yield f"no way back from {step.id}", _of(plan, (*steps[:at], alone, *steps[at + 1 :]))
    phases = [tuple(members) for _, members in groupby(steps, key=lambda step: step.phase)]
    for at in range(len(phases) - 1):
        swapped = [*phases[:at], phases[at + 1], phases[at], *phases[at + 2 :]]
        yield f"phase {phases[at + 1][0].phase} before {phases[at][0].phase}", _of(plan, tuple(s for p in swapped for s in p))


def _of(plan: Plan, steps: tuple[Step, ...]) -> Plan:
    return replace(plan, steps=steps)


def carried_out(engine: str, how: str, plan: Plan) -> Broken:
    """Carry a broken plan out, and say what was seen."""
    life = Life(engine, plan)
    seen: list[str] = []

    def looks() -> None:
        # The plain oracle: it knows of nodes and pods alone, neither of policies nor of plans.
        if not seen:
            scene = life.cluster.scene()
            working = (Enforcement.LIVE, Enforcement.FROZEN)
            open_ones = [n.name for n in scene.nodes.values() if n.pods and n.old not in working and n.new not in working]
            seen.extend(f"{name} at {scene.at:g} s" for name in open_ones[:1])

    life.cluster.observers.append(looks)
    stopped = ""
    try:
        life.go()
    except EksNetpolError as error:
        stopped = str(error)
    life.cluster.sleep(600.0)
    # The story is held against the plan as it was meant to be: whoever leaves a step out is found out by it.
    lines = [replace(line, data={}) for line in life.disk.entries]
    found = (*life.violations, *disordered(planned(engine), lines))
    return Broken(how, frozenset(v.invariant.value for v in found), seen[0] if seen else "", stopped)


def all_of(engine: str) -> Iterator[Broken]:
    """Yield what comes of every way to break the plan of an engine."""
    for how, plan in mutations(planned(engine)):
        yield carried_out(engine, how, plan)


def main() -> int:
    """Run and report."""
    failed = 0
    for engine in ENGINES:
        caught, uncaught, count = Counter[str](), [], 0
        for one in all_of(engine):
            count += 1
            caught.update(one.invariants)
            if one.open and "I1" not in one.invariants:
                uncaught.append(f"{one.how}: {one.open}")
        told = ", ".join(f"{invariant} {number}" for invariant, number in sorted(caught.items()))
        sys.stdout.write(f"{engine}: {count} broken plans; caught: {told}; open and not seen: {uncaught or 'none'}\n")
        sys.stdout.flush()
        failed += len(uncaught)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
