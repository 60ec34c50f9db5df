"""Nodes folded by what makes them, because a node group is what a person replaces."""

from __future__ import annotations

from collections.abc import Iterable

from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Node

_MAKERS = (
    ("eks.amazonaws.com/nodegroup", "Nodegroup"),
    ("karpenter.sh/nodepool", "NodePool"),
    ("alpha.eksctl.io/nodegroup-name", "Nodegroup"),
)
"""Labels that name what made a node: EKS, Karpenter, eksctl."""


def maker_of(node: Node) -> Subject:
    """Return the node group or node pool of *node*, or the node itself where no label names one."""
    for label, kind in _MAKERS:
        name = node.metadata.labels.get(label)
        if name:
            return Subject(kind, name)
    return Subject("Node", node.name)


def fold(nodes: Iterable[Node]) -> dict[Subject, list[Node]]:
    """Return *nodes* by what makes them, in the order of their first node."""
    groups: dict[Subject, list[Node]] = {}
    for node in nodes:
        groups.setdefault(maker_of(node), []).append(node)
    return groups
