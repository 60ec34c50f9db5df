"""Other engines, and whether they work on nodes that the VPC CNI polices.

On hybrid nodes another engine is right: the VPC CNI does not go there. One whose agent keeps to such nodes is no rival.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.engines.engine import Life, Presence
from eksnetpol.engines.placement import admits, is_confined, may_run_on
from eksnetpol.facts.declare import fact
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.snapshot import Unread

_LINUX = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
_HYBRID = _LINUX | {"eks.amazonaws.com/compute-type": "hybrid"}


class Ground(StrEnum):
    """Whose nodes an engine's agent works on."""

    SHARED = "shared"
    APART = "apart"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rival:
    """An engine with an agent or parts of one. ``nodes`` counts the EC2 and Auto Mode nodes it goes to, 0 where unknown."""

    presence: Presence
    ground: Ground
    nodes: int


@fact
def rivals(engines: tuple[Presence, ...], node_kinds: NodeKinds | Unread) -> tuple[Rival, ...]:
    """Every other engine, with the ground it works on. What keeps to hybrid nodes works apart."""
    return tuple(_place(presence, node_kinds) for presence in engines)


def _place(presence: Presence, kinds: NodeKinds | Unread) -> Rival:
    agent = presence.workload
    if agent is None:
        return Rival(presence, Ground.SHARED, 0)
    if isinstance(kinds, NodeKinds):
        policed = sum(may_run_on(agent, node) for node in (*kinds.linux_ec2, *kinds.auto))
        if policed:
            return Rival(presence, Ground.SHARED, policed)
        if any(may_run_on(agent, node) for node in kinds.hybrid):
            return Rival(presence, Ground.APART, 0)
        if presence.life is Life.PARTIAL:
            # It goes to none of the nodes there are; what its selector means does not matter.
            return Rival(presence, Ground.SHARED, 0)
    if not is_confined(agent) or admits(agent, _LINUX):
        return Rival(presence, Ground.SHARED, 0)
    # Nothing is known of nodes with labels of the user's own; a plain hybrid node would do where it is asked for by EKS's label.
    return Rival(presence, Ground.APART if admits(agent, _HYBRID) else Ground.UNKNOWN, 0)
