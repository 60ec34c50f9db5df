"""Phase 5: the VPC CNI is brought to enforce beside the old engine: first the controller alone, then the agents.

Engines of iptables and nftables share a node with the agent, and then both have to let a packet through. An eBPF engine does not:
there the agent may only come to nodes that have never had the old one, so ``aws-node`` is updated node by node (OnDelete), and
only new nodes get its new template.
"""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.migration.planning import phases
from eksnetpol.migration.planning.excluding import excluding
from eksnetpol.migration.planning.leaving import IN_PLACE, LABELLED, Leaving
from eksnetpol.migration.planning.options import MigrateOptions
from eksnetpol.migration.planning.sources import Sources
from eksnetpol.model.actions import Apply, Create, UpdateAddon
from eksnetpol.model.conditions import All, Holds
from eksnetpol.model.kinds import Json
from eksnetpol.model.plan import Plan, Step, Undo
from eksnetpol.planning import live, places
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.enable import plan_enable
from eksnetpol.planning.enable_agent import taken
from eksnetpol.planning.options import EnableOptions
from eksnetpol.planning.places import AWS_NODE, ROLLED
from eksnetpol.planning.reading import known

_ROLLS = "roll-out"
_STARTUP_TAINT = "node.cilium.io/agent-not-ready"
_COVERS_WITHIN = 1800.0


def enabling(facts: Lookup, left: Leaving, sources: Sources, options: MigrateOptions) -> tuple[Draft, Plan]:
    """Return the steps of phase 5, and the plan to enable that they are of. Raises as `plan_enable`."""
    plan = plan_enable(facts, EnableOptions(resolve=options.resolve, values=options.values))
    by_node = left.engine not in IN_PLACE and left.has_agent
    exclusion = excluding(left, phases.AGENT) if by_node else Draft()
    steps = tuple(_steps(facts, plan, exclusion, sources, by_node=by_node))
    warnings = [*plan.warnings]
    if by_node:
        warnings.append(
            "with update strategy OnDelete a node of before keeps its aws-node as it is until that pod goes: do not delete "
            f"aws-node pods of nodes that {left.title} still polices, or both eBPF engines are on one node"
        )
        warnings.append(
            f"as soon as the agent is switched on, every node that comes has to carry {LABELLED} from its first second: one "
            f"without gets {left.title} and the VPC CNI's agent both. Autoscaled node groups need the label before that"
        )
        warnings.append(
            f"take the start-up taint {_STARTUP_TAINT} out of node groups and NodePools: {left.title} alone takes it off a node, "
            "so that new nodes would take no pods"
        )
        warnings.append(
            f"{left.title} knows pods by its own agents: on old nodes, rules by label do not match pods of new nodes, so that "
            "some flows from there are cut off until the last old node is gone"
        )
    return Draft(
        steps=steps,
        changes=(*plan.changes, *exclusion.changes),
        forecasts=plan.forecasts,
        facts=(*plan.facts, *exclusion.facts),
        warnings=tuple(warnings),
        refusals=plan.refusals,
        afterwards=plan.afterwards,
    ), plan


def _steps(facts: Lookup, plan: Plan, exclusion: Draft, sources: Sources, *, by_node: bool) -> Iterator[Step]:
    first = [step for step in plan.steps if _is_of_controller(step)]
    then = [step for step in plan.steps if step not in first]
    yield from phases.in_phase(first, phases.CONTROLLER, prefix="enable")
    if not any(isinstance(step.action, UpdateAddon) for step in then):
        yield _covered("covered", sources, phases.CONTROLLER)
    if by_node:
        yield from exclusion.steps
        yield from _by_node(facts)
        then = [step for step in then if step.id != _ROLLS]
    yield from phases.in_phase(then, phases.AGENT, prefix="enable")
    if any(isinstance(step.action, UpdateAddon) for step in then):
        # EKS switches both on at once; the old engine still has its say while the policies are being resolved.
        yield _covered("covered", sources, phases.AGENT)
    if not by_node:
        title = f"See that {AWS_NODE} runs its present template on every node, and that every policy is resolved"
        until = All((places.agent_told("true"), ROLLED, sources.covered))
        yield phases.look("enforces", title, until, phases.AGENT, patience=_COVERS_WITHIN)


def _is_of_controller(step: Step) -> bool:
    """Say whether a step is to be done before any agent is: EKS's own update is not, nor what only looks after it."""
    return isinstance(step.action, Apply | Create) and step.action.ref != AWS_NODE


def _covered(name: str, sources: Sources, phase: str) -> Step:
    before = ", before any agent acts on it" if phase == phases.CONTROLLER else ""
    what = "NetworkPolicy and ClusterNetworkPolicy" if sources.cluster else "NetworkPolicy"
    title = f"Wait until every {what} is resolved for every pod it selects{before}"
    return phases.look(name, title, sources.covered, phase, patience=_COVERS_WITHIN)


def _by_node(facts: Lookup) -> Iterator[Step]:
    """Yield the step after which a new template of ``aws-node`` comes to new nodes alone, where it does not already."""
    cni: VpcCni | None = known(facts, "vpc_cni")
    if cni is None or cni.workload.spec.update_strategy.type == "OnDelete":
        return
    after = strategy("OnDelete")
    before = strategy(cni.workload.spec.update_strategy.type or "RollingUpdate")
    yield Step(
        id="enable/by-node",
        title=f"Let a new template of {AWS_NODE} come to a node only with a new pod (update strategy OnDelete)",
        action=Apply(after, taken(live.daemonset(cni), after), keeps=True),
        until=Holds(after),
        undo=Undo(f"Let {AWS_NODE} roll by itself again", Apply(before, keeps=True), Holds(before)),
        phase=phases.AGENT,
    )


def strategy(kind: str) -> Json:
    """Return ``aws-node`` with its update strategy alone."""
    return {**places.aws_node(), "spec": {"updateStrategy": {"type": kind}}}
