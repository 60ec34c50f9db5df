"""Malformed policies, each with the fields an API server names when it refuses them; both stages of the tests read this table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Json = dict[str, Any]

AWS = "networking.k8s.aws/v1alpha1"
UPSTREAM = "policy.networking.k8s.io/v1alpha2"


class Refused(NamedTuple):
    """A policy and the fields that are named, and further ones that only servers since 1.36 name."""

    policy: Json
    fields: frozenset[str]
    strictly: frozenset[str] = frozenset()

    def by(self, *, strict: bool) -> frozenset[str]:
        """Return what a server names that looks at CIDRs strictly, or not."""
        return self.fields | self.strictly if strict else self.fields


def _object(api_version: str, kind: str, spec: Any, **meta: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", **meta}, "spec": spec}


def _standard(spec: Json | str, *fields: str, strictly: frozenset[str] = frozenset(), **meta: Any) -> Refused:
    whole = {"podSelector": {}, **spec} if isinstance(spec, dict) else spec
    return Refused(_object("networking.k8s.io/v1", "NetworkPolicy", whole, **meta), frozenset(fields), strictly)


def _peer(peer: Any, *fields: str, strictly: str = "") -> Refused:
    at = "spec.ingress[0].from[1]"
    peers = [{"podSelector": {}}, peer]
    more = frozenset({f"{at}{strictly}"} if strictly else ())
    return _standard({"ingress": [{"from": peers}]}, *(f"{at}{f}" for f in fields), strictly=more)


def _port(port: Json, *fields: str) -> Refused:
    at = "spec.egress[1].ports[0]"
    return _standard({"egress": [{}, {"ports": [port]}]}, *(f"{at}.{f}" for f in fields))


def _selector(selector: Json, *fields: str) -> Refused:
    return _standard({"podSelector": selector}, *(f"spec.podSelector.{f}" for f in fields))


def _application(spec: Json, *fields: str) -> Refused:
    return Refused(_object(AWS, "ApplicationNetworkPolicy", spec), frozenset(fields))


def _cluster(*fields: str, version: str = AWS, **spec: Any) -> Refused:
    head = {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}}
    whole = {key: value for key, value in {**head, **spec}.items() if value is not ...}
    return Refused(_object(version, "ClusterNetworkPolicy", whole), frozenset(fields))


def _in(*rules: Json, **fields: Any) -> Json:
    return {"ingress": [{"action": "Accept", "from": [{"namespaces": {}}], **rule} for rule in rules], **fields}


def _out(*rules: Json) -> Json:
    return {"egress": [{"action": "Accept", "to": [{"namespaces": {}}], **rule} for rule in rules]}


_LONG = "a" * 64
_EXPRESSION = "matchExpressions[0]"

REFUSED: Mapping[str, Refused] = {
    # addresses
    "cidr that is none": _peer({"ipBlock": {"cidr": "10.0.0.0/33"}}, ".ipBlock.cidr"),
    "cidr without a length": _peer({"ipBlock": {"cidr": "10.0.0.0"}}, ".ipBlock.cidr"),
    "cidr that is missing": _peer({"ipBlock": {"except": ["10.0.0.0/8"]}}, ".ipBlock.cidr"),
    "cidr with a space": _peer({"ipBlock": {"cidr": " 10.0.0.0/8"}}, ".ipBlock.cidr"),
    "cidr with a zone": _peer({"ipBlock": {"cidr": "fe80::%eth0/64"}}, ".ipBlock.cidr"),
    "cidr with a mask": _peer({"ipBlock": {"cidr": "10.0.0.0/255.0.0.0"}}, ".ipBlock.cidr"),
    "ipv6 with two gaps": _peer({"ipBlock": {"cidr": "2001::db8::/64"}}, ".ipBlock.cidr"),
    "except outside": _peer({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}}, ".ipBlock.except[0]"),
    "except equal": _peer(
        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.0.0.0/8"]}}, ".ipBlock.except[1]"
    ),
    "except wider": _peer({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["0.0.0.0/0"]}}, ".ipBlock.except[0]"),
    "except of the other family": _peer({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["fd00::/64"]}}, ".ipBlock.except[0]"),
    "except that is none": _peer({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["ten"]}}, ".ipBlock.except[0]"),
    "except in mapped clothes": _peer(
        {"ipBlock": {"cidr": "::ffff:10.0.0.0/104", "except": ["10.1.0.0/16"]}},
        ".ipBlock.except[0]",
        strictly=".ipBlock.cidr",
    ),
    "host bits": _peer({"ipBlock": {"cidr": "10.0.0.1/8"}}, strictly=".ipBlock.cidr"),
    "host bits of ipv6": _peer({"ipBlock": {"cidr": "fd00::1/64"}}, strictly=".ipBlock.cidr"),
    "host bits of an except": _peer(
        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.1/16"]}}, strictly=".ipBlock.except[0]"
    ),
    "leading zeros": _peer({"ipBlock": {"cidr": "010.0.0.0/8"}}, strictly=".ipBlock.cidr"),
    "leading zeros of the length": _peer({"ipBlock": {"cidr": "10.0.0.0/08"}}, strictly=".ipBlock.cidr"),
    "leading zeros of ipv6": _peer({"ipBlock": {"cidr": "0fd00::/16"}}, strictly=".ipBlock.cidr"),
    "mapped": _peer({"ipBlock": {"cidr": "::ffff:10.0.0.0/104"}}, strictly=".ipBlock.cidr"),
    # peers
    "block and selector": _peer({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}, ""),
    "block and namespaces": _peer({"ipBlock": {"cidr": "10.0.0.0/8"}, "namespaceSelector": {}}, ""),
    "empty peer": _peer({}, ""),
    "null peer": _peer(None, ""),
    "peer with unknown member": _peer({"podSelectors": {}}, ".podSelectors"),
    # ports
    "range upside down": _port({"port": 20, "endPort": 10}, "endPort"),
    "range of a name": _port({"port": "web", "endPort": 10}, "endPort"),
    "range without a port": _port({"endPort": 10}, "endPort"),
    "range too far": _port({"port": 20, "endPort": 65536}, "endPort"),
    "port 0": _port({"port": 0}, "port"),
    "port 65536": _port({"port": 65536}, "port"),
    "port in quotes": _port({"port": "80"}, "port"),
    "port without a name": _port({"port": ""}, "port"),
    "port with capitals": _port({"port": "Web"}, "port"),
    "port too long": _port({"port": "abcdefghijklmnop"}, "port"),
    "port with two hyphens": _port({"port": "a--b"}, "port"),
    "port with a hyphen first": _port({"port": "-a"}, "port"),
    "protocol unknown": _port({"port": 80, "protocol": "ICMP"}, "protocol"),
    "protocol in small letters": _port({"port": 80, "protocol": "tcp"}, "protocol"),
    "protocol empty": _port({"protocol": ""}, "protocol"),
    # selectors
    "operator unknown": _selector(
        {"matchExpressions": [{"key": "a", "operator": "Equals", "values": ["b"]}]}, f"{_EXPRESSION}.operator"
    ),
    "operator missing": _selector({"matchExpressions": [{"key": "a"}]}, f"{_EXPRESSION}.operator"),
    "In without values": _selector({"matchExpressions": [{"key": "a", "operator": "In"}]}, f"{_EXPRESSION}.values"),
    "NotIn without values": _selector(
        {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": []}]}, f"{_EXPRESSION}.values"
    ),
    "Exists with values": _selector(
        {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}, f"{_EXPRESSION}.values"
    ),
    "key missing": _selector({"matchExpressions": [{"operator": "Exists"}]}, f"{_EXPRESSION}.key"),
    "key with a space": _selector({"matchExpressions": [{"key": "a b", "operator": "Exists"}]}, f"{_EXPRESSION}.key"),
    "value with a space": _selector(
        {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c d"]}]}, f"{_EXPRESSION}.values[1]"
    ),
    "label key too long": _selector({"matchLabels": {_LONG: "b"}}, "matchLabels"),
    "label key with two slashes": _selector({"matchLabels": {"a/b/c": "d"}}, "matchLabels"),
    "label key with a bad prefix": _selector({"matchLabels": {"A/b": "c"}}, "matchLabels"),
    "label key that is a prefix": _selector({"matchLabels": {"a.com/": "c"}}, "matchLabels"),
    "label value too long": _selector({"matchLabels": {"a": _LONG}}, "matchLabels"),
    "label value with a slash": _selector({"matchLabels": {"a": "b/c"}}, "matchLabels"),
    "selector of a namespace": _peer(
        {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "in"}]}},
        ".namespaceSelector.matchExpressions[0].operator",
    ),
    # the policy as a whole
    "type unknown": _standard({"policyTypes": ["ingress", "Egress"]}, "spec.policyTypes[0]"),
    "three types": _standard({"policyTypes": ["Ingress", "Egress", "Ingress"]}, "spec.policyTypes"),
    "name with capitals": _standard({}, "metadata.name", name="Web"),
    "name missing": _standard({}, "metadata.name", name=""),
    "labels": _standard({}, "metadata.labels", labels={"a b": "c"}),
    "annotations": _standard({}, "metadata.annotations", annotations={"a b": "c"}),
    "unknown members": _standard(
        {"podSelectors": {}, "ingress": [{"port": []}]}, "spec.podSelectors", "spec.ingress[0].port"
    ),
    "unknown metadata": _standard({}, "metadata.annotation", annotation={}),
    "unknown members hide meaning": _standard({"policyType": [], "policyTypes": ["x"]}, "spec.policyType"),
    # types: the server names no numbers of elements, and only the first that it meets
    "text for a number": _port({"port": 80, "endPort": "90"}, "endPort"),
    "fraction for a port": _port({"port": 80.5}, "port"),
    "number beyond 32 bits": _port({"port": 1 << 31}, "port"),
    "number for a label": _selector({"matchLabels": {"a": 1}}, "matchLabels"),
    "object for a list": _standard({"ingress": {}}, "spec.ingress"),
    "text for an object": _standard("x", "spec"),
    # ApplicationNetworkPolicy
    "application without a selector": _application({}, "spec.podSelector"),
    "application with a null selector": _application({"podSelector": None}, "spec.podSelector"),
    "application with a block without cidr": _application(
        {"podSelector": {}, "egress": [{"to": [{"ipBlock": {}}]}]}, "spec.egress[0].to[0].ipBlock.cidr"
    ),
    "application with no domain": _application(
        {"podSelector": {}, "egress": [{"to": [{"domainNames": ["localhost", "a.example"]}]}]},
        "spec.egress[0].to[0].domainNames[0]",
    ),
    "application with unknown members": _application({"podSelector": {}, "egres": []}, "spec.egres"),
    "application with domains that come in": _application(
        {"podSelector": {}, "ingress": [{"from": [{"domainNames": ["a.example"]}]}]}, "spec.ingress[0].from[0].domainNames"
    ),
    "application with a null rule": _application({"podSelector": {}, "egress": [None]}, "spec.egress[0]"),
    "application with a text for a number": _application(
        {"podSelector": {}, "egress": [{"ports": [{"endPort": "9"}]}]}, "spec.egress[0].ports[0].endPort"
    ),
    "application with a number for a label": _application(
        {"podSelector": {"matchLabels": {"a": 1}}}, "spec.podSelector.matchLabels.a"
    ),
    # ClusterNetworkPolicy of AWS
    "cluster without anything": Refused(
        _object(AWS, "ClusterNetworkPolicy", {}), frozenset({"spec.tier", "spec.priority", "spec.subject"})
    ),
    "cluster of an unknown tier": _cluster("spec.tier", tier="Application"),
    "cluster beyond 1000": _cluster("spec.priority", priority=1001),
    "cluster with a priority in quotes": _cluster("spec.priority", priority="1"),
    "cluster without a subject": _cluster("spec.subject", subject={}),
    "cluster with two subjects": _cluster(
        "spec.subject", subject={"namespaces": {}, "pods": {"podSelector": {}, "namespaceSelector": {}}}
    ),
    "cluster with half a subject": _cluster("spec.subject.pods.namespaceSelector", subject={"pods": {"podSelector": {}}}),
    "cluster with an unknown action": _cluster("spec.ingress[0].action", **_in({"action": "Allow"})),
    "cluster without peers": _cluster("spec.ingress[1].from", **_in({}, {"from": []})),
    "cluster with an empty peer": _cluster("spec.ingress[0].from[0]", **_in({"from": [{}]})),
    "cluster with networks that come in": _cluster(
        "spec.ingress[0].from[0].networks", **_in({"from": [{"networks": ["10.0.0.0/8"]}]})
    ),
    "cluster with a network twice": _cluster("spec.egress[0].to[0].networks[1]", **_out({"to": [{"networks": ["a", "a"]}]})),
    "cluster with a long network": _cluster("spec.egress[0].to[0].networks[0]", **_out({"to": [{"networks": ["a" * 44]}]})),
    "cluster that denies a domain": _cluster(
        "spec.egress[0]", **_out({"action": "Deny", "to": [{"domainNames": ["a.example"]}]})
    ),
    "cluster that passes a domain": _cluster(
        "spec.egress[0]", **_out({"action": "Pass", "to": [{"domainNames": ["a.example"]}]})
    ),
    "cluster with port 0": _cluster(
        "spec.ingress[0].ports[0].portNumber.port", **_in({"ports": [{"portNumber": {"port": 0}}]})
    ),
    "cluster with half a range": _cluster(
        "spec.ingress[0].ports[0].portRange.end", **_in({"ports": [{"portRange": {"start": 5}}]})
    ),
    "cluster with a range of one": _cluster(
        "spec.ingress[0].ports[0].portRange", **_in({"ports": [{"portRange": {"start": 5, "end": 5}}]})
    ),
    "cluster with no ports": _cluster("spec.ingress[0].ports", **_in({"ports": []})),
    "cluster with a long name": _cluster("spec.ingress[0].name", **_in({"name": "a" * 101})),
    "cluster with too many rules": _cluster("spec.ingress", **_in(*([{}] * 101))),
    # ClusterNetworkPolicy of Kubernetes
    "upstream with ports": _cluster("spec.ingress[0].ports", version=UPSTREAM, **_in({"ports": []})),
    "upstream with no cidr": _cluster(
        "spec.egress[0].to[0].networks[0]", version=UPSTREAM, **_out({"to": [{"networks": ["ten"]}]})
    ),
    "upstream with a mapped cidr": _cluster(
        "spec.egress[0].to[0].networks[0]", version=UPSTREAM, **_out({"to": [{"networks": ["::ffff:10.0.0.0/104"]}]})
    ),
    "upstream with leading zeros": _cluster(
        "spec.egress[0].to[0].networks[0]", version=UPSTREAM, **_out({"to": [{"networks": ["010.0.0.0/8"]}]})
    ),
    "upstream with named ports of networks": _cluster(
        "spec.egress[0]",
        version=UPSTREAM,
        **_out({"to": [{"networks": ["10.0.0.0/8"]}], "protocols": [{"destinationNamedPort": "web"}]}),
    ),
    "upstream with an empty protocol": _cluster(
        "spec.egress[0].protocols[0].tcp", version=UPSTREAM, **_out({"protocols": [{"tcp": {}}]})
    ),
    "upstream with port 0": _cluster(
        "spec.egress[0].protocols[0].tcp.destinationPort.number",
        version=UPSTREAM,
        **_out({"protocols": [{"tcp": {"destinationPort": {"number": 0}}}]}),
    ),
    "upstream with a range of one": _cluster(
        "spec.egress[0].protocols[0].udp.destinationPort.range",
        version=UPSTREAM,
        **_out({"protocols": [{"udp": {"destinationPort": {"range": {"start": 2, "end": 2}}}}]}),
    ),
    "upstream with an unknown protocol": _cluster(
        "spec.egress[0].protocols[0].icmp", version=UPSTREAM, **_out({"protocols": [{"icmp": {}}]})
    ),
    "upstream without a subject": _cluster("spec.subject", version=UPSTREAM, subject=...),
}

TAKEN: Mapping[str, Json] = {
    "everything a policy may say": _object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        {
            "podSelector": {
                "matchLabels": {"app.kubernetes.io/name": "web", "A_b.c-d": ""},
                "matchExpressions": [
                    {"key": "tier", "operator": "NotIn", "values": ["a", ""]},
                    {"key": "x", "operator": "DoesNotExist", "values": None},
                ],
            },
            "ingress": [
                {},
                None,
                {
                    "from": [
                        {"podSelector": {}, "namespaceSelector": {}},
                        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "192.168.1.1/32"]}, "podSelector": None},
                        {"ipBlock": {"cidr": "2001:DB8::/32", "except": ["2001:db8:0:1::/64"]}},
                    ],
                    "ports": [
                        {"port": 1, "endPort": 65535},
                        {"port": 1, "endPort": 1},
                        {"protocol": "SCTP"},
                        {"port": "a-1"},
                        None,
                    ],
                },
            ],
            "egress": [{"to": []}],
            "policyTypes": ["Ingress", "Ingress"],
        },
        labels={"a": "b"},
        annotations={"Example.com/A": "anything at all"},
    ),
    "nothing but a name": {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a"}},
    "a generated name": _object("networking.k8s.io/v1", "NetworkPolicy", {"podSelector": {}}, name=None, generateName="a-"),
    "application": _object(
        AWS,
        "ApplicationNetworkPolicy",
        {
            "podSelector": {},
            "ingress": None,
            "egress": [{"to": [{"domainNames": ["*.example.com"]}, {}], "ports": [{"port": 443, "protocol": None}]}],
            "policyTypes": ["Egress"],
        },
    ),
    "application with what only NetworkPolicy refuses": _object(
        AWS,
        "ApplicationNetworkPolicy",
        {
            "podSelector": {},
            "egress": [{"to": [{"ipBlock": {"cidr": "ten"}}], "ports": [{"port": 0, "protocol": "ICMP"}, {"port": "A_b"}]}],
            "policyTypes": ["a", "b", "c"],
        },
    ),
    "cluster": _cluster(
        **_in({"ports": [{"namedPort": "web"}, {"portRange": {"start": 1, "end": 2}}, {}], "name": "x"}),
        **_out({"to": [{"networks": ["anything"]}, {"domainNames": ["a.example"]}], "ports": None}),
    ).policy,
    "upstream": _cluster(
        version=UPSTREAM,
        **_in({"protocols": [{"destinationNamedPort": "web"}, {"tcp": {"destinationPort": {"number": 1}}}]}),
        **_out(
            {"to": [{"networks": ["10.0.0.1/8"]}, {"nodes": {}}]}, {"action": "Deny", "to": [{"domainNames": ["a.example"]}]}
        ),
    ).policy,
}
"""Policies that every server takes."""
