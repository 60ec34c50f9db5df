"""After a migration: is the old engine gone, does the VPC CNI enforce, and does everything flow as it did before?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from dataclasses import replace as changed

from msgspec.structs import replace

from eksnetpol.checks.catalog import catalog as checks
from eksnetpol.checks.judge import judge
from eksnetpol.checks.run import run
from eksnetpol.engines.engine import Life, Presence
from eksnetpol.errors import EksNetpolError
from eksnetpol.execution.progress import past_of
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.interfaces.acting import Entry
from eksnetpol.model.actions import Create
from eksnetpol.model.conditions import Completed
from eksnetpol.model.findings import CheckResult, Finding, Intent, Outcome, Report, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import Node
from eksnetpol.model.plan import Plan
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread
from eksnetpol.operations.migration import source_of
from eksnetpol.operations.migration_results import FAMILY, Rule, result, unknown, verdict_of
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.world import World
from eksnetpol.translation import Options
from eksnetpol.translation.boxes import Ref
from eksnetpol.translation.comparing import Differences, compare
from eksnetpol.translation.values import Accepted, Witness

GONE = Rule(
    "other-engine-is-gone", "no agent and no part of another engine is left", Severity.BLOCKER,
    "Go on with its run, or make a plan for what is left: eksnetpol migrate run --plan",
)  # fmt: skip
WIDER = Rule(
    "nothing-more-flows", "nothing flows that did not flow before", Severity.BLOCKER,
    "See which policy lets it through: eksnetpol policy explain; then deny it, or go back: eksnetpol rollback",
)  # fmt: skip
STRICTER = Rule(
    "nothing-less-flows", "what flowed before still flows", Severity.WARNING,
    "See whether anybody needs it; the translation named what becomes stricter",
)  # fmt: skip
CLEAN = Rule(
    "nodes-hold-no-old-rules", "every node was replaced or cleaned since the old engine ran on it", Severity.WARNING,
    "Replace it, or reboot it once nothing of the old engine starts there: what is in its kernel polices pods still",
)  # fmt: skip

ASKED = frozenset(
    {
        "admission-lets-policy-endpoints-pass",
        "agent-container-is-present",
        "agent-may-read-policy-endpoints",
        "agent-switch-is-on",
        "controller-may-write-policy-endpoints",
        "controller-switch-is-on",
        "controller-switch-value-is-literal",
        "every-node-runs-the-agent",
        "no-engine-namespace-hangs",
        "no-objects-of-former-engines-remain",
        "no-other-program-holds-the-hooks",
        "no-stale-engine-api-remains",
        "no-stale-engine-hook-remains",
        "policy-endpoint-definition-is-served",
        "policy-endpoints-come-from-the-controller",
        "rollout-is-finished",
    }
)
"""Checks of preflight that ask what has to hold after a migration as well."""

_OF_NOW = ("taken_at", "pods", "namespaces", "services", "nodes")


@dataclass(frozen=True, slots=True)
class Before:
    """What a migration began from: the look that was kept then, and the nodes whose kernels the run has cleaned since."""

    snapshot: ClusterSnapshot
    cleaned: frozenset[str] = frozenset()


def verify(
    snapshot: ClusterSnapshot,
    before: Before | None = None,
    settings: Settings | None = None,
    *,
    profile: Profile | None = None,
    taken: Iterable[Accepted] = (),
) -> Report:
    """Return whether the cluster in *snapshot* has left its other engine, as a report.

    With *before* what flows now is held to what flowed then, under the engine of then, and nodes of then are named whose kernels
    may still hold its rules; without it both are unknown. *profile* is what the VPC CNI is taken to be, *taken* what somebody has
    taken on by name.
    """
    catalog()
    facts = Lookup(snapshot)
    asked = [check for check in checks() if check.id in ASKED]
    report = judge(run(asked, snapshot, facts), settings or Settings(), snapshot, intent=Intent.VERIFY)
    meant = changed(profile or Profile(family=World.of(snapshot).family or "ipv4"), semantics=Semantics.VPC_CNI)
    results = (_gone(facts), *_flows(snapshot, before, meant, taken), _nodes(snapshot, before), *report.results)
    code = _exit_code(results, report.exit_code)
    return replace(report, results=results, exit_code=code, verdict=verdict_of(code))


def _exit_code(results: Iterable[CheckResult], otherwise: int) -> int:
    """Return 1 where something that must hold does not, 3 where it could not be told, else what the checks come to."""
    decisive = [r for r in results if r.family == FAMILY and r.severity is Severity.BLOCKER]
    if any(r.open_findings for r in decisive) or otherwise == 1:
        return 1
    return 3 if any(r.outcome is Outcome.UNKNOWN for r in decisive) else otherwise


def _gone(facts: Lookup) -> CheckResult:
    engines = facts.get("engines")
    if isinstance(engines, Unread):
        return _unknown(GONE, engines.reason)
    there: list[Presence] = [one for one in engines.value if one.life is not Life.RESIDUE]
    found = (
        (Finding(Subject("Engine", p.name), f"{p.title} is {p.life.value}", GONE.remedy, evidence=p.evidence), "") for p in there
    )
    return result(GONE, found)


def cleaned_by(plan: Plan, entries: Iterable[Entry]) -> frozenset[str]:
    """Return the nodes whose kernels the run of *plan* has rid of the old engine's rules, as its journal tells."""
    past = past_of(tuple(entries))
    proven = {s.until.ref for s in plan.steps if isinstance(s.until, Completed) and past.of(s.id).done}
    jobs = (s.action.object for s in plan.steps if isinstance(s.action, Create) and s.action.ref in proven)
    return frozenset(str(job["spec"]["template"]["spec"].get("nodeName", "")) for job in jobs)


# --- what flows -----------------------------------------------------------------------------------------------------------


def _flows(
    snapshot: ClusterSnapshot, before: Before | None, profile: Profile, taken: Iterable[Accepted]
) -> Iterator[CheckResult]:
    try:
        found = _differences(snapshot, before, profile)
    except EksNetpolError as error:
        yield from (_unknown(rule, str(error)) for rule in (WIDER, STRICTER))
        return
    names = {one.what: one.words for one in taken if not one.is_loss}
    gained = [
        (_of(ref, shown, "more flows now than it let through", WIDER.remedy), names.get(str(ref[0]), ""))
        for ref, shown in found.gained.items()
    ]
    gained += [(Finding(Subject("Cluster", "cluster"), note, WIDER.remedy), "") for note in found.notes]
    lost = [(_of(ref, shown, "let more through than holds now", STRICTER.remedy), "") for ref, shown in found.lost.items()]
    yield result(WIDER, gained)
    yield result(STRICTER, lost)


def _differences(now: ClusterSnapshot, before: Before | None, profile: Profile) -> Differences:
    """Return what today's pods have under the VPC CNI's policies of now and would not have under the engine of then, or had.

    The policies of then are read over the pods, namespaces, Services and nodes of now: what moved since is not counted.
    """
    if before is None:
        raise EksNetpolError("what flowed before is not known: name the run with --run, or a snapshot of then with --before")
    for name in ("network_policies", "pods", "namespaces"):
        section = getattr(now, name)
        if isinstance(section, Unread):
            raise EksNetpolError(f"{name.replace('_', ' ')} could not be read: {section.reason}")
    moved = {name: getattr(now, name) for name in _OF_NOW}
    source = source_of(replace(before.snapshot, **moved))
    world = World.of(now)
    policed = changed(source.world, network_policies=world.network_policies, cluster_policies=world.cluster_policies)
    return compare(source.stack, policed, Options(vpc=source.vpc, profile=profile), ())


def _of(ref: Ref, shown: Witness, words: str, remedy: str) -> Finding:
    subject, place = ref
    return Finding(subject, f"{place}: {words}" if place else words, remedy, evidence=(f"for example {shown}",))


# --- nodes ----------------------------------------------------------------------------------------------------------------


def _nodes(snapshot: ClusterSnapshot, before: Before | None) -> CheckResult:
    nodes = snapshot.nodes
    if isinstance(nodes, Unread):
        return _unknown(CLEAN, nodes.reason)
    if before is None or not isinstance(before.snapshot.nodes, Seen):
        why = "which nodes the old engine ran on is not known: name the run with --run, or a snapshot with --before"
        return _unknown(CLEAN, why)
    then = {_identity(node) for node in before.snapshot.nodes.value}
    kept = [n for n in nodes.value if _identity(n) in then and n.metadata.name not in before.cleaned]
    words = "it is of before, and no run has cleaned it: its kernel may hold old rules"
    found = ((Finding(Subject("Node", n.metadata.name), words, CLEAN.remedy), "") for n in kept)
    return result(CLEAN, found)


def _identity(node: Node) -> tuple[str, str]:
    return node.metadata.name, node.metadata.uid


def _unknown(rule: Rule, why: str) -> CheckResult:
    return unknown(rule, (Unknown(Subject("Cluster", "cluster"), why),))
