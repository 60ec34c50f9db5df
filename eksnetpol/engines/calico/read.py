"""Calico's policies as a stack: tiers by order, policies in them by order and name, rules as they stand.

Kubernetes NetworkPolicies have order 1000 in the default tier. What no tier settles is allowed: so do the profiles that Calico
makes for namespaces. A connection from the node that a pod runs on is never judged (projectcalico/calico, felix/calc).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from eksnetpol.engines import kubernetes_policies, upstream
from eksnetpol.engines.calico import objects as sorting
from eksnetpol.engines.calico import shapes, values
from eksnetpol.engines.calico.labels import NAME, NAMESPACE, OF_ACCOUNT, OF_NAMESPACE, Seen
from eksnetpol.engines.calico.objects import NETWORK_SETS, POLICIES, Object, Sorted
from eksnetpol.engines.calico.peers import Labelled, Peers, by_accounts, prefixed
from eksnetpol.engines.calico.ports import Names, Spoken, looked_up, spoken
from eksnetpol.engines.calico.services import Services, met
from eksnetpol.engines.calico.shapes import Json
from eksnetpol.engines.calico.values import RefusedError, UnclearError
from eksnetpol.engines.kubernetes_policies import all_of
from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import simplified
from eksnetpol.policy.stacks.formulas import NOBODY
from eksnetpol.policy.stacks.rules import Does, Refused, Stack, StackPolicy, StackRule, StackTier
from eksnetpol.policy.world import World

DIALECT = "calico"
DEFAULT = "default"
KUBERNETES_ORDER = 1000.0
"""Where NetworkPolicies of Kubernetes stand in the default tier."""

BUILT_IN = {"kube-admin": (1_000.0, Does.PASS), DEFAULT: (1_000_000.0, Does.DENY), "kube-baseline": (10_000_000.0, Does.PASS)}
"""Tiers that are always there: order, and what happens to what none of their policies settles."""

_DOES = {"Allow": Does.ALLOW, "Deny": Does.DENY, "Pass": Does.PASS}
_NAME_LABEL = "kubernetes.io/metadata.name"
_FOR_NODES = "it polices nodes, which no NetworkPolicy does: security groups have to"
_NO_DOUBT = "projectcalico-default-allow"
_EVERY_ADDRESS = frozenset(n for n in map(parse_cidr, ("0.0.0.0/0", "::/0")) if n is not None)


@dataclass(frozen=True, slots=True)
class Placed:
    """A policy with what decides on its place: the order, and what breaks ties."""

    policy: StackPolicy
    tier: str
    order: float
    tie: str


@dataclass
class _Reader:
    """Reads policies of one cluster."""

    world: World
    found: Sorted
    peers: Peers
    services: Services
    names: Names
    tiers: dict[str, tuple[float, Does]] = field(default_factory=lambda: dict(BUILT_IN))

    def policy(self, one: Object) -> Placed | None:
        """Return a policy with its place; None for one that is for hosts alone. Raises `RefusedError`, `UnclearError`."""
        shapes.policy(one.kind, one.spec)
        rules = (*self._rules(one, Direction.INGRESS), *self._rules(one, Direction.EGRESS))
        tier = one.spec.get("tier") or DEFAULT
        if tier not in self.tiers:
            raise UnclearError("spec.tier", f"the tier {tier} is not there, or not understood")
        if one.spec.get("doNotTrack") or one.spec.get("preDNAT"):
            self.found.notes.append(f"{one} is for host endpoints alone: no pod is under it")
            self.found.beside.append(Refused(one.ref, _FOR_NODES))
            return None
        isolated = self._isolated(one)
        # Rules of a direction that is not among the types are there for nothing.
        rules = tuple(rule for rule in rules if rule.direction in isolated)
        subject = self._subject(one)
        today = tuple(by_accounts(subject, "spec.selector"))
        made = StackPolicy(one.ref, self.peers.subject(subject, "spec.selector"), isolated, rules, one.labels, today)
        return Placed(made, tier, _order(one.spec), f"{one.name}/{one.namespace}/{one.kind}")

    def _subject(self, one: Object) -> str:
        """Return the one selector that Calico makes of whom a policy is for."""
        spec = one.spec
        text: str = spec.get("selector", "")
        if one.kind == "NetworkPolicy":
            here = f"{NAMESPACE} == '{one.namespace}'"
            text = f"({text}) && {here}" if text else here
        elif spec.get("namespaceSelector"):
            text = _joined(text, spec["namespaceSelector"], OF_NAMESPACE).replace("all()", f"has({NAMESPACE})")
        if spec.get("serviceAccountSelector"):
            text = _joined(text, spec["serviceAccountSelector"], OF_ACCOUNT)
            if one.kind == "GlobalNetworkPolicy":
                text = text.replace("all()", "has(projectcalico.org/serviceaccount)")
        return text

    def _isolated(self, one: Object) -> frozenset[Direction]:
        """Return the directions of a policy. Admission writes them; to the agent, none written are both."""
        types = one.spec.get("types")
        if types:
            return frozenset(Direction(t) for t in types)
        if one.is_stored:
            return frozenset(Direction)
        incoming, outgoing = one.spec.get("ingress"), one.spec.get("egress")
        if incoming == [] and outgoing:
            self.found.notes.append(
                f"{one} has no types, and an empty list in ingress: that is none here, as to Calico's API server; "
                f"where Calico's CustomResourceDefinitions serve the API, it isolates in ingress too"
            )
        if not outgoing:
            return frozenset({Direction.INGRESS})
        return frozenset(Direction) if incoming else frozenset({Direction.EGRESS})

    def _rules(self, one: Object, direction: Direction) -> Iterator[StackRule]:
        for number, written in enumerate(one.spec.get(direction.lower()) or ()):
            yield from self._rule(one, written, direction, f"spec.{direction.lower()}[{number}]")

    def _rule(self, one: Object, written: Json, direction: Direction, place: str) -> Iterator[StackRule]:
        is_ingress = direction is Direction.INGRESS
        shapes.rule(written, place, is_ingress=is_ingress, is_namespaced=bool(one.namespace))
        sides = [self.peers.side(written.get(key, {}), one.namespace, f"{place}.{key}") for key in ("source", "destination")]
        never = self._never(one, written, place)
        alternatives = spoken(written, place, self.names)
        does = _DOES.get(written["action"])
        if does is None:
            self.found.notes.append(f"{one} {place} writes a log, and decides nothing")
            return
        further = ("HTTP methods and paths",) if written.get("http") else ()
        today = tuple(dict.fromkeys(self._looked_up(one, written, place)))
        for said in self._served(one, written, alternatives):
            source, destination = (
                NOBODY if never else simplified(all_of([side, own]))
                for side, own in zip(sides, (said.source, said.destination), strict=True)
            )
            peer, local = (source, destination) if is_ingress else (destination, source)
            yield StackRule(direction, does, peer, local, said.connections, said.names, said.source_ports, further, place, today)

    def _looked_up(self, one: Object, written: Json, place: str) -> Iterator[str]:
        """Yield what of a rule was looked up in the cluster."""
        for key in ("source", "destination"):
            side = written.get(key, {})
            yield from self.peers.looked_up(side, one.namespace, f"{place}.{key}")
            if side.get("services"):
                yield self.services.looked_up(*_service(side["services"], one))
        yield from looked_up(written)

    def _never(self, one: Object, written: Json, place: str) -> bool:
        """Say whether no connection of this cluster's family is spoken of: a rule with blocks is for their family alone."""
        nets = {key: _nets(written, place, key) for key in ("nets", "notNets")}
        everything = [n for n in nets["notNets"] if not n.prefixlen]
        if everything and not one.is_stored:
            raise RefusedError(place, f"notNets with {everything[0]} leave nothing")
        versions = {n.version for found in nets.values() for n in found}
        if written.get("ipVersion"):
            versions.add(written["ipVersion"])
        if len(versions) > 1:
            raise RefusedError(place, "blocks, and ipVersion where it is there, have to be of one family")
        mine = 6 if self.world.family == "ipv6" else 4
        return bool(everything) or bool(versions - {mine})

    def _served(self, one: Object, written: Json, alternatives: Iterable[Spoken]) -> Iterator[Spoken]:
        """Yield what a rule speaks of, for each of the endpoints of the Services that it names."""
        wanted = {side: written.get(side, {}).get("services") for side in ("source", "destination")}
        for said in alternatives:
            if wanted["destination"]:
                for offered in self.services.offered(*_service(wanted["destination"], one)):
                    whom, numbers, names = met(offered, said.destination, said.connections)
                    if numbers or names:
                        yield said._replace(destination=whom, connections=numbers, names=names)
            elif wanted["source"]:
                for whom in self.services.addresses(*_service(wanted["source"], one)):
                    yield said._replace(source=all_of([said.source, whom]))
            else:
                yield said


def read(
    objects: Iterable[Json],
    kubernetes: Iterable[NetworkPolicy],
    world: World,
    *,
    raw: Collection[Subject] = (),
) -> Stack:
    """Return what Calico has in force in *world*: its own *objects*, with the NetworkPolicies of *kubernetes* among them.

    *raw* are those of the objects that were stored without defaults and validation, beside those of ``crd.projectcalico.org``
    and those with a uid, which are known to be stored.
    """
    found = sorting.sort_out(objects, frozenset(raw))
    labelled = tuple(_labelled(found, world))
    reader = _Reader(world, found, Peers(Seen.of(world), labelled), Services(world), Names(world))
    for tier in found.of("Tier"):
        reader.tiers[tier.name] = (_order(tier.spec), _DOES[tier.spec.get("defaultAction", "Deny")])
    placed = [*_own(reader), *_of_kubernetes(kubernetes, world), *_for_cluster(world, found)]
    by_tier: dict[str, list[Placed]] = {name: [] for name in reader.tiers}
    for one in placed:
        by_tier[one.tier].append(one)
    tiers = tuple(
        StackTier(name, tuple(p.policy for p in sorted(by_tier[name], key=lambda p: (p.order, p.tie))), otherwise)
        for name, (_, otherwise) in sorted(reader.tiers.items(), key=lambda item: (item[1][0], item[0]))
    )
    notes = tuple(dict.fromkeys(found.notes))
    refused, unread, beside = tuple(found.refused), tuple(found.unread), tuple(found.beside)
    return Stack(DIALECT, tiers, refused=refused, unread=unread, beside=beside, notes=notes)


def _own(reader: _Reader) -> Iterator[Placed]:
    for one in reader.found.of(*POLICIES):
        try:
            placed = reader.policy(one)
        except (RefusedError, UnclearError) as error:
            reader.found.leave_out(one, error)
        else:
            if placed is not None:
                yield placed


def _of_kubernetes(policies: Iterable[NetworkPolicy], world: World) -> Iterator[Placed]:
    for policy in policies:
        made = kubernetes_policies.stack_policy(policy, world)
        yield Placed(made, DEFAULT, KUBERNETES_ORDER, f"{policy.name}/{policy.namespace}/KubernetesNetworkPolicy")


def _order(spec: Json) -> float:
    order = spec.get("order")
    return math.inf if order is None else float(order)


def _for_cluster(world: World, found: Sorted) -> Iterator[Placed]:
    """Yield the policies of ``policy.networking.k8s.io`` that Calico enforces."""
    for policy in world.admin_policies:
        ref = Subject(policy.title, policy.name)
        if policy.title in {"AdminNetworkPolicy", "BaselineAdminNetworkPolicy"}:
            found.unread.append(Refused(ref, "some releases of Calico enforce this kind, and others do not", "kind"))
            continue
        if policy.unclear is not None:
            found.unread.append(Refused(ref, policy.unclear[1], policy.unclear[0]))
            continue
        tier = "kube-baseline" if policy.spec.tier == upstream.BASELINE else "kube-admin"
        found.notes.append(f"{ref} is enforced by the releases of Calico that have the tier {tier}")
        made = upstream.stack_policy(policy, world)
        yield Placed(made, tier, float(policy.spec.priority), f"{policy.name}//KubernetesClusterNetworkPolicy")


def _joined(text: str, further: str, prefix: str) -> str:
    own = prefixed(further, prefix, "spec.selector")
    return f"({text}) && {own}" if text else own


def _nets(written: Json, place: str, key: str) -> list[Network]:
    return [
        network
        for side in ("source", "destination")
        for network in values.blocks(written.get(side, {}).get(key), f"{place}.{side}.{key}")
    ]


def _service(services: Json, one: Object) -> tuple[str, str]:
    return services.get("namespace") or one.namespace, services["name"]


# --- what has labels and is no pod ------------------------------------------------------------------------------------


def _labelled(found: Sorted, world: World) -> Iterator[Labelled]:
    for refused in found.unread:
        if refused.ref.kind in NETWORK_SETS:
            yield Labelled(str(refused.ref), {}, _EVERY_ADDRESS, f"what is in {refused.ref}")
    for one in list(found.of("NetworkSet", "GlobalNetworkSet", "HostEndpoint")):
        key = "expectedIPs" if one.kind == "HostEndpoint" else "nets"
        try:
            texts = values.listed(one.spec.get(key, []), f"spec.{key}")
            networks = frozenset(values.block(text, f"spec.{key}[{at}]") for at, text in enumerate(texts))
            profiles = [str(name) for name in values.listed(one.spec.get("profiles", []), "spec.profiles") if name != _NO_DOUBT]
        except (RefusedError, UnclearError) as error:
            found.leave_out(one, error)
            if one.is_stored or isinstance(error, UnclearError):
                yield Labelled(str(one), {}, _EVERY_ADDRESS, f"what is in {one}")
            continue
        if one.kind == "HostEndpoint":
            yield _host(one, networks, profiles, found)
        else:
            yield Labelled(str(one), _labels(one, world), networks, namespace=one.namespace)


def _labels(one: Object, world: World) -> dict[str, str]:
    if not one.namespace:
        return one.labels
    copied = {_NAME_LABEL: one.namespace, **world.namespace_labels.get(one.namespace, {}), NAME: one.namespace}
    return {**{OF_NAMESPACE + key: value for key, value in copied.items()}, **one.labels, NAMESPACE: one.namespace}


def _host(one: Object, networks: frozenset[Network], profiles: list[str], found: Sorted) -> Labelled:
    node = one.spec.get("node", "")
    found.notes.append(f"{one} puts the node {node} itself under policies: no answer here is about that protection")
    found.beside.append(Refused(one.ref, _FOR_NODES))
    doubt = f"which labels {one} has from its profiles" if profiles else ""
    return Labelled(str(one), one.labels, networks, doubt)
