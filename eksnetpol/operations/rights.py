"""Whether whoever starts a migration may write what it writes, asked of the API server before anything is written.

A right that is missing on the way would leave nodes between two engines until somebody grants it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from eksnetpol.errors import Denied, EksNetpolError
from eksnetpol.execution.gathering import kind_named
from eksnetpol.interfaces import KubernetesGateway
from eksnetpol.model.actions import Action, Apply, Create, Delete, Evict, Probe, StripFinalizer
from eksnetpol.model.kinds import APPLICATION_POLICY, CLUSTER_POLICY, JOB, NETWORK_POLICY, Kind, ObjectRef
from eksnetpol.model.plan import Plan, Step

_NEW = frozenset({NETWORK_POLICY, APPLICATION_POLICY, CLUSTER_POLICY})
"""Kinds of which an apply makes new objects, for which RBAC wants *create* beside *patch*."""
_NAMED = 5


class Right(NamedTuple):
    """A verb on a resource; ``namespace`` and ``name`` are of the object that it is wanted for, empty where it is for all."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}.{self.group}" if self.group else self.resource
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {what}{where}"


def ahead(plan: Plan, confirmed: Collection[str], until: str) -> Iterator[Step]:
    """Yield the steps that a new run carries out: none behind a door not *confirmed*, none after phase *until*."""
    last = until.partition(" ")[0]
    for step in plan.steps:
        if (step.door and step.door not in confirmed) or (last and step.phase.partition(" ")[0] > last):
            return
        yield step


def rights(action: Action) -> Iterator[Right]:
    """Yield what *action* wants of the API server in order to write; what it reads was read before there was a plan."""
    match action:
        case Apply():
            yield _on("patch", action.ref.of_kind, action.ref)
            if action.ref.of_kind in _NEW:
                yield _on("create", action.ref.of_kind, action.ref)
        case Create():
            # The name is in the body, where RBAC does not see it.
            yield _on("create", action.ref.of_kind, action.ref)._replace(name="")
        case Delete() | StripFinalizer():
            verb = "delete" if isinstance(action, Delete) else "patch"
            yield from (_on(verb, one.ref.of_kind, one.ref) for one in action.objects)
            yield from (_on(verb, kind_named(kind)) for kind in action.kinds)
        case Evict():
            yield Right("create", "pods/eviction")
        case Probe():
            for source in action.sources:
                yield _on("create", JOB, source.job)._replace(name="")
                yield _on("delete", JOB, source.job)._replace(name="")


def _on(verb: str, kind: Kind, ref: ObjectRef | None = None) -> Right:
    where = (ref.namespace if kind.namespaced else "", ref.name) if ref is not None else ("", "")
    return Right(verb, kind.plural, kind.group, *where)


def missing(kubernetes: KubernetesGateway, wanted: Collection[Right]) -> tuple[Right, ...]:
    """Return those of *wanted* that are not granted, a few questions for each kind and not one for each object.

    What cannot be found out counts as granted: the run stops by name where it is not.
    """
    known: dict[Right, bool] = {}

    def may(right: Right) -> bool:
        if right not in known:
            try:
                known[right] = kubernetes.may(
                    right.verb, right.resource, group=right.group, name=right.name, namespace=right.namespace
                )
            except EksNetpolError:
                known[right] = True
        return known[right]

    return tuple(
        right for right in dict.fromkeys(wanted)
        if not may(right._replace(namespace="", name="")) and not may(right._replace(name="")) and not may(right)
    )  # fmt: skip


def refuse_without_rights(kubernetes: KubernetesGateway | None, plan: Plan, confirmed: Collection[str], until: str) -> None:
    """Raise `Denied` where a run of *plan*, a migration, would come to a write that is not granted; names the first few."""
    if kubernetes is None:
        return
    wanted = [right for step in ahead(plan, confirmed, until) for right in rights(step.action)]
    lacking = list(dict.fromkeys(map(str, missing(kubernetes, wanted))))
    if not lacking:
        return
    more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    raise Denied(
        f"you may not {', '.join(lacking[:_NAMED])}{more}, which this migration does on its way, and it would stop between two "
        "engines; nothing was changed; eksnetpol permissions show migrate run prints what is to be granted",
        permission=lacking[0],
    )
