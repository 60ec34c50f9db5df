"""What may stand in Calico's objects: closed shapes of the kinds that policies are made of, and what Calico refuses in them.

An unknown key, at any depth, makes the whole object unclear: it may narrow what the rest means. The checks are those of
libcalico-go/lib/validator/v3 and of the rules in the CustomResourceDefinitions (projectcalico/calico, August 2026).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from eksnetpol.engines.calico import values
from eksnetpol.engines.calico.selector import Global, SelectorError, TooDeepError, parse
from eksnetpol.engines.calico.values import RefusedError, UnclearError
from eksnetpol.policy.validation_words import label_key_fault, label_value_fault, name_fault

Json = dict[str, Any]
Shape = Mapping[str, Any]
"""Known keys. A value is another shape, a list with one shape in it, or None for anything."""

_ICMP: Shape = {"type": None, "code": None}
_ENTITY: Shape = {
    "nets": None,
    "notNets": None,
    "selector": None,
    "notSelector": None,
    "namespaceSelector": None,
    "ports": None,
    "notPorts": None,
    "serviceAccounts": {"names": None, "selector": None},
    "services": {"name": None, "namespace": None},
}
_RULE: Shape = {
    "action": None,
    "metadata": {"annotations": None},
    "ipVersion": None,
    "protocol": None,
    "notProtocol": None,
    "icmp": _ICMP,
    "notICMP": _ICMP,
    "source": _ENTITY,
    "destination": _ENTITY,
    "http": {"methods": None, "paths": [{"exact": None, "prefix": None}]},
}
_POLICY: Shape = {
    "tier": None,
    "order": None,
    "selector": None,
    "serviceAccountSelector": None,
    "types": None,
    "ingress": [_RULE],
    "egress": [_RULE],
    "performanceHints": None,
}
_METADATA: Shape = dict.fromkeys(
    (
        "name",
        "namespace",
        "labels",
        "annotations",
        "uid",
        "resourceVersion",
        "generation",
        "generateName",
        "selfLink",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "finalizers",
        "managedFields",
        "ownerReferences",
    )
)

SPECS: Mapping[str, Shape] = {
    "NetworkPolicy": _POLICY,
    "GlobalNetworkPolicy": {
        **_POLICY,
        "namespaceSelector": None,
        "doNotTrack": None,
        "preDNAT": None,
        "applyOnForward": None,
    },
    "Tier": {"order": None, "defaultAction": None},
    "NetworkSet": {"nets": None},
    "GlobalNetworkSet": {"nets": None},
    "HostEndpoint": {
        "node": None,
        "interfaceName": None,
        "expectedIPs": None,
        "profiles": None,
        "ports": [{"name": None, "protocol": None, "port": None}],
    },
}
"""Kinds that are read, each with the shape of its ``spec``."""

_WELL_KNOWN = {
    "default": (1_000_000, "Deny"),
    "kube-admin": (1_000, "Pass"),
    "kube-baseline": (10_000_000, "Pass"),
}
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_NAMES = {
    "NetworkPolicy": re.compile(rf"{_LABEL}(\.{_LABEL})?|(knp|ossg)\.default\.{_SUBDOMAIN}", re.ASCII),
    "GlobalNetworkPolicy": re.compile(rf"({_LABEL}\.)?{_LABEL}", re.ASCII),
    "Tier": re.compile(_LABEL, re.ASCII),
}
_LONGEST_TIER = 63
_NAMESPACE_LABEL = "projectcalico.org/namespace"
# Tuples where what is looked for comes from a document: it may be nothing that a set can hold.
_ACTIONS = ("Allow", "Deny", "Log", "Pass")
_DEFAULT_ACTIONS = ("Deny", "Pass")
_TYPES = ("Ingress", "Egress")
_VERSIONS = (4, 6)
_SPOKEN_BY_HTTP = (None, "TCP", 6)
_BOOLEANS = ("doNotTrack", "preDNAT", "applyOnForward")


def unknown(body: Json) -> str:
    """Return the place of a key that nobody here knows; empty where all are known."""
    whole = {"apiVersion": None, "kind": None, "metadata": _METADATA, "spec": SPECS[body["kind"]], "status": None}
    return next(_unknown(body, whole, ""), "")


def _unknown(value: Any, shape: Any, place: str) -> Iterator[str]:
    if isinstance(shape, list):
        if isinstance(value, list):
            for at, one in enumerate(value):
                yield from _unknown(one, shape[0], f"{place}[{at}]")
    elif shape is not None and isinstance(value, dict):
        for key, member in value.items():
            here = f"{place}.{key}" if place else key
            if key not in shape:
                yield here
            else:
                yield from _unknown(member, shape[key], here)


def misshapen(value: Any, shape: Any, place: str = "") -> None:
    """Raise `RefusedError` where an object or a list is expected and something else stands."""
    if isinstance(shape, list):
        for at, one in enumerate(values.listed(value, place)):
            misshapen(one, shape[0], f"{place}[{at}]")
    elif shape is not None:
        if not isinstance(value, dict):
            raise RefusedError(place, f"expected an object, found {value!r}")
        for key, member in value.items():
            misshapen(member, shape[key], f"{place}.{key}" if place else key)


def metadata(kind: str, meta: Json) -> None:
    """Raise `RefusedError` for a name or labels that Calico does not take."""
    name = meta.get("name")
    if not isinstance(name, str) or not name:
        raise RefusedError("metadata.name", "it has no name")
    fault = name_fault(name)
    pattern = _NAMES.get(kind)
    if not fault and pattern is not None and not pattern.fullmatch(name):
        fault = f"{name!r} is no name of a {kind}: there are too many dots in it"
    if not fault and kind == "Tier" and len(name) > _LONGEST_TIER:
        fault = f"{name!r} is longer than {_LONGEST_TIER} characters"
    if fault:
        raise RefusedError("metadata.name", fault)
    for key, value in (meta.get("labels") or {}).items():
        fault = label_key_fault(key) or label_value_fault(str(value))
        if fault:
            raise RefusedError("metadata.labels", fault)
        if key == _NAMESPACE_LABEL and kind in {"NetworkSet", "GlobalNetworkSet"}:
            raise RefusedError("metadata.labels", f"the label {key} is Calico's own")


def tier(name: str, spec: Json) -> None:
    """Raise `RefusedError` for a tier that Calico does not take."""
    order = number(spec.get("order"), "spec.order")
    action = spec.get("defaultAction", "Deny")
    if action not in _DEFAULT_ACTIONS:
        raise RefusedError("spec.defaultAction", f"{action!r} is none of Deny and Pass")
    known = _WELL_KNOWN.get(name)
    if known is not None and (order, action) != known:
        raise RefusedError("spec", f"the tier {name} has order {known[0]} and default action {known[1]}")


def policy(kind: str, spec: Json) -> None:
    """Raise `RefusedError` or `UnclearError` for a policy that Calico does not take, beside what `rule` says of its rules."""
    number(spec.get("order"), "spec.order")
    if not isinstance(spec.get("tier", ""), str):
        raise RefusedError("spec.tier", f"{spec['tier']!r} is no text")
    for key in ("selector", "serviceAccountSelector", "namespaceSelector"):
        selector(spec.get(key), f"spec.{key}", may_be_global=False)
    types = list(values.listed(spec.get("types", []), "spec.types"))
    for at, one in enumerate(types):
        if one not in _TYPES or one in types[:at]:
            raise RefusedError(f"spec.types[{at}]", f"{one!r} is none of Ingress and Egress, or is there twice")
    if kind == "GlobalNetworkPolicy":
        _for_hosts(spec, types)


def _for_hosts(spec: Json, types: list[str]) -> None:
    for key in _BOOLEANS:
        if not isinstance(spec.get(key, False), bool):
            raise RefusedError(f"spec.{key}", f"{spec[key]!r} is none of true and false")
    untracked, before, forwarded = (spec.get(key, False) for key in _BOOLEANS)
    if untracked and before:
        raise RefusedError("spec.preDNAT", "preDNAT and doNotTrack are not for one policy")
    if before and (spec.get("egress") or "Egress" in types):
        raise RefusedError("spec.egress", "a policy with preDNAT is for ingress alone")
    if (untracked or before) and not forwarded:
        raise RefusedError("spec.applyOnForward", "it has to be true where doNotTrack or preDNAT is")


def rule(written: Json, place: str, *, is_ingress: bool, is_namespaced: bool) -> None:
    """Raise `RefusedError` or `UnclearError` for a rule that Calico does not take, beside what its values say of themselves."""
    action = written.get("action")
    if action not in _ACTIONS:
        raise RefusedError(f"{place}.action", f"{action!r} is none of {', '.join(_ACTIONS)}")
    http = written.get("http")
    if http is not None:
        _http(written, http, place, is_ingress=is_ingress)
    version = written.get("ipVersion")
    if version is not None and (isinstance(version, bool) or version not in _VERSIONS):
        raise RefusedError(f"{place}.ipVersion", f"{version!r} is none of 4 and 6")
    for key in ("protocol", "notProtocol"):
        name = values.protocol(written.get(key), f"{place}.{key}")
        if name is not None and version is not None and {"ICMP": 4, "ICMPv6": 6}.get(name[0], version) != version:
            raise RefusedError(f"{place}.ipVersion", f"{name[0]} is not spoken over IPv{version}")
    for side, allows_services in (("source", is_ingress), ("destination", not is_ingress)):
        entity(written.get(side, {}), f"{place}.{side}", allows_services=allows_services, is_namespaced=is_namespaced)


def _http(written: Json, http: Json, place: str, *, is_ingress: bool) -> None:
    if written["action"] != "Allow" or not is_ingress:
        raise RefusedError(f"{place}.http", "HTTP is matched in ingress rules that allow, and nowhere else")
    if written.get("protocol") not in _SPOKEN_BY_HTTP:
        raise RefusedError(f"{place}.http", "HTTP is matched over TCP alone")
    methods = list(values.listed(http.get("methods", []), f"{place}.http.methods"))
    if len(set(map(str, methods))) != len(methods):
        raise RefusedError(f"{place}.http.methods", "a method is there twice")
    for at, path in enumerate(http.get("paths", [])):
        text = path.get("exact") or path.get("prefix") or ""
        both = path.get("exact") and path.get("prefix")
        if both or not isinstance(text, str) or not text.startswith("/") or set(text) & set("? #"):
            here = f"{place}.http.paths[{at}]"
            raise RefusedError(here, "expected exact or prefix, beginning with '/', without '?', '#' and blanks")


def entity(written: Json, place: str, *, allows_services: bool, is_namespaced: bool) -> None:
    """Raise `RefusedError` or `UnclearError` for one side of a rule that Calico does not take."""
    selector(written.get("selector"), f"{place}.selector", may_be_global=False)
    selector(written.get("notSelector"), f"{place}.notSelector")
    selector(written.get("namespaceSelector"), f"{place}.namespaceSelector", is_alone=True)
    accounts = written.get("serviceAccounts")
    if accounts is not None:
        selector(accounts.get("selector"), f"{place}.serviceAccounts.selector")
        for at, name in enumerate(values.listed(accounts.get("names", []), f"{place}.serviceAccounts.names")):
            if not isinstance(name, str) or name_fault(name):
                raise UnclearError(f"{place}.serviceAccounts.names[{at}]", f"{name!r} is no name of a service account")
    services = written.get("services")
    if services is not None:
        _services(written, services, place, allows_services=allows_services, is_namespaced=is_namespaced)


def _services(written: Json, services: Json, place: str, *, allows_services: bool, is_namespaced: bool) -> None:
    if not allows_services:
        raise RefusedError(f"{place}.services", "Services are matched in ingress sources and egress destinations, nowhere else")
    _texts(services, f"{place}.services")
    if not services.get("name"):
        raise RefusedError(f"{place}.services", "it names no Service")
    if not services.get("namespace") and not is_namespaced:
        raise RefusedError(f"{place}.services", "a policy without a namespace has to name that of the Service")
    for key in ("namespaceSelector", "selector", "notSelector", "serviceAccounts", "nets", "notNets"):
        if written.get(key) or (key == "serviceAccounts" and key in written):
            raise RefusedError(f"{place}.{key}", "beside services it is not taken")
    if place.endswith("destination"):
        for key in ("ports", "notPorts"):
            if written.get(key):
                raise RefusedError(f"{place}.{key}", "the ports of services are those of their endpoints")


def _texts(written: Json, place: str) -> None:
    for key, value in written.items():
        if not isinstance(value, str):
            raise RefusedError(f"{place}.{key}", f"{value!r} is no text")


def selector(text: Any, place: str, *, may_be_global: bool = True, is_alone: bool = False) -> None:
    """Raise `RefusedError` for what is no selector; *is_alone*: ``global()`` may be no part of it, but be the whole."""
    if text is None:
        return
    if not isinstance(text, str):
        raise RefusedError(place, f"{text!r} is no text")
    try:
        read = parse(text)
    except TooDeepError as error:
        raise UnclearError(place, error.why) from error
    except SelectorError as error:
        raise RefusedError(place, f"{text!r} is no selector: {error}") from error
    if "global(" not in text:
        return
    if not may_be_global:
        raise RefusedError(place, "global() is for the namespaceSelector of a source or destination alone")
    # Calico looks at the words: "(global())" is more than that one.
    if is_alone and (read != Global() or re.fullmatch(r"[ \t]*global\([ \t]*\)[ \t]*", text) is None):
        raise RefusedError(place, "global() may not be joined with anything else")


def number(value: Any, place: str) -> float | None:
    """Return an order, None for none. Raises `RefusedError`."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise RefusedError(place, f"{value!r} is no number")
    return value
