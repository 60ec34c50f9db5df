"""Steps that do nothing but look whether a change has arrived: the add-on's word is not taken for it."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.model.actions import Look
from eksnetpol.model.plan import Rollout, Step
from eksnetpol.planning import places
from eksnetpol.planning.rollout import patience

ARRIVES_WITHIN = 300.0


def switched(value: str) -> Iterator[Step]:
    """Yield the looks at the two live switches."""
    word = "on" if value == "true" else "off"
    yield Step(
        id="controller-switch",
        title=f"See that {places.SETTINGS} has the controller switched {word}",
        action=Look(),
        until=places.controller_told(value),
        patience=ARRIVES_WITHIN,
    )
    yield Step(
        id="agent",
        title=f"See that {places.AWS_NODE} tells its agents to be {word}",
        action=Look(),
        until=places.agent_told(value),
        patience=ARRIVES_WITHIN,
    )


def rolled_out(of: Rollout | None) -> Step:
    """Return the look that waits until every node runs the current template."""
    nodes = f" on {counted(of.nodes, 'node')}" if of is not None else ""
    return Step(
        id="roll-out",
        title=f"Wait until {places.AWS_NODE} has rolled out{nodes}",
        action=Look(),
        until=places.ROLLED,
        patience=patience(of),
        disrupts=disruption(of),
    )


def disruption(of: Rollout | None) -> str:
    """Return what people may notice while the DaemonSet rolls: the plug-in asks the agent when a pod starts or ends."""
    if of is None:
        return "while aws-node restarts on a node, no pod starts or ends there"
    if of.on_delete:
        return "nothing by itself: with update strategy OnDelete a node changes when its aws-node pod is deleted"
    return (
        f"aws-node restarts on {counted(of.nodes, 'node')}, {of.at_once} at a time; "
        "while it does, no pod starts or ends on that node"
    )


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 node``, ``5,000 nodes``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
