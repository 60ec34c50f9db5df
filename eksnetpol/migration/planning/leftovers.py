"""Phase 8: what outlives an uninstall, class by class, only where somebody says so, and by exact name.

Never deleted: NetworkPolicies, AWS's definitions, and those of ``policy.networking.k8s.io``, which several engines share.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from eksnetpol.engines.parts import SHARED_GROUPS
from eksnetpol.errors import Bug
from eksnetpol.migration.planning import phases
from eksnetpol.migration.planning.backing_up import DEFINITIONS, NAMESPACES, OWN_POLICIES, SETTINGS_FILE, served_settings
from eksnetpol.migration.planning.leaving import LABELLED, Leaving
from eksnetpol.migration.planning.options import LeftOver
from eksnetpol.migration.planning.sources import Sources
from eksnetpol.model.actions import Delete, Look, ObjectId, Restore, StripFinalizer
from eksnetpol.model.conditions import Absent, All, Established, NoneLeft, Restored, Runs, Unfinalized
from eksnetpol.model.kinds import NAMESPACE, ObjectRef
from eksnetpol.model.plan import Step, Undo
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.looks import counted

_TAKES = 600.0


def left_overs(left: Leaving, sources: Sources, wanted: tuple[LeftOver, ...]) -> Draft:
    """Return the steps for the classes that are *wanted*, in the order that needs nobody who is gone."""
    steps: list[Step] = []
    if LeftOver.ADMISSION in wanted and left.parts.admission:
        steps += _admission(left)
    if LeftOver.POLICIES in wanted or LeftOver.DEFINITIONS in wanted:
        steps += _policies(left, sources)
    if LeftOver.DEFINITIONS in wanted:
        steps += _definitions(left)
    if LeftOver.NAMESPACES in wanted and left.parts.namespaces:
        steps += _namespaces(left)
    if steps and left.has_agent:
        steps.insert(0, _gate(left, sources))
    kept = [one for one in LeftOver if one not in wanted]
    said = ", ".join(one.value for one in kept)
    more = (f"left-overs that stay unless they are asked for: {said}; eksnetpol migrate cleanup takes them away later",)
    marked = (
        replace(step, phase=phases.LEFT_OVERS, door="" if isinstance(step.action, Look) else phases.LEFT_OVERS_DOOR)
        for step in steps
    )
    return Draft(steps=tuple(marked), afterwards=more if kept else ())


def _gate(left: Leaving, sources: Sources) -> Step:
    """Return the look before what the old engine understood goes for good: it is gone, and what its policies said is there."""
    gone = (Runs(left.ref, gone=True, label=LABELLED), Runs(left.ref, gone=True))
    whole = All((*gone, sources.unchanged))
    title = f"See that {left.title} has not come back, and that what its policies said is still in force"
    return phases.look("left-overs/gate", title, whole, phases.LEFT_OVERS)


def _admission(left: Leaving) -> Iterator[Step]:
    objects = tuple(map(ObjectId, left.parts.admission))
    yield Step(
        id="left-overs/admission",
        title=f"Delete webhooks and admission policies of {left.title} that nobody serves any more",
        action=Delete(objects),
        until=Absent(objects),
        patience=_TAKES,
        undo=phases.nothing_to_do(f"they mean nothing without {left.title}, whose operator makes them itself"),
        one_way=f"{left.title}'s operator makes them, and nobody else",
    )


def _policies(left: Leaving, sources: Sources) -> Iterator[Step]:
    for finalizer, kind in left.parts.bound:
        if any(definition.name == str(kind) for definition in left.definitions):
            yield Step(
                id=f"left-overs/free-{kind.plural}",
                title=f"Take {finalizer} off every {kind.name}: who would let go of them is gone",
                action=StripFinalizer((), finalizer, kinds=(str(kind),)),
                until=Unfinalized((), finalizer, kinds=(str(kind),)),
                patience=_TAKES,
                undo=phases.nothing_to_do(f"{left.title}'s controllers set it themselves where they run"),
                one_way=f"{left.title}'s controllers set it, and nobody else",
            )
    if sources.own:
        yield Step(
            id="left-overs/policies",
            title=f"Delete {counted(len(sources.own), 'object')} that {left.title} alone understood",
            action=Delete(sources.own),
            until=Absent(tuple(ObjectId(one.ref) for one in sources.own)),
            patience=max(_TAKES, len(sources.own)),
            undo=Undo("Put them back from the run's file", Restore(OWN_POLICIES), Restored(OWN_POLICIES)),
            one_way="they come back as new objects",
        )


def _definitions(left: Leaving) -> Iterator[Step]:
    settings = tuple(str(kind) for kind in served_settings(left))
    if settings:
        yield Step(
            id="left-overs/settings",
            title=f"Delete {left.title}'s settings and its own books",
            action=Delete((), kinds=settings),
            until=NoneLeft(settings),
            patience=_TAKES,
            undo=Undo("Put them back from the run's file", Restore(SETTINGS_FILE), Restored(SETTINGS_FILE)),
            one_way="they come back as new objects",
        )
    own = left.own_definitions
    shared = [one.ref.name for one in own if one.ref.name.partition(".")[2] in SHARED_GROUPS]
    if shared:
        raise Bug(f"{', '.join(shared)} belong to no engine alone and are never deleted")
    if own:
        served = tuple(Established(one.ref.name) for one in own)
        yield Step(
            id="left-overs/definitions",
            title=f"Delete {counted(len(own), 'definition')} of {left.title}, and with each all objects of its kind",
            action=Delete(own),
            until=Absent(own),
            patience=_TAKES,
            undo=Undo("Put them back from the run's file", Restore(DEFINITIONS), All((Restored(DEFINITIONS), *served))),
            one_way="what is of their kinds and in no file of the run is lost",
        )


def _namespaces(left: Leaving) -> Iterator[Step]:
    objects = tuple(ObjectId(ObjectRef.to(NAMESPACE, name)) for name in left.parts.namespaces)
    yield Step(
        id="left-overs/namespaces",
        title=f"Delete the namespaces of {left.title}: {', '.join(left.parts.namespaces)}, as far as they are there",
        action=Delete(objects),
        until=Absent(objects),
        patience=_TAKES,
        undo=Undo("Put them back from the run's file", Restore(NAMESPACES), Restored(NAMESPACES)),
        one_way="they come back empty: what else somebody put into them goes with them",
    )
