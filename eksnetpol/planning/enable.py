"""Enabling network policies: which way this cluster is changed, and the plan for it.

The plan is always made and shown. What must not be done as things are is in its refusals; nothing is guessed: a section that the
plan needs and that could not be read is an error which names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eksnetpol.facts.changing import Changing
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.facts.owners import THE_CLUSTER, Owners, Tool
from eksnetpol.facts.vpc_cni import Install, Manager, VpcCni
from eksnetpol.model.eks import Addon, AddonSchema, Cluster
from eksnetpol.model.plan import Isolation, Plan, Refusal, Verb, Way
from eksnetpol.model.snapshot import Seen
from eksnetpol.planning import looks, places, refusals
from eksnetpol.planning.adopt import adopt
from eksnetpol.planning.basis import basis
from eksnetpol.planning.draft import Draft, refused
from eksnetpol.planning.enable_addon import enable_addon
from eksnetpol.planning.enable_auto import node_classes
from eksnetpol.planning.enable_manifest import controller_switch, enable_manifest
from eksnetpol.planning.isolating import isolates, uncovered
from eksnetpol.planning.options import EnableOptions
from eksnetpol.planning.reading import from_a_cluster, known, need
from eksnetpol.planning.rollout import rollout


def plan_enable(facts: Lookup, wanted: EnableOptions, *, schemas: Mapping[str, AddonSchema] | None = None) -> Plan:
    """Return the plan that brings enforcement on; without steps where it is.

    *schemas* are those of add-on versions that run nowhere yet, by version: adopting needs that of `adopt.version_to_adopt`.
    Raises `UsageError` for manifests and for settings that mean nothing, `Denied` and `EksNetpolError` where something that the
    plan needs is unread.
    """
    catalog()
    from_a_cluster(facts)
    way, draft = _by_way(facts, wanted, schemas or {})
    cluster: Cluster = need(facts, "cluster")
    if cluster.has_auto_mode and way is not None and (draft.steps or not draft.refusals):
        draft = draft + node_classes(facts)
    isolated = isolates(facts) if draft.steps else ()
    if draft.steps:
        draft = draft + Draft(warnings=tuple(_blast(facts, isolated)), afterwards=tuple(_afterwards(facts, way)))
    release = facts.get("cni_release")
    return Plan(
        target=facts.snapshot.target,
        verb=Verb.ENABLE,
        way=way,
        title=f"Enable network policies on {facts.snapshot.target.title}",
        release=str(release.value) if isinstance(release, Seen) else "",
        steps=draft.steps,
        basis=basis(facts, Verb.ENABLE),
        changes=draft.changes,
        forecasts=draft.forecasts,
        isolates=isolated,
        rollout=rollout(facts) if any(s.id in {"agent", "update-addon", "create-addon"} for s in draft.steps) else None,
        facts=(*_facts(facts), *draft.facts),
        warnings=draft.warnings,
        refusals=(*refusals.under_way(facts), *draft.refusals) if draft.steps or draft.refusals else (),
        afterwards=draft.afterwards,
    )


def _by_way(facts: Lookup, wanted: EnableOptions, schemas: Mapping[str, AddonSchema]) -> tuple[Way | None, Draft]:
    """Return by which way this cluster is changed, and how."""
    addon: Addon | None = need(facts, "addon")
    install: Install = need(facts, "install")
    cluster: Cluster = need(facts, "cluster")
    if wanted.adopt:
        return Way.ADDON, adopt(facts, wanted, schemas)
    if addon is not None:
        return Way.ADDON, enable_addon(facts, wanted)
    match install.manager:
        case Manager.HELM:
            return Way.HELM, _of_helm(facts, wanted)
        case Manager.NONE if cluster.has_auto_mode:
            return Way.AUTO_MODE, controller_switch(facts) + _owned(facts, str(places.SETTINGS))
        case Manager.NONE:
            return None, refused(
                Refusal("there is no VPC CNI here, neither as an add-on nor as a DaemonSet: eksnetpol enable --adopt installs it")
            )
        case _:
            return Way.MANIFEST, _of_people(facts, wanted)


def _of_people(facts: Lookup, wanted: EnableOptions) -> Draft:
    draft = enable_manifest(facts, wanted)
    return draft + _owned(facts, *_touched(draft))


def _of_helm(facts: Lookup, wanted: EnableOptions) -> Draft:
    """Return the same changes, refused unless the person insists: Helm puts back what its values do not say."""
    draft = enable_manifest(facts, wanted)
    if not draft.steps:
        return draft
    owned = _owned(facts, *_touched(draft), str(places.AWS_NODE))
    changing: Changing = need(facts, "changing")
    command = changing.set("enableNetworkPolicy", "true")
    return draft + owned + Draft(afterwards=(f"put it into the release's values, or the next upgrade takes it back: {command}",))


def _touched(draft: Draft) -> tuple[str, ...]:
    return tuple(dict.fromkeys(change.where for change in draft.changes))


def _owned(facts: Lookup, *things: str) -> Draft:
    owners: Owners = need(facts, "owners")
    return Draft(refusals=tuple(refusals.foreign(owners, things)))


# --- words --------------------------------------------------------------------------------------------------------------


def _facts(facts: Lookup) -> Iterator[str]:
    install: Install = need(facts, "install")
    release, agent = known(facts, "cni_release"), known(facts, "agent_release")
    parts = [f"VPC CNI {release}" if release else "", f"agent {agent}" if agent else ""]
    runs = " with ".join(filter(None, parts))
    yield f"{install.evidence}; {runs} runs" if runs else install.evidence


def _blast(facts: Lookup, isolated: tuple[Isolation, ...] | None) -> Iterator[str]:
    """Yield what to know before enforcement goes on, beyond whom policies isolate."""
    cni: VpcCni | None = known(facts, "vpc_cni")
    if cni is not None and cni.is_strict:
        closed = uncovered(facts)
        some = "pods" if closed is None else looks.counted(closed, "pod")
        yield f"the enforcing mode is strict: {some} that no policy selects will be closed as soon as they start again"
    cluster_wide = known(facts, "cluster_policies", ())
    if cluster_wide:
        yield f"{looks.counted(len(cluster_wide), 'ClusterNetworkPolicy').replace('Policys', 'Policies')} take force as well"
    if isolated is None:
        missing = facts.get("isolation")
        why = "" if isinstance(missing, Seen) else f": {missing.reason}"
        yield f"which pods become isolated could not be told{why}"


def _afterwards(facts: Lookup, way: Way | None) -> Iterator[str]:
    yield "see that it enforces: eksnetpol status"
    owners: Owners = need(facts, "owners")
    if way is Way.ADDON and any(o.tool is Tool.EKSCTL for o in owners.of(THE_CLUSTER)):
        yield "eksctl made this cluster: put the configuration into the add-on's part of its file too, if it is there"
