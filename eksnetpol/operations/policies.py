"""Questions about policies, by the names that people use: one connection, expectations, two states of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.operations.engine import engine_of
from eksnetpol.policy import cases as expectations
from eksnetpol.policy.answers import Engine
from eksnetpol.policy.cases import Case, Outcome
from eksnetpol.policy.cells import table
from eksnetpol.policy.difference import Difference, difference
from eksnetpol.policy.parties import Directory
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.questions import Reply, answer, asked
from eksnetpol.policy.suggest import Suggestion, allowing
from eksnetpol.policy.world import World
from eksnetpol.reporting.matrix_view import MatrixPage


def other_meaning(profile: Profile) -> Profile:
    """Return *profile* under the other semantics: of the VPC CNI, or, where it is under these, of the API."""
    is_ours = profile.semantics is Semantics.VPC_CNI
    return replace(profile, semantics=Semantics.KUBERNETES if is_ours else Semantics.VPC_CNI)


def reach(engine: Engine, source: str, destination: str, port: str | int | None = None, protocol: str | None = None) -> Reply:
    """Return whether *source* may reach *destination*, by their names (`policy.parties`).

    *port* is a number, a range, a name, each with ``/PROTOCOL``, or None for everything. Raises `UsageError` for names and ports
    that mean nothing, with the nearest ones.
    """
    directory = Directory(engine)
    there = directory.party(destination)
    return answer(engine, directory.party(source), there, asked(port, protocol, there, engine))


def suggestions(engine: Engine, reply: Reply) -> tuple[Suggestion, ...]:
    """Return the smallest policies that would allow what *reply* denies; none where it allows it, or asks for no single port.

    None either under the semantics of an engine with policies of its own (`policy.suggest`).
    """
    if reply.asked is None or (reply.allowed and not reply.partial):
        return ()
    found: list[Suggestion] = []
    for party, ports in reply.asked.parts:
        if len(ports) == 1:
            (number,) = ports
            found += allowing(engine, reply.source.party, party, reply.asked.protocol, number)
    return tuple(found)


def with_all(engine: Engine, reply: Reply, found: Sequence[Suggestion]) -> Reply:
    """Return what *reply* would be once the policies of *found* are there.

    Under the VPC CNI it may still be denied: an except of another policy closes an address whatever is added.
    """
    world = engine.world
    added = tuple(msgspec.convert(dict(s.policy), NetworkPolicy) for s in found if s.policy)
    then = engine_of(replace(world, network_policies=(*world.network_policies, *added)), engine.profile)
    return answer(then, reply.source, reply.destination, reply.asked)


def check(cases: Sequence[Case], world: World, profile: Profile) -> tuple[Outcome, ...]:
    """Return how *cases* end in *world*; raise `UsageError` with the place of the first that asks for what there is not."""
    return expectations.run(cases, world, lambda world, extra: engine_of(world, profile, extra))


def page_of(world: World, profile: Profile, title: str = "", *, compare: bool = False) -> MatrixPage:
    """Return the matrix of *world*, ready to be shown; with *compare*, how it differs under the other semantics as well."""
    engine = engine_of(world, profile)
    compared = difference(engine, engine_of(world, other_meaning(profile))) if compare else None
    return MatrixPage(table(engine), profile, title, (), compared)


def diff(before: World, after: World, profiles: tuple[Profile, Profile]) -> Difference:
    """Return what flows in one world and not in the other; *profiles* are the meanings of *before* and *after*."""
    return difference(engine_of(before, profiles[0]), engine_of(after, profiles[1]))


def on_ground(policies: World, ground: World) -> World:
    """Return the pods, Services, namespaces and nodes of *ground* under the policies of *policies* alone."""
    return replace(
        ground,
        network_policies=policies.network_policies,
        application_policies=policies.application_policies,
        cluster_policies=policies.cluster_policies,
        admin_policies=policies.admin_policies,
        foreign_policies=policies.foreign_policies,
        policy_endpoints=(),
        cluster_policy_endpoints=(),
        origins=policies.origins,
    )
