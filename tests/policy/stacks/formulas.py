"""Random formulas and random ends, small enough that they meet."""

from __future__ import annotations

from hypothesis import strategies as st

from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.stacks.ends import End
from eksnetpol.policy.stacks.formulas import (
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

NAMESPACES = ("shop", "bank")
ACCOUNTS = ("default", "web")
VALUES = ("a", "b", "ab", "ba", "aab")
KEYS = ("app", "tier")
NODES = ("10.0.0.250", "10.9.0.250")
ADDRESSES = ("10.0.0.1", "10.0.0.130", "10.0.1.1", "172.16.0.9", "198.51.100.7", "fd00::1", *NODES)
BLOCKS = ("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.128/25", "10.0.0.1/32", "172.16.0.0/12", "::/0", "fd00::/64")
NAME = "kubernetes.io/metadata.name"


def network(text: str) -> Network:
    found = parse_cidr(text)
    assert found is not None
    return found


scopes = st.sampled_from(Scope)
_texts = st.sampled_from(("a", "b", "ab", ""))
_listed = st.frozensets(st.sampled_from(VALUES), max_size=3)
_names = {Scope.NAMESPACE: NAMESPACES, Scope.ACCOUNT: ACCOUNTS}

labels = st.one_of(
    st.builds(Label, scopes, st.sampled_from(KEYS), st.just(Test.IN), _listed),
    st.builds(Label, scopes, st.sampled_from(KEYS), st.just(Test.EXISTS)),
    st.builds(
        Label,
        scopes,
        st.sampled_from(KEYS),
        st.sampled_from((Test.CONTAINS, Test.STARTS, Test.ENDS)),
        _texts.map(lambda t: frozenset({t})),
    ),
    st.builds(
        Label,
        st.just(Scope.NAMESPACE),
        st.just(NAME),
        st.sampled_from((Test.IN, Test.EXISTS)),
        st.frozensets(st.sampled_from((*NAMESPACES, "other")), min_size=1),
    ),
)
names = st.sampled_from((Scope.NAMESPACE, Scope.ACCOUNT)).flatmap(
    lambda scope: st.builds(Named, st.just(scope), st.frozensets(st.sampled_from((*_names[scope], "other")), max_size=2))
)
known = st.one_of(
    labels,
    labels,
    names,
    st.builds(Is, st.frozensets(st.sampled_from(EndKind))),
    st.builds(Within, st.frozensets(st.sampled_from(BLOCKS).map(network), max_size=3)),
    st.just(OnNode()),
    st.sampled_from((SameNamespace(), SameNamespace(("app",)))),
)
atoms = st.one_of(*[known] * 6, st.just(Unknowable("a domain name")))


def formulas_of(leaves: st.SearchStrategy[Formula], size: int = 8) -> st.SearchStrategy[Formula]:
    return st.recursive(
        leaves,
        lambda parts: st.one_of(
            st.builds(Not, parts),
            st.lists(parts, max_size=3).map(lambda p: And(tuple(p))),
            st.lists(parts, max_size=3).map(lambda p: Or(tuple(p))),
        ),
        max_leaves=size,
    )


formulas = formulas_of(atoms)
knowable = formulas_of(known)

_bag = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=2)


@st.composite
def ends(draw: st.DrawFn) -> End:
    kind = draw(st.sampled_from(EndKind))
    node = draw(st.sampled_from(NODES))
    if kind in {EndKind.NODE, EndKind.OUTSIDE}:
        address = node if kind is EndKind.NODE else draw(st.sampled_from(ADDRESSES))
        return End(kind, address=address, node=node if kind is EndKind.NODE else "")
    namespace = draw(st.sampled_from(NAMESPACES))
    return End(
        kind,
        namespace,
        draw(_bag),
        {NAME: namespace} | draw(_bag),
        draw(st.sampled_from(ACCOUNTS)),
        draw(_bag),
        node if kind is EndKind.HOST_POD else draw(st.sampled_from(ADDRESSES)),
        node,
    )
