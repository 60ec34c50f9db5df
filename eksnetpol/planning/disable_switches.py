"""Both switches off, by the way in which this cluster is changed: what is off already is not touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eksnetpol.facts.addon_document import SWITCH
from eksnetpol.facts.configuration import text_of
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.owners import THE_ADDON
from eksnetpol.facts.vpc_cni import AGENT_FLAG, CONTROLLER_KEY, Switch, Switches, VpcCni
from eksnetpol.model import kinds
from eksnetpol.model.actions import Apply, Resolve, UpdateAddon
from eksnetpol.model.conditions import AddonIs, Holds
from eksnetpol.model.plan import FieldChange, Refusal, Step, Undo
from eksnetpol.planning import live, looks, places
from eksnetpol.planning.draft import Draft, joined
from eksnetpol.planning.enable_addon import installed
from eksnetpol.planning.enable_agent import taken
from eksnetpol.planning.folding import Folding, fold
from eksnetpol.planning.merge import changed_leaves, merged
from eksnetpol.planning.options import DisableOptions
from eksnetpol.planning.patching import flipped, spelled
from eksnetpol.planning.reading import known, need
from eksnetpol.planning.rollout import patience, rollout

_LEAST_PATIENCE = 1200.0


def addon_off(facts: Lookup, wanted: DisableOptions) -> Draft:
    """Return the one update that switches both off; nothing where the add-on says so and both are. Raises as `installed`."""
    now = installed(facts)
    is_told_off = text_of(now.stored.get(SWITCH, "false")) == "false"
    if is_told_off and now.switches.both_off:
        return Draft()
    held = tuple(_held(facts, now.cni, now.switches))
    resolve, why = _resolving(wanted, held, was_told=is_told_off)
    folding = fold(facts, now.schema, but={SWITCH}) if resolve == "OVERWRITE" else Folding()
    document = merged(now.stored, {**folding.values, SWITCH: "false"}, now.schema)
    addon, role, rolls = now.addon, now.addon.service_account_role_arn, rollout(facts)
    # What was folded in lives nowhere else any more, so going back takes it along.
    former = merged(now.stored, folding.values, now.schema).text if folding.values else addon.configuration_values or "{}"
    step = Step(
        id="update-addon",
        title=f"Update the add-on vpc-cni: {SWITCH} = false (conflicts: {resolve})",
        action=UpdateAddon(addon.addon_version, document.text, resolve, role),
        until=AddonIs(addon.addon_version, document.text, role),
        patience=max(_LEAST_PATIENCE, patience(rolls)),
        undo=Undo(
            title="Give the add-on its former configuration back",
            action=UpdateAddon(addon.addon_version, former, resolve, role),
            until=AddonIs(addon.addon_version, former, role),
        ),
        disrupts=looks.disruption(rolls),
    )
    changes = [
        FieldChange(THE_ADDON, path, _text(before), _text(after))
        for path, (before, after) in changed_leaves(now.stored, document.document).items()
    ]
    unfit = "; ".join(f"{p.path}: {p.what}" for p in document.refused)
    return Draft(
        steps=(step, *looks.switched("false"), looks.rolled_out(rolls)),
        changes=(*changes, *_live_changes(facts)),
        facts=(why,),
        warnings=tuple(folding.words()),
        refusals=(Refusal(f"EKS would refuse the configuration: {unfit}"),) if unfit else (),
    )


def _text(value: Any) -> str | None:
    return None if value is None else text_of(value)


def _held(facts: Lookup, cni: VpcCni | None, switches: Switches) -> Iterator[str]:
    """Yield each switch that is on and whose field somebody else than EKS owns, in words."""
    places_: list[tuple[Mapping[str, tuple[str, ...]], str, str]] = []
    if cni is not None and cni.agent is not None and cni.agent_is_on:
        places_.append((live.owners_by_text(cni.workload.metadata), places.args_path(cni.agent.name), "the agent's arguments"))
    config = live.configmap(facts)
    if config is not None and switches.controller in {Switch.ON, Switch.MALFORMED}:
        what = f"the controller's switch ({CONTROLLER_KEY})"
        places_.append((live.owners_by_text(config.metadata), places.CONTROLLER_PATH, what))
    for owners, path, what in places_:
        others = [manager for manager in live.owners_at(owners, path) if manager != "eks"]
        if others:
            yield f"{what} {'are' if what.endswith('s') else 'is'} owned by {', '.join(others)}"


def _resolving(wanted: DisableOptions, held: tuple[str, ...], *, was_told: bool) -> tuple[Resolve, str]:
    if wanted.resolve is not None:
        return wanted.resolve, f"conflicts are resolved by {wanted.resolve}, as you asked"
    if held:
        return "OVERWRITE", f"conflicts are resolved by OVERWRITE, because {' and '.join(held)}"
    if was_told:
        return "OVERWRITE", "conflicts are resolved by OVERWRITE, because the add-on says off and something is on nevertheless"
    return "PRESERVE", "conflicts are resolved by PRESERVE: what others set stays"


def objects_off(facts: Lookup) -> Draft:
    """Return the applies that switch the controller off, then the agents; in this order nothing new is made meanwhile."""
    return joined([controller_off(facts), _agents_off(facts)])


def controller_off(facts: Lookup) -> Draft:
    """Return how the controller's switch is set to false in its ConfigMap; nothing where it is not on."""
    switches: Switches = need(facts, "switches")
    config = live.configmap(facts)
    if switches.controller is not Switch.ON or config is None:
        return Draft()
    wanted = places.settings("false")
    step = Step(
        id="controller-switch",
        title=f"Switch the controller off: {places.SETTINGS}, {CONTROLLER_KEY} = false",
        action=Apply(wanted, taken(live.as_object(config, kinds.CONFIGMAP), wanted), keeps=True),
        until=places.controller_told("false"),
        undo=Undo("Switch the controller on again", Apply(places.settings("true"), keeps=True), places.controller_told("true")),
    )
    return Draft((step,), changes=tuple(_controller_change(facts)))


def _agents_off(facts: Lookup) -> Draft:
    cni: VpcCni | None = need(facts, "vpc_cni")
    if cni is None or cni.agent is None or not cni.agent_is_on:
        return Draft()
    wanted = places.aws_node({"containers": [{"name": cni.agent.name, "args": flipped(cni.agent.args, AGENT_FLAG, "false")}]})
    before = places.aws_node({"containers": [{"name": cni.agent.name, "args": list(cni.agent.args)}]})
    rolls = rollout(facts)
    step = Step(
        id="agent",
        title="Tell the network policy agents not to enforce",
        action=Apply(wanted, taken(live.daemonset(cni), wanted), keeps=True),
        until=Holds(wanted),
        undo=Undo("Give the agents their former arguments", Apply(before, keeps=True), Holds(before)),
        disrupts=looks.disruption(rolls),
    )
    return Draft((step, looks.rolled_out(rolls)), changes=tuple(_agent_change(cni)))


def _live_changes(facts: Lookup) -> Iterator[FieldChange]:
    yield from _controller_change(facts)
    cni: VpcCni | None = known(facts, "vpc_cni")
    if cni is not None and cni.agent_is_on:
        yield from _agent_change(cni)


def _controller_change(facts: Lookup) -> Iterator[FieldChange]:
    switches: Switches = need(facts, "switches")
    config = live.configmap(facts)
    if config is not None and switches.controller is Switch.ON:
        owners = live.owners_at(live.owners_by_text(config.metadata), places.CONTROLLER_PATH)
        yield FieldChange(str(places.SETTINGS), places.CONTROLLER_PATH, "true", "false", owners)


def _agent_change(cni: VpcCni) -> Iterator[FieldChange]:
    if cni.agent is not None:
        path = places.args_path(cni.agent.name)
        owners = live.owners_at(live.owners_by_text(cni.workload.metadata), path)
        yield FieldChange(str(places.AWS_NODE), path, spelled(cni.agent.args, AGENT_FLAG), f"--{AGENT_FLAG}=false", owners)
