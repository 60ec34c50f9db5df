"""Why a plan is not carried out: somebody else owns what it would change, or something is under way already.

A plan is made and shown all the same. Only a foreign owner can be overridden, by saying so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from eksnetpol.assets.codes import issue
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.owners import Owner, Owners, Tool
from eksnetpol.model.eks import Addon, Cluster, Update
from eksnetpol.model.plan import Refusal
from eksnetpol.planning.reading import known

TAKE_OVER = "--take-over"

RENDER_AS = {
    Tool.HELM: "helm-values",
    Tool.ARGO_CD: "kubectl",
    Tool.FLUX: "kubectl",
    Tool.TERRAFORM: "terraform",
    Tool.PULUMI: "aws-cli",
    Tool.CLOUDFORMATION: "cloudformation",
    Tool.EKSCTL: "eksctl",
}
"""The form of `eksnetpol render` that the owner's own sources take."""

_BUSY = frozenset({"CREATING", "UPDATING", "DELETING", "PENDING"})
_NEVER_CAME_UP = frozenset({"CREATE_FAILED", "DELETE_FAILED"})


def under_way(facts: Lookup) -> Iterator[Refusal]:
    """Yield why now is not the time: the cluster or its add-on are being changed, or the add-on is in no state to be."""
    cluster: Cluster | None = known(facts, "cluster")
    addon: Addon | None = known(facts, "addon")
    updates: tuple[Update, ...] = known(facts, "addon_updates", ())
    if cluster is not None and cluster.status in _BUSY:
        yield Refusal(f"the cluster is {cluster.status}: wait until EKS says ACTIVE, then plan again")
    elif cluster is not None and cluster.status == "FAILED":
        yield Refusal("the cluster is FAILED: EKS takes no changes of its add-ons")
    if addon is None:
        return
    if addon.status in _BUSY:
        yield Refusal(f"the add-on {addon.addon_name} is {addon.status}: wait until EKS has finished, then plan again")
    elif addon.status in _NEVER_CAME_UP:
        yield Refusal(
            f"the add-on {addon.addon_name} is {addon.status}{_issues(addon)}: remove it and keep what it installed "
            f"(aws eks delete-addon --addon-name {addon.addon_name} --preserve), then run: eksnetpol enable --adopt"
        )
    running = [u for u in updates if u.status == "InProgress"]
    if running and addon.status not in _BUSY:
        yield Refusal(
            f"update {running[0].id} of the add-on {addon.addon_name} is in progress: wait for its end, then plan again"
        )


def state_warnings(facts: Lookup) -> Iterator[str]:
    """Yield what to know of an add-on that is not well, yet may be changed."""
    addon: Addon | None = known(facts, "addon")
    if addon is None:
        return
    if addon.status == "DEGRADED":
        often = "another update often heals it, but look at the cause first"
        yield f"the add-on is DEGRADED{_issues(addon)}: {often}{_next_steps(addon)}"
    elif addon.status == "UPDATE_FAILED":
        yield f"the last update of the add-on failed{_issues(addon)}: its objects may be as they were before, or half-way"
    elif addon.health.issues:
        yield f"EKS reports issues of the add-on{_issues(addon)}{_next_steps(addon)}"


def foreign(owners: Owners, things: Collection[str], *, but: Collection[Tool] = ()) -> Iterator[Refusal]:
    """Yield a refusal for each tool, but those in *but*, that owns one of *things*, with what to do instead."""
    by_tool: dict[Tool, list[Owner]] = {}
    for owner in owners.of(*things):
        if owner.tool not in but:
            by_tool.setdefault(owner.tool, []).append(owner)
    for tool, owned in by_tool.items():
        yield Refusal(_words(tool, owned), TAKE_OVER)


def _words(tool: Tool, owned: list[Owner]) -> str:
    things = " and ".join(f"{o.of} ({o.evidence})" for o in owned)
    name = next((o.name for o in owned if o.name), "")
    who = f"{tool} {_called(tool)} {name}" if name and _called(tool) else str(tool)
    verb = "owns" if any(o.certain for o in owned) else "seems to own"
    return (
        f"{who} {verb} {things}: its next run would take the change back. Make the change there; "
        f"this prints it: eksnetpol render --as {RENDER_AS[tool]}"
    )


def _called(tool: Tool) -> str:
    match tool:
        case Tool.HELM:
            return "release"
        case Tool.ARGO_CD:
            return "application"
        case Tool.FLUX:
            return "resource"
        case Tool.CLOUDFORMATION | Tool.EKSCTL:
            return "stack"
        case _:
            return ""


def _issues(addon: Addon) -> str:
    said = (f"{i.code}: {i.message}" if i.message else f"{i.code}: {issue(i.code).words}" for i in addon.health.issues)
    return f" ({'; '.join(said)})" if addon.health.issues else ""


def _next_steps(addon: Addon) -> str:
    steps = dict.fromkeys(issue(i.code).next_step for i in addon.health.issues)
    return f". What to do: {'; '.join(steps)}" if steps else ""
