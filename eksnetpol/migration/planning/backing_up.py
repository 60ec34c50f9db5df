"""Phases 1 and 2: everything that may be touched is written whole into files of the run, and what was translated is still so."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.migration.planning import phases
from eksnetpol.migration.planning.leaving import Leaving
from eksnetpol.migration.planning.sources import Sources, policies
from eksnetpol.model.actions import BackUp, ObjectId
from eksnetpol.model.conditions import SOURCES, BackedUp
from eksnetpol.model.kinds import API_SERVICE, NAMESPACE, Kind, ObjectRef
from eksnetpol.model.plan import Step
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.places import AGENT_ROLE, AWS_NODE, SETTINGS

OWN_POLICIES = "old-policies.json"
ENGINE = "engine.json"
OPERATED = "operated.json"
SETTINGS_FILE = "engine-settings.json"
DEFINITIONS = "definitions.json"
NAMESPACES = "namespaces.json"
VPC_CNI = "vpc-cni.json"

SINGLETONS = ("default", "tigera-secure")
"""What objects by which the Tigera operator is told are called; any other name means nothing to it."""

_SECONDS_EACH = 0.2
_LEAST = 300.0


def back_up(left: Leaving, sources: Sources) -> Draft:
    """Return the steps of both phases."""
    return Draft(steps=(*_steps(left, sources), _still(sources)))


def _steps(left: Leaving, sources: Sources) -> Iterator[Step]:
    yield _keep("sources", f"{policies(len(sources.all))} of today", sources.all, SOURCES)
    if sources.own:
        yield _keep("old-policies", f"what {left.title} alone understands", sources.own, OWN_POLICIES)
    yield _keep("engine", f"what {left.title} consists of", engine_objects(left), ENGINE)
    if operated := operated_objects(left):
        yield _keep("operated", f"what {left.title}'s operator makes of it", operated, OPERATED)
    if left.own_definitions:
        yield _keep("definitions", f"{left.title}'s definitions", left.own_definitions, DEFINITIONS)
    settings = served_settings(left)
    if settings:
        yield _keep("settings", f"{left.title}'s settings and its own books", (), SETTINGS_FILE, kinds=settings)
    if left.parts.namespaces:
        spaces = tuple(ObjectId(ObjectRef.to(NAMESPACE, name)) for name in left.parts.namespaces)
        yield _keep("namespaces", f"{left.title}'s namespaces", spaces, NAMESPACES)
    yield _keep("vpc-cni", "the VPC CNI's objects", tuple(map(ObjectId, (AWS_NODE, SETTINGS, AGENT_ROLE))), VPC_CNI)


def _keep(name: str, what: str, objects: tuple[ObjectId, ...], file: str, *, kinds: tuple[Kind, ...] = ()) -> Step:
    return Step(
        id=f"back-up/{name}",
        title=f"Write {what} into the run's file {file}",
        action=BackUp(objects, file, tuple(str(kind) for kind in kinds)),
        until=BackedUp(file, objects),
        patience=max(_LEAST, len(objects) * _SECONDS_EACH),
        phase=phases.BACK_UP,
    )


def _still(sources: Sources) -> Step:
    title = "See that the policies are still those that were translated"
    return phases.look("translated", title, sources.unchanged, phases.TRANSLATE, patience=60.0)


def told_objects(left: Leaving) -> tuple[ObjectId, ...]:
    """Return the objects by which an operator is told what to do, in the order in which they are to go."""
    kinds = (kind for kind in left.parts.told if is_defined(left, kind))
    return tuple(ObjectId(ObjectRef.to(kind, name)) for kind in kinds for name in SINGLETONS)


def engine_objects(left: Leaving) -> tuple[ObjectId, ...]:
    """Return what brings the engine back: where there is an operator, what people gave it; else all parts."""
    parts = left.parts
    if parts.told:
        return (*told_objects(left), *map(ObjectId, (*parts.rest, *parts.control)))
    service = (ObjectRef.to(API_SERVICE, parts.api_service),) if parts.api_service else ()
    return tuple(map(ObjectId, (*parts.rest, *parts.control, *parts.agents, *parts.admission, *service)))


def operated_objects(left: Leaving) -> tuple[ObjectId, ...]:
    """Return what an operator makes itself: kept to be looked at, never put back by hand."""
    parts = left.parts
    return tuple(map(ObjectId, (*parts.agents, *parts.admission))) if parts.told else ()


def served_settings(left: Leaving) -> tuple[Kind, ...]:
    """Return the kinds of the engine's own settings that are there."""
    return tuple(kind for kind in left.parts.settings if is_defined(left, kind))


def is_defined(left: Leaving, kind: Kind) -> bool:
    """Say whether a kind has a definition here."""
    return any(definition.name == str(kind) for definition in left.definitions)
