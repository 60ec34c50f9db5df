"""Antrea's policies as a stack: its own tiers as one, NetworkPolicies, the baseline tier.

As its documentation and its controller have it (antrea-io/antrea, docs/antrea-network-policy.md, pkg/controller/networkpolicy;
read at several commits of 2020 to 2025, not run). Rules are asked by tier, priority of the policy and place in it; the first that
matches settles a connection. ``Pass`` leaves all other tiers but the baseline one aside, which is why they are one tier here. No
policy isolates. Which of two rules of equal tier, priority and place is asked first is open. What comes from a pod's own node
always may. Egress is judged after a Service's address has become a pod's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

import msgspec

from eksnetpol.engines.antrea.policies import Reading
from eksnetpol.engines.antrea.refusals import CLUSTER_POLICY, POLICY, NotRead, NotTaken, check_group, check_policy
from eksnetpol.engines.antrea.schema import GroupSpec, PolicySpec, TierSpec
from eksnetpol.engines.antrea.selecting import Meaning
from eksnetpol.engines.kubernetes_policies import stack_tier
from eksnetpol.engines.ties import Ties
from eksnetpol.model.findings import Subject
from eksnetpol.model.nulls import without_nulls
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.stacks.rules import Refused, Stack, StackPolicy, StackTier
from eksnetpol.policy.world import World

DIALECT = "antrea"
GROUP = "crd.antrea.io"
VERSION = f"{GROUP}/v1beta1"
"""The version that Antrea stores and, since v2, alone serves."""

OWN_TIERS = "Antrea"
"""The name of the tier that stands for all that are asked before NetworkPolicies."""
BASELINE = "baseline"

TIERS: Mapping[str, int] = {
    "emergency": 50,
    "securityops": 100,
    "networkops": 150,
    "platform": 200,
    "application": 250,
    BASELINE: 253,
}
"""The tiers that Antrea makes itself. A policy that names none is of ``application``."""

_LAST_CUSTOM = 249
"""The last place that a tier of somebody's own can have: behind it stand NetworkPolicies, and what Antrea keeps to itself."""

OTHER_KINDS = frozenset(
    {
        "AntreaAgentInfo",
        "AntreaControllerInfo",
        "AntreaNodeConfig",
        "BGPPolicy",
        "Egress",
        "ExternalEntity",
        "ExternalIPPool",
        "ExternalNode",
        "FlowExporterDestination",
        "IPPool",
        "NodeLatencyMonitor",
        "PacketCapture",
        "SupportBundleCollection",
        "Traceflow",
        "TrafficControl",
    }
)
"""Kinds of the same API group that say nothing of what may flow between pods."""

_FIRST_READ = {"Tier": 0, "ClusterGroup": 1, "Group": 2}
"""Kinds that policies refer to."""
_UPSTREAM = "policies of policy.networking.k8s.io are left out: Antrea enforces them behind a feature gate alone"
_AT = re.compile(r" - at `\$(.*)`$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`$")
_KEYS = {"apiVersion", "kind", "metadata", "spec", "status"}

Spec = TypeVar("Spec", bound=msgspec.Struct)
Level = tuple[int, float]
"""Where a policy stands: its tier's place, and its own priority."""


class Placed(NamedTuple):
    """A policy that is in force, as steps: the rules of one place in it each."""

    level: Level
    ref: Subject
    steps: list[StackPolicy]


def read(objects: Iterable[Mapping[str, Any]], kubernetes: Iterable[NetworkPolicy], world: World) -> Stack:
    """Return the stack of *objects* of ``crd.antrea.io``, with NetworkPolicies between its tiers.

    An object with a key that is not known, at any depth, or of another version, is unread as a whole; one that Antrea's admission
    refuses is refused. Neither is left out silently.
    """
    return _Reader(world).read(objects, kubernetes)


class _Reader:
    def __init__(self, world: World) -> None:
        self.world = world
        self.tiers: dict[str, int] = dict(TIERS)
        self.groups: dict[tuple[str, str], GroupSpec] = {}
        self.refused: list[Refused] = []
        self.unread: list[Refused] = []
        self.notes: dict[str, None] = {}

    def read(self, objects: Iterable[Mapping[str, Any]], kubernetes: Iterable[NetworkPolicy]) -> Stack:
        placed: list[Placed] = []
        for kind, one in sorted(self._own(objects), key=lambda found: _FIRST_READ.get(found[0], len(_FIRST_READ))):
            ref = _ref(one)
            try:
                placed += self._taken(kind, one, ref)
            except NotTaken as error:
                self.refused.append(Refused(ref, error.why, error.place))
            except NotRead as error:
                self.unread.append(Refused(ref, error.why, error.place))
        if self.world.admin_policies:
            self.notes[_UPSTREAM] = None
        last = self.tiers[BASELINE]
        tiers = (
            StackTier(OWN_TIERS, _ordered(p for p in placed if p.level[0] != last), otherwise=None),
            stack_tier(kubernetes, self.world),
            StackTier(BASELINE, _ordered(p for p in placed if p.level[0] == last), otherwise=None),
        )
        return Stack(DIALECT, tiers, refused=tuple(self.refused), unread=tuple(self.unread), notes=tuple(self.notes))

    def _own(self, objects: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for one in objects:
            kind = str(one.get("kind", ""))
            if str(one.get("apiVersion", "")).partition("/")[0] == GROUP and kind not in OTHER_KINDS:
                yield kind, one

    def _taken(self, kind: str, one: Mapping[str, Any], ref: Subject) -> Iterable[Placed]:
        if kind not in _FIRST_READ and kind not in {CLUSTER_POLICY, POLICY}:
            raise NotRead("kind", f"the kind {kind} is not known here")
        if one.get("apiVersion") != VERSION:
            raise NotRead("apiVersion", f"{one.get('apiVersion')} is not known here, {VERSION} alone is")
        for key in sorted(set(one) - _KEYS):
            raise NotRead(key, f"unknown field {key}")
        if kind in {CLUSTER_POLICY, POLICY}:
            return (self._policy(kind, one, ref),)
        self._tier(one, ref) if kind == "Tier" else self._group(kind, one, ref)
        return ()

    # --- what policies refer to ---------------------------------------------------------------------------------------

    def _tier(self, one: Mapping[str, Any], ref: Subject) -> None:
        spec = _spec(one, TierSpec)
        if TIERS.get(ref.name) == spec.priority:
            return
        if ref.name in TIERS:
            raise NotRead("spec.priority", f"{ref.name} is Antrea's own tier, of priority {TIERS[ref.name]}")
        if spec.priority > _LAST_CUSTOM or spec.priority in self.tiers.values():
            raise NotTaken("spec.priority", f"{spec.priority} is reserved, or another tier's")
        self.tiers[ref.name] = spec.priority

    def _group(self, kind: str, one: Mapping[str, Any], ref: Subject) -> None:
        spec = _spec(one, GroupSpec)
        if kind == "Group" and spec.node_selector is not None:
            raise NotRead("spec", "unknown field nodeSelector in a Group")
        check_group(spec)
        self.groups[ref.namespace, ref.name] = spec

    # --- policies -----------------------------------------------------------------------------------------------------

    def _policy(self, kind: str, one: Mapping[str, Any], ref: Subject) -> Placed:
        spec = _spec(one, PolicySpec)
        check_policy(kind, spec)
        tier = spec.tier or "application"
        place = self.tiers.get(tier.lower() if tier.lower() in TIERS else tier)
        if place is None:
            # Antrea would take it for `application`, if it were taken at all.
            raise NotRead("spec.tier", f"the tier {tier} is not among the objects")
        reading = Reading(ref, spec, Meaning(self.world, self.groups, ref.namespace), _labels(one))
        self.notes |= dict.fromkeys(reading.notes())
        return Placed((place, spec.priority), ref, reading.steps())


def _ordered(placed: Iterable[Placed]) -> tuple[StackPolicy, ...]:
    ties = Ties()
    found: list[StackPolicy] = []
    for _, equal in groupby(sorted(placed, key=lambda p: (p.level, p.ref)), key=lambda p: p.level):
        found += ties.by_rule([p.steps for p in equal])
    return tuple(found)


def _ref(one: Mapping[str, Any]) -> Subject:
    metadata = one.get("metadata") or {}
    return Subject(f"{one.get('kind', '')}.{GROUP}", str(metadata.get("name", "")), str(metadata.get("namespace") or ""))


def _labels(one: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in (one.get("metadata", {}).get("labels") or {}).items()}


def _spec(one: Mapping[str, Any], shape: type[Spec]) -> Spec:
    """Return the spec of an object. Raises `NotRead`, with the place, where it is not of the shape that is known."""
    try:
        return msgspec.convert(without_nulls(one.get("spec", {})), shape)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _AT.search(text)
        where, why = ("", text) if found is None else (found[1], text[: found.start()])
        unknown = _UNKNOWN.match(why)
        place = f"spec{where}" + (f".{unknown[1]}" if unknown else "")
        raise NotRead(place, f"unknown field {unknown[1]}" if unknown else why[:1].lower() + why[1:]) from None
