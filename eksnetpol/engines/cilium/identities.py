"""Whom a label means: the labels that make up an identity, as formulas.

Pods have those of their labels that count, their namespace's, and a few of Cilium's own; nodes, the world and the rest have
``reserved:`` ones. What a selector asks for a pod's label is false for whoever is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from eksnetpol.engines.cilium.faults import UnclearError
from eksnetpol.engines.cilium.settings import Settings
from eksnetpol.engines.kubernetes_policies import PODS
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.stacks.algebra import conjunction, disjunction
from eksnetpol.policy.stacks.formulas import (
    EVERYBODY,
    NOBODY,
    EndKind,
    Formula,
    Is,
    Label,
    Named,
    Not,
    OnNode,
    Scope,
    Test,
    Unknowable,
    Within,
)

ANY, KUBERNETES, RESERVED = "any", "k8s", "reserved"
"""Sources of labels. ``any`` is that of a key without one, and means all of them."""

NAMESPACE_KEY = "io.kubernetes.pod.namespace"
NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels."
CLUSTER_KEY = "io.cilium.k8s.policy.cluster"
_ACCOUNT_KEY = "io.cilium.k8s.policy.serviceaccount"
_NAMED_PORTS = "io.cilium.k8s.named-ports"

_LEFT_OUT = re.compile(
    r"io\.kubernetes|kubernetes\.io|k8s\.io|topology\.kubernetes\.io|.*beta\.kubernetes\.io|pod-template-hash"
    r"|pod-template-generation|controller-revision-hash|controller-uid|statefulset\.kubernetes\.io/pod-name"
    r"|apps\.kubernetes\.io/pod-index|batch\.kubernetes\.io/job-completion-index|batch\.kubernetes\.io/controller-uid"
    r"|etcd_node|annotation"
)
"""How labels begin that are no part of an identity (``pkg/labelsfilter``): no pod has them, for Cilium."""

_UNCLEAR_SOURCES = {"cidr", "cidrgroup", "fqdn", "gen", "node", "unspec", "directory"}

OUTSIDE = Is(frozenset({EndKind.OUTSIDE}))
NODES = Is(frozenset({EndKind.NODE, EndKind.HOST_POD}))
REMOTE_NODES: Formula = conjunction(NODES, Not(OnNode()))
_OWN: Mapping[str, EndKind] = {
    "init": EndKind.INIT,
    "health": EndKind.HEALTH,
    "ingress": EndKind.GATEWAY,
    "unmanaged": EndKind.UNMANAGED,
}
OTHER_CLUSTERS = "which addresses pods of other clusters of the mesh have"
IN_CLUSTER = Is(frozenset({EndKind.POD, EndKind.HOST_POD, EndKind.NODE, *_OWN.values()}))
"""All that the entity ``cluster`` means, but the API server."""


def counts(key: str) -> bool:
    """Say whether a pod's label of this key is part of its identity."""
    return _LEFT_OUT.match(key) is None


def split(key: str) -> tuple[str, str]:
    """Return source and key of a selector's key: ``k8s:app``, ``any:app`` or ``app``."""
    text = key.replace("$", f"{RESERVED}:", 1) if key.startswith("$") else key
    source, colon, rest = text.partition(":")
    if not colon:
        prefix = f"{RESERVED}."
        return (RESERVED, text.removeprefix(prefix)) if text.startswith(prefix) else (ANY, text)
    return source or ANY, rest


class Identities:
    """Labels as formulas, under *settings*."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def entity(self, name: str) -> Formula | None:
        """Return whom an entity means; None for one that Cilium does not have."""
        match name:
            case "all":
                return EVERYBODY
            case "none":
                return NOBODY
            case "cluster":
                return disjunction(IN_CLUSTER, self._api_server())
            case _:
                return self._reserved(name)

    def has(self, source: str, key: str, values: frozenset[str] | None, place: str) -> Formula:
        """Return who has a label *key* of *source*, with one of *values* where there are any. Raises `UnclearError`."""
        if source in _UNCLEAR_SOURCES or key == _NAMED_PORTS or (source == ANY and parse_cidr(key) is not None):
            raise UnclearError(f"what labels of the source {source!r} such as {key!r} mean is not known here", place)
        found: list[Formula] = []
        if source in {ANY, KUBERNETES}:
            found.append(self._of_pods(key, values))
        if source in {ANY, RESERVED}:
            if key.startswith("world-"):
                raise UnclearError(f"which addresses {RESERVED}:{key} means depends on the families of the cluster", place)
            reserved = self._reserved(key)
            if reserved is not None and (values is None or "" in values):
                found.append(reserved)
        return disjunction(*found)

    def own_cluster(self) -> Formula | None:
        """Return what is asked of peers of policies that name no cluster; None for nothing."""
        wanted = self.has(KUBERNETES, CLUSTER_KEY, frozenset({self.settings.cluster}), "")
        match self.settings.local_cluster_only:
            case True:
                return wanted
            case False:
                return None
            case None:
                return disjunction(wanted, Unknowable("whether this version of Cilium keeps peers to the own cluster"))

    def elsewhere(self) -> Formula:
        """Return pods of other clusters. Where this one is part of a mesh, any address outside may be such a pod's."""
        in_mesh = self.settings.in_mesh
        return conjunction(OUTSIDE, Unknowable(OTHER_CLUSTERS)) if in_mesh else Is(frozenset({EndKind.ELSEWHERE}))

    def _reserved(self, name: str) -> Formula | None:
        match name:
            case "host":
                return OnNode()
            case "remote-node":
                return REMOTE_NODES
            case "world":
                return OUTSIDE
            case "kube-apiserver":
                return self._api_server()
            case _:
                return Is(frozenset({_OWN[name]})) if name in _OWN else None

    def _api_server(self) -> Formula:
        if self.settings.api_servers is None:
            return conjunction(OUTSIDE, Unknowable("the addresses of the API server"))
        networks = (parse_cidr(text) for text in self.settings.api_servers)
        return Within(frozenset(n for n in networks if n is not None))

    def _of_pods(self, key: str, values: frozenset[str] | None) -> Formula:
        if key in {NAMESPACE_KEY, _ACCOUNT_KEY}:
            scope = Scope.NAMESPACE if key == NAMESPACE_KEY else Scope.ACCOUNT
            return PODS if values is None else conjunction(PODS, Named(scope, values))
        if key == CLUSTER_KEY:
            return PODS if values is None or self.settings.cluster in values else NOBODY
        scope = Scope.POD
        if key.startswith(NAMESPACE_LABELS):
            scope, key = Scope.NAMESPACE, key.removeprefix(NAMESPACE_LABELS)
        elif not counts(key):
            return NOBODY
        asked = Label(scope, key, Test.EXISTS) if values is None else Label(scope, key, Test.IN, values)
        return conjunction(PODS, asked)
