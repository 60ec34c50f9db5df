"""Selectors of endpoints as formulas: what is written, what Cilium adds to it, and what it refuses in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import UNSET

from eksnetpol.engines.cilium.faults import UnclearError, by_parser, by_schema
from eksnetpol.engines.cilium.identities import (
    ANY,
    CLUSTER_KEY,
    KUBERNETES,
    NAMESPACE_KEY,
    NAMESPACE_LABELS,
    RESERVED,
    Identities,
    split,
)
from eksnetpol.engines.cilium.shapes import Selector
from eksnetpol.engines.kubernetes_policies import PODS
from eksnetpol.model.selectors import LabelSelector, Operator
from eksnetpol.policy.stacks.algebra import conjunction, disjunction
from eksnetpol.policy.stacks.formulas import Formula, Not, Scope
from eksnetpol.policy.stacks.formulas import Named as NamedAs
from eksnetpol.policy.validation_words import label_key_fault, label_value_fault

_INIT = "init"


class Asked(NamedTuple):
    """One thing that a selector asks: a label there, with one of *values* where there are any; or just not that."""

    source: str
    key: str
    values: frozenset[str] | None
    wanted: bool
    place: str
    is_match: bool
    """Whether it is written among ``matchLabels``."""

    def is_about(self, key: str) -> bool:
        """Say whether it asks for a label of pods with this key."""
        return self.source in {ANY, KUBERNETES} and self.key == key


def asked(selector: Selector, place: str) -> tuple[Asked, ...]:
    """Return what *selector* asks. Raises `RefusedError` for what is no selector, `UnclearError` where chance decides."""
    found: dict[tuple[str, str], Asked] = {}
    labels = {} if selector.match_labels is UNSET else selector.match_labels
    for written, value in labels.items():
        source, key = split(written)
        here = f"{place}.matchLabels"
        _check_key(source, key, here)
        fault = label_value_fault(value)
        if fault:
            raise by_parser(fault, here)
        one = Asked(source, key, frozenset({value}), wanted=True, place=here, is_match=True)
        if found.setdefault((source, key), one) != one:
            raise UnclearError(f"{source}:{key} is asked for with two values, and Cilium keeps one of them by chance", here)
    return (*found.values(), *_expressions(selector, place))


def _expressions(selector: Selector, place: str) -> Iterator[Asked]:
    expressions = [] if selector.match_expressions is UNSET else selector.match_expressions
    for number, one in enumerate(expressions):
        here = f"{place}.matchExpressions[{number}]"
        source, key = split(one.key)
        _check_key(source, key, here)
        values = [] if one.values is UNSET else one.values
        if one.operator not in set(Operator):
            raise by_schema(f"{one.operator!r} is no operator", f"{here}.operator")
        with_values = one.operator in {Operator.IN, Operator.NOT_IN}
        if with_values is not bool(values):
            why = "needs values" if with_values else "takes no values"
            raise by_parser(f"the operator {one.operator} {why}", f"{here}.values")
        wanted = one.operator in {Operator.IN, Operator.EXISTS}
        yield Asked(source, key, frozenset(values) if values else None, wanted, here, is_match=False)


def _check_key(source: str, key: str, place: str) -> None:
    fault = label_key_fault(f"{source}.{key}")
    if fault:
        raise by_parser(fault, place)


class Selectors:
    """Selectors as formulas, in policies of *namespace*; without one, of the whole cluster."""

    def __init__(self, identities: Identities, namespace: str) -> None:
        self.identities = identities
        self.namespace = namespace

    def subject(self, selector: Selector, place: str) -> tuple[Formula, bool]:
        """Return which pods *selector* selects, and whether it speaks of pods that have no labels yet.

        In a namespace, the namespace's name replaces any that ``matchLabels`` asks for as a label of Kubernetes.
        """
        wanted = asked(selector, place)
        with_init = any(a.source == RESERVED and a.key == _INIT for a in wanted)
        if self.namespace:
            wanted = tuple(a for a in wanted if not (a.is_match and (a.source, a.key) == (KUBERNETES, NAMESPACE_KEY)))
        return conjunction(PODS, *self._own_namespace(), *map(self._formula, wanted)), with_init

    def peer(self, selector: Selector, place: str, *, with_init: bool) -> Formula:
        """Return whom *selector* means as a peer: of the own namespace and cluster, where it names no other.

        A ``reserved:`` key means ends without namespace and cluster, so none is asked for beside one. Of pods of other clusters,
        all are taken to be meant where any can be: their labels are not seen from here.
        """
        wanted = asked(selector, place)
        if any(a.source == RESERVED for a in wanted):
            return conjunction(*map(self._formula, wanted))
        own = self._own_peer(wanted, with_init=with_init)
        return disjunction(own, self.identities.elsewhere()) if self._means_elsewhere(wanted) else own

    def _own_peer(self, wanted: tuple[Asked, ...], *, with_init: bool) -> Formula:
        parts = list(map(self._formula, wanted))
        if not any(a.is_about(NAMESPACE_KEY) for a in wanted):
            by_label = any(a.source in {ANY, KUBERNETES} and a.key.startswith(NAMESPACE_LABELS) for a in wanted)
            if self.namespace and not by_label:
                parts += self._own_namespace()
            elif not self.namespace and not with_init:
                parts.append(PODS)
        if not any(a.is_about(CLUSTER_KEY) for a in wanted):
            parts += self.own_cluster()
        return conjunction(*parts)

    def _means_elsewhere(self, wanted: tuple[Asked, ...]) -> bool:
        """Say whether pods of other clusters can be meant: where one is named, or where none is and there can be others."""
        about = [a for a in wanted if a.is_about(CLUSTER_KEY)]
        if not about:
            return self._any_cluster()
        own = frozenset({self.identities.settings.cluster})
        named = [a.values - own for a in about if a.wanted and a.values is not None]
        unlike = frozenset[str]().union(*(a.values for a in about if not a.wanted and a.values is not None))
        if any(not a.wanted and a.values is None for a in about):
            return False
        return bool(frozenset.intersection(*named) - unlike) if named else self.identities.settings.in_mesh

    def _any_cluster(self) -> bool:
        settings = self.identities.settings
        return settings.in_mesh and settings.local_cluster_only is not True

    def kubernetes(self, namespaces: LabelSelector | None, pods: LabelSelector | None, place: str) -> Formula:
        """Return whom selectors of a NetworkPolicy's peer mean: without any for namespaces, pods of the own one."""
        parts: list[Formula] = []
        if namespaces is None:
            parts += self._own_namespace()
        elif namespaces.is_empty:
            parts.append(PODS)
        else:
            parts += self.of_kubernetes(namespaces, place, prefix=NAMESPACE_LABELS)
        parts += self.of_kubernetes(pods or LabelSelector(), place)
        parts += self.own_cluster()
        own = conjunction(*parts)
        return disjunction(own, self.identities.elsewhere()) if self._any_cluster() else own

    def of_kubernetes(self, selector: LabelSelector, place: str, prefix: str = "") -> Iterator[Formula]:
        """Yield what a selector of a NetworkPolicy asks: labels of Kubernetes, as far as they are part of an identity."""
        for key, value in selector.match_labels.items():
            yield self.identities.has(KUBERNETES, prefix + key, frozenset({value}), place)
        for one in selector.match_expressions:
            values = frozenset(one.values) if one.operator in {Operator.IN, Operator.NOT_IN} else None
            has = self.identities.has(KUBERNETES, prefix + one.key, values, place)
            yield has if one.operator in {Operator.IN, Operator.EXISTS} else Not(has)

    def own_cluster(self) -> tuple[Formula, ...]:
        """Return what is asked of peers of policies that name no cluster."""
        own = self.identities.own_cluster()
        return () if own is None else (own,)

    def _own_namespace(self) -> tuple[Formula, ...]:
        return (PODS, NamedAs(Scope.NAMESPACE, frozenset({self.namespace}))) if self.namespace else ()

    def _formula(self, one: Asked) -> Formula:
        has = self.identities.has(one.source, one.key, one.values, one.place)
        return has if one.wanted else Not(has)
