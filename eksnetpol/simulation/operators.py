"""Whoever acts for an engine in a simulated cluster: the Tigera operator, Calico's kube-controllers, Cilium's operator.

The Tigera operator keeps what belongs to it as it should be: it puts back what is deleted or edited, with the overrides of
``Installation.spec.calicoNodeDaemonSet``, takes away what belongs to one of its objects once that goes, and lets go of the
Installation by its finalizers, one after the other. kube-controllers let go of IP pools and tiers. Cilium's operator
makes its definitions again. Each acts only while its Deployment has a ready pod: whoever is deleted first leaves others hanging.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eksnetpol.fields.values import copied
from eksnetpol.model.engine_kinds import (
    CALICO_API_SERVER,
    CALICO_SHOWN,
    CALICO_STORED,
    GOLDMANE,
    INSTALLATION,
    IP_POOL,
    OPERATOR_KINDS,
    WHISKER,
)
from eksnetpol.model.kinds import API_SERVICE, DAEMONSET, DEFINITION, DEPLOYMENT, VALIDATING_WEBHOOKS, Json, Kind, ObjectRef
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.pods import Owner, PodTable
from eksnetpol.simulation.workloads import Workloads

CLEANUP = "tigera.io/operator-cleanup"
"""The Installation's last finalizer."""

_FINALIZERS: Mapping[str, Kind] = {
    "operator.tigera.io/apiserver-controller": CALICO_API_SERVER,
    "operator.tigera.io/whisker-controller": WHISKER,
    "operator.tigera.io/goldmane-controller": GOLDMANE,
}
"""Finalizers of the Installation that are let go of when no such object, and nothing that belongs to it, is left."""

_OWN = "operator.tigera.io/installation-controller"
_PARTS: Mapping[Kind, Mapping[Kind, tuple[str, ...]]] = {
    CALICO_API_SERVER: {
        DEPLOYMENT: ("calico-apiserver",),
        API_SERVICE: ("v3.projectcalico.org",),
        VALIDATING_WEBHOOKS: ("api.projectcalico.org",),
    },
    WHISKER: {DEPLOYMENT: ("whisker",)},
    GOLDMANE: {DEPLOYMENT: ("goldmane",)},
    INSTALLATION: {DAEMONSET: ("calico-node", "csi-node-driver"), DEPLOYMENT: ("calico-typha", "calico-kube-controllers")},
}
"""By kind of the operator's objects, what it makes of them."""

_AGENT = "calico-node"
_OVERRIDDEN = ("affinity", "nodeSelector", "tolerations")
_HOLDERS: Mapping[str, tuple[Kind, ...]] = {
    "projectcalico.org/ippool-finalizer": (IP_POOL,),
    "projectcalico.org/tier-controller": tuple(k for k in (*CALICO_STORED, *CALICO_SHOWN) if k.name == "Tier"),
}
_GIVEN = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "generation", "managedFields")
_EKS_AFFINITY: Json = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate"]}]}
            ]
        }
    }
}
"""What the operator gives calico-node on EKS where nobody overrides it."""


class Operators:
    """All of them. ``stuck`` are finalizers that nobody lets go of, as when their controller has a fault."""

    def __init__(self, ground: Ground, table: PodTable, workloads: Workloads) -> None:
        self._ground, self._table, self._workloads = ground, table, workloads
        self.stuck: set[str] = set()
        self._seen = -1
        held = (kind for kinds in _HOLDERS.values() for kind in kinds)
        own = (DAEMONSET, DEPLOYMENT, API_SERVICE, VALIDATING_WEBHOOKS, DEFINITION)
        self._kinds = tuple(dict.fromkeys((*OPERATOR_KINDS, *own, *held)))
        named = {live["metadata"]["name"]: ObjectRef.of(live) for live in ground.known(DEPLOYMENT)}
        self._tigera, self._controllers = named.get("tigera-operator"), named.get("calico-kube-controllers")
        self._cilium = named.get("cilium-operator")
        self._made: dict[Kind, dict[ObjectRef, Json]] = {}
        self._definitions: dict[ObjectRef, Json] = {}
        if self._tigera is not None and ground.known(INSTALLATION):
            self._adopt()
        if self._cilium is not None:
            found = ground.known(DEFINITION)
            self._definitions = {ObjectRef.of(d): d for d in found if d.get("spec", {}).get("group") == "cilium.io"}

    def _adopt(self) -> None:
        for owner, parts in _PARTS.items():
            if not self._ground.serves(owner):
                continue
            self._made[owner] = {
                ObjectRef.of(live): bare(live)
                for kind, names in parts.items()
                for live in self._ground.known(kind)
                if live["metadata"]["name"] in names
            }
            # A snapshot need not have read the operator's smaller objects: what they are made into shows that they are there.
            if self._made[owner] and self._ground.knows(owner) and not self._ground.known(owner):
                made = {"apiVersion": owner.api_version, "kind": owner.name, "metadata": {"name": "default"}, "spec": {}}
                self._ground.of(owner).load([{**made, "metadata": {"name": "default", "uid": f"{owner.name.lower()}-default"}}])
        for ref, made in self._made.get(INSTALLATION, {}).items():
            if ref.name == _AGENT:
                self._base(made)

    def _base(self, agent: Json) -> None:
        """Make the kept agent what the operator makes without overrides."""
        spec, overrides = agent["spec"]["template"]["spec"], self._overrides()
        for name in _OVERRIDDEN:
            if name in overrides and spec.get(name) == overrides[name]:
                spec.pop(name)
                if name == "affinity":
                    spec[name] = copied(_EKS_AFFINITY)

    def _overrides(self) -> Json:
        for live in self._ground.known(INSTALLATION):
            spec: Any = live.get("spec") or {}
            for step in ("calicoNodeDaemonSet", "spec", "template", "spec"):
                spec = spec.get(step) or {}
            return {name: spec[name] for name in _OVERRIDDEN if spec.get(name)}
        return {}

    # --- what they do ---

    def turn(self) -> None:
        """Do what is to be done by now, where anything of theirs changed or ends."""
        seen = sum(self._ground.version(kind) for kind in self._kinds)
        if seen == self._seen and not self._ending():
            return
        self._seen = seen
        if self._made and self._runs(self._tigera):
            self._reconcile()
        if self._runs(self._controllers):
            self._let_go()
        if self._cilium is not None and self._runs(self._cilium):
            self._put_back(self._definitions)

    def _runs(self, deployment: ObjectRef | None) -> bool:
        return deployment is not None and self._ground.get(deployment) is not None and self._workloads.ready(deployment) > 0

    def _ending(self) -> bool:
        kinds = OPERATOR_KINDS if self._made else ()
        return any(live["metadata"].get("deletionTimestamp") for kind in kinds for live in self._ground.known(kind))

    def _reconcile(self) -> None:
        for owner, parts in self._made.items():
            there = [live for live in self._ground.known(owner) if not live["metadata"].get("deletionTimestamp")]
            if there:
                self._put_back(parts)
            else:
                self._take_away(parts)
        for live in self._ground.known(INSTALLATION):
            if live["metadata"].get("deletionTimestamp"):
                self._release(live)

    def _put_back(self, parts: Mapping[ObjectRef, Json]) -> None:
        for ref, made in parts.items():
            live, wanted = self._ground.get(ref), self._wanted(ref, made)
            if live is None:
                self._ground.of(ref.of_kind).create(copied(wanted), manager="operator")
            elif ref.kind == DAEMONSET.name and _differs(live, wanted):
                changed = {**live["metadata"], "generation": live["metadata"].get("generation", 0) + 1}
                self._ground.put({**live, "metadata": changed, "spec": {**live["spec"], "template": wanted["spec"]["template"]}})

    def _wanted(self, ref: ObjectRef, made: Json) -> Json:
        if ref.name != _AGENT or ref.kind != DAEMONSET.name or not (overrides := self._overrides()):
            return made
        template = made["spec"]["template"]
        return {**made, "spec": {**made["spec"], "template": {**template, "spec": {**template["spec"], **overrides}}}}

    def _take_away(self, parts: Iterable[ObjectRef]) -> None:
        for ref in parts:
            if self._ground.get(ref) is not None:
                self._ground.delete(ref)

    def _release(self, installation: Json) -> None:
        held = installation["metadata"].get("finalizers") or []
        left = [f for f in held if not self._is_done(f)]
        if [f for f in left if f != CLEANUP and f.startswith("operator.tigera.io/")] == [] and CLEANUP not in self.stuck:
            left = [f for f in left if f != CLEANUP]
        if left != held:
            meta = {**installation["metadata"], "finalizers": left}
            self._ground.put({**installation, "metadata": {k: v for k, v in meta.items() if v or k != "finalizers"}})

    def _is_done(self, finalizer: str) -> bool:
        if finalizer in self.stuck:
            return False
        if finalizer == _OWN:
            return not self._left(INSTALLATION)
        if finalizer in _FINALIZERS:
            kind = _FINALIZERS[finalizer]
            return not self._ground.known(kind) and not self._left(kind)
        # Of controllers for objects that are not known here there is nothing.
        return finalizer.startswith("operator.tigera.io/")

    def _left(self, owner: Kind) -> bool:
        return any(self._ground.get(ref) is not None or self._has_pods(ref) for ref in self._made.get(owner, ()))

    def _has_pods(self, ref: ObjectRef) -> bool:
        if ref.kind == DAEMONSET.name:
            return bool(self._table.by_owner.get(Owner(ref.namespace, ref.kind, ref.name)))
        return ref.kind == DEPLOYMENT.name and self._workloads.pods_left(ref) > 0

    def _let_go(self) -> None:
        for finalizer, kinds in _HOLDERS.items():
            if finalizer in self.stuck:
                continue
            for live in (one for kind in kinds for one in self._ground.known(kind)):
                held = live["metadata"].get("finalizers") or []
                if live["metadata"].get("deletionTimestamp") and finalizer in held:
                    left = [f for f in held if f != finalizer]
                    meta = {k: v for k, v in live["metadata"].items() if k != "finalizers"}
                    self._ground.put({**live, "metadata": {**meta, **({"finalizers": left} if left else {})}})


def bare(live: Json) -> Json:
    """Return an object as it would be made again."""
    meta = {name: value for name, value in live["metadata"].items() if name not in _GIVEN}
    found: Json = copied({**{k: v for k, v in live.items() if k != "status"}, "metadata": meta})
    return found


def _differs(live: Json, wanted: Json) -> bool:
    return bool(live["spec"].get("template") != wanted["spec"].get("template"))
