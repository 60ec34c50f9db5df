"""An end made up to satisfy a clause: a pod, a node or an address that nobody has seen yet and that could exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from eksnetpol.policy.cidrs import EVERY_ADDRESS, CidrSet
from eksnetpol.policy.stacks.algebra import TooMany, clauses
from eksnetpol.policy.stacks.clauses import NAME_LABEL, PODS, Clause, addresses_of, met_by
from eksnetpol.policy.stacks.ends import DEFAULT_ACCOUNT, End, holds
from eksnetpol.policy.stacks.formulas import Atom, EndKind, Formula, Label, Named, Scope, Test, Within

_PREFERRED = tuple(dict.fromkeys((EndKind.POD, EndKind.OUTSIDE, EndKind.HOST_POD, EndKind.NODE, *EndKind)))
_LIKELY = CidrSet.of("10.0.0.0/8")
"""Where a made-up pod's address is looked for first."""
_TRIED = 16
"""So many endings are tried for a name or value that must be none of some others."""


def example(formula: Formula, other: End | None = None, *, limit: int = 64) -> End | None:
    """Return an end that *formula* means, where *other* is at the other end; None where none is found.

    None is found for what nobody can know, and for formulas of more clauses than *limit*. One that is found is certain.
    """
    try:
        found = clauses(formula, limit)
    except TooMany:
        return None
    for clause in found:
        end = example_of(clause, other)
        if end is not None:
            return end
    return None


def example_of(clause: Clause, other: End | None = None) -> End | None:
    """Return an end that is as *clause* says, where *other* is at the other end; None where none is found."""
    for kind in _PREFERRED:
        if kind in clause.kinds:
            for end in _ends(kind, clause, other):
                if holds(clause.formula, end, other):
                    return end
    return None


def _ends(kind: EndKind, clause: Clause, other: End | None) -> Iterable[End]:
    address = _address(clause, kind)
    if address is None:
        return
    nodes = ("", *((other.node,) if other is not None and other.node else ()))
    if kind not in PODS:
        yield from (End(kind, address=address, node=(node or address) if kind is EndKind.NODE else "") for node in nodes)
        return
    bags = {scope: _labels(clause, scope) for scope in Scope}
    # The other end's own namespace may be what is asked for, or what must not be.
    near = (other.namespace,) if other is not None and other.kind in PODS else ()
    for namespace in (*_values(clause, Scope.NAMESPACE, NAME_LABEL, "example"), *near):
        for account in _values(clause, Scope.ACCOUNT, "", DEFAULT_ACCOUNT):
            shared = other.namespace_labels if other is not None and namespace == other.namespace else {}
            labels = {NAME_LABEL: namespace, **(shared or bags[Scope.NAMESPACE])}
            for node in nodes:
                yield End(kind, namespace, bags[Scope.POD], labels, account, bags[Scope.ACCOUNT], address, node)


def _address(clause: Clause, kind: EndKind) -> str | None:
    left = EVERY_ADDRESS
    for atom in clause.holds:
        if isinstance(atom, Within):
            left = left & addresses_of(atom.networks)
    for atom in clause.fails:
        if isinstance(atom, Within):
            left = left - addresses_of(atom.networks)
    likely = left - _LIKELY if kind is EndKind.OUTSIDE else left & _LIKELY
    first = next((likely or left).cidrs(), None)
    if first is None:
        return None
    # The first address of a block is nobody's where there is a second.
    return str(first.network_address + 1 if first.num_addresses > 1 else first.network_address)


def _labels(clause: Clause, scope: Scope) -> Mapping[str, str]:
    wanted = {a.key for a in clause.holds if isinstance(a, Label) and a.scope is scope}
    found = {key: next(_values(clause, scope, key, "example"), None) for key in sorted(wanted - {NAME_LABEL})}
    return {key: value for key, value in found.items() if value is not None}


def _values(clause: Clause, scope: Scope, key: str, usual: str) -> Iterator[str]:
    """Yield values that a label, or a name, may have by *clause*, *usual* where anything may be."""
    holding = [a for a in clause.holds if _is_about(a, scope, key)]
    failing = [a for a in clause.fails if _is_about(a, scope, key)]
    listed = [_list_of(a) for a in holding]
    choices: Iterable[str] = (
        sorted(frozenset.intersection(*some)) if (some := [v for v in listed if v is not None]) else _texts(holding, usual)
    )
    return (v for v in choices if all(_meets(a, v) for a in holding) and not any(_meets(a, v) for a in failing))


def _texts(holding: Iterable[Atom], usual: str) -> Iterable[str]:
    texts = {test: [t for a in holding if isinstance(a, Label) and a.test is test for t in sorted(a.values)] for test in Test}
    head = max(texts[Test.STARTS], key=len, default="")
    tail = max(texts[Test.ENDS], key=len, default="")
    inner = "".join(texts[Test.CONTAINS])
    shortest = [head] if head.endswith(tail) else [tail] if tail.startswith(head) else []
    yield from (text for text in shortest if text)
    body = head + inner
    yield (body + tail) or usual
    for number in range(_TRIED):
        yield f"{body or usual}{number}{tail}"


def _is_about(atom: Atom, scope: Scope, key: str) -> bool:
    match atom:
        case Label():
            return (atom.scope, atom.key) == (scope, key)
        case Named():
            return atom.scope is scope and key in {"", NAME_LABEL}
        case _:
            return False


def _list_of(atom: Atom) -> frozenset[str] | None:
    match atom:
        case Named():
            return atom.names
        case Label(test=Test.IN):
            return atom.values
        case _:
            return None


def _meets(atom: Atom, value: str) -> bool:
    match atom:
        case Named():
            return value in atom.names
        case Label():
            return met_by(atom, value)
        case _:
            return False
