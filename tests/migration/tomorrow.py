"""The same policies in another world: what is called exact says the same there too.

A verdict *exact* is a promise for all pods, namespaces and contents of sets that there could ever be; *exact-now* is one for
today, and what is true of today alone says so among the reasons of the other verdicts. So what promises nothing for tomorrow is
left out of a random cluster's policies, the cluster is changed, and the plain semantics of the source are held to what the first
translation wrote, unchanged. Pods on the host network are left aside:
under the VPC CNI a selector means them too, which every translation says beforehand.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection
from copy import deepcopy
from dataclasses import replace
from typing import Any

from eksnetpol.translation import Translation, Verdict
from eksnetpol.translation.comparing import after
from eksnetpol.translation.values import Judged
from tests.migration.promise import PROFILE, Cluster
from tests.migration.random_calico import NETS, PORTS
from tests.policy.oracle.plain import Packet, Place
from tests.policy.oracle.vpc_cni import VpcCni

Json = dict[str, Any]

EXACT = frozenset({Verdict.EXACT})
NO_MORE = EXACT | {Verdict.STRICTER, Verdict.NONE}

_PART = re.compile(r"(\w+)(?:\[(\d+)])?")
_SETS = {"NetworkSet": "nets", "GlobalNetworkSet": "nets", "CiliumCIDRGroup": "externalCIDRs"}
"""Kinds that name addresses, with the list that does."""
_BLOCKS = ("192.0.2.10/32", "203.0.113.5/32", "10.0.1.0/24", *NETS)
_ROUNDS = 12


def lasting_part(case: Cluster, wanted: Collection[Verdict]) -> tuple[Cluster, Translation] | None:
    """Return *case* with those of its rules and policies alone that have a verdict of *wanted*, and not for today alone.

    None where there is nothing left to say.
    """
    for _ in range(_ROUNDS):
        short: list[Judged] = []
        # Comparing takes longest: it is done where all that the translator knows by itself is well.
        for compare in (False, True):
            made = case.translated(compare=compare)
            short = [j for j in made.judged if j.verdict not in wanted or "today" in j.reason]
            if short:
                break
        if not made.judged:
            return None
        if not short:
            return case, made
        # A rule at a time, from the last, so that the places of others stay what they are.
        wrong = max(short, key=lambda j: (bool(j.place), len(j.place), j.place))
        left = [_without(one, wrong.place) if _is(one, wrong.ref) else one for one in case.objects]
        case = case.with_objects([one for one in left if one is not None])
    return None


def _is(one: Json, ref: Any) -> bool:
    meta = one["metadata"]
    same = (meta["name"], meta.get("namespace", "")) == (ref.name, ref.namespace)
    return same and ref.kind.partition(".")[0] == one["kind"] and one["kind"] not in _SETS


def _without(one: Json, place: str) -> Json | None:
    """Return an object without the rule at *place*; None where nothing is left, or the place is the whole."""
    path = _PART.findall(place)
    if not place or len(path) < 2:
        return None
    changed = deepcopy(one)
    here: Any = changed
    for key, at in path[:-1]:
        here = here[key][int(at)] if at else here[key]
    key, at = path[-1]
    del here[key][int(at)]
    return changed if here[key] else None


def tomorrow(case: Cluster, number: int) -> Cluster:
    """Return *case* in another world: other pods, accounts, labels, namespaces, Services, and contents of sets."""
    return _Change(number).of(case)


class _Change:
    def __init__(self, number: int) -> None:
        self.chance = random.Random(number)  # noqa: S311 - nothing depends on nobody guessing it

    def _maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def _labels(self) -> Json:
        return {key: self.chance.choice(("a", "b", "c", "ab")) for key in ("app", "tier") if self._maybe(0.6)}

    def of(self, case: Cluster) -> Cluster:
        """Return it."""
        old = case.cluster
        spaces = [*old["namespaces"], {"name": "delta", "labels": {"kubernetes.io/metadata.name": "delta"}}]
        names = [space["name"] for space in spaces]
        known = "kubernetes.io/metadata.name"
        spaces = [
            space | {"labels": self._labels() | {known: space["name"]}} if self._maybe(0.7) else space for space in spaces
        ]
        accounts = [
            {"namespace": space, "name": name, "labels": self._labels()}
            for space in names
            for name in ("default", "robot", "other")
        ]
        cluster = old | {"namespaces": spaces, "serviceAccounts": accounts, "pods": self._pods(old, names, list(case.nodes))}
        if "nodes" in old:
            cluster["nodes"] = [node | {"labels": self._labels()} if "labels" in node else node for node in old["nodes"]]
        if "services" in old:
            cluster["services"] = [self._service(one) for one in old["services"] if self._maybe(0.9)]
        if "endpointSlices" in old:
            cluster["endpointSlices"] = [self._slice(one, cluster["pods"]) for one in old["endpointSlices"]]
        objects = [self._set(one) for one in case.objects]
        return replace(case, cluster=cluster, objects=objects, before=case.plain(objects, cluster))

    def _pods(self, old: Json, spaces: list[str], nodes: list[str]) -> list[Json]:
        kept = [pod for pod in old["pods"] if pod.get("hostNetwork") or self._maybe(0.6)]
        made = [
            {
                "namespace": self.chance.choice((*spaces, "alpha", "beta")),
                "name": f"q{number}",
                "ip": f"10.0.{self.chance.choice((1, 2, 3))}.{101 + number}",
                "labels": self._labels(),
                "node": self.chance.choice(nodes),
                "ports": self.chance.choice(PORTS),
                "serviceAccount": self.chance.choice(("default", "robot", "other")),
            }
            for number in range(4)
        ]
        return [*kept, *made]

    def _service(self, one: Json) -> Json:
        if not one["selector"] or self._maybe(0.5):
            return one
        return one | {"selector": {self.chance.choice(("app", "tier")): self.chance.choice(("a", "b"))}}

    def _slice(self, one: Json, pods: list[Json]) -> Json:
        addresses = self.chance.sample(("192.0.2.10", "203.0.113.5", *(pod["ip"] for pod in pods)), 2)
        return one | {"endpoints": [{"addresses": [address]} for address in addresses]}

    def _set(self, one: Json) -> Json:
        key = _SETS.get(one["kind"])
        if key is not None:
            return one | {"spec": one["spec"] | {key: self.chance.sample(_BLOCKS, 2)}}
        if one["kind"] in {"Group", "ClusterGroup"}:
            spec = one["spec"]
            if "ipBlocks" in spec:
                return one | {"spec": {"ipBlocks": [{"cidr": self.chance.choice(_BLOCKS)}]}}
            if "podSelector" in spec:
                return one | {"spec": spec | {"podSelector": {"matchLabels": {"app": self.chance.choice(("a", "b"))}}}}
        return one


def differences(case: Cluster, made: Translation) -> list[str]:
    """Return where what *made* wrote lets through another connection than the source does in *case*, another world.

    What is called less may be less.
    """
    is_less = any(judged.verdict is not Verdict.EXACT for judged in made.judged)
    later = VpcCni(after(case.world, made.outputs), PROFILE)
    places = {place.address: place for place in later.cluster.pods()}
    hosts = {pod["ip"] for pod in case.cluster["pods"] if pod.get("hostNetwork")}
    found: list[str] = []
    for source, destination in case.pairs():
        if case.is_at_home(source, destination) or {source, destination} & hosts:
            continue
        ends = [places.get(a) or Place(a) for a in (source, destination)]
        for protocol, number in case.packets:
            was = case.before(source, destination, protocol, number)
            now = later.flows(ends[0], ends[1], Packet(protocol, number))
            if was is not now and was is not None and not (is_less and now is False):
                found.append(f"{source} -> {destination} {protocol} {number}: {was} by the source, {now} by what was written")
    return found


def broken(case: Cluster, number: int) -> list[str]:
    """Return where what is promised for *case*, exactness or no more than before, does not hold in the world of *number*."""
    parts = (lasting_part(case, wanted) for wanted in (EXACT, NO_MORE))
    return [text for part in parts if part is not None for text in differences(tomorrow(part[0], number), part[1])]
