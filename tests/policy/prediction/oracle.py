"""What the controller writes, worked out pod by pod and entry by entry: slow, and as obvious as the rules can be put.

It reads and gives the API's own JSON and shares no code with the product. Entries are dictionaries ``{cidr, except, ports,
domain, action}``; ports are triples of protocol, port and endPort. Numbers in words are those of the controller's rules as they
were noted: selection 2, peers 3, ports 4, Services 5, objects 6, AWS's own kinds 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

Json = dict[str, Any]
Port = tuple[str | None, int | None, int | None]


class Stops(Exception):
    """The controller's process ends."""


@dataclass(frozen=True)
class Release:
    """What differs between releases."""

    finished: bool = False
    host_network: bool = False
    guard: bool = True
    guard_first: bool = True
    merge: str = "block"
    aws: bool = True


RELEASES = {
    "1.0.6": Release(finished=True, host_network=True, guard=False, merge="never", aws=False),
    "1.0.18": Release(finished=True, host_network=True, guard=False, merge="cidr", aws=False),
    "1.1.1": Release(host_network=True, guard=False, merge="cidr"),
    "1.1.2": Release(guard_first=False, merge="cidr"),
    "1.1.3": Release(guard_first=False),
    "1.1.4": Release(guard=False),
    "1.1.5": Release(guard_first=False),
    "1.1.7": Release(),
}


def selects(selector: Json, labels: dict[str, str]) -> bool:
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for requirement in selector.get("matchExpressions", []):
        key, values = requirement["key"], requirement.get("values", [])
        holds = {
            "In": key in labels and labels[key] in values,
            "NotIn": key not in labels or labels[key] not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not holds[requirement["operator"]]:
            return False
    return True


@dataclass(frozen=True)
class Oracle:
    """A cluster, as lists of the API's JSON."""

    pods: list[Json]
    namespaces: list[Json]
    services: list[Json]
    release: Release

    # --- pods ---------------------------------------------------------------------------------------------------------

    def address(self, pod: Json) -> str:
        """2.4: the status, else the annotation as it is."""
        found: str = pod["status"].get("podIP") or pod["metadata"].get("annotations", {}).get("vpc.amazonaws.com/pod-ips", "")
        return found

    def ready(self, pod: Json) -> bool:
        """2.3: an address, and not finished; old releases do not look at the phase."""
        done = pod["status"].get("phase") in {"Succeeded", "Failed"}
        return bool(self.address(pod)) and (self.release.finished or not done)

    def pods_in(self, namespace: str, selector: Json | None) -> list[Json]:
        """Pods of a namespace by labels; without a selector all."""
        own = [p for p in self.pods if p["metadata"]["namespace"] == namespace]
        return [p for p in own if selector is None or selects(selector, p["metadata"].get("labels", {}))]

    def matching_namespaces(self, selector: Json) -> list[str]:
        """3.1: namespaces by labels."""
        found = []
        for namespace in self.namespaces:
            name = namespace["metadata"]["name"]
            labels = {"kubernetes.io/metadata.name": name} | namespace["metadata"].get("labels", {})
            if selects(selector, labels):
                found.append(name)
        return found

    def namespaces_of(self, peer: Json, own: str) -> list[str]:
        """3.1: those a peer means; without a selector its own."""
        return self.matching_namespaces(peer["namespaceSelector"]) if "namespaceSelector" in peer else [own]

    def selected(self, namespace: str, selector: Json) -> list[Json]:
        """2: what spec.podSelectorEndpoints lists."""
        found = []
        for pod in self.pods_in(namespace, selector):
            if pod["spec"].get("hostNetwork") and not self.release.host_network:
                continue
            if self.ready(pod):
                place = {"podIP": self.address(pod), "hostIP": pod["status"].get("hostIP", "")}
                found.append(place | {"name": pod["metadata"]["name"], "namespace": namespace})
        return found

    # --- ports --------------------------------------------------------------------------------------------------------

    def declared(self, pod: Json) -> list[Json]:
        """1.1: ports of ordinary containers only."""
        return [p for c in pod["spec"]["containers"] for p in c.get("ports", [])]

    def look_up(self, pod: Json, port: int | str, protocol: str) -> tuple[int, str] | None:
        """4.3: the first with that protocol and name or number; a number that is not declared is itself."""
        for declared in self.declared(pod):
            if declared.get("protocol", "TCP") == protocol:
                if isinstance(port, str) and declared.get("name") == port:
                    return declared["containerPort"], port
                if isinstance(port, int) and declared["containerPort"] == port:
                    return port, declared.get("name", "")
        return (port, "") if isinstance(port, int) else None

    def plain(self, ports: list[Json]) -> list[Port]:
        """4.2: names are dropped, and what follows a nil protocol ends the process."""
        found: list[Port] = []
        for port in ports:
            if "protocol" not in port:
                raise Stops
            if "port" not in port:
                found.append((port["protocol"], None, None))
            elif isinstance(port["port"], int):
                found.append((port["protocol"], port["port"], port.get("endPort")))
        return found

    def on_pod(self, pod: Json, ports: list[Json]) -> list[Port]:
        """4.2: what a rule lists, on one pod."""
        found: list[Port] = []
        for port in ports:
            number = None
            if "port" in port:
                if "protocol" not in port:
                    raise Stops
                met = self.look_up(pod, port["port"], port["protocol"])
                if met is None:
                    continue
                number = met[0]
            found.append((port.get("protocol"), number, port.get("endPort")))
        return found

    def of_ingress(self, namespace: str, selector: Json, ports: list[Json]) -> list[Port]:
        """4.1: once for a rule; with a name, the union over the pods of the policy."""
        if not any(isinstance(p.get("port"), str) for p in ports):
            return self.plain(ports)
        found: list[Port] = []
        for pod in self.pods_in(namespace, selector):
            if self.ready(pod):
                found += self.on_pod(pod, ports)
        return list(dict.fromkeys(found))

    # --- rules --------------------------------------------------------------------------------------------------------

    def ingress(self, namespace: str, selector: Json, rules: list[Json]) -> Iterator[Json]:
        """3 and 4.1."""
        for rule in rules:
            ports = self.of_ingress(namespace, selector, rule.get("ports", []))
            if rule.get("ports") and not ports:
                continue
            if "from" not in rule:
                yield from ({"cidr": c, "ports": ports} for c in ("0.0.0.0/0", "::/0"))
            for peer in rule.get("from", []):
                if "ipBlock" in peer:
                    yield {"cidr": peer["ipBlock"]["cidr"], "except": peer["ipBlock"].get("except", []), "ports": ports}
                    continue
                for name in self.namespaces_of(peer, namespace):
                    for pod in self.pods_in(name, peer.get("podSelector")):
                        if self.ready(pod):
                            yield {"cidr": self.address(pod), "ports": ports}

    def egress(self, namespace: str, rules: list[Json]) -> Iterator[Json]:
        """3, 4.2 and 5."""
        for rule in rules:
            ports = rule.get("ports", [])
            plain = self.plain(ports)
            if "to" not in rule and (plain or not ports):
                yield from ({"cidr": c, "ports": plain} for c in ("0.0.0.0/0", "::/0"))
            for peer in rule.get("to", []):
                if "ipBlock" in peer:
                    if plain or not ports:
                        yield {"cidr": peer["ipBlock"]["cidr"], "except": peer["ipBlock"].get("except", []), "ports": plain}
                    continue
                for name in self.namespaces_of(peer, namespace):
                    for pod in self.pods_in(name, peer.get("podSelector")):
                        own = self.on_pod(pod, ports)
                        if self.ready(pod) and (own or not ports):
                            yield {"cidr": self.address(pod), "ports": own}
                    yield from self.cluster_ips(name, peer.get("podSelector", {}), ports)

    # --- Services -----------------------------------------------------------------------------------------------------

    def cluster_ips(self, namespace: str, selector: Json, ports: list[Json]) -> Iterator[Json]:
        """5.1 to 5.4: Services of one namespace."""
        for service in self.services:
            spec = service["spec"]
            if service["metadata"]["namespace"] != namespace or spec.get("clusterIP", "None") in {"", "None"}:
                continue
            if not selects(selector, spec.get("selector", {})):
                continue
            if not ports:
                yield {"cidr": spec["clusterIP"], "ports": []}
                continue
            answers = self.answers(service, ports)
            if answers != [[]]:
                yield {"cidr": spec["clusterIP"], "ports": answers, "chance": True}

    def answers(self, service: Json, ports: list[Json]) -> list[list[Port]]:
        """All that can come out, whichever order the pods behind are met in."""
        behind = self.pods_in(service["metadata"]["namespace"], {"matchLabels": service["spec"].get("selector", {})})
        found: list[list[Port]] = []
        for order in permutations(behind):
            own = self.service_ports(service, ports, list(order))
            if own not in found:
                found.append(own)
        return found

    def service_ports(self, service: Json, ports: list[Json], behind: list[Json]) -> list[Port]:
        """5.4 and 5.5, with pods met in one order."""
        found: list[Port] = []
        for port in ports:
            if "port" not in port:
                found.append((port["protocol"], None, port.get("endPort")))
                continue
            number = self.listening(service, port, behind)
            if number is None or (isinstance(port["port"], int) and self.bypassed(service, number, port, ports, behind)):
                continue
            found.append((port["protocol"], number, port.get("endPort")))
        return found

    def offers(self, service: Json, protocol: str) -> list[tuple[int, int | str]]:
        """Ports of a Service with their targets."""
        own = [p for p in service["spec"].get("ports", []) if p.get("protocol", "TCP") == protocol]
        return [(p["port"], p.get("targetPort", p["port"])) for p in own]

    def listening(self, service: Json, port: Json, behind: list[Json]) -> int | None:
        """5.4b and c."""
        offers = self.offers(service, port["protocol"])
        for number, target in offers:
            if isinstance(target, str) == isinstance(port["port"], str) and target == port["port"]:
                return number
        for pod in behind:
            met = self.look_up(pod, port["port"], port["protocol"])
            if met is None:
                continue
            for number, target in offers:
                if target == (met[1] if isinstance(target, str) else met[0]):
                    return number
        return None

    def bypassed(self, service: Json, number: int, port: Json, ports: list[Json], behind: list[Json]) -> bool:
        """5.6."""
        if not self.release.guard:
            return False
        names = [t for n, t in self.offers(service, port["protocol"]) if n == number and isinstance(t, str)]
        if not names:
            return False
        for pod in behind:
            named = [d for d in self.declared(pod) if d.get("name") == names[0]]
            if self.release.guard_first:
                named = [d for d in named if d.get("protocol", "TCP") == port["protocol"]][:1]
            if any(not self.listed(ports, d.get("protocol", "TCP"), d["containerPort"]) for d in named):
                return True
        return False

    def listed(self, ports: list[Json], protocol: str, number: int) -> bool:
        """5.6: whether a number is in a rule."""
        for port in ports:
            if port["protocol"] == protocol:
                if "port" not in port:
                    return True
                if isinstance(port["port"], int) and port["port"] <= number <= port.get("endPort", port["port"]):
                    return True
        return False

    # --- policies -----------------------------------------------------------------------------------------------------

    def network_policy(self, policy: Json) -> tuple[list[Json], list[Json], list[Json]]:
        """Pods, ingress, egress of a NetworkPolicy."""
        spec, namespace = policy["spec"], policy["metadata"]["namespace"]
        selector = spec.get("podSelector", {})
        pods = self.selected(namespace, selector)
        incoming, outgoing = spec.get("ingress", []), spec.get("egress", [])
        return pods, list(self.ingress(namespace, selector, incoming)), list(self.egress(namespace, outgoing))

    def application_policy(self, policy: Json) -> tuple[list[Json], list[Json], list[Json]]:
        """9.1."""
        spec = policy["spec"]
        rules, domains = [], []
        for rule in spec.get("egress", []):
            peers = [p for p in rule.get("to", []) if "domainNames" not in p]
            if peers:
                rules.append(rule | {"to": peers})
            ports = [
                (p.get("protocol", "TCP"), p["port"] if isinstance(p.get("port"), int) else None, p.get("endPort"))
                for p in rule.get("ports", [])
            ]
            for peer in rule.get("to", []):
                domains += [{"domain": d, "ports": ports} for d in peer.get("domainNames", [])]
        converted = policy | {"spec": {**spec, "egress": rules}}
        pods, ingress, egress = self.network_policy(converted)
        return pods, ingress, egress + domains

    def cluster_policy(self, policy: Json) -> tuple[list[Json], list[Json], list[Json]]:
        """9.2."""
        spec = policy["spec"]
        subject = spec["subject"]
        pods: list[Json] = []
        if "namespaces" in subject:
            for name in self.matching_namespaces(subject["namespaces"]):
                pods += self.selected(name, {})
        else:
            for name in self.matching_namespaces(subject["pods"]["namespaceSelector"]):
                pods += self.selected(name, subject["pods"]["podSelector"])
        ingress = [e for rule in spec.get("ingress", []) for e in self.cluster_ingress(rule)]
        egress = [e for rule in spec.get("egress", []) for e in self.cluster_egress(rule)]
        return pods, _textually_once(ingress), _textually_once(egress)

    def cluster_ingress(self, rule: Json) -> Iterator[Json]:
        """9.2: once for each namespace of the first peer."""
        peers = [_np_peer(p) for p in rule["from"]]
        made = {"from": peers, "ports": _np_ports(rule)} if "ports" in rule else {"from": peers}
        for name in self.matching_namespaces(peers[0]["namespaceSelector"]):
            yield from (e | {"action": rule["action"]} for e in self.ingress(name, {}, [made]))

    def cluster_egress(self, rule: Json) -> Iterator[Json]:
        """9.2: the whole rule for each peer, and each of its namespaces; domains by themselves."""
        everyone: list[Json] = []
        for peer in rule["to"]:
            everyone += [{"ipBlock": {"cidr": c}} for c in peer.get("networks", [])]
            if "namespaces" in peer or "pods" in peer:
                everyone.append(_np_peer(peer))
        made = {"to": everyone, "ports": _np_ports(rule)} if "ports" in rule else {"to": everyone}
        for peer in rule["to"]:
            if "domainNames" in peer:
                ports = [p for p in _np_ports(rule) if isinstance(p["port"], int)]
                own = [(p["protocol"], p["port"], p.get("endPort")) for p in ports]
                yield from ({"domain": d, "ports": own, "action": rule["action"]} for d in peer["domainNames"])
                continue
            times = 1 if "networks" in peer else len(self.matching_namespaces(_np_peer(peer)["namespaceSelector"]))
            for _ in range(times):
                yield from (e | {"action": rule["action"]} for e in self.egress("default", [made]))


def _np_peer(peer: Json) -> Json:
    if "namespaces" in peer:
        return {"namespaceSelector": peer["namespaces"]}
    return dict(peer["pods"]) if "pods" in peer else {"namespaceSelector": {"matchLabels": {"no": "namespace"}}}


def _np_ports(rule: Json) -> list[Json]:
    found: list[Json] = []
    for port in rule.get("ports", []):
        if "portNumber" in port:
            found.append({"protocol": port["portNumber"].get("protocol", "TCP"), "port": port["portNumber"]["port"]})
        if "portRange" in port:
            own = port["portRange"]
            found.append({"protocol": own.get("protocol", "TCP"), "port": own["start"], "endPort": own["end"]})
        if "namedPort" in port:
            found.append({"port": port["namedPort"]})
    return found


def _textually_once(entries: list[Json]) -> list[Json]:
    seen: dict[tuple[Any, ...], Json] = {}
    for entry in entries:
        ports = ",".join(f"{p or 'TCP'}:{'any' if n is None else n}" for p, n, _ in _settled(entry)) or "all"
        seen.setdefault((entry.get("cidr"), entry.get("domain"), entry["action"], ports), entry)
    return list(seen.values())


def _settled(entry: Json) -> list[Port]:
    """The ports of an entry; where they are left to chance, what the order of the list gives."""
    ports: list[Any] = entry["ports"]
    if entry.get("chance"):
        return ports[0]  # type: ignore[no-any-return]
    return ports


def is_chance(entries: list[Json]) -> bool:
    """True when pods behind some Service disagree."""
    return any(e.get("chance") and len(e["ports"]) > 1 for e in entries)


def settle(entries: list[Json]) -> list[Json]:
    """Entries as they are written, where nothing is left to chance."""
    return [e | {"ports": _settled(e)} for e in entries]


# --- the manager ------------------------------------------------------------------------------------------------------


def told_apart(entries: list[Json], *, cluster: bool = False) -> list[Json]:
    """Each key once, the last entry of it; keys are what an entry says, without anything between."""
    found: dict[str, Json] = {}
    for entry in entries:
        key = entry.get("domain") or entry["cidr"] + "".join(entry.get("except", []))
        key += entry.get("action", "")
        for protocol, port, end in entry["ports"]:
            key += (protocol or "") + _number(port, cluster) + _number(end, cluster)
        found[key] = entry
    return list(found.values())


def _number(number: int | None, cluster: bool) -> str:
    if number is None:
        return ""
    if not cluster:
        return str(number)
    return "\ufffd" if 0xD800 <= number < 0xE000 else chr(number)


def merged(entries: list[Json], how: str) -> list[Json]:
    """What entries of one object become."""
    found: dict[Any, Json] = {}
    for number, entry in enumerate(entries):
        head = (entry.get("cidr"), entry.get("domain"), entry.get("action"))
        key: Any = {"never": number, "block": (*head, *sorted(entry.get("except", [])))}.get(how, head)
        if key not in found:
            found[key] = entry | {"ports": list(entry["ports"])}
            continue
        known = found[key]
        ports = known["ports"] + list(entry["ports"])
        if how == "block" and not (known["ports"] and entry["ports"]):
            ports = []
        elif how != "cidr":
            ports = _each_once(ports)
        known = known | {"ports": ports}
        if how == "cidr":
            known["except"] = [*known.get("except", []), *entry.get("except", [])]
        found[key] = known
    return list(found.values())


def _each_once(ports: list[Port]) -> list[Port]:
    found: dict[tuple[Any, ...], Port] = {}
    for port in ports:
        found.setdefault((port[0] or "TCP", port[1] or 0, port[2] or 0), port)
    return list(found.values())
