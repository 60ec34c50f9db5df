"""Whose policies can be read: dialects by the name of their semantics, each with the reader that makes a stack of them.

A reader is imported when its dialect is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World

READERS: Mapping[str, str] = {
    "calico": "eksnetpol.engines.calico.read",
    "cilium": "eksnetpol.engines.cilium.read",
    "antrea": "eksnetpol.engines.antrea.read",
}
"""The module of each dialect's reader."""


def stack_of(dialect: str, world: World) -> Stack:
    """Return what is in force in *world* where the engine of *dialect* enforces it; the second time it is the same stack.

    Objects of other engines' kinds are left to these. Raises `KeyError` for a dialect that nobody reads.
    """
    key = f"stack of {dialect}"
    known = world.memo.get(key)
    if known is None:
        module = importlib.import_module(READERS[dialect])
        groups = importlib.import_module(READERS[dialect].rpartition(".")[0]).ENGINE.groups
        objects = [policy.body for policy in world.foreign_policies if _is_of(policy, groups)]
        known = world.memo[key] = module.read(objects, world.network_policies, world)
    stack: Stack = known
    return stack


def _is_of(policy: Any, groups: tuple[str, ...]) -> bool:
    group = policy.api_version.partition("/")[0]
    return any(group == own or group.endswith(f".{own}") for own in groups)
