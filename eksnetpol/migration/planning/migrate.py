"""The whole plan of a migration, and that of a clean-up after one."""

from __future__ import annotations

from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.migration.planning import gate, phases
from eksnetpol.migration.planning.applying import applying
from eksnetpol.migration.planning.backing_up import back_up
from eksnetpol.migration.planning.closing import closing
from eksnetpol.migration.planning.enabling import enabling
from eksnetpol.migration.planning.exiting import exiting
from eksnetpol.migration.planning.leaving import IN_PLACE, Leaving, engines_there, leaving, residue
from eksnetpol.migration.planning.leftovers import left_overs
from eksnetpol.migration.planning.options import Exit, MigrateOptions
from eksnetpol.migration.planning.probing import Probing
from eksnetpol.migration.planning.sources import Sources, policies, sources_of
from eksnetpol.migration.planning.uninstalling import uninstalling
from eksnetpol.migration.probing.choosing import Chosen
from eksnetpol.model.plan import Plan, Refusal, Verb
from eksnetpol.planning import refusals as of_enabling
from eksnetpol.planning.basis import basis
from eksnetpol.planning.draft import Draft, joined
from eksnetpol.planning.reading import from_a_cluster
from eksnetpol.translation.assessment import Outlook, assess
from eksnetpol.translation.values import Translation

_PLAIN = MigrateOptions()


def plan_migration(
    facts: Lookup, translation: Translation, options: MigrateOptions = _PLAIN, chosen: Chosen | None = None
) -> Plan:
    """Return the plan that leads the cluster of *facts* off its other engine, whose policies became *translation*.

    *chosen* are the connections that are tried at its gates, which ``options.probe_image`` runs; None for no probes.
    The plan is always made and shown; what stands in the way is in its refusals. Where nothing is left to do it has no steps.
    Raises `UsageError` for manifests and for options that mean nothing, `Denied` and `EksNetpolError` where something that
    decides is unread.
    """
    catalog()
    from_a_cluster(facts)
    assessment = assess(facts.snapshot, facts=facts)
    gate.unread(assessment)
    if assessment.outlook is Outlook.NOTHING:
        return _plan(facts, None, Draft(facts=("no other engine is here: nothing is to be left", *assessment.notes)))
    left = leaving(facts, options)
    sources = sources_of(facts, left, translation) if left is not None else None
    stops = tuple(gate.refusals(facts, assessment, translation, left, sources, options))
    if left is None or sources is None or (left.exit is Exit.IN_PLACE and left.engine not in IN_PLACE):
        return _plan(facts, left, Draft(refusals=stops, facts=assessment.notes))
    draft, enable = _whole(facts, left, sources, translation, options, chosen)
    noted = Draft(refusals=stops, facts=(_what(left, translation), *assessment.notes))
    return _plan(facts, left, noted + draft, enable)


def plan_cleanup(facts: Lookup, options: MigrateOptions) -> Plan:
    """Return the plan that takes away ``options.left_overs`` of an engine that was uninstalled before. Raises as above."""
    catalog()
    from_a_cluster(facts)
    gate.unread(assess(facts.snapshot, facts=facts))
    there = engines_there(facts)
    left = residue(facts)
    if left is None:
        return _plan(facts, None, Draft(facts=("nothing is left over of an engine that is known here",)))
    stops = tuple(
        Refusal(f"{one.presence.title} is still here ({'; '.join(one.presence.evidence)}): leave it first: eksnetpol migrate run")
        for one in there
    )
    sources = sources_of(facts, left)
    steps = left_overs(left, sources, options.left_overs)
    kept = back_up(left, sources) if steps.steps else Draft()
    return _plan(facts, left, Draft(refusals=stops) + kept + steps)


def _whole(
    facts: Lookup,
    left: Leaving,
    sources: Sources,
    translation: Translation,
    options: MigrateOptions,
    chosen: Chosen | None,
) -> tuple[Draft, Plan]:
    probing = Probing(left, options, chosen)
    enabled, enable = enabling(facts, left, sources, options)
    applied = applying(facts, left, translation)
    exits = exiting(facts, left, sources, options, probing) if left.has_agent else Draft()
    parts = [gate.gate(facts, sources), back_up(left, sources), probing.baseline(), applied, enabled, exits]
    if left.all_nodes:
        parts += [uninstalling(facts, left, sources, options), left_overs(left, sources, options.left_overs)]
    else:
        stays = f"nodes without {options.nodes} keep {left.title}, so that it is not uninstalled: plan again for them"
        parts.append(Draft(afterwards=(stays,)))
    parts.append(closing(facts, left, sources, probing))
    return joined(parts), enable


def _plan(facts: Lookup, left: Leaving | None, draft: Draft, enable: Plan | None = None) -> Plan:
    target = facts.snapshot.target
    title = f"Lead {target.title} off {left.title}" if left is not None else f"Lead {target.title} off its former engine"
    busy = tuple(of_enabling.under_way(facts)) if draft.steps and enable is None else ()
    return Plan(
        target=target,
        verb=Verb.MIGRATE,
        way=enable.way if enable is not None else None,
        title=title,
        release=enable.release if enable is not None else "",
        steps=draft.steps,
        basis=basis(facts, Verb.MIGRATE),
        changes=draft.changes,
        forecasts=draft.forecasts,
        isolates=enable.isolates if enable is not None else (),
        rollout=enable.rollout if enable is not None else None,
        facts=draft.facts,
        warnings=draft.warnings,
        refusals=(*busy, *draft.refusals),
        afterwards=draft.afterwards,
    )


def _what(left: Leaving, translation: Translation) -> str:
    own = len({str(j.ref) for j in translation.judged if not j.kept})
    if not own:
        return f"{left.title} has no policies of its own here: NetworkPolicies stay as they are"
    above = sum(output.is_cluster_wide for output in translation.outputs)
    made = policies(len(translation.outputs) - above, "NetworkPolicy")
    more = f" and {policies(above, 'ClusterNetworkPolicy')}" if above else ""
    return f"{policies(own)} of {left.title} become {made}{more}"


__all__ = ["phases", "plan_cleanup", "plan_migration"]
