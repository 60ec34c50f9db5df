"""Turning network policy on and off, and upgrading: from a look to a plan that preflight has had its say about.

Planning is pure; carrying a plan out is `operations/runs.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import assert_never

from msgspec.structs import replace

from eksnetpol import __version__
from eksnetpol.errors import Refused
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.model.eks import AddonSchema
from eksnetpol.model.findings import CheckResult, Intent, Outcome, Report, Severity
from eksnetpol.model.plan import Plan, Refusal, Verb
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot, Target
from eksnetpol.operations.preflight import preflight
from eksnetpol.planning.basis import basis
from eksnetpol.planning.disable import plan_disable
from eksnetpol.planning.enable import plan_enable
from eksnetpol.planning.options import DisableOptions, EnableOptions, UpgradeOptions
from eksnetpol.planning.upgrade import plan_upgrade
from eksnetpol.reporting.view import plural

Options = EnableOptions | UpgradeOptions | DisableOptions

_ENABLING = frozenset(
    {
        "addon-update-keeps-custom-settings",
        "agent-container-is-present",
        "agent-may-discover-its-kinds",
        "agent-may-read-cluster-policy-endpoints",
        "agent-may-read-policy-endpoints",
        "agent-switch-is-on",
        "cluster-policy-definition-is-served",
        "configuration-values-fit-the-schema",
        "controller-switch-is-on",
        "controller-switch-value-is-literal",
        "enforcing-mode-is-ready-for-enabling",
        "live-settings-match-the-addon",
        "mode-is-unset-without-an-agent",
        "policy-endpoint-definition-is-served",
    }
)

ANSWERED: Mapping[Verb, Collection[str]] = {
    Verb.ENABLE: _ENABLING,
    Verb.MIGRATE: _ENABLING,
    Verb.UPGRADE: {
        "cni-and-agent-belong-together",
        "definitions-survive-the-next-sync",
        "running-releases-are-not-known-bad",
    },
    Verb.DISABLE: {
        "agent-survives-being-switched-off",
        "policies-are-gone-before-disabling",
        "policy-endpoints-are-gone-before-disabling",
    },
}
"""Checks that ask for the very thing the plan does: their findings do not stop it."""

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and the preflight of the change it makes."""

    plan: Plan
    report: Report


def prepare(
    snapshot: ClusterSnapshot,
    wanted: Options,
    settings: Settings | None = None,
    *,
    schemas: Mapping[str, AddonSchema] | None = None,
) -> Prepared:
    """Return the plan for the change that *wanted* means, refused where a preflight check says so.

    *schemas* are those of the add-on versions on the way, by version. Raises `UsageError` for a wish that means nothing, and
    `EksNetpolError` where a section that the plan stands on could not be read.
    """
    catalog()
    facts = Lookup(snapshot)
    plan = _planned(facts, wanted, schemas or {})
    report = preflight(snapshot, settings or Settings(), Intent(plan.verb.value), facts=facts)
    further = stops(report, plan) if plan.steps else ()
    plan = replace(plan, tool=__version__, made_at=snapshot.taken_at, refusals=(*plan.refusals, *further))
    return Prepared(plan, report)


def _planned(facts: Lookup, wanted: Options, schemas: Mapping[str, AddonSchema]) -> Plan:
    match wanted:
        case EnableOptions():
            return plan_enable(facts, wanted, schemas=schemas)
        case UpgradeOptions():
            return plan_upgrade(facts, wanted, schemas=schemas)
        case DisableOptions():
            return plan_disable(facts, wanted)
        case _:
            assert_never(wanted)


def stops(report: Report, plan: Plan) -> list[Refusal]:
    """Return why *plan* is not carried out by what preflight says in *report*, but for what the plan itself sees to."""
    answered = ANSWERED.get(plan.verb, ())
    counts = [r for r in report.results if r.id not in answered and not r.ignored]
    blocking = [r for r in counts if any(f.severity is Severity.BLOCKER for f in r.open_findings)]
    found = [Refusal(_blocked(result), "--ignore " + result.id) for result in blocking]
    unknown = [r for r in counts if r not in blocking and _is_unknown(r)]
    if unknown and report.exit_code == 3:  # noqa: PLR2004 - what was not determined counts
        named = ", ".join(r.id for r in unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        why = f"{plural(len(unknown), 'preflight check')} could not be determined ({named}{more}); first: {unknown[0].reason}"
        found.append(Refusal(why, "--no-fail-on-unknown"))
    return found


def _is_unknown(result: CheckResult) -> bool:
    return result.severity is Severity.BLOCKER and result.outcome in {Outcome.UNKNOWN, Outcome.ERRORED}


def _blocked(result: CheckResult) -> str:
    first = next(f.finding for f in result.open_findings if f.severity is Severity.BLOCKER)
    more = len(result.open_findings) - 1
    rest = f" (and {more} more)" if more else ""
    return f"preflight: {result.title}: not so: {first.subject}: {first.message}{rest}"


def standing(plan: Plan, allowed: Collection[str]) -> tuple[Refusal, ...]:
    """Return the refusals of *plan* that none of the flags in *allowed* lifts."""
    return tuple(r for r in plan.refusals if not r.flag or r.flag not in allowed)


def refuse_other_cluster(plan: Plan, target: Target, what: str) -> None:
    """Raise `Refused` unless *target* is the cluster that *plan* was made for; *what* is what came from there."""
    for name in ("arn", "server", "cluster"):
        planned, here = getattr(plan.target, name), getattr(target, name)
        if planned and here and planned.rstrip("/") != here.rstrip("/"):
            raise Refused(f"{what} is of another cluster: it was made for {planned}, and this is {here}; nothing was changed")
    if not any(getattr(plan.target, n) and getattr(target, n) for n in ("arn", "server")):
        raise Refused(f"{what} does not tell which cluster it was made for, so that nothing shows it is this one")


def moved(plan: Plan, snapshot: ClusterSnapshot) -> tuple[str, ...]:
    """Return what *plan* was made from and is no longer as it was, in words."""
    catalog()
    now = basis(Lookup(snapshot), plan.verb)
    return tuple(name for name in sorted(plan.basis.keys() | now.keys()) if plan.basis.get(name) != now.get(name))


def refuse_stale(plan: Plan, snapshot: ClusterSnapshot) -> None:
    """Raise `Refused` when the cluster has moved on since *plan* was made, naming what changed."""
    changed = moved(plan, snapshot)
    if changed:
        names = ", ".join(changed)
        command = "migrate run" if plan.verb is Verb.MIGRATE else plan.verb.value
        raise Refused(
            f"the cluster has changed since this plan was made ({names}); nothing was changed; "
            f"make a new one: eksnetpol {command} --plan"
        )
