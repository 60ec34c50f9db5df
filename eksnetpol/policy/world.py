"""What an engine thinks about: the objects of one snapshot that decide what may flow.

`World.of` makes it of a snapshot. Sections that could not be read are empty here and named in ``unread``, so that whoever speaks
of an answer can say what it was made without.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.findings import Subject
from eksnetpol.model.foreign import ForeignPolicy
from eksnetpol.model.kubernetes import EndpointSlice, Namespace, Node, Pod, Service, ServiceAccount
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy, PolicyEndpoint
from eksnetpol.model.snapshot import ClusterSnapshot, Origin, Seen, SourceKind, Unread, UnreadSection, Why
from eksnetpol.model.versions import ImageReference
from eksnetpol.policy.addresses import family_of, parse_cidr

_NEEDED = (
    "pods",
    "namespaces",
    "services",
    "nodes",
    "network_policies",
    "application_policies",
    "cluster_policies",
    "policy_endpoints",
    "cluster_policy_endpoints",
)

OF_PODS = "what is worked out of pods and service accounts alone"
"""The name in `World.memo` of a dictionary that worlds with the same pods and accounts may share."""


@dataclass(frozen=True)
class World:
    """Objects, as they were read. ``admin_policies`` are those of ``policy.networking.k8s.io``, of all its kinds."""

    pods: tuple[Pod, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    services: tuple[Service, ...] = ()
    nodes: tuple[Node, ...] = ()
    network_policies: tuple[NetworkPolicy, ...] = ()
    application_policies: tuple[NetworkPolicy, ...] = ()
    cluster_policies: tuple[ClusterNetworkPolicy, ...] = ()
    admin_policies: tuple[AdminPolicy, ...] = ()
    policy_endpoints: tuple[PolicyEndpoint, ...] = ()
    cluster_policy_endpoints: tuple[PolicyEndpoint, ...] = ()
    service_accounts: tuple[ServiceAccount, ...] = ()
    foreign_policies: tuple[ForeignPolicy, ...] = ()
    """Policies of other engines, and what they refer to."""
    endpoint_slices: tuple[EndpointSlice, ...] = ()
    """What is behind Services, as far as it was asked for."""
    configmaps: Mapping[str, Mapping[str, str]] | Unread | None = None
    """Data of ConfigMaps of ``kube-system`` by name; None where nobody looked, why not where they could not be read."""
    agents: Mapping[str, str] = field(default_factory=dict)
    """The release of other engines' agents, as far as their images tell, by the name of their DaemonSet."""
    """What ConfigMaps of ``kube-system`` set, by their names; None where they were not read."""
    api_servers: frozenset[str] | None = None
    """Addresses of the Kubernetes API; None where they were not read."""
    source: SourceKind = SourceKind.LIVE
    origins: Mapping[str, Origin] = field(default_factory=dict)
    unread: tuple[UnreadSection, ...] = ()
    family: str = ""
    """``ipv4`` or ``ipv6``; empty where nothing tells."""
    service_cidr: str = ""
    """From which block Services get their addresses; empty where nothing tells."""
    memo: dict[str, Any] = field(init=False, default_factory=dict, compare=False, repr=False)
    """What others have worked out of it and want to find again, by name."""

    @classmethod
    def of(cls, snapshot: ClusterSnapshot) -> World:
        """Return what *snapshot* holds of it."""
        found: dict[str, Any] = {}
        unread: list[UnreadSection] = []
        for name in (*_NEEDED, "admin_policies", "service_accounts", "foreign_policies"):
            section = getattr(snapshot, name, None)
            if isinstance(section, Seen):
                found[name] = section.value
            elif section is not None and section.why not in {Why.NOT_IN_FILES, Why.NOT_ASKED}:
                unread.append(UnreadSection(name, section))
        return cls(
            **found,
            endpoint_slices=snapshot.endpoint_slices.value if isinstance(snapshot.endpoint_slices, Seen) else (),
            configmaps=_configmaps(snapshot),
            agents=_agents(snapshot),
            api_servers=_api_servers(snapshot),
            source=snapshot.source,
            origins=snapshot.origins,
            unread=tuple(unread),
            family=_family(snapshot),
            service_cidr=_service_cidr(snapshot),
        )

    @cached_property
    def service_by_name(self) -> Mapping[tuple[str, str], Service]:
        """Services by namespace and name."""
        return {(s.namespace, s.name): s for s in self.services}

    @cached_property
    def slices_by_service(self) -> Mapping[tuple[str, str], tuple[EndpointSlice, ...]]:
        """EndpointSlices by namespace and name of their Service. A Service that is not among them was not asked about."""
        found: dict[tuple[str, str], tuple[EndpointSlice, ...]] = {}
        for one in self.endpoint_slices:
            found[one.service] = (*found.get(one.service, ()), one)
        return found

    @cached_property
    def namespace_labels(self) -> Mapping[str, Mapping[str, str]]:
        """Labels of namespaces, as they were read, by name."""
        return {n.name: n.metadata.labels for n in self.namespaces}

    @cached_property
    def account_labels(self) -> Mapping[tuple[str, str], Mapping[str, str]]:
        """Labels of service accounts, by namespace and name."""
        return {(a.metadata.namespace, a.metadata.name): a.metadata.labels for a in self.service_accounts}

    @cached_property
    def node_addresses(self) -> Mapping[str, str]:
        """Every address that a node has, with the one by which its pods name it (``hostIP``)."""
        hosts = {p.status.host_ip for p in self.pods} | {p.status.pod_ip for p in self.pods if p.spec.host_network}
        found = {text: text for text in hosts if text}
        for node in self.nodes:
            own = [text for a in node.status.addresses if (text := _plain(a.address))]
            first = next((text for text in own if text in hosts), own[0] if own else "")
            found |= dict.fromkeys(own, first)
        return found

    def origin(self, subject: Subject) -> Origin | None:
        """Return the file and line that *subject* was read from, where it came from a file."""
        return self.origins.get(str(subject))


def _configmaps(snapshot: ClusterSnapshot) -> Mapping[str, Mapping[str, str]] | Unread | None:
    section = snapshot.configmaps
    if not isinstance(section, Seen):
        return None if section.why in {Why.NOT_IN_FILES, Why.NOT_ASKED} else section
    found = {c.metadata.name: c.data for c in section.value if c.metadata.namespace == "kube-system"}
    daemonsets = snapshot.daemonsets.value if isinstance(snapshot.daemonsets, Seen) else ()
    homes = [d.metadata.namespace for d in daemonsets if d.name == "cilium"]
    # Its chart can be installed into any namespace, and keeps what it sets beside its agent.
    found |= {c.metadata.name: c.data for c in section.value if c.metadata.name == _CILIUM and c.metadata.namespace in homes}
    if homes and _CILIUM not in found and snapshot.source is SourceKind.LIVE:
        where = ", ".join(sorted(set(homes)))
        words = f"Cilium's agent runs in {where}, and its ConfigMap {_CILIUM} is neither there nor in kube-system"
        return Unread(words, Why.UNREADABLE)
    return found


_CILIUM = "cilium-config"


def _agents(snapshot: ClusterSnapshot) -> Mapping[str, str]:
    found = {}
    for one in snapshot.daemonsets.value if isinstance(snapshot.daemonsets, Seen) else ():
        container = one.container("cilium-agent") if one.name == "cilium" else None
        image = ImageReference.parse(container.image) if container is not None else None
        if image is not None:
            found[one.name] = image.tag
    return found


def _api_servers(snapshot: ClusterSnapshot) -> frozenset[str] | None:
    if not isinstance(snapshot.api_server_endpoints, Seen):
        return None
    slices = snapshot.api_server_endpoints.value
    return frozenset(address for one in slices for endpoint in one.endpoints for address in endpoint.addresses) or None


def _plain(text: str) -> str:
    """Return an address the way it is written by everyone else; empty for a name."""
    network = parse_cidr(text)
    return "" if network is None or network.prefixlen != network.max_prefixlen else str(network.network_address)


def _family(snapshot: ClusterSnapshot) -> str:
    if isinstance(snapshot.cluster, Seen) and snapshot.cluster.value.kubernetes_network_config.ip_family:
        return snapshot.cluster.value.kubernetes_network_config.ip_family
    services = snapshot.services.value if isinstance(snapshot.services, Seen) else ()
    pods = snapshot.pods.value if isinstance(snapshot.pods, Seen) else ()
    return _first(s.spec.cluster_ip for s in services) or _first(p.status.pod_ip for p in pods)


def _service_cidr(snapshot: ClusterSnapshot) -> str:
    if not isinstance(snapshot.cluster, Seen):
        return ""
    network = snapshot.cluster.value.kubernetes_network_config
    return network.service_ipv6_cidr if network.ip_family == "ipv6" else network.service_ipv4_cidr


def _first(addresses: Iterable[str]) -> str:
    for address in addresses:
        family = family_of(address) if address and address != "None" else None
        if family:
            return family
    return ""
