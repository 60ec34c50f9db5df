"""Leading a cluster off another engine: from a look to a plan that the translation and preflight have had their say about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from eksnetpol import __version__
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.facts.owners import Owner, Owners
from eksnetpol.migration.planning.gate import owners, taking_on, unread
from eksnetpol.migration.planning.leaving import leaving
from eksnetpol.migration.planning.migrate import plan_cleanup, plan_migration
from eksnetpol.migration.planning.options import MigrateOptions
from eksnetpol.migration.probing.choosing import Chosen, choose
from eksnetpol.migration.rules import Rules
from eksnetpol.model.findings import Intent, Report
from eksnetpol.model.plan import Plan, Refusal
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.operations.cluster_policies import hindrances
from eksnetpol.operations.lifecycle import stops
from eksnetpol.operations.migration import Source, source_of, translated
from eksnetpol.operations.preflight import preflight
from eksnetpol.policy.profile import Mode, Profile
from eksnetpol.translation import Translation
from eksnetpol.translation.assessment import Outlook, assess
from eksnetpol.translation.cluster_objects import others
from eksnetpol.translation.comparing import after, objects
from eksnetpol.translation.values import Accepted


@dataclass(frozen=True, slots=True)
class Move:
    """What leading a cluster off its engine comes to.

    ``lifted`` are the flags of refusals that were taken on by name, ``accepted`` is all that was, ``notes`` say what no longer
    is, and ``owners`` are the tools that are known to own the old engine or the VPC CNI.

    Without another engine there is neither a source nor a translation, and the plan has no steps.
    """

    snapshot: ClusterSnapshot
    plan: Plan
    report: Report
    source: Source | None = None
    translation: Translation | None = None
    lifted: frozenset[str] = frozenset()
    accepted: tuple[Accepted, ...] = ()
    owners: tuple[Owner, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def brought(self) -> tuple[NetworkPolicy | ClusterNetworkPolicy, ...]:
        """The policies that the plan applies."""
        made, above = objects(self.translation.outputs if self.translation is not None else ())
        return (*above, *made)


def prepare_migration(
    snapshot: ClusterSnapshot,
    options: MigrateOptions,
    settings: Settings | None = None,
    *,
    engine: str = "",
    taken: Sequence[Accepted] = (),
    notes: Sequence[str] = (),
    cluster_policies: bool = False,
) -> Move:
    """Return the plan that leads the cluster of *snapshot* off its other engine, refused where preflight says so.

    *engine* is whose policies are left, where several could be meant; *taken* what somebody has taken on by name, policies and
    losses alike, with *notes* on it. With *cluster_policies* ClusterNetworkPolicies are among what is applied; refused where the
    cluster is not known to enforce these, or has some of somebody else. Raises `UsageError` for options that mean nothing and
    names that are not there, `Refused` where two engines enforce, `EksNetpolError` where something decisive could not be read.
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
    done = translated(source, policies, notes, cluster_policies=cluster_policies)
    plan = plan_migration(facts, done, options, connections(source, done, options, facts))
    further = (*_unenforced(source, asked=cluster_policies), *_stops(report, plan))
    taken_on = (f"{one.what} lets more through than it did: {one.words}" for one in done.accepted)
    plan = replace(plan, warnings=(*plan.warnings, *taken_on))
    lifted = frozenset(taking_on(one.what) for one in taken if one.what in losses)
    plan = _signed(replace(plan, refusals=(*plan.refusals, *further)), snapshot)
    accepted = (*done.accepted, *(one for one in taken if one.what in losses))
    return Move(snapshot, plan, report, source, done, lifted, accepted, tuple(_owners(facts, options)), tuple(notes))


def _owners(facts: Lookup, options: MigrateOptions) -> Iterator[Owner]:
    """Yield the tools that own the VPC CNI or the old engine, as far as it is known."""
    section = facts.get("owners")
    if isinstance(section, Seen):
        known: Owners = section.value
        yield from (owner for owner in known.found if owner.certain)
    left = leaving(facts, options)
    yield from () if left is None else owners(left)


def connections(source: Source, done: Translation, options: MigrateOptions, facts: Lookup) -> Chosen | None:
    """Return the connections that are tried at the gates of a migration; None where nobody named an image for it."""
    if not options.probe_image:
        return None
    cni = facts.get("vpc_cni")
    strict = isinstance(cni, Seen) and cni.value is not None and cni.value.is_strict
    profile = Profile(family=source.world.family or "ipv4", mode=Mode.STRICT if strict else Mode.STANDARD)
    budgets = facts.snapshot.disruption_budgets
    return choose(
        source.world,
        source.dialect,
        profile,
        Rules.of(after(source.world, done.outputs)),
        budgets.value if isinstance(budgets, Seen) else (),
        options.probes,
    )


def prepare_cleanup(snapshot: ClusterSnapshot, options: MigrateOptions) -> Plan:
    """Return the plan that takes away what ``options.left_overs`` names of an engine that is gone. Raises as above."""
    return _signed(plan_cleanup(Lookup(snapshot), options), snapshot)


def _unenforced(source: Source, *, asked: bool) -> Iterator[Refusal]:
    """Yield why no ClusterNetworkPolicy is written though somebody asked for them: what was looked at is not what would run."""
    why = hindrances(source.snapshot) if asked else ()
    if asked and not why and (there := others(source.world)):
        why = (f"there are some already, and which is asked first is their owner's ({', '.join(there[:3])})",)
    if why:
        yield Refusal(
            f"ClusterNetworkPolicies are asked for, and this cluster is not known to enforce ours: {'; '.join(why)}. Without "
            "--allow-cluster-policies all is written as NetworkPolicies"
        )


def _stops(report: Report, plan: Plan) -> Iterator[Refusal]:
    if plan.steps:
        said = {refusal.why for refusal in plan.refusals}
        yield from (stop for stop in stops(report, plan) if stop.why not in said)


def _signed(plan: Plan, snapshot: ClusterSnapshot) -> Plan:
    return replace(plan, tool=__version__, made_at=snapshot.taken_at)
