"""Nodes were made after the agent that fixed the size of its pinned maps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from eksnetpol.checks.declare import AGENT_README, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, agent_of
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.node_groups import fold
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.vpc_cni import AGENT_CONTAINERS, Switch, Switches, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Unknown
from eksnetpol.model.kubernetes import ControllerRevision, Node
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import ImageReference, Release

LARGER_TABLES = (Release(1, 1, 0), Release(1, 2, 0))
"""Agents that raised the default size of the conntrack table: to 262,144 and to 524,288 entries."""


@check(
    title="nodes are newer than the agent's map sizes",
    severity=Severity.WARNING,
    docs=AGENT_README,
    sources=(AGENT_README, "https://github.com/aws/aws-network-policy-agent/releases/tag/v1.2.0"),
    intents=frozenset({Intent.UPGRADE, Intent.ENABLE}),
)
def nodes_are_newer_than_the_agents_maps(
    node_kinds: NodeKinds,
    controller_revisions: tuple[ControllerRevision, ...],
    switches: Switches,
    vpc_cni: VpcCni | None,
    agent_release: Release | Unread,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The agent's maps are pinned on the node and outlive its container, so a node keeps the size they had when they were first
    made. Agents v1.1.0 and v1.2.0 raised the size of the connection table; nodes older than the roll-out that crossed one of
    them keep the small table until they are replaced. When that was is read from the DaemonSet's stored revisions.
    """
    agent_of(vpc_cni)
    if switches.agent is not Switch.ON:
        raise NotApplicable("the agent is switched off, so it has no maps")
    if isinstance(agent_release, Unread):
        yield Unknown(AWS_NODE, agent_release.reason)
        return
    boundary = max((b for b in LARGER_TABLES if b <= agent_release.base), default=None)
    if boundary is None:
        raise NotApplicable(f"agent {agent_release} is older than any change of size")
    stored = sorted(controller_revisions, key=lambda r: r.revision)
    history = [(r.revision, r.metadata.creation_timestamp, _agent_of(r)) for r in stored]
    crossing = _crossing(history, boundary)
    yield Evidence(f"agent {agent_release}, {count(len(history), 'stored revision')}")
    for maker, nodes in fold(node_kinds.linux_ec2).items():
        if crossing is not None:
            old = [n.name for n in nodes if _is_older(n, crossing)]
            if old:
                yield Finding(
                    subject=maker,
                    message=f"{count(len(old), 'node')} older than the roll-out of agent {boundary} on {crossing:%Y-%m-%d} "
                    "keep the connection table of the agent before it",
                    remedy="Replace these nodes, a few at a time.",
                    command=f"kubectl drain {old[0]} --ignore-daemonsets --delete-emptydir-data",
                    evidence=(listed(old, 5),),
                )
            continue
        earliest = min((created for _, created, _ in history if created is not None), default=None)
        unsure = [n.name for n in nodes if earliest is None or _is_older(n, earliest)]
        if unsure:
            yield Unknown(
                maker,
                f"{listed(unsure)}: older than the oldest stored revision of aws-node; which agent made their maps is not known",
            )


def _agent_of(revision: ControllerRevision) -> Release | None:
    images = dict(i.partition("=")[::2] for i in revision.images)
    found = next((images[name] for name in AGENT_CONTAINERS if name in images), "")
    return ImageReference.parse(found).release


def _crossing(history: list[tuple[int, datetime | None, Release | None]], boundary: Release) -> datetime | None:
    """Return when the first revision at or above *boundary* came after one below it, None where none is stored."""
    below = False
    crossed = None
    for _, created, release in history:
        if release is None:
            continue
        if release.base < boundary:
            below, crossed = True, None
        elif below and crossed is None:
            crossed = created
    return crossed


def _is_older(node: Node, moment: datetime) -> bool:
    created = node.metadata.creation_timestamp
    return created is not None and created < moment
