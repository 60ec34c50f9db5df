"""What Cilium does with one connection, straight from the objects as users write them: identity by identity, rule by rule.

Written from the facts, with nothing of the product, and held to what Cilium's own code answered. Every end has labels, each with
where it comes from: those of a pod, of its namespace and account, or one that Cilium reserves. A rule asks for the labels of the
far end and for ports. Who is selected by a rule with a section is isolated; denials win.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

Json = Mapping[str, Any]
SPACE = "io.kubernetes.pod.namespace"
SPACE_LABELS = "io.cilium.k8s.namespace.labels."
ACCOUNT = "io.cilium.k8s.policy.serviceaccount"
CLUSTER = "io.cilium.k8s.policy.cluster"
PORTED = ("TCP", "UDP", "SCTP")
LEFT_OUT = (
    "kubernetes.io/",
    "k8s.io",
    "io.kubernetes",
    "topology.kubernetes.io",
    "pod-template-hash",
    "pod-template-generation",
    "controller-revision-hash",
    "controller-uid",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/controller-uid",
    "etcd_node",
    "annotation",
)
ICMP_NAMES = {"EchoReply": 0, "DestinationUnreachable": 3, "EchoRequest": 8, "TimeExceeded": 11}
CLUSTERS = ("host", "remote-node", "kube-apiserver", "init", "health", "ingress", "unmanaged")


class End(NamedTuple):
    """One end: its labels as (source, key) and value, the addresses it may be asked for by, and its named ports."""

    labels: Mapping[tuple[str, str], str]
    address: str = ""
    """Of somebody outside: blocks mean nobody else."""
    ports: tuple[Json, ...] = ()
    pod: Json | None = None


class Cilium:
    """Decides connections of one cluster. *objects* are those in force, CIDR groups among them."""

    def __init__(self, cluster: Json, objects: Iterable[Json]) -> None:
        self.cluster = cluster
        self.namespaces = {n["name"]: n.get("labels", {}) for n in cluster["namespaces"]}
        self.nodes = {n["name"]: n["ip"] for n in cluster["nodes"]}
        objects = list(objects)
        self.groups = [o for o in objects if o["kind"] == "CiliumCIDRGroup"] + list(cluster.get("cidrGroups") or ())
        self.rules: list[tuple[Any, Json, str]] = []
        """Whom a rule is for, the rule with sections as Cilium's own kinds have them, and the namespace it is in."""
        for one in objects:
            space = one["metadata"].get("namespace", "")
            if one["kind"] == "NetworkPolicy":
                self.rules.append(standard(one))
            elif one["kind"] != "CiliumCIDRGroup":
                specs = ([one["spec"]] if "spec" in one else []) + list(one.get("specs") or ())
                self.rules += [(subject(s["endpointSelector"], space), s, space) for s in specs if "endpointSelector" in s]

    # --- ends ---------------------------------------------------------------------------------------------------------

    def pod(self, pod: Json) -> End:
        """Return a pod as an end."""
        own = {k: v for k, v in pod.get("labels", {}).items() if not _is_left_out(k)}
        own |= {SPACE: pod["namespace"], ACCOUNT: pod["serviceAccount"], CLUSTER: "default"}
        own |= {SPACE_LABELS + k: v for k, v in self.namespaces[pod["namespace"]].items()}
        return End({("k8s", k): v for k, v in own.items()}, ports=tuple(pod.get("ports") or ()), pod=pod)

    def reserved(self, *names: str) -> End:
        """Return what Cilium has a reserved name for."""
        return End({("reserved", name): "" for name in names})

    def at(self, address: str) -> End:
        """Return somebody outside, with the labels of the groups of blocks that hold the address."""
        labels = {("reserved", "world"): ""}
        if address == self.cluster.get("kubeApiserverIP"):
            labels["reserved", "kube-apiserver"] = ""
        for group in self.groups:
            if _within(group["spec"]["externalCIDRs"], address):
                labels |= {("cidrgroup", k): v for k, v in group["metadata"].get("labels", {}).items()}
        return End(labels, address)

    def node(self, name: str, beside: str) -> End:
        """Return a node as a pod on the node *beside* sees it."""
        return self.reserved("host" if name == beside else "remote-node")

    # --- verdicts -----------------------------------------------------------------------------------------------------

    def allowed(self, source: End, destination: End, protocol: str, port: int) -> tuple[bool | None, bool | None]:
        """Return what egress and ingress say; None where that end is no pod."""
        out = None if source.pod is None else self.side("egress", source, destination, destination, protocol, port)
        into = None if destination.pod is None else self.side("ingress", destination, source, destination, protocol, port)
        return out, into

    def side(self, direction: str, me: End, far: End, destination: End, protocol: str, port: int) -> bool:
        """Denials first, then what is never judged, then allowances where something isolates."""
        mine = [(rule, space) for whom, rule, space in self.rules if whom(me.labels)]
        isolated = allows = False
        for rule, space in mine:
            for one in rule.get(f"{direction}Deny") or ():
                if self.matches(one, direction, space, far, destination, protocol, port):
                    return False
            allows = allows or any(
                self.matches(one, direction, space, far, destination, protocol, port) for one in rule.get(direction) or ()
            )
            if rule.get(direction) or rule.get(f"{direction}Deny") or direction in rule.get("isolates", ()):
                isolated = isolated or (rule.get("enableDefaultDeny") or {}).get(direction) is not False
        is_host = direction == "ingress" and ("reserved", "host") in far.labels
        return is_host or allows or not isolated

    def matches(self, rule: Json, direction: str, space: str, far: End, destination: End, protocol: str, port: int) -> bool:
        """Say whether a rule means a connection. One without anything means none."""
        if "everything" in rule:
            return True
        peers = self.peers(rule, "from" if direction == "ingress" else "to", space)
        ports, icmps = rule.get("toPorts") or (), rule.get("icmps") or ()
        if peers is None and not ports and not icmps:
            return False
        if peers is not None and not any(peer(far) for peer in peers):
            return False
        if ports:
            wanted = [p for entry in ports for p in entry.get("ports") or ()]
            return any(is_port(p, destination, protocol, port) for p in wanted)
        if icmps:
            fields = [f for entry in icmps for f in entry.get("fields") or ()]
            return any(_is_icmp(f, protocol, port) for f in fields)
        return True

    def peers(self, rule: Json, way: str, space: str) -> Sequence[Any] | None:
        """Return what is asked of the far end, as alternatives; None where nothing is. An empty list means nobody."""
        written = {key: rule[way + key] for key in ("Endpoints", "CIDR", "CIDRSet", "Entities") if way + key in rule}
        if (rule.get("toServices") and not rule.get("toPorts")) or rule.get("toGroups"):
            return ()
        if not written:
            return None
        if not all(written.values()):
            return ()
        found: list[Any] = [peer(s, space) for s in written.get("Endpoints", ())]
        found += [lambda end, c=c: _is_in([c], end) for c in written.get("CIDR", ())]
        found += [self.block(entry) for entry in written.get("CIDRSet", ())]
        found += [entity(name) for name in written.get("Entities", ())]
        return found

    def block(self, entry: Json) -> Any:
        """Return what an entry of a CIDR set asks."""
        holes = entry.get("except") or ()
        if "cidrGroupSelector" in entry:
            asked = entry["cidrGroupSelector"]
            return lambda end: (
                meets(asked, {k: v for (s, k), v in end.labels.items() if s == "cidrgroup"})
                and not (end.address and _within(holes, end.address))
            )
        if "cidrGroupRef" in entry:
            blocks = [
                c for g in self.groups if g["metadata"]["name"] == entry["cidrGroupRef"] for c in g["spec"]["externalCIDRs"]
            ]
        else:
            blocks = [entry["cidr"]]
        return lambda end: _is_in(blocks, end) and not (end.address and _within(holes, end.address))


# --- selectors --------------------------------------------------------------------------------------------------------


def _key(written: str) -> tuple[str, str]:
    source, colon, key = written.partition(":")
    return (source, key) if colon else ("any", written)


def _value(labels: Mapping[tuple[str, str], str], written: str) -> str | None:
    source, key = _key(written)
    found = [v for (s, k), v in labels.items() if k == key and source in {"any", s}]
    return found[0] if found else None


def meets(selector: Json, labels: Mapping[str, str]) -> bool:
    """Say whether a selector of Kubernetes matches labels without sources."""
    return bool(asks(selector)({("any", k): v for k, v in labels.items()}))


def asks(selector: Json) -> Any:
    """Return what a selector asks of labels with sources; keys without one ask for any."""

    def answer(labels: Mapping[tuple[str, str], str]) -> bool:
        if any(_value(labels, k) != v for k, v in (selector.get("matchLabels") or {}).items()):
            return False
        for one in selector.get("matchExpressions") or ():
            value, values = _value(labels, one["key"]), one.get("values") or ()
            met = {
                "In": value in values,
                "NotIn": value not in values,
                "Exists": value is not None,
                "DoesNotExist": value is None,
            }
            if not met[one["operator"]]:
                return False
        return True

    return answer


def _keys(selector: Json) -> list[tuple[str, str]]:
    written = [*(selector.get("matchLabels") or {}), *(e["key"] for e in selector.get("matchExpressions") or ())]
    return [_key(k) for k in written]


def subject(selector: Json, space: str) -> Any:
    """Return whom a rule in a namespace is for: the namespace in its labels is overwritten with its own."""
    labels = dict(selector.get("matchLabels") or {})
    if space:
        labels[f"k8s:{SPACE}"] = space
    return asks({**selector, "matchLabels": labels})


def peer(selector: Json, space: str) -> Any:
    """Return whom a selector of endpoints means: pods of the own namespace, where it does not say otherwise."""
    asked, keys = asks(selector), _keys(selector)
    if any(source == "reserved" for source, _ in keys):
        return lambda end: asked(end.labels)
    says_where = any(key == SPACE or key.startswith(SPACE_LABELS) for _, key in keys)
    says_cluster = any(key == CLUSTER for _, key in keys)

    def answer(end: End) -> bool:
        here = end.labels.get(("k8s", SPACE))
        near = says_where or (here == space if space else here is not None)
        return near and (says_cluster or end.labels.get(("k8s", CLUSTER)) == "default") and asked(end.labels)

    return answer


def entity(name: str) -> Any:
    """Return whom an entity means."""
    if name == "all":
        return lambda _: True
    if name == "cluster":
        return lambda end: ("k8s", CLUSTER) in end.labels or any(("reserved", n) in end.labels for n in CLUSTERS)
    return lambda end: ("reserved", name) in end.labels


# --- ports ------------------------------------------------------------------------------------------------------------


def is_port(written: Json, destination: End, protocol: str, port: int) -> bool:
    """Say whether an entry of ``toPorts`` means a port."""
    wanted = written.get("protocol") or "ANY"
    if protocol not in PORTED or wanted not in {"ANY", protocol}:
        return False
    text = str(written["port"])
    if not text.isdigit():
        own = [p for p in destination.ports if p["name"].lower() == text.lower()]
        return any((p.get("protocol", "TCP"), p["containerPort"]) == (protocol, port) for p in own)
    low = int(text)
    return low == 0 or low <= port <= max(low, written.get("endPort") or 0)


def _is_icmp(field: Json, protocol: str, kind: int) -> bool:
    wanted = "ICMPv6" if field.get("family") == "IPv6" else "ICMP"
    written = field["type"]
    return protocol == wanted and (int(written) if str(written).isdigit() else ICMP_NAMES[written]) in {0, kind}


# --- NetworkPolicies --------------------------------------------------------------------------------------------------


def standard(one: Json) -> tuple[Any, Json, str]:
    """Return a NetworkPolicy as a rule of Cilium's; its types say what is isolated besides."""
    spec, space = one["spec"], one["metadata"]["namespace"]
    types = spec.get("policyTypes") or (("Ingress", "Egress") if spec.get("egress") else ("Ingress",))
    rule: dict[str, Any] = {"isolates": tuple(t.lower() for t in types)}
    for direction, way in (("ingress", "from"), ("egress", "to")):
        rule[direction] = [r for written in spec.get(direction) or () for r in _standard_rules(written, way)]
    return subject(spec.get("podSelector") or {}, space), rule, space


def _standard_rules(written: Json, way: str) -> list[Json]:
    ports = [{"port": "0", "protocol": "TCP"} | {k: v for k, v in p.items() if v is not None} for p in written.get("ports") or ()]
    limit = {"toPorts": [{"ports": ports}]} if ports else {}
    if not written.get(way):
        return [limit or {"everything": True}]
    found: list[Json] = []
    for one in written[way]:
        block = one.get("ipBlock")
        if block:
            found.append({f"{way}CIDRSet": [block], **limit})
        else:
            found.append({f"{way}Endpoints": [_standard_peer(one)], **limit})
    return found


def _standard_peer(one: Json) -> Json:
    pods, spaces = one.get("podSelector") or {}, one.get("namespaceSelector")
    labels = dict(pods.get("matchLabels") or {})
    asked = list(pods.get("matchExpressions") or ())
    if spaces is not None:
        labels |= {f"k8s:{SPACE_LABELS}{k}": v for k, v in (spaces.get("matchLabels") or {}).items()}
        asked += [{**e, "key": f"k8s:{SPACE_LABELS}{e['key']}"} for e in spaces.get("matchExpressions") or ()]
        asked.append({"key": f"k8s:{SPACE}", "operator": "Exists"})
    return {"matchLabels": labels, "matchExpressions": asked}


def _is_left_out(key: str) -> bool:
    if key.startswith(("app.kubernetes.io", "statefulset.kubernetes.io/pod-name")):
        return not key.startswith("app.")
    return key.startswith(LEFT_OUT) or "beta.kubernetes.io" in key


def _is_in(blocks: Sequence[str], end: End) -> bool:
    """Say whether blocks mean an end: somebody outside, or the whole world where its address is of no matter."""
    if not end.address:
        return "0.0.0.0/0" in blocks and ("reserved", "world") in end.labels
    return _within(blocks, end.address)


def _within(blocks: Iterable[str], address: str) -> bool:
    return any(_is_inside(block, address) for block in blocks)


@lru_cache(maxsize=1 << 14)
def _is_inside(block: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(block, strict=False)
