"""Enabling through the managed add-on: one update with the whole configuration, then looks at what became of it.

EKS replaces the add-on's configuration, so the stored document is sent again with the wanted keys set. Whether EKS's values reach
the live objects depends on who owns the fields, and so the way of resolving conflicts is always said and always explained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eksnetpol.assets.addon_objects import managed_objects
from eksnetpol.assets.images import registry_of
from eksnetpol.errors import EksNetpolError, UsageError
from eksnetpol.facts.addon_document import SWITCH
from eksnetpol.facts.configuration import AGENT_FLAGS, leaves, text_of
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.owners import THE_ADDON, Owners, Tool
from eksnetpol.facts.ownership import ADDON_MANAGER
from eksnetpol.facts.vpc_cni import AGENT_FLAG, CONTROLLER_KEY, MODE_VARIABLE, Switches, VpcCni
from eksnetpol.model import kinds
from eksnetpol.model.actions import Resolve, UpdateAddon
from eksnetpol.model.conditions import AddonIs, All, Condition
from eksnetpol.model.eks import Addon
from eksnetpol.model.kinds import ObjectRef
from eksnetpol.model.kubernetes import ObjectMeta
from eksnetpol.model.plan import FieldChange, Forecast, Refusal, Rollout, Step, Undo
from eksnetpol.model.versions import Release
from eksnetpol.planning import live, looks, places, refusals
from eksnetpol.planning.draft import Draft, refused
from eksnetpol.planning.enable_agent import has_usable_mode
from eksnetpol.planning.folding import Folding, fold
from eksnetpol.planning.forecast import forecasts
from eksnetpol.planning.merge import Merged, changed_leaves, has_key, merged, schema_for
from eksnetpol.planning.options import EnableOptions
from eksnetpol.planning.patching import is_same, spelled
from eksnetpol.planning.reading import known, need
from eksnetpol.planning.rollout import patience, rollout

FORGOTTEN = (Tool.HELM,)
"""Owners whose marks mean nothing on objects of a managed add-on: EKS makes them with Helm's templates, labels and all."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The add-on as it is: ``stored`` is its configuration, ``schema`` that of its version."""

    addon: Addon
    stored: Mapping[str, Any]
    schema: Mapping[str, Any]
    cni: VpcCni | None
    switches: Switches

    @property
    def is_told(self) -> bool:
        """True when the stored configuration switches network policy on, spelled as everybody reads it."""
        return self.stored.get(SWITCH) == "true"


def installed(facts: Lookup) -> Installed:
    """Return the add-on as it is; raise `Denied` or `EksNetpolError` that names what is unread."""
    addon: Addon = need(facts, "addon")
    schema = schema_for(need(facts, "addon_schema"), addon.addon_version)
    if schema is None:
        raise EksNetpolError(
            f"the configuration schema of the add-on vpc-cni {addon.addon_version} was not read, so what EKS would accept "
            "cannot be told: allow eks:DescribeAddonConfiguration and look again"
        )
    return Installed(addon, need(facts, "addon_values"), schema, need(facts, "vpc_cni"), need(facts, "switches"))


def enable_addon(facts: Lookup, wanted: EnableOptions) -> Draft:
    """Return how the managed add-on is told to enforce; no steps where it has been and the switches are on."""
    now = installed(facts)
    if not has_key(now.schema, SWITCH):
        version = now.addon.addon_version
        return refused(Refusal(f"the add-on vpc-cni {version} knows no network policy: upgrade it first: eksnetpol upgrade"))
    agent: Release | None = known(facts, "agent_release")
    settings = _settings(now, wanted, agent)
    drift = _drift(now)
    if _is_done(now, settings) and not _lacks_mode(now, agent):
        return Draft(warnings=(*drift, *refusals.state_warnings(facts)))
    document = merged(now.stored, settings, now.schema)
    seen = _forecasts(facts, now, document)
    resolve, why, warned = _resolving(facts, now, settings, wanted.resolve, seen)
    folding = fold(facts, now.schema, but=settings) if resolve == "OVERWRITE" else Folding()
    if folding.values:
        document = merged(now.stored, {**folding.values, **settings}, now.schema)
        seen = _forecasts(facts, now, document)
    rolls = rollout(facts)
    return Draft(
        steps=tuple(_steps(now, document, folding, resolve, rolls, agent)),
        changes=tuple(_changes(now, document, facts)),
        forecasts=seen,
        facts=(why,),
        warnings=(
            *drift,
            *_corrections(document),
            *warned,
            *folding.words(),
            *_under_none(resolve, seen),
            *refusals.state_warnings(facts),
        ),
        refusals=(*_unfit(document), *_owned(facts)),
    )


# --- what is wanted -----------------------------------------------------------------------------------------------------


def _settings(now: Installed, wanted: EnableOptions, agent: Release | None) -> dict[str, str]:
    """Return the keys to set: the switch, the person's own, and the mode where the agent would end without one."""
    unknown = [path for path in wanted.values if not has_key(now.schema, path)]
    if unknown:
        raise UsageError(
            f"the add-on vpc-cni {now.addon.addon_version} has no setting {', '.join(unknown)}; its settings are listed by: "
            f"aws eks describe-addon-configuration --addon-name vpc-cni --addon-version {now.addon.addon_version}"
        )
    settings = {SWITCH: "true", **wanted.values}
    if _lacks_mode(now, agent):
        settings.setdefault(f"env.{MODE_VARIABLE}", "standard")
    return settings


def _lacks_mode(now: Installed, agent: Release | None) -> bool:
    """Say whether the agent would end for want of a mode, and the configuration has a key for it. An unknown agent may."""
    needs = agent is None or agent.base >= places.NEEDS_MODE
    return now.cni is not None and needs and not has_usable_mode(now.cni) and has_key(now.schema, f"env.{MODE_VARIABLE}")


def _is_done(now: Installed, settings: Mapping[str, str]) -> bool:
    told = {path: text_of(value) for path, value in leaves(now.stored)}
    return now.is_told and now.switches.both_on and all(told.get(path) == value for path, value in settings.items())


def _drift(now: Installed) -> tuple[str, ...]:
    switches = now.switches
    live_on = f"the controller's switch is {switches.controller} and the agent's is {switches.agent}"
    if now.is_told and not switches.both_on:
        return (f"the add-on was told to enable network policy before, yet {live_on}: somebody changed the live objects",)
    if not now.is_told and not switches.both_off:
        return (f"the add-on is not told to enable network policy, yet {live_on}: its next update may switch it off",)
    return ()


# --- who owns the fields ------------------------------------------------------------------------------------------------


def _resolving(
    facts: Lookup, now: Installed, settings: Mapping[str, str], asked: Resolve | None, seen: tuple[Forecast, ...]
) -> tuple[Resolve, str, tuple[str, ...]]:
    """Return how conflicts are to be resolved, why, and what to be warned of."""
    held = tuple(_held(facts, now, settings, seen))
    unread = "" if now.cni is None or now.cni.workload.metadata.managed_fields else "; who owns the fields was not read"
    if asked is not None:
        warnings: tuple[str, ...] = ()
        if held and asked != "OVERWRITE":
            says = "the update would fail" if asked == "NONE" else "they would stay as they are, and nothing would be enforced"
            warnings = (f"{' and '.join(held)}: with {asked} {says}; OVERWRITE sets them",)
        return asked, f"conflicts are resolved by {asked}, as you asked", warnings
    if held:
        return "OVERWRITE", f"conflicts are resolved by OVERWRITE, because {' and '.join(held)}", ()
    if now.is_told and not now.switches.both_on:
        return "OVERWRITE", "conflicts are resolved by OVERWRITE, because the add-on was told before and it did not arrive", ()
    return "PRESERVE", f"conflicts are resolved by PRESERVE: what others set stays{unread}", ()


def _held(facts: Lookup, now: Installed, settings: Mapping[str, str], seen: tuple[Forecast, ...]) -> Iterator[str]:
    """Yield each field that has to change and that EKS could not set without taking it from somebody, in words.

    An owner called ``eks`` that did not apply its fields, as EKS does today, is somebody else to the API server.
    """
    in_the_way = {(f.where, f.path): f.owner for f in seen}
    for ref, meta, path, what in _needed(facts, now, settings):
        others = [m for m in live.owners_at(live.owners_by_text(meta), path) if m != ADDON_MANAGER]
        owner = ", ".join(others) or in_the_way.get((str(ref), path), "")
        if owner:
            yield f"{what} {'are' if what.endswith('s') else 'is'} owned by {owner}"


def _needed(facts: Lookup, now: Installed, settings: Mapping[str, str]) -> Iterator[tuple[ObjectRef, ObjectMeta, str, str]]:
    """Yield the live fields that have to change: the object, its metadata, the path, and what it is in words."""
    if now.cni is not None:
        meta = now.cni.workload.metadata
        if now.cni.agent is not None and not _args_agree(now.cni, settings):
            yield places.AWS_NODE, meta, places.args_path(now.cni.agent.name), "the agent's arguments"
        for path, value in settings.items():
            name = path.removeprefix("env.")
            if path.startswith("env.") and now.cni.env.get(name) != value:
                yield places.AWS_NODE, meta, places.variable_path(name), f"the variable {name}"
    config = live.configmap(facts)
    if config is not None and now.switches.controller_value != "true":
        yield places.SETTINGS, config.metadata, places.CONTROLLER_PATH, f"the controller's switch ({CONTROLLER_KEY})"


def _args_agree(cni: VpcCni, settings: Mapping[str, str]) -> bool:
    for path, value in settings.items():
        flag = AGENT_FLAGS.get(path)
        if flag is not None and not is_same(cni.args.get(flag, "").removeprefix(":"), value):
            return False
    return True


def _forecasts(facts: Lookup, now: Installed, document: Merged) -> tuple[Forecast, ...]:
    release = Release.try_parse(now.addon.addon_version)
    if now.cni is None or release is None:
        return ()
    config = live.configmap(facts)
    told = managed_objects(
        release,
        document.document,
        family="ipv6" if known(facts, "ip_family") == "ipv6" else "ipv4",
        registry=registry_of(facts.snapshot.target.region),
        role=now.addon.service_account_role_arn,
    )
    there = [live.daemonset(now.cni)] + ([] if config is None else [live.as_object(config, kinds.CONFIGMAP)])
    # Without its books nothing can be said of an object: somebody owns its fields, and the look did not keep who.
    there = [o for o in there if any("fieldsV1" in line for line in o["metadata"].get("managedFields", ()))]
    return forecasts(there, told)


def _under_none(resolve: Resolve, seen: tuple[Forecast, ...]) -> Iterator[str]:
    if resolve == "NONE" and seen:
        yield f"{looks.counted(len(seen), 'field')} that others own would make the update fail under NONE, as far as can be told"


# --- steps --------------------------------------------------------------------------------------------------------------


def _steps(
    now: Installed, document: Merged, folding: Folding, resolve: Resolve, rolls: Rollout | None, agent: Release | None
) -> Iterator[Step]:
    addon, role = now.addon, now.addon.service_account_role_arn
    back, stays = _way_back(now, folding), _one_way(now, agent)
    undo = Undo(
        title="Give the add-on its former configuration back",
        action=UpdateAddon(addon.addon_version, back, resolve, role),
        until=AddonIs(addon.addon_version, back, role),
    )
    until: Condition = AddonIs(addon.addon_version, document.text, role)
    if document.document == now.stored:
        # The add-on says so already, so that only the live objects show whether it was told again.
        until = All((until, places.controller_told("true"), places.agent_told("true")))
    yield Step(
        id="update-addon",
        title=f"Update the add-on vpc-cni: {SWITCH} = true (conflicts: {resolve})",
        action=UpdateAddon(addon.addon_version, document.text, resolve, role),
        until=until,
        patience=max(1200.0, patience(rolls)),
        undo=None if stays else undo,
        one_way=stays,
        disrupts=looks.disruption(rolls),
    )
    yield from looks.switched("true")
    yield looks.rolled_out(rolls)


def _one_way(now: Installed, agent: Release | None) -> str:
    """Return why the update cannot be taken back by another one, empty where it can."""
    if now.switches.both_on and not now.is_told:
        return "what is live is on already, and the former configuration would have EKS switch it off"
    return "" if now.switches.both_on else crashing(agent)


def crashing(agent: Release | None) -> str:
    """Return why *agent* cannot be switched off by EKS, which does so with the controller's work still there; empty if it can."""
    if agent is None or agent.base >= places.CRASHES_BEFORE:
        return ""
    return (
        f"agent {agent} crashes again and again when it is switched off while PolicyEndpoints are left: "
        "the way back is eksnetpol disable, which takes them away first, and then restore"
    )


def _way_back(now: Installed, folding: Folding) -> str:
    """Return the former configuration: with the settings that were folded in, which live nowhere else any more.

    Where it said true and something was off nevertheless, it says false: going back must not leave more on than there was.
    """
    off = {SWITCH: "false"} if now.is_told and not now.switches.both_on else {}
    document = merged(now.stored, {**folding.values, **off}, now.schema)
    if document.document == now.stored and now.addon.configuration_values.strip():
        return now.addon.configuration_values
    return document.text or "{}"


# --- words --------------------------------------------------------------------------------------------------------------


def _changes(now: Installed, document: Merged, facts: Lookup) -> Iterator[FieldChange]:
    for path, (before, after) in changed_leaves(now.stored, document.document).items():
        yield FieldChange(THE_ADDON, path, _text(before), _text(after))
    yield from switched_on(facts, now.switches, now.cni)


def switched_on(facts: Lookup, switches: Switches, cni: VpcCni | None) -> Iterator[FieldChange]:
    """Yield what becomes of the two live switches, as far as they are not on, when EKS writes them."""
    if switches.controller_value != "true":
        config = live.configmap(facts)
        owners = () if config is None else live.owners_at(live.owners_by_text(config.metadata), places.CONTROLLER_PATH)
        yield FieldChange(str(places.SETTINGS), places.CONTROLLER_PATH, switches.controller_value, "true", owners)
    if cni is not None and not cni.agent_is_on and cni.agent is not None:
        path = places.args_path(cni.agent.name)
        owners = live.owners_at(live.owners_by_text(cni.workload.metadata), path)
        yield FieldChange(str(places.AWS_NODE), path, spelled(cni.agent.args, AGENT_FLAG), f"--{AGENT_FLAG}=true", owners)


def _text(value: Any) -> str | None:
    return None if value is None else text_of(value)


def _corrections(document: Merged) -> Iterator[str]:
    for problem in document.problems:
        said = "put right in what is sent" if document.is_corrected else "left as it is"
        yield f"the stored configuration, {problem.path}: {problem.what}; {said}"


def _unfit(document: Merged) -> Iterator[Refusal]:
    if document.refused:
        what = "; ".join(f"{p.path}: {p.what}" for p in document.refused)
        yield Refusal(f"EKS would refuse the configuration: {what}")


def _owned(facts: Lookup) -> Iterator[Refusal]:
    owners: Owners = need(facts, "owners")
    yield from refusals.foreign(owners, (THE_ADDON,))
    yield from refusals.foreign(owners, (str(places.AWS_NODE), str(places.SETTINGS)), but=FORGOTTEN)
