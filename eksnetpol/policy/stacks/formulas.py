"""Whom a selector, a block or an entity means: a Boolean formula over what can be asked of one end of a connection.

Formulas are values: equal ones are equal, and every engine's selector language becomes one. An end is a pod, a node or an address
outside; an atom that does not apply to an end (a label of an address) is false there, so that ``Not`` of it is true, as it is for
an absent label in Kubernetes (`NotIn`) and in Calico (``!=``).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from eksnetpol.policy.addresses import Network


class Scope(StrEnum):
    """Whose labels or name an atom asks for: the pod's own, its namespace's, or its service account's."""

    POD = "pod"
    NAMESPACE = "namespace"
    ACCOUNT = "service account"


class Test(StrEnum):
    """What an atom asks of a label. All are false where the label is absent."""

    __test__ = False
    """It is not one of pytest's."""

    IN = "in"
    EXISTS = "exists"
    CONTAINS = "contains"
    STARTS = "starts with"
    ENDS = "ends with"


class EndKind(StrEnum):
    """What one end of a connection is. Pods on the host network are pods to the API and nodes to most engines.

    The last five are ends that Cilium itself has or makes: the API of this cluster shows none of them, and they go where Cilium
    goes. A pod of another cluster is an address outside from then on.
    """

    POD = "pod"
    HOST_POD = "pod on the host network"
    NODE = "node"
    OUTSIDE = "outside"
    INIT = "pod whose labels are not known yet"
    HEALTH = "health endpoint"
    GATEWAY = "gateway of an ingress"
    UNMANAGED = "pod from before the engine"
    ELSEWHERE = "pod of another cluster"


class Label(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """A label of the end. ``values`` are the alternatives of IN, or the one text of CONTAINS, STARTS and ENDS."""

    scope: Scope
    key: str
    test: Test
    values: frozenset[str] = frozenset()


class Named(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """The name of the end's namespace or service account is one of these."""

    scope: Scope
    names: frozenset[str]


class Is(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """The end is of one of these kinds."""

    kinds: frozenset[EndKind]


class Within(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """The end's address is in one of these blocks: a pod's own, a node's, or that of an address outside."""

    networks: frozenset[Network]


class OnNode(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """The end is the node that the other end, a pod, runs on."""


class SameNamespace(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """Both ends are of one namespace, or of namespaces with equal values of these labels where there are ``keys``."""

    keys: tuple[str, ...] = ()


class Unknowable(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """What no look at a cluster can tell: addresses behind a domain name, security groups, other clusters."""

    words: str


class And(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """All of these; none of them: everybody."""

    parts: tuple[Formula, ...]


class Or(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """Any of these; none of them: nobody."""

    parts: tuple[Formula, ...]


class Not(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """Whoever this does not mean."""

    part: Formula


Atom = Label | Named | Is | Within | OnNode | SameNamespace | Unknowable
Formula = Atom | And | Or | Not

EVERYBODY = And(())
NOBODY = Or(())
