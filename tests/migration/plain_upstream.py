"""What the cluster-wide policies of ``policy.networking.k8s.io`` do with one connection, straight from the objects.

Written from the facts (policy-translation.md, 4) and the definitions of the API, with nothing of the product. Policies of the
Admin tier are asked by priority, the lower first, their rules in order; the first that matches settles a connection, ``Pass``
leaves it to what follows: NetworkPolicies where one isolates the pod, else the Baseline tier, else nothing. What nothing settles
is allowed. Which of two policies of one tier and priority is asked first is left open: what comes of any order may come about.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from tests.migration.plain_ground import Ground, Json, Match, Wire, every, is_in, selects, some

TIERS = {"AdminNetworkPolicy": "Admin", "BaselineAdminNetworkPolicy": "Baseline"}
LETS = {"Allow", "Accept"}


def tier(policy: Json) -> str:
    """Return the tier of a policy: the older kinds are one each."""
    return str(TIERS.get(policy["kind"]) or policy["spec"]["tier"])


class Upstream:
    """Decides connections of one cluster. *objects* are those in force, NetworkPolicies among them."""

    def __init__(self, cluster: Json, objects: Iterable[Json]) -> None:
        self.ground = Ground(cluster)
        objects = list(objects)
        self.standard = [o for o in objects if o["apiVersion"] == "networking.k8s.io/v1"]
        self.policies = [o for o in objects if o["apiVersion"] != "networking.k8s.io/v1"]

    def allowed(self, wire: Wire) -> tuple[set[bool] | None, set[bool] | None]:
        """Return what may come of egress and of ingress; None where that end is no pod."""
        pods = self.ground.pods
        out = self.side("egress", wire) if wire.source in pods else None
        into = self.side("ingress", wire) if wire.destination in pods else None
        return out, into

    def side(self, direction: str, wire: Wire) -> set[bool]:
        """Admin tier, NetworkPolicies, Baseline tier."""
        ground = self.ground
        if direction == "ingress" and ground.is_own_node(ground.pods[wire.destination], wire.source):
            return {True}
        found: set[bool] = set()
        for action in self.settled("Admin", direction, wire):
            if action in {"Pass", "none"}:
                standard = ground.standard(self.standard, direction, wire)
                if standard is None:
                    # Behind the last tier stands nothing: what it passes on may, as what it does not speak of.
                    found |= {a != "Deny" for a in self.settled("Baseline", direction, wire)}
                else:
                    found.add(standard)
            else:
                found.add(action in LETS)
        return found

    def settled(self, name: str, direction: str, wire: Wire) -> set[str]:
        """Return the actions that may settle a connection in a tier.

        Of policies of one priority any may be asked first, so that whatever one of them does by itself may come about.
        """
        mine = [p for p in self.policies if tier(p) == name]
        rank = lambda policy: policy["spec"].get("priority", 0)  # noqa: E731
        found: set[str] = set()
        for _, tied in groupby(sorted(mine, key=rank), key=rank):
            alone = [self.first(policy, direction, wire) for policy in tied]
            found |= {action for actions in alone for action in actions if action != "none"}
            if any("none" not in actions for actions in alone):
                return found
        return found | {"none"}

    def first(self, policy: Json, direction: str, wire: Wire) -> set[str]:
        """Return the actions of the rules of a policy that may be the first to match."""
        me, far = (wire.destination, wire.source) if direction == "ingress" else (wire.source, wire.destination)
        found: set[str] = set()
        if not self.is_one(policy["spec"]["subject"], me):
            return {"none"}
        for rule in policy["spec"].get(direction) or ():
            peers = rule["from" if direction == "ingress" else "to"]
            match = every(some(self.means(p, far) for p in peers), self.is_spoken_of(rule, wire))
            if match is not False:
                found.add(rule["action"])
            if match:
                return found
        return found | {"none"}

    def is_one(self, who: Json, address: str) -> bool:
        """Say whether a subject means the pod at an address."""
        if "namespaces" in who:
            return self.ground.is_selected(address, who["namespaces"], None)
        return self.ground.is_selected(address, who["pods"]["namespaceSelector"], who["pods"]["podSelector"])

    def means(self, peer: Json, address: str) -> Match:
        """Say whether a peer means who is at an address."""
        if "networks" in peer:
            return is_in(peer["networks"], address)
        if "nodes" in peer:
            node = self.ground.nodes.get(address)
            return node is not None and selects(peer["nodes"], node.get("labels", {}))
        if "domainNames" in peer:
            return None
        return self.is_one(peer, address)

    def is_spoken_of(self, rule: Json, wire: Wire) -> bool:
        """Say whether ``ports`` of the older kinds, or ``protocols`` of the newer one, mean a connection."""
        ports = rule.get("ports") if "ports" in rule else rule.get("protocols")
        return ports is None or any(self.is_port(port, wire) for port in ports)

    def is_port(self, port: Json, wire: Wire) -> bool:
        """Say whether one entry does."""
        for key, one in port.items():
            match key:
                case "portNumber":
                    return self.ground.is_port(one, wire)
                case "portRange":
                    return self.ground.is_port({**one, "port": one["start"], "endPort": one["end"]}, wire)
                case "namedPort" | "destinationNamedPort":
                    return self.ground.named(wire.destination, wire.protocol, one) == wire.port
                case _:
                    wanted = one.get("destinationPort") or {}
                    span = wanted.get("range") or {"start": wanted.get("number"), "end": None}
                    asked = {"protocol": key.upper(), "port": span["start"], "endPort": span["end"]}
                    return self.ground.is_port(asked, wire)
        return False
