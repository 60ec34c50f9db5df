"""What has to come into pods: calls of the API server, load balancers and node ports, the kubelet's probes, scrapers.

The API server calls webhooks and aggregated APIs from the control plane's interfaces in the cluster's subnets. Load balancers
reach pods from their own addresses in the VPC, or from their clients' where these are preserved; a node that hands on a packet
for a pod elsewhere puts its own address on it, unless ``externalTrafficPolicy`` is ``Local``
(docs.aws.amazon.com/eks, "Limit Pod traffic with Kubernetes network policies"; aws/amazon-vpc-cni-k8s#2967).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eksnetpol.model.kubernetes import Service
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release
from eksnetpol.policy.answers import Pods
from eksnetpol.policy.asking import Reached, Wanted
from eksnetpol.policy.needs import (
    Flow,
    Judging,
    Kind,
    Opening,
    Part,
    Peer,
    Target,
    Verdict,
    behind,
    parts_of,
    targets,
    words_of,
)
from eksnetpol.policy.profile import Mode
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.surroundings import UNTOLD
from eksnetpol.policy.universe import Classes, set_of

_PROBES_SINCE = Release(1, 2, 0)
_LB = "service.beta.kubernetes.io/aws-load-balancer-"
_SCRAPERS = frozenset({"prometheus", "vmagent"})
"""Images that scrape what carries the annotations of Prometheus."""


def into_pods(judge: Judging) -> Iterator[Flow]:
    """Yield what has to reach isolated pods."""
    for find in (_callbacks, _doors, _probes, _metrics):
        yield from find(judge)


# --- the API server's calls -------------------------------------------------------------------------------------------


def _callbacks(judge: Judging) -> Iterator[Flow]:
    callers: dict[tuple[Kind, str, str, int], dict[str, None]] = {}
    around = judge.around
    yield from _unread(judge, Kind.WEBHOOK, "webhooks", around.webhooks)
    yield from _unread(judge, Kind.AGGREGATED_API, "aggregated APIs", around.api_services)
    for configuration in () if isinstance(around.webhooks, Unread) else around.webhooks:
        for webhook in configuration.webhooks:
            ref = webhook.client_config.service
            if ref is not None:
                words = configuration.metadata.name + (" (fails open)" if webhook.failure_policy == "Ignore" else "")
                callers.setdefault((Kind.WEBHOOK, ref.namespace, ref.name, ref.port), {})[words] = None
    for api in () if isinstance(around.api_services, Unread) else around.api_services:
        ref = api.spec.service
        if ref is not None:
            callers.setdefault((Kind.AGGREGATED_API, ref.namespace, ref.name, ref.port), {})[api.metadata.name] = None
    for (kind, namespace, name, port), names in callers.items():
        what = "webhook" if kind is Kind.WEBHOOK else "aggregated API"
        title = f"{what} {', '.join(names)}"
        yield from _callback(judge, kind, title, (namespace, name), port)


def _unread(judge: Judging, kind: Kind, title: str, section: object) -> Iterator[Flow]:
    """Yield that nobody knows whom the API server calls; of files, which do not tell either, that is said once and for all."""
    receiving = judge.isolated[Direction.INGRESS]
    if receiving and isinstance(section, Unread) and section.why not in UNTOLD:
        part = Part(Verdict.UNKNOWN, receiving, f"whether the API server calls them is not known: {section.reason}")
        yield Flow(kind, Direction.INGRESS, title, "the control plane", (part,))


def _callback(judge: Judging, kind: Kind, title: str, key: tuple[str, str], port: int) -> Iterator[Flow]:
    service = judge.engine.world.service_by_name.get(key)
    if service is None:
        return
    receiving = behind(judge, service) & judge.isolated[Direction.INGRESS]
    parts: list[Part] = []
    for target in targets(judge, service, receiving, (("TCP", port),)):
        parts += _from_control_plane(judge, target)
    where = f"the control plane to {service.namespace}/{service.name} port {port}"
    yield Flow(kind, Direction.INGRESS, title, where, tuple(parts))


def _from_control_plane(judge: Judging, target: Target) -> tuple[Part, ...]:
    wanted: Wanted = (("TCP", target.number),)
    words = f"take the API server's calls on TCP {target.number}"
    subnets = judge.around.blocks_of_subnets(judge.family)
    if not isinstance(subnets, Unread) and subnets:
        found = judge.asking.across(Direction.INGRESS, subnets, wanted)
        opening = Opening(Direction.INGRESS, judge.blocks(Direction.INGRESS, subnets, target.classes), wanted)
        partly = f"only part of the control plane's subnets ({', '.join(subnets)}) is open on TCP {target.number}"
        return parts_of(target.classes, found, opening, words, partly)
    own = judge.around.addresses_of_api_server(judge.family)
    if not isinstance(own, Unread) and own:
        found = judge.asking.across(Direction.INGRESS, own, wanted)
        caution = "these are today's addresses; the subnets of the control plane were not read"
        opening = Opening(Direction.INGRESS, tuple(judge.host(a) for a in own), wanted, caution)
        return parts_of(target.classes, found, opening, words, "only some of the API server's addresses of today are open")
    found = judge.asking.somewhere_unknown(Direction.INGRESS, wanted)
    doubt = "some addresses are open to them, and the control plane's subnets are not known"
    return parts_of(target.classes, found, None, words, doubt=doubt)


# --- load balancers and node ports ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Door:
    """Who comes in by a Service: the VPC's addresses always; ``clients`` from anywhere, None where that is not known."""

    kind: Kind
    how: str
    clients: bool | None


def _door(service: Service) -> _Door | None:
    spec, notes = service.spec, service.metadata.annotations
    local = spec.external_traffic_policy == "Local"
    if spec.type == "NodePort":
        return _Door(Kind.NODE_PORT, "node port", clients=None if local else False)
    if spec.type != "LoadBalancer":
        return None
    internal = notes.get(f"{_LB}internal") == "true" or notes.get(f"{_LB}scheme") == "internal"
    attributes = notes.get(f"{_LB}target-group-attributes", "")
    if internal or "preserve_client_ip.enabled=false" in attributes:
        return _Door(Kind.LOAD_BALANCER, "load balancer", clients=False)
    if "preserve_client_ip.enabled=true" in attributes:
        return _Door(Kind.LOAD_BALANCER, "load balancer", clients=True)
    if notes.get(f"{_LB}nlb-target-type") == "ip" or local:
        return _Door(Kind.LOAD_BALANCER, "load balancer", clients=None)
    # By its nodes: one that hands a packet on puts its own address on it.
    return _Door(Kind.LOAD_BALANCER, "load balancer by node ports", clients=False)


def _doors(judge: Judging) -> Iterator[Flow]:
    for service in judge.engine.world.services:
        door = _door(service)
        receiving = behind(judge, service) & judge.isolated[Direction.INGRESS] if door else 0
        if door is None or not receiving:
            continue
        wanted = tuple((p.protocol, p.port) for p in service.spec.ports)
        groups: dict[Classes, dict[tuple[str, int], None]] = {}
        for target in targets(judge, service, receiving, wanted):
            groups.setdefault(target.classes, {})[target.protocol, target.number] = None
        parts: list[Part] = []
        for classes, numbers in groups.items():
            parts += _through(judge, door, classes, tuple(numbers))
        numbers = dict.fromkeys(n for some in groups.values() for n in some)
        where = f"{words_of(tuple(numbers))} of the pods behind it"
        yield Flow(door.kind, Direction.INGRESS, f"{door.how} {service.namespace}/{service.name}", where, tuple(parts))


def _through(judge: Judging, door: _Door, classes: Classes, wanted: Wanted) -> tuple[Part, ...]:
    words = f"take {words_of(wanted)} from the VPC"
    blocks = judge.around.blocks_of_vpc(judge.family)
    anyone = judge.asking.at(Direction.INGRESS, judge.asking.ordinary, wanted).all
    if isinstance(blocks, Unread) or not blocks:
        found = judge.asking.somewhere_unknown(Direction.INGRESS, wanted)
        doubt = f"some addresses are open to them, and those that the {door.how} has are not known"
        return parts_of(classes, found, None, words, doubt=doubt)
    found = judge.asking.across(Direction.INGRESS, blocks, wanted)
    caution = "" if door.clients is False else "clients whose own addresses are preserved need their blocks as well"
    opening = Opening(Direction.INGRESS, judge.blocks(Direction.INGRESS, blocks, classes), wanted, caution)
    partly = f"only some of the VPC ({', '.join(blocks)}), or of {words_of(wanted)}, is open"
    if door.clients is False:
        return parts_of(classes, found, opening, words, partly)
    if door.clients:
        everywhere = ("::/0",) if judge.family == "ipv6" else ("0.0.0.0/0",)
        caution = "opens them to every address, in the VPC and in the Internet"
        opening = Opening(Direction.INGRESS, judge.blocks(Direction.INGRESS, everywhere, classes), wanted, caution)
        partly = "health checks of the VPC may come in, clients with their own addresses may not"
        return parts_of(classes, Reached(found.all & anyone, found.all | found.some), opening, words, partly)
    doubt = "the VPC may come in; whether the addresses of clients, which are closed, are preserved is not known"
    return parts_of(
        classes, Reached(found.all & anyone, found.some, found.all & ~anyone), opening, words, partly, doubt
    )


# --- kubelets and scrapers --------------------------------------------------------------------------------------------


def _probes(judge: Judging) -> Iterator[Flow]:
    universe, engine = judge.engine.atlas.universe, judge.engine
    receiving = judge.isolated[Direction.INGRESS]
    probed = set_of(
        c.index
        for c in universe.members(receiving)
        if any(p.crosses_network for x in (*c.containers, *c.init_containers) for p in x.probes)
    )
    if not probed:
        return
    closed = judge.uncovered & probed if judge.is_agent and engine.profile.mode is Mode.STRICT else 0
    rest = probed & ~closed
    if judge.is_agent and engine.profile.agent.base < _PROBES_SINCE:
        verdict, reason = Verdict.UNKNOWN, f"agent {engine.profile.agent} has defects that may block probes; v1.2.0 has not"
    else:
        verdict, reason = Verdict.KEEPS, "the kubelet asks from the pod's own node, which may always reach it"
    parts = (
        Part(Verdict.LOSES, closed, "in strict mode a pod without policies is closed to its own node too"),
        Part(verdict, rest, reason),
    )
    yield Flow(Kind.PROBES, Direction.INGRESS, "probes", "the kubelet of the own node", tuple(p for p in parts if p.classes))


def _metrics(judge: Judging) -> Iterator[Flow]:
    universe = judge.engine.atlas.universe
    scrapers = set_of(c.index for c in universe.members(judge.counted) if any(_scrapes(x.image) for x in c.containers))
    # Scrapers that may not send are one matter, and what the scraped pods take is another.
    free = scrapers & ~judge.isolated[Direction.EGRESS]
    scraped: dict[int, list[int]] = {}
    for c in universe.members(judge.isolated[Direction.INGRESS] & ~scrapers if scrapers else 0):
        port = _annotated(p.metadata.annotations for p in c.pods)
        if port is not None:
            scraped.setdefault(port, []).append(c.index)
    if not scraped:
        return
    peers = tuple(dict.fromkeys(_own_labels(judge, scrapers)))
    parts: list[Part] = []
    for port, indexes in scraped.items():
        wanted: Wanted = (("TCP", port),)
        found = some = 0
        for c in universe.members(set_of(indexes)):
            answer = judge.engine.connections(Pods(free or scrapers, "scrapers"), Pods(c.bit, "scraped"))
            found |= c.bit if answer.every.allows(*wanted[0]) else 0
            some |= c.bit if answer.some.allows(*wanted[0]) else 0
        opening = Opening(Direction.INGRESS, peers, wanted) if free else None
        words = f"take scrapes on TCP {port}"
        parts += parts_of(set_of(indexes), Reached(found, some), opening, words, "only some scrapers may reach them")
    yield Flow(Kind.METRICS, Direction.INGRESS, "metrics", "scrapers in the cluster", tuple(parts))


def _scrapes(image: str) -> bool:
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0] in _SCRAPERS


def _annotated(found: Iterable[dict[str, str]]) -> int | None:
    for notes in found:
        port = notes.get("prometheus.io/port", "")
        if notes.get("prometheus.io/scrape") == "true" and port.isdigit():
            return int(port)
    return None


def _own_labels(judge: Judging, scrapers: Classes) -> Iterator[Peer]:
    for c in judge.engine.atlas.universe.members(scrapers):
        own = (("kubernetes.io/metadata.name", c.namespace),)
        labels = c.example.labels
        key = next((k for k in ("app.kubernetes.io/name", "app", "k8s-app") if k in labels), None)
        yield Peer(namespace=own, pods=((key, labels[key]),) if key else ())
