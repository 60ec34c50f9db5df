"""What Antrea does not take, by its own admission (antrea-io/antrea, pkg/controller/networkpolicy/validate.go), or nobody knows.

An object that admission refuses is not in force. One that says what nobody here knows the meaning of is in force, and not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eksnetpol.engines.antrea.schema import AppliedTo, GroupSpec, Peer, PolicySpec, Rule, written
from eksnetpol.policy.addresses import parse_cidr

CLUSTER_POLICY, POLICY = "ClusterNetworkPolicy", "NetworkPolicy"

_NO_PEERS = {CLUSTER_POLICY: {"external_entity_selector"}, POLICY: {"namespaces", "service_account"}}
_NO_SUBJECTS = {
    CLUSTER_POLICY: {"external_entity_selector"},
    POLICY: {"namespace_selector", "node_selector", "service", "service_account"},
}
"""Keys that one of the two kinds does not know, by its definition."""

_ALONE = ("group", "service_account", "node_selector", "service")
"""Keys beside which admission takes no others."""
_FIRST = ("ip_block", "fqdn")
"""Keys beside which others have no known meaning."""

BASELINE = "baseline"


class NotRead(ValueError):
    """An object that is in force and says something that is not known here. ``place`` is where, ``why`` what."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place
        self.why = why


class NotTaken(NotRead):
    """An object that Antrea itself refuses."""


def check_policy(kind: str, spec: PolicySpec) -> None:
    """Raise `NotTaken` for what admission refuses in a policy, and `NotRead` for what has no known meaning."""
    _check_subjects(kind, spec)
    names = [rule.name for rule in (*spec.ingress, *spec.egress) if rule.name]
    for name in names:
        if names.count(name) > 1:
            raise NotTaken("spec", f"two rules have the name {name}")
    for place, rule in rules_of(spec):
        outward = place.startswith("spec.egress")
        if rule.action == "Pass" and spec.tier.lower() == BASELINE:
            raise NotTaken(f"{place}.action", "Pass is no action of the baseline tier")
        _check_direction(place, rule, outward=outward)
        for at, peer in enumerate(rule.to if outward else rule.from_):
            _check_peer(f"{place}.{'to' if outward else 'from'}[{at}]", kind, peer)
        _check_protocols(place, rule)


def rules_of(spec: PolicySpec) -> Iterator[tuple[str, Rule]]:
    """Yield the rules of both directions, each with its place."""
    for direction, rules in (("ingress", spec.ingress), ("egress", spec.egress)):
        for number, rule in enumerate(rules):
            yield f"spec.{direction}[{number}]", rule


def check_group(spec: GroupSpec) -> None:
    """Raise `NotTaken` for a group that says more than one thing, and `NotRead` for one that says nothing."""
    says = written(spec)
    two = {"namespace_selector", "pod_selector"}, {"namespace_selector", "external_entity_selector"}
    if len(says) > 1 and says not in two:
        raise NotTaken("spec", f"{_and(says)} cannot stand together")
    if not says:
        raise NotRead("spec", "says nothing of whom it means")
    check_blocks("spec.ipBlocks", (text for b in spec.ip_blocks for text in (b.cidr, *b.except_)))


def check_blocks(place: str, texts: Iterable[str]) -> None:
    """Raise `NotRead` for a text that is no CIDR."""
    for text in texts:
        if parse_cidr(text) is None:
            raise NotRead(place, f"{text!r} is no CIDR")


# --- for whom ---------------------------------------------------------------------------------------------------------


def _check_subjects(kind: str, spec: PolicySpec) -> None:
    rules = list(rules_of(spec))
    own = [place for place, rule in rules if rule.applied_to]
    if spec.applied_to and own:
        raise NotTaken("spec.appliedTo", f"appliedTo stands in {own[0]} too")
    if not spec.applied_to and not own:
        raise NotTaken("spec.appliedTo", "appliedTo stands neither here nor in a rule")
    if own and len(own) < len(rules):
        raise NotTaken("spec", "appliedTo stands in some rules and not in others")
    _check_list("spec.appliedTo", kind, spec.applied_to, outward=bool(spec.egress))
    for place, rule in rules:
        _check_list(f"{place}.appliedTo", kind, rule.applied_to, outward=place.startswith("spec.egress"))
        if any(a.service for a in (*spec.applied_to, *rule.applied_to)):
            for at, peer in enumerate(rule.from_):
                if written(peer) != {"ip_block"}:
                    raise NotTaken(f"{place}.from[{at}]", "what holds for a Service speaks of an ipBlock alone")
        if any(p.namespaces for p in (*rule.from_, *rule.to)):
            _check_split(place, spec, rule)


def _check_split(place: str, spec: PolicySpec, rule: Rule) -> None:
    # The controller writes such rules anew for each namespace that appliedTo selects.
    subjects = spec.applied_to or rule.applied_to
    if any(a.group for a in subjects):
        raise NotRead(place, "what `namespaces` means beside a group in appliedTo is not known")
    if len(rule.applied_to) > 1 and any(p.namespaces and p.namespaces.same_labels for p in (*rule.from_, *rule.to)):
        raise NotRead(place, "what sameLabels means beside several entries of a rule's appliedTo is not known")


def _check_list(place: str, kind: str, subjects: tuple[AppliedTo, ...], *, outward: bool) -> None:
    for at, subject in enumerate(subjects):
        here = f"{place}[{at}]"
        says = written(subject)
        _check_keys(here, kind, says, _NO_SUBJECTS[kind])
        if "external_entity_selector" in says and "pod_selector" in says:
            raise NotRead(here, "what podSelector means beside externalEntitySelector is not known")
        if subject.service and outward:
            raise NotTaken(here, "rules of egress cannot hold for a Service")
    if any(s.service for s in subjects) and not all(s.service for s in subjects):
        raise NotTaken(place, "a Service cannot stand beside others")


def _check_keys(place: str, kind: str, says: set[str], unknown: set[str]) -> None:
    if says & unknown:
        raise NotRead(place, f"unknown field {_and(says & unknown)} in a {kind}")
    if not says - {"scope"}:
        raise NotRead(place, "says nothing of whom it means")
    for key in _ALONE:
        if key in says and len(says) > 1:
            raise NotTaken(place, f"{_camel(key)} cannot stand beside {_and(says - {key})}")


# --- rules ------------------------------------------------------------------------------------------------------------


def _check_direction(place: str, rule: Rule, *, outward: bool) -> None:
    if (rule.to or rule.to_services is not None) and not outward:
        raise NotRead(place, f"unknown field {'to' if rule.to else 'toServices'} in ingress")
    if rule.from_ and outward:
        raise NotRead(place, "unknown field from in egress")
    if rule.to_services is not None:
        if rule.to or rule.ports or rule.protocols:
            raise NotTaken(place, "toServices cannot stand beside to, ports or protocols")
        if not rule.to_services:
            raise NotRead(place, "what an empty list of toServices means is not known")
    if not outward and any(p.fqdn for p in rule.from_):
        raise NotRead(place, "unknown field fqdn in ingress")


def _check_peer(place: str, kind: str, peer: Peer) -> None:
    says = written(peer)
    _check_keys(place, kind, says, _NO_PEERS[kind])
    if {"namespaces", "namespace_selector"} <= says:
        raise NotTaken(place, "namespaces cannot stand beside namespaceSelector")
    if peer.namespaces is not None and len(written(peer.namespaces)) != 1:
        raise NotTaken(f"{place}.namespaces", "says none or more than one of match and sameLabels")
    for key in _FIRST:
        if key in says and len(says) > 1:
            raise NotRead(place, f"what {_and(says - {key})} means beside {_camel(key)} is not known")
    if "external_entity_selector" in says and says & {"pod_selector", "namespaces"}:
        raise NotRead(place, "what podSelector means beside externalEntitySelector is not known")
    if peer.ip_block is not None:
        check_blocks(f"{place}.ipBlock", (peer.ip_block.cidr, *peer.ip_block.except_))


def _check_protocols(place: str, rule: Rule) -> None:
    for at, protocol in enumerate(rule.protocols):
        if (protocol.icmp is None) is (protocol.igmp is None):
            raise NotTaken(f"{place}.protocols[{at}]", "says none or both of icmp and igmp")
    if any(p.igmp for p in rule.protocols):
        if rule.action in {"Pass", "Reject"}:
            raise NotTaken(place, f"igmp knows no action {rule.action}")
        if rule.ports or rule.from_ or rule.to or any(p.icmp for p in rule.protocols):
            raise NotTaken(place, "igmp cannot stand beside other protocols, ports or peers")
    if rule.l7_protocols:
        _check_layer7(place, rule)


def _check_layer7(place: str, rule: Rule) -> None:
    for at, seventh in enumerate(rule.l7_protocols):
        if (seventh.http is None) is (seventh.tls is None):
            raise NotTaken(f"{place}.l7Protocols[{at}]", "says none or both of http and tls")
    if rule.action != "Allow":
        raise NotTaken(place, f"l7Protocols knows no action {rule.action}")
    if rule.to_services is not None:
        raise NotTaken(place, "l7Protocols cannot stand beside toServices")
    http = any(p.http for p in rule.l7_protocols)
    if http and (rule.protocols or any(p.protocol != "TCP" for p in rule.ports)):
        raise NotTaken(place, "http is judged on TCP alone")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _and(names: set[str]) -> str:
    return " and ".join(sorted(map(_camel, names)))
