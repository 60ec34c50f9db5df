"""The steps of a plan as commands for a POSIX shell, for people who do by hand what no document can say."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from itertools import groupby

from eksnetpol.interfaces.acting import MANAGER
from eksnetpol.model.actions import Apply, BackUp, Create, Delete, ObjectId, StripFinalizer
from eksnetpol.model.conditions import All, Condition, Established, NoneLeft, RolledOut
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.plan import Step

_BY_KEY = frozenset({"DaemonSet"})
"""Kinds whose lists a strategic patch merges by their keys, containers by name; no other kind has such lists written here."""


def patching(obj: Json) -> str:
    """Return the command that sets the fields of *obj* and no others.

    Not ``kubectl apply --server-side``: on an object made by plain ``apply`` that takes over what ``apply`` owned, and takes away
    every field that it does not name (seen with kubectl 1.34 on a real API server).
    """
    ref = ObjectRef.of(obj)
    body = {key: value for key, value in obj.items() if key not in {"apiVersion", "kind", "metadata"}}
    meta = {key: value for key, value in obj["metadata"].items() if key not in {"name", "namespace"}}
    patch = {"metadata": meta, **body} if meta else body
    how = "strategic" if ref.kind in _BY_KEY else "merge"
    where = f" -n {shlex.quote(ref.namespace)}" if ref.namespace else ""
    name = f"{ref.of_kind} {shlex.quote(ref.name)}{where}"
    command = f"kubectl patch {name} --type={how} --field-manager={MANAGER} -p {shlex.quote(_json(patch))}"
    # The controller's ConfigMap is missing on clusters that were never told anything.
    return f"{command} || {creating(obj)}" if ref.kind == "ConfigMap" else command


def creating(obj: Json) -> str:
    """Return the command that makes *obj* where there is none."""
    # One line of JSON is YAML too, and nothing in it is anything to the shell.
    return f"printf %s {shlex.quote(_json(obj))} | kubectl create --field-manager={MANAGER} -f -"


def _json(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))


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
        case Apply():
            yield patching(step.action.object)
        case Create():
            yield creating(step.action.object)
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
