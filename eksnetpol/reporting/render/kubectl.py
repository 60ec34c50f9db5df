"""Manifests for kubectl: the fields that the plan sets, in its order, with the commands that set them and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eksnetpol.model.actions import Apply, Create, CreateAddon, UpdateAddon
from eksnetpol.model.plan import Step
from eksnetpol.reporting.render.cloudformation import dumped
from eksnetpol.reporting.render.commands import commands_of
from eksnetpol.reporting.render.order import Order, comment, first_wave, head


def write(order: Order) -> str:
    """Return the objects as YAML documents; without any, the commands alone."""
    steps = first_wave(order.plan)
    applied = [s for s in steps if isinstance(s.action, Apply | Create)]
    text = comment([*head(order, ()), *_procedure(order, steps, applied)])
    documents = [s.action.object for s in applied if isinstance(s.action, Apply | Create)]
    return text + "".join(f"---\n{dumped(_shown(d))}" for d in documents)


def _procedure(order: Order, steps: tuple[Step, ...], applied: list[Step]) -> Iterator[str]:
    """Yield the steps in their order: the documents are applied where the first of them stands."""
    yield ""
    yield "In this order:"
    number = 0
    done = False
    for step in steps:
        if isinstance(step.action, Apply | Create):
            if done:
                continue
            done = True
            number += 1
            yield from _apply(applied, number)
            continue
        number += 1
        if isinstance(step.action, UpdateAddon | CreateAddon):
            yield f"{number}. {step.title}: render it --as terraform, cloudformation, cdk, eksctl or aws-cli"
            continue
        yield f"{number}. {step.title}"
        yield from (f"    {line}" for line in commands_of(step))
    if len(steps) < len(order.plan.steps):
        yield ""
        yield "This is the first of several updates, one minor version at a time."
        yield "When it has rolled out, render again for the next."
        yield "When it has rolled out, render again for the next."
    elif order.plan.afterwards:
        yield ""
        yield from order.plan.afterwards


def _apply(applied: list[Step], number: int) -> Iterator[str]:
    yield f"{number}. {'; '.join(s.title for s in applied)}:"
    yield "   the documents below are the fields that change, for manifests in a repository; on the cluster itself:"
    for step in applied:
        yield from (f"    {line}" for line in commands_of(step))
    takes = (t for s in applied if isinstance(s.action, Apply) for t in s.action.takes)
    taking = tuple(dict.fromkeys(f"{t.path} (of {t.manager})" for t in takes))
    if taking:
        yield "These fields are other managers' today, who may write them again:"
        yield from (f"    {field}" for field in taking)


def _shown(obj: dict[str, Any]) -> dict[str, Any]:
    """Return *obj* with its keys in the order people expect."""
    first = {key: obj[key] for key in ("apiVersion", "kind", "metadata") if key in obj}
    return first | obj
