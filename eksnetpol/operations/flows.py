"""Replay observed flows against policies: what they would deny, by whom to whom, and what to add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import BinaryIO, TypeVar

from eksnetpol.gateways.flow_files import read_flows
from eksnetpol.model.flows import Format
from eksnetpol.operations.engine import engine_of
from eksnetpol.policy.flow_report import FlowReport, report
from eksnetpol.policy.flows import Ledger
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.world import World

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Logs:
    """Which logs: files, directories, ``-`` for *stdin*; their format, and the fields of one of VPC Flow Logs."""

    paths: Sequence[str]
    stdin: BinaryIO | None = None
    format: Format | None = None
    fields: str = ""


def replay(logs: Logs, world: World, profile: Profile) -> FlowReport:
    """Return what the policies of *world* make of the flows in *logs*, read as a stream. Raises as `read_flows` does."""
    ledger = Ledger(engine_of(world, profile))
    files = read_flows(logs.paths, ledger, logs.stdin, logs.format, logs.fields)
    return report(ledger, files)


def with_policies(world: World, more: World) -> World:
    """Return *world* with the policies of *more* as well, each in the place of one of the same name, as when applied."""
    return changed(
        world,
        network_policies=_applied(world.network_policies, more.network_policies),
        application_policies=_applied(world.application_policies, more.application_policies),
        cluster_policies=_applied(world.cluster_policies, more.cluster_policies),
        admin_policies=_applied(world.admin_policies, more.admin_policies),
        foreign_policies=_applied(world.foreign_policies, more.foreign_policies),
        origins={**world.origins, **more.origins},
    )


def _applied(here: tuple[P, ...], more: tuple[P, ...]) -> tuple[P, ...]:
    found = {_name(p): p for p in here}
    found |= {_name(p): p for p in more}
    return tuple(found.values())


def _name(policy: object) -> tuple[str, str, str]:
    meta = policy.metadata  # type: ignore[attr-defined]
    return str(getattr(policy, "kind", "")), meta.namespace, meta.name
