"""What pods need beyond each other, as far as a snapshot tells: accounts and roles, the control plane's addresses, the VPC.

What was not read stays `Unread` here, so that whoever asks for it can only answer *unknown*.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from eksnetpol.model.eks import Instance, PodIdentityAssociation, Subnet, Vpc, VpcEndpoint
from eksnetpol.model.kubernetes import ApiService, EndpointSlice, ServiceAccount, WebhookConfiguration, Workload
from eksnetpol.model.snapshot import NOT_ASKED, ClusterSnapshot, Seen, Unread, Why
from eksnetpol.policy.addresses import family_of
from eksnetpol.policy.universe import Classes, Universe, set_of

T = TypeVar("T")

ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
NODE_LOCAL_DNS = "node-local-dns"
"""The DaemonSet of NodeLocal DNSCache, and the label ``k8s-app`` of its pods."""

UNTOLD = frozenset({Why.NOT_IN_FILES, Why.NOT_ASKED})
"""Why a section is unread without anything being wrong."""

_SECTIONS = (
    "service_accounts",
    "pod_identities",
    "webhooks",
    "api_services",
    "daemonsets",
    "subnets",
    "vpc",
    "vpc_endpoints",
    "api_server_endpoints",
    "instances",
)


@dataclass(frozen=True)
class Surroundings:
    """Sections of a snapshot, each its value or why there is none. ``subnets`` are those of the control plane.

    ``incomplete`` names the sections that files gave: what is not in them may be there all the same. ``v4_way_out`` is True for
    pods of an IPv6 cluster that leave it by IPv4, where no policy holds for them.
    """

    service_accounts: tuple[ServiceAccount, ...] | Unread = NOT_ASKED
    pod_identities: tuple[PodIdentityAssociation, ...] | Unread = NOT_ASKED
    webhooks: tuple[WebhookConfiguration, ...] | Unread = NOT_ASKED
    api_services: tuple[ApiService, ...] | Unread = NOT_ASKED
    daemonsets: tuple[Workload, ...] | Unread = NOT_ASKED
    subnets: tuple[Subnet, ...] | Unread = NOT_ASKED
    vpc: Vpc | Unread = NOT_ASKED
    vpc_endpoints: tuple[VpcEndpoint, ...] | Unread = NOT_ASKED
    api_server_endpoints: tuple[EndpointSlice, ...] | Unread = NOT_ASKED
    instances: tuple[Instance, ...] | Unread = NOT_ASKED
    incomplete: frozenset[str] = frozenset()
    v4_way_out: bool = False

    @classmethod
    def of(cls, snapshot: ClusterSnapshot, *, v4_way_out: bool = False) -> Surroundings:
        """Return what *snapshot* holds of it."""
        values: dict[str, Any] = {}
        incomplete = set()
        for name in _SECTIONS:
            section = getattr(snapshot, name)
            values[name] = section.value if isinstance(section, Seen) else section
            if isinstance(section, Seen) and not section.complete:
                incomplete.add(name)
        return cls(**values, incomplete=frozenset(incomplete), v4_way_out=v4_way_out)

    def blocks_of_subnets(self, family: str) -> tuple[str, ...] | Unread:
        """Return the blocks that the control plane's interfaces have their addresses in."""
        if isinstance(self.subnets, Unread):
            return self.subnets
        blocks = (b for s in self.subnets for b in (s.cidr_block, *s.ipv6_cidrs))
        return _of_family(blocks, family)

    def blocks_of_vpc(self, family: str) -> tuple[str, ...] | Unread:
        """Return the blocks of the VPC."""
        return self.vpc if isinstance(self.vpc, Unread) else _of_family(self.vpc.cidrs, family)

    def addresses_of_api_server(self, family: str) -> tuple[str, ...] | Unread:
        """Return the API server's own addresses."""
        if isinstance(self.api_server_endpoints, Unread):
            return self.api_server_endpoints
        return _of_family((a for s in self.api_server_endpoints for e in s.endpoints for a in e.addresses), family)

    def hands_out_metadata(self) -> bool:
        """Say whether any node may hand out instance metadata to pods; True where that is not known."""
        if isinstance(self.instances, Unread) or not self.instances:
            return True
        return any(_hands_out(i) for i in self.instances)


def _of_family(texts: Iterable[str], family: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(t for t in texts if t and family_of(t) == family))


def _hands_out(instance: Instance) -> bool:
    options = instance.metadata_options
    # A pod is one hop further away than its node, and the hop limit holds for answers of IMDSv2 alone.
    far = options.http_tokens != "required" or options.http_put_response_hop_limit != 1
    return options.http_endpoint != "disabled" and far


@dataclass(frozen=True, slots=True)
class Credentials:
    """Classes by where they get AWS credentials. Those of ``perhaps_*`` may, as far as what was read tells."""

    pod_identity: Classes
    perhaps_pod_identity: Classes
    irsa: Classes
    perhaps_irsa: Classes
    node_role: Classes
    perhaps_node_role: Classes
    mounts_token: Classes


def credentials(universe: Universe, around: Surroundings) -> Credentials:
    """Return where the pods of *universe* get credentials: an association goes before a role's annotation (IRSA)."""
    roles = _known(around.service_accounts, "service_accounts", around)
    listed = {} if isinstance(around.service_accounts, Unread) else {
        (a.metadata.namespace, a.metadata.name): a for a in around.service_accounts
    }
    associated = set() if isinstance(around.pod_identities, Unread) else {
        (p.namespace, p.service_account) for p in around.pod_identities
    }
    all_associated = _known(around.pod_identities, "pod_identities", around)
    groups: dict[str, list[int]] = {name: [] for name in Credentials.__dataclass_fields__}
    verdicts: dict[tuple[str, str], tuple[tuple[str, ...], bool]] = {}
    for c in universe.classes:
        key = (c.namespace, c.service_account or "default")
        known = verdicts.get(key)
        if known is None:
            account = listed.get(key)
            irsa = bool(account.metadata.annotations.get(ROLE_ANNOTATION)) if account else (False if roles else None)
            association = True if key in associated else (False if all_associated else None)
            mounts = account is None or account.automount_service_account_token is not False
            known = verdicts[key] = (tuple(_sources(association, irsa)), mounts)
        for name in known[0]:
            groups[name].append(c.index)
        explicit = c.example.spec.automount_service_account_token
        if explicit is True or (explicit is None and known[1]):
            groups["mounts_token"].append(c.index)
    return Credentials(**{name: set_of(indexes) for name, indexes in groups.items()})


def _known(section: object, name: str, around: Surroundings) -> bool:
    return not isinstance(section, Unread) and name not in around.incomplete


def _sources(association: bool | None, irsa: bool | None) -> Iterable[str]:
    if association:
        yield "pod_identity"
        return
    if association is None and not irsa:
        yield "perhaps_pod_identity"
    if irsa:
        yield "irsa"
    elif irsa is None:
        yield "perhaps_irsa"
    if not irsa:
        yield "perhaps_node_role" if None in {association, irsa} else "node_role"
