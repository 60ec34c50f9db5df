"""Formulas as one namespace sees them: what is fixed there put in its place, and what labels cannot say said by those of today.

A NetworkPolicy knows labels, namespaces and blocks. What a formula asks beyond that is answered by the values, accounts and
addresses that there are today, and said (``now``); what cannot be answered is taken to fail where the formula lets something
through and to hold where it denies or isolates, and said (``lost``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from eksnetpol.policy.stacks.algebra import conjunction, disjunction, simplified
from eksnetpol.policy.stacks.clauses import NAME_LABEL, met_by
from eksnetpol.policy.stacks.ends import DEFAULT_ACCOUNT
from eksnetpol.policy.stacks.formulas import (
    EVERYBODY,
    NOBODY,
    And,
    Atom,
    EndKind,
    Formula,
    Is,
    Label,
    Named,
    Not,
    OnNode,
    Or,
    SameNamespace,
    Scope,
    Test,
    Unknowable,
    Within,
)
from eksnetpol.policy.world import World
from eksnetpol.translation.vpc import Addresses, of

_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_LONGEST_PREFIX = 253


def is_label_value(text: str) -> bool:
    """Say whether a label can have this value (k8s.io/apimachinery, validation.IsValidLabelValue)."""
    return _VALUE.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """Say whether a label can have this key (k8s.io/apimachinery, validation.IsQualifiedName)."""
    prefix, slash, name = text.rpartition("/")
    if slash and (len(prefix) > _LONGEST_PREFIX or not _PREFIX.fullmatch(prefix)):
        return False
    return _NAME.fullmatch(name) is not None


A_GUESS = "the VPC's own blocks are not known and are taken to be the private ones"
"""What is said where it counts which addresses pods can have, and nobody told."""


@dataclass
class Said:
    """What a formula came to mean. ``now``: only true of today; ``lost``: what could not be said at all."""

    formula: Formula
    now: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass
class Inventory:
    """What there is today, looked up by what formulas ask for."""

    world: World
    addresses: Addresses

    @cached_property
    def namespaces(self) -> Mapping[str, Mapping[str, str]]:
        """Namespaces with their labels; those of pods without a Namespace object too."""
        found = {p.namespace: {NAME_LABEL: p.namespace} for p in self.world.pods}
        for name, labels in self.world.namespace_labels.items():
            found[name] = {NAME_LABEL: name} | dict(labels)
        return found

    @cached_property
    def values(self) -> Mapping[tuple[Scope, str], frozenset[str]]:
        """All values of each label of pods, namespaces and service accounts."""
        found: defaultdict[tuple[Scope, str], set[str]] = defaultdict(set)
        groups: Iterable[tuple[Scope, Iterable[Mapping[str, str]]]] = (
            (Scope.POD, (p.labels for p in self.world.pods)),
            (Scope.NAMESPACE, self.namespaces.values()),
            (Scope.ACCOUNT, self.world.account_labels.values()),
        )
        for scope, many in groups:
            for labels in many:
                for key, value in labels.items():
                    found[scope, key].add(value)
        return {key: frozenset(values) for key, values in found.items()}

    @cached_property
    def accounts(self) -> Mapping[bool, Mapping[str, Mapping[str, tuple[Mapping[str, str], ...]]]]:
        """Labels of the pods of each account, by namespace and account: with pods on the host network (True), and without."""
        return {with_hosts: self._accounts(with_hosts=with_hosts) for with_hosts in (True, False)}

    def _accounts(self, *, with_hosts: bool) -> Mapping[str, Mapping[str, tuple[Mapping[str, str], ...]]]:
        found: defaultdict[str, defaultdict[str, list[Mapping[str, str]]]] = defaultdict(lambda: defaultdict(list))
        for pod in self.world.pods:
            if not pod.is_terminal and (with_hosts or not pod.spec.host_network):
                found[pod.namespace][pod.spec.service_account_name or DEFAULT_ACCOUNT].append(pod.labels)
        return {ns: {account: tuple(pods) for account, pods in own.items()} for ns, own in found.items()}

    def by_label(self, atom: Label | Named, *, with_hosts: bool) -> tuple[Formula, bool]:
        """Return labels that the pods of today have exactly where *atom* means their account, and whether there are such."""
        parts: list[Formula] = []
        for namespace, own in self.accounts[with_hosts].items():
            meant = [pod for account, pods in own.items() if self._means(atom, namespace, account) for pod in pods]
            others = [pod for account, pods in own.items() if not self._means(atom, namespace, account) for pod in pods]
            if not meant:
                continue
            here = Named(Scope.NAMESPACE, frozenset({namespace}))
            proxy = telling(meant, others)
            if proxy is None:
                return NOBODY, False
            parts.append(And((here, proxy)))
        return disjunction(*parts), True

    def _means(self, atom: Label | Named, namespace: str, account: str) -> bool:
        if isinstance(atom, Named):
            return account in atom.names
        value = self.world.account_labels.get((namespace, account), {}).get(atom.key)
        return value is not None and met_by(atom, value)


def telling(meant: list[Mapping[str, str]], others: list[Mapping[str, str]]) -> Formula | None:
    """Return a label that all of *meant* have and none of *others* has so; None where there is none."""
    for key in sorted(frozenset.intersection(*(frozenset(labels) for labels in meant))):
        values = frozenset(labels[key] for labels in meant)
        if not any(labels.get(key) in values for labels in others):
            return Label(Scope.POD, key, Test.IN, values)
    return None


@dataclass
class Ground:
    """One namespace. *upper*: where nobody can say, yes; otherwise no."""

    inventory: Inventory
    namespace: str
    is_alone: bool = True
    """False: the policy speaks of many namespaces, so that what it means here is only true of today."""
    _known: dict[tuple[Formula, bool, bool], Said] = field(default_factory=dict, repr=False)

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the namespace."""
        return self.inventory.namespaces.get(self.namespace, {NAME_LABEL: self.namespace})

    def subject(self, formula: Formula, *, upper: bool) -> Said:
        """Return whom *formula* means among the pods here, by labels of pods alone."""
        return self._said(formula, upper=upper, own=True)

    def peer(self, formula: Formula, *, upper: bool) -> Said:
        """Return whom *formula* means at the other end, by labels, namespaces, kinds and blocks."""
        return self._said(formula, upper=upper, own=False)

    def _said(self, formula: Formula, *, upper: bool, own: bool) -> Said:
        key = (formula, upper, own)
        known = self._known.get(key)
        if known is None:
            reader = _Reader(self, own=own)
            meant = simplified(reader.read(formula, upper=upper))
            known = self._known[key] = Said(meant, tuple(reader.now), tuple(reader.lost))
        return known


class _Reader:
    def __init__(self, ground: Ground, *, own: bool) -> None:
        self.ground = ground
        self.own = own
        self.now: dict[str, None] = {}
        self.lost: dict[str, None] = {}

    def read(self, formula: Formula, *, upper: bool) -> Formula:
        match formula:
            case And():
                return conjunction(*(self.read(p, upper=upper) for p in formula.parts))
            case Or():
                return disjunction(*(self.read(p, upper=upper) for p in formula.parts))
            case Not():
                return simplified(Not(self.read(formula.part, upper=not upper)))
            case _:
                answer = self._own(formula) if self.own else self._other(formula)
                if answer is None:
                    return EVERYBODY if upper else NOBODY
                return answer

    def _own(self, atom: Atom) -> Formula | None:
        """Return what *atom* comes to for pods of this namespace; None where nobody can say."""
        match atom:
            case Is():
                return EVERYBODY if EndKind.POD in atom.kinds else NOBODY
            case Named(Scope.NAMESPACE):
                return EVERYBODY if self.ground.namespace in atom.names else NOBODY
            case Label(Scope.NAMESPACE):
                value = self.ground.labels.get(atom.key)
                if atom.key != NAME_LABEL:
                    self.now["it goes by the labels that the namespace has today"] = None
                return EVERYBODY if value is not None and met_by(atom, value) else NOBODY
            case Within():
                return self._where(atom)
            case OnNode():
                return NOBODY
            case _:
                return self._shared(atom)

    def _where(self, atom: Within) -> Formula | None:
        addresses = self.ground.inventory.addresses
        networks = of(tuple(sorted(atom.networks, key=str)))
        if addresses.holds_all_pods(networks):
            return EVERYBODY
        if addresses.holds_no_pod(networks):
            if not addresses.known:
                self.now[A_GUESS] = None
            return NOBODY
        self.lost["whom a policy holds for cannot go by the pod's own address"] = None
        return None

    def _other(self, atom: Atom) -> Formula | None:
        match atom:
            case OnNode():
                # The agent lets a pod and its node speak, whatever is written.
                return NOBODY
            case SameNamespace(keys=()):
                return Named(Scope.NAMESPACE, frozenset({self.ground.namespace}))
            case SameNamespace():
                self.now["it goes by the labels that the namespace has today"] = None
                labels = self.ground.labels
                if not all(key in labels for key in atom.keys):
                    return NOBODY
                return And(tuple(Label(Scope.NAMESPACE, key, Test.IN, frozenset({labels[key]})) for key in atom.keys))
            case Is() | Within() | Named(Scope.NAMESPACE):
                return atom
            case _:
                return self._shared(atom)

    def _shared(self, atom: Atom) -> Formula | None:
        match atom:
            case Unknowable():
                self.lost[f"{atom.words} cannot be told by a NetworkPolicy"] = None
                return None
            case Label(Scope.ACCOUNT) | Named(Scope.ACCOUNT):
                return self._account(atom)
            case Label():
                return self._label(atom)
            case _:
                self.lost["whether the two ends share a namespace cannot be part of whom a policy holds for"] = None
                return None

    def _account(self, atom: Label | Named) -> Formula | None:
        meant, found = self.ground.inventory.by_label(atom, with_hosts=not self.own)
        if not found:
            self.lost["no label tells the pods of the service account from others"] = None
            return None
        self.now["service accounts are told by labels that only their pods have today"] = None
        return meant if not self.own else self.read(meant, upper=False)

    def _label(self, label: Label) -> Formula:
        if not is_label_key(label.key):
            return NOBODY
        match label.test:
            case Test.EXISTS:
                return label
            case Test.IN:
                values = frozenset(filter(is_label_value, label.values))
                return Label(label.scope, label.key, Test.IN, values) if values else NOBODY
            case _:
                seen = self.ground.inventory.values.get((label.scope, label.key), frozenset())
                values = frozenset(value for value in seen if met_by(label, value))
                self.now[f"{label.key} {label.test} {_listed(label.values)} is said by the values that there are today"] = None
                return Label(label.scope, label.key, Test.IN, values) if values else NOBODY


def _listed(values: Iterable[str]) -> str:
    return " and ".join(_quoted(sorted(values)))


def _quoted(values: Iterable[str]) -> Iterator[str]:
    return (f'"{value}"' for value in values)
