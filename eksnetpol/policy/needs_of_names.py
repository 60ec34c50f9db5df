"""Names: the cluster's DNS, the cache on the node, and what the cluster's DNS asks itself."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.model.kubernetes import Service
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.addresses import NODE_LOCAL_DNS as NODE_LOCAL_ADDRESS
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.answers import ServiceAddress
from eksnetpol.policy.asking import Wanted, having
from eksnetpol.policy.needs import Flow, Judging, Kind, Opening, Part, Peer, Verdict, bare, behind, parts_of, targets, words_of
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.surroundings import NODE_LOCAL_DNS
from eksnetpol.policy.universe import Classes

SYSTEM = "kube-system"
DNS_LABEL = ("k8s-app", "kube-dns")
_ASK_DNS: Wanted = (("UDP", 53), ("TCP", 53))
_V6_RESOLVER = "fd00:ec2::253"


def names(judge: Judging) -> Iterator[Flow]:
    """Yield what pods need to resolve names."""
    for find in (_dns, _node_local_dns, _upstream_dns):
        flow = find(judge)
        if flow is not None:
            yield flow


def dns_service(judge: Judging) -> Service | None:
    """Return the Service that pods ask for names: ``kube-system/kube-dns``, or the one that selects its label."""
    world = judge.engine.world
    named = world.service_by_name.get((SYSTEM, "kube-dns"))
    selecting = (s for s in world.services if s.namespace == SYSTEM and DNS_LABEL in s.spec.selector.items())
    return named or next(selecting, None)


def _dns(judge: Judging) -> Flow | None:
    service = dns_service(judge)
    sending = judge.isolated[Direction.EGRESS]
    if service is None:
        reason = "the Service kube-system/kube-dns is not among what was read"
        part = Part(Verdict.UNKNOWN, sending, reason)
        return Flow(Kind.DNS, Direction.EGRESS, "DNS", "kube-system/kube-dns", (part,) if sending else ())
    servers = behind(judge, service)
    needing = judge.counted & ~servers
    offered = {(p.protocol, p.port) for p in service.spec.ports}
    wanted = tuple(one for one in _ASK_DNS if one in offered) or _ASK_DNS
    title = f"{service.namespace}/{service.name}"
    address = service.spec.cluster_ip
    target = f"{title}{f' ({address})' if address and not judge.assumed else ''}, {words_of(wanted)}"
    opening = _to_dns(judge, service, servers, wanted)
    found = having(judge.engine.to_service(service), wanted)
    partly = f"only some of {words_of(wanted)} is open, and long answers come by TCP"
    words = f"send {words_of(wanted)} to {title}"
    parts = list(parts_of(needing & sending, found, opening, words, partly))
    closed = servers & judge.isolated[Direction.INGRESS]
    if closed:
        parts = [*_served(judge, service, servers, wanted, needing & (found.all | ~sending), parts)]
    return Flow(Kind.DNS, Direction.EGRESS, "DNS", target, tuple(p for p in parts if p.classes))


def _served(
    judge: Judging, service: Service, servers: Classes, wanted: Wanted, asking: Classes, parts: list[Part]
) -> Iterator[Part]:
    """Yield *parts* with those of *asking* moved whom the resolver's own ingress turns away."""
    found = judge.asking.reaching(asking, ServiceAddress(service, service.name), wanted)
    turned_away = asking & ~found.all & ~found.unsure
    inner = tuple(dict.fromkeys((t.protocol, t.number) for t in targets(judge, service, servers, wanted)))
    opening = Opening(Direction.INGRESS, (Peer(namespace=()),), inner, "every pod may ask then, as DNS wants it")
    for part in parts:
        kept = part.classes & ~turned_away & ~found.unsure if part.verdict is Verdict.KEEPS else part.classes
        yield Part(part.verdict, kept, part.reason, part.opening, part.of)
    closed = servers & judge.isolated[Direction.INGRESS]
    reason = "the pods that answer are isolated themselves and take nothing from them"
    yield Part(Verdict.LOSES, turned_away & ~found.some, reason, opening, closed)
    reason = "some of the pods that answer, or some ports, are closed to them"
    yield Part(Verdict.PARTLY, turned_away & found.some, reason, opening, closed)
    yield Part(Verdict.UNKNOWN, found.unsure, "too many different rules speak of the pods that answer", opening, closed)


def _to_dns(judge: Judging, service: Service, servers: Classes, wanted: Wanted) -> Opening:
    if not servers:
        # Answered on the node, as by EKS Auto Mode: no pod can be selected, only the address is left.
        return Opening(Direction.EGRESS, (judge.host(service.spec.cluster_ip),), wanted)
    inner = tuple(dict.fromkeys((t.protocol, t.number) for t in targets(judge, service, servers, wanted)))
    own = (("kubernetes.io/metadata.name", service.namespace),)
    return Opening(Direction.EGRESS, (Peer(namespace=own, pods=tuple(service.spec.selector.items())),), inner or wanted)


def _node_local_dns(judge: Judging) -> Flow | None:
    if not _has_node_local_dns(judge):
        return None
    service = dns_service(judge)
    # The cluster's own resolvers ask whom their node asks.
    sending = judge.isolated[Direction.EGRESS] & ~(behind(judge, service) if service else 0)
    title, address = "NodeLocal DNS", bare(NODE_LOCAL_ADDRESS)
    if judge.family == "ipv6":
        reason = "where NodeLocal DNSCache listens in an IPv6 cluster is not known"
        parts: tuple[Part, ...] = (Part(Verdict.UNKNOWN, sending, reason),) if sending else ()
        return Flow(Kind.NODE_LOCAL_DNS, Direction.EGRESS, title, "the node's cache", parts)
    opening = Opening(Direction.EGRESS, (Peer(NODE_LOCAL_ADDRESS),), _ASK_DNS)
    found = judge.asking.at(Direction.EGRESS, address, _ASK_DNS)
    partly = f"only some of {words_of(_ASK_DNS)} is open, and long answers come by TCP"
    words = f"send {words_of(_ASK_DNS)} to {address}, which kubelets may name as the resolver"
    parts = parts_of(sending, found, opening, words, partly)
    return Flow(Kind.NODE_LOCAL_DNS, Direction.EGRESS, title, f"{address}, {words_of(_ASK_DNS)}", parts)


def _has_node_local_dns(judge: Judging) -> bool:
    if not isinstance(judge.around.daemonsets, Unread) and any(d.name == NODE_LOCAL_DNS for d in judge.around.daemonsets):
        return True
    atlas = judge.engine.atlas
    return any(w.namespace == SYSTEM and w.name == NODE_LOCAL_DNS for w in atlas.workloads)


def _upstream_dns(judge: Judging) -> Flow | None:
    service = dns_service(judge)
    servers = behind(judge, service) & judge.isolated[Direction.EGRESS] if service and not judge.assumed else 0
    if not servers:
        return None
    title = "names outside the cluster"
    address = _resolver(judge)
    if isinstance(address, Unread):
        found = judge.asking.somewhere_unknown(Direction.EGRESS, _ASK_DNS)
        closed = servers & ~found.all & ~found.unsure
        some = (
            Part(Verdict.LOSES, closed, "no rule lets them send UDP and TCP 53 to any resolver"),
            Part(Verdict.UNKNOWN, servers & found.unsure, f"the VPC's resolver is not known: {address.reason}"),
            Part(Verdict.KEEPS, servers & found.all, "rules let them send UDP and TCP 53 everywhere"),
        )
        return Flow(Kind.UPSTREAM_DNS, Direction.EGRESS, title, "the VPC's resolver", tuple(p for p in some if p.classes))
    caution = "where DHCP options of the VPC name other resolvers, their addresses are wanted instead"
    opening = Opening(Direction.EGRESS, (judge.host(address),), _ASK_DNS, caution)
    found = judge.asking.at(Direction.EGRESS, address, _ASK_DNS)
    words = f"send {words_of(_ASK_DNS)} to the VPC's resolver {address}"
    parts = parts_of(servers, found, opening, words, "UDP and TCP are both needed, and one is closed")
    return Flow(Kind.UPSTREAM_DNS, Direction.EGRESS, title, f"{address}, {words_of(_ASK_DNS)}", parts)


def _resolver(judge: Judging) -> str | Unread:
    """Return the address of the VPC's resolver: the third of its first block, or the one that all VPCs have."""
    if judge.family == "ipv6":
        return _V6_RESOLVER
    blocks = judge.around.blocks_of_vpc("ipv4")
    if isinstance(blocks, Unread):
        return blocks
    network = parse_cidr(blocks[0]) if blocks else None
    return Unread("the VPC has no IPv4 block") if network is None else str(network.network_address + 2)


