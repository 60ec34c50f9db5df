"""Whom the peers of a rule mean: endpoints, entities, blocks, Services, names, groups and nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from msgspec import UNSET

from eksnetpol.engines.cilium.faults import UnclearError, by_parser, by_schema
from eksnetpol.engines.cilium.identities import ANY, KUBERNETES, NODES, OUTSIDE, REMOTE_NODES, RESERVED, Identities
from eksnetpol.engines.cilium.selectors import Selectors, asked
from eksnetpol.engines.cilium.shapes import CidrRule, Fqdn, Group, Rule, Selector, ServicePeer
from eksnetpol.engines.kubernetes_policies import PODS
from eksnetpol.model.kubernetes import Service
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.stacks.algebra import conjunction, disjunction
from eksnetpol.policy.stacks.formulas import NOBODY, Formula, Is, Named, Not, Scope, Unknowable, Within
from eksnetpol.policy.world import World

CIDR_GROUP = "CiliumCIDRGroup"
_API_SERVER = "kube-apiserver"


@dataclass(frozen=True)
class CidrGroups:
    """Blocks by the name of their group, and the labels of groups."""

    blocks: Mapping[str, frozenset[Network]]
    labels: Mapping[str, Mapping[str, str]]

    def within(self, names: Iterable[str]) -> frozenset[Network]:
        """Return the blocks of these groups together."""
        return frozenset[Network]().union(*(self.blocks[n] for n in names))


class Peers:
    """Peers as formulas, in policies of one namespace, or without one."""

    def __init__(self, identities: Identities, namespace: str, world: World, groups: CidrGroups) -> None:
        self.identities = identities
        self.selectors = Selectors(identities, namespace)
        self.world = world
        self.groups = groups

    def of(self, rule: Rule, place: str, *, with_init: bool) -> Formula | None:
        """Return whom *rule* speaks of; None where it names nobody, which means anybody to ports.

        An empty list names nobody, also beside one that is not. Raises `RefusedError` and `UnclearError`.
        """
        lists = {name: value for name, value in _lists(rule) if value is not UNSET}
        filled = [name for name, value in lists.items() if value]
        if len(filled) > 1:
            raise by_parser(f"{filled[0]} and {filled[1]} cannot be in one rule", place)
        if getattr(rule, "from_requires", None) or getattr(rule, "to_requires", None):
            raise by_schema("fromRequires and toRequires may not hold anything any more", place)
        for name in lists:
            if name not in filled and name.endswith(("Services", "FQDNs", "Groups", "Nodes")):
                raise UnclearError(f"what an empty {name} means is not known", f"{place}.{name}")
        if not filled:
            return NOBODY if lists else None
        [name] = filled
        if name == "toServices" and rule.to_ports and self.identities.settings.pods_behind_services is False:
            raise UnclearError("what toServices beside toPorts means is not known of releases of Cilium before 1.17", place)
        found = self._field(name, lists[name], f"{place}.{name}", with_init=with_init)
        return NOBODY if len(lists) > 1 else found

    def _field(self, name: str, values: Sequence[Any], place: str, *, with_init: bool) -> Formula | None:
        what = name.removeprefix("from").removeprefix("to")
        if what == "Services":
            return self._services(values, place)
        each: Mapping[str, Callable[[Any, str], Formula]] = {
            "Endpoints": partial(self.selectors.peer, with_init=with_init),
            "Entities": self._entity,
            "CIDR": self._cidr,
            "CIDRSet": self._cidr_rule,
            "FQDNs": self._name,
            "Groups": self._group,
            "Nodes": self._nodes,
        }
        return disjunction(*(each[what](value, f"{place}[{number}]") for number, value in enumerate(values)))

    def looked_up(self, rule: Rule, place: str) -> Iterator[str]:
        """Yield what `of` looked up in the cluster: it may be otherwise tomorrow."""
        for name, values in _lists(rule):
            for number, value in enumerate([] if values is UNSET else values):
                yield from self._seen_today(name.removeprefix("from").removeprefix("to"), value, f"{place}.{name}[{number}]")

    def _seen_today(self, what: str, value: Any, place: str) -> Iterator[str]:
        by_api_server = False
        match what:
            case "CIDRSet" if value.cidr_group_ref:
                yield f"the addresses of {CIDR_GROUP.lower()}/{value.cidr_group_ref} are written as they are today"
            case "CIDRSet" if value.cidr_group_selector is not UNSET:
                yield "the addresses of the groups that a cidrGroupSelector means are written as they are today"
            case "Services":
                found = [f"{service.namespace}/{service.name}" for service in self._named(value, place)]
                for title in found:
                    yield f"what is behind the Service {title} is written as it is today"
                if not found:
                    yield "there is no such Service today, so that it means nobody"
            case "Entities":
                by_api_server = value in {"cluster", _API_SERVER}
            case "Endpoints":
                by_api_server = any(one.key == _API_SERVER and one.source in {ANY, RESERVED} for one in asked(value, place))
        if by_api_server and self.identities.settings.api_servers:
            yield "the addresses of the API server are written as they are today"

    # --- entities and blocks ------------------------------------------------------------------------------------------

    def _entity(self, name: str, place: str) -> Formula:
        found = self.identities.entity(name)
        if name in {"world-ipv4", "world-ipv6"}:
            raise UnclearError(f"what {name} means depends on the version and the families of the cluster", place)
        if found is None:
            raise by_parser(f"{name!r} is no entity", place)
        return found

    def _cidr(self, text: str, place: str) -> Formula:
        network = parse_cidr(text)
        if network is None:
            raise by_parser(f"{text!r} is no CIDR", place)
        if "/" not in text:
            raise by_schema(f"{text!r} is an address and no CIDR", place)
        return self.block(frozenset({network}))

    def block(self, networks: frozenset[Network], without: frozenset[Network] = frozenset()) -> Formula:
        """Return the addresses of *networks* but those of *without*: no pod's, and a node's only where Cilium is set so."""
        whose = Is(OUTSIDE.kinds | NODES.kinds) if self.identities.settings.cidrs_match_nodes else OUTSIDE
        if not networks:
            return NOBODY
        inside = conjunction(whose, Within(networks))
        return conjunction(inside, Not(Within(without))) if without else inside

    def _cidr_rule(self, rule: CidrRule, place: str) -> Formula:
        by_selector = rule.cidr_group_selector is not UNSET
        if (bool(rule.cidr) + bool(rule.cidr_group_ref) + by_selector) != 1:
            raise by_parser("exactly one of cidr, cidrGroupRef and cidrGroupSelector must be there", place)
        holes = self._holes(rule, place)
        if rule.cidr:
            return self.block(frozenset({_prefix(rule.cidr, f"{place}.cidr")}), holes)
        if rule.cidr_group_ref:
            return self.block(self.groups.blocks.get(rule.cidr_group_ref, frozenset()), holes)
        assert rule.cidr_group_selector is not UNSET  # noqa: S101 - one of the three is there
        found = self._by_groups(rule.cidr_group_selector, f"{place}.cidrGroupSelector")
        return conjunction(found, Not(self.block(holes))) if holes else found

    def _holes(self, rule: CidrRule, place: str) -> frozenset[Network]:
        texts = [] if rule.except_ is UNSET else rule.except_
        holes = [_prefix(text, f"{place}.except[{at}]") for at, text in enumerate(texts)]
        if rule.cidr:
            whole = _prefix(rule.cidr, f"{place}.cidr")
            for at, hole in enumerate(holes):
                if hole.version != whole.version or hole.network_address not in whole:
                    raise by_parser(f"{hole} is not within {rule.cidr}", f"{place}.except[{at}]")
        return frozenset(holes)

    def _by_groups(self, selector: Selector, place: str) -> Formula:
        """Return whoever has such labels of groups. Who is in no group has none, and what is denied is true of it."""
        parts: list[Formula] = []
        for one in asked(selector, place):
            names = [
                name
                for name, labels in self.groups.labels.items()
                if one.key in labels and (one.values is None or labels[one.key] in one.values)
            ]
            has = self.block(self.groups.within(names))
            parts.append(has if one.wanted else Not(has))
        return conjunction(*parts)

    # --- what is looked up --------------------------------------------------------------------------------------------

    def _services(self, peers: Iterable[ServicePeer], place: str) -> Formula | None:
        """Return the pods behind Services; None where there is no such Service: then the rule names nobody."""
        found: list[Formula] = []
        for number, peer in enumerate(peers):
            found += (self._behind(service) for service in self._named(peer, f"{place}[{number}]"))
        return disjunction(*found) if found else None

    def _named(self, peer: ServicePeer, place: str) -> Iterator[Service]:
        if peer.k8s_service is not UNSET:
            name, namespace = peer.k8s_service.service_name, peer.k8s_service.namespace
            yield from (s for s in self.world.services if s.name == name and namespace in {"", s.namespace})
        if peer.k8s_service_selector is not UNSET:
            wanted = asked(peer.k8s_service_selector.selector, f"{place}.k8sServiceSelector.selector")
            for service in self.world.services:
                if peer.k8s_service_selector.namespace in {"", service.namespace} and all(
                    _holds(one.key, one.values, service.metadata.labels) is one.wanted for one in wanted
                ):
                    yield service

    def _behind(self, service: Service) -> Formula:
        if not service.spec.selector:
            return self._behind_slices(service)
        labels = (
            self.identities.has(KUBERNETES, key, frozenset({value}), "") for key, value in sorted(service.spec.selector.items())
        )
        pods = conjunction(PODS, Named(Scope.NAMESPACE, frozenset({service.namespace})), *labels)
        match self.identities.settings.pods_behind_services:
            case True:
                return pods
            case False:
                return NOBODY
            case None:
                title = f"{service.namespace}/{service.name}"
                return conjunction(pods, Unknowable(f"whether this release of Cilium means the pods of the Service {title}"))

    def _behind_slices(self, service: Service) -> Formula:
        """Return the endpoints of a Service that selects nothing.

        Cilium makes CIDRs of their addresses. Whether these mean the pods and nodes of today that have such an address was not
        seen with its own code: nobody knows.
        """
        title = f"{service.namespace}/{service.name}"
        slices = self.world.slices_by_service.get((service.namespace, service.name))
        if slices is None:
            return conjunction(OUTSIDE, Unknowable(f"the endpoints of Service {title}, whose EndpointSlices were not read"))
        found = (parse_cidr(text) for one in slices for endpoint in one.endpoints for text in endpoint.addresses)
        networks = frozenset(network for network in found if network is not None)
        if not networks:
            return NOBODY
        own = networks & self._taken
        unsure = Unknowable(f"whether the Service {title} means pods and nodes by address")
        return disjunction(self.block(networks), conjunction(Not(OUTSIDE), Within(own), unsure))

    @cached_property
    def _taken(self) -> frozenset[Network]:
        """The addresses that pods and nodes have today."""
        texts = (*(pod.status.pod_ip for pod in self.world.pods), *self.world.node_addresses)
        return frozenset(network for text in texts if text and (network := parse_cidr(text)) is not None)

    def _name(self, name: Fqdn, place: str) -> Formula:
        if bool(name.match_name) is bool(name.match_pattern):
            raise UnclearError("one of matchName and matchPattern must be there", place)
        return conjunction(OUTSIDE, Unknowable(f"the addresses of {name.match_name or name.match_pattern}"))

    def _group(self, group: Group, place: str) -> Formula:
        if group.aws is UNSET:
            raise UnclearError("a group without aws is not known", place)
        aws = group.aws
        named = [name for names in (aws.security_groups_ids, aws.security_groups_names) if names is not UNSET for name in names]
        labels = {} if aws.labels is UNSET else aws.labels
        words = ", ".join([*named, *(f"{k}={v}" for k, v in sorted(labels.items()))])
        return conjunction(OUTSIDE, Unknowable(f"the addresses with the security groups {words}"))

    def _nodes(self, selector: Selector, place: str) -> Formula:
        if not self.identities.settings.node_selectors:
            raise by_parser("fromNodes and toNodes need enable-node-selector-labels", place)
        asked(selector, place)
        return conjunction(REMOTE_NODES, Unknowable("which nodes have the labels that fromNodes and toNodes ask for"))


def _lists(rule: Rule) -> Iterator[tuple[str, Any]]:
    """Yield the lists of peers of a rule, by the name of the field."""
    for attribute, name in zip(rule.__struct_fields__, rule.__struct_encode_fields__, strict=True):
        if name.startswith(("from", "to")) and name not in {"toPorts", "fromRequires", "toRequires"}:
            yield name, getattr(rule, attribute)


def _holds(key: str, values: frozenset[str] | None, labels: Mapping[str, str]) -> bool:
    return key in labels and (values is None or labels[key] in values)


def _prefix(text: str, place: str) -> Network:
    network = parse_cidr(text) if "/" in text else None
    if network is None:
        raise by_parser(f"{text!r} is no CIDR", place)
    return network
