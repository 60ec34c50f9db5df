"""Phase 7: the old engine goes, its agents first and what runs them after that. Nothing polices by it any more.

Where the Tigera operator runs Calico, it is told by its own objects, one after the other, and takes away what it made itself; it
lets go of them only while it lives, so it goes last (facts: engines.md 1.4 and 1.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from eksnetpol.facts.declare import Lookup
from eksnetpol.migration.planning import phases
from eksnetpol.migration.planning.backing_up import ENGINE, SINGLETONS, is_defined
from eksnetpol.migration.planning.excluding import daemonset
from eksnetpol.migration.planning.gate import answering
from eksnetpol.migration.planning.leaving import LABELLED, Leaving
from eksnetpol.migration.planning.options import MigrateOptions
from eksnetpol.migration.planning.sources import Sources
from eksnetpol.model.actions import Delete, ObjectId, Restore
from eksnetpol.model.conditions import Absent, All, Condition, Holds, Restored, Runs, Soaked
from eksnetpol.model.engine_kinds import CALICO_API_SERVER
from eksnetpol.model.kinds import API_SERVICE, Kind, ObjectRef
from eksnetpol.model.kubernetes import ApiService
from eksnetpol.model.plan import Step, Undo
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.looks import counted
from eksnetpol.planning.reading import need

_TAKES = 900.0
_BY_HAND = 3600.0


def uninstalling(facts: Lookup, left: Leaving, sources: Sources, options: MigrateOptions) -> Draft:
    """Return the steps of phase 7; raise as `need` where it is not known whether an API is served by the engine."""
    steps = [*_gate(facts, left, sources, options), *_steps(facts, left)]
    return Draft(steps=tuple(replace(step, phase=phases.UNINSTALL) for step in steps))


def _gate(facts: Lookup, left: Leaving, sources: Sources, options: MigrateOptions) -> Iterator[Step]:
    agents_gone = Runs(left.ref, gone=True)
    title = f"See that no node runs {left.ref.name}, and that it came back to none"
    came_back = Runs(left.ref, gone=True, label=LABELLED)
    still = All((came_back, agents_gone)) if left.has_agent and left.nodes else agents_gone
    yield phases.look("uninstall/agents-gone", title, still, "", patience=600.0)
    gates: tuple[Condition, ...] = (agents_gone, sources.unchanged, answering(facts), sources.covered)
    if options.settle:
        title = f"Let {options.settle:g} s pass without {left.title} on any node"
        yield phases.look("uninstall/settle", title, Soaked(options.settle), "", patience=options.settle + 60.0)
    title = f"See that no node runs {left.ref.name} still, that every policy is resolved, and that nothing stumbles"
    yield phases.look("uninstall/gate", title, All(gates), "", patience=600.0)


def _steps(facts: Lookup, left: Leaving) -> Iterator[Step]:
    parts = left.parts
    if parts.chart:
        yield _by_chart(left)
        return
    served = _served_by_engine(facts, parts.api_service)
    if parts.told:
        for kind in parts.told:
            if is_defined(left, kind):
                also = served if kind == CALICO_API_SERVER else ()
                yield _told(left, kind, also)
        yield _gone(left, "operator", "its operator", parts.control)
        yield _gone(left, "rest", "what its operator used", parts.rest)
        return
    yield _gone(left, "agents", "its agent", parts.agents, also=(Runs(left.ref, gone=True),))
    if parts.admission:
        yield _gone(left, "admission", "its webhooks and admission policies", parts.admission)
    if served:
        yield _gone(left, "api-service", "the API it serves", served)
    if parts.control:
        yield _gone(left, "control", "its controllers", parts.control)
    yield _gone(left, "rest", "its permissions, Services and settings", parts.rest)


def _served_by_engine(facts: Lookup, name: str) -> tuple[ObjectRef, ...]:
    """Return the APIService that the engine's own pods serve; one that the API server serves itself comes with definitions."""
    if not name:
        return ()
    services: tuple[ApiService, ...] = need(facts, "api_services")
    found = any(s.metadata.name == name and s.spec.service is not None for s in services)
    return (ObjectRef.to(API_SERVICE, name),) if found else ()


def _told(left: Leaving, kind: Kind, also: tuple[ObjectRef, ...]) -> Step:
    objects = tuple(ObjectId(ObjectRef.to(kind, name)) for name in SINGLETONS)
    return _step(
        left,
        kind.name.lower(),
        f"Delete the {kind.name} of {left.title}, and wait until its operator has taken away what it made of it",
        objects,
        until=Absent((*objects, *map(ObjectId, also))),
    )


def _gone(left: Leaving, name: str, what: str, refs: Iterable[ObjectRef], *, also: tuple[Condition, ...] = ()) -> Step:
    objects = tuple(map(ObjectId, refs))
    told = ", ".join(str(one.ref) for one in objects[:3])
    more = f" and {counted(len(objects) - 3, 'more').removesuffix('s')}" if len(objects) > 3 else ""  # noqa: PLR2004 - shown
    gone: Condition = Absent(objects)
    until = All((gone, *also)) if also else gone
    return _step(left, name, f"Delete {what}: {told}{more}, as far as they are there", objects, until=until)


def _step(left: Leaving, name: str, title: str, objects: tuple[ObjectId, ...], *, until: Condition) -> Step:
    return Step(
        id=f"uninstall/{name}",
        title=title,
        action=Delete(objects),
        until=until,
        patience=_TAKES,
        undo=Undo(f"Put back what brings {left.title} back, from {ENGINE}", Restore(ENGINE), _is_back(left)),
        one_way=f"{left.title} comes back from the run's files as new objects, and then has to be let onto the nodes again",
        door=phases.UNINSTALL_DOOR,
    )


def _is_back(left: Leaving) -> Condition:
    """Return that what was kept is there, and the agent's DaemonSet with it: where there is an operator, it makes that."""
    return All((Restored(ENGINE), Holds(daemonset(left.ref, None))))


def _by_chart(left: Leaving) -> Step:
    refs = (*left.parts.agents, *left.parts.control)
    objects = tuple(map(ObjectId, refs))
    return replace(
        phases.look(
            "uninstall/release",
            f"Wait until {left.title} is uninstalled: helm uninstall cilium -n {left.ref.namespace}",
            Absent(objects),
            "",
            patience=_BY_HAND,
        ),
        one_way="to go back, install the same version again with the same values: helm rollback cilium",
        door=phases.UNINSTALL_DOOR,
    )
