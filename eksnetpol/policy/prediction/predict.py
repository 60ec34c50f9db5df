"""The objects that AWS's network policy controller writes for a world, and what cannot be said of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, zip_longest
from typing import Any, NamedTuple

import msgspec

from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import ApiObject, OwnerReference
from eksnetpol.model.policies import NetworkPolicy, PolicyEndpointSpec
from eksnetpol.model.snapshot import SourceKind
from eksnetpol.policy.prediction.addresses import address_of
from eksnetpol.policy.prediction.cluster import KIND as CLUSTER_POLICY
from eksnetpol.policy.prediction.cluster import ResolvedClusterPolicy, resolve_cluster_policy
from eksnetpol.policy.prediction.pack import Entry, Merging, Packer
from eksnetpol.policy.prediction.ports import Port, PortList, has_names
from eksnetpol.policy.prediction.releases import Behaviour, is_unknown
from eksnetpol.policy.prediction.resolve import (
    APPLICATION_POLICY,
    NETWORK_POLICY,
    Part,
    ResolvedPolicy,
    ResolvedRule,
    Resolver,
)
from eksnetpol.policy.profile import NEWEST_CONTROLLER, Profile
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Universe, indexes_of
from eksnetpol.policy.world import World

CHUNK = 200
"""Entries of each list in one object, where ``--endpoint-chunk-size`` is not given to the controller."""

AWS_GROUP = "networking.k8s.aws/v1alpha1"
POLICY_ENDPOINT, CLUSTER_POLICY_ENDPOINT = "PolicyEndpoint", "ClusterPolicyEndpoint"

_ENCODE = msgspec.json.encode

Resolved = ResolvedPolicy | ResolvedClusterPolicy


class EndpointMeta(ApiObject, frozen=True):
    """Metadata of a predicted object: its name is drawn by the API server, from ``generate_name`` on."""

    generate_name: str
    namespace: str = ""
    owner_references: tuple[OwnerReference, ...] = ()


class EndpointSpec(PolicyEndpointSpec, frozen=True):
    """The spec of either kind; ``subject`` only in ClusterPolicyEndpoints."""

    subject: dict[str, Any] | None = None


class EndpointObject(ApiObject, frozen=True):
    """A predicted PolicyEndpoint or ClusterPolicyEndpoint."""

    api_version: str
    kind: str
    metadata: EndpointMeta
    spec: EndpointSpec


_DECODE = msgspec.json.Decoder(EndpointObject).decode


class Count(NamedTuple):
    """What becomes of one policy: objects, pods they list, and entries of each direction before any are merged."""

    subject: Subject
    objects: int
    pods: int
    ingress: int
    egress: int


class Undetermined(NamedTuple):
    """An entry that is left to chance: what *place* of a policy opens of a Service, depending on which pod is met first.

    ``answers`` are all that can come out, the predicted one first; None is no entry.
    """

    subject: Subject
    place: str
    service: Subject
    address: str
    answers: tuple[PortList | None, ...]


class Note(NamedTuple):
    """Something to say: of a policy, or of the whole without a *subject*. *left_out* where there are no objects for it."""

    subject: Subject | None
    words: str
    left_out: bool = False


@dataclass(frozen=True)
class Prediction:
    """What one release of the controller writes. Everything is worked out when it is asked for."""

    world: World
    profile: Profile
    chunk_size: int
    resolver: Resolver

    # --- resolved, as sets --------------------------------------------------------------------------------------------

    @cached_property
    def everything(self) -> tuple[Resolved, ...]:
        """All policies, resolved: NetworkPolicies, then ApplicationNetworkPolicies, then ClusterNetworkPolicies."""
        resolve, world = self.resolver.resolve, self.world
        found: list[Resolved] = [resolve(p) for p in world.network_policies]
        if self.resolver.behaviour.knows_aws_kinds:
            found += [resolve(p, APPLICATION_POLICY) for p in world.application_policies]
            found += [resolve_cluster_policy(self.resolver, p) for p in world.cluster_policies]
        return tuple(found)

    @property
    def policies(self) -> tuple[Resolved, ...]:
        """Those of them that objects are written for."""
        return tuple(r for r in self.everything if not is_left_out(r))

    def entries(self, resolved: Resolved, direction: Direction) -> Iterator[Entry]:
        """Yield what *resolved* opens in a direction, written out: each entry once, none of them merged."""
        return self.packer(resolved).entries(_parts(resolved, direction))

    def packer(self, resolved: Resolved) -> Packer:
        """Return what writes out *resolved*."""
        if isinstance(resolved, ResolvedClusterPolicy):
            return self._packers[CLUSTER_POLICY]
        return self._packers[resolved.kind]

    @cached_property
    def _packers(self) -> dict[str, Packer]:
        behaviour = self.resolver.behaviour
        merging = Merging.NEVER
        if behaviour.merges:
            merging = Merging.BY_BLOCK if behaviour.heeds_excepts else Merging.BY_CIDR
        kinds = {NETWORK_POLICY: merging, APPLICATION_POLICY: Merging.NEVER, CLUSTER_POLICY: Merging.BY_ACTION}
        return {kind: Packer(self.resolver, how) for kind, how in kinds.items()}

    # --- counted ------------------------------------------------------------------------------------------------------

    def counts(self) -> tuple[Count, ...]:
        """Return what becomes of each policy, in numbers, without writing any object out."""
        return tuple([self.count(resolved) for resolved in self.policies])

    def count(self, resolved: Resolved) -> Count:
        """Return what becomes of one policy."""
        count = self.packer(resolved).count
        ingress = count(_parts(resolved, Direction.INGRESS))
        egress = count(_parts(resolved, Direction.EGRESS))
        pods = self.resolver.book.count_pods(resolved.selected)
        size = self.chunk_size
        objects = max(1, -(-ingress // size), -(-egress // size), -(-pods // size))
        return Count(resolved.subject, objects, pods, ingress, egress)

    # --- written out --------------------------------------------------------------------------------------------------

    def objects(self) -> Iterator[EndpointObject]:
        """Yield the objects, policy by policy. Only one of them is held at a time."""
        return map(_DECODE, self.documents())

    def documents(self) -> Iterator[bytes]:
        """Yield the objects in JSON."""
        return chain.from_iterable(map(self.documents_of, self.policies))

    def documents_of(self, resolved: Resolved) -> Iterator[bytes]:
        """Yield the objects of one policy in JSON. Each list fills the objects in turn."""
        packer, size = self.packer(resolved), self.chunk_size
        head, tail = _frame(resolved)
        pods = self.resolver.book.endpoints(resolved.selected)
        lists = (
            packer.chunks(_parts(resolved, Direction.EGRESS), size),
            packer.chunks(_parts(resolved, Direction.INGRESS), size),
            (pods[at : at + size] for at in range(0, len(pods), size)),
        )
        empty = True
        for chunks in zip_longest(*lists):
            empty = False
            named = zip(("egress", "ingress", "podSelectorEndpoints"), chunks, strict=True)
            members = [b'"%b":[%b],' % (name.encode(), b",".join(items)) for name, items in named if items]
            yield b"".join((head, *members, tail))
        if empty:
            yield head + tail

    # --- what is to be said -------------------------------------------------------------------------------------------

    @cached_property
    def undetermined(self) -> tuple[Undetermined, ...]:
        """What is left to chance."""
        return tuple(chain.from_iterable(map(self.doubts, self.policies)))

    def doubts(self, resolved: Resolved) -> Iterator[Undetermined]:
        """Yield what is left to chance of one policy."""
        for rule in resolved.rules:
            if rule.undetermined:
                yield from self._doubts(resolved, rule)

    def _doubts(self, resolved: Resolved, rule: ResolvedRule) -> Iterator[Undetermined]:
        services = self.resolver.services
        place = f"{rule.direction.lower()}[{rule.number}]"
        for doubt in rule.undetermined:
            for index in indexes_of(doubt.services):
                service = services.members[index]
                subject = Subject("Service", service.name, service.namespace)
                answers = services.answers(index, doubt.ports)
                yield Undetermined(resolved.subject, place, subject, service.spec.cluster_ip, answers)

    @cached_property
    def notes(self) -> tuple[Note, ...]:
        """What is to be said of single policies and of the whole."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[Note]:
        release = self.profile.controller
        if is_unknown(release):
            yield Note(None, f"controller {release} is newer than any that is known; this is what {NEWEST_CONTROLLER} does")
        homeless = sum(not address_of(p) for p in self.world.pods)
        if homeless and self.world.source is SourceKind.MANIFESTS:
            words = "pods have no address in these files, and without one no entry is made; a snapshot of a cluster has them"
            yield Note(None, f"{homeless} {words}")
        if not self.resolver.behaviour.knows_aws_kinds:
            yield from self._unknown_kinds()
        for resolved in self.everything:
            if resolved.stops:
                words = f"{resolved.stops}, which ends the process of controller {release}; nothing is reconciled while it exists"
                yield Note(resolved.subject, words, left_out=True)
            elif isinstance(resolved, ResolvedClusterPolicy) and resolved.problem:
                yield Note(resolved.subject, f"the API server would refuse it: {resolved.problem}", left_out=True)
            elif isinstance(resolved, ResolvedPolicy) and self._repeats_names(resolved):
                words = "rules open the same named ports to the same peers: their order is chance, so entries may be there twice"
                yield Note(resolved.subject, words)
        for namespace, name in sorted(self.shared_names):
            words = "a NetworkPolicy and an ApplicationNetworkPolicy share this name: each overwrites the other's objects"
            yield Note(Subject(APPLICATION_POLICY, name, namespace), words)

    def _repeats_names(self, resolved: ResolvedPolicy) -> bool:
        """Say whether two ingress rules make entries that are alike but for the order in which names were looked up."""
        by_ports: dict[frozenset[Port], list[tuple[Part, ...]]] = {}
        for rule in resolved.rules:
            if rule.direction is Direction.INGRESS and rule.parts and len(rule.parts[0].ports) > 1:
                asked = resolved.policy.spec.ingress[rule.number].ports
                if has_names(asked):
                    by_ports.setdefault(frozenset(rule.parts[0].ports), []).append(rule.parts)
        count = self.packer(resolved).count
        alike = (found for found in by_ports.values() if len(found) > 1)
        return any(count(tuple(chain.from_iterable(a))) < sum(map(count, a)) for a in alike)

    def _unknown_kinds(self) -> Iterator[Note]:
        kinds = ((APPLICATION_POLICY, self.world.application_policies), (CLUSTER_POLICY, self.world.cluster_policies))
        for kind, policies in kinds:
            for policy in policies:
                meta = policy.metadata
                words = f"controller {self.profile.controller} does not know this kind"
                yield Note(Subject(kind, meta.name, meta.namespace), words, left_out=True)

    @property
    def shared_names(self) -> set[tuple[str, str]]:
        """Namespace and name of the NetworkPolicies that an ApplicationNetworkPolicy shares them with."""
        if not self.resolver.behaviour.knows_aws_kinds:
            return set()
        return _names(self.world.network_policies) & _names(self.world.application_policies)


def predict(world: World, profile: Profile, chunk_size: int = CHUNK, universe: Universe | None = None) -> Prediction:
    """Return what the controller of *profile* writes for *world*, at most *chunk_size* entries of a list to an object.

    A *universe* of the same world that is there already is used again; it must hold all pods with all their labels.
    Raises `ValueError` for a chunk size below 1.
    """
    if chunk_size < 1:
        message = f"a chunk holds one entry or more, not {chunk_size}"
        raise ValueError(message)
    return Prediction(world, profile, chunk_size, Resolver.of(world, Behaviour.of(profile.controller), universe))


def is_left_out(resolved: Resolved) -> bool:
    """Say whether no objects are written for *resolved*: it ends the controller's process, or the API server refuses it."""
    return bool(resolved.stops) or (isinstance(resolved, ResolvedClusterPolicy) and bool(resolved.problem))


def _parts(resolved: Resolved, direction: Direction) -> tuple[Part, ...]:
    rules = resolved.rules
    if len(rules) == 1:
        return rules[0].parts if rules[0].direction is direction else ()
    found = [r.parts for r in rules if r.direction is direction]
    return found[0] if len(found) == 1 else tuple(chain.from_iterable(found))


def _names(policies: tuple[NetworkPolicy, ...]) -> set[tuple[str, str]]:
    return {(p.namespace, p.name) for p in policies}


# --- the frame of an object -------------------------------------------------------------------------------------------


def _frame(resolved: Resolved) -> tuple[bytes, bytes]:
    """Return an object before and after its lists."""
    if isinstance(resolved, ResolvedClusterPolicy):
        meta, spec = resolved.policy.metadata, resolved.policy.spec
        head = _head(CLUSTER_POLICY_ENDPOINT, _metadata(meta.name, "", AWS_GROUP, CLUSTER_POLICY, meta.uid))
        rest = {"policyRef": {"name": meta.name}, "priority": spec.priority, "subject": spec.subject, "tier": spec.tier}
        return head, _rest(rest)
    policy = resolved.policy
    meta = policy.metadata
    version = "networking.k8s.io/v1" if resolved.kind == NETWORK_POLICY else AWS_GROUP
    head = _head(POLICY_ENDPOINT, _metadata(meta.name, meta.namespace, version, resolved.kind, meta.uid))
    isolation = isolation_of(policy, resolved.kind)
    rest = {"podIsolation": isolation} if isolation else {}
    reference = {"name": meta.name, "namespace": meta.namespace}
    return head, _rest({**rest, "podSelector": policy.spec.pod_selector, "policyRef": reference})


def isolation_of(policy: NetworkPolicy, kind: str) -> tuple[str, ...]:
    """Return ``policyTypes`` as the controller finds them: the API server's default is in NetworkPolicies only."""
    if policy.spec.policy_types or kind != NETWORK_POLICY:
        return policy.spec.policy_types
    return ("Ingress", "Egress") if policy.spec.egress else ("Ingress",)


def _metadata(name: str, namespace: str, version: str, kind: str, uid: str) -> dict[str, Any]:
    owner: dict[str, Any] = {"apiVersion": version, "blockOwnerDeletion": True, "controller": True, "kind": kind, "name": name}
    if uid:
        owner["uid"] = uid
    place = {"namespace": namespace} if namespace else {}
    return {"generateName": f"{name}-", **place, "ownerReferences": [owner]}


def _head(kind: str, metadata: dict[str, Any]) -> bytes:
    return b'{"apiVersion":"%b","kind":"%b","metadata":%b,"spec":{' % (AWS_GROUP.encode(), kind.encode(), _ENCODE(metadata))


def _rest(members: dict[str, Any]) -> bytes:
    # Without the brace that opens it, and with one that closes the object.
    return _ENCODE(members)[1:] + b"}"
