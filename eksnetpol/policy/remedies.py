"""The policies to add so that nothing essential is lost: one for each namespace and need, selecting isolated pods alone.

A NetworkPolicy isolates whom it selects, so one that is to open something must select nobody who is not isolated already. It
selects the whole namespace where all of its pods are isolated and in need, else by labels that tell those in need apart, else as
the policies do which isolate them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Engine
from eksnetpol.policy.needs import Flow, Kind, Opening, Peer
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, key_of, set_of

Manifest = Mapping[str, Any]

_FIRST = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app", "k8s-app", "app.kubernetes.io/component", "name")
_PASSING = frozenset(
    {
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "controller-uid",
        "batch.kubernetes.io/controller-uid",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/job-completion-index",
    }
)
_MOST_VALUES = 24
"""A selector that lists more values than this is none that anybody reads."""

_FOR_ALL = frozenset({Kind.DNS, Kind.NODE_LOCAL_DNS})
"""Needs that every pod has, so that a policy may as well be for the whole namespace."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A policy to add. ``classes`` are those whose need it meets, ``words`` say what it is for, ``caution`` what to mind."""

    kind: Kind | None
    namespace: str
    policy: Manifest
    classes: Classes
    words: str
    caution: str = ""


@dataclass(frozen=True, slots=True)
class _Selector:
    """Labels of pods, and the classes they select."""

    manifest: Manifest
    classes: Classes


def remedies(engine: Engine, flows: Iterable[Flow], counted: Classes, uncovered: Classes = 0) -> tuple[Remedy, ...]:
    """Return the policies that would keep what *flows* lose, for the pods *counted*.

    *uncovered* are pods that strict mode alone closes: they get a policy that leaves them open, and need nothing else.
    """
    return tuple(_Remedies(engine, counted, uncovered).all(flows))


class _Remedies:
    def __init__(self, engine: Engine, counted: Classes, uncovered: Classes) -> None:
        self.engine = engine
        self.universe = engine.atlas.universe
        self.counted = counted
        self.uncovered = uncovered
        self.names = {(p.namespace, p.name) for p in engine.world.network_policies}
        self._policies: dict[str, list[NetworkPolicy]] = {}
        for policy in engine.world.network_policies:
            self._policies.setdefault(policy.namespace, []).append(policy)
        self._labels: dict[int, tuple[dict[str, str], list[dict[str, str]]]] = {}
        self._chosen: dict[tuple[Direction, bool, str, bytes], list[_Selector]] = {}

    def all(self, flows: Iterable[Flow]) -> Iterator[Remedy]:
        for namespace, within in self._by_namespace(self.uncovered):
            yield from self._leaving_open(namespace, within)
        groups: dict[tuple[Kind, str, Opening], Classes] = {}
        for flow in flows:
            for part in flow.parts:
                who = (part.classes if part.of is None else part.of) & ~self.uncovered
                if part.verdict.is_loss and part.opening is not None and part.opening.peers and who:
                    for namespace, within in self._by_namespace(who):
                        key = (flow.kind, namespace, part.opening)
                        groups[key] = groups.get(key, 0) | within
        for (kind, namespace, opening), classes in groups.items():
            yield from self._opening(kind, namespace, opening, classes)

    def _by_namespace(self, classes: Classes) -> Iterator[tuple[str, Classes]]:
        for namespace, within in self.universe.in_namespace.items():
            if within & classes:
                yield namespace, within & classes

    # --- policies -----------------------------------------------------------------------------------------------------

    def _opening(self, kind: Kind, namespace: str, opening: Opening, classes: Classes) -> Iterator[Remedy]:
        word = "to" if opening.direction is Direction.EGRESS else "from"
        rule = {
            word: [_peer(p, namespace) for p in opening.peers],
            "ports": [{"port": number, "protocol": protocol} for protocol, number in opening.ports],
        }
        for selector in self._selectors(opening.direction, namespace, classes, kind in _FOR_ALL):
            name = self._name(namespace, f"allow-{kind.value}")
            spec = {
                "podSelector": selector.manifest,
                "policyTypes": [opening.direction.value],
                opening.direction.lower(): [rule],
            }
            met = selector.classes & classes
            yield Remedy(kind, namespace, _policy(name, namespace, spec), met, _words(kind, opening.direction), opening.caution)

    def _leaving_open(self, namespace: str, classes: Classes) -> Iterator[Remedy]:
        # Whom no policy holds for, every selector may select that selects nobody whom a policy closes.
        for selector in self._labelled(namespace, classes, self.uncovered):
            spec: dict[str, Any] = {
                "podSelector": selector.manifest,
                "policyTypes": [d.value for d in Direction],
                "ingress": [{}],
                "egress": [{}],
            }
            policy = _policy(self._name(namespace, "allow-all"), namespace, spec)
            words = "leaves open in strict mode what no policy holds for"
            caution = "replace it by rules for what these pods need"
            yield Remedy(None, namespace, policy, selector.classes & classes, words, caution)

    def _name(self, namespace: str, wanted: str) -> str:
        name, number = wanted, 1
        while (namespace, name) in self.names:
            number += 1
            name = f"{wanted}-{number}"
        self.names.add((namespace, name))
        return name

    # --- selectors ----------------------------------------------------------------------------------------------------

    def _selectors(self, direction: Direction, namespace: str, classes: Classes, wide: bool) -> list[_Selector]:
        key = (direction, wide, namespace, key_of(classes))
        known = self._chosen.get(key)
        if known is None:
            known = self._chosen[key] = list(self._choose(direction, namespace, classes, wide))
        return known

    def _choose(self, direction: Direction, namespace: str, classes: Classes, wide: bool) -> Iterator[_Selector]:
        isolated = self.engine.isolated(direction) & ~self.uncovered
        own = self.universe.in_namespace[namespace] & self.counted
        if not own & ~isolated and (wide or not own & ~classes):
            yield _Selector({}, own)
            return
        found = list(self._labelled(namespace, classes, isolated))
        lone = len(found) == 1 and not found[0].classes & ~classes & self.counted
        if lone:
            yield found[0]
            return
        # The selectors of policies that isolate are for isolated pods by what they are.
        by_policies = list(self._of_policies(direction, namespace, classes, isolated))
        covered = 0
        for selector in by_policies:
            covered |= selector.classes
        complete = not classes & ~covered
        yield from by_policies if complete and (len(by_policies) <= len(found) or not found) else found

    def _of_policies(
        self, direction: Direction, namespace: str, classes: Classes, isolated: Classes
    ) -> Iterator[_Selector]:
        choices = []
        for policy in self._policies.get(namespace, ()):
            isolates = policy.isolates_egress if direction is Direction.EGRESS else policy.isolates_ingress
            selected = self.universe.select_in(namespace, policy.spec.pod_selector) & self.counted
            if isolates and selected & classes and not selected & ~isolated:
                choices.append(_Selector(msgspec.to_builtins(policy.spec.pod_selector), selected))
        left = classes
        while left and choices:
            best = max(choices, key=lambda c: ((c.classes & left).bit_count(), -c.classes.bit_count()))
            if not best.classes & left:
                return
            left &= ~best.classes
            yield best

    def _labelled(self, namespace: str, classes: Classes, allowed: Classes) -> Iterator[_Selector]:
        """Yield selectors by labels that select all of *classes* and, of the pods that count, nobody beyond *allowed*."""
        own = self.universe.in_namespace[namespace] & self.counted
        if not own & ~classes:
            yield _Selector({}, own)
            return
        best: _Selector | None = None
        shared: set[str] | None = None
        for c in self.universe.members(classes):
            keys = set(self._of_class(c.index)[0])
            shared = keys if shared is None else shared & keys
        for key in _ranked(shared or ()):
            values = {self._of_class(c.index)[0][key] for c in self.universe.members(classes)}
            chosen = self._with(own, key, values)
            if len(values) > _MOST_VALUES or chosen & ~allowed:
                continue
            if best is None or chosen.bit_count() < best.classes.bit_count():
                best = _Selector(_by_values(key, values), chosen)
            if chosen == classes:
                break
        if best is not None:
            yield best
            return
        yield from self._one_by_one(own, classes, allowed)

    def _one_by_one(self, own: Classes, classes: Classes, allowed: Classes) -> Iterator[_Selector]:
        left = classes
        for c in self.universe.members(classes):
            if not left & c.bit:
                continue
            labels = {k: v for k, v in self._of_class(c.index)[0].items() if k not in _PASSING}
            hit = own
            for key, value in labels.items():
                hit = self._with(hit, key, {value})
            if labels and not hit & ~allowed:
                left &= ~hit
                yield _Selector({"matchLabels": labels}, hit)

    def _with(self, among: Classes, key: str, values: set[str]) -> Classes:
        members = self.universe.members(among)
        return set_of(c.index for c in members if any(own.get(key) in values for own in self._of_class(c.index)[1]))

    def _of_class(self, index: int) -> tuple[dict[str, str], list[dict[str, str]]]:
        """Return the labels that all pods of a class have, and those of each pod that has others."""
        known = self._labels.get(index)
        if known is None:
            different = {bytes(p.metadata.labels): p for p in self.universe.classes[index].pods}
            each = [dict(p.labels) for p in different.values()]
            common = {k: v for k, v in each[0].items() if all(other.get(k) == v for other in each[1:])}
            known = self._labels[index] = (common, each)
        return known


def _ranked(keys: Iterable[str]) -> list[str]:
    given = set(keys) - _PASSING
    return [*(k for k in _FIRST if k in given), *sorted(given - set(_FIRST))]


def _by_values(key: str, values: set[str]) -> Manifest:
    if len(values) == 1:
        return {"matchLabels": {key: next(iter(values))}}
    return {"matchExpressions": [{"key": key, "operator": "In", "values": sorted(values)}]}


def _peer(peer: Peer, namespace: str) -> Manifest:
    if peer.cidr:
        return {"ipBlock": {"cidr": peer.cidr}}
    answer: dict[str, Any] = {}
    if peer.namespace is not None and dict(peer.namespace) != {"kubernetes.io/metadata.name": namespace}:
        answer["namespaceSelector"] = {"matchLabels": dict(peer.namespace)} if peer.namespace else {}
    if peer.pods is not None or not answer:
        answer["podSelector"] = {"matchLabels": dict(peer.pods)} if peer.pods else {}
    return answer


def _policy(name: str, namespace: str, spec: Mapping[str, Any]) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _words(kind: Kind, direction: Direction) -> str:
    if kind is Kind.DNS and direction is Direction.INGRESS:
        return "lets all pods ask for names"
    return {
        Kind.DNS: "lets pods ask for names",
        Kind.NODE_LOCAL_DNS: "lets pods ask the node's cache for names",
        Kind.UPSTREAM_DNS: "lets the cluster's DNS ask the VPC's resolver",
        Kind.API_SERVER: "lets pods reach the API server",
        Kind.IMDS: "lets pods reach the instance metadata service",
        Kind.POD_IDENTITY: "lets pods reach the Pod Identity agent",
        Kind.STS: "lets pods exchange their token at STS",
        Kind.WEBHOOK: "lets the API server call the webhook",
        Kind.AGGREGATED_API: "lets the API server call the aggregated API",
        Kind.LOAD_BALANCER: "lets the load balancer in",
        Kind.NODE_PORT: "lets in what nodes hand on",
        Kind.METRICS: "lets scrapers in",
    }.get(kind, "")
