"""Formulas answered for all pods at once: which classes surely satisfy one, and which perhaps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import NamedTuple

from eksnetpol.policy.atlas import Chart
from eksnetpol.policy.stacks.algebra import atoms, simplified
from eksnetpol.policy.stacks.clauses import met_by
from eksnetpol.policy.stacks.ends import DEFAULT_ACCOUNT
from eksnetpol.policy.stacks.formulas import (
    NOBODY,
    And,
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
from eksnetpol.policy.universe import Classes, set_of
from eksnetpol.policy.world import World


class Likely(NamedTuple):
    """Classes that surely are meant, and those that perhaps are: these hold the sure ones too."""

    sure: Classes
    perhaps: Classes

    def __and__(self, other: Likely) -> Likely:
        """Return who is meant by both."""
        return Likely(self.sure & other.sure, self.perhaps & other.perhaps)

    def __or__(self, other: Likely) -> Likely:
        """Return who is meant by either."""
        return Likely(self.sure | other.sure, self.perhaps | other.perhaps)

    def among(self, classes: Classes) -> Likely:
        """Return those of *classes* alone."""
        return Likely(self.sure & classes, self.perhaps & classes)


class Facing(NamedTuple):
    """What a formula about a peer is to know of the pod at the other end: its namespace, and which classes are its node."""

    namespace: str = ""
    nodes: Classes = 0


class Pairing(NamedTuple):
    """Whether a formula's answer depends on the namespace, or the node, of the pod at the other end."""

    by_namespace: bool
    by_node: bool


ANYBODY = Facing()


class Sets:
    """Answers formulas over the classes of a chart, which must have been drawn with all that they ask for."""

    def __init__(self, chart: Chart, world: World) -> None:
        self.chart = chart
        self.world = world
        self.universe = chart.universe
        self.everything = chart.universe.everything
        self.hosts = chart.universe.on_host_network
        self.policed = self.everything & ~self.hosts
        self._known: dict[tuple[Formula, Facing], Likely] = {}
        self._values: dict[str, list[str]] | None = None

    def of(self, formula: Formula, facing: Facing = ANYBODY) -> Likely:
        """Return whom *formula* means among the pods."""
        pairing = pairs_in(formula)
        if facing is not ANYBODY:
            facing = Facing(facing.namespace if pairing.by_namespace else "", facing.nodes if pairing.by_node else 0)
        key = (formula, facing)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._work_out(formula, facing)
        return known

    def _work_out(self, formula: Formula, facing: Facing) -> Likely:
        match formula:
            case And():
                found = Likely(self.everything, self.everything)
                for part in formula.parts:
                    found &= self.of(part, facing)
                    if not found.perhaps:
                        break
                return found
            case Or():
                found = Likely(0, 0)
                for part in formula.parts:
                    found |= self.of(part, facing)
                return found
            case Not():
                sure, perhaps = self.of(formula.part, facing)
                return Likely(self.everything & ~perhaps, self.everything & ~sure)
            case Unknowable():
                return Likely(0, self.everything)
            case _:
                found_here = self._atom(formula, facing)
                return Likely(found_here, found_here)

    def _atom(self, atom: Label | Named | Is | Within | OnNode | SameNamespace, facing: Facing) -> Classes:
        match atom:
            case Label():
                return self._label(atom)
            case Named():
                return self._named(atom)
            case Is():
                pods = self.policed if EndKind.POD in atom.kinds else 0
                return pods | (self.hosts if EndKind.HOST_POD in atom.kinds else 0)
            case Within():
                return self.chart.held((network, ()) for network in atom.networks)
            case OnNode():
                return facing.nodes & self.hosts
            case SameNamespace():
                return self._same_namespace(atom, facing.namespace)

    # --- labels and names ---------------------------------------------------------------------------------------------

    def _label(self, label: Label) -> Classes:
        match label.scope:
            case Scope.POD:
                return self._pod_label(label)
            case Scope.NAMESPACE:
                return self._in_namespaces(
                    name for name, own in self._namespace_labels.items() if label.key in own and met_by(label, own[label.key])
                )
            case Scope.ACCOUNT:
                found = 0
                for key, classes in self._by_account.items():
                    value = self.world.account_labels.get(key, {}).get(label.key)
                    if value is not None and met_by(label, value):
                        found |= classes
                return found

    def _pod_label(self, label: Label) -> Classes:
        if label.test is Test.EXISTS:
            return self.universe.with_key(label.key)
        values: Iterable[str] = label.values
        if label.test is not Test.IN:
            if self._values is None:
                self._values = {}
                for key, value in self.universe.labelled:
                    self._values.setdefault(key, []).append(value)
            values = (v for v in self._values.get(label.key, ()) if met_by(label, v))
        found = 0
        for value in values:
            found |= self.universe.with_label(label.key, value)
        return found

    def _named(self, named: Named) -> Classes:
        if named.scope is not Scope.ACCOUNT:
            return self._in_namespaces(named.names)
        found = 0
        for (_, account), classes in self._by_account.items():
            if account in named.names:
                found |= classes
        return found

    def _same_namespace(self, atom: SameNamespace, namespace: str) -> Classes:
        if not atom.keys:
            return self._in_namespaces((namespace,))
        own = self._namespace_labels.get(namespace, {})
        if any(key not in own for key in atom.keys):
            return 0
        return self._in_namespaces(
            name for name, labels in self._namespace_labels.items() if all(labels.get(k) == own[k] for k in atom.keys)
        )

    def _in_namespaces(self, names: Iterable[str]) -> Classes:
        found = 0
        for name in names:
            found |= self.universe.in_namespace.get(name, 0)
        return found

    @cached_property
    def _namespace_labels(self) -> Mapping[str, Mapping[str, str]]:
        known = self.universe.namespace_labels
        return {name: known[name] for name in self.universe.in_namespace}

    @cached_property
    def _by_account(self) -> Mapping[tuple[str, str], Classes]:
        found: dict[tuple[str, str], list[int]] = {}
        for c in self.universe.classes:
            found.setdefault((c.namespace, c.service_account or DEFAULT_ACCOUNT), []).append(c.index)
        return {key: set_of(indexes) for key, indexes in found.items()}


@lru_cache(maxsize=1 << 15)
def pairs_in(formula: Formula) -> Pairing:
    """Return what of the other end *formula* asks for."""
    found = atoms(formula)
    by_namespace = any(isinstance(a, SameNamespace) for a in found)
    by_node = any(isinstance(a, OnNode) for a in found)
    return Pairing(by_namespace, by_node)


@lru_cache(maxsize=1 << 15)
def beyond(formula: Formula) -> Formula:
    """Return what is left of *formula* for ends that are no pods: no label and no name is true of them."""
    match formula:
        case And():
            return simplified(And(tuple(map(beyond, formula.parts))))
        case Or():
            return simplified(Or(tuple(map(beyond, formula.parts))))
        case Not():
            return simplified(Not(beyond(formula.part)))
        case Label() | Named() | SameNamespace():
            return NOBODY
        case Is():
            return simplified(Is(formula.kinds | {EndKind.POD, EndKind.HOST_POD}) if formula.kinds & OUTER else NOBODY)
        case _:
            return formula


OUTER = frozenset({EndKind.NODE, EndKind.OUTSIDE})
"""The kinds of ends that are no pods."""
