"""Selectors as formulas over pods: the labels that Calico gives every pod, and those it copies from namespaces and accounts.

A pod has, beside its own labels, ``projectcalico.org/namespace``, ``projectcalico.org/orchestrator`` and
``projectcalico.org/serviceaccount``; the labels of its namespace with ``pcns.`` before their names and those of its service
account with ``pcsa.``, each with ``projectcalico.org/name`` among them. The pod's own labels win over the copied ones and lose
against the first three (projectcalico/calico, libcalico-go/lib/backend/syncersv1/updateprocessors).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from eksnetpol.engines.calico.terms import Any, Ask, Every, Negated, Op, Selector, asked, keys, with_prefix
from eksnetpol.engines.kubernetes_policies import all_of, any_of
from eksnetpol.policy.stacks.algebra import simplified
from eksnetpol.policy.stacks.ends import DEFAULT_ACCOUNT
from eksnetpol.policy.stacks.formulas import EVERYBODY, NOBODY, Formula, Label, Named, Not, Scope, Test
from eksnetpol.policy.world import OF_PODS, World

NAMESPACE = "projectcalico.org/namespace"
ACCOUNT = "projectcalico.org/serviceaccount"
ORCHESTRATOR = "projectcalico.org/orchestrator"
NAME = "projectcalico.org/name"
OF_NAMESPACE, OF_ACCOUNT = "pcns.", "pcsa."

_NAME_OF_NAMESPACE = "kubernetes.io/metadata.name"
_TESTS = {Op.CONTAINS: Test.CONTAINS, Op.STARTS: Test.STARTS, Op.ENDS: Test.ENDS}
_NEGATIVE = {Op.NE: Op.EQ, Op.NOT_IN: Op.IN}
_PREFIX = {Scope.POD: "", Scope.NAMESPACE: OF_NAMESPACE, Scope.ACCOUNT: OF_ACCOUNT}

_SEEN = "what formulas of Calico depend on"


@dataclass(frozen=True, slots=True)
class Seen:
    """What of a cluster a formula depends on: names of service accounts, and copied labels that some pod has as its own."""

    accounts: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()

    @classmethod
    def of(cls, world: World) -> Seen:
        """Return what is seen in *world*; the second time it is the same."""
        known: dict[str, Seen] = world.memo.setdefault(OF_PODS, {})
        if _SEEN not in known:
            known[_SEEN] = cls._of(world)
        return known[_SEEN]

    @classmethod
    def _of(cls, world: World) -> Seen:
        accounts = {p.spec.service_account_name or DEFAULT_ACCOUNT for p in world.pods}
        accounts |= {a.metadata.name for a in world.service_accounts}
        own = {key for pod in world.pods for key in pod.labels if key.startswith((OF_NAMESPACE, OF_ACCOUNT))}
        return cls(frozenset(accounts), frozenset(own))


NOTHING_SEEN = Seen()


@lru_cache(maxsize=1 << 14)
def formula(selector: Selector, scope: Scope = Scope.POD, seen: Seen = NOTHING_SEEN) -> Formula:
    """Return which pods a selector means: by the labels that they have to Calico, or those of their namespace or account alone.

    What no formula can say of names of service accounts is said of those that are *seen*.
    """
    return simplified(_formula(with_prefix(selector, _PREFIX[scope]), seen))


def _formula(selector: Selector, seen: Seen) -> Formula:
    match selector:
        case Ask():
            return _asked(selector, seen)
        case Negated():
            return Not(_formula(selector.part, seen))
        case Every():
            return all_of(_formula(part, seen) for part in selector.parts)
        case Any():
            return any_of([_formula(part, seen) for part in selector.parts])
        case _:
            return EVERYBODY


def _asked(ask: Ask, seen: Seen) -> Formula:
    positive = _NEGATIVE.get(ask.op)
    if positive is not None:
        return Not(_asked(Ask(ask.key, positive, ask.values), seen))
    if ask.key == ORCHESTRATOR:
        return EVERYBODY if asked(ask, "k8s") else NOBODY
    if ask.key == NAMESPACE:
        return _name_of_namespace(ask)
    if ask.key == ACCOUNT:
        return _name_of_account(ask, seen)
    return _copied(ask, seen)


def _copied(ask: Ask, seen: Seen) -> Formula:
    """Return what a label of the pod itself says, or one copied from its namespace or service account."""
    own = _label(Scope.POD, ask.key, ask)
    if ask.key.startswith(OF_NAMESPACE):
        key = ask.key.removeprefix(OF_NAMESPACE)
        copied = _name_of_namespace(ask) if key == NAME else _label(Scope.NAMESPACE, key, ask)
    elif ask.key.startswith(OF_ACCOUNT):
        key = ask.key.removeprefix(OF_ACCOUNT)
        copied = _name_of_account(ask, seen) if key == NAME else _label(Scope.ACCOUNT, key, ask)
    else:
        return own
    if ask.key not in seen.own:
        return copied
    return any_of([own, all_of([Not(Label(Scope.POD, ask.key, Test.EXISTS)), copied])])


def asks_for_parts_of_accounts(selector: Selector) -> bool:
    """Say whether *selector* asks for parts of names of service accounts, which is said of those that are seen."""
    match selector:
        case Ask():
            return selector.op in _TESTS and selector.key in {ACCOUNT, OF_ACCOUNT + NAME}
        case Negated():
            return asks_for_parts_of_accounts(selector.part)
        case Every() | Any():
            return any(map(asks_for_parts_of_accounts, selector.parts))
        case _:
            return False


def asks_for_namespaces(selector: Selector) -> bool:
    """Say whether *selector* asks for labels of namespaces, their names aside."""
    return any(key.startswith(OF_NAMESPACE) and key != OF_NAMESPACE + NAME for key in keys(selector))


def _label(scope: Scope, key: str, ask: Ask) -> Formula:
    match ask.op:
        case Op.HAS:
            return Label(scope, key, Test.EXISTS)
        case Op.EQ | Op.IN:
            return Label(scope, key, Test.IN, ask.values)
        case _:
            return Label(scope, key, _TESTS[ask.op], ask.values)


def _name_of_namespace(ask: Ask) -> Formula:
    match ask.op:
        case Op.HAS:
            return EVERYBODY
        case Op.EQ | Op.IN:
            return Named(Scope.NAMESPACE, ask.values)
        case _:
            return _label(Scope.NAMESPACE, _NAME_OF_NAMESPACE, ask)


def _name_of_account(ask: Ask, seen: Seen) -> Formula:
    match ask.op:
        case Op.HAS:
            return EVERYBODY
        case Op.EQ | Op.IN:
            return Named(Scope.ACCOUNT, ask.values)
        case _:
            return Named(Scope.ACCOUNT, frozenset(name for name in seen.accounts if asked(ask, name)))
