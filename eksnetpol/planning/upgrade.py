"""Planning an upgrade of the VPC CNI: where to, by which stops, in which way, and what to know before saying yes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from eksnetpol.assets.manifests import agent_of
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.owners import THE_ADDON, Owners
from eksnetpol.facts.vpc_cni import Install, Manager, Switches, VpcCni
from eksnetpol.model.eks import AddonSchema, Cluster
from eksnetpol.model.plan import Plan, Refusal, Verb, Way
from eksnetpol.model.policies import PolicyEndpoint
from eksnetpol.model.versions import Release
from eksnetpol.planning import custody, looks, places, refusals
from eksnetpol.planning.basis import basis
from eksnetpol.planning.draft import Draft, refused
from eksnetpol.planning.enable_addon import FORGOTTEN
from eksnetpol.planning.enable_agent import has_usable_mode
from eksnetpol.planning.market import FIRST, STRICT_MODE
from eksnetpol.planning.options import UpgradeOptions
from eksnetpol.planning.reading import from_a_cluster, known, need
from eksnetpol.planning.rollout import rollout
from eksnetpol.planning.upgrade_addon import upgrade_addon
from eksnetpol.planning.upgrade_manifest import plan_manifest
from eksnetpol.planning.versions import Journey, journey, unknown

_NEW_MAPS = (Release(1, 1, 0), Release(1, 2, 0))
"""Agents that raised the size of the connection table, which is pinned on the node and keeps the size it was made with."""

_NEW_PINS = Release(1, 4, 0)
"""The agent that renames what it has pinned on the node, once; that an older one finds it again was not seen."""

_WAYS = {Manager.ADDON: Way.ADDON, Manager.HELM: Way.HELM, Manager.MANIFEST: Way.MANIFEST}


def plan_upgrade(facts: Lookup, wanted: UpgradeOptions, *, schemas: Mapping[str, AddonSchema] | None = None) -> Plan:
    """Return the plan that brings the VPC CNI to the version in *wanted*; no steps where it runs already.

    *schemas* are those of the versions that `versions.versions_on_the_way` names, by version; without one, a configuration is not
    validated, and the plan says so. Raises `UsageError` for a version there is not, `Denied` or `EksNetpolError` where something
    the plan stands on was not read.
    """
    from_a_cluster(facts)
    install: Install = need(facts, "install")
    manager = install.manager
    nothing = _nothing_to_upgrade(facts, manager)
    if nothing is not None:
        return nothing
    stuck = None if manager is Manager.ADDON else unknown(facts)
    if stuck is not None:
        return _plan(facts, manager, refused(stuck), "There is no way from what runs to another version")
    going = journey(facts, wanted)
    draft = refused(*_objections(facts, going))
    hops = going.road.hops
    if hops:
        draft += _steps(facts, going, wanted, schemas or {})
        draft += Draft(facts=tuple(_facts(going)), warnings=tuple(_warnings(facts, going)))
    return _plan(facts, manager, draft, _title(going), str(going.road.target) if hops else "")


def _nothing_to_upgrade(facts: Lookup, manager: Manager) -> Plan | None:
    if manager is not Manager.NONE:
        return None
    cluster: Cluster | None = known(facts, "cluster")
    if cluster is not None and cluster.has_auto_mode:
        said = ("on EKS Auto Mode, AWS keeps the VPC CNI and its agent up to date: they are part of the node",)
        return replace(_plan(facts, manager, Draft(facts=said), "There is nothing to upgrade here"), way=Way.AUTO_MODE)
    why = Refusal("there is no VPC CNI in this cluster (no add-on and no DaemonSet aws-node), so there is nothing to upgrade")
    return _plan(facts, manager, refused(why), "There is nothing to upgrade here")


# --- what speaks against it ---------------------------------------------------------------------------------------------


def _objections(facts: Lookup, going: Journey) -> Iterator[Refusal]:
    target = going.road.target
    if target < going.running and target.base != going.running.base:
        yield Refusal(_downgrade(facts, going))
        return
    if not going.road.hops:
        return
    for harm in going.market.harms(target):
        fit = going.market.fit
        instead = f"; take {fit[-1]} instead: eksnetpol upgrade --to {fit[-1]}" if fit else ""
        yield Refusal(f"{harm}{instead}")
    yield from refusals.under_way(facts)
    owners: Owners = need(facts, "owners")
    if going.manager is Manager.ADDON:
        yield from refusals.foreign(owners, (THE_ADDON,))
        yield from refusals.foreign(owners, (str(places.AWS_NODE), str(places.SETTINGS)), but=FORGOTTEN)
    else:
        yield from refusals.foreign(owners, tuple(map(str, (places.AWS_NODE, places.SETTINGS, places.AGENT_ROLE))))
        cni: VpcCni = need(facts, "vpc_cni")
        if cni.agent_is_on and going.running.base >= STRICT_MODE and not has_usable_mode(cni):
            yield Refusal(
                "aws-node has no usable NETWORK_POLICY_ENFORCING_MODE, without which agents from v1.2.4 on end at once: set it "
                "first: kubectl set env daemonset/aws-node -n kube-system -c aws-node NETWORK_POLICY_ENFORCING_MODE=standard"
            )


def _downgrade(facts: Lookup, going: Journey) -> str:
    target, running = going.road.target, going.running
    endpoints: tuple[PolicyEndpoint, ...] = known(facts, "policy_endpoints", ())
    if target.base < FIRST:
        why = f"{target} has no network policy agent, so that nobody would take this one's rules off the nodes again"
        there = f" ({looks.counted(len(endpoints), 'PolicyEndpoint')} left)" if endpoints else ""
        return f"{why}{there}: run eksnetpol disable first and recycle the nodes, then change the version by hand"
    return (
        f"{target} is older than {running}, which runs: this tool does not downgrade. To take an upgrade back, "
        "eksnetpol rollback goes back to what was there before it"
    )


# --- steps --------------------------------------------------------------------------------------------------------------


def _steps(facts: Lookup, going: Journey, wanted: UpgradeOptions, schemas: Mapping[str, AddonSchema]) -> Draft:
    hops = going.road.hops
    draft = custody.keep_definitions(facts, hops)
    if going.manager is Manager.ADDON:
        draft += upgrade_addon(facts, hops, wanted, schemas)
    else:
        draft += plan_manifest(facts, going.running, hops)
    draft += custody.definitions_are_there(facts)
    switches: Switches | None = known(facts, "switches")
    if switches is not None and switches.both_on:
        draft += Draft(steps=tuple(looks.switched("true")))
    if going.manager is Manager.HELM:
        changing: Changing = need(facts, "changing")
        commands = " && ".join(changing.to_chart(hop) for hop in hops)
        draft += Draft(afterwards=(f"the way of its owner is Helm's, one version at a time: {commands}",))
    return draft + Draft(afterwards=("see that it is enforced as before: eksnetpol status",))


# --- words --------------------------------------------------------------------------------------------------------------


def _facts(going: Journey) -> Iterator[str]:
    road = going.road
    way = " -> ".join(map(str, (going.running, *road.hops)))
    yield f"one minor version at a time, each time to its best patch: {way}"
    for major, minor in road.left_out:
        yield f"{major}.{minor} is left out: something is known against each of its releases"
    for harm in going.market.harms(going.running):
        yield f"it leaves {harm}"
    yield (
        "where a new agent brings new eBPF programs, each pod's rules are set anew: for a moment the default of its mode holds"
    )


def _warnings(facts: Lookup, going: Journey) -> Iterator[str]:
    target = going.road.target
    missing = going.market.lacks(target)
    if missing:
        yield f"{target} lacks fixes with consequences for security: {'; '.join(missing)}"
    cni: VpcCni | None = known(facts, "vpc_cni")
    if cni is not None and cni.is_strict:
        yield "in strict mode that default is closed: pods may lose their connections while the agent on their node is renewed"
    if (rolls := rollout(facts)) is not None and rolls.on_delete:
        yield "the update strategy is OnDelete: nothing rolls until you delete the pods of aws-node, node by node"
    before: Release | None = known(facts, "agent_release")
    if before is None:
        return
    after = agent_of(target)
    if any(before.base < bound <= after for bound in _NEW_MAPS):
        yield "the connection table is larger from this version on, but nodes keep the one they have: replace them when you can"
    if before.base < _NEW_PINS <= after:
        yield (
            f"agent {_NEW_PINS} renames what it has pinned on a node: after a rollback below it replace the nodes, for that the "
            "older agent finds its maps was not verified"
        )


def _title(going: Journey) -> str:
    road = going.road
    if not road.hops:
        return f"VPC CNI {going.running} runs already" if road.target.base == going.running.base else "No downgrade"
    over = f" in {looks.counted(len(road.hops), 'update')}" if len(road.hops) > 1 else ""
    return f"Upgrade the VPC CNI from {going.running} to {road.target}{over}"


def _plan(facts: Lookup, manager: Manager, draft: Draft, title: str, release: str = "") -> Plan:
    return Plan(
        target=facts.snapshot.target,
        verb=Verb.UPGRADE,
        way=_WAYS.get(manager),
        title=title,
        release=release,
        steps=draft.steps,
        basis=basis(facts, Verb.UPGRADE),
        changes=draft.changes,
        forecasts=draft.forecasts,
        isolates=(),
        rollout=rollout(facts) if draft.steps else None,
        facts=draft.facts,
        warnings=draft.warnings,
        refusals=draft.refusals,
        afterwards=draft.afterwards if draft.steps else (),
    )
