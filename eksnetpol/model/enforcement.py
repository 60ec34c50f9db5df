"""Who enforces what on a node, while a cluster moves from one engine to another.

Two engines are spoken of: the *old* one, that is left, and the *new* one, the VPC CNI's agent. What flows between two pods is
what the engines on the source's node let out and the engines on the destination's node let in; engines on one node both have to
let it through (facts: engines.md 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Enforcement(StrEnum):
    """What one engine does on one node.

    *absent*: nothing of it is there; *starting*: its agent is to run there and is not ready, so that it has no rules yet; *live*:
    it enforces and follows the cluster; *frozen*: its agent is gone and its rules of that moment stay in the kernel, so that pods
    which start later are cut off and new peers are not let in; *cleaning*: its rules are being taken out of the kernel.
    """

    ABSENT = "absent"
    STARTING = "starting"
    LIVE = "live"
    FROZEN = "frozen"
    CLEANING = "cleaning"


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node at one moment. ``pods`` counts those with an address of their own that run there; ``late`` those of them that
    started after the old engine's rules were frozen.
    """

    name: str
    old: Enforcement
    new: Enforcement
    ready: bool = True
    schedulable: bool = True
    pods: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole cluster at one moment. ``changed`` are the nodes that are not as they were in the scene before.

    ``policies`` and ``sources`` are numbers that grow whenever a policy of the target, or one of the old engine, comes, changes
    or goes. ``parts`` says of each workload of the old engine (``daemonset/kube-system/calico-node``) whether it is there.
    ``agents`` counts pods of the old agent.
    """

    at: float
    nodes: dict[str, NodeState]
    changed: frozenset[str]
    policies: int
    sources: int
    parts: dict[str, bool]
    agents: int
