"""The pods of a simulated cluster but those of ``aws-node``: where they are, how far they are, and what a look sees of them.

A pod is made like another one of its workload, which a snapshot has. Its kubelet starts it `STARTS_IN` seconds after it was bound
to a node, and ends it `ENDS_IN` seconds after it was told to: chosen, as each application takes its own time.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.objects.pods import labels_of
from eksnetpol.simulation.addresses import Addresses

STARTS_IN = 10.0
ENDS_IN = 5.0

_OWN_ANNOTATIONS = ("vpc.amazonaws.com/pod-ips", "cni.projectcalico.org/podIP", "cni.projectcalico.org/podIPs")


def uid_of(text: str) -> str:
    """Return a uid that stands for *text*: always the same one, so that two rehearsals are alike."""
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-8{digits[15:18]}-{digits[18:30]}"


class Owner(NamedTuple):
    """Who brings a pod back: its controller."""

    namespace: str
    kind: str
    name: str


class Phase(IntEnum):
    """How far a pod is. *Unready* runs, or is to, and is not ready."""

    PENDING = 0
    STARTING = 1
    READY = 2
    UNREADY = 3
    ENDING = 4
    SUCCEEDED = 5
    FAILED = 6


ADDRESSED = frozenset({Phase.STARTING, Phase.READY, Phase.UNREADY, Phase.ENDING})
"""Phases in which a pod has an address."""

LIVE = frozenset({Phase.PENDING, Phase.STARTING, Phase.READY, Phase.UNREADY})
"""Phases of pods that are there for their controller."""

_SHOWN = {Phase.PENDING: "Pending", Phase.STARTING: "Pending", Phase.SUCCEEDED: "Succeeded", Phase.FAILED: "Failed"}
_WAITS = frozenset({Phase.STARTING, Phase.ENDING})


@dataclass(slots=True, eq=False)
class SimPod:
    """A pod. ``like`` is the pod it is (``known``: to the letter), or is made like; ``born`` is when its kubelet got it, -1 for
    before all. ``template`` is the revision of its DaemonSet's template, empty for others.
    """

    namespace: str
    name: str
    uid: str
    owner: Owner | None
    like: k8s.Pod
    phase: Phase = Phase.PENDING
    node: str = ""
    address: str = ""
    host: str = ""
    born: float = -1.0
    made_at: datetime | None = None
    ended_at: datetime | None = None
    known: bool = False
    template: str = ""
    due: float = 0.0
    said: str = ""
    """What its container left behind when it ended."""

    @property
    def has_address(self) -> bool:
        """True for pods with an address of their own, not their node's, as long as they have it."""
        return self.phase in ADDRESSED and not self.like.spec.host_network

    @property
    def labels(self) -> bytes:
        """Its labels as JSON, the same for all pods of one workload."""
        return bytes(self.like.metadata.labels)


Listener = Callable[[SimPod, Phase | None], None]
"""Told of a pod and the phase it was in before, None for a new one. One that is gone is in no table any more."""


@dataclass(slots=True)
class PodTable:
    """All pods, by name, node and owner. *now* tells seconds, *clock* the time; ``dead`` are nodes where none gets ready."""

    now: Callable[[], float]
    clock: Callable[[], datetime]
    addresses: Addresses
    host_of: Callable[[str], str]
    all: dict[tuple[str, str], SimPod] = field(default_factory=dict)
    on: dict[str, dict[tuple[str, str], SimPod]] = field(default_factory=dict)
    by_owner: dict[Owner, dict[tuple[str, str], SimPod]] = field(default_factory=dict)
    spaces: dict[str, dict[tuple[str, str], SimPod]] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    listeners: list[Listener] = field(default_factory=list)
    changed: bool = False
    _due: list[tuple[float, int, SimPod]] = field(default_factory=list)
    _serial: int = 0

    # --- what happens to pods ---

    def adopt(self, pod: SimPod) -> None:
        """Take a pod in that is there already: nobody hears of it."""
        key = (pod.namespace, pod.name)
        self.all[key] = pod
        self.spaces.setdefault(pod.namespace, {})[key] = pod
        if pod.node:
            self.on.setdefault(pod.node, {})[key] = pod
        if pod.owner is not None:
            self.by_owner.setdefault(pod.owner, {})[key] = pod

    def add(self, like: k8s.Pod, owner: Owner | None, *, name: str = "", namespace: str, template: str = "") -> SimPod:
        """Make a pod like another one. Without *name* it gets one of its owner's."""
        while True:
            self._serial += 1
            uid = uid_of(f"{owner}{name}{self._serial}")
            called = name or f"{owner.name if owner else 'pod'}-{uid[-5:]}"
            if name or (namespace, called) not in self.all:
                break
        pod = SimPod(namespace, called, uid, owner, like, made_at=self.clock(), template=template)
        self.adopt(pod)
        self._tell(pod, None)
        return pod

    def bind(self, pod: SimPod, node: str) -> None:
        """Put a pod on a node, whose kubelet starts it."""
        before = pod.phase
        pod.node, pod.host, pod.born = node, self.host_of(node), self.now()
        pod.address = pod.host if pod.like.spec.host_network else self.addresses.new()
        self.on.setdefault(node, {})[pod.namespace, pod.name] = pod
        pod.phase = Phase.STARTING
        self._wait(pod, STARTS_IN)
        self._tell(pod, before)

    def end(self, pod: SimPod) -> None:
        """Tell a pod to end; one that is on no node goes at once."""
        if pod.phase is Phase.ENDING:
            return
        if not pod.node:
            self.drop(pod)
            return
        before = pod.phase
        pod.phase, pod.ended_at, pod.known = Phase.ENDING, self.clock(), False
        self._wait(pod, ENDS_IN)
        self._tell(pod, before)

    def drop(self, pod: SimPod) -> None:
        """Let a pod be gone."""
        key = (pod.namespace, pod.name)
        if self.all.get(key) is not pod:
            return
        del self.all[key]
        self.spaces[pod.namespace].pop(key, None)
        if pod.node:
            self.on[pod.node].pop(key, None)
        if pod.owner is not None:
            self.by_owner[pod.owner].pop(key, None)
        self._tell(pod, pod.phase)

    def turn_into(self, pod: SimPod, phase: Phase) -> None:
        """Let a pod be in another phase."""
        before = pod.phase
        pod.phase, pod.known = phase, False
        self._tell(pod, before)

    def is_there(self, pod: SimPod) -> bool:
        """Say whether a pod is not gone."""
        return self.all.get((pod.namespace, pod.name)) is pod

    # --- time ---

    def next_due(self) -> float | None:
        """Return when a kubelet does something next, None for never."""
        while self._due and not self._is_meant(*self._due[0]):
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def advance(self) -> None:
        """Let happen what kubelets do by now."""
        now = self.now()
        while (due := self.next_due()) is not None and due <= now:
            pod = heapq.heappop(self._due)[2]
            if pod.phase is Phase.ENDING:
                self.drop(pod)
            else:
                self.turn_into(pod, Phase.UNREADY if pod.node in self.dead else Phase.READY)

    def _wait(self, pod: SimPod, seconds: float) -> None:
        self._serial += 1
        pod.due = self.now() + seconds
        heapq.heappush(self._due, (pod.due, self._serial, pod))

    def _is_meant(self, due: float, _: int, pod: SimPod) -> bool:
        return pod.due == due and pod.phase in _WAITS and self.is_there(pod)

    def _tell(self, pod: SimPod, before: Phase | None) -> None:
        self.changed = True
        for listener in self.listeners:
            listener(pod, before)

    # --- what a look sees ---

    def of(self, ref: ObjectRef) -> SimPod | None:
        """Return the pod that *ref* names."""
        return self.all.get((ref.namespace, ref.name))

    def in_namespace(self, namespace: str) -> Iterator[SimPod]:
        """Return the pods of a namespace, or of all."""
        return iter(self.spaces.get(namespace, {}).values() if namespace else self.all.values())


def struct_of(pod: SimPod) -> k8s.Pod:
    """Return a pod as a snapshot keeps it."""
    if pod.known:
        return pod.like
    meta = pod.like.metadata
    notes = {key: value for key, value in meta.annotations.items() if key not in _OWN_ANNOTATIONS}
    return k8s.Pod(
        replace(
            meta, name=pod.name, namespace=pod.namespace, uid=pod.uid, annotations=notes,
            creation_timestamp=pod.made_at or meta.creation_timestamp, deletion_timestamp=pod.ended_at,
        ),
        replace(pod.like.spec, node_name=pod.node),
        k8s.PodStatus(phase=_SHOWN.get(pod.phase, "Running"), pod_ip=pod.address, host_ip=pod.host),
    )  # fmt: skip


_encode = msgspec.json.Encoder().encode


def json_of(pod: SimPod) -> Json:
    """Return a pod as the API server shows it. What pods of one workload have in common is shared, and must not be changed."""
    like, known = pod.like, pod.known
    meta: Json = {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid, "labels": _labels(pod.labels, pod.template)}
    if like.metadata.owner_references:
        meta["ownerReferences"] = _owners(like.metadata.owner_references)
    if like.metadata.annotations:
        own = () if known else _OWN_ANNOTATIONS
        meta["annotations"] = {key: value for key, value in like.metadata.annotations.items() if key not in own}
    for name, at in (("creationTimestamp", pod.made_at or like.metadata.creation_timestamp), ("deletionTimestamp", pod.ended_at)):
        if at is not None:
            meta[name] = msgspec.to_builtins(at)
    asked = like.spec
    spec = _spec(
        bytes(asked.containers), bytes(asked.init_containers), asked.service_account_name,
        asked.automount_service_account_token, asked.host_network,
    )  # fmt: skip
    ready = "True" if pod.phase is Phase.READY else "False"
    status: Json = {
        "phase": like.status.phase if known else _SHOWN.get(pod.phase, "Running"),
        "conditions": [{"type": name, "status": ready} for name in ("Ready", "ContainersReady")],
    }
    status |= {"podIP": pod.address} if pod.address else {}
    status |= {"hostIP": pod.host} if pod.host else {}
    if pod.said:
        status["containerStatuses"] = [{"name": "probe", "state": {"terminated": {"exitCode": 0, "message": pod.said}}}]
    placed = {**spec, "nodeName": pod.node} if pod.node else spec
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": placed, "status": status}


@lru_cache(maxsize=1 << 16)
def _labels(raw: bytes, template: str) -> dict[str, str]:
    found = dict(labels_of(raw))
    return {**found, "controller-revision-hash": template} if template else found


@lru_cache(maxsize=1 << 15)
def _owners(references: tuple[k8s.OwnerReference, ...]) -> list[Json]:
    found: list[Json] = msgspec.json.decode(_encode(references))
    return found


@lru_cache(maxsize=1 << 15)
def _spec(containers: bytes, init: bytes, account: str, automount: bool | None, on_host: bool) -> Json:
    asked = k8s.PodSpec("", account, automount, on_host, msgspec.Raw(containers), msgspec.Raw(init))
    found: Json = msgspec.json.decode(_encode(asked))
    return found


def pod_of(found: Json) -> k8s.Pod:
    """Return an object of the API as a pod that others can be made like."""
    return msgspec.json.decode(_encode(found), type=k8s.Pod)
