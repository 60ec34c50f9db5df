"""What happens the second enforcement goes on, worked out on one look at a cluster. Changes nothing, asks nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

import msgspec

from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.model.kubernetes import ObjectMeta, Pod, Service, ServicePort, ServiceSpec
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind, Unread, UnreadSection
from eksnetpol.policy.answers import Atlas
from eksnetpol.policy.dormant import dormancy
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.essentials import essentials
from eksnetpol.policy.needs import Judging, Kind, behind, judging
from eksnetpol.policy.needs_of_names import DNS_LABEL, SYSTEM, dns_service
from eksnetpol.policy.outlook import Enforcing, Simulation
from eksnetpol.policy.profile import Mode, Profile, Semantics
from eksnetpol.policy.remedies import Remedy, remedies
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.surroundings import UNTOLD, Surroundings
from eksnetpol.policy.universe import Classes, Universe, build, set_of
from eksnetpol.policy.world import World

_POLICED_OTHERWISE = "auto"
_ADDRESS = {"ipv4": "172.20.0.10", "ipv6": "fd00:a::a"}

AS_EKS_INSTALLS_IT = "the cluster's DNS is not among what was read; it is taken to be as EKS installs it: kube-system/kube-dns"


def simulate(snapshot: ClusterSnapshot, world: World, profile: Profile, skip: Collection[Kind] = ()) -> Simulation:
    """Return what the policies of *world*, which is of *snapshot*, do under *profile* once they are enforced.

    Flows of the kinds in *skip* are not judged.
    """
    catalog()
    facts = Lookup(snapshot)
    asked, extra = _with_dns(world, profile)
    thought_of = replace(asked, pods=(*asked.pods, *extra)) if extra else asked
    base = build(thought_of.pods, thought_of.namespaces)
    standard = build_engine(thought_of, replace(profile, mode=Mode.STANDARD), base=base)
    engine = standard if profile.mode is Mode.STANDARD else build_engine(thought_of, profile, base=base)
    left_out: Classes = 0
    for pod in extra:
        left_out |= 1 << standard.atlas.class_of[pod.namespace, pod.name]
    unserved, notes = _unserved(facts)
    found = dormancy(standard, unserved, left_out=left_out)
    strict = profile.mode is Mode.STRICT and profile.semantics is Semantics.VPC_CNI
    uncovered = found.uncovered if strict else 0
    around = Surroundings.of(snapshot, v4_way_out=_leaves_by_v4(facts))
    judge = judging(engine, around, found.counted, uncovered, assumed=asked is not world)
    flows = essentials(judge, skip)
    to_add = remedies(engine, flows, found.counted | left_out, uncovered)
    if Kind.DNS not in skip and _may_be_turned_away(judge, to_add):
        to_add += _after(thought_of, profile, judge, to_add, left_out)
    if asked is not world:
        notes += (AS_EKS_INSTALLS_IT,)
    notes += tuple(_unjudged(around, skip))
    return Simulation(
        snapshot.target,
        snapshot.source,
        profile,
        _enforcing(facts),
        found,
        flows,
        to_add,
        (*notes, *engine.notes),
        (*world.unread, *_never_asked(snapshot)),
    )


def _never_asked(snapshot: ClusterSnapshot) -> Iterator[UnreadSection]:
    """Yield sections of a cluster that nobody asked for, and that nothing can be told without."""
    for name in ("pods", "namespaces", "network_policies") if snapshot.source is not SourceKind.MANIFESTS else ():
        section = getattr(snapshot, name)
        if isinstance(section, Unread) and section.why in UNTOLD:
            yield UnreadSection(name, section)


def _unjudged(around: Surroundings, skip: Collection[Kind]) -> Iterator[str]:
    sections = ((Kind.WEBHOOK, "webhooks", around.webhooks), (Kind.AGGREGATED_API, "aggregated APIs", around.api_services))
    missing = [words for kind, words, section in sections if isinstance(section, Unread) and kind not in skip]
    if missing and all(section.why in UNTOLD for _, _, section in sections if isinstance(section, Unread)):
        yield f"not judged, since they are not among what was read: {' and '.join(missing)}"


def _may_be_turned_away(judge: Judging, added: tuple[Remedy, ...]) -> bool:
    """Say whether pods that may ask for names once policies are *added* could meet resolvers which are isolated themselves."""
    service = dns_service(judge)
    asks = any(r.kind in {None, Kind.DNS} and "egress" in r.policy["spec"] for r in added)
    return asks and service is not None and bool(behind(judge, service) & judge.engine.isolated(Direction.INGRESS))


def _after(
    world: World, profile: Profile, judge: Judging, added: tuple[Remedy, ...], left_out: Classes
) -> tuple[Remedy, ...]:
    """Return what names need besides, once policies are *added*: whom resolvers turn away shows only when they are asked."""
    more = tuple(msgspec.convert(msgspec.to_builtins(r.policy), NetworkPolicy) for r in added)
    world = replace(world, network_policies=(*world.network_policies, *more))
    engine = build_engine(world, profile)
    # The labels that the new policies ask for may tell apart more pods than before.
    known = judge.engine.atlas.universe
    counted = _moved(known, engine.atlas, judge.counted)
    again = judging(engine, judge.around, counted, assumed=judge.assumed)
    flows = tuple(f for f in essentials(again) if f.kind is Kind.DNS)
    found = remedies(engine, flows, counted | _moved(known, engine.atlas, left_out))
    incoming = (r for r in found if "ingress" in r.policy["spec"])
    return tuple(replace(r, classes=_moved(engine.atlas.universe, judge.engine.atlas, r.classes)) for r in incoming)


def _moved(known: Universe, atlas: Atlas, classes: Classes) -> Classes:
    """Return *classes* of one universe as those of another that hold their pods."""
    pods = (p for c in known.members(classes) for p in c.pods)
    return set_of({atlas.class_of[p.namespace, p.name] for p in pods})


def _with_dns(world: World, profile: Profile) -> tuple[World, tuple[Pod, ...]]:
    """Return *world* with the cluster's DNS, and the pods this takes: files hold what somebody deploys, and not that."""
    if world.source is not SourceKind.MANIFESTS:
        return world, ()
    service = world.service_by_name.get((SYSTEM, "kube-dns"))
    labels = dict([DNS_LABEL]) if service is None else service.spec.selector
    has_pods = any(p.namespace == SYSTEM and labels.items() <= p.labels.items() for p in world.pods)
    if service is not None and has_pods:
        return world, ()
    if service is None:
        ports = (
            ServicePort(53, name="dns", protocol="UDP", target_port=53),
            ServicePort(53, name="dns-tcp", protocol="TCP", target_port=53),
        )
        spec = ServiceSpec(cluster_ip=_ADDRESS.get(profile.family, ""), selector=labels, ports=ports)
        world = replace(world, services=(*world.services, Service(ObjectMeta(name="kube-dns", namespace=SYSTEM), spec=spec)))
    else:
        world = replace(world)
    return world, () if has_pods else (_server(labels),)


def _server(labels: Mapping[str, str]) -> Pod:
    raw = {
        "metadata": {"name": "coredns-as-installed", "namespace": SYSTEM, "labels": labels},
        "spec": {"containers": [{"name": "coredns", "ports": [{"containerPort": 53, "protocol": p} for p in ("UDP", "TCP")]}]},
        "status": {"phase": "Running"},
    }
    return msgspec.json.decode(msgspec.json.encode(raw), type=Pod)


def _unserved(facts: Lookup) -> tuple[dict[str, str], tuple[str, ...]]:
    kinds = facts.get("node_kinds")
    if isinstance(kinds, Seen):
        return {name: kind for name, kind in kinds.value.unserved.items() if kind != _POLICED_OTHERWISE}, ()
    if kinds.why in UNTOLD:
        return {}, ()
    return {}, (f"nodes were not read, so pods on Fargate, Windows and hybrid nodes are taken for others: {kinds.reason}",)


def _leaves_by_v4(facts: Lookup) -> bool:
    family, cni = facts.get("ip_family"), facts.get("vpc_cni")
    if not (isinstance(family, Seen) and family.value == "ipv6" and isinstance(cni, Seen) and cni.value is not None):
        return False
    return not cni.value.env_is("ENABLE_V4_EGRESS", "false", default="true")


def _enforcing(facts: Lookup) -> Enforcing:
    switches = facts.get("switches")
    if not isinstance(switches, Seen):
        return Enforcing.UNKNOWN
    on = switches.value.controller.value == "on" and switches.value.agent.value == "on"
    return Enforcing.ON if on else Enforcing.OFF
