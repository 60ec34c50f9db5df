"""The engine for a profile: of standard policies, or over the stack of another engine's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eksnetpol.engines.dialects import stack_of
from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.answers import Engine
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.stacks.engine import engine_for
from eksnetpol.policy.world import World


def engine_of(world: World, profile: Profile, extra: Sequence[Pod] = ()) -> Engine:
    """Return an engine for *world* under *profile*; *extra* pods are thought of as if they ran there too."""
    if not profile.semantics.is_foreign:
        return build_engine(world, profile, extra)
    thought_of = replace(world, pods=(*world.pods, *extra)) if extra else world
    return engine_for(thought_of, profile, stack_of(profile.semantics, thought_of))
