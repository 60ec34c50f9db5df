"""Probes of one gate: their Jobs are made anew for each attempt, and what their pods say is read when they have ended.

What a pod says is its container's termination message, so that no right to read logs is needed. A Job of a former attempt, or of
another run, is deleted before, and what it said counts no more: the run's file names the Jobs that count by uid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from eksnetpol.assets.probes import PROBES, probe_job
from eksnetpol.errors import Exists, StepFailed, UnreadableInput
from eksnetpol.execution.gathering import named
from eksnetpol.execution.moving import is_ending
from eksnetpol.execution.rolling import is_ready
from eksnetpol.execution.seeing import Observation, holds, hopeless, pending, true_of
from eksnetpol.execution.waiting import PACE, OutOfPatience, Waiter
from eksnetpol.interfaces.acting import Hands, Journal
from eksnetpol.migration.probing.results import ProbeFile, Result, Tried, file_of, judge, read
from eksnetpol.migration.probing.safety import blocked_budget, publishing_service
from eksnetpol.model.actions import ObjectId, Probe, ProbeSource, ProbeTarget
from eksnetpol.model.conditions import Probed
from eksnetpol.model.kinds import DISRUPTION_BUDGET, NODE, POD, SERVICE, Json, ObjectRef
from eksnetpol.model.kubernetes import DisruptionBudget
from eksnetpol.translation.naming import is_ours

T = TypeVar("T")
Change = Callable[[Callable[[], T]], T]

# --- acting -----------------------------------------------------------------------------------------------------------


def probe(action: Probe, hands: Hands, journal: Journal, waiter: Waiter, change: Change[Any]) -> dict[str, Any]:
    """Make the Jobs of *action*, write down what they try, and return what the journal is to keep of it.

    Raises `StepFailed` where no node is there to probe from, or a Job of that name is somebody else's.
    """
    nodes = waiter.call(lambda: _nodes(action, hands))
    meant = [waiter.call(lambda t=target: _address(t, action, nodes, hands)) for target in action.targets]  # type: ignore[misc]
    dangers = [waiter.call(lambda s=source: _danger(s, hands)) for source in action.sources]  # type: ignore[misc]
    tries = tuple(
        Tried(
            source=action.sources[one.source].title,
            target=action.targets[one.target].title,
            at=meant[one.target][0],
            port=one.port,
            allowed=one.allowed,
            job=one.source,
            control=one.control,
            counts=one.counts,
            left_out=dangers[one.source] or meant[one.target][1],
        )
        for one in action.tries
    )
    jobs = []
    for number, source in enumerate(action.sources):
        lines = [(at, one.at, one.port, one.allowed) for at, one in enumerate(tries) if one.job == number and not one.left_out]
        waiter.call(lambda s=source: _without(s.job, hands, change))  # type: ignore[misc]
        uid = ""
        if lines:
            node = nodes[number % len(nodes)] if nodes else ""
            uid = _made(probe_job(source.job, source.labels, action.image, lines, node), hands, waiter, change)
        jobs.append(ObjectId(source.job, uid))
    file = ProbeFile(action.gate, tuple(jobs), tries)
    digest = journal.save(file_of(action.gate), msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n")
    return {"jobs": sum(bool(one.uid) for one in jobs), "file": file_of(action.gate), "digest": digest}


def _nodes(action: Probe, hands: Hands) -> tuple[str, ...]:
    """Return the nodes that probes are put on, none where any will do."""
    if action.label:
        found: Iterable[Json] = hands.objects(NODE, selector=action.label)
    else:
        found = [node for name in action.nodes if (node := hands.get(ObjectRef.to(NODE, name))) is not None]
    names = tuple(sorted(node["metadata"]["name"] for node in found if is_ready(node)))
    if not names and (action.label or action.nodes):
        raise StepFailed(f"no node is ready to probe from: {action.label or named(action.nodes)}")
    return names


def _address(target: ProbeTarget, action: Probe, nodes: tuple[str, ...], hands: Hands) -> tuple[str, str]:
    """Return where a target is, and why that is nowhere, one of the two empty."""
    if target.address:
        return target.address, ""
    wanted = {one.port for one in action.tries if action.targets[one.target] == target}
    selector = ",".join(f"{key}={value}" for key, value in sorted(target.labels.items()))
    pods = [
        pod
        for pod in hands.objects(POD, namespace=target.namespace, selector=selector)
        if _is_meant(pod, target)
    ]
    there = [pod for pod in pods if pod["spec"].get("nodeName") in nodes]
    # One that says that it listens there, where there is one.
    found = sorted(
        there or ([] if action.near else pods), key=lambda pod: (len(wanted - _ports(pod)), str(pod["metadata"]["name"]))
    )
    if found:
        return str(found[0]["status"]["podIP"]), ""
    return "", "no pod of it is ready on the nodes that are probed" if action.near else "no pod of it is ready"


def _is_meant(pod: Json, target: ProbeTarget) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return (
        not any(key in labels for key in (*target.without, PROBES))
        and not pod["spec"].get("hostNetwork")
        and bool((pod.get("status") or {}).get("podIP"))
        and is_ready(pod)
        and not is_ending(pod)
    )


def _ports(pod: Json) -> set[int]:
    return {port["containerPort"] for one in pod["spec"].get("containers") or () for port in one.get("ports") or ()}


def _danger(source: ProbeSource, hands: Hands) -> str:
    """Return why a pod with these labels must not be there now, empty where it may."""
    namespace = source.job.namespace
    service = publishing_service(hands.objects(SERVICE, namespace=namespace), source.labels)
    if service:
        return f"Service {service} sends traffic to pods that are not ready"
    live = hands.objects(DISRUPTION_BUDGET, namespace=namespace)
    budget = blocked_budget((msgspec.convert(one, DisruptionBudget) for one in live), namespace, source.labels)
    return f"PodDisruptionBudget {budget} would allow no eviction meanwhile" if budget else ""


def _without(ref: ObjectRef, hands: Hands, change: Change[Any]) -> None:
    """Delete the Job of a former attempt."""
    live = hands.get(ref)
    if live is None:
        return
    if not is_ours(live["metadata"].get("labels") or {}):
        raise StepFailed(f"{ref} is there, and is not eksnetpol's: whoever made it has to take it away first")
    if not is_ending(live):
        change(lambda: hands.delete(ref, uid=str(live["metadata"].get("uid", ""))))


def _made(job: Json, hands: Hands, waiter: Waiter, change: Change[Any]) -> str:
    """Make a Job, as soon as one of its name is gone, and return its uid."""
    while True:
        try:
            return str(change(lambda: hands.create(job))["metadata"].get("uid", ""))
        except Exists as error:
            if waiter.left <= 0:
                raise OutOfPatience(str(error)) from error
            waiter.pause(PACE)


def is_gone(action: Probe, hands: Hands, journal: Journal) -> bool:
    """Say whether a Job that was made is not there any more: what it found was not read, so it is to be made anew."""
    file = _file(action.gate, journal)
    return file is None or any(_live(one, hands) is None for one in file.jobs if one.uid)


# --- looking ----------------------------------------------------------------------------------------------------------


def probed(condition: Probed, hands: Hands, journal: Journal) -> Observation:  # noqa: PLR0911 - one for each end
    """Return what the probes of a gate found; something that gets through and must not is told before all have ended."""
    file = _file(condition.gate, journal)
    if file is None:
        return pending("no connection has been tried")
    waits, results, broken = _gathered(file, hands)
    verdict = judge(file.tries, results, rejects=condition.rejects)
    if verdict.through:
        return hopeless(
            f"connections get through that policies deny: {named(verdict.through)}; who enforces there lets through too much, so "
            "take back what was done, which leads the nodes back to the old engine, before anything else"
        )
    if waits:
        return pending(f"probes are under way: {named(waits)}")
    why = f"; {named(broken)}" if broken else ""
    if len(verdict.failed) > condition.may_fail:
        return hopeless(
            f"connections fail that policies allow, {len(verdict.failed)} where {condition.may_fail} may (--abort-after): "
            f"{named(verdict.failed)}{why}"
        )
    if condition.idle and all(one.left_out for one in file.tries):
        return holds(f"nothing could be tried: {named(verdict.unclear)}")
    if file.tries and not verdict.works and not verdict.denied:
        return hopeless(f"the probes say nothing at all: {named(verdict.unclear) or named(verdict.failed)}{why}")
    lost = f"; that fail, as --abort-after lets them: {named(verdict.failed)}" if verdict.failed else ""
    return holds(f"{verdict.words}{lost}{why}")


def _gathered(file: ProbeFile, hands: Hands) -> tuple[list[str], dict[int, Result], list[str]]:
    """Return which Jobs are waited for, what came of tries so far, and which Jobs have failed."""
    waits: list[str] = []
    broken: list[str] = []
    results: dict[int, Result] = {}
    for one in file.jobs:
        if not one.uid:
            continue
        live = _live(one, hands)
        if live is None:
            waits.append(f"{one.ref} (not there any more)")
            continue
        pod = _last(live, hands)
        results |= read(_message(pod))
        if true_of(live, "Failed"):
            broken.append(f"{one.ref} has failed: {true_of(live, 'Failed')}")
        elif not true_of(live, "Complete") or (pod is not None and not _message(pod)):
            waits.append(f"{one.ref}{_how(pod)}")
    return waits, results, broken


def _file(gate: str, journal: Journal) -> ProbeFile | None:
    data = journal.load(file_of(gate))
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=ProbeFile)
    except msgspec.DecodeError as error:
        raise UnreadableInput(file_of(gate), f"this is no file of probes: {error}") from error


def _live(one: ObjectId, hands: Hands) -> Json | None:
    live = hands.get(one.ref)
    return live if live is not None and live["metadata"].get("uid") == one.uid else None


def _last(job: Json, hands: Hands) -> Json | None:
    """Return the pod of a Job that says most: one that has left its results behind, else one that is there."""
    meta = job["metadata"]
    pods = hands.objects(POD, namespace=meta["namespace"], selector=f"{PROBES}={meta['name']}")
    mine = [p for p in pods if any(o.get("uid") == meta.get("uid") for o in p["metadata"].get("ownerReferences") or ())]
    return max(mine, key=lambda pod: len(_message(pod)), default=None)


def _message(pod: Json | None) -> str:
    for one in ((pod or {}).get("status") or {}).get("containerStatuses") or ():
        ended = (one.get("state") or {}).get("terminated")
        if ended is not None:
            return str(ended.get("message") or "")
    return ""


def _how(pod: Json | None) -> str:
    if pod is None:
        return " (no pod of it is there)"
    phase = (pod.get("status") or {}).get("phase") or "new"
    waiting = [
        state.get("reason", "")
        for one in (pod.get("status") or {}).get("containerStatuses") or ()
        if (state := (one.get("state") or {}).get("waiting"))
    ]
    return f" ({', '.join(filter(None, (f'its pod is {phase}', *waiting)))})"
