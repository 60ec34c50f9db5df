"""The old agent is kept off labelled nodes, in the way its owner allows: by an operator's object, the DaemonSet, Helm's values.

A change of a DaemonSet's template rolls its pods. Rules stay in the kernel while an agent restarts, as with any update of it.
"""

from __future__ import annotations

import json
from math import ceil

from msgspec.structs import replace

from eksnetpol.migration.planning import phases
from eksnetpol.migration.planning.leaving import LABELLED, Leaving, excluded, required, terms_of
from eksnetpol.model.actions import Apply, Taking
from eksnetpol.model.conditions import All, Condition, Holds, RolledOut
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.plan import FieldChange, Rollout, Step, Undo
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.looks import counted
from eksnetpol.planning.rollout import SECONDS_A_TURN, at_a_time, patience

_TERMS = "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
_IN_DAEMONSET = ".spec.template.spec.affinity"
_IN_INSTALLATION = ".spec.calicoNodeDaemonSet.spec.template.spec.affinity"
_BY_HAND = ("kubectl-client-side-apply", "kubectl-edit", "kubectl-patch", "kubectl")
"""Who may have written a term that is there: a look does not keep the owners of another engine's fields."""

_LEAST = 3600.0


def excluding(left: Leaving, phase: str) -> Draft:
    """Return the step of *phase* after which no pod of the old agent is put on a labelled node; nothing where that is so."""
    before = left.agent.spec.template.spec.affinity
    after = excluded(before)
    if terms_of(before) == terms_of(after):
        return Draft()
    if left.parts.chart:
        return _by_chart(left, after, phase)
    step = replace(_by_operator(left, after) if left.installation is not None else _by_daemonset(left, after), phase=phase)
    where = str(step.action.ref) if isinstance(step.action, Apply) else ""
    path = f"{_IN_INSTALLATION if left.installation is not None else _IN_DAEMONSET}.{_TERMS}"
    told = json.dumps(terms_of(before)) if terms_of(before) else None
    return Draft((step,), changes=(FieldChange(where, path, told, json.dumps(terms_of(after))),))


def _step(left: Leaving, wanted: Json, former: Json, path: str, *, drop: bool, until: Condition, back: Condition) -> Step:
    title = f"Keep {left.ref.name} off nodes with {LABELLED}"
    takes = () if drop else tuple(Taking(f"{path}.{_TERMS}", manager) for manager in _BY_HAND)
    return Step(
        id="exclude",
        title=title,
        action=Apply(wanted, takes, keeps=True),
        until=until,
        patience=patience(_rollout(left)),
        undo=Undo(f"Let {left.ref.name} onto every node again", Apply(former, keeps=True, drops=(path,) if drop else ()), back),
        disrupts=f"{_restarts(left)}; its rules stay in the kernel",
    )


def _rollout(left: Leaving) -> Rollout:
    """Return how the agent's DaemonSet rolls: its own pace, which may be one node at a time."""
    nodes = left.agent.status.desired_number_scheduled
    if left.agent.spec.update_strategy.type == "OnDelete":
        return Rollout(nodes, 0, on_delete=True)
    at_once = at_a_time(left.agent.spec.update_strategy.rolling_update, nodes)
    return Rollout(nodes, at_once, ceil(nodes / at_once) * SECONDS_A_TURN)


def _restarts(left: Leaving) -> str:
    rolls = _rollout(left)
    if rolls.on_delete or rolls.seconds is None:
        return f"nothing restarts: the update strategy of {left.ref.name} is OnDelete"
    minutes = max(1, round(rolls.seconds / 60))
    return f"{left.ref.name} restarts on {counted(rolls.nodes, 'node')}, {rolls.at_once} at a time, about {minutes} min in all"


def _rolled(left: Leaving) -> tuple[Condition, ...]:
    """Return that the DaemonSet has rolled, unless it only does so by hand: where its pods may be is decided without that."""
    by_hand = left.agent.spec.update_strategy.type == "OnDelete"
    return () if by_hand else (RolledOut(left.ref),)


def _by_daemonset(left: Leaving, after: Json) -> Step:
    before = terms_of(left.agent.spec.template.spec.affinity)
    wanted = daemonset(left.ref, after)
    former = daemonset(left.ref, required(before) if before else None)
    gone = (f"{_IN_DAEMONSET}.{_TERMS}",) if not before else ()
    return _step(
        left, wanted, former, _IN_DAEMONSET,
        drop=not before,
        until=All((Holds(wanted), *_rolled(left))),
        back=All((Holds(former, without=gone), *_rolled(left))),
    )  # fmt: skip


def _by_operator(left: Leaving, after: Json) -> Step:
    installation = left.installation
    assert installation is not None  # noqa: S101 - asked before
    told = _told(installation.spec)
    wanted, former = _installation(installation.metadata.name, after), _installation(installation.metadata.name, told)
    gone = (f"{_IN_INSTALLATION}.{_TERMS}",) if told is None else ()
    agent = daemonset(left.ref, after)
    return _step(
        left, wanted, former, _IN_INSTALLATION,
        drop=told is None,
        until=All((Holds(wanted), Holds(agent), *_rolled(left))),
        back=All((Holds(former, without=gone), *_rolled(left))),
    )  # fmt: skip


def _told(spec: Json) -> Json | None:
    """Return the affinity that people gave the operator for its agent, None where they gave none."""
    found = spec
    for key in ("calicoNodeDaemonSet", "spec", "template", "spec"):
        found = found.get(key) or {}
    affinity = found.get("affinity") or {}
    return required(terms_of(affinity)) if terms_of(affinity) else None


def _by_chart(left: Leaving, after: Json, phase: str) -> Draft:
    wanted = daemonset(left.ref, after)
    command = (
        f"helm upgrade cilium cilium/cilium -n {left.ref.namespace} --reuse-values "
        f"--set operator.unmanagedPodWatcher.restart=false --set-json 'affinity={json.dumps(after)}'"
    )
    step = phases.look(
        "exclude",
        f"Wait until {left.ref.name} is kept off nodes with {LABELLED}: its Helm values are people's to change",
        All((Holds(wanted), *_rolled(left))),
        phase,
        patience=max(_LEAST, patience(_rollout(left))),
        disrupts=_restarts(left),
    )
    return Draft((step,), facts=(f"keep {left.title} off new nodes while the run waits for it: {command}",))


def daemonset(ref: ObjectRef, affinity: Json | None) -> Json:
    """Return a DaemonSet with its pods' affinity alone; None leaves that out."""
    head = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": {"name": ref.name, "namespace": ref.namespace}}
    return {**head, "spec": {"template": {"spec": {"affinity": affinity}}}} if affinity else head


def _installation(name: str, affinity: Json | None) -> Json:
    head = {"apiVersion": "operator.tigera.io/v1", "kind": "Installation", "metadata": {"name": name}}
    if affinity is None:
        return head
    return {**head, "spec": {"calicoNodeDaemonSet": {"spec": {"template": {"spec": {"affinity": affinity}}}}}}
