"""The control plane as a client of the cluster's own pods: whom it calls, and from where."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from eksnetpol.facts.declare import fact
from eksnetpol.model.eks import Cluster, Subnet
from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import ApiService, EndpointSlice, WebhookConfiguration, WebhookServiceRef
from eksnetpol.model.snapshot import Unread, Why
from eksnetpol.policy.addresses import parse_cidr


@dataclass(frozen=True, slots=True)
class Backend:
    """A Service and its port that the API server calls; ``users`` are the configurations and APIs that name it."""

    namespace: str
    name: str
    port: int
    users: tuple[str, ...]

    @property
    def subject(self) -> Subject:
        """The Service, as findings name it."""
        return Subject("Service", self.name, self.namespace)


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Whom it calls, and ``addresses`` it calls from: its present ones, or the first and last of each of its subnets.

    ``words`` say what to allow; ``doubt`` says why there are no addresses.
    """

    backends: tuple[Backend, ...]
    addresses: tuple[str, ...]
    words: str
    doubt: str = ""


@fact
def control_plane(
    webhooks: tuple[WebhookConfiguration, ...],
    api_services: tuple[ApiService, ...] | Unread,
    api_server_endpoints: tuple[EndpointSlice, ...] | Unread,
    cluster: Cluster | Unread,
    subnets: tuple[Subnet, ...] | Unread,
) -> ControlPlane | Unread:
    """Webhook configurations and APIServices by the Service behind them; addresses by AWS, else by EndpointSlice.

    The addresses of the Service default/kubernetes are those of the control plane's network interfaces, which are in the
    cluster's subnets and change when the control plane is scaled or updated.
    """
    if isinstance(api_services, Unread) and api_services.why not in {Why.NOT_IN_FILES, Why.NOT_ASKED}:
        return api_services
    users: dict[tuple[str, str, int], dict[str, None]] = {}
    for ref, user in _references(webhooks, () if isinstance(api_services, Unread) else api_services):
        users.setdefault((ref.namespace, ref.name, ref.port), {})[user] = None
    backends = tuple(Backend(*key, tuple(names)) for key, names in users.items())
    cidrs = _subnets(cluster, subnets)
    if cidrs:
        ends = tuple(end for cidr in cidrs for end in _ends(cidr))
        return ControlPlane(backends, ends, f"the cluster's subnets ({', '.join(cidrs)})")
    slices = () if isinstance(api_server_endpoints, Unread) else api_server_endpoints
    known = tuple(dict.fromkeys(a for s in slices for e in s.endpoints for a in e.addresses))
    if known:
        return ControlPlane(backends, known, f"the cluster's subnets, in which {', '.join(known)} are today")
    doubt = next((s.reason for s in (subnets, cluster, api_server_endpoints) if isinstance(s, Unread)), "it has no addresses")
    return ControlPlane(backends, (), "the cluster's subnets", doubt)


def _references(
    webhooks: tuple[WebhookConfiguration, ...], api_services: tuple[ApiService, ...]
) -> Iterator[tuple[WebhookServiceRef, str]]:
    for configuration in webhooks:
        for webhook in configuration.webhooks:
            if webhook.client_config.service is not None:
                kind = configuration.kind or "WebhookConfiguration"
                yield webhook.client_config.service, f"{kind.lower()}/{configuration.metadata.name}"
    for api in api_services:
        if api.spec.service is not None:
            yield api.spec.service, f"apiservice/{api.metadata.name}"


def _subnets(cluster: Cluster | Unread, subnets: tuple[Subnet, ...] | Unread) -> tuple[str, ...]:
    if isinstance(cluster, Unread) or isinstance(subnets, Unread):
        return ()
    wanted = set(cluster.resources_vpc_config.subnet_ids)
    six = cluster.kubernetes_network_config.ip_family == "ipv6"
    found = (c for s in subnets if s.subnet_id in wanted for c in (s.ipv6_cidrs if six else (s.cidr_block,)))
    return tuple(dict.fromkeys(c for c in found if parse_cidr(c) is not None))


def _ends(cidr: str) -> tuple[str, str]:
    network = ipaddress.ip_network(cidr, strict=False)
    return str(network.network_address), str(network.broadcast_address)
