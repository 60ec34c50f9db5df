"""Putting a back-up back: what is absent is created again, what is there stays as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from eksnetpol.model.actions import Delete, ObjectId, Restore
from eksnetpol.model.conditions import Absent, Restored
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.plan import Plan, Step, Undo, Verb
from eksnetpol.model.snapshot import Target

_SECONDS_EACH = 0.2
_LEAST = 300.0


def plan_restore(
    target: Target, *, run: str, file: str, digest: str, objects: Iterable[Json], present: Collection[ObjectRef] = ()
) -> Plan:
    """Return the plan that puts the back-up *file* of *run* back; no steps where all of it is *present*.

    *objects* are what the file holds, *digest* is the file's. Its way back deletes what it creates and nothing else.
    """
    held = tuple(sorted({ObjectRef.of(found) for found in objects}))
    absent = tuple(ref for ref in held if ref not in present)
    there = len(held) - len(absent)
    facts = [_counted(held, "the back-up holds")]
    if there:
        facts.append(f"{there} of them are there already and stay as they are, even where they differ from the back-up")
    steps = (_step(run, file, digest, absent),) if absent else ()
    return Plan(
        target=target,
        verb=Verb.RESTORE,
        title=f"Restore {len(absent)} objects from the back-up of run {run}" if absent else "Everything in the back-up is there",
        steps=steps,
        facts=tuple(facts),
        afterwards=("see what is enforced now: eksnetpol status",) if absent else (),
    )


def _step(run: str, file: str, digest: str, absent: tuple[ObjectRef, ...]) -> Step:
    # What they will be called by uid is known only once they are created, and what is created is what was absent.
    created = tuple(ObjectId(ref) for ref in absent)
    patience = max(_LEAST, len(absent) * _SECONDS_EACH)
    return Step(
        id="restore",
        title=f"Create {len(absent)} objects again",
        action=Restore(file, digest, run),
        until=Restored(file, digest, run),
        patience=patience,
        undo=Undo(title=f"Delete the {len(absent)} objects that were restored", action=Delete(created), until=Absent(created)),
    )


def _counted(refs: tuple[ObjectRef, ...], said: str) -> str:
    counts = Counter(ref.kind for ref in refs)
    spaces = len({ref.namespace for ref in refs if ref.namespace})
    where = f" in {spaces} namespace{'s' if spaces != 1 else ''}" if spaces else ""
    listed = ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))
    return f"{said} {listed or 'nothing'}{where}"
