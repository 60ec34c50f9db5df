"""Planning to switch network policy off, so that no policy hangs in Terminating and no PolicyEndpoint is left behind.

The documented order deletes all policies while the controller is still on: it takes its finalizers off and its endpoints away,
the agents set pods back to open, and only then both switches go off. With ``keep_policies`` that cannot be, because with the
controller on nothing can be kept from it: both switches go off first, then the policies are freed of its finalizers and the
endpoints, which nobody renews any more, are deleted. What that costs is said in the plan.
"""

from __future__ import annotations

from dataclasses import replace

from eksnetpol.facts.addon_document import SWITCH
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.facts.vpc_cni import Install, Manager, Switch, Switches
from eksnetpol.model.actions import Look
from eksnetpol.model.eks import Cluster
from eksnetpol.model.plan import Plan, Step, Verb, Way
from eksnetpol.planning.basis import basis
from eksnetpol.planning.disable_policies import (
    Stock,
    all_of,
    back_up,
    delete,
    delete_endpoints,
    endpoints_gone,
    free_and_gone,
    in_words,
    stock,
    strip,
)
from eksnetpol.planning.disable_switches import addon_off, controller_off, objects_off
from eksnetpol.planning.disable_words import in_other_words, speaks_against
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.options import DisableOptions
from eksnetpol.planning.reading import from_a_cluster, known, need
from eksnetpol.planning.rollout import rollout

_WAYS = {Manager.ADDON: Way.ADDON, Manager.HELM: Way.HELM, Manager.MANIFEST: Way.MANIFEST}


def plan_disable(facts: Lookup, wanted: DisableOptions) -> Plan:
    """Return the plan that switches network policy off; no steps where it is off and nothing of the controller's is left.

    Raises `UsageError` for manifests, `Denied` or `EksNetpolError` where something that the plan needs, or would leave behind
    unseen, was not read.
    """
    catalog()
    from_a_cluster(facts)
    there = stock(facts)
    switches: Switches = need(facts, "switches")
    way, off = _off(facts, wanted)
    keeps = wanted.keep_policies
    steps = _kept(there, off.steps) if keeps else _deleted(there, switches, off.steps)
    draft = replace(off, steps=steps)
    if steps:
        draft += speaks_against(facts, there, way, keeps=keeps) + in_other_words(facts, there, keeps=keeps)
    elif there.policies:
        draft += Draft(facts=(f"the controller is off and has to do with none of the policies: {in_words(there.policies)} stay",))
    return Plan(
        target=facts.snapshot.target,
        verb=Verb.DISABLE,
        way=way,
        title=f"Disable network policies on {facts.snapshot.target.title}" + (", and keep them" if keeps else ""),
        release=str(known(facts, "cni_release") or ""),
        steps=draft.steps,
        basis=basis(facts, Verb.DISABLE),
        changes=draft.changes,
        isolates=(),
        rollout=rollout(facts) if any(s.id == "roll-out" for s in draft.steps) else None,
        facts=draft.facts,
        warnings=draft.warnings,
        refusals=draft.refusals,
        afterwards=draft.afterwards,
    )


def _off(facts: Lookup, wanted: DisableOptions) -> tuple[Way | None, Draft]:
    """Return by which way this cluster is changed, and how both switches go off there."""
    install: Install = need(facts, "install")
    cluster: Cluster | None = known(facts, "cluster")
    if install.manager is Manager.ADDON:
        return Way.ADDON, addon_off(facts, wanted)
    if install.manager is Manager.NONE:
        return (Way.AUTO_MODE if cluster is not None and cluster.has_auto_mode else None), controller_off(facts)
    off = objects_off(facts)
    if install.manager is Manager.HELM and off.steps:
        changing: Changing = need(facts, "changing")
        command = changing.set(SWITCH, "false")
        off += Draft(afterwards=(f"put it into the release's values, or the next upgrade takes it back: {command}",))
    return _WAYS[install.manager], off


# --- the order ----------------------------------------------------------------------------------------------------------


def _deleted(there: Stock, switches: Switches, off: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the documented order; where the controller is off already, what it holds is freed before it is deleted."""
    if switches.controller is not Switch.ON:
        return (*_leavings(there), *off)
    if not there.policies:
        return (*((endpoints_gone(there),) if there.endpoints else ()), *off)
    deleting = (back_up(there.policies), delete(there.policies, held_by_controller=True), endpoints_gone(there))
    return (*deleting, *off)


def _leavings(there: Stock) -> tuple[Step, ...]:
    """Return the steps that take away what a controller left that was switched off before its policies were gone."""
    if there.held:
        return free_and_gone(there.held, there)
    return (endpoints_gone(there),) if there.endpoints else ()


def _kept(there: Stock, off: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the order that leaves the policies in place."""
    if not off and not there.held and not there.endpoints:
        return ()
    keep = (back_up(there.policies),) if there.policies else ()
    free = tuple(strip(there.policies if off else [p for p in there.policies if p.is_held]))
    gone = (delete_endpoints(there),) if there.endpoints or off else ()
    proof = Step(
        id="nothing-left",
        title="See that no PolicyEndpoint and no finalizer of the controller came back",
        action=Look(),
        until=all_of(there),
    )
    return (*keep, *off, *free, *gone, proof)
