"""Leading a cluster off another engine: from a look to a plan that the translation and preflight have had their say about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from eksnetpol import __version__
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.migration.planning.gate import taking_on, unread
from eksnetpol.migration.planning.migrate import plan_cleanup, plan_migration
from eksnetpol.migration.planning.options import MigrateOptions
from eksnetpol.model.findings import Intent, Report
from eksnetpol.model.plan import Plan, Refusal
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.operations.lifecycle import stops
from eksnetpol.operations.migration import Source, source_of, translated
from eksnetpol.operations.preflight import preflight
from eksnetpol.translation import Translation
from eksnetpol.translation.assessment import Outlook, assess
from eksnetpol.translation.comparing import after
from eksnetpol.translation.values import Accepted


@dataclass(frozen=True, slots=True)
class Move:
    """What leading a cluster off its engine comes to. ``lifted`` are the flags of refusals that were taken on by name.

    Without another engine there is neither a source nor a translation, and the plan has no steps.
    """

    snapshot: ClusterSnapshot
    plan: Plan
    report: Report
    source: Source | None = None
    translation: Translation | None = None
    lifted: frozenset[str] = frozenset()

    @property
    def brought(self) -> tuple[NetworkPolicy, ...]:
        """The NetworkPolicies that the plan applies."""
        if self.source is None or self.translation is None:
            return ()
        named = {(output.ref.namespace, output.ref.name) for output in self.translation.outputs}
        later = after(self.source.world, self.translation.outputs).network_policies
        return tuple(policy for policy in later if (policy.namespace, policy.name) in named)


def prepare_migration(
    snapshot: ClusterSnapshot,
    options: MigrateOptions,
    settings: Settings | None = None,
    *,
    engine: str = "",
    taken: Sequence[Accepted] = (),
    notes: Sequence[str] = (),
) -> Move:
    """Return the plan that leads the cluster of *snapshot* off its other engine, refused where preflight says so.

    *engine* is whose policies are left, where several could be meant; *taken* what somebody has taken on by name, policies and
    losses alike, with *notes* on it. Raises `UsageError` for options that mean nothing and names that are not there, `Refused`
    where two engines enforce, `EksNetpolError` where something decisive could not be read.
    """
    catalog()
    facts = Lookup(snapshot)
    report = preflight(snapshot, settings or Settings(), Intent.MIGRATE, facts=facts)
    found = assess(snapshot, facts=facts)
    # Before whose policies they are: that cannot be told without it either.
    unread(found)
    losses = {name for name, _ in found.waivers} | {"ipvs-flush"}
    policies = [one for one in taken if one.what not in losses]
    if found.outlook is Outlook.NOTHING:
        plan = plan_migration(facts, Translation(), options)
        return Move(snapshot, _signed(plan, snapshot), report)
    source = source_of(snapshot, engine)
    done = translated(source, policies, notes)
    plan = plan_migration(facts, done, options)
    further = tuple(_stops(report, plan))
    lifted = frozenset(taking_on(one.what) for one in taken if one.what in losses)
    return Move(snapshot, _signed(replace(plan, refusals=(*plan.refusals, *further)), snapshot), report, source, done, lifted)


def prepare_cleanup(snapshot: ClusterSnapshot, options: MigrateOptions) -> Plan:
    """Return the plan that takes away what ``options.left_overs`` names of an engine that is gone. Raises as above."""
    return _signed(plan_cleanup(Lookup(snapshot), options), snapshot)


def _stops(report: Report, plan: Plan) -> Iterator[Refusal]:
    if plan.steps:
        said = {refusal.why for refusal in plan.refusals}
        yield from (stop for stop in stops(report, plan) if stop.why not in said)


def _signed(plan: Plan, snapshot: ClusterSnapshot) -> Plan:
    return replace(plan, tool=__version__, made_at=snapshot.taken_at)
