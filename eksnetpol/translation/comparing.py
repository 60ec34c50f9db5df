"""The source engine and the VPC CNI laid over each other: what they differ in, and which rule of the source had the say there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import msgspec

from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Decision, Say
from eksnetpol.policy.difference import Change, Changed, difference, witness
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Semantics
from eksnetpol.policy.stacks.engine import engine_for
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.universe import build
from eksnetpol.policy.world import World
from eksnetpol.translation.boxes import Ref
from eksnetpol.translation.values import Options, Output, Witness
from eksnetpol.translation.witnesses import planned_pods


@dataclass
class Differences:
    """By rule, or policy where the place is empty, a connection that flows only before (*lost*) or only after (*gained*)."""

    lost: dict[Ref, Witness] = field(default_factory=dict)
    gained: dict[Ref, Witness] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def after(world: World, outputs: Iterable[Output]) -> World:
    """Return *world* as it is with *outputs* applied and the other engine gone."""
    made = tuple(msgspec.convert(output.manifest, NetworkPolicy) for output in outputs)
    taken = {(p.namespace, p.name) for p in made}
    left = tuple(p for p in world.network_policies if (p.namespace, p.name) not in taken)
    return replace(world, network_policies=(*left, *made), admin_policies=(), foreign_policies=())


def compare(stack: Stack, world: World, options: Options, outputs: Iterable[Output]) -> Differences:
    """Return what differs over the pods of today and one pod for each combination of labels that the policies tell apart."""
    extra = planned_pods(stack, world)
    wide = replace(world, pods=(*world.pods, *extra))
    base = build(wide.pods, wide.namespaces)
    before = engine_for(wide, options.profile, stack, base)
    target = build_engine(after(wide, outputs), replace(options.profile, semantics=Semantics.VPC_CNI), base=base)
    found = difference(before, target)
    answer = Differences()
    unnamed = 0
    for change in _by_kind(found.changes):
        shown = witness(found, change)
        if shown is None:
            continue
        was = shown[0]
        ref = _ref(was)
        into = answer.lost if was.allowed else answer.gained
        if ref is None:
            unnamed += not was.allowed
            continue
        if ref not in into:
            into[ref] = Witness(was.source, was.destination, was.protocol, was.port, was.allowed)
    if unnamed:
        answer.notes = (f"{unnamed} more pairs have connections that no policy of the source had a say in",)
    return answer


def _by_kind(changes: Iterable[Changed]) -> Iterator[Changed]:
    yield from sorted(changes, key=lambda c: c.change is not Change.ADDED)


def _ref(decision: Decision) -> Ref | None:
    """Return the rule or policy that settled a verdict of the source; None where none did."""
    sides = [s for s in decision.sides if s.isolated and (decision.allowed or not s.allowed)]
    for side in sides:
        for decider in reversed(side.deciders):
            if decider.subject is not None and decider.say is not Say.PASSES:
                place = "" if decider.say is Say.ISOLATES else decider.place
                return decider.subject, place
    return None
