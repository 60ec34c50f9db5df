"""What Calico does with one connection, straight from the objects as users write them: endpoint by endpoint, rule by rule.

Written from the facts, with nothing of the product, and held to what Calico's own code answered. A rule asks for addresses; a
selector stands for the addresses of the pods and network sets whose labels it matches, those that they have from their namespace
and service account included.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from tests.migration.calico_words import question

Json = Mapping[str, Any]
NS = "projectcalico.org/namespace"
NUMBERS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP"}
PORTED = ("TCP", "UDP", "SCTP")
LAST = float("inf")
LONGEST = 63


class Wire(NamedTuple):
    """One connection: addresses, protocol and ports; ICMP has a type and a code instead."""

    source: str
    destination: str
    protocol: str
    port: int = 0
    source_port: int = 40000
    icmp: tuple[int, int] = (8, 0)


@dataclass(frozen=True)
class Member:
    """A pod or a network set: labels, and the addresses that it stands for."""

    labels: Mapping[str, str]
    nets: tuple[str, ...]


class Rule(NamedTuple):
    """One rule, and what it asks of a connection."""

    action: str
    matches: Any


class Policy(NamedTuple):
    """One policy in its tier."""

    tier: str
    order: float
    tie: str
    subject: Any
    types: frozenset[str]
    rules: Mapping[str, Sequence[Rule]]


class Calico:
    """Decides connections of one cluster. *objects* are those in force; *raw*: stored without defaults."""

    def __init__(self, cluster: Json, objects: Iterable[Json], *, raw: bool = False) -> None:
        self.cluster, self.raw = cluster, raw
        self.namespaces = {n["name"]: n.get("labels", {}) for n in cluster["namespaces"]}
        self.accounts = {(a["namespace"], a["name"]): a.get("labels", {}) for a in cluster.get("serviceAccounts", ())}
        self.pods = {p["ip"]: p for p in cluster["pods"] if not p.get("hostNetwork")}
        objects = list(objects)
        self.members = [Member(self.labels_of(p), (f"{p['ip']}/32",)) for p in self.pods.values()]
        self.members += [self.set_of(o) for o in objects if o["kind"] in {"NetworkSet", "GlobalNetworkSet"}]
        self.tiers: dict[str, tuple[float, str]] = {
            "default": (1_000_000, "Deny"),
            "kube-admin": (1000, "Pass"),
            "kube-baseline": (10_000_000, "Pass"),
        }
        for one in objects:
            if one["kind"] == "Tier":
                spec = one.get("spec", {})
                order = spec.get("order")
                self.tiers[one["metadata"]["name"]] = (LAST if order is None else order, spec.get("defaultAction", "Deny"))
        self.policies = [policy for one in objects for policy in self.read(one)]

    def allowed(self, wire: Wire) -> tuple[bool | None, bool | None]:
        """Return what egress and ingress say; None where that end is no pod."""
        source, destination = self.pods.get(wire.source), self.pods.get(wire.destination)
        out = None if source is None else self.side("Egress", source, wire)
        into = None if destination is None else self.side("Ingress", destination, wire)
        return out, into

    def side(self, direction: str, pod: Json, wire: Wire) -> bool:
        """Go through the tiers."""
        labels = self.labels_of(pod)
        for name in sorted(self.tiers, key=lambda t: (self.tiers[t][0], t)):
            mine = [p for p in self.policies if p.tier == name and direction in p.types and p.subject(pod, labels)]
            if not mine:
                continue
            action = self.tiers[name][1]
            for rule in (r for p in sorted(mine, key=lambda p: (p.order, p.tie)) for r in p.rules[direction]):
                if rule.action != "Log" and rule.matches(wire):
                    action = rule.action
                    break
            if action != "Pass":
                return action == "Allow"
        return True

    # --- labels -------------------------------------------------------------------------------------------------------

    def labels_of(self, pod: Json) -> Mapping[str, str]:
        """Return all labels that selectors see of a pod."""
        space, account = pod["namespace"], pod.get("serviceAccount", "default")
        own = {**pod.get("labels", {}), NS: space, "projectcalico.org/orchestrator": "k8s"}
        if len(account) <= LONGEST:
            own["projectcalico.org/serviceaccount"] = account
        own |= self.inherited(space)
        own |= {f"pcsa.{k}": v for k, v in self.accounts.get((space, account), {}).items()}
        if len(account) <= LONGEST:
            own["pcsa.projectcalico.org/name"] = account
        return own

    def inherited(self, space: str) -> dict[str, str]:
        """Return what members of a namespace have from it."""
        return {f"pcns.{k}": v for k, v in self.namespaces.get(space, {}).items()} | {"pcns.projectcalico.org/name": space}

    def set_of(self, one: Json) -> Member:
        """Return a network set."""
        labels = dict(one["metadata"].get("labels", {}))
        if one["kind"] == "NetworkSet":
            space = one["metadata"]["namespace"]
            labels |= {NS: space} | self.inherited(space)
        return Member(labels, tuple(one.get("spec", {}).get("nets") or ()))

    def prefixed(self, text: str, prefix: str) -> Any:
        """Return what a selector of namespaces or accounts asks of the labels of a member."""
        if prefix == "pcns.":
            # Whom ``all()`` and ``global()`` mean is a matter of being in a namespace at all.
            text = text.replace("all()", "has(__spaced__)").replace("global()", "!has(__spaced__)")
        asked = question(text)

        def answer(labels: Mapping[str, str]) -> bool:
            shown = {k.removeprefix(prefix): v for k, v in labels.items() if k.startswith(prefix)}
            return asked(shown | ({"__spaced__": ""} if NS in labels else {}))

        return answer

    # --- objects ------------------------------------------------------------------------------------------------------

    def read(self, one: Json) -> Iterator[Policy]:
        """Return the policy that an object is; nothing for staged ones, sets and tiers."""
        group = one["apiVersion"].partition("/")[0]
        if group == "networking.k8s.io":
            yield self.standard(one)
        elif group == "policy.networking.k8s.io":
            yield self.upstream(one)
        elif one["kind"] in {"NetworkPolicy", "GlobalNetworkPolicy"}:
            yield self.own(one)

    def own(self, one: Json) -> Policy:
        """Return a policy of Calico's kinds."""
        meta, spec = one["metadata"], one.get("spec", {})
        space = meta.get("namespace", "") if one["kind"] == "NetworkPolicy" else ""
        wanted = question(spec.get("selector", ""))
        spaces = self.prefixed(spec.get("namespaceSelector", ""), "pcns.") if spec.get("namespaceSelector") else None
        accounts = self.prefixed(spec["serviceAccountSelector"], "pcsa.") if spec.get("serviceAccountSelector") else None

        def subject(pod: Json, labels: Mapping[str, str]) -> bool:
            return (
                (not space or pod["namespace"] == space)
                and wanted(labels)
                and (spaces is None or spaces(labels))
                and (accounts is None or accounts(labels))
            )

        types = spec.get("types")
        if not types and self.raw:
            types = ("Ingress", "Egress")
        elif not types:
            types = ("Egress",) if spec.get("egress") and not spec.get("ingress") else ("Ingress",)
            types = ("Ingress", "Egress") if spec.get("egress") and spec.get("ingress") else types
        rules = {
            "Ingress": [Rule(r["action"], self.matcher(r, space)) for r in spec.get("ingress") or ()],
            "Egress": [Rule(r["action"], self.matcher(r, space)) for r in spec.get("egress") or ()],
        }
        order = spec.get("order")
        tie = f"{meta['name']}/{space}/{one['kind']}"
        tier = spec.get("tier") or "default"
        return Policy(tier, LAST if order is None else order, tie, subject, frozenset(types), rules)

    def matcher(self, rule: Json, space: str) -> Any:
        """Return what a rule asks of a connection."""
        source = self.end(rule.get("source", {}), space)
        destination = self.end(rule.get("destination", {}), space)
        services = rule.get("destination", {}).get("services")
        from_services = rule.get("source", {}).get("services")

        def matches(wire: Wire) -> bool:
            return (
                rule.get("ipVersion") in {None, 4}
                and self.is_protocol(rule, wire)
                and source(wire, wire.source, wire.source_port)
                and destination(wire, wire.destination, wire.port)
                and (not services or (wire.destination, wire.protocol, wire.port) in self.behind(services))
                and (not from_services or wire.source in {a for a, _, _ in self.behind(from_services)})
            )

        return matches

    def behind(self, service: Json) -> set[tuple[str, str, int]]:
        """Return addresses, protocols and ports behind a Service, as its EndpointSlices have them."""
        return {
            (address, port.get("protocol", "TCP"), port["port"])
            for piece in self.cluster.get("endpointSlices") or ()
            if piece["metadata"]["labels"].get("kubernetes.io/service-name") == service["name"]
            and piece["metadata"]["namespace"] == service["namespace"]
            for endpoint in piece["endpoints"]
            for address in endpoint["addresses"]
            for port in piece["ports"]
        }

    def is_protocol(self, rule: Json, wire: Wire) -> bool:
        """Say whether protocol and ICMP type fit."""
        for key, wanted in (("protocol", True), ("notProtocol", False)):
            if rule.get(key) is not None and (_protocol(rule[key]) == wire.protocol) is not wanted:
                return False
        for key, wanted in (("icmp", True), ("notICMP", False)):
            asked = rule.get(key)
            if asked:
                fits = wire.protocol == "ICMP" and asked.get("type") in {None, wire.icmp[0]}
                fits = fits and asked.get("code") in {None, wire.icmp[1]}
                if fits is not wanted:
                    return False
        return True

    def end(self, side: Json, space: str) -> Any:
        """Return what one side of a rule asks of its end."""
        asked = self.selected(side, space)
        nots = question(side["notSelector"]) if side.get("notSelector") else None
        if asked is not None and nots is not None:
            # Both together ask for one member that is the one and not the other.
            asked, nots = _but_not(asked, nots), None
        nets, outside = side.get("nets") or (), side.get("notNets") or ()
        ports, closed = side.get("ports") or (), side.get("notPorts") or ()

        def fits(wire: Wire, address: str, port: int) -> bool:
            return (
                (asked is None or self.is_one(asked, address))
                and (nots is None or not self.is_one(nots, address))
                and (not nets or _within(nets, address))
                and not _within(outside, address)
                and (not outside or any(ipaddress.ip_network(n).version == 4 for n in outside))
                and (not ports or (wire.protocol in PORTED and self.is_port(ports, wire.protocol, address, port)))
                and not (closed and wire.protocol in PORTED and self.is_port(closed, wire.protocol, address, port))
            )

        return fits

    def selected(self, side: Json, space: str) -> Any:
        """Return what is asked of the labels of a member; None where no member is asked for."""
        accounts = side.get("serviceAccounts") or {}
        parts: list[Any] = []
        if side.get("namespaceSelector"):
            parts.append(self.prefixed(side["namespaceSelector"], "pcns."))
        elif space and (side.get("selector") or side.get("notSelector") or accounts.get("names") or accounts.get("selector")):
            parts.append(lambda labels: labels.get(NS) == space)
        if side.get("selector"):
            parts.append(question(side["selector"]))
        if accounts.get("names"):
            parts.append(lambda labels: labels.get("projectcalico.org/serviceaccount") in accounts["names"])
        if accounts.get("selector"):
            parts.append(self.prefixed(accounts["selector"], "pcsa."))
        return (lambda labels: all(part(labels) for part in parts)) if parts else None

    def is_one(self, asked: Any, address: str) -> bool:
        """Say whether an address is that of a member whose labels fit."""
        return any(_within(member.nets, address) and asked(member.labels) for member in self.members)

    def is_port(self, ports: Sequence[Any], protocol: str, address: str, port: int) -> bool:
        """Say whether a port is one of these; a name is that of the pod at the address."""
        for one in ports:
            text = str(one)
            low, _, high = text.partition(":")
            if low.isdigit():
                if int(low) <= port <= int(high or low):
                    return True
            else:
                declared = self.pods.get(address, {}).get("ports") or ()
                if any((p["name"], p.get("protocol", "TCP"), p["containerPort"]) == (text, protocol, port) for p in declared):
                    return True
        return False

    # --- Kubernetes' own kinds ----------------------------------------------------------------------------------------

    def standard(self, one: Json) -> Policy:
        """Return a NetworkPolicy."""
        meta, spec = one["metadata"], one["spec"]
        space = meta["namespace"]
        types = spec.get("policyTypes") or (("Ingress", "Egress") if spec.get("egress") else ("Ingress",))

        def subject(pod: Json, _: Mapping[str, str]) -> bool:
            return pod["namespace"] == space and selects(spec.get("podSelector") or {}, pod.get("labels", {}))

        rules: dict[str, list[Rule]] = {
            "Ingress": [
                Rule("Allow", self.standard_rule(r.get("from"), r.get("ports"), space)) for r in spec.get("ingress") or ()
            ],
            "Egress": [
                Rule("Allow", self.standard_rule(r.get("to"), r.get("ports"), space, out=True)) for r in spec.get("egress") or ()
            ],
        }
        return Policy("default", 1000, f"{meta['name']}/{space}/KubernetesNetworkPolicy", subject, frozenset(types), rules)

    def standard_rule(self, peers: Any, ports: Any, space: str, *, out: bool = False) -> Any:
        """Return what a rule of a NetworkPolicy asks."""

        def matches(wire: Wire) -> bool:
            far = wire.destination if out else wire.source
            return (not peers or any(self.is_peer(p, space, far) for p in peers)) and (
                not ports or any(self.is_standard_port(p, wire) for p in ports)
            )

        return matches

    def is_peer(self, peer: Json, space: str, address: str) -> bool:
        """Say whether an address is the peer's."""
        block = peer.get("ipBlock")
        if block:
            return _within([block["cidr"]], address) and not _within(block.get("except") or (), address)
        pod = self.pods.get(address)
        if pod is None:
            return False
        near = peer.get("namespaceSelector")
        is_near = pod["namespace"] == space if near is None else selects(near, self.namespaces[pod["namespace"]])
        return is_near and selects(peer.get("podSelector") or {}, pod.get("labels", {}))

    def is_standard_port(self, port: Json, wire: Wire) -> bool:
        """Say whether a port entry of a NetworkPolicy fits."""
        if port.get("protocol", "TCP") != wire.protocol:
            return False
        if port.get("port") is None:
            return True
        text = f"{port['port']}:{port['endPort']}" if port.get("endPort") else port["port"]
        return self.is_port([text], wire.protocol, wire.destination, wire.port)

    def upstream(self, one: Json) -> Policy:
        """Return a ClusterNetworkPolicy whose subject and peers are namespaces."""
        spec = one["spec"]
        tier = "kube-admin" if spec["tier"] == "Admin" else "kube-baseline"
        actions = {"Accept": "Allow", "Deny": "Deny", "Pass": "Pass"}

        def rule(written: Json, key: str) -> Rule:
            def matches(wire: Wire) -> bool:
                pod = self.pods.get(wire.source if key == "from" else wire.destination)
                spaces = [p["namespaces"] for p in written[key]]
                return pod is not None and any(selects(s, self.namespaces[pod["namespace"]]) for s in spaces)

            return Rule(actions[written["action"]], matches)

        def subject(pod: Json, _: Mapping[str, str]) -> bool:
            return selects(spec["subject"]["namespaces"], self.namespaces[pod["namespace"]])

        rules = {
            "Ingress": [rule(r, "from") for r in spec.get("ingress") or ()],
            "Egress": [rule(r, "to") for r in spec.get("egress") or ()],
        }
        types = frozenset(d for d, written in rules.items() if written)
        return Policy(tier, spec["priority"], one["metadata"]["name"], subject, types, rules)


def selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Say whether a label selector of Kubernetes matches."""
    if any(labels.get(k) != v for k, v in (selector.get("matchLabels") or {}).items()):
        return False
    for asked in selector.get("matchExpressions") or ():
        key, values = asked["key"], asked.get("values") or ()
        met = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not met[asked["operator"]]:
            return False
    return True


def _but_not(asked: Any, nots: Any) -> Any:
    return lambda labels: asked(labels) and not nots(labels)


def _protocol(written: str | int) -> str:
    text = str(written)
    return NUMBERS.get(int(text), text) if text.isdigit() else text


def _within(nets: Iterable[str], address: str) -> bool:
    return any(_is_inside(net, address) for net in nets)


@lru_cache(maxsize=1 << 14)
def _is_inside(block: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(block, strict=False)
