"""Whom one side of a rule means: pods, network sets and host endpoints by selectors, blocks, and the endpoints of a Service.

Calico makes one selector of all selectors of a side and looks for everything that has labels: pods, network sets and host
endpoints. What matches is a set of addresses. A ``notSelector`` beside other selectors narrows what these match; alone, in a
policy without a namespace, it takes all that it matches out of everything (projectcalico/calico, libcalico-go/lib/backend/
syncersv1/updateprocessors/rules.go, felix/calc/rule_scanner.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from eksnetpol.engines.calico.labels import (
    ACCOUNT,
    NAME,
    NAMESPACE,
    OF_ACCOUNT,
    OF_NAMESPACE,
    Seen,
    asks_for_namespaces,
    asks_for_parts_of_accounts,
    formula,
)
from eksnetpol.engines.calico.selector import Selector, SelectorError, matches, parse, print_selector
from eksnetpol.engines.calico.shapes import Json
from eksnetpol.engines.calico.terms import may_match, with_prefix
from eksnetpol.engines.calico.values import UnclearError, blocks
from eksnetpol.engines.kubernetes_policies import PODS, all_of, any_of
from eksnetpol.policy.addresses import Network
from eksnetpol.policy.stacks.algebra import is_nobody, simplified
from eksnetpol.policy.stacks.formulas import EVERYBODY, NOBODY, Formula, Not, Unknowable, Within

_SHOWN = 3
"""So many network sets are named where more are looked up."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Addresses that selectors find by labels: a network set or a host endpoint, by its *title*.

    What is in a *namespace* has the labels of that too. ``doubt``: why its labels are not all known.
    """

    title: str
    labels: Mapping[str, str]
    networks: frozenset[Network]
    doubt: str = ""
    namespace: str = ""


@dataclass
class Peers:
    """Finds out whom selectors mean, in one cluster."""

    seen: Seen
    labelled: tuple[Labelled, ...] = ()
    _known: dict[str, Formula] = field(default_factory=dict)
    _met: dict[str, tuple[Labelled, ...]] = field(default_factory=dict)
    _matched: dict[str, tuple[Labelled, ...]] = field(default_factory=dict)

    def subject(self, text: str, place: str) -> Formula:
        """Return the pods that a selector means. Raises `UnclearError` where Calico makes a text of it that is no selector."""
        return simplified(all_of([PODS, formula(read(text, place), seen=self.seen)]))

    def selected(self, text: str, place: str) -> Formula:
        """Return all that a selector means."""
        known = self._known.get(text)
        if known is None:
            selector = read(text, place)
            known = self._known[text] = simplified(any_of([self._pods(selector), *self._addresses(text, selector)]))
        return known

    def looked_up(self, written: Json, namespace: str, place: str) -> Iterator[str]:
        """Yield what `side` looked up in the cluster: it may be otherwise tomorrow."""
        texts = (side_selector(written, namespace, place), written.get("notSelector", ""))
        found = [one for text in texts if text for one in self._looked_up(text, place)]
        if found:
            yield f"the addresses of {_several(one.title for one in found)} are written as they are today"
        by_namespace = [one.title for one in found if one.namespace]
        if by_namespace and any(asks_for_namespaces(read(text, place)) for text in texts if text):
            yield f"whether {_several(by_namespace)} are meant goes by the labels that their namespaces have today"
        for text in filter(None, texts):
            yield from by_accounts(text, place)

    def _looked_up(self, text: str, place: str) -> Iterable[Labelled]:
        """Return what has addresses and is meant by a selector, or may be once its namespace has other labels."""
        known = self._met.get(text)
        if known is None:
            known = self._met[text] = tuple(self._may_mean(text, read(text, place))) if self.labelled else ()
        return known

    def _may_mean(self, text: str, selector: Selector) -> Iterator[Labelled]:
        meant = self._matching(text, selector)
        yield from meant
        if not asks_for_namespaces(selector):
            return
        for one in self.labelled:
            fixed = {k: v for k, v in one.labels.items() if k == OF_NAMESPACE + NAME or not k.startswith(OF_NAMESPACE)}
            if one.namespace and one not in meant and may_match(selector, fixed, OF_NAMESPACE)[0]:
                yield one

    def _matching(self, text: str, selector: Selector) -> tuple[Labelled, ...]:
        known = self._matched.get(text)
        if known is None:
            known = self._matched[text] = tuple(one for one in self.labelled if matches(selector, one.labels))
        return known

    def _pods(self, selector: Selector) -> Formula:
        found = formula(selector, seen=self.seen)
        return NOBODY if is_nobody(found) else all_of([PODS, found])

    def _addresses(self, text: str, selector: Selector) -> Iterable[Formula]:
        for one in self.labelled:
            if one.doubt and one.networks:
                yield all_of([Within(one.networks), Unknowable(one.doubt)])
        # What is in doubt is meant or not, whatever it matches.
        certain = (one.networks for one in self._matching(text, selector) if not one.doubt)
        sure = frozenset[Network]().union(*certain)
        if sure:
            yield Within(sure)

    def side(self, written: Json, namespace: str, place: str) -> Formula:
        """Return whom a source or destination means, ports and Services aside."""
        parts: list[Formula] = []
        positive, negative = side_selector(written, namespace, place), written.get("notSelector", "")
        if positive and negative:
            positive, negative = f"({positive}) && (!({negative}))", ""
        if positive:
            parts.append(self.selected(positive, place))
        if negative:
            parts.append(Not(self.selected(negative, place)))
        nets = blocks(written.get("nets"), f"{place}.nets")
        without = blocks(written.get("notNets"), f"{place}.notNets")
        if nets:
            parts.append(Within(nets))
        if without:
            parts.append(Not(Within(without)))
        return simplified(all_of(parts)) if parts else EVERYBODY


def read(text: str, place: str) -> Selector:
    """Return a selector that Calico makes of several. Raises `UnclearError` where it is none."""
    try:
        return parse(text)
    except SelectorError as error:
        raise UnclearError(place, f"Calico makes {text!r} of it, which is no selector: {error}") from error


def side_selector(written: Json, namespace: str, place: str) -> str:
    """Return the one selector that Calico makes of a source or destination, ``notSelector`` aside; empty for none.

    In a policy of a *namespace* it means what is there, as soon as there is any selector at all.
    """
    of_namespaces, own = written.get("namespaceSelector", ""), written.get("selector", "")
    within = ""
    if of_namespaces:
        within = prefixed(of_namespaces, OF_NAMESPACE, place)
        within = within.replace("all()", f"has({NAMESPACE})").replace("global()", f"!has({NAMESPACE})")
    elif namespace:
        within = f"{NAMESPACE} == '{namespace}'"
    chosen = [text for text in (_accounts(written.get("serviceAccounts"), place), own) if text]
    joined = chosen[0] if len(chosen) == 1 else " && ".join(f"({text})" for text in chosen)
    if within and (joined or of_namespaces or written.get("notSelector", "")):
        return f"({within}) && ({joined})" if joined else within
    return joined


def by_accounts(text: str, place: str) -> Iterator[str]:
    """Yield what *text* asks of the names of service accounts that only a list of those of today can say."""
    if asks_for_parts_of_accounts(read(text, place)):
        yield "parts of names of service accounts are said by the accounts that there are today"


def _several(titles: Iterable[str]) -> str:
    found = list(dict.fromkeys(titles))
    shown = ", ".join(found[:_SHOWN])
    return f"{shown} and {len(found) - _SHOWN} more" if len(found) > _SHOWN else shown


def _accounts(written: Json | None, place: str) -> str:
    if written is None:
        return ""
    text, names = written.get("selector", ""), written.get("names", [])
    found = prefixed(text, OF_ACCOUNT, place) if text else ""
    if not names:
        return found
    listed = f"{ACCOUNT} in {{{', '.join(repr(name) for name in names)}}}"
    return f"({found}) && ({listed})" if found else listed


def prefixed(text: str, prefix: str, place: str) -> str:
    """Return a selector that asks for copied labels, as Calico prints it."""
    return print_selector(with_prefix(read(text, place), prefix))
