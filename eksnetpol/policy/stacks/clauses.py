"""One conjunction of atoms and negated atoms: whether any end can satisfy it, and the shortest way to say it.

Exact but for two things, which are taken to be possible: what `Unknowable` means, and label values that have to begin, end and
contain texts all at once. A label is absent, one of the values that are mentioned, or some other one; every namespace bears its
name as a label; an end that is no pod has no labels and no namespace; a node and a pod on its network may be the other end's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

from eksnetpol.policy.addresses import Network
from eksnetpol.policy.cidrs import EVERY_ADDRESS, NO_ADDRESSES, CidrSet
from eksnetpol.policy.stacks.formulas import (
    And,
    Atom,
    EndKind,
    Formula,
    Is,
    Label,
    Named,
    Not,
    OnNode,
    SameNamespace,
    Scope,
    Test,
    Unknowable,
    Within,
)

NAME_LABEL = "kubernetes.io/metadata.name"
"""The label by which every namespace bears its own name; the API server sets it."""

KINDS = frozenset(EndKind)
PODS = frozenset({EndKind.POD, EndKind.HOST_POD})
"""The kinds of ends that have labels, a namespace and a service account."""
_NODES = frozenset({EndKind.NODE, EndKind.HOST_POD})

_ACCOUNT_NAME = (Scope.ACCOUNT, "")
_NAMESPACE_NAME = (Scope.NAMESPACE, NAME_LABEL)
_Key = tuple[Scope, str]


class Clause(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """Ends of these *kinds* for which all of *holds* is true and none of *fails*. No `Is` is among either."""

    kinds: frozenset[EndKind] = KINDS
    holds: tuple[Atom, ...] = ()
    fails: tuple[Atom, ...] = ()

    @property
    def formula(self) -> Formula:
        """The same as a formula."""
        kinds: tuple[Formula, ...] = () if self.kinds == KINDS else (Is(self.kinds),)
        parts = (*kinds, *self.holds, *map(Not, self.fails))
        return parts[0] if len(parts) == 1 else And(parts)

    def covers(self, other: Clause) -> bool:
        """Say whether all ends of *other* are surely this one's too."""
        return other.kinds <= self.kinds and set(self.holds) <= set(other.holds) and set(self.fails) <= set(other.fails)


def clause_of(holds: Iterable[Atom], fails: Iterable[Atom]) -> Clause | None:
    """Return the shortest clause that says that all of *holds* is true and none of *fails*; None where no end is like that."""
    holds, fails = tuple(dict.fromkeys(holds)), tuple(dict.fromkeys(fails))
    kinds = _kinds(holds, fails)
    free = _free(holds, fails, kinds)
    blocks = _blocks(holds, fails)
    if not kinds or free is None or blocks is None:
        return None
    yes: list[Atom] = []
    no: list[Atom] = []
    for key in _keys((*holds, *fails)):
        mine = tuple(a for a in holds if _key(a) == key)
        others = tuple(a for a in fails if _key(a) == key)
        said = _slot(key, mine, others)
        if said is None:
            # No pod is like that; what has no labels is, where nothing asks for one.
            kinds -= PODS
        else:
            yes += said[0]
            no += said[1]
    if not kinds or (yes and not kinds & PODS):
        return None
    if not kinds & PODS:
        no = []
    return Clause(kinds, (*yes, *free[0], *blocks[0]), (*no, *free[1], *blocks[1]))


# --- kinds, and what is free ------------------------------------------------------------------------------------------


def _kinds(holds: tuple[Atom, ...], fails: tuple[Atom, ...]) -> frozenset[EndKind]:
    kinds = KINDS
    for atom in holds:
        match atom:
            case Is():
                kinds &= atom.kinds
            case Label() | Named() | SameNamespace():
                kinds &= PODS
            case OnNode():
                kinds &= _NODES
    for atom in fails:
        if isinstance(atom, Is):
            kinds -= atom.kinds
    return kinds


def _free(holds: tuple[Atom, ...], fails: tuple[Atom, ...], kinds: frozenset[EndKind]) -> tuple[list[Atom], list[Atom]] | None:
    """Return the atoms that nothing but themselves contradicts; None where one does."""
    yes: list[Atom] = [a for a in holds if isinstance(a, SameNamespace | OnNode | Unknowable)]
    no: list[Atom] = [a for a in fails if isinstance(a, SameNamespace | OnNode | Unknowable)]
    if any(a in no for a in yes if not isinstance(a, Unknowable)):
        return None
    if not kinds & _NODES:
        no = [a for a in no if not isinstance(a, OnNode)]
    if not kinds & PODS:
        no = [a for a in no if not isinstance(a, SameNamespace)]
    return yes, no


# --- addresses --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 14)
def addresses_of(networks: frozenset[Network]) -> CidrSet:
    """Return the addresses of *networks* together."""
    return CidrSet.of(*map(str, networks)) if networks else NO_ADDRESSES


def _blocks(holds: tuple[Atom, ...], fails: tuple[Atom, ...]) -> tuple[list[Within], list[Within]] | None:
    wanted = [a for a in holds if isinstance(a, Within)]
    unwanted = [a for a in fails if isinstance(a, Within)]
    if not wanted and not unwanted:
        return [], []
    here = EVERY_ADDRESS
    for within in wanted:
        here = here & addresses_of(within.networks)
    holes = [w for w in unwanted if here & addresses_of(w.networks)]
    left = here
    for hole in holes:
        left = left - addresses_of(hole.networks)
    if not left:
        return None
    if len(wanted) > 1:
        wanted = [Within(frozenset(here.cidrs()))]
    return wanted, holes


# --- labels and names -------------------------------------------------------------------------------------------------


def _key(atom: Atom) -> _Key | None:
    match atom:
        case Label():
            return atom.scope, atom.key
        case Named(Scope.ACCOUNT):
            return _ACCOUNT_NAME
        case Named(Scope.NAMESPACE):
            return _NAMESPACE_NAME
        case _:
            return None


def _keys(atoms: Iterable[Atom]) -> Iterator[_Key]:
    for key in dict.fromkeys(map(_key, atoms)):
        if key is not None:
            yield key


def _slot(key: _Key, holds: tuple[Atom, ...], fails: tuple[Atom, ...]) -> tuple[list[Atom], list[Atom]] | None:
    """Return the shortest way to say what is wanted of one label; None where no value, and no absence, is like that."""
    always = key in {_ACCOUNT_NAME, _NAMESPACE_NAME}
    listed = [_listed(a) for a in holds]
    lists = [values for values in listed if values is not None]
    if lists:
        values = frozenset.intersection(*lists)
        fitting = frozenset(v for v in values if all(_is_met(a, v) for a in holds) and not any(_is_met(a, v) for a in fails))
        return ([_among(key, fitting)], []) if fitting else None
    if any(isinstance(a, Label) and a.test is Test.EXISTS for a in fails):
        return None if holds or always else ([], [Label(*key, Test.EXISTS)])
    texts = [a for a in holds if isinstance(a, Label) and a.test is not Test.EXISTS]
    unwanted = [a for a in fails if isinstance(a, Label) and a.test is not Test.IN]
    if _contradict(texts, unwanted):
        return None
    excluded = frozenset(value for a in fails for value in _listed(a) or ())
    excluded = frozenset(v for v in excluded if all(_is_met(t, v) for t in texts) and not any(_is_met(u, v) for u in unwanted))
    yes: list[Atom] = list(texts)
    if holds and not texts and not always:
        yes = [Label(*key, Test.EXISTS)]
    no: list[Atom] = [*unwanted]
    if excluded:
        no.append(_among(key, excluded))
    return yes, no


def _listed(atom: Atom) -> frozenset[str] | None:
    match atom:
        case Named():
            return atom.names
        case Label(test=Test.IN):
            return atom.values
        case _:
            return None


def _among(key: _Key, values: frozenset[str]) -> Atom:
    if key in {_ACCOUNT_NAME, _NAMESPACE_NAME}:
        return Named(key[0], values)
    return Label(*key, Test.IN, values)


def _is_met(atom: Atom, value: str) -> bool:
    """Say whether a label with *value* meets an atom about it."""
    match atom:
        case Named():
            return value in atom.names
        case Label():
            return met_by(atom, value)
        case _:
            return False


def met_by(label: Label, value: str) -> bool:
    """Say whether a label that is there, with *value*, is as *label* asks."""
    match label.test:
        case Test.EXISTS:
            return True
        case Test.IN:
            return value in label.values
        case Test.CONTAINS:
            return all(text in value for text in label.values)
        case Test.STARTS:
            return all(value.startswith(text) for text in label.values)
        case Test.ENDS:
            return all(value.endswith(text) for text in label.values)


def _contradict(wanted: list[Label], unwanted: list[Label]) -> bool:
    """Say whether no text surely can be as all of *wanted* ask and none of *unwanted*; neither lists values."""
    starts = [t for a in wanted if a.test is Test.STARTS for t in a.values]
    ends = [t for a in wanted if a.test is Test.ENDS for t in a.values]
    texts = [t for a in wanted for t in a.values]
    head, tail = max(starts, key=len, default=""), max(ends, key=len, default="")
    if not all(head.startswith(t) for t in starts) or not all(tail.endswith(t) for t in ends):
        return True
    for atom in unwanted:
        for text in atom.values:
            match atom.test:
                case Test.CONTAINS:
                    hit = any(text in t for t in texts)
                case Test.STARTS:
                    hit = head.startswith(text)
                case _:
                    hit = tail.endswith(text)
            if hit:
                return True
    return False
