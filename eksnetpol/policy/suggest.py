"""The smallest policy that would allow a connection which is denied.

NetworkPolicies only add: one that selects the isolated pods and names the peer, the port and nothing else opens the connection
and closes nothing, because the pods are isolated in that direction already. What a cluster-wide policy denies no NetworkPolicy
can give back, so there is nothing to add then, and the suggestion says where to look.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Service
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.answers import Addresses, Decider, Engine, Party, Pods, Say, ServiceAddress, Side, Workload
from eksnetpol.policy.connections import WITH_PORTS
from eksnetpol.policy.profile import Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.selecting import Selecting, Selection
from eksnetpol.policy.universe import Classes

_ABOVE = frozenset({"ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"})
_PAIRS = 256
"""So many pairs of classes are looked at one by one; of larger crowds every isolated side is taken to need a policy."""
_LONGEST_NAME = 253
_NAMESPACE = "kubernetes.io/metadata.name"

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One policy to add. ``policy`` is a whole NetworkPolicy; empty where none can help, and ``words`` say why.

    ``into`` is a policy that selects exactly the same pods already: its rules may take in ``rule`` instead.
    """

    direction: Direction
    policy: Manifest
    words: str
    into: Subject | None = None

    @property
    def rule(self) -> Manifest:
        """The only rule of the policy."""
        rules = self.policy.get("spec", {}).get(self.direction.lower(), [])
        return rules[0] if rules else {}


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Pods that one selector is to select: those of a workload, or all of a namespace (``workload`` None)."""

    namespace: str
    workload: Workload | None
    classes: Classes
    selection: Selection
    on_host_network: bool = False
    addresses: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return self.workload.name if self.workload else self.namespace


@dataclass(frozen=True, slots=True)
class _Need:
    """That *crowd* is denied *peer* in one direction; ``side`` says by what."""

    direction: Direction
    crowd: _Crowd
    peer: _Crowd | Addresses
    side: Side


def allowing(engine: Engine, source: Party, destination: Party, protocol: str, port: int) -> tuple[Suggestion, ...]:
    """Return what to add so that *source* may reach *port* of *destination*; nothing where it may already.

    *port* is that of the pods, or of the Service for a `ServiceAddress`; for ICMP and other protocols its number, as in
    `connections`. Egress comes before ingress. Under the semantics of an engine with policies of its own there is nothing to
    add: these may deny what a NetworkPolicy allows.
    """
    return Suggesting(engine).allowing(source, destination, protocol, port)


class Suggesting:
    """`allowing` for many questions to one engine; what is found out about workloads is kept."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.selecting = Selecting(engine.world, engine.atlas)
        self._names = {(p.namespace, p.name) for p in engine.world.network_policies}

    def allowing(self, source: Party, destination: Party, protocol: str, port: int) -> tuple[Suggestion, ...]:
        """Return what to add, as `allowing` does."""
        if self.engine.profile.semantics.is_foreign:
            return ()
        if isinstance(destination, ServiceAddress):
            return self._to_service(source, destination, protocol, port)
        needs = list(self._needs(source, destination, protocol, port))
        return tuple(self._suggestions(needs, protocol, (port,)))

    # --- what is missing ----------------------------------------------------------------------------------------------

    def _needs(self, source: Party, destination: Party, protocol: str, port: int) -> Iterator[_Need]:
        decision = self.engine.decide(source, destination, protocol, port)
        if decision.allowed:
            return
        whole = {side.direction: side for side in decision.sides if not side.allowed}
        senders, takers = self._crowds(source), self._crowds(destination)
        for sender in senders:
            for taker in takers:
                alone = len(senders) == len(takers) == 1
                denied = whole if alone and len(whole) > 1 else self._denied(sender, taker, source, destination, protocol, port)
                for direction, side in denied.items():
                    crowd, peer = (sender, taker) if direction is Direction.EGRESS else (taker, sender)
                    if isinstance(crowd, _Crowd):
                        yield _Need(direction, crowd, peer, side)

    def _denied(
        self, sender: _Crowd | Addresses, taker: _Crowd | Addresses, source: Party, destination: Party, protocol: str, port: int
    ) -> dict[Direction, Side]:
        """Return the sides that deny any pair of two crowds, each with one that does."""
        pairs = [(s, d) for s in self._parts(sender, source) for d in self._parts(taker, destination)]
        denied: dict[Direction, Side] = {}
        for one, other in pairs[:_PAIRS]:
            decision = self.engine.decide(one, other, protocol, port)
            for side in decision.sides:
                if not decision.allowed and not side.allowed:
                    denied.setdefault(side.direction, side)
            if len(denied) > 1:
                break
        if len(pairs) > _PAIRS:
            for crowd, direction in ((sender, Direction.EGRESS), (taker, Direction.INGRESS)):
                if isinstance(crowd, _Crowd) and crowd.classes & self.engine.isolated(direction):
                    denied.setdefault(direction, Side(direction, allowed=False, isolated=True))
        return denied

    def _parts(self, crowd: _Crowd | Addresses, party: Party) -> list[Party]:
        if not isinstance(crowd, _Crowd):
            return [crowd]
        wanted = party.pods if isinstance(party, Pods) else ()
        members = self.engine.atlas.universe.members(crowd.classes)
        return [
            Pods(c.bit, crowd.title, tuple(p for p in wanted if self.engine.atlas.class_of[p.namespace, p.name] == c.index))
            for c in members
        ]

    def _crowds(self, party: Party) -> list[_Crowd | Addresses]:
        if isinstance(party, Addresses):
            return [party]
        if isinstance(party, ServiceAddress):
            return [Addresses(_block_of(party.service.spec.cluster_ip), party.title)]
        atlas = self.engine.atlas
        universe = atlas.universe
        groups: dict[Workload, Classes] = {}
        for pod_class in universe.members(party.classes):
            workload = atlas.workload_of[pod_class.index]
            groups[workload] = groups.get(workload, 0) | pod_class.bit
        crowds: list[_Crowd | Addresses] = []
        by_namespace: dict[str, list[Workload]] = {}
        for workload in groups:
            by_namespace.setdefault(workload.namespace, []).append(workload)
        for namespace, workloads in by_namespace.items():
            everyone = universe.in_namespace.get(namespace, 0)
            if len(workloads) > 1 and not everyone & ~party.classes and not everyone & universe.on_host_network:
                crowds.append(_Crowd(namespace, None, everyone, Selection({})))
                continue
            crowds += [self._crowd(workload, groups[workload]) for workload in workloads]
        return crowds

    def _crowd(self, workload: Workload, classes: Classes) -> _Crowd:
        universe = self.engine.atlas.universe
        on_host = bool(classes & universe.on_host_network)
        nodes: tuple[str, ...] = ()
        if on_host:
            pods = (p for c in universe.members(classes) for p in c.pods)
            nodes = tuple(dict.fromkeys(p.status.pod_ip or p.status.host_ip for p in pods))
        return _Crowd(workload.namespace, workload, classes, self.selecting.of(workload), on_host, nodes)

    # --- Services -----------------------------------------------------------------------------------------------------

    def _to_service(self, source: Party, there: ServiceAddress, protocol: str, port: int) -> tuple[Suggestion, ...]:
        service = there.service
        behind = self.selecting.behind(service)
        targets = self._targets(service, behind, protocol, port)
        needs = []
        for sender in self._crowds(source):
            for part in self._parts(sender, source):
                decision = self.engine.decide(part, there, protocol, port)
                side = next((s for s in decision.sides if s.direction is Direction.EGRESS and not s.allowed), None)
                if isinstance(sender, _Crowd) and not decision.allowed and side is not None:
                    needs.append(_Need(Direction.EGRESS, sender, self._peer_for(service, behind), side))
                    break
        found = list(self._suggestions(needs, protocol, tuple(targets) if behind else (port,), service=service))
        for number, classes in targets.items():
            pods = Pods(classes, f"{service.namespace}/{service.name}")
            incoming = [n for n in self._needs(source, pods, protocol, number) if n.direction is Direction.INGRESS]
            found += self._suggestions(incoming, protocol, (number,))
        return tuple(found)

    def _peer_for(self, service: Service, behind: Classes) -> _Crowd | Addresses:
        if not behind:
            return Addresses(_block_of(service.spec.cluster_ip), f"{service.namespace}/{service.name}")
        # The Service's own selector selects what is behind it, and is what the controller holds against the rule.
        workloads = {self.engine.atlas.workload_of[c.index] for c in self.engine.atlas.universe.members(behind)}
        name = workloads.pop() if len(workloads) == 1 else Workload(service.namespace, "Service", service.name)
        return _Crowd(service.namespace, name, behind, Selection(service.spec.selector))

    def _targets(self, service: Service, behind: Classes, protocol: str, port: int) -> dict[int, Classes]:
        """Return the ports of pods that *port* of *service* leads to, each with the classes it is the port of."""
        targets: dict[int, Classes] = {}
        offer = next((p for p in service.spec.ports if (p.protocol, p.port) == (protocol, port)), None)
        if offer is None:
            return {port: behind} if behind else {}
        for pod_class in self.engine.atlas.universe.members(behind):
            number = offer.target_port or offer.port
            if isinstance(number, str):
                declared = (p for c in pod_class.containers for p in c.ports)
                numbers = [p.container_port for p in declared if (p.name, p.protocol) == (number, protocol)]
            else:
                numbers = [number]
            for n in numbers[:1]:
                targets[n] = targets.get(n, 0) | pod_class.bit
        return targets

    # --- words and manifests ------------------------------------------------------------------------------------------

    def _suggestions(
        self, needs: Iterable[_Need], protocol: str, ports: tuple[int, ...], service: Service | None = None
    ) -> Iterator[Suggestion]:
        together: dict[tuple[str, str, Workload | None], list[_Need]] = {}
        for need in needs:
            together.setdefault((need.direction.lower(), need.crowd.namespace, need.crowd.workload), []).append(need)
        for _, group in sorted(together.items(), key=lambda item: item[0][0]):
            first = group[0]
            above = next((d for n in group for d in _settled_above(n.side)), None)
            if above is not None:
                yield Suggestion(first.direction, {}, _beyond(above))
                continue
            peers = [n.peer for i, n in enumerate(group) if all(n.peer != earlier.peer for earlier in group[:i])]
            yield self._suggestion(first.direction, first.crowd, peers, protocol, ports, service)

    def _suggestion(
        self,
        direction: Direction,
        crowd: _Crowd,
        peers: list[_Crowd | Addresses],
        protocol: str,
        ports: tuple[int, ...],
        service: Service | None,
    ) -> Suggestion:
        word = "to" if direction is Direction.EGRESS else "from"
        rule: dict[str, Any] = {word: [p for peer in peers for p in self._peer(peer, crowd.namespace)]}
        if protocol in WITH_PORTS:
            rule["ports"] = [{"port": number, "protocol": protocol} for number in ports]
        other = _title(peers[0], crowd.namespace) if len(peers) == 1 else "several"
        numbers = "-".join(str(number) for number in ports[:1])
        name = self._name(crowd.namespace, f"{crowd.title}-{word}-{other}-{protocol}-{numbers}".lower())
        policy = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": crowd.namespace},
            "spec": {
                "podSelector": _selector(crowd.selection),
                "policyTypes": [direction.value],
                direction.lower(): [rule],
            },
        }
        words = self._words(direction, crowd, peers, protocol, ports, service)
        return Suggestion(direction, policy, words, self._into(crowd, direction))

    def _peer(self, peer: _Crowd | Addresses, namespace: str) -> Iterator[Manifest]:
        if isinstance(peer, Addresses):
            # To the agent an except denies, whatever other rules allow there: it would close what is open.
            holes = peer.without if self.engine.profile.semantics is Semantics.KUBERNETES else ()
            yield {"ipBlock": {"cidr": _block_of(peer.cidr)} | ({"except": list(holes)} if holes else {})}
            return
        if peer.on_host_network:
            # Only the address of its node tells a pod on the host network.
            yield from ({"ipBlock": {"cidr": _block_of(address)}} for address in peer.addresses if address)
            return
        answer: dict[str, Any] = {"podSelector": _selector(peer.selection)}
        if peer.namespace != namespace:
            answer["namespaceSelector"] = {"matchLabels": {_NAMESPACE: peer.namespace}}
        yield answer

    def _words(
        self,
        direction: Direction,
        crowd: _Crowd,
        peers: list[_Crowd | Addresses],
        protocol: str,
        ports: tuple[int, ...],
        service: Service | None,
    ) -> str:
        whom = ", ".join(_name_of(p) for p in peers)
        numbers = ", ".join(str(n) for n in ports)
        what = f"{protocol} {numbers}" if protocol in WITH_PORTS else "everything"
        outgoing = direction is Direction.EGRESS
        parts = [f"lets {_name_of(crowd)} {'send' if outgoing else 'take'} {what} {'to' if outgoing else 'from'} {whom}"]
        if protocol not in WITH_PORTS:
            parts.append(f"no NetworkPolicy can name {protocol}, so the rule has no ports and opens every protocol")
        parts += [_too_wide(p) for p in (crowd, *peers) if isinstance(p, _Crowd)]
        if any(isinstance(p, _Crowd) and p.on_host_network for p in peers):
            parts.append("pods on the host network have the addresses of their nodes, which change with the nodes")
        if outgoing and self.engine.profile.semantics is Semantics.VPC_CNI:
            parts += self._about_services(peers, ports, protocol, service)
        return "; ".join(p for p in parts if p)

    def _about_services(
        self, peers: list[_Crowd | Addresses], ports: tuple[int, ...], protocol: str, service: Service | None
    ) -> Iterator[str]:
        if service is not None:
            yield f"the controller opens the address of Service {service.namespace}/{service.name} with it"
            return
        for peer in peers:
            if not isinstance(peer, _Crowd) or peer.workload is None or peer.on_host_network:
                continue
            pods = [p for c in self.engine.atlas.universe.members(peer.classes) for p in c.pods]
            for one in self.selecting.services_of(pods):
                name = f"{one.namespace}/{one.name}"
                leads = any(p.protocol == protocol and (p.target_port or p.port) in ports for p in one.spec.ports)
                named = any(p.protocol == protocol and isinstance(p.target_port, str) for p in one.spec.ports)
                if all(one.spec.selector.get(k) == v for k, v in peer.selection.labels.items()):
                    if leads or named:
                        yield f"opens the address of Service {name} too"
                else:
                    yield f"Service {name} selects by other labels, so its address stays closed: allow that by an ipBlock"

    def _into(self, crowd: _Crowd, direction: Direction) -> Subject | None:
        """Return a policy that isolates exactly the pods of *crowd* in *direction*."""
        wanted = dict(crowd.selection.labels)
        for policy in self.engine.world.network_policies:
            selector = policy.spec.pod_selector
            isolates = policy.isolates_egress if direction is Direction.EGRESS else policy.isolates_ingress
            same = selector.match_labels == wanted and not selector.match_expressions
            if policy.namespace == crowd.namespace and isolates and same:
                return Subject("NetworkPolicy", policy.name, policy.namespace)
        return None

    def _name(self, namespace: str, wanted: str) -> str:
        """Return a name that the API server takes and that no policy of *namespace* has."""
        base = re.sub(r"[^a-z0-9]+", "-", wanted).strip("-")[: _LONGEST_NAME - 4].strip("-")
        name, number = base, 2
        while (namespace, name) in self._names:
            name, number = f"{base}-{number}", number + 1
        return name


def _selector(selection: Selection) -> dict[str, Any]:
    return {"matchLabels": dict(selection.labels)} if selection.labels else {}


def _block_of(text: str) -> str:
    network = parse_cidr(text)
    return text if network is None else str(network)


def _title(peer: _Crowd | Addresses, namespace: str) -> str:
    if isinstance(peer, Addresses):
        return _block_of(peer.cidr)
    return peer.title if peer.namespace == namespace or peer.workload is None else f"{peer.namespace}-{peer.title}"


def _name_of(peer: _Crowd | Addresses) -> str:
    if isinstance(peer, Addresses):
        return peer.title or peer.cidr
    return str(peer.workload) if peer.workload else f"the namespace {peer.namespace}"


def _too_wide(crowd: _Crowd) -> str:
    if crowd.workload is None or (crowd.selection.labels and not crowd.selection.others):
        return ""
    if not crowd.selection.labels:
        return f"the pods of {crowd.workload} have no lasting label in common, so the whole namespace is meant: label them first"
    others = ", ".join(str(w) for w in crowd.selection.others[:3])
    more = f" and {len(crowd.selection.others) - 3} more" if len(crowd.selection.others) > 3 else ""  # noqa: PLR2004 - as above
    return f"no label tells {crowd.workload} from {others}{more}, which the rule means too"


def _settled_above(side: Side) -> Iterator[Decider]:
    """Yield what denied *side* from above all NetworkPolicies, or from below where none isolates."""
    last = next((d for d in reversed(side.deciders) if d.say in {Say.DENIES, Say.ALLOWS}), None)
    if last is not None and last.say is Say.DENIES and last.subject is not None and last.subject.kind.partition(".")[0] in _ABOVE:
        yield last


def _beyond(decider: Decider) -> str:
    place = f" {decider.place}" if decider.place else ""
    return f"{decider.subject}{place} denies it, and no NetworkPolicy can take that back: change it there"
