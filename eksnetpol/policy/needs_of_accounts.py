"""What pods need to act for their service account: the API server, and AWS credentials by whichever way they get them."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.addresses import IMDS, POD_IDENTITY_AGENT
from eksnetpol.policy.asking import Reached, Wanted, having
from eksnetpol.policy.needs import Flow, Judging, Kind, Opening, Part, Peer, Verdict, bare, parts_of
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes

_HTTPS, _HTTP = 443, 80


def accounts(judge: Judging) -> Iterator[Flow]:
    """Yield what pods need to reach the API server and to get credentials."""
    for find in (_api_server, _pod_identity, _sts, _imds):
        flow = find(judge)
        if flow is not None:
            yield flow


def _api_server(judge: Judging) -> Flow | None:
    needing = judge.credentials.mounts_token & judge.isolated[Direction.EGRESS]
    if not needing:
        return None
    wanted: Wanted = (("TCP", _HTTPS),)
    service = judge.engine.world.service_by_name.get(("default", "kubernetes"))
    own = judge.around.addresses_of_api_server(judge.family)
    addresses = () if isinstance(own, Unread) else own
    cluster_ip = service.spec.cluster_ip if service is not None else ""
    named = tuple(dict.fromkeys(a for a in (cluster_ip, *addresses) if a))
    caution = "the API server's own addresses change when EKS replaces its machines" if addresses else ""
    opening = Opening(Direction.EGRESS, tuple(judge.host(a) for a in named), wanted, caution) if named else None
    directly = judge.asking.across(Direction.EGRESS, addresses, wanted) if addresses else None
    words = f"reach the API server on TCP {_HTTPS}"
    if judge.is_agent and service is not None:
        # The agent sees the Service's address, before it is turned into one of the API server's own.
        parts = parts_of(needing, having(judge.engine.to_service(service), wanted), opening, words)
        if directly is not None:
            parts = tuple(p for part in parts for p in _told_apart(part, directly.all))
    elif directly is not None:
        parts = parts_of(needing, directly, opening, words, "rules open only some of the API server's addresses")
    else:
        found = judge.asking.somewhere_unknown(Direction.EGRESS, wanted)
        doubt = "some addresses are open to them, and those of the API server were not read"
        parts = parts_of(needing, found, opening, words, doubt=doubt)
    target = f"{', '.join(named) or 'default/kubernetes'}, TCP {_HTTPS}"
    return Flow(Kind.API_SERVER, Direction.EGRESS, "API server", target, parts, is_sure=False)


def _told_apart(part: Part, directly: Classes) -> Iterator[Part]:
    """Yield *part*, apart for classes that may reach the API server's own addresses and those that may not."""
    match part.verdict:
        case Verdict.LOSES:
            some = part.classes & directly
            reason = (
                "rules let them send to the API server's own addresses, but not to the Service default/kubernetes, "
                "whose address the agent sees"
            )
        case Verdict.KEEPS:
            some = part.classes & ~directly
            reason = f"{part.reason}, by the Service default/kubernetes; the API server's own addresses are closed to them"
        case _:
            some, reason = 0, ""
    if some:
        yield Part(part.verdict, some, reason, part.opening)
    if part.classes & ~some:
        yield Part(part.verdict, part.classes & ~some, part.reason, part.opening)


# --- credentials ------------------------------------------------------------------------------------------------------


def _pod_identity(judge: Judging) -> Flow | None:
    who = judge.credentials
    address = POD_IDENTITY_AGENT[judge.family == "ipv6"]
    unread = judge.around.pod_identities
    why = "whether they have a Pod Identity association is not known"
    why = f"{why}: {unread.reason}" if isinstance(unread, Unread) else why
    parts = _at_address(judge, address, who.pod_identity, who.perhaps_pod_identity, why, "the Pod Identity agent")
    return Flow(Kind.POD_IDENTITY, Direction.EGRESS, "Pod Identity agent", f"{bare(address)}, TCP {_HTTP}", parts)


def _imds(judge: Judging) -> Flow | None:
    if not judge.around.hands_out_metadata():
        return None
    who = judge.credentials
    address = IMDS[judge.family == "ipv6"]
    why = "whether they have a role of their own is not known; without one, AWS calls use the node's"
    parts = _at_address(judge, address, who.node_role, who.perhaps_node_role, why, "the instance metadata service")
    if judge.family == "ipv6" and judge.around.v4_way_out:
        reason = f"IPv4 egress, for which no policy holds, leads to {bare(IMDS[0])}"
        parts = tuple(Part(Verdict.KEEPS, p.classes, reason) for p in parts)
    return Flow(Kind.IMDS, Direction.EGRESS, "instance metadata", f"{bare(address)}, TCP {_HTTP}", parts, is_sure=False)


def _at_address(
    judge: Judging, address: str, needing: Classes, perhaps: Classes, why: str, whom: str
) -> tuple[Part, ...]:
    sending = judge.isolated[Direction.EGRESS]
    if not (needing | perhaps) & sending:
        return ()
    wanted: Wanted = (("TCP", _HTTP),)
    opening = Opening(Direction.EGRESS, (Peer(address),), wanted)
    found = judge.asking.at(Direction.EGRESS, bare(address), wanted)
    words = f"reach {whom} at {bare(address)} on TCP {_HTTP}"
    maybe = (_doubted(p, why) for p in parts_of(perhaps & ~needing & sending, found, opening, words))
    return (*parts_of(needing & sending, found, opening, words), *maybe)


def _doubted(part: Part, why: str) -> Part:
    """Return *part* of pods that perhaps need nothing: what they would lose is not known to be lost."""
    if part.verdict is Verdict.KEEPS:
        return part
    return Part(Verdict.UNKNOWN, part.classes, f"{part.reason}; {why}", part.opening)


def _sts(judge: Judging) -> Flow | None:
    who, sending = judge.credentials, judge.isolated[Direction.EGRESS]
    needing, perhaps = who.irsa & sending, who.perhaps_irsa & ~who.irsa & sending
    if not needing | perhaps:
        return None
    wanted: Wanted = (("TCP", _HTTPS),)
    endpoints = judge.around.vpc_endpoints
    private = None if isinstance(endpoints, Unread) else any(e.service_name.endswith(".sts") for e in endpoints)
    blocks = judge.around.blocks_of_vpc(judge.family)
    inside = () if isinstance(blocks, Unread) else blocks
    asking = judge.asking
    public = asking.somewhere_unknown(Direction.EGRESS, wanted, public=private is False)
    if private and inside:
        found = asking.across(Direction.EGRESS, inside, wanted)
        # In which of the VPC's subnets the endpoint is was not asked.
        found = Reached(found.all, 0, found.some | found.unsure)
        target, opening = f"the VPC's endpoint in {', '.join(inside)}", _opening_to(judge, inside, wanted, needing)
    else:
        caution = "opens TCP 443 to every address, in the VPC and in the Internet, where addresses of STS change"
        everywhere = ("::/0",) if judge.family == "ipv6" else ("0.0.0.0/0",)
        found, target, opening = public, "public addresses of STS", _opening_to(judge, everywhere, wanted, needing, caution)
    words = f"reach STS on TCP {_HTTPS}"
    doubt = "only some addresses are open to them on TCP 443, and whether STS is at one was not asked"
    unread = judge.around.service_accounts
    why = "whether they have a role by IRSA is not known"
    why = f"{why}: {unread.reason}" if isinstance(unread, Unread) else why
    maybe = (_doubted(p, why) for p in parts_of(perhaps, found, opening, words, doubt=doubt))
    parts = (*parts_of(needing, found, opening, words, doubt=doubt), *maybe)
    return Flow(Kind.STS, Direction.EGRESS, "STS, for IRSA", f"{target}, TCP {_HTTPS}", parts)


def _opening_to(judge: Judging, cidrs: tuple[str, ...], wanted: Wanted, classes: Classes, caution: str = "") -> Opening:
    return Opening(Direction.EGRESS, judge.blocks(Direction.EGRESS, cidrs, classes), wanted, caution)
