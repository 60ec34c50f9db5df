"""Whom Antrea's peers, groups and ``appliedTo`` mean. Pods on the host network are never members (antrea-io/antrea#3078)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from eksnetpol.engines.antrea.refusals import NotTaken
from eksnetpol.engines.antrea.schema import AppliedTo, Block, GroupSpec, Namespaces, Peer, Reference, Selector
from eksnetpol.engines.kubernetes_policies import NODES_OF_TODAY, PODS, all_of, any_of, block, in_namespace, nodes, pods, selected
from eksnetpol.model.kubernetes import Service
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.backends import has_address
from eksnetpol.policy.connections import NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.stacks.formulas import (
    EVERYBODY,
    NOBODY,
    EndKind,
    Formula,
    Is,
    Named,
    SameNamespace,
    Scope,
    Unknowable,
)
from eksnetpol.policy.stacks.rules import PortName
from eksnetpol.policy.world import World

_NODES = Is(frozenset({EndKind.NODE, EndKind.HOST_POD}))
_NO_PODS = Is(frozenset({EndKind.NODE, EndKind.OUTSIDE}))

Groups = Mapping[tuple[str, str], GroupSpec]
"""Groups by namespace and name; a ClusterGroup has no namespace."""


class Backends(NamedTuple):
    """The pods behind one Service of ``toServices``, and its ports as they have them."""

    peer: Formula
    connections: Connections
    names: tuple[PortName, ...]


class Meaning:
    """Tells whom the words of policies of one namespace mean; those of cluster-wide ones where *namespace* is empty."""

    def __init__(self, world: World, groups: Groups, namespace: str) -> None:
        self.world = world
        self.groups = groups
        self.namespace = namespace

    # --- peers --------------------------------------------------------------------------------------------------------

    def peers(self, peers: Iterable[Peer]) -> Formula:
        """Return whom a list of peers means; none at all means everybody."""
        found = [self._peer(peer) for peer in peers]
        return any_of(found) if found else EVERYBODY

    def _peer(self, peer: Peer) -> Formula:  # noqa: PLR0911 - one line per kind of peer
        if peer.ip_block is not None:
            return _blocks((peer.ip_block,))
        if peer.group:
            return self.group(peer.group)
        if peer.fqdn:
            return Unknowable(f"the addresses of {peer.fqdn}")
        if peer.service_account is not None:
            return _of_account(peer.service_account)
        if peer.node_selector is not None:
            return nodes(peer.node_selector, self.world)
        if peer.external_entity_selector is not None:
            return _external(peer.external_entity_selector)
        if peer.namespaces is not None:
            meant = all_of((PODS, _in_common(peer.namespaces), selected(peer.pod_selector)))
        else:
            meant = self._pods(peer.pod_selector, peer.namespace_selector)
        return any_of((meant, Unknowable("pods of other clusters of the ClusterSet"))) if peer.scope == "ClusterSet" else meant

    def services(self, references: Iterable[Reference]) -> Iterator[Backends]:
        """Yield what ``toServices`` means: pods behind Services where they are reached by the Service's address.

        A connection that goes straight to the pod is not meant, and no policy engine that sees pods alone can tell the two apart.
        """
        for reference in references:
            namespace = reference.namespace or self.namespace
            service = self.world.service_by_name.get((namespace, reference.name))
            title = f"the Service {namespace}/{reference.name}"
            through = Unknowable(f"whether they are reached through {title}")
            if getattr(reference, "scope", "") == "ClusterSet":
                through = Unknowable(f"what is behind {title} in the whole ClusterSet")
            if service is None:
                yield Backends(Unknowable(f"what is behind {title}, which is not among the objects"), *_all_ports())
            elif has_address(service):
                behind = in_namespace(namespace, _selector(service)) if service.spec.selector else EVERYBODY
                yield Backends(all_of((behind, through)), *_target_ports(service))
            else:
                # It has no address to be reached by.
                yield Backends(NOBODY, *_all_ports())

    def looked_up(self, entries: Iterable[Peer | AppliedTo], services: Iterable[Reference] = ()) -> Iterator[str]:
        """Yield what is looked up in the cluster for these: it may be otherwise tomorrow."""
        for entry in entries:
            if entry.group:
                title = f"Group {self.namespace}/{entry.group}" if self.namespace else f"ClusterGroup {entry.group}"
                yield f"whom the {title} means is written as it is today"
            if entry.node_selector is not None:
                yield NODES_OF_TODAY
        behind = (entry.service for entry in entries if isinstance(entry, AppliedTo) and entry.service is not None)
        for reference in (*behind, *services):
            title = f"{reference.namespace or self.namespace}/{reference.name}"
            yield f"what is behind the Service {title} is written as it is today"

    # --- for whom -----------------------------------------------------------------------------------------------------

    def subjects(self, entries: Iterable[AppliedTo], place: str) -> Formula:
        """Return for which pods ``appliedTo`` means a policy or rule to hold.

        Raises `NotTaken` for a Group of pods of other namespaces.
        """
        return any_of([self._subject(entry, f"{place}[{at}]") for at, entry in enumerate(entries)])

    def _subject(self, entry: AppliedTo, place: str) -> Formula:
        if entry.group:
            if self.namespace and any(g.namespace_selector is not None for g in self._members(entry.group)):
                raise NotTaken(place, f"the Group {entry.group} has pods of other namespaces")
            # A block in a group that policies are applied to is left out.
            return self.group(entry.group, blocks=False)
        if entry.service_account is not None:
            return _of_account(entry.service_account)
        if entry.service is not None:
            return self._behind(entry.service)
        if entry.node_selector is not None:
            return all_of((_NODES, nodes(entry.node_selector, self.world)))
        if entry.external_entity_selector is not None:
            return _external(entry.external_entity_selector)
        return self._pods(entry.pod_selector, entry.namespace_selector)

    def _pods(self, selector: Selector | None, namespaces: Selector | None) -> Formula:
        if self.namespace and namespaces is None:
            return in_namespace(self.namespace, selector)
        return pods(namespaces, selector)

    # --- groups -------------------------------------------------------------------------------------------------------

    def group(self, name: str, *, blocks: bool = True) -> Formula:
        """Return whom a group means: its own members, or those of the groups in it, which have none in them."""
        spec = self.groups.get((self.namespace, name))
        if spec is None:
            return self._missing(name, as_peer=blocks)
        return any_of([self._member(child, member, blocks=blocks) for child, member in self._named_members(name)])

    def _members(self, name: str) -> list[GroupSpec]:
        return [spec for _, spec in self._named_members(name) if spec is not None]

    def _named_members(self, name: str) -> list[tuple[str, GroupSpec | None]]:
        spec = self.groups.get((self.namespace, name))
        if spec is None or not spec.child_groups:
            return [(name, spec)]
        return [(child, self.groups.get((self.namespace, child))) for child in spec.child_groups]

    def _member(self, name: str, spec: GroupSpec | None, *, blocks: bool) -> Formula:  # noqa: PLR0911 - one line per kind
        if spec is None:
            return self._missing(name, as_peer=blocks)
        if spec.child_groups:
            return Unknowable(f"whom the group {name} means, which is in another and has groups in it")
        if spec.ip_blocks:
            return _blocks(spec.ip_blocks) if blocks else NOBODY
        if spec.service_reference is not None:
            return self._behind(spec.service_reference)
        if spec.node_selector is not None:
            return nodes(spec.node_selector, self.world)
        if spec.external_entity_selector is not None:
            return _external(spec.external_entity_selector)
        return self._pods(spec.pod_selector, spec.namespace_selector)

    def _missing(self, name: str, *, as_peer: bool) -> Formula:
        anybody = Unknowable(f"whom the group {name} means, which is not among the objects that could be read")
        # A policy of a namespace holds for none but its pods: a Group of others is not taken there.
        return all_of((in_namespace(self.namespace), anybody)) if self.namespace and not as_peer else anybody

    def _behind(self, reference: Reference) -> Formula:
        namespace = reference.namespace or self.namespace
        service = self.world.service_by_name.get((namespace, reference.name))
        if service is None:
            title = f"the Service {namespace}/{reference.name}, which is not among the objects"
            # Whoever they are, a Service has pods of its own namespace behind it.
            return all_of((in_namespace(namespace), Unknowable(f"what is behind {title}")))
        return in_namespace(namespace, _selector(service)) if service.spec.selector else NOBODY


def _in_common(namespaces: Namespaces) -> Formula:
    return SameNamespace(namespaces.same_labels)


def _blocks(blocks: Iterable[Block]) -> Formula:
    return any_of([block(b.cidr, b.except_) for b in blocks])


def _of_account(account: Reference) -> Formula:
    return all_of((in_namespace(account.namespace), Named(Scope.ACCOUNT, frozenset({account.name}))))


def _external(selector: Selector) -> Formula:
    return all_of((_NO_PODS, Unknowable(f"the addresses of external entities with {selector}")))


def _selector(service: Service) -> LabelSelector:
    return LabelSelector(match_labels=service.spec.selector)


def _all_ports() -> tuple[Connections, tuple[PortName, ...]]:
    found = NOTHING
    for protocol in WITH_PORTS:
        found = found | Connections.only(protocol)
    return found, ()


def _target_ports(service: Service) -> tuple[Connections, tuple[PortName, ...]]:
    found = NOTHING
    names: list[PortName] = []
    for port in service.spec.ports:
        if isinstance(port.target_port, str):
            names.append(PortName(port.target_port, port.protocol))
        elif port.protocol in WITH_PORTS:
            found = found | Connections.only(port.protocol, PortSet.of(port.target_port or port.port))
    return found, tuple(names)
