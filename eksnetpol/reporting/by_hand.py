"""Each step of a migration as commands that a person types, and how the person sees that it is true and may go on.

What kubectl has a verb of its own for (cordon, label, drain) is said by that verb; all else as `render.commands` has it.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Any

from eksnetpol.assets.probes import PROBES
from eksnetpol.interfaces.acting import MANAGER
from eksnetpol.model.actions import (
    Action,
    Apply,
    BackUp,
    Create,
    CreateAddon,
    Delete,
    DeleteAddon,
    Evict,
    Look,
    Probe,
    Restore,
    StripFinalizer,
    UpdateAddon,
)
from eksnetpol.model.conditions import (
    Absent,
    AddonGone,
    AddonIs,
    All,
    Answering,
    BackedUp,
    Completed,
    Condition,
    Covered,
    Established,
    Evicted,
    FlagIs,
    Holds,
    NoneLeft,
    Probed,
    Ready,
    Restored,
    RolledOut,
    Runs,
    Soaked,
    Unchanged,
    Unfinalized,
)
from eksnetpol.model.kinds import KINDS, NODE, Json, ObjectRef
from eksnetpol.model.plan import Plan, Step
from eksnetpol.reporting.plan_view import duration
from eksnetpol.reporting.render.commands import commands_of, creating, patching

UNSCHEDULABLE = ".spec.unschedulable"
_BY_NAME = 20
"""So many objects of a kind are still written out by name."""
_AS_NEW = """--type=json -p '[{"op":"remove","path":"/metadata/resourceVersion"}]' -o json | kubectl create -f -"""
"""Nothing may be created under a version that it had; all else that the server sets it sets anew."""
_LABEL = ".metadata.labels."


def doing(step: Step, plan: Plan) -> tuple[str, ...]:
    """Return the commands that do what *step* does; none for one that only looks."""
    made_new = step.undo is not None and isinstance(step.undo.action, Delete)
    return tuple(_doing(step, step.action, plan, made_new=made_new))


def undoing(step: Step, plan: Plan) -> tuple[str, ...]:
    """Return the commands that take *step* back; none where nothing is to be taken back, or nothing of kubectl's does it."""
    if step.undo is None:
        return ()
    return tuple(_doing(step, step.undo.action, plan, made_new=False))


def _doing(step: Step, action: Action, plan: Plan, *, made_new: bool) -> Iterator[str]:  # noqa: C901, PLR0912 - a case each
    match action:
        case Apply() if action.ref.of_kind == NODE:
            yield from _node(action)
        case Apply() if made_new:
            yield creating(action.object)
        case Apply():
            yield from _applying(action, step.action.object if isinstance(step.action, Apply) else None)
        case Evict():
            node = shlex.quote(action.node)
            # Those that were named go by name: drain's --force would take every other one as well.
            for name in action.bare:
                space, _, pod = name.partition("/")
                only = shlex.quote(f"spec.nodeName={action.node},metadata.name={pod}")
                yield f"kubectl delete pods -n {shlex.quote(space)} --field-selector {only}"
            yield f"kubectl drain {node} --ignore-daemonsets --delete-emptydir-data"
        case UpdateAddon():
            yield _addon(action, plan)
        case CreateAddon():
            yield from _new_addon(action, plan)
        case DeleteAddon():
            preserve = " --preserve" if action.preserve else " --no-preserve"
            yield f"aws eks delete-addon{_of_addon(action.addon, plan)}{preserve}"
        case Restore():
            kept = (s.action for s in plan.steps if isinstance(s.action, BackUp) and s.action.file == action.file)
            for back_up in kept:
                yield from (f"kubectl patch --local -f {shlex.quote(file)} {_AS_NEW}" for file, _ in _copies(back_up))
        case BackUp():
            yield from (f"{command} > {shlex.quote(file)}" for file, command in _copies(action))
        case StripFinalizer():
            yield from commands_of(Step(step.id, step.title, action, All(())))
            for kind in action.kinds:
                yield _stripping(kind, action.finalizer)
        case Create():
            yield creating(action.object)
        case Delete():
            # What is deleted are objects that may be there: not all ways to install an engine bring all of them.
            for command in commands_of(Step(step.id, step.title, action, All(()))):
                yield f"{command} --ignore-not-found"
        case Probe():
            yield "# try these connections from pods with these labels, by whatever you have for it:"
            for one in action.tries:
                source, target = action.sources[one.source], action.targets[one.target]
                wanted = "must work" if one.allowed else "must get no answer"
                yield f"#   {source.title} to {target.title}, TCP {one.port}: {wanted}"
        case Look():
            return


def _copies(action: BackUp) -> Iterator[tuple[str, str]]:
    """Yield the files of a back-up, and the command that prints what belongs into each.

    Few objects are asked for by name; where there are many, all of their kind, which is one command still.
    """
    named: dict[tuple[str, str], list[str]] = {}
    for one in action.objects:
        named.setdefault((str(one.ref.of_kind), one.ref.namespace), []).append(one.ref.name)
    counted = Counter(str(one.ref.of_kind) for one in action.objects)
    whole = [*(kind for kind, count in counted.items() if count > _BY_NAME), *action.kinds]
    for (kind, namespace), names in named.items():
        if kind not in whole:
            where = f" -n {shlex.quote(namespace)}" if namespace else ""
            listed = " ".join(map(shlex.quote, names))
            file = ".".join(filter(None, (kind, namespace, action.file)))
            yield file, f"kubectl get {shlex.quote(kind)} {listed}{where} --ignore-not-found -o json"
    for kind in dict.fromkeys(whole):
        yield f"{kind}.{action.file}", f"kubectl get {shlex.quote(kind)} -A -o json"


def _of_addon(name: str, plan: Plan) -> str:
    return f"{_listing(plan)} --addon-name {name}"


def _new_addon(action: CreateAddon, plan: Plan) -> Iterator[str]:
    role = f" --service-account-role-arn {shlex.quote(action.role_arn)}" if action.role_arn else ""
    tags = "".join(f" {shlex.quote(f'{key}={value}')}" for key, value in sorted(action.tags.items()))
    identity = f"serviceAccount=aws-node,roleArn={action.pod_identity_role}"
    yield (
        f"aws eks create-addon{_of_addon(action.addon, plan)} --addon-version {shlex.quote(action.version)}"
        f" --resolve-conflicts {action.resolve_conflicts}{role}"
        f"{f' --pod-identity-associations {shlex.quote(identity)}' if action.pod_identity_role else ''}"
        f"{f' --tags{tags}' if tags else ''} --configuration-values {shlex.quote(action.configuration_values)}"
    )


def _stripping(kind: str, finalizer: str) -> str:
    """Return what takes *finalizer* off all there is of a kind; the patch fails where another one stands beside it."""
    patch = [
        {"op": "test", "path": "/metadata/finalizers", "value": [finalizer]},
        {"op": "remove", "path": "/metadata/finalizers"},
    ]
    text = shlex.quote(json.dumps(patch, separators=(",", ":")))
    spaced = any(str(one) == kind and one.namespaced for one in KINDS)
    if not spaced:
        return f'for one in $(kubectl get {shlex.quote(kind)} -o name); do kubectl patch "$one" --type=json -p {text}; done'
    listed = """-o jsonpath='{range .items[*]}{.metadata.namespace} {.metadata.name}{"\\n"}{end}'"""
    each = f'kubectl patch {shlex.quote(kind)} "$name" -n "$space" --type=json -p {text}'
    return f"kubectl get {shlex.quote(kind)} -A {listed} | while read -r space name; do {each}; done"


def _node(action: Apply) -> Iterator[str]:
    """Yield what cordons, uncordons or labels a node."""
    name = shlex.quote(action.ref.name)
    spec, labels = action.object.get("spec") or {}, action.object["metadata"].get("labels") or {}
    if spec.get("unschedulable"):
        yield f"kubectl cordon {name}"
    if UNSCHEDULABLE in action.drops:
        yield f"kubectl uncordon {name}"
    for key, value in sorted(labels.items()):
        yield f"kubectl label node {name} {shlex.quote(f'{key}={value}')} --overwrite"
    for path in action.drops:
        if path.startswith(_LABEL):
            yield f"kubectl label node {name} {shlex.quote(path.removeprefix(_LABEL) + '-')}"


def _applying(action: Apply, given: Json | None = None) -> Iterator[str]:
    has_more = set(action.object) - {"apiVersion", "kind", "metadata"} or set(action.object["metadata"]) - {"name", "namespace"}
    if has_more:
        yield patching(action.object)
    for path in action.drops:
        if "[" in path or '"' in path:
            yield f"# take {path} out of {action.ref}: kubectl edit {_named(action.ref)}"
            continue
        # Only what was put there goes, not what somebody else has beside it.
        patch: Any = _nothing(_below(given, path.lstrip(".").split(".")))
        for key in reversed(path.lstrip(".").split(".")):
            patch = {key: patch}
        text = shlex.quote(json.dumps(patch, separators=(",", ":")))
        yield f"kubectl patch {_named(action.ref)} --type=merge --field-manager={MANAGER} -p {text}"


def _below(found: Json | None, keys: list[str]) -> Any:
    """Return what is at a path of *found*, None where nothing is."""
    at: Any = found
    for key in keys:
        at = at.get(key) if isinstance(at, dict) else None
    return at


def _nothing(found: Any) -> Any:
    """Return what takes the fields of *found* away by a merge patch, and nothing beside them; null where it has no fields.

    What has nothing but lists goes whole: without its terms a node selector is none to the API server.
    """
    if not isinstance(found, dict) or all(isinstance(value, list) for value in found.values()):
        return None
    return {key: _nothing(value) for key, value in found.items()}


def _addon(action: UpdateAddon, plan: Plan) -> str:
    role = f" --service-account-role-arn {shlex.quote(action.role_arn)}" if action.role_arn else ""
    return (
        f"aws eks update-addon{_of_addon(action.addon, plan)} --addon-version {shlex.quote(action.version)}"
        f" --resolve-conflicts {action.resolve_conflicts}{role}"
        f" --configuration-values {shlex.quote(action.configuration_values)}"
    )


def _listing(plan: Plan) -> str:
    region = f" --region {shlex.quote(plan.target.region)}" if plan.target.region else ""
    return f"{region} --cluster-name {shlex.quote(plan.target.cluster)}"


def _named(ref: ObjectRef) -> str:
    where = f" -n {shlex.quote(ref.namespace)}" if ref.namespace else ""
    return f"{ref.of_kind} {shlex.quote(ref.name)}{where}"


# --- how one sees it ------------------------------------------------------------------------------------------------------


def gates(step: Step, plan: Plan) -> tuple[tuple[str, str], ...]:
    """Return what has to be so before one goes on: words, and the command that shows it, empty where there is none."""
    return tuple(_gates(step.until, max(60, round(step.patience)), plan))


def _gates(until: Condition, seconds: int, plan: Plan) -> Iterator[tuple[str, str]]:  # noqa: C901, PLR0912, PLR0915 - a case each
    limit = f"--timeout={seconds}s"
    match until:
        case All():
            for one in until.conditions:
                yield from _gates(one, seconds, plan)
        case Holds():
            yield from _holds(until)
        case RolledOut():
            yield "it has rolled out", f"kubectl rollout status {_slashed(until.ref)} {limit}"
        case Absent():
            for gone in until.objects:
                yield f"{gone.ref} is gone", f"kubectl wait --for=delete {_slashed(gone.ref)} {limit}"
        case NoneLeft():
            for kind in until.kinds:
                yield f"nothing is listed of {kind}", f"kubectl get {shlex.quote(kind)} -A -o name"
        case Completed():
            yield "the Job has completed", f"kubectl wait --for=condition=Complete {_slashed(until.ref)} {limit}"
        case Ready():
            for node in until.nodes:
                yield f"{node} is ready", f"kubectl wait --for=condition=Ready node/{shlex.quote(node)} {limit}"
            if until.label:
                words = f"at least {until.at_least} nodes are ready"
                yield words, f"kubectl get nodes -l {shlex.quote(until.label)}"
        case Runs():
            yield _runs(until)
        case Evicted():
            words = "only pods of DaemonSets are left on it"
            yield words, f"kubectl get pods -A --field-selector {shlex.quote(f'spec.nodeName={until.node}')} -o wide"
        case Established():
            yield "it is established", f"kubectl wait --for=condition=Established crd/{shlex.quote(until.name)} {limit}"
        case Soaked():
            yield f"{duration(until.seconds)} have passed and nothing is amiss", f"sleep {round(until.seconds)}"
        case Probed():
            yield "allowed connections work, and denied ones get no answer", f"kubectl get jobs -A -l {PROBES}"
        case Answering():
            yield "every APIService is available (True)", "kubectl get apiservices"
            yield "no namespace hangs in Terminating", "kubectl get namespaces --field-selector status.phase=Terminating"
        case Covered():
            words = "every NetworkPolicy has PolicyEndpoints, which name all pods that it selects"
            yield words, "kubectl get policyendpoints.networking.k8s.aws -A"
            if until.cluster:
                words = "every ClusterNetworkPolicy has ClusterPolicyEndpoints, which name all pods that it selects"
                yield words, "kubectl get clusterpolicyendpoints.networking.k8s.aws"
        case Unchanged():
            yield "nobody has changed a policy since this was made", f"kubectl get {','.join(map(shlex.quote, until.kinds))} -A"
        case AddonIs():
            place = _of_addon(until.addon, plan)
            yield "its status is ACTIVE", f"aws eks describe-addon{place} --query 'addon.[status,health.issues]'"
        case FlagIs():
            yield f"its argument --{until.flag} is {until.value}", f"kubectl get {_named(until.ref)} -o yaml"
        case BackedUp():
            yield "the files are there; one is empty only where nothing of that name was there", f"ls -l *.{until.file}"
        case AddonGone():
            yield f"{until.addon} is not among them", f"aws eks list-addons{_listing(plan)}"
        case Restored():
            yield "every object of the files is there again; of what was there all along kubectl says AlreadyExists", ""
        case Unfinalized():
            for held in until.objects:
                words = f"{until.finalizer} is not among them"
                yield words, f"kubectl get {_named(held.ref)} -o jsonpath='{{.metadata.finalizers}}'"
            for kind in until.kinds:
                shown = "-o custom-columns=NAME:.metadata.name,FINALIZERS:.metadata.finalizers"
                yield f"{until.finalizer} is on none", f"kubectl get {shlex.quote(kind)} -A {shown}"


def _slashed(ref: ObjectRef) -> str:
    where = f" -n {shlex.quote(ref.namespace)}" if ref.namespace else ""
    return f"{ref.of_kind}/{shlex.quote(ref.name)}{where}"


def _runs(until: Runs) -> tuple[str, str]:
    where = f"-n {shlex.quote(until.ref.namespace)} -o wide"
    if until.gone:
        words = f"no pod of {until.ref.name} is left on these nodes" if until.nodes else f"no pod of {until.ref.name} is left"
    elif until.label:
        words = f"{until.ref.name} runs and is ready on every node with {until.label}"
    else:
        words = f"{until.ref.name} runs and is ready on these nodes" if until.nodes else f"{until.ref.name} is ready everywhere"
    only = f" --field-selector {shlex.quote(f'spec.nodeName={until.nodes[0]}')}" if len(until.nodes) == 1 else ""
    return words, f"kubectl get pods {where}{only}"


def _holds(until: Holds) -> Iterator[tuple[str, str]]:
    wanted = dict(_leaves({k: v for k, v in until.object.items() if k not in {"apiVersion", "kind"}}, ()))
    named = {path: value for path, value in wanted.items() if path not in {("metadata", "name"), ("metadata", "namespace")}}
    if len(named) == 1 and not until.without and isinstance(next(iter(named.values())), str | int | float):
        ((path, value),) = named.items()
        inner = "".join("." + part.replace(".", "\\.") for part in path)
        yield f"it prints {value}", f"kubectl get {_named(until.ref)} -o jsonpath={shlex.quote('{' + inner + '}')}"
    elif until.without and not named:
        yield f"{', '.join(until.without)} is not set", f"kubectl get {_named(until.ref)} -o yaml"
    else:
        yield "it is there as written", f"kubectl get {_named(until.ref)} -o yaml"


def _leaves(value: Json | list[object] | object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    else:
        yield path, json.dumps(value) if isinstance(value, bool) else value
