"""The headline of `status`: is enforcement on, off, or something between the two, and why.

Nothing is enforced on EC2 nodes unless both switches are on and the node runs a ready agent of the current template; nodes of EKS
Auto Mode have the agent built in and go by the controller's switch and their NodeClass
(docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html, auto-net-pol.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.facts.declare import fact
from eksnetpol.facts.drift import Setting
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.rollout_state import NodeState, RolloutByNode
from eksnetpol.facts.vpc_cni import Switch, Switches, VpcCni
from eksnetpol.model.eks import Addon, Cluster, Update
from eksnetpol.model.kubernetes import CustomObject
from eksnetpol.model.snapshot import Unread

UNDER_WAY = frozenset({"CREATING", "UPDATING", "DELETING"})
"""States in which EKS is at work on an add-on and takes no other change."""


class Verdict(StrEnum):
    """The headline. *half on* is enforcing on some nodes, or with one switch only; *drifted* is on or off, but told otherwise."""

    ON = "on"
    OFF = "off"
    HALF_ON = "half on"
    ROLLING = "rolling"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"

    @property
    def is_settled(self) -> bool:
        """True when nothing is pending: on or off."""
        return self in {Verdict.ON, Verdict.OFF}


@dataclass(frozen=True, slots=True)
class AutoMode:
    """EKS Auto Mode: how many nodes it has, and the ``networkPolicy`` of each NodeClass, empty where none is set."""

    nodes: int | Unread
    classes: dict[str, str] | Unread

    @property
    def unset(self) -> tuple[str, ...]:
        """The NodeClasses whose nodes enforce nothing."""
        return () if isinstance(self.classes, Unread) else tuple(name for name, word in self.classes.items() if not word)


@fact
def auto_mode(
    cluster: Cluster | Unread, node_kinds: NodeKinds | Unread, node_classes: tuple[CustomObject, ...] | Unread
) -> AutoMode | None:
    """What Auto Mode has, None where there is none of it, as far as can be told."""
    nodes = node_kinds if isinstance(node_kinds, Unread) else len(node_kinds.auto)
    if not (isinstance(cluster, Cluster) and cluster.has_auto_mode) and (isinstance(nodes, Unread) or not nodes):
        return None
    if isinstance(node_classes, Unread):
        return AutoMode(nodes, node_classes)
    return AutoMode(nodes, {c.metadata.name: str(c.spec.get("networkPolicy") or "") for c in node_classes})


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict and the reasons for it, each a sentence without a full stop, the first the most important."""

    verdict: Verdict
    why: tuple[str, ...]


@fact
def headline(
    vpc_cni: VpcCni | Unread | None,
    switches: Switches | Unread,
    auto_mode: AutoMode | None,
    addon: Addon | Unread | None,
    addon_updates: tuple[Update, ...] | Unread,
    told: tuple[Setting, ...] | Unread | None,
    rollout_by_node: RolloutByNode | Unread,
) -> Headline:
    """The verdict: unknown before rolling, rolling before half on, half on before drifted. What is unread is never off."""
    moving = tuple(_moving(addon, under_way(addon_updates), rollout_by_node))
    blind = _blind(vpc_cni, switches, auto_mode)
    if blind or isinstance(switches, Unread) or isinstance(vpc_cni, Unread):
        return Headline(Verdict.UNKNOWN, (blind, *moving))
    on = switches.controller is Switch.ON
    if moving:
        return Headline(Verdict.ROLLING, moving)
    half = (*_switches(vpc_cni, switches, auto_mode), *_nodes(switches, auto_mode, rollout_by_node))
    if half:
        return Headline(Verdict.HALF_ON, half)
    words = _words(vpc_cni, auto_mode, on=on)
    drift = differing(told)
    if drift:
        return Headline(Verdict.DRIFTED, (words, *(f"the add-on was told {s.path}={s.wanted}, live is {s}" for s in drift)))
    return Headline(Verdict.ON if on else Verdict.OFF, (words,))


def _blind(cni: VpcCni | Unread | None, switches: Switches | Unread, auto: AutoMode | None) -> str:
    """Return what keeps the verdict from being told; empty where nothing does."""
    if isinstance(switches, Unread):
        return f"the switches could not be read: {switches.reason}"
    if isinstance(cni, Unread):
        return f"aws-node could not be read: {cni.reason}"
    if switches.controller is Switch.ON and auto is not None and isinstance(auto.classes, Unread):
        return f"the NodeClasses of Auto Mode could not be read: {auto.classes.reason}"
    return ""


def under_way(updates: tuple[Update, ...] | Unread) -> Update | None:
    """Return the add-on's update that EKS is at work on."""
    return None if isinstance(updates, Unread) else next((u for u in updates if u.status == "InProgress"), None)


def differing(told: tuple[Setting, ...] | Unread | None) -> tuple[Setting, ...]:
    """Return the settings that differ from what the add-on was told."""
    return tuple(s for s in told if s.differs) if isinstance(told, tuple) else ()


def _moving(addon: Addon | Unread | None, update: Update | None, rollout: RolloutByNode | Unread) -> Iterator[str]:
    """Yield what is under way."""
    if update is not None:
        yield f"EKS is at work on update {update.id} of the add-on"
    elif isinstance(addon, Addon) and addon.status in UNDER_WAY:
        yield f"EKS says the add-on is {addon.status}"
    if isinstance(rollout, RolloutByNode) and rollout.is_rolling:
        yield rollout.words


def _switches(cni: VpcCni | None, switches: Switches, auto: AutoMode | None) -> Iterator[str]:
    """Yield where one of the two is on and the other is not."""
    controller, agent = switches.controller, switches.agent
    if cni is None and auto is None and controller is Switch.ON:
        yield "the controller is on, and there is no aws-node DaemonSet and no Auto Mode: nothing enforces"
    if cni is not None and (controller is Switch.ON) != (agent is Switch.ON):
        if controller is Switch.ON:
            yield f"the controller is on and the agent is {agent}: nothing is enforced on EC2 nodes"
        else:
            yield f"the agent is on and the controller is {controller}: no policy reaches the agents"


def _nodes(switches: Switches, auto: AutoMode | None, rollout: RolloutByNode | Unread) -> Iterator[str]:
    """Yield which nodes do not enforce although the switches are on. A node that is down itself runs nothing to police."""
    if switches.controller is Switch.ON and auto is not None:
        for name in auto.unset:
            yield f"NodeClass {name} sets no networkPolicy: its nodes enforce nothing"
    if switches.both_on and isinstance(rollout, RolloutByNode):
        lacking = sum(n.state is not NodeState.READY and n.node_is_ready for n in rollout.nodes)
        if lacking:
            yield f"no ready agent on {lacking} of {len(rollout.nodes)} nodes"
        elif not rollout.nodes and rollout.ready < rollout.desired:
            yield rollout.words


def _words(cni: VpcCni | None, auto: AutoMode | None, *, on: bool) -> str:
    word = "on" if on else "off"
    if cni is not None:
        return f"both switches are {word}"
    if auto is not None:
        return f"the controller is {word} for the nodes of Auto Mode, and there is no aws-node DaemonSet"
    return "the controller is off, and there is no aws-node DaemonSet and no Auto Mode"
