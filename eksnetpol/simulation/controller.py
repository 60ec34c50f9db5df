"""The network policy controller of a simulated control plane, and what else the control plane does by itself around policies.

With key ``enable-network-policy-controller`` of ConfigMap ``kube-system/amazon-vpc-cni`` exactly ``true`` it puts its finalizer
on every policy, writes PolicyEndpoints (`policy.prediction`) with an owner reference, and lets go of a policy that is being
deleted. With anything else it does nothing at all: finalizers stay, and a policy that is deleted hangs in Terminating (facts:
vpc-cni.md 4.3). Its watcher of definitions re-creates those that are missing every 15 seconds, whatever the key says, and never
changes one (facts: 5). A namespace goes when nothing is left in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping

import msgspec

from eksnetpol.assets.manifests import definition
from eksnetpol.model.kinds import (
    APPLICATION_POLICY,
    CLUSTER_POLICY,
    CLUSTER_POLICY_ENDPOINT,
    CONFIGMAP,
    DEFINITION,
    NAMESPACE,
    NETWORK_POLICY,
    POLICY_ENDPOINT,
    Json,
    Kind,
    ObjectRef,
)
from eksnetpol.policy.prediction.predict import Count, Prediction, predict
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.world import World
from eksnetpol.simulation.ground import Ground

SWITCH = ObjectRef.to(CONFIGMAP, "amazon-vpc-cni", "kube-system")
KEY = "enable-network-policy-controller"
FINALIZERS: Mapping[Kind, str] = {
    NETWORK_POLICY: "networking.k8s.aws/resources",
    APPLICATION_POLICY: "networking.k8s.aws/anp-resources",
    CLUSTER_POLICY: "networking.k8s.aws/cnp-resources",
}
ENDPOINTS: Mapping[Kind, Kind] = {
    NETWORK_POLICY: POLICY_ENDPOINT,
    APPLICATION_POLICY: POLICY_ENDPOINT,
    CLUSTER_POLICY: CLUSTER_POLICY_ENDPOINT,
}
"""By kind of policy, the kind of objects that are made of it."""

DEFINITIONS = tuple(map(str, (POLICY_ENDPOINT, CLUSTER_POLICY_ENDPOINT, APPLICATION_POLICY, CLUSTER_POLICY)))
MANAGER = "controller"
"""Field manager of what it makes: the name of its program, which nobody states for EKS."""
LOOKS_EVERY = 15.0
"""Seconds between two looks for missing definitions."""
MOST_ENTRIES = 500_000
"""Entries of all PolicyEndpoints together that are still written out: a large cluster would have gigabytes of them. Beyond it
only pods are, as long as these are no more than that.
"""
MOST_WHERE_PODS_MOVE = 50_000
"""The same for a cluster whose pods come and go: all has to be written anew as they do."""
RESTARTS_IN = 3.0
"""Seconds the controller needs to begin once its key has changed: chosen, nobody publishes it."""


class Controller:
    """The controller. ``is_there`` is False for control planes that are too old to have one."""

    def __init__(self, ground: Ground, *, is_there: bool = True) -> None:
        self._ground = ground
        self._is_there = is_there
        self._on = self._switch()
        self._begins = 0.0
        self._looks = LOOKS_EVERY
        self._made_of = self._policies_version()
        self._foreseen: Prediction | None = None
        self._supplied: set[Kind] = set()
        self.holding: list[Callable[[str], str]] = []
        """Asked of a namespace that is going: what keeps it, empty for nothing."""
        self.most_entries = MOST_ENTRIES
        self._pods_moved = False
        self._counts: dict[int, Count] = {}

    @property
    def is_on(self) -> bool:
        """True while it acts on policies."""
        return self._is_there and self._on

    def next_due(self, now: float) -> float | None:
        """Return when it has something to do by time alone, None for never."""
        due = [self._looks] if self._is_there and self._missing() else []
        due += [self._begins] if self._begins > now else []
        return min(due, default=None)

    def turn(self, now: float) -> None:
        """Do what is to be done by now."""
        if self._is_there:
            self._watch_definitions(now)
            on = self._switch()
            if on != self._on:
                self._on, self._begins = on, now + RESTARTS_IN
                self._made_of = -1
            if on and now >= self._begins:
                self._reconcile()
        self._end_namespaces()

    def pods_changed(self) -> None:
        """Take note that pods came, moved or went: what is written of them follows when somebody looks at it."""
        self._pods_moved = True
        self._foreseen, self._counts = None, {}

    def refresh(self) -> None:
        """Let PolicyEndpoints be those of the pods there are now, where the controller acts."""
        if self._pods_moved and self.is_on and self._made_of == self._policies_version():
            self._pods_moved = False
            for kind in dict.fromkeys(ENDPOINTS.values()):
                if self._ground.knows(kind) and self._ground.serves(kind) and self._ground.is_loaded(kind):
                    self._write_endpoints(kind)

    # --- policies ------------------------------------------------------------------------------------------------------

    def _switch(self) -> bool:
        live = self._ground.get(SWITCH) if self._ground.knows(CONFIGMAP) else None
        return live is not None and live.get("data", {}).get(KEY) == "true"

    def _kinds(self) -> Iterator[Kind]:
        return (kind for kind in FINALIZERS if self._ground.knows(kind))

    def _policies_version(self) -> int:
        return sum(self._ground.version(kind) for kind in self._kinds())

    def _reconcile(self) -> None:
        if self._policies_version() == self._made_of:
            return
        for kind in self._kinds():
            finalizer = FINALIZERS[kind]
            self._ground.mark(kind, lambda policy, finalizer=finalizer: _reconciled(policy, finalizer))  # type: ignore[misc]
        self._made_of = self._policies_version()
        self._foreseen, self._counts = None, {}
        for kind in dict.fromkeys(ENDPOINTS.values()):
            if not (self._ground.knows(kind) and self._ground.serves(kind)):
                continue
            if self._ground.is_loaded(kind):
                self._write_endpoints(kind)
            elif kind in self._supplied or not self._ground.count(kind):
                self._supplied.add(kind)
                self._ground.supply(kind, lambda kind=kind: self._endpoints(kind), self._too_many)  # type: ignore[misc]
            else:
                # There are some already: what changed is written beside them.
                self._ground.of(kind)
                self._write_endpoints(kind)

    def _write_endpoints(self, kind: Kind) -> None:
        """Make the objects of *kind* those that belong to the policies there are; what is right already stays."""
        there: dict[str, list[Json]] = {}
        for endpoint in self._ground.objects(kind):
            there.setdefault(_owner_of(endpoint), []).append(endpoint)
        wanted: dict[str, list[Json]] = {}
        for endpoint in self._endpoints(kind):
            wanted.setdefault(_owner_of(endpoint), []).append(endpoint)
        for owner in dict.fromkeys((*there, *wanted)):
            old, new = there.get(owner, []), wanted.get(owner, [])
            if [e.get("spec") for e in old] != [e.get("spec") for e in new]:
                for endpoint in old:
                    self._ground.delete(ObjectRef.of(endpoint))
                for endpoint in new:
                    self._ground.put(endpoint)

    def _endpoints(self, kind: Kind) -> Iterator[Json]:
        """Yield the objects of *kind* that the controller makes of the policies there are; bare ones where those are too many."""
        foreseen = self._prediction()
        if self._entries() > self.most_entries:
            yield from _bare(foreseen, kind, self._counted())
            return
        for document in foreseen.documents():
            found: Json = msgspec.json.decode(document)
            if found["kind"] == kind.name:
                yield _named(found)

    def _prediction(self) -> Prediction:
        if self._foreseen is None:
            world = World.of(self._ground.snapshot_of_policies())
            self._foreseen = predict(world, Profile(family=world.family or "ipv4"))
        return self._foreseen

    def _entries(self) -> int:
        return sum(count.pods + count.ingress + count.egress for count in self._counted().values())

    def _counted(self) -> dict[int, Count]:
        """Return what becomes of each policy in numbers, by its place among those that objects are written for."""
        if not self._counts:
            self._counts = dict(enumerate(self._prediction().counts()))
        return self._counts

    def _too_many(self) -> str:
        """Return why no look would be given the endpoints, empty where it is."""
        entries = self._entries()
        if entries <= self.most_entries:
            return ""
        return f"the policy controller would write {entries:,} entries, which were not written out; see eksnetpol policy predict"

    # --- definitions, namespaces -------------------------------------------------------------------------------

    def _missing(self) -> list[str]:
        if not self._ground.knows(DEFINITION):
            return []
        return [name for name in DEFINITIONS if self._ground.get(ObjectRef.to(DEFINITION, name)) is None]

    def _watch_definitions(self, now: float) -> None:
        if now < self._looks:
            return
        self._looks = now + LOOKS_EVERY - (now % LOOKS_EVERY)
        for name in self._missing():
            self._ground.of(DEFINITION).create(definition(name), manager=MANAGER)
            self._made_of = -1

    def _end_namespaces(self) -> None:
        if not self._ground.is_loaded(NAMESPACE):
            return
        for namespace in self._ground.objects(NAMESPACE):
            if not namespace["metadata"].get("deletionTimestamp"):
                continue
            name = namespace["metadata"]["name"]
            keeps = [why for told in self.holding if (why := told(name))]
            left = self._ground.empty(name)
            if not left and not keeps:
                self._ground.api.delete(ObjectRef.of(namespace))
            elif keeps:
                self._say(namespace, keeps[0])

    def _say(self, namespace: Json, why: str) -> None:
        status = namespace.get("status", {})
        told = [
            {
                "type": "NamespaceDeletionDiscoveryFailure" if "Discovery" in why else "NamespaceContentRemaining",
                "status": "True",
                "message": why,
            }
        ]
        if status.get("conditions") != told:
            # Not by way of `Ground.put`: what holds a namespace is in its spec.
            self._ground.api.put({**namespace, "status": {**status, "conditions": told}})


def _reconciled(policy: Json, finalizer: str) -> Json:
    """Return a policy with the finalizer, one that is being deleted without it; itself where nothing is to be done."""
    metadata = policy["metadata"]
    held = metadata.get("finalizers", [])
    ending = bool(metadata.get("deletionTimestamp"))
    if ending != (finalizer in held):
        return policy
    left = [f for f in held if f != finalizer] if ending else [*held, finalizer]
    bare = {k: v for k, v in metadata.items() if k != "finalizers"}
    return {**policy, "metadata": {**bare, **({"finalizers": left} if left else {})}}


def _owner_of(endpoint: Json) -> str:
    """Return what stands for the policy that an object was made of: its uid, or its name where that is not known."""
    uid = next((str(o.get("uid", "")) for o in endpoint["metadata"].get("ownerReferences", ())), "")
    of = endpoint.get("spec", {}).get("policyRef", {})
    return uid or f"{of.get('namespace', '')}/{of.get('name', '')}"


def _bare(foreseen: Prediction, kind: Kind, counts: Mapping[int, Count]) -> Iterator[Json]:
    """Yield as many objects of *kind* as there would be, with their owners and, unless those are too many, their pods.

    Rules are left out.
    """
    size = foreseen.chunk_size
    with_pods = sum(count.pods for count in counts.values()) <= MOST_ENTRIES
    for place_of, resolved in enumerate(foreseen.policies):
        policy, meta = resolved.subject, resolved.policy.metadata
        is_cluster = not meta.namespace
        if is_cluster != (kind == CLUSTER_POLICY_ENDPOINT):
            continue
        place = {"namespace": meta.namespace} if meta.namespace else {}
        version = NETWORK_POLICY.api_version if policy.kind == NETWORK_POLICY.name else kind.api_version
        owner = {"apiVersion": version, "kind": policy.kind, "name": meta.name, "uid": meta.uid, "controller": True}
        pods = foreseen.resolver.book.endpoints(resolved.selected) if with_pods else ()
        for number in range(counts[place_of].objects):
            metadata = {"generateName": f"{meta.name}-", **place, "ownerReferences": [owner]}
            spec: Json = {"policyRef": {"name": meta.name, **place}}
            if some := pods[number * size : (number + 1) * size]:
                spec["podSelectorEndpoints"] = msgspec.json.decode(b"[%b]" % b",".join(some))
            object_ = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "spec": spec}
            yield _named(object_, number)


def _named(endpoint: Json, number: int = 0) -> Json:
    """Return a predicted object with the name that the API server would have drawn for it, always the same one."""
    metadata = endpoint["metadata"]
    text = hashlib.sha256(msgspec.json.encode((endpoint, number))).hexdigest()
    uid = f"{text[:8]}-{text[8:12]}-4{text[12:15]}-8{text[15:18]}-{text[18:30]}"
    named = {**metadata, "name": f"{metadata['generateName']}{text[:5]}", "uid": uid}
    return {**endpoint, "metadata": named}
