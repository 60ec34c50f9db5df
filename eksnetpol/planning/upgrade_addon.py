"""Upgrading the managed add-on: one update for each version on the way, its configuration held against that version's schema.

EKS is sent the whole configuration and the role every time: what it does with what is left out is not documented.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eksnetpol.assets.addon_objects import managed_objects
from eksnetpol.assets.images import registry_of
from eksnetpol.assets.manifests import agent_of
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.owners import THE_ADDON
from eksnetpol.facts.vpc_cni import MODE_VARIABLE, VpcCni
from eksnetpol.model import kinds
from eksnetpol.model.actions import Resolve, UpdateAddon
from eksnetpol.model.conditions import AddonIs
from eksnetpol.model.eks import Addon, AddonSchema
from eksnetpol.model.plan import FieldChange, Forecast, Refusal, Rollout, Step, Undo
from eksnetpol.model.versions import Release
from eksnetpol.planning import live, looks, refusals
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.enable_agent import has_usable_mode
from eksnetpol.planning.folding import Folding, fold
from eksnetpol.planning.forecast import forecasts
from eksnetpol.planning.market import STRICT_MODE
from eksnetpol.planning.merge import Merged, changed_leaves, has_key, merged, schema_for
from eksnetpol.planning.options import UpgradeOptions
from eksnetpol.planning.places import NEEDS_MODE
from eksnetpol.planning.reading import known, need
from eksnetpol.planning.rollout import patience, rollout
from eksnetpol.planning.upgrade_manifest import rolled

_LEAST_PATIENCE = 1200.0
_MOVES = (".image", ".livenessProbe", ".readinessProbe")
"""Parts of a container's path that have to change with the version: an update that leaves them leaves the old one running."""


@dataclass(frozen=True, slots=True)
class _Stop:
    """A version on the way and the configuration it is given; ``schema`` None where it was not read."""

    release: Release
    document: Merged
    schema: Mapping[str, Any] | None


def upgrade_addon(facts: Lookup, hops: Sequence[Release], wanted: UpgradeOptions, schemas: Mapping[str, AddonSchema]) -> Draft:
    """Return the updates that bring the managed add-on over *hops*; *schemas* are those of the hops, by version.

    Raises `EksNetpolError` where the add-on or its configuration was not read, or a schema cannot be.
    """
    addon: Addon = need(facts, "addon")
    stored: Mapping[str, Any] = need(facts, "addon_values")
    cni: VpcCni | None = known(facts, "vpc_cni")
    told = [_stop(facts, hop, stored, {}, schemas) for hop in hops]
    seen = _forecasts(facts, addon, cni, told)
    resolve, why = _resolving(wanted, seen)
    last = told[-1].schema
    folding = fold(facts, last) if resolve == "OVERWRITE" and last is not None else Folding()
    stops = [_stop(facts, hop, stored, folding.values, schemas) for hop in hops]
    rolls = rollout(facts)
    changes = [FieldChange(THE_ADDON, "version", addon.addon_version, str(hops[-1]))]
    for path, (before, after) in changed_leaves(stored, stops[-1].document.document).items():
        changes.append(FieldChange(THE_ADDON, path, _text(before), _text(after)))
    return Draft(
        steps=tuple(_steps(addon, stored, stops, resolve, rolls)),
        changes=tuple(changes),
        forecasts=seen,
        facts=(why,),
        warnings=(*folding.words(), *_warnings(stops, resolve, seen), *refusals.state_warnings(facts)),
        refusals=tuple(_unfit(stops)),
    )


def _stop(
    facts: Lookup, hop: Release, stored: Mapping[str, Any], more: Mapping[str, str], schemas: Mapping[str, AddonSchema]
) -> _Stop:
    schema = schema_for(schemas.get(str(hop)), str(hop))
    if schema is None:
        return _Stop(hop, Merged(dict(stored)), None)
    settings = {path: value for path, value in more.items() if has_key(schema, path)}
    settings |= _mode(facts, hop, schema)
    return _Stop(hop, merged(stored, settings, schema), schema)


def _mode(facts: Lookup, hop: Release, schema: Mapping[str, Any]) -> dict[str, str]:
    """Return the mode where *hop*'s agent ends without one and somebody took it away; releases without it get it from EKS."""
    cni: VpcCni | None = known(facts, "vpc_cni")
    running: Release | None = known(facts, "cni_release")
    path = f"env.{MODE_VARIABLE}"
    needed = agent_of(hop) >= NEEDS_MODE if hop.base >= STRICT_MODE else False
    if cni is None or running is None or running.base < STRICT_MODE or has_usable_mode(cni) or not needed:
        return {}
    return {path: "standard"} if cni.agent_is_on and has_key(schema, path) else {}


# --- who owns the fields ------------------------------------------------------------------------------------------------


def _forecasts(facts: Lookup, addon: Addon, cni: VpcCni | None, stops: Sequence[_Stop]) -> tuple[Forecast, ...]:
    """Return what EKS meets on the way, each field once, with what the last version that meets it would write."""
    if cni is None:
        return ()
    config = live.configmap(facts)
    there = [live.daemonset(cni)] + ([] if config is None else [live.as_object(config, kinds.CONFIGMAP)])
    found: dict[tuple[str, str], Forecast] = {}
    for stop in stops:
        told = managed_objects(
            stop.release,
            stop.document.document,
            family="ipv6" if known(facts, "ip_family") == "ipv6" else "ipv4",
            registry=registry_of(facts.snapshot.target.region),
            role=addon.service_account_role_arn,
        )
        found |= {(f.where, f.path): f for f in forecasts(there, told)}
    return tuple(found[key] for key in sorted(found))


def _stuck(seen: Sequence[Forecast]) -> list[Forecast]:
    """Return the fields that would keep the old version running where they stay as they are."""
    return [f for f in seen if any(part in f.path for part in _MOVES)]


def _resolving(wanted: UpgradeOptions, seen: Sequence[Forecast]) -> tuple[Resolve, str]:
    if wanted.resolve is not None:
        return wanted.resolve, f"conflicts are resolved by {wanted.resolve}, as you asked"
    stuck = _stuck(seen)
    if stuck:
        named = ", ".join(f"{f.path} ({f.owner})" for f in stuck)
        return "OVERWRITE", f"conflicts are resolved by OVERWRITE, because the version cannot change while others own {named}"
    return "PRESERVE", "conflicts are resolved by PRESERVE: what others set stays"


# --- steps --------------------------------------------------------------------------------------------------------------


def _steps(
    addon: Addon, stored: Mapping[str, Any], stops: Sequence[_Stop], resolve: Resolve, rolls: Rollout | None
) -> Iterator[Step]:
    role, version, values = addon.service_account_role_arn, addon.addon_version, addon.configuration_values or "{}"
    for stop in stops:
        before, former = version, values
        # A stored text that says the same is sent as it is: it may be YAML with somebody's comments.
        same = stop.document.document == stored and addon.configuration_values.strip()
        version, values = str(stop.release), addon.configuration_values if same else stop.document.text or "{}"
        yield Step(
            id=f"update-addon-{version}",
            title=f"Update the add-on vpc-cni to {version} (conflicts: {resolve})",
            action=UpdateAddon(version, values, resolve, role),
            until=AddonIs(version, values, role),
            patience=max(_LEAST_PATIENCE, patience(rolls)),
            undo=Undo(
                title=f"Take the add-on back to {before}",
                action=UpdateAddon(before, former, resolve, role),
                until=AddonIs(before, former, role),
            ),
            disrupts=looks.disruption(rolls),
        )
        yield rolled(stop.release, rolls)


# --- words --------------------------------------------------------------------------------------------------------------


def _warnings(stops: Sequence[_Stop], resolve: Resolve, seen: Sequence[Forecast]) -> Iterator[str]:
    unread = [str(stop.release) for stop in stops if stop.schema is None]
    if unread:
        yield f"the configuration was not held against the schema of {', '.join(unread)}, which was not read: EKS may refuse it"
    for stop in stops:
        if stop.document.is_corrected:
            for problem in stop.document.problems:
                yield f"the stored configuration, {problem.path}: {problem.what}; put right in what is sent"
    if seen and resolve == "NONE":
        number = looks.counted(len(seen), "field")
        yield f"{number} that others own would make the update fail under NONE, if EKS writes as forecast"
    if resolve == "PRESERVE":
        for forecast in _stuck(seen):
            yield f"{forecast.path} belongs to {forecast.owner} and stays under PRESERVE: the old version would go on running"


def _unfit(stops: Sequence[_Stop]) -> Iterator[Refusal]:
    for stop in stops:
        if stop.document.refused:
            what = "; ".join(f"{p.path}: {p.what}" for p in stop.document.refused)
            yield Refusal(f"EKS would refuse the configuration for {stop.release}: {what}")


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
