"""The steps of a plan as commands for a POSIX shell, for people who do by hand what no document can say."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from itertools import groupby

from eksnetpol.interfaces.acting import MANAGER
from eksnetpol.model.kinds import ObjectRef
from eksnetpol.model.plan import (
    All,
    Apply,
    BackUp,
    Condition,
    Create,
    Delete,
    Established,
    NoneLeft,
    ObjectId,
    RolledOut,
    Step,
    StripFinalizer,
)

APPLY = f"kubectl apply --server-side --field-manager={MANAGER}"


def commands_of(step: Step) -> tuple[str, ...]:
    """Return what to type for *step*, and then what waits for it; nothing where kubectl has no command for it."""
    return (*_acting(step), *waiting(step.until))


def waiting(until: Condition) -> tuple[str, ...]:
    """Return the commands that wait until *until* holds, where there are any."""
    match until:
        case RolledOut(ref):
            return (f"kubectl rollout status {shlex.quote(_typed(ref))} -n {shlex.quote(ref.namespace)}",)
        case Established(name):
            return (f"kubectl wait --for=condition=Established --timeout=60s crd/{shlex.quote(name)}",)
        case NoneLeft(kinds):
            return tuple(f'until [ -z "$(kubectl get {shlex.quote(kind)} -A -o name)" ]; do sleep 2; done' for kind in kinds)
        case All(conditions):
            return tuple(command for condition in conditions for command in waiting(condition))
        case _:
            return ()


def _acting(step: Step) -> Iterator[str]:
    match step.action:
        case Apply() | Create():
            # One line of JSON is YAML too, and nothing in it is anything to the shell.
            obj = shlex.quote(json.dumps(step.action.object, separators=(",", ":")))
            yield f"printf %s {obj} | {APPLY} -f -"
        case BackUp(objects, file):
            name = f"{file.rpartition('/')[2].rpartition('.')[0] or 'backup'}.json"
            for kind in dict.fromkeys(str(o.ref.of_kind) for o in objects):
                yield f"kubectl get {kind} -A -o json > {shlex.quote(f'{kind}.{name}')}"
        case Delete(objects, kinds):
            for kind, namespace, names in _grouped(objects):
                yield f"kubectl delete {kind}{namespace} {names}"
            for kind in kinds:
                yield f"kubectl delete {shlex.quote(kind)} -A --all"
        case StripFinalizer(objects, finalizer):
            # The patch fails where another finalizer came beside it, and then takes nothing off.
            patch = [
                {"op": "test", "path": "/metadata/finalizers", "value": [finalizer]},
                {"op": "remove", "path": "/metadata/finalizers"},
            ]
            text = shlex.quote(json.dumps(patch, separators=(",", ":")))
            for found in sorted(objects):
                where = f" -n {shlex.quote(found.ref.namespace)}" if found.ref.namespace else ""
                yield f"kubectl patch {found.ref.of_kind} {shlex.quote(found.ref.name)}{where} --type=json -p {text}"
        case _:
            return


def _grouped(objects: tuple[ObjectId, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield kind, the option for the namespace, and names, for objects of one kind and namespace together."""
    refs = sorted(o.ref for o in objects)
    for (_, _, namespace), group in groupby(refs, key=lambda r: (r.api_version, r.kind, r.namespace)):
        found = list(group)
        where = f" -n {shlex.quote(namespace)}" if namespace else ""
        yield str(found[0].of_kind), where, " ".join(shlex.quote(ref.name) for ref in found)


def _typed(ref: ObjectRef) -> str:
    return f"{ref.kind.lower()}/{ref.name}"
