"""One end of a connection as formulas see it, and whether a formula means it: yes, no, or nobody can know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.stacks.clauses import NAME_LABEL, PODS, met_by
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
    Unknowable,
    Within,
)
from eksnetpol.policy.world import World

DEFAULT_ACCOUNT = "default"
"""The service account of a pod that names none; admission writes it."""


@dataclass(frozen=True, slots=True)
class End:
    """One end. Labels and names are those of a pod, and empty for what is none.

    ``address`` is empty where it is not known: then no block but that of all addresses holds it. ``version`` is its family then,
    4 or 6; 0 means either. ``node`` is the address of the node that a pod runs on, or that a node has; empty where not known.
    """

    kind: EndKind
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    account_labels: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    node: str = ""
    version: int = 0


def end_of_pod(world: World, pod: Pod) -> End:
    """Return *pod* as an end, with the labels that its namespace and service account have in *world*."""
    namespace = world.namespace_labels.get(pod.namespace, {})
    account = pod.spec.service_account_name or DEFAULT_ACCOUNT
    is_host = pod.spec.host_network
    address = pod.status.pod_ip or (pod.status.host_ip if is_host else "")
    return End(
        kind=EndKind.HOST_POD if is_host else EndKind.POD,
        namespace=pod.namespace,
        labels=pod.labels,
        namespace_labels={NAME_LABEL: pod.namespace} | dict(namespace),
        account=account,
        account_labels=world.account_labels.get((pod.namespace, account), {}),
        address=address,
        node=pod.status.host_ip or (address if is_host else ""),
        version=6 if world.family == "ipv6" else 4,
    )


def end_at(world: World, address: str) -> End:
    """Return an address that is no pod's as an end: a node of *world*, or somebody outside."""
    network = parse_cidr(address)
    shown = "" if network is None else str(network.network_address)
    if shown in world.node_addresses:
        return End(EndKind.NODE, address=shown, node=shown)
    return End(EndKind.OUTSIDE, address=shown)


def holds(formula: Formula, end: End, other: End | None = None) -> bool | None:  # noqa: PLR0911 - one line per kind of formula
    """Say whether *formula* means *end*, where *other* is at the other end; None where nobody can know."""
    match formula:
        case And():
            return _every(formula.parts, end, other)
        case Or():
            return _some(formula.parts, end, other)
        case Not():
            part = holds(formula.part, end, other)
            return None if part is None else not part
        case Unknowable():
            return None
        case Is():
            return end.kind in formula.kinds
        case Within():
            return _is_within(formula.networks, end)
        case OnNode():
            return _is_own_node(end, other)
        case _:
            return end.kind in PODS and _has(formula, end, other)


def _every(parts: tuple[Formula, ...], end: End, other: End | None) -> bool | None:
    answer: bool | None = True
    for part in parts:
        found = holds(part, end, other)
        if found is False:
            return False
        answer = None if found is None else answer
    return answer


def _some(parts: tuple[Formula, ...], end: End, other: End | None) -> bool | None:
    answer: bool | None = False
    for part in parts:
        found = holds(part, end, other)
        if found:
            return True
        answer = None if found is None else answer
    return answer


def _has(atom: Label | Named | SameNamespace, end: End, other: End | None) -> bool:
    match atom:
        case Label():
            value = _labels(end, atom.scope).get(atom.key)
            return value is not None and met_by(atom, value)
        case Named():
            return (end.account if atom.scope is Scope.ACCOUNT else end.namespace) in atom.names
        case SameNamespace():
            if other is None or other.kind not in PODS:
                return False
            if not atom.keys:
                return end.namespace == other.namespace
            mine, theirs = end.namespace_labels, other.namespace_labels
            return all(key in mine and mine[key] == theirs.get(key) for key in atom.keys)


def _labels(end: End, scope: Scope) -> Mapping[str, str]:
    match scope:
        case Scope.POD:
            return end.labels
        case Scope.NAMESPACE:
            return end.namespace_labels
        case Scope.ACCOUNT:
            return end.account_labels


def _is_within(networks: frozenset[Network], end: End) -> bool:
    if not end.address:
        return any(n.prefixlen == 0 and end.version in {0, n.version} for n in networks)
    here = parse_cidr(end.address)
    if here is None:
        return False
    number = int(here.network_address)
    return any(n.version == here.version and int(n.network_address) <= number <= int(n.broadcast_address) for n in networks)


def _is_own_node(end: End, other: End | None) -> bool:
    if other is None or other.kind is not EndKind.POD or end.kind not in {EndKind.NODE, EndKind.HOST_POD}:
        return False
    return bool(end.node) and end.node == other.node
