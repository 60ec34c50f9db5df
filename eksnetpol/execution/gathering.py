"""Many objects at once, as they are now: read one by one where they are few, as lists where they are many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from eksnetpol.errors import Bug
from eksnetpol.interfaces.acting import Hands
from eksnetpol.model.actions import BackUp, Delete, ObjectId, StripFinalizer
from eksnetpol.model.kinds import KINDS, Json, Kind, ObjectRef

_FEW = 4
"""Objects of a kind up to which each is read by itself; rights to single objects of a kind do not cover its list."""

_NAMED = 5


def found_of(hands: Hands, refs: Collection[ObjectRef]) -> dict[ObjectRef, Json]:
    """Return those of *refs* that are there."""
    by_kind: dict[Kind, list[ObjectRef]] = defaultdict(list)
    for ref in refs:
        by_kind[ref.of_kind].append(ref)
    found: dict[ObjectRef, Json] = {}
    for kind, wanted in by_kind.items():
        if len(wanted) <= _FEW:
            found.update({ref: live for ref in wanted if (live := hands.get(ref)) is not None})
            continue
        namespaces = {ref.namespace for ref in wanted}
        named = set(wanted)
        for live in hands.objects(kind, namespace=namespaces.pop() if len(namespaces) == 1 else ""):
            ref = ref_of(live, kind)
            if ref in named:
                found[ref] = live
    return found


def gathered(hands: Hands, objects: Collection[ObjectId]) -> dict[ObjectId, Json]:
    """Return those of *objects* that are there; one with another uid is another."""
    found = found_of(hands, [one.ref for one in objects])
    return {one: live for one in objects if (live := found.get(one.ref)) is not None and is_it(live, one)}


def meant_by(action: Delete | StripFinalizer | BackUp, hands: Hands) -> tuple[ObjectId, ...]:
    """Return the objects that *action* is done to: those it names, and all that there are of its kinds now.

    Of the kinds whose finalizer is taken off, those that have it.
    """
    finalizer = action.finalizer if isinstance(action, StripFinalizer) else ""
    found = (ref for kind in action.kinds for ref in all_of(kind, hands, finalizer=finalizer))
    known = {one.ref for one in action.objects}
    return (*action.objects, *(ObjectId(ref) for ref in found if ref not in known))


def all_of(kind: str, hands: Hands, *, finalizer: str = "") -> Iterator[ObjectRef]:
    """Yield what there is of *kind*, given as in `NoneLeft`; with *finalizer* those that have it."""
    meant = kind_named(kind)
    for live in hands.objects(meant):
        if not finalizer or finalizer in (live["metadata"].get("finalizers") or ()):
            yield ref_of(live, meant)


def is_it(live: Json, meant: ObjectId) -> bool:
    """Say whether *live* is the object that is meant, and no later one of its name."""
    return not meant.uid or live["metadata"].get("uid") == meant.uid


def ref_of(live: Json, kind: Kind) -> ObjectRef:
    """Return what an object of *kind* is called; entries of a list need not say their kind."""
    meta = live["metadata"]
    return ObjectRef.to(kind, meta["name"], meta.get("namespace", ""))


def kind_named(text: str) -> Kind:
    """Return the kind that *text*, ``policyendpoints.networking.k8s.aws``, means; raise `Bug` where it is none."""
    for kind in KINDS:
        if str(kind) == text:
            return kind
    raise Bug(f"{text} is no kind that is known here")


def named(things: Iterable[object]) -> str:
    """Return the first few of *things* in words, and how many more there are."""
    words = [str(thing) for thing in things]
    more = f" and {len(words) - _NAMED:,} more" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more
