"""Draining a node through the Eviction API: budgets are asked again and again, and nobody is deleted behind their back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eksnetpol.errors import Busy, Rejected, StepFailed
from eksnetpol.execution.gathering import is_it, named
from eksnetpol.execution.moving import called, is_bare, is_ending, movable, ref_of_pod, returns
from eksnetpol.execution.waiting import PACE, OutOfPatience, Waiter
from eksnetpol.interfaces.acting import Hands, Watcher
from eksnetpol.model.actions import Evict, ObjectId
from eksnetpol.model.kinds import NODE, Json, ObjectRef


def drain(
    action: Evict, hands: Hands, waiter: Waiter, watcher: Watcher, change: Callable[[Callable[[], None]], None]
) -> dict[str, Any]:
    """Have every pod that an eviction moves evicted from a node, and return how many were.

    *change* makes one change while the Lease is ours. A budget that allows nothing now is asked again every `waiting.PACE`
    seconds; when patience is over, `OutOfPatience` names the pod and what the API server said of its budget. Raises `StepFailed`
    before anything is evicted where a pod is there that nothing brings back and that ``action.bare`` does not name, and where a
    pod can never be evicted.
    """
    evicted: set[str] = set()
    said = ""
    while True:
        pods = waiter.call(lambda: pods_to_move(hands, action.node, action.uid))
        refuse_bare(action, pods)
        blocked: list[str] = []
        for pod in pods:
            if is_ending(pod) or (said and returns(pod)):
                # What comes back to a cordoned node is asked to go once.
                continue
            try:
                change(lambda pod=pod: hands.evict(ref_of_pod(pod), uid=str(pod["metadata"].get("uid", ""))))  # type: ignore[misc]
            except Busy as error:
                blocked.append(f"{called(pod)}: {error}")
            except Rejected as error:
                raise StepFailed(f"{called(pod)} on node {action.node} cannot be evicted: {error}") from error
            else:
                evicted.add(called(pod))
        if not blocked:
            return {"evicted": len(evicted)}
        spaces = sorted({called(pod).partition("/")[0] for pod in pods if not is_ending(pod)})
        where = spaces[0] if len(spaces) == 1 else "NAMESPACE"
        seen = (
            f"node {action.node}: disruption budgets keep {named(blocked)}. A budget lets them go once more of its pods are "
            f"ready elsewhere, or it asks for fewer: kubectl -n {where} get poddisruptionbudgets"
        )
        if waiter.left <= 0:
            raise OutOfPatience(seen)
        if seen != said:
            said = seen
            watcher.note(seen)
        waiter.pause(PACE)


def pods_to_move(hands: Hands, node: str, uid: str = "") -> tuple[Json, ...]:
    """Return the pods on a node that an eviction moves; none where the node, or the one with *uid*, is not there any more."""
    ref = ObjectRef.to(NODE, node)
    live = hands.get(ref)
    if live is None or not is_it(live, ObjectId(ref, uid)):
        return ()
    return movable(hands.pods_on(node))


def refuse_bare(action: Evict, pods: tuple[Json, ...]) -> None:
    """Raise `StepFailed` where one of *pods* would never come back and *action* does not name it."""
    lost = [called(pod) for pod in pods if is_bare(pod) and not is_ending(pod) and called(pod) not in action.bare]
    if lost:
        they = "it" if len(lost) == 1 else "them"
        raise StepFailed(
            f"on node {action.node} nothing would bring back {named(lost)}: no controller owns {they}; see to {they} yourself, "
            "or make a new plan that names what may be lost"
        )
