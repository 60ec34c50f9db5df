"""What policies say of ends that no NetworkPolicy is about: nodes, and those that an engine has or makes itself."""

from __future__ import annotations

from collections.abc import Iterable

from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import conjunction, is_nobody, meets
from eksnetpol.policy.stacks.formulas import EndKind, Is, OnNode
from eksnetpol.policy.stacks.rules import Does, Stack, StackPolicy, StackRule

FOR_NODES = "it polices nodes, which no NetworkPolicy does: security groups have to"
OF_ITS_OWN = "whom it means the engine has or makes itself, and they go with it"
OWN_NODE = "the VPC CNI always lets a pod's own node through, which it denies"

_PODS = Is(frozenset({EndKind.POD}))
_OWN = frozenset({EndKind.INIT, EndKind.HEALTH, EndKind.GATEWAY, EndKind.UNMANAGED})
_ITS_OWN, _OTHERS = Is(_OWN), Is(frozenset(EndKind) - _OWN)


def is_for_nodes(policies: Iterable[StackPolicy]) -> bool:
    """Say whether these hold for nodes, and for no pod there could ever be."""
    return all(not is_nobody(p.subject) and is_nobody(conjunction(_PODS, p.subject)) for p in policies)


def is_of_its_own(rule: StackRule) -> bool:
    """Say whether a rule lets through none but ends that only the source engine has."""
    return rule.does is Does.ALLOW and meets(rule.peer, _ITS_OWN) and not meets(rule.peer, _OTHERS)


def denies_own_node(rule: StackRule, stack: Stack) -> bool:
    """Say whether a rule keeps out the node that a pod runs on, in a stack where that is possible."""
    return not stack.host_may and rule.does is Does.DENY and rule.direction is Direction.INGRESS and meets(rule.peer, OnNode())
