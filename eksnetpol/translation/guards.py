"""Peers that ask for no label, or say who is *not* meant, kept from opening Services to whom they do not mean.

The controller holds a peer's labels against what a Service selects by (`translation.services`): one that asks for no ``tier``
fits ``tier != back``, and its ClusterIP leads to whatever is behind it, the agent having judged the packet before. Where that
would be pods that the source kept closed, those that are meant are told by values of a label that they have today as well:
Services that do not ask for these are then closed, and the others open as they did. A peer that asks for nothing also fits a
Service without a selector, like that of the Kubernetes API: where its endpoints are not meant, pods are told by a label that is
there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from eksnetpol.model.policies import PolicyPeer
from eksnetpol.policy.universe import Classes, PodClass, Universe, build, indexes_of, set_of
from eksnetpol.translation.behind import Door
from eksnetpol.translation.boxes import Box
from eksnetpol.translation.regions import Ledger
from eksnetpol.translation.services import Services

Json = dict[str, Any]

TOLD = (
    "pods are told by the labels that they have today: a selector that only says who is not meant opens every Service that asks "
    "for no such label, whoever is behind it"
)
THERE = "pods are told by a label that they have today: a selector that asks for none also opens Services without a selector"
LOST = "no label that pods have today tells those that are meant from others behind the Services that it would open"

_FLEETING = frozenset({
    "pod-template-hash", "pod-template-generation", "controller-revision-hash", "controller-uid", "job-name",
    "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-completion-index",
    "apps.kubernetes.io/pod-index", "statefulset.kubernetes.io/pod-name",
})  # fmt: skip
"""Labels that controllers give their pods, new ones with each roll-out or each pod."""

_encode = msgspec.json.Encoder(order="deterministic").encode

_Told = tuple[tuple[Json, ...], bool]
"""Peers, and whether they mean all that was meant."""


@dataclass
class Guards:
    """Guards the peers of egress rules, against *services*."""

    services: Services
    _known: dict[tuple[bytes, str, Classes], _Told] = field(default_factory=dict, repr=False)

    def guarded(
        self, box: Box, peers: list[Json], rule: Json, namespace: str, ledger: Ledger, others: Callable[[], Iterable[Box]]
    ) -> list[Json]:
        """Return *peers* of *rule* so that they open no Service to whom neither *box* nor *others* mean.

        *others* are what else its pods may. Nobody may be left.
        """
        fronts = self.services.fronts
        partly = fronts.everything & ~fronts.wholly(box.peer)
        found: dict[bytes, Json] = {}
        for peer in peers:
            negated = _negated(peer)
            astray = self.services.meant_by(peer, namespace) & (partly if negated else partly & fronts.without_selector)
            astray = self._leading(astray, box, rule, others) if astray else 0
            if not astray:
                found.setdefault(_encode(peer), peer)
                continue
            told, is_whole = self._told(peer, astray, namespace)
            found |= {_encode(one): one for one in told}
            ledger.now[TOLD if negated else THERE] = None
            if not is_whole:
                ledger.lost[LOST] = None
        return list(found.values())

    def _leading(self, services: Classes, box: Box, rule: Json, others: Callable[[], Iterable[Box]]) -> Classes:
        """Return those of *services* that *rule* would open to an end that nobody lets its pods speak to there."""
        fronts = self.services.fronts
        sure = fronts.sure(box.peer)
        beside = [(fronts.sure(other.peer), other.connections) for other in others()]

        def leads_astray(at: int) -> bool:
            for number, door in enumerate(fronts.doors_of[at]):
                if not _may_lead(rule.get("ports"), door):
                    continue
                for one in fronts.behind[at]:
                    end, there = 1 << fronts.ends.number(one.end), one.numbers[number]
                    if there is None or sure & end:
                        continue
                    if not any(ends & end and some.allows(door.protocol, there) for ends, some in beside):
                        return True
            return False

        return set_of(filter(leads_astray, indexes_of(services)))

    def _told(self, peer: Json, astray: Classes, namespace: str) -> _Told:
        """Return *peer* with a label beside it that pods have which it means, and that Services *astray* do not ask for."""
        key = (_encode(peer), "" if "namespaceSelector" in peer else namespace, astray)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._tell(peer, astray, namespace)
        return known

    def _tell(self, peer: Json, astray: Classes, namespace: str) -> _Told:
        fronts = self.services.fronts
        open_to = [fronts.services[at].spec.selector for at in indexes_of(self.services.meant_by(peer, namespace) & ~astray)]
        closed_to = [fronts.services[at].spec.selector for at in indexes_of(astray)]
        left = list(self._pods(peer, namespace))
        negated = _negated(peer)
        asked = Counter(key for selector in open_to for key in sorted(selector))
        keys = [*(key for key, _ in asked.most_common()), *sorted(negated), *sorted({key for pod in left for key in pod.labels})]
        useful = [key for key in dict.fromkeys(keys) if key not in _FLEETING]
        taken = {key: {selector[key] for selector in closed_to if key in selector} for key in useful}
        whole = [key for key in useful if all(key in pod.labels and pod.labels[key] not in taken[key] for pod in left)]
        found = []
        for key in whole[:1] or useful:
            values = {pod.labels[key] for pod in left if key in pod.labels} - taken[key]
            if values:
                found.append(_with(peer, key, values if negated else ()))
                left = [pod for pod in left if pod.labels.get(key) not in values]
        return tuple(found), not left

    # --- pods ---------------------------------------------------------------------------------------------------------

    def _pods(self, peer: Json, namespace: str) -> Iterator[PodClass]:
        """Yield one of each kind of the pods that *peer* means today."""
        meant = msgspec.convert(peer, PolicyPeer)
        pods = self._universe
        if meant.namespace_selector is None:
            within = pods.in_namespace.get(namespace, 0)
        else:
            within = pods.select_namespaces(meant.namespace_selector)
        within &= ~pods.terminal
        return pods.members(within if meant.pod_selector is None else pods.select(meant.pod_selector, within))

    @cached_property
    def _universe(self) -> Universe:
        world = self.services.inventory.world
        return build(world.pods, world.namespaces)


def _negated(peer: Json) -> set[str]:
    asked = peer.get("podSelector", {}).get("matchExpressions", ())
    return {one["key"] for one in asked if one["operator"] in {"NotIn", "DoesNotExist"}}


def _with(peer: Json, key: str, values: Collection[str]) -> Json:
    """Return *peer* with a label asked for, with one of *values* where there are any, and nothing else of that label."""
    own = peer.get("podSelector", {})
    others = [one for one in own.get("matchExpressions", ()) if one["key"] != key]
    asked = {"key": key, "operator": "In", "values": sorted(values)} if values else {"key": key, "operator": "Exists"}
    whole = sorted([*others, asked], key=lambda one: (one["key"], one["operator"]))
    return peer | {"podSelector": own | {"matchExpressions": whole}}


def _may_lead(ports: list[Json] | None, door: Door) -> bool:
    """Say whether a rule with these *ports* may open a port of a Service."""
    if ports is None:
        return True
    return any(one["protocol"] == door.protocol and _may_mean(one, door) for one in ports)


def _may_mean(written: Json, door: Door) -> bool:
    low = written.get("port")
    if not isinstance(low, int):
        # Of a port by name, what the pods say decides.
        return True
    high = written.get("endPort", low)
    numbers = (n for n in (*door.numbers, door.target) if isinstance(n, int))
    return low <= door.port <= high or any(low <= n <= high for n in numbers)
