"""What the API server looks at once it can read a policy: meaning. As k8s.io/kubernetes, pkg/apis/networking/validation.

All of it reads decoded JSON of the right shape (`eksnetpol.policy.validation_shapes`); null is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from eksnetpol.policy.validation_shapes import Flaw, Steps
from eksnetpol.policy.validation_words import (
    label_key_fault,
    label_value_fault,
    name_fault,
    port_fault,
    port_name_fault,
    read_block,
)

Json = Mapping[str, Any]

PROTOCOLS = ("TCP", "UDP", "SCTP")
TYPES = ("Ingress", "Egress")
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
DIRECTIONS = (("ingress", "from"), ("egress", "to"))
_ANNOTATIONS = 256 << 10
_NETWORK_DIGITS = 3


# --- parts that many kinds have ---------------------------------------------------------------------------------------


def metadata(meta: Json) -> Iterator[Flaw]:
    """Yield what is wrong with the metadata of an object."""
    name, prefix = meta.get("name") or "", meta.get("generateName") or ""
    if not name and not prefix:
        yield Flaw(("metadata", "name"), "this is missing")
    if name:
        yield from _fault(name_fault(name), "metadata", "name")
    if prefix:
        # What is drawn stands behind it, so that it may end with a hyphen.
        yield from _fault(name_fault(f"{prefix}x"), "metadata", "generateName")
    labels = meta.get("labels")
    if labels:
        yield from _labels(labels, ("metadata", "labels"))
    annotations = meta.get("annotations") or {}
    for key in annotations:
        yield from _fault(label_key_fault(key.lower()), "metadata", "annotations")
    if sum(len(key) + len(value or "") for key, value in annotations.items()) > _ANNOTATIONS:
        yield Flaw(("metadata", "annotations"), f"all of them together are longer than {_ANNOTATIONS} bytes")


def selector(given: Json, steps: Steps) -> Iterator[Flaw]:
    """Yield what is wrong with a label selector."""
    labels = given.get("matchLabels")
    if labels:
        yield from _labels(labels, (*steps, "matchLabels"))
    for number, requirement in enumerate(given.get("matchExpressions") or ()):
        yield from _requirement(requirement or {}, (*steps, "matchExpressions", number))


def _requirement(given: Json, steps: Steps) -> Iterator[Flaw]:
    operator, values = given.get("operator") or "", given.get("values") or ()
    if operator in {"In", "NotIn"}:
        if not values:
            yield Flaw((*steps, "values"), f"{operator} wants at least one value")
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            yield Flaw((*steps, "values"), f"{operator} takes no values")
    else:
        yield Flaw((*steps, "operator"), f"{operator!r} is no operator; expected one of {', '.join(OPERATORS)}")
    yield from _fault(label_key_fault(given.get("key") or ""), *steps, "key")
    for number, value in enumerate(values):
        yield from _fault(label_value_fault(value or ""), *steps, "values", number)


def _labels(labels: Json, steps: Steps) -> Iterator[Flaw]:
    for key, value in labels.items():
        yield from _fault(label_key_fault(key), *steps)
        yield from _fault(label_value_fault(value or ""), *steps)


def _fault(message: str, *steps: str | int) -> Iterator[Flaw]:
    if message:
        yield Flaw(steps, message)


# --- NetworkPolicy ----------------------------------------------------------------------------------------------------


def network_policy(spec: Json, *, strict: bool) -> Iterator[Flaw]:
    """Yield what is wrong with the spec of a NetworkPolicy. *strict*: as servers since 1.36 look at CIDRs."""
    yield from selector(spec.get("podSelector") or {}, ("spec", "podSelector"))
    for direction, side in DIRECTIONS:
        for number, rule in enumerate(spec.get(direction) or ()):
            if not rule:
                continue
            steps = ("spec", direction, number)
            for at, port in enumerate(rule.get("ports") or ()):
                yield from _port(port or {}, (*steps, "ports", at))
            for at, peer in enumerate(rule.get(side) or ()):
                yield from _peer(peer or {}, (*steps, side, at), strict=strict)
    types = spec.get("policyTypes") or ()
    if len(types) > len(TYPES):
        yield Flaw(("spec", "policyTypes"), f"expected at most {len(TYPES)}, found {len(types)}")
        return
    for number, name in enumerate(types):
        if name not in TYPES:
            yield Flaw(("spec", "policyTypes", number), f"{name!r} is none of {', '.join(TYPES)}")


def _port(given: Json, steps: Steps) -> Iterator[Flaw]:
    protocol, port, end = given.get("protocol"), given.get("port"), given.get("endPort")
    if protocol is not None and protocol not in PROTOCOLS:
        yield Flaw((*steps, "protocol"), f"{protocol!r} is none of {', '.join(PROTOCOLS)}")
    if isinstance(port, str):
        if end is not None:
            yield Flaw((*steps, "endPort"), "a range begins with the number of a port, not with a name")
        yield from _fault(port_name_fault(port), *steps, "port")
    elif port is not None:
        yield from _fault(port_fault(port), *steps, "port")
        if end is not None and end < port:
            yield Flaw((*steps, "endPort"), f"{end} is below port, which is {port}")
        elif end is not None:
            yield from _fault(port_fault(end), *steps, "endPort")
    elif end is not None:
        yield Flaw((*steps, "endPort"), "a range begins with port, which is missing")


def _peer(given: Json, steps: Steps, *, strict: bool) -> Iterator[Flaw]:
    block = given.get("ipBlock")
    selectors = 0
    for name in ("podSelector", "namespaceSelector"):
        selected = given.get(name)
        if selected is not None:
            selectors += 1
            yield from selector(selected, (*steps, name))
    if block is not None:
        yield from _block(block, (*steps, "ipBlock"), strict=strict)
        if selectors:
            yield Flaw(steps, "ipBlock and selectors exclude each other in one peer; make two peers of it")
    elif not selectors:
        yield Flaw(steps, "a peer must name somebody: podSelector, namespaceSelector or ipBlock ({} in one of the former is all)")


def _block(given: Json, steps: Steps, *, strict: bool) -> Iterator[Flaw]:
    text = given.get("cidr") or ""
    if not text:
        yield Flaw((*steps, "cidr"), "this is missing")
        return
    block = read_block(text)
    if block is None:
        yield Flaw((*steps, "cidr"), _no_cidr(text))
        return
    if strict:
        yield from _fault(block.fault, *steps, "cidr")
    for number, part in enumerate(given.get("except") or ()):
        inner, at = read_block(part or ""), (*steps, "except", number)
        if inner is None:
            yield Flaw(at, _no_cidr(part))
            continue
        if strict:
            yield from _fault(inner.fault, *at)
        if block.bits >= inner.bits or not block.holds(inner):
            yield Flaw(at, f"{part!r} is no part of {text!r}, or all of it")


def _no_cidr(text: str) -> str:
    length = "" if "/" in str(text) else ", with its length"
    return f"{text!r} is no CIDR; expected one such as 10.9.8.0/24 or 2001:db8::/64{length}"


# --- custom kinds -----------------------------------------------------------------------------------------------------


def application_policy(spec: Json) -> Iterator[Flaw]:
    """Yield what nobody can read in an ApplicationNetworkPolicy: no definition looks into selectors, so the server takes any."""
    yield from _selectors(spec, ("spec",))


def aws_cluster_policy(spec: Json) -> Iterator[Flaw]:
    """Yield what is wrong with the spec of a ClusterNetworkPolicy of ``networking.k8s.aws``, beyond its shape."""
    for steps, rule in _rules(spec):
        if rule.get("action") != "Accept" and any("domainNames" in (peer or {}) for peer in rule.get("to") or ()):
            yield Flaw(steps, "domainNames can only be accepted, not denied or passed")
        for number, port in enumerate(rule.get("ports") or ()):
            yield from _range(port.get("portRange"), (*steps, "ports", number, "portRange"))
    yield from _selectors(spec, ("spec",))


def upstream_cluster_policy(spec: Json) -> Iterator[Flaw]:
    """Yield what is wrong with the spec of a ClusterNetworkPolicy of ``policy.networking.k8s.io``, beyond its shape."""
    for steps, rule in _rules(spec):
        protocols = rule.get("protocols") or ()
        named = any("destinationNamedPort" in protocol for protocol in protocols)
        outside = [n for peer in rule.get("to") or () for n in peer if n in {"networks", "nodes", "domainNames"}]
        if named and outside:
            yield Flaw(steps, f"{outside[0]} have no named ports")
        for number, protocol in enumerate(protocols):
            for name, transport in protocol.items():
                port = (transport.get("destinationPort") if isinstance(transport, dict) else None) or {}
                yield from _range(port.get("range"), (*steps, "protocols", number, name, "destinationPort", "range"))
        yield from _networks(rule, steps, _strict_cidr)
    yield from _selectors(spec, ("spec",))


def admin_policy(spec: Json) -> Iterator[Flaw]:
    """Yield what is wrong with the spec of an AdminNetworkPolicy or BaselineAdminNetworkPolicy, beyond its shape."""
    for steps, rule in _rules(spec):
        yield from _networks(rule, steps, _one_family)
    yield from _selectors(spec, ("spec",))


def _rules(spec: Json) -> Iterator[tuple[Steps, Json]]:
    for direction, _ in DIRECTIONS:
        for number, rule in enumerate(spec.get(direction) or ()):
            yield ("spec", direction, number), rule


def _range(given: Json | None, steps: Steps) -> Iterator[Flaw]:
    if given and given["start"] >= given["end"]:
        yield Flaw(steps, f"start ({given['start']}) must be below end ({given['end']})")


def _networks(rule: Json, steps: Steps, fault: Callable[[str], str]) -> Iterator[Flaw]:
    for number, peer in enumerate(rule.get("to") or ()):
        for at, text in enumerate(peer.get("networks") or ()):
            yield from _fault(fault(text), *steps, "to", number, "networks", at)


def _strict_cidr(text: str) -> str:
    block = read_block(text)
    wrong = block is None or "leading zeros" in block.fault or "written as" in block.fault
    return _no_cidr(text) if wrong else ""


def _one_family(text: str) -> str:
    return "" if (":" in text) != ("." in text) else f"{text!r} is neither an IPv4 nor an IPv6 block"


def _selectors(value: Any, steps: Steps) -> Iterator[Flaw]:
    """Yield what is wrong with any selector below *value*: the server takes it, and whoever reads it cannot."""
    if isinstance(value, dict):
        if "matchLabels" in value or "matchExpressions" in value:
            for flaw in selector(value, steps):
                yield flaw._replace(message=f"the API server takes this, and then nobody can read it: {flaw.message}")
            return
        for name, member in value.items():
            yield from _selectors(member, (*steps, name))
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _selectors(member, (*steps, number))
