"""The agent's conntrack table is large enough for dense nodes."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import AGENT_README, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, agent_of, installed
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.quantities import parse_quantity
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release

FLAG = "conntrack-cache-table-size"
SMALL = 256 * 1024
DENSE = 110


@check(
    title="the agent's conntrack table is large enough for the densest nodes",
    severity=Severity.ADVICE,
    docs=AGENT_README,
    sources=(AGENT_README, "aws/aws-network-policy-agent#462"),
)
def conntrack_table_suits_the_nodes(
    vpc_cni: VpcCni | None,
    agent_release: Release | Unread,
    node_kinds: NodeKinds,
    releases: Matrix,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    All pods of a node share one table of known connections. When it is full, the least recently used are forgotten and their
    packets are judged anew, so replies can be dropped. Fewer than 262144 entries on nodes for more than 110 pods is a heuristic
    for that.
    """
    agent_of(vpc_cni)
    text = installed(vpc_cni).args.get(FLAG)
    if text is None or not text.isascii() or not text.isdigit():
        raise NotApplicable(f"--{FLAG} is {'not set' if text is None else 'no number'}")
    if isinstance(agent_release, Unread):
        yield Unknown(AWS_NODE, agent_release.reason)
        return
    since = releases.feature["conntrack-table-size"].agent
    if since is not None and agent_release.base < since:
        raise NotApplicable(f"agent {agent_release} has no such setting")
    sizes = {n.name: parse_quantity(n.status.allocatable.get("pods", "")) for n in node_kinds.linux_ec2}
    silent = [name for name, pods in sizes.items() if pods is None]
    dense = {name: int(pods) for name, pods in sizes.items() if pods is not None and pods > DENSE}
    yield Evidence(f"{text} entries, {len(dense)} nodes for more than {DENSE} pods")
    if int(text) >= SMALL:
        return
    if dense:
        yield Finding(
            subject=AWS_NODE,
            message=(
                f"the agent's conntrack table has {text} entries for {count(len(dense), 'node')} of up to {max(dense.values())} "
                "pods that share it"
            ),
            remedy=f"Raise nodeAgent.conntrackCacheTableSize, {changing.place}; it takes effect as nodes are replaced.",
            command=changing.set("nodeAgent.conntrackCacheTableSize", "524288"),
            evidence=(f"nodes: {listed(sorted(dense), 5)}",),
        )
    if silent:
        yield Unknown(AWS_NODE, f"how many pods these nodes hold is not known: {listed(silent, 5)}")
