"""Phase 6: the old agent is kept off labelled nodes, and node by node the cluster leaves it, a few at a time.

*In place*: cordoned, labelled, and when its agent has gone and its rules stand still in the kernel, the cleaner takes them out,
while the VPC CNI's agent enforces all along. *Replacement*: new nodes carry the label from the start; old ones are drained, and
go.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from msgspec.structs import replace

from eksnetpol.assets.cleaner import OWN_COMMANDS, SECONDS, cleaner, cleaner_ref
from eksnetpol.facts.declare import Lookup
from eksnetpol.migration.planning import phases
from eksnetpol.migration.planning.excluding import excluding
from eksnetpol.migration.planning.gate import answering
from eksnetpol.migration.planning.leaving import IN_PLACE, LABEL, LABELLED, UNFINISHED, VALUE, Leaving, is_cordoned
from eksnetpol.migration.planning.options import Exit, MigrateOptions
from eksnetpol.migration.planning.probing import Probing
from eksnetpol.migration.planning.sources import Sources
from eksnetpol.model.actions import Apply, Create, Delete, Evict, Look, ObjectId
from eksnetpol.model.conditions import Absent, All, Completed, Condition, Evicted, Holds, Ready, Runs, Soaked
from eksnetpol.model.kinds import NODE, Json, ObjectRef
from eksnetpol.model.kubernetes import DisruptionBudget, Node
from eksnetpol.model.plan import Step, Undo
from eksnetpol.model.snapshot import Seen
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.looks import counted
from eksnetpol.planning.places import AWS_NODE

CORDONED = ".spec.unschedulable"
LABEL_PATH = f".metadata.labels.{LABEL}"
UNFINISHED_PATH = f".metadata.labels.{UNFINISHED}"
_AGENT_LEAVES = 600.0
_NEW_NODES = 3600.0
_DRAINS = 1800.0
_GOES = 3600.0
_NAMED = 5


def exiting(facts: Lookup, left: Leaving, sources: Sources, options: MigrateOptions, probing: Probing) -> Draft:
    """Return the exclusion of the old agent, and the batches. Raises `UsageError` for a batch that means nothing.

    An eBPF engine is excluded before the VPC CNI's agent comes to any node: see `enabling`.
    """
    draft = excluding(left, phases.EXIT) if left.engine in IN_PLACE else Draft()
    batches = tuple(_batches(left, options))
    # Pods that stay where they are stay resolved, and to ask for all of them costs.
    moved = (sources.covered,) if left.exit is Exit.REPLACEMENT else ()
    kept_off = Runs(left.ref, gone=True, label=LABELLED)
    before = All((sources.unchanged, kept_off, answering(facts), *moved))
    steps: list[Step] = []
    done = 0
    for number, nodes in enumerate(batches, 1):
        done += len(nodes)
        steps += _batch(left, before, options, f"batch-{number}", nodes, done, probing)
    return draft + Draft(
        steps=tuple(steps),
        facts=tuple(_facts(left, batches)),
        warnings=tuple(_budgets(facts)) if left.exit is Exit.REPLACEMENT and left.nodes else (),
        afterwards=tuple(_afterwards(left)),
    )


def _batches(left: Leaving, options: MigrateOptions) -> Iterator[tuple[Node, ...]]:
    start = 0
    for size in options.sizes(len(left.nodes)):
        yield left.nodes[start : start + size]
        start += size


def _batch(
    left: Leaving,
    before: Condition,
    options: MigrateOptions,
    batch: str,
    nodes: tuple[Node, ...],
    done: int,
    probing: Probing,
) -> Iterator[Step]:
    title = "See that nothing stumbles, nothing was put back, and the policies are those that were translated"
    yield _look(batch, "gate", title, before, 300.0)
    if left.exit is Exit.IN_PLACE:
        yield from _in_place(left, options, batch, nodes)
    else:
        yield from _replacement(left, options, batch, nodes, done)
    yield from probing.after(batch, tuple(node.name for node in nodes))
    if options.soak:
        title = f"Let {options.soak:g} s pass, and see whether the cluster does well"
        yield _look(batch, "soak", title, Soaked(options.soak), options.soak + 60.0)


def _look(batch: str, name: str, title: str, until: Condition, patience: float) -> Step:
    return phases.look(f"roll/{batch}/{name}", title, until, phases.EXIT, patience=patience)


# --- in place -------------------------------------------------------------------------------------------------------------


def _in_place(left: Leaving, options: MigrateOptions, batch: str, nodes: tuple[Node, ...]) -> Iterator[Step]:
    names = tuple(node.name for node in nodes)
    on = counted(len(names), "node")
    yield _look(batch, "enforced", f"See that the VPC CNI's agent enforces on {on}", Runs(AWS_NODE, names), _AGENT_LEAVES)
    for node in nodes:
        if node.name in left.cleaned_before:
            yield _forget(node)
        if not is_cordoned(node):
            yield _cordon(node)
    for node in nodes:
        yield _label(left, node)
    gone = Runs(left.ref, names, gone=True)
    yield _look(batch, "agents-gone", f"Wait until {left.ref.name} has left {on}", gone, _AGENT_LEAVES)
    for node in nodes:
        yield _clean(left, options, node)
    for node in nodes:
        yield _cleaned(left, options, node)
    yield _look(batch, "proved", f"See that the VPC CNI's agent still enforces on {on}", Runs(AWS_NODE, names), _AGENT_LEAVES)
    for node in nodes:
        yield _finished(left, node)


def node_object(name: str, *, labels: dict[str, str] | None = None, **spec: object) -> Json:
    """Return a node, as far as it is ours."""
    meta: Json = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": NODE.api_version, "kind": NODE.name, "metadata": meta, **({"spec": spec} if spec else {})}


def _cordon(node: Node) -> Step:
    cordoned, plain = node_object(node.name, unschedulable=True), node_object(node.name)
    return Step(
        id=f"roll/{node.name}/cordon",
        title=f"Cordon {node.name}",
        action=Apply(cordoned, keeps=True),
        until=Holds(cordoned),
        undo=Undo(f"Uncordon {node.name}", Apply(plain, keeps=True, drops=(CORDONED,)), Holds(plain, without=(CORDONED,))),
        disrupts="no new pod is scheduled to it",
        phase=phases.EXIT,
    )


def _finished(left: Leaving, node: Node) -> Step:
    """Return the last step of a node: it takes pods again, unless somebody else had cordoned it, and is no longer being left."""
    plain = node_object(node.name)
    labels = {UNFINISHED: left.engine}
    cordoned = is_cordoned(node)
    before = node_object(node.name, labels=labels) if cordoned else node_object(node.name, labels=labels, unschedulable=True)
    drops = (UNFINISHED_PATH,) if cordoned else (CORDONED, UNFINISHED_PATH)
    return Step(
        id=f"roll/{node.name}/{'left' if cordoned else 'uncordon'}",
        title=f"{'Mark' if cordoned else 'Uncordon'} {node.name}{' as one that has left' if cordoned else ''}",
        action=Apply(plain, keeps=True, drops=drops),
        until=Holds(plain, without=drops),
        undo=Undo(f"{'Unmark' if cordoned else 'Cordon'} {node.name}", Apply(before, keeps=True), Holds(before)),
        phase=phases.EXIT,
    )


def _forget(node: Node) -> Step:
    """Return the step that lets the cleaner be set to work on a node where it has been before the agent came back."""
    one = ObjectId(cleaner_ref(node.name))
    return Step(
        id=f"roll/{node.name}/forget",
        title=f"Delete the Job of the cleaner that was on {node.name} before its agent came back",
        action=Delete((one,)),
        until=Absent((one,)),
        undo=phases.nothing_to_do("it has done its work, and nothing is lost but its log"),
        phase=phases.EXIT,
    )


def _label(left: Leaving, node: Node) -> Step:
    labelled, plain = node_object(node.name, labels={LABEL: VALUE, UNFINISHED: left.engine}), node_object(node.name)
    drops = (LABEL_PATH, UNFINISHED_PATH)
    back: Condition = All((Holds(plain, without=drops), Runs(left.ref, (node.name,))))
    return Step(
        id=f"roll/{node.name}/label",
        title=f"Label {node.name} with {LABELLED}, so that {left.ref.name} leaves it",
        action=Apply(labelled, keeps=True),
        until=Holds(labelled),
        patience=_AGENT_LEAVES,
        undo=Undo(f"Let {left.ref.name} come back to {node.name}", Apply(plain, keeps=True, drops=drops), back),
        disrupts=f"the rules of {left.title} stand still on it until they are out: peers that start meanwhile are cut off there",
        phase=phases.EXIT,
    )


def _clean(left: Leaving, options: MigrateOptions, node: Node) -> Step:
    """Return the step that sets the cleaner to work: on all nodes of a batch at once."""
    job = _job(left, options, node)
    ref = cleaner_ref(node.name)
    return Step(
        id=f"roll/{node.name}/clean",
        title=f"Take the rules of {left.title} out of the kernel of {node.name}",
        action=Create(job),
        until=Holds({key: job[key] for key in ("apiVersion", "kind")} | {"metadata": _named(ref)}),
        undo=_without_job(left, ref),
        phase=phases.EXIT,
    )


def _cleaned(left: Leaving, options: MigrateOptions, node: Node) -> Step:
    """Return the step that waits for it, and sets it to work anew where a Job that had failed was deleted since."""
    ref = cleaner_ref(node.name)
    return Step(
        id=f"roll/{node.name}/cleaned",
        title=f"Wait until the rules of {left.title} are out of the kernel of {node.name}",
        action=Create(_job(left, options, node)),
        until=Completed(ref),
        patience=SECONDS + 300.0,
        undo=_without_job(left, ref),
        phase=phases.EXIT,
    )


def _job(left: Leaving, options: MigrateOptions, node: Node) -> Json:
    own = not options.cleaner_image and left.engine in OWN_COMMANDS
    return cleaner(left.engine, node.name, _image(left, options), own_command=own)


def _without_job(left: Leaving, ref: ObjectRef) -> Undo:
    one = ObjectId(ref)
    return Undo(f"Delete {ref}; {left.ref.name} writes its rules anew when it is back", Delete((one,)), Absent((one,)))


def _named(ref: ObjectRef) -> Json:
    return {"name": ref.name, "namespace": ref.namespace}


def _image(left: Leaving, options: MigrateOptions) -> str:
    """Return the image of the cleaner: what was said, else the engine's own where that has a command for it; else none."""
    if options.cleaner_image or left.engine not in OWN_COMMANDS:
        return options.cleaner_image
    container = left.agent.container(left.ref.name) or next(iter(left.agent.containers), None)
    return container.image if container is not None else ""


# --- replacement ----------------------------------------------------------------------------------------------------------


def _replacement(
    left: Leaving, options: MigrateOptions, batch: str, nodes: tuple[Node, ...], done: int
) -> Iterator[Step]:
    wanted = ceil(done * (options.replacements or len(left.nodes)) / len(left.nodes))
    waits = _look(
        batch,
        "new-nodes",
        f"Wait until {counted(wanted, 'node')} with {LABELLED} {'is' if wanted == 1 else 'are'} ready and the VPC CNI's agent "
        "enforces there: their node group, Karpenter or people bring them",
        All((Ready(label=LABELLED, at_least=wanted), Runs(AWS_NODE, label=LABELLED))),
        _NEW_NODES,
    )
    yield replace(waits, undo=_without_them(left)) if done == len(nodes) and left.engine not in IN_PLACE else waits
    for node in nodes:
        if not is_cordoned(node):
            yield _cordon(node)
    for node in nodes:
        yield _drain(left, options, node)
    for node in nodes:
        one = ObjectId(ObjectRef.to(NODE, node.name), node.metadata.uid)
        title = f"Wait until {node.name} is gone: its node group, Karpenter or people take it away"
        yield phases.look(f"roll/{node.name}/gone", title, Absent((one,)), phases.EXIT, patience=_GOES)


def _without_them(left: Leaving) -> Undo:
    """Return the way back from new nodes where the old engine's owner keeps it off them: nothing would enforce on these."""
    title = f"Wait until no node with {LABELLED} is left: {left.title} is kept off them, so that they have to go again"
    return Undo(title, Look(), Runs(AWS_NODE, label=LABELLED, gone=True))


def _drain(left: Leaving, options: MigrateOptions, node: Node) -> Step:
    return Step(
        id=f"roll/{node.name}/evict",
        title=f"Drain {node.name} through the Eviction API, as disruption budgets allow",
        action=Evict(node.name, node.metadata.uid, options.bare),
        until=Evicted(node.name, node.metadata.uid),
        patience=_DRAINS,
        one_way=f"its pods start on other nodes; those on nodes with {LABELLED} are policed by the VPC CNI alone. To go back, "
        f"{left.title} has to be let onto these nodes and their pods restarted there, before its policies' translations go",
        disrupts="its pods end and start on other nodes",
        phase=phases.EXIT,
    )


# --- words ----------------------------------------------------------------------------------------------------------------


def _facts(left: Leaving, batches: tuple[tuple[Node, ...], ...]) -> Iterator[str]:
    if not left.nodes:
        yield f"no node is left to leave {left.title}"
        return
    sizes = ", ".join(str(len(batch)) for batch in batches[:6]) + (", …" if len(batches) > 6 else "")  # noqa: PLR2004 - shown
    how = "in place" if left.exit is Exit.IN_PLACE else "by replacement"
    many = "1 batch" if len(batches) == 1 else f"{len(batches)} batches"
    yield f"{counted(len(left.nodes), 'node')} leave {left.title} {how}, in {many} ({sizes})"


def _budgets(facts: Lookup) -> Iterator[str]:
    """Yield which disruption budgets never allow an eviction as they are: a node with one of their pods is not drained."""
    section = facts.get("disruption_budgets")
    if not isinstance(section, Seen):
        yield f"whether disruption budgets let nodes be drained is not known: {section.reason}"
        return
    never = [f"{b.namespace}/{b.name}" for b in section.value if _never_allows(b)]
    if never:
        more = f" and {len(never) - _NAMED} more" if len(never) > _NAMED else ""
        yield (
            f"these disruption budgets never allow an eviction: {', '.join(sorted(never)[:_NAMED])}{more}; a node with one of "
            "their pods is not drained before somebody lets them"
        )


def _never_allows(budget: DisruptionBudget) -> bool:
    return str(budget.spec.max_unavailable) in {"0", "0%"} or str(budget.spec.min_available) == "100%"


def _afterwards(left: Leaving) -> Iterator[str]:
    if left.nodes:
        yield (
            f"let node groups and Karpenter's NodePools give new nodes the label {LABELLED} from now on, or {left.ref.name} "
            "comes to them too"
        )
