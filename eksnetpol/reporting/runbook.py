"""A runbook: the migration of one cluster as Markdown, for the change ticket and for those who do it by hand.

Nodes leave the old engine alike, so that one of each batch is written out unless everything is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from functools import lru_cache
from itertools import groupby

from jinja2 import Environment, StrictUndefined, Template

from eksnetpol.assets.locate import root
from eksnetpol.model.actions import Create, Look
from eksnetpol.model.kinds import ObjectRef
from eksnetpol.model.plan import Plan, Step
from eksnetpol.reporting import by_hand
from eksnetpol.reporting.escape import markdown as md
from eksnetpol.reporting.escape import markdown_block
from eksnetpol.reporting.plan_view import duration

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


def write(plan: Plan, lifted: Collection[str] = (), *, everything: bool = False) -> str:
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
        chapters=list(_chapters(plan, everything=everything)),
    )
    return text.rstrip() + "\n"


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
