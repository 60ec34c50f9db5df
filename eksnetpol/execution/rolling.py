"""How far a DaemonSet has rolled, why it does not go on, and on which nodes.

The counters of its status decide, as ``kubectl rollout status`` reads them, once the controller has seen the present template.
Pods and nodes are asked for only while the counters stand still: they say what is the matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from eksnetpol.errors import Denied, EksNetpolError
from eksnetpol.execution.gathering import named
from eksnetpol.execution.seeing import Awaited, Observation, condition_of, holds, hopeless, pending, version_of
from eksnetpol.interfaces.acting import Clock, Hands, RolloutState
from eksnetpol.model.kinds import CONTROLLER_REVISION, DAEMONSET, NODE, POD, Json, ObjectRef

STANDSTILL = 10.0
"""Seconds without progress after which the pods are looked at."""

_SECONDS_A_NODE = 0.1
"""How much longer it is for each node until the pods are looked at again: to list them costs the more the more there are."""

_LOOPS = 2
"""Restarts from which a container that crashes is taken to go on crashing."""

_HASH = "controller-revision-hash"
_CRASH = "CrashLoopBackOff"
_UNPULLED = frozenset({"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
"""Reasons of the kubelet after it tried more than once, or will not try."""

_UNMADE = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


@dataclass(frozen=True, slots=True)
class Lag:
    """A node whose pod is not there yet. ``why`` is in words; ``is_down`` where the node itself does not work."""

    node: str
    why: str
    is_down: bool = False

    def __str__(self) -> str:
        return f"{self.node} ({self.why})"


def state_of(daemonset: Json) -> RolloutState:
    """Return how far *daemonset* is. Nothing counts as updated until the controller has seen the present template."""
    status: Mapping[str, Any] = daemonset.get("status") or {}
    seen = is_seen(daemonset)
    return RolloutState(
        desired=int(status.get("desiredNumberScheduled") or 0),
        updated=int(status.get("updatedNumberScheduled") or 0) if seen else 0,
        ready=int(status.get("numberReady") or 0),
        available=int(status.get("numberAvailable") or 0),
    )


def is_seen(daemonset: Json) -> bool:
    """Say whether the status speaks of the present template."""
    meta, status = daemonset.get("metadata") or {}, daemonset.get("status") or {}
    return int(status.get("observedGeneration") or 0) >= int(meta.get("generation") or 0)


def is_complete(daemonset: Json) -> bool:
    """Say whether every pod has the present template and is available."""
    state = state_of(daemonset)
    return is_seen(daemonset) and min(state.updated, state.available) >= state.desired


class RolloutWatch:
    """One DaemonSet's roll-out, over the time of a wait. ``tell`` hears of every step it makes."""

    def __init__(self, hands: Hands, clock: Clock, tell: Callable[[RolloutState], None], began: datetime | None = None) -> None:
        self._hands = hands
        self._clock = clock
        self._tell = tell
        self._began = began
        self.state: RolloutState | None = None
        self._looked: float | None = None
        self._last: Json | None = None
        self.lags = ""
        """In words, which nodes lag and why: empty while the roll-out moves."""
        self.moved = clock.monotonic()

    def told(self, daemonset: Json) -> None:
        """Take note of the DaemonSet as it is now."""
        self._last = daemonset
        state = state_of(daemonset)
        if state != self.state:
            self.state = state
            self.moved = self._clock.monotonic()
            self.lags = ""
            self._tell(state)

    def beside(self, daemonset: Json) -> None:
        """Take note of the DaemonSet while something else decides, and of which nodes lag where it stands still."""
        self.told(daemonset)
        if not is_complete(daemonset) and self._stands_still():
            self._ask_why(daemonset)

    def at_the_end(self) -> str:
        """Return in words which nodes lag when time is up, empty where that was said already or is not the matter."""
        if self.lags or self._last is None or is_complete(self._last):
            return ""
        with suppress(EksNetpolError):
            # What was seen before is said in any case.
            self._ask_why(self._last)
        return self.lags

    def _ask_why(self, daemonset: Json) -> None:
        meta = daemonset["metadata"]
        ref = ObjectRef.to(DAEMONSET, meta["name"], meta.get("namespace", ""))
        verdict = self._lagging(daemonset, ref, "its roll-out stands still")
        if verdict is not None:
            self.lags = f"; {verdict.seen}"

    def _stands_still(self) -> bool:
        return self._clock.monotonic() - self.moved >= STANDSTILL and self._may_look()

    def look(self, ref: ObjectRef) -> Observation:
        """Return how far the roll-out is; see `model.plan.RolledOut`."""
        live = self._hands.get(ref)
        if live is None:
            return hopeless(f"{ref} is not there: somebody deleted it, and what it ran is gone or unattended")
        self.told(live)
        awaited = Awaited(ref, is_complete, version_of(live), self.told)
        if not is_seen(live):
            return pending(f"{ref}: its controller has not seen the new template yet", awaited)
        state = state_of(live)
        if is_complete(live):
            return holds(f"{ref}: {state.desired} of {state.desired} nodes have the present template and are available")
        seen = f"{ref}: {state.updated} of {state.desired} nodes updated, {state.available} available"
        if self._stands_still():
            verdict = self._lagging(live, ref, seen)
            if verdict is not None:
                return verdict
        return pending(f"{seen}{self.lags}", awaited)

    def _may_look(self) -> bool:
        now = self._clock.monotonic()
        nodes = self.state.desired if self.state is not None else 0
        if self._looked is not None and now - self._looked < max(STANDSTILL, nodes * _SECONDS_A_NODE):
            return False
        self._looked = now
        return True

    def _lagging(self, live: Json, ref: ObjectRef, seen: str) -> Observation | None:
        """Look at pods and nodes: return that it holds or is hopeless, or None and remember in words what lags."""
        try:
            pods = self._hands.objects(POD, namespace=ref.namespace, selector=selector_of(live))
            nodes = self._hands.objects(NODE)
            revisions = self._hands.objects(CONTROLLER_REVISION, namespace=ref.namespace, selector=selector_of(live))
            template = newest_template(revisions, live)
        except Denied as error:
            self.lags = f"; why cannot be told: {error}"
            return None
        on_it = [pod for pod in pods if belongs_to(pod, live)]
        broken = next((why for pod in on_it if runs_template(pod, template, live) and (why := breakage(pod))), None)
        if broken:
            return hopeless(f"{seen}: {broken}")
        lags = lagging(on_it, nodes, lambda pod: runs_template(pod, template, live), self._began)
        down = [lag for lag in lags if lag.is_down]
        missing = max(state_of(live).desired - min(state_of(live).updated, state_of(live).available), 0)
        if lags and len(down) == len(lags) and missing <= len(down):
            # A pod cannot run on a node that was down before the roll-out began; it gets the new template when the node is back.
            return holds(f"{seen}; the rest cannot run: {named(down)}")
        by_hand = (live.get("spec") or {}).get("updateStrategy", {}).get("type") == "OnDelete"
        if by_hand:
            self.lags = (
                f"; its update strategy is OnDelete, so nothing rolls by itself: delete the pods of {named(lags)} one by one"
            )
        else:
            self.lags = f"; waiting for {named(lags)}" if lags else ""
        return None


def lagging(
    pods: Iterable[Json], nodes: Iterable[Json], has_template: Callable[[Json], bool], began: datetime | None
) -> tuple[Lag, ...]:
    """Return the nodes whose pod has not the present template or is not ready, those that are down last."""
    nodes = tuple(nodes)
    down = {node["metadata"]["name"]: why for node in nodes if (why := _is_down(node, began))}
    unready = {name: why for name, why in _unready_nodes(nodes) if name not in down}
    lags = []
    for pod in pods:
        node = str((pod.get("spec") or {}).get("nodeName") or "no node yet")
        if has_template(pod) and is_ready(pod):
            continue
        if node in down:
            lags.append(Lag(node, down[node], is_down=True))
        elif node in unready:
            lags.append(Lag(node, f"the node is not ready: {unready[node]}; kubectl describe node {node}"))
        elif not has_template(pod):
            lags.append(Lag(node, "still has the former template"))
        else:
            lags.append(Lag(node, _unready(pod)))
    return tuple(sorted(lags, key=lambda lag: (lag.is_down, lag.node not in unready, lag.node)))


def selector_of(daemonset: Json) -> str:
    """Return the labels by which a DaemonSet's pods are found, as a query says them."""
    labels = ((daemonset.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def belongs_to(pod: Json, daemonset: Json) -> bool:
    """Say whether a pod, or a revision, is of this very DaemonSet."""
    owners = (pod.get("metadata") or {}).get("ownerReferences") or ()
    uid = (daemonset.get("metadata") or {}).get("uid")
    return not uid or any(owner.get("uid") == uid for owner in owners)


def newest_template(revisions: Iterable[Json], daemonset: Json) -> str:
    """Return the hash of the present template, empty where it is not known."""
    ours = [one for one in revisions if belongs_to(one, daemonset)]
    if not ours:
        return ""
    newest = max(ours, key=lambda one: int(one.get("revision") or 0))
    return str((newest["metadata"].get("labels") or {}).get(_HASH, ""))


def runs_template(pod: Json, template: str, daemonset: Json) -> bool:
    """Say whether a pod has the template with that hash; without one, whether its images are those of the present template."""
    if template:
        return bool((pod["metadata"].get("labels") or {}).get(_HASH) == template)
    spec = ((daemonset.get("spec") or {}).get("template") or {}).get("spec") or {}
    return _images(pod.get("spec") or {}) == _images(spec)


def _images(spec: Mapping[str, Any]) -> dict[str, str]:
    return {c.get("name", ""): c.get("image", "") for c in spec.get("containers") or ()}


def breakage(pod: Json) -> str:
    """Return why *pod* will not run by waiting, empty where it may."""
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        loops = reason == _CRASH and int(container.get("restartCount", _LOOPS)) >= _LOOPS
        if loops or reason in _UNPULLED or reason in _UNMADE:
            node = (pod.get("spec") or {}).get("nodeName") or "no node"
            return f"on node {node} container {container.get('name', '?')} does not run: {reason}{_told(container, waiting)}"
    return ""


def _told(container: Mapping[str, Any], waiting: Mapping[str, Any]) -> str:
    ended = (container.get("lastState") or {}).get("terminated") or {}
    words = []
    if ended:
        words.append(f"it ended with exit code {ended.get('exitCode', '?')}")
    if message := str(ended.get("message") or waiting.get("message") or "").strip():
        words.append(" ".join(message.split())[:200])
    return f" ({'; '.join(words)})" if words else ""


def is_ready(pod: Json) -> bool:
    """Say whether a pod, or a node, says of itself that it is ready."""
    return bool(condition_of(pod, "Ready").get("status") == "True")


def _unready(pod: Json) -> str:
    phase = (pod.get("status") or {}).get("phase", "")
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        return "its former pod is still ending"
    if not (pod.get("spec") or {}).get("nodeName"):
        return "its pod is not scheduled"
    return f"its pod is {phase or 'new'} and not ready"


def _unready_nodes(nodes: Iterable[Json]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        ready = condition_of(node, "Ready")
        if ready and ready.get("status") != "True":
            yield node["metadata"]["name"], str(ready.get("reason") or "no reason given")


def _is_down(node: Json, began: datetime | None) -> str:
    """Return why a node cannot run a pod, empty where it can or where that began with the roll-out."""
    ready = condition_of(node, "Ready")
    since = _time(ready.get("lastTransitionTime"))
    if not ready or ready.get("status") == "True" or began is None or since is None or since >= began:
        return ""
    return f"the node is not ready since {since:%Y-%m-%d %H:%M}Z: {ready.get('reason') or 'no reason given'}"


def _time(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
