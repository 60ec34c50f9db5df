"""Pods that do not exist, one for each combination of labels that policies tell apart (`combinations`).

First come those that meet, and just fail to meet, what one subject or peer asks; then one of each combination that none of them
has. Where there are too many combinations, the first alone stand for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from itertools import chain, islice
from typing import NamedTuple

import msgspec

from eksnetpol.engines import kubernetes_policies, upstream
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.cluster_rules import read_cluster_policy
from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.connections import WITH_PORTS
from eksnetpol.policy.parties import Planned, names_of_nobody
from eksnetpol.policy.stacks.algebra import Clause, TooMany, atoms, clauses, conjunction, negation
from eksnetpol.policy.stacks.clauses import met_by
from eksnetpol.policy.stacks.formulas import Atom, EndKind, Formula, Is, Label, Named, Scope, Test, Within
from eksnetpol.policy.stacks.rules import Stack, StackPolicy
from eksnetpol.policy.world import World
from eksnetpol.translation.combinations import Combinations, Likeness, TooManyCombinationsError, unlike
from eksnetpol.translation.vpc import Addresses, of

_MOST = 160
"""So many are made for single subjects and peers."""

_COMBINATIONS = 2_000
"""So many combinations are each looked at, by both engines, every one with every other. 900 take a second."""

_ADDRESSES = 4_000
_SOME = (
    "the policies tell too many combinations of labels apart to look at each ({most:,} at most): {some} pods made up for single "
    "subjects and peers stand for all pods to come; `eksnetpol migrate prove --symbolic` has no such bound"
)
_PER_FORMULA = 6
_NARROW = 17
_OTHER = "other"

_Wanted = tuple[str, tuple[tuple[str, str], ...]]
"""A namespace, and labels."""


class Witnesses(NamedTuple):
    """Pods made up, and what is to be said of them: nothing where there is one of each combination."""

    single: tuple[Pod, ...]
    """For one subject or peer each."""
    further: tuple[Pod, ...] = ()
    """For combinations of which there is none among them."""
    notes: tuple[str, ...] = ()


def witnesses(stack: Stack, world: World, addresses: Addresses, written: Iterable[Formula] = ()) -> Witnesses:
    """Return a pod for each combination of labels, namespace and service account that *stack* or formulas *written* tell apart.

    They are of the namespaces of today. Their addresses are some that pods can get and none has, outside of the narrow blocks
    that policies name.
    """
    asked = Combinations(world, chain(_formulas(p for t in stack.tiers for p in t.policies), written))
    found = [Likeness(ns, "", labels) for ns, labels in islice(unlike(_wanted(stack, asked.namespaces)), _MOST)]
    single = len(found)
    notes: tuple[str, ...] = ()
    try:
        every = asked.all(_COMBINATIONS)
        shown = {asked.state(pod) for pod in found}
        found += [pod for state, pod in every.items() if state not in shown]
    except TooManyCombinationsError:
        notes = (_SOME.format(most=_COMBINATIONS, some=single),)
    ports = _Ports.of(stack, world)
    free = _free(stack, addresses)
    named = [Planned(p.namespace, p.labels, name, p.account) for p, name in zip(found, names_of_nobody(world), strict=False)]
    pods = tuple(ports.given(p, next(free, "")) for p in named)
    return Witnesses(pods[:single], pods[single:], notes)


def asked_by(world: World) -> Iterator[Formula]:
    """Yield what the policies of the VPC CNI in *world* ask of pods."""
    yield from _formulas(kubernetes_policies.stack_policy(policy, world) for policy in world.network_policies)
    for policy in world.cluster_policies:
        with suppress(ValueError):
            spec = read_cluster_policy(policy)
            yield from _formulas((upstream.stack_policy(AdminPolicy(policy.metadata, spec=spec), world),))


def _formulas(policies: Iterable[StackPolicy]) -> Iterator[Formula]:
    for policy in policies:
        yield policy.subject
        for rule in policy.rules:
            yield from (rule.peer, rule.local)


def _free(stack: Stack, addresses: Addresses) -> Iterator[str]:
    rules = [(policy, rule) for tier in stack.tiers for policy in tier.policies for rule in policy.rules]
    asked = frozenset[Atom]().union(*(atoms(rule.peer) for _, rule in rules))
    named = {n for atom in asked if isinstance(atom, Within) for n in atom.networks if n.prefixlen >= _NARROW}
    left = addresses.own(addresses.pods_live_in) - addresses.taken - of(tuple(sorted(named, key=str)))
    for low, high in (left.v4 if addresses.version == 4 else left.v6).intervals:  # noqa: PLR2004 - the family
        for number in islice(range(low + 1, high), _ADDRESSES):
            yield str(ip_address(number)) if addresses.version == 4 else str(IPv6Address(number))  # noqa: PLR2004


@dataclass(frozen=True)
class _Ports:
    """Ports by name, for pods that do not exist: those that rules name, with the numbers that pods of today give them."""

    numbers: Mapping[tuple[str, str, str], int]
    """By namespace, protocol and name; under an empty namespace for all others."""
    names: frozenset[str]

    @classmethod
    def of(cls, stack: Stack, world: World) -> _Ports:
        names = frozenset(n.name for t in stack.tiers for p in t.policies for rule in p.rules for n in rule.names)
        numbers: dict[tuple[str, str, str], int] = {}
        for pod in world.pods if names else ():
            for port in (port for container in pod.containers for port in container.ports if port.name in names):
                numbers.setdefault((pod.namespace, port.protocol, port.name), port.container_port)
                numbers.setdefault(("", port.protocol, port.name), port.container_port)
        return cls(numbers, names)

    def given(self, pod: Planned, address: str) -> Pod:
        """Return *pod* with its ports, at *address*."""
        declared = [
            {"name": name, "protocol": protocol, "containerPort": number}
            for name in sorted(self.names)
            for protocol in WITH_PORTS
            if (number := self.numbers.get((pod.namespace, protocol, name), self.numbers.get(("", protocol, name)))) is not None
        ]
        whole = {
            "metadata": {"name": pod.name, "namespace": pod.namespace, "labels": dict(pod.labels)},
            "spec": {"containers": [{"name": "planned", "ports": declared}], "serviceAccountName": pod.account},
            "status": {"phase": "Running", "podIP": address},
        }
        return msgspec.json.decode(msgspec.json.encode(whole), type=Pod)


def _wanted(stack: Stack, namespaces: Mapping[str, Mapping[str, str]]) -> Iterator[_Wanted]:
    formulas: dict[Formula, None] = {}
    for tier in stack.tiers:
        for policy in tier.policies:
            formulas[policy.subject] = None
            formulas |= dict.fromkeys(rule.peer for rule in policy.rules)
    pods = Is(frozenset({EndKind.POD}))
    seen: set[Formula] = set()
    for formula in formulas:
        for one in (formula, *(negation(a) for a in sorted(atoms(formula), key=str) if isinstance(a, Label))):
            if one in seen:
                continue
            seen.add(one)
            try:
                found = clauses(conjunction(pods, one), _PER_FORMULA * 8)
            except TooMany:
                continue
            for clause in found[:_PER_FORMULA]:
                yield from _pods(clause, namespaces)


def _pods(clause: Clause, namespaces: Mapping[str, Mapping[str, str]]) -> Iterator[_Wanted]:
    labels: dict[str, str] = {}
    for atom in clause.holds:
        if isinstance(atom, Label) and atom.scope is Scope.POD:
            labels[atom.key] = _value(atom)
    for name, own in namespaces.items():
        if _fits(clause, name, own):
            yield name, tuple(sorted(labels.items()))
            return


def _value(label: Label) -> str:
    if label.test is Test.EXISTS or not label.values:
        return _OTHER
    return "".join(sorted(label.values)[:1])


def _fits(clause: Clause, name: str, labels: Mapping[str, str]) -> bool:
    own = {"kubernetes.io/metadata.name": name} | dict(labels)
    for wanted, many in ((True, clause.holds), (False, clause.fails)):
        for atom in many:
            match atom:
                case Named(Scope.NAMESPACE):
                    if (name in atom.names) is not wanted:
                        return False
                case Label(Scope.NAMESPACE):
                    value = own.get(atom.key)
                    if (value is not None and met_by(atom, value)) is not wanted:
                        return False
    return True
