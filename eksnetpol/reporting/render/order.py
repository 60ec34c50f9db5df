"""What is to be written: a plan, and the few facts about the cluster that its languages ask for."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eksnetpol.errors import UsageError
from eksnetpol.facts.configuration import parse_values
from eksnetpol.facts.vpc_cni import CNI_CONTAINER
from eksnetpol.model.actions import Apply, BackUp, Create, CreateAddon, Delete, StripFinalizer, UpdateAddon
from eksnetpol.model.conditions import RolledOut
from eksnetpol.model.eks import Addon
from eksnetpol.model.kinds import DAEMONSET, ObjectRef
from eksnetpol.model.plan import Plan, Step
from eksnetpol.model.versions import ImageReference
from eksnetpol.reporting import plan_view
from eksnetpol.reporting.escape import one_line

WIDTH = 100
"""Columns of a comment; commands in it are never folded."""

LONGEST = 1000
"""Characters of a command that stands in a comment: a whole definition does not."""

SERVICE_ACCOUNT = "aws-node"


@dataclass(frozen=True, slots=True)
class HelmRelease:
    """The release that owns ``aws-node``; ``version`` is that of the running CNI, which the chart's is too."""

    name: str
    namespace: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A plan to be written. ``addon`` is the add-on as it is today, ``values`` the further settings the person asked for.

    ``needs_agent`` is True where ``aws-node`` has no agent container yet; ``family`` is empty where it is not known.
    """

    plan: Plan
    addon: Addon | None = None
    helm: HelmRelease | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    needs_agent: bool = False
    family: str = ""

    @property
    def addon_steps(self) -> tuple[Step, ...]:
        """The steps that give the add-on a version and configuration."""
        return tuple(s for s in self.plan.steps if isinstance(s.action, UpdateAddon | CreateAddon))

    @property
    def object_steps(self) -> tuple[Step, ...]:
        """The steps that write or remove objects of the Kubernetes API."""
        kinds = Apply | Create | Delete | StripFinalizer | BackUp
        return tuple(s for s in self.plan.steps if isinstance(s.action, kinds))

    @property
    def cluster(self) -> str:
        """The cluster's name; raises `UsageError` where it is not known."""
        return self._known(self.plan.target.cluster, "name", "--cluster NAME")

    @property
    def region(self) -> str:
        """The cluster's region; raises `UsageError` where it is not known."""
        return self._known(self.plan.target.region, "region", "--region REGION")

    def _known(self, text: str, what: str, flag: str) -> str:
        if not text:
            raise UsageError(f"the cluster's {what} is not known, and the document has to name it; give {flag}")
        return text


@dataclass(frozen=True, slots=True)
class AddonChange:
    """The one state of the add-on that a document describes, the first on the way. ``then`` are the versions after it."""

    action: UpdateAddon | CreateAddon
    values: dict[str, Any]
    then: tuple[str, ...]

    @property
    def creates(self) -> bool:
        """True when EKS does not manage the add-on yet."""
        return isinstance(self.action, CreateAddon)


def addon_change(order: Order) -> AddonChange:
    """Return the state that a document which describes one state describes."""
    first, *rest = [s.action for s in order.addon_steps if isinstance(s.action, UpdateAddon | CreateAddon)]
    return AddonChange(first, values_of(first), tuple(action.version for action in rest))


def values_of(action: UpdateAddon | CreateAddon) -> dict[str, Any]:
    """Return the configuration values of *action* as a document."""
    values: dict[str, Any] = parse_values(action.configuration_values) or {}
    return values


def first_wave(plan: Plan) -> tuple[Step, ...]:
    """Return the steps up to where an object is written a second time, which is the next version: nodes roll in between."""
    seen: set[ObjectRef] = set()
    rolled = 0
    for number, step in enumerate(plan.steps):
        if isinstance(step.action, Apply | Create):
            if step.action.ref in seen:
                return plan.steps[: rolled or number]
            seen.add(step.action.ref)
        if isinstance(step.until, RolledOut):
            rolled = number + 1
    return plan.steps


def first_update(order: Order) -> tuple[Step, ...]:
    """Return the steps up to where the add-on is updated a second time."""
    _, *more = order.addon_steps or (None,)
    return order.plan.steps[: order.plan.steps.index(more[0])] if more and more[0] is not None else order.plan.steps


def versions_on_the_way(plan: Plan) -> tuple[str, ...]:
    """Return the releases of the CNI that *plan* brings ``aws-node`` to, one after the other, without ``v``."""
    images = (
        str(container.get("image", ""))
        for step in plan.steps
        if isinstance(step.action, Apply) and step.action.ref.kind == DAEMONSET.name
        for container in step.action.object.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())
        if container.get("name") == CNI_CONTAINER
    )
    releases = (ImageReference.parse(image).release for image in images)
    return tuple(str(release.base).removeprefix("v") for release in releases if release is not None)


def is_the_same(order: Order, change: AddonChange) -> bool:
    """Say whether the add-on was told all of this already: then only an update can bring back what was changed by hand."""
    addon = order.addon
    if addon is None or change.creates:
        return False
    try:
        told = parse_values(addon.configuration_values) or {}
    except ValueError:
        return False
    return bool((addon.addon_version, told) == (change.action.version, change.values))


def compact(values: Mapping[str, Any]) -> str:
    """Return configuration values as one line of JSON in ASCII, in which nothing is a workflow command to a CI runner."""
    return json.dumps(values, separators=(",", ":"), sort_keys=True).replace("##[", "#\\u0023[")


def comment(lines: Iterable[str], mark: str = "#") -> str:
    """Return *lines* as comments, folded; those that begin with four blanks are commands and stay whole."""
    done: list[str] = []
    for line in lines:
        shown = one_line(line)
        if line.startswith("    "):
            done.append(f"{mark}   {one_line(line.strip())}")
        else:
            folded = textwrap.wrap(shown, WIDTH - len(mark) - 1, break_long_words=False, break_on_hyphens=False)
            done += [f"{mark} {part}".rstrip() for part in folded or [""]]
    return "".join(f"{line}\n" for line in done)


def head(order: Order, where: Iterable[str]) -> Iterator[str]:
    """Yield the lines that every document begins with: what it does, and *where* it goes."""
    plan = order.plan
    sentence = plan_view.headline(plan).partition(": ")
    yield f"{sentence[0][:1].upper()}{sentence[0][1:]}."
    yield f"Written by eksnetpol {plan.tool} from a look at {plan.target.title}, for its owner to put in place."
    said = tuple(where)
    yield from ("", *said) if said else ()
    if plan.facts or plan.warnings:
        yield ""
        yield from (f"{fact[:1].upper()}{fact[1:]}." for fact in plan.facts)
        yield from (f"Mind: {warning}" for warning in plan.warnings)


def around(
    order: Order, written: Iterable[Step], steps: tuple[Step, ...] | None = None, *, afterwards: bool = True
) -> Iterator[str]:
    """Yield what is to be done before and after the *written* steps, with commands where there are any.

    *steps* are those to speak of, by default those up to a second update of the add-on. With *afterwards* also what the plan
    leaves to people.
    """
    from eksnetpol.reporting.render.commands import commands_of

    mine = {step.id for step in written}
    steps = first_update(order) if steps is None else steps
    first = next((n for n, step in enumerate(steps) if step.id in mine), 0)
    before = steps[:first]
    after = [s for s in steps[first:] if s.id not in mine]
    for title, told in (("Before it, in this order:", before), ("After it, in this order:", after)):
        if told:
            yield ""
            yield title
        for number, step in enumerate(told, 1):
            yield f"{number}. {step.title}"
            yield from (f"    {line}" for line in commands_of(step) if len(line) <= LONGEST)
    if afterwards and order.plan.afterwards:
        yield ""
        yield from order.plan.afterwards
