"""A runbook: the migration of one cluster as Markdown, for the change ticket and for those who do it by hand.

Nodes leave the old engine alike, so that one of each batch is written out unless everything is asked for.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from functools import lru_cache
from itertools import groupby

from jinja2 import Environment, StrictUndefined, Template

from eksnetpol.assets.locate import root
from eksnetpol.facts.owners import Owner, Tool
from eksnetpol.migration.planning.phases import CONTROLLER
from eksnetpol.migration.timeline import Rehearsal
from eksnetpol.model.actions import Create, CreateAddon, DeleteAddon, Look, Probe, UpdateAddon
from eksnetpol.model.conditions import Ready, conditions
from eksnetpol.model.kinds import ObjectRef
from eksnetpol.model.plan import Plan, Step
from eksnetpol.planning.disable_policies import leavings
from eksnetpol.reporting import by_hand, rehearsal_view
from eksnetpol.reporting.escape import markdown as md
from eksnetpol.reporting.escape import markdown_block
from eksnetpol.reporting.plan_view import duration
from eksnetpol.reporting.view import plural
from eksnetpol.translation.values import Accepted, Translation, Verdict

_LAST = frozenset({"uninstall/agents-gone", "close/verify"})
"""Steps that see whether it has come to its end."""

_OF_A_NODE = re.compile(r"roll/(?!batch-)(?P<node>[^/]+)/(?P<what>[^/]+)")


@dataclass(frozen=True)
class Page:
    """One step as it is printed."""

    id: str
    title: str
    commands: str
    gates: tuple[tuple[str, str], ...]
    patience: str
    disrupts: str
    way_back: str
    back: str
    one_way: str
    door: str
    alike: tuple[str, ...] = ()
    """Further nodes that are treated alike."""


@dataclass(frozen=True)
class Chapter:
    """A phase."""

    name: str
    pages: list[Page] = field(default_factory=list)


@dataclass(frozen=True)
class Beside:
    """What a change ticket has to say beside the plan: translation, rehearsal, what was taken on, who owns what."""

    translation: Translation | None = None
    rehearsal: Rehearsal | None = None
    accepted: tuple[Accepted, ...] = ()
    owners: tuple[Owner, ...] = ()


_PLAN_ALONE = Beside()


def write(plan: Plan, lifted: Collection[str] = (), *, everything: bool = False, beside: Beside = _PLAN_ALONE) -> str:
    """Return the runbook of *plan*, without refusals whose flags are *lifted*; with *everything* every node is written out."""
    text = _template().render(
        title=plan.title,
        cluster=plan.target.title,
        digest=plan.digest,
        made_at=plan.made_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        refusals=[refusal.why for refusal in plan.refusals if not refusal.flag or refusal.flag not in lifted],
        facts=plan.facts,
        warnings=plan.warnings,
        afterwards=plan.afterwards,
        roles=list(_roles(plan, beside)),
        rehearsal=beside.rehearsal,
        forecast=[] if beside.rehearsal is None else list(rehearsal_view.rows(beside.rehearsal)),
        headline="" if beside.rehearsal is None else rehearsal_view.headline(beside.rehearsal),
        broken=[] if beside.rehearsal is None else list(_broken(beside.rehearsal)),
        lost=[] if beside.rehearsal is None else list(rehearsal_view.lost(beside.rehearsal)),
        verdicts=[] if beside.translation is None else list(_verdicts(beside.translation)),
        accepted=beside.accepted,
        stricter=[] if beside.translation is None else list(_stricter(beside.translation)),
        pauses=list(_pauses(beside.owners)),
        tools=list(_tools(plan)),
        doors=list(dict.fromkeys(step.door for step in plan.steps if step.door)),
        ways_back=list(_ways_back(plan)),
        leavings=_leavings(plan),
        ends=list(_ends(plan)),
        probed=any(isinstance(step.action, Probe) for step in plan.steps),
        chapters=list(_chapters(plan, everything=everything)),
    )
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


@lru_cache(maxsize=1)
def _template() -> Template:
    made = Environment(
        autoescape=False,  # noqa: S701 - Markdown: what others named goes through `md`, commands stand in fences
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["md"] = md
    return made.from_string((root("templates") / "runbook" / "migration.md.j2").read_text(encoding="utf-8"))


def _chapters(plan: Plan, *, everything: bool) -> Iterator[Chapter]:
    made: set[ObjectRef] = set()
    for phase, members in groupby(plan.steps, key=lambda step: step.phase):
        steps = list(members)
        alike = {} if everything else _alike(steps)
        shown = [step for step in steps if step.id not in {other for others in alike.values() for other in others}]
        yield Chapter(phase, [_page(step, plan, alike.get(step.id, ()), made) for step in shown])


def _alike(steps: list[Step]) -> dict[str, tuple[str, ...]]:
    """Return by the first step of each kind in a batch of nodes the ids of those that do the same on the others.

    Only within a batch: who works by hand must not go on to nodes before whose batch there is a gate.
    """
    found: dict[str, list[str]] = {}
    lead: dict[str, str] = {}
    for step in steps:
        read = _OF_A_NODE.fullmatch(step.id)
        if read is None:
            if step.id.endswith("/gate"):
                lead.clear()
            continue
        what = read["what"]
        if what in lead:
            found.setdefault(lead[what], []).append(step.id)
        else:
            lead[what] = step.id
    return {first: tuple(others) for first, others in found.items()}


def _page(step: Step, plan: Plan, alike: tuple[str, ...], made: set[ObjectRef]) -> Page:
    doing, undoing = by_hand.doing(step, plan), by_hand.undoing(step, plan)
    if isinstance(step.action, Create):
        # What an earlier step has created is there already.
        doing, undoing = (doing, undoing) if step.action.ref not in made else ((), ())
        made.add(step.action.ref)
    nodes = tuple(read["node"] for one in alike if (read := _OF_A_NODE.fullmatch(one)) is not None)
    return Page(
        id=step.id,
        title=step.title,
        commands=markdown_block("\n".join(doing)) if doing else "",
        gates=by_hand.gates(step, plan),
        patience="" if isinstance(step.action, Look) and step.patience < 1 else duration(step.patience),
        disrupts=step.disrupts,
        way_back=step.undo.title if step.undo is not None and (undoing or not isinstance(step.action, Create)) else "",
        back=markdown_block("\n".join(undoing)) if undoing else "",
        one_way=step.one_way,
        door=step.door,
        alike=nodes,
    )


# --- for those who sign it off ----------------------------------------------------------------------------------------


def _roles(plan: Plan, beside: Beside) -> Iterator[tuple[str, str]]:
    """Yield who is needed, and for what; nobody who has nothing to do in this plan."""
    yield "whoever leads the change", "says before each phase that it may begin, and when to stop"
    yield "whoever carries it out", "does the steps, or starts the run, and keeps the back-up's files where others find them"
    if any(step.door for step in plan.steps):
        yield "a second person", "confirms each one-way door, having seen its gate"
    if beside.translation is None or any(_stricter(beside.translation)):
        yield "owners of applications", "have signed what becomes stricter for them, and watch their own in phases 5b and 6"
    if any(owner.tool is not Tool.EKSCTL for owner in beside.owners):
        yield "owners of tools that write the same", "pause them before phase 1, until their source says the same"
    if any(isinstance(one, Ready) and one.label for step in plan.steps for one in conditions(step.until)):
        yield "owners of node groups", "bring new nodes that carry the label, and take drained ones away"


def _broken(done: Rehearsal) -> Iterator[str]:
    if done.error:
        yield f"it stopped: {done.error}"
    yield from (rehearsal_view.violation(one) for one in done.violations)


def _verdicts(done: Translation) -> Iterator[tuple[str, int, int]]:
    """Yield each verdict with how many policies and how many rules have it, the worst first."""
    for verdict in reversed(Verdict):
        judged = [one for one in done.judged if one.verdict is verdict]
        if judged:
            yield verdict.value, sum(not one.place for one in judged), sum(bool(one.place) for one in judged)


def _stricter(done: Translation) -> Iterator[tuple[str, str, str]]:
    """Yield what flows no longer: policy and rule, why, and one connection."""
    by_rules = {one.ref for one in done.judged if one.place and one.verdict in {Verdict.STRICTER, Verdict.NONE}}
    for one in done.judged:
        if one.verdict in {Verdict.STRICTER, Verdict.NONE} and (one.place or one.ref not in by_rules):
            yield f"{one.ref} {one.place}".strip(), one.reason, "" if one.witness is None else str(one.witness)


def _pauses(owners: Iterable[Owner]) -> Iterator[tuple[str, str]]:
    """Yield whom to pause, with the command where there is one that fits."""
    for owner in dict.fromkeys(owners):
        who = f"{owner.tool} {owner.name}".strip()
        said = f"{who} owns {owner.of} ({owner.evidence})"
        # Labels of Argo CD name an application with its namespace or its group before it.
        name = re.split(r"[:/]", owner.name)[0] if owner.tool is Tool.ARGO_CD else owner.name
        if owner.tool is Tool.ARGO_CD and name:
            patch = shlex.quote('{"spec":{"syncPolicy":{"automated":null}}}')
            yield said, f"kubectl -n argocd patch applications.argoproj.io {shlex.quote(name)} --type=merge -p {patch}"
        elif owner.tool is Tool.FLUX and name:
            kind = "helmrelease" if "helm" in owner.evidence else "kustomization"
            yield said, f"flux suspend {kind} {shlex.quote(name)}"
        else:
            yield f"{said}: nobody runs it until its source says what is written here", ""


def _tools(plan: Plan) -> Iterator[tuple[str, str]]:
    target = plan.target
    where = f" --context {shlex.quote(target.context)}" if target.context else ""
    if target.cluster and target.region:
        where = f" --cluster {shlex.quote(target.cluster)} --region {shlex.quote(target.region)}"
    yield "kubectl speaks with this cluster", "kubectl config current-context && kubectl cluster-info"
    yield "you may do what is written here", f"eksnetpol permissions check migrate run{where}"
    if any(isinstance(step.action, UpdateAddon | CreateAddon | DeleteAddon) for step in plan.steps):
        yield "the AWS CLI speaks for the account of this cluster", "aws sts get-caller-identity"


def _ways_back(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield for each phase what going back from its end takes."""
    for phase, members in groupby(plan.steps, key=lambda step: step.phase):
        steps = list(members)
        one_way = list(dict.fromkeys(step.one_way for step in steps if step.one_way))
        undone = sum(step.undo is not None and not isinstance(step.undo.action, Look) for step in steps)
        if one_way:
            yield phase, f"one way: {'; '.join(one_way)}"
        elif undone:
            yield phase, f"{plural(undone, 'step')} to take back, the last one first"
        else:
            yield phase, "nothing to take back"


def _leavings(plan: Plan) -> str:
    """Return what frees policies of what the controller leaves behind; nothing where the plan does not switch it on."""
    if not any(step.undo is not None and step.phase == CONTROLLER for step in plan.steps):
        return ""
    return markdown_block("\n".join(command for step in leavings() for command in by_hand.doing(step, plan)))


def _ends(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what is looked at in the end: that the old engine is gone, and what has to hold from then on."""
    last = [step for step in plan.steps if isinstance(step.action, Look) and step.id in _LAST]
    return iter(dict.fromkeys(gate for step in last for gate in by_hand.gates(step, plan)))
