"""What is left, from where and how: the engine that is meant, what it consists of here, and the nodes that are to leave it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from eksnetpol.assets.cleaner import cleaner_ref
from eksnetpol.engines.engine import Life
from eksnetpol.engines.parts import Parts, calico_by_manifest, calico_by_operator, cilium, kube_router
from eksnetpol.engines.placement import may_run_on
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.engine_details import Details
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.migration.planning.options import Exit, MigrateOptions
from eksnetpol.model import engine_kinds
from eksnetpol.model.actions import ObjectId
from eksnetpol.model.kinds import DEFINITION, JOB, ObjectRef
from eksnetpol.model.kubernetes import CustomObject, CustomResourceDefinition, Node, ObjectMeta, Pod, Workload
from eksnetpol.planning.reading import known, need

LABEL, VALUE = "eksnetpol.io/engine", "vpc-cni"
"""The label of a node that the VPC CNI alone polices: the old agent is kept off nodes that have it."""

LABELLED = f"{LABEL}={VALUE}"

UNFINISHED = "eksnetpol.io/leaving"
"""The label of a node that is being left in place; its value is the engine. Whoever plans anew knows by it what is left to do."""

IN_PLACE = frozenset({"calico", "kube-router"})
"""Engines whose rules and the VPC CNI's both apply on one node (iptables, nftables), so that a node can leave them in place."""

MOVABLE = frozenset({"calico", "cilium", "kube-router"})
_SHOWN_GROUP = "projectcalico.org"


@dataclass(frozen=True, slots=True)
class Leaving:
    """The engine that is left. ``nodes`` are those that are to leave it, in the order they do; ``all_nodes`` that none stays.

    ``has_agent`` is False where parts of it, or only objects, outlived its agent; ``doubtful`` then counts the nodes of which
    nothing shows that its rules are out of their kernels.
    ``installation`` is the object by which the Tigera operator is told, None where there is no operator. ``namespace`` is the
    agent's.
    """

    details: Details
    parts: Parts
    agent: Workload
    nodes: tuple[Node, ...]
    exit: Exit
    all_nodes: bool
    definitions: tuple[CustomResourceDefinition, ...]
    installation: CustomObject | None = None
    has_agent: bool = True
    doubtful: int = 0
    cleaned_before: frozenset[str] = frozenset()
    """Nodes on which a former run's cleaner has been and the agent runs all the same: its Job is done, and its work is not."""

    @property
    def engine(self) -> str:
        """Its name, as `engines` have it."""
        return self.details.presence.name

    @property
    def title(self) -> str:
        """What people call it."""
        return self.details.presence.title

    @property
    def ref(self) -> ObjectRef:
        """Its agent's DaemonSet."""
        return self.parts.agent

    @property
    def own_definitions(self) -> tuple[ObjectId, ...]:
        """Its definitions that are there."""
        wanted = frozenset(self.parts.definitions)
        return tuple(ObjectId(ObjectRef.to(DEFINITION, d.name), d.metadata.uid) for d in self.definitions if d.name in wanted)


def engines_there(facts: Lookup) -> tuple[Details, ...]:
    """Return the engines that live here or of which parts do; raise as `need` where that is not known."""
    found: tuple[Details, ...] = need(facts, "engine_details")
    return tuple(d for d in found if d.presence.life is not Life.RESIDUE)


def leaving(facts: Lookup, options: MigrateOptions) -> Leaving | None:
    """Return what is left; None where no engine, or none that can be left, has an agent here. Raises as `need`."""
    found = next((d for d in engines_there(facts) if d.presence.name in MOVABLE and d.presence.workload is not None), None)
    if found is None:
        rest = residue(facts)
        return rest if rest is not None and rest.details.presence.life is Life.PARTIAL else None
    if found.presence.workload is None:
        return None
    agent = found.presence.workload
    definitions: tuple[CustomResourceDefinition, ...] = need(facts, "crds")
    installation = _installation(facts) if found.presence.name == "calico" else None
    nodes, whole = _nodes(facts, agent, options.wanted_labels)
    return Leaving(
        details=found,
        parts=parts_of(found.presence.name, agent, definitions, by_operator=installation is not None),
        agent=agent,
        nodes=nodes,
        exit=options.exit or (Exit.IN_PLACE if found.presence.name in IN_PLACE else Exit.REPLACEMENT),
        all_nodes=whole,
        definitions=definitions,
        installation=installation,
        cleaned_before=_cleaned_before(facts, agent),
    )


def residue(facts: Lookup) -> Leaving | None:
    """Return the engine whose left-overs are here, without nodes; None where there are none that are known. Raises as `need`."""
    found: tuple[Details, ...] = need(facts, "engine_details")
    details = next((d for d in found if d.presence.name in MOVABLE and d.presence.workload is None), None)
    if details is None:
        return None
    definitions: tuple[CustomResourceDefinition, ...] = need(facts, "crds")
    operated = any(str(kind) == definition.name for kind in engine_kinds.OPERATOR_KINDS for definition in definitions)
    parts = parts_of(details.presence.name, None, definitions, by_operator=operated)
    return Leaving(
        details=details,
        parts=parts,
        agent=Workload(ObjectMeta(name=parts.agent.name, namespace=parts.agent.namespace), kind=parts.agent.kind),
        nodes=(),
        exit=Exit.IN_PLACE if details.presence.name in IN_PLACE else Exit.REPLACEMENT,
        all_nodes=True,
        definitions=definitions,
        has_agent=False,
        doubtful=sum(not _has_left(node) or is_unfinished(node) for node in _machines(facts)),
    )


def _machines(facts: Lookup) -> tuple[Node, ...]:
    kinds: NodeKinds = need(facts, "node_kinds")
    return kinds.linux_ec2


def parts_of(
    engine: str, agent: Workload | None, definitions: Iterable[CustomResourceDefinition], *, by_operator: bool
) -> Parts:
    """Return what *engine* consists of here, its agent's own namespace taken for granted."""
    namespace = agent.namespace if agent is not None else "kube-system"
    match engine:
        case "calico":
            parts = calico_by_operator() if by_operator else calico_by_manifest(namespace)
            groups = {d.spec.group for d in definitions}
            # Where Calico's own group has definitions, that is where it keeps its policies.
            return replace(parts, policies=engine_kinds.CALICO_SHOWN) if _SHOWN_GROUP in groups else parts
        case "kube-router":
            return kube_router(namespace)
        case _:
            return cilium(namespace)


def _installation(facts: Lookup) -> CustomObject | None:
    found: tuple[CustomObject, ...] = need(facts, "engine_settings")
    return next((one for one in found if one.kind == "Installation"), None)


def _nodes(facts: Lookup, agent: Workload, labels: Mapping[str, str]) -> tuple[tuple[Node, ...], bool]:
    """Return the nodes that run the agent and have not left it, and whether that is all of them."""
    kinds: NodeKinds = need(facts, "node_kinds")
    back = _runs_on(facts, agent)
    at = [
        node
        for node in kinds.linux_ec2
        if is_unfinished(node) or (may_run_on(agent, node) and (node.name in back or not _has_left(node)))
    ]
    chosen = [node for node in at if labels.items() <= node.metadata.labels.items()]
    return tuple(sorted(chosen, key=lambda node: node.name)), len(chosen) == len(at)


def _runs_on(facts: Lookup, agent: Workload) -> frozenset[str]:
    """Return the nodes on which a pod of the agent is: also those that had left it, where somebody has brought it back."""
    pods: tuple[Pod, ...] = known(facts, "pods", ())
    return frozenset(
        pod.spec.node_name
        for pod in pods
        if pod.namespace == agent.namespace
        and any(o.kind == agent.kind and o.name == agent.name for o in pod.metadata.owner_references)
    )


def _cleaned_before(facts: Lookup, agent: Workload) -> frozenset[str]:
    pods: tuple[Pod, ...] = known(facts, "pods", ())
    jobs = {o.name for pod in pods for o in pod.metadata.owner_references if o.kind == JOB.name}
    return frozenset(node for node in _runs_on(facts, agent) if cleaner_ref(node).name in jobs)


def excluded(affinity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the node affinity that keeps pods off labelled nodes, and asks all that *affinity* asked for besides.

    Terms are alternatives, so each of them gets the expression.
    """
    expression = {"key": LABEL, "operator": "NotIn", "values": [VALUE]}
    terms = terms_of(affinity) or [{}]
    wanted = []
    for term in terms:
        others = [one for one in term.get("matchExpressions") or () if one != expression]
        wanted.append({**term, "matchExpressions": [*others, expression]})
    return required(wanted)


def required(terms: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return an affinity that requires one of *terms*."""
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [dict(t) for t in terms]}}}


def terms_of(affinity: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the terms that an affinity requires one of."""
    needed = (affinity.get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    found: list[Mapping[str, Any]] = needed.get("nodeSelectorTerms") or []
    return found


def is_cordoned(node: Node) -> bool:
    """Say whether somebody else has cordoned a node already: that stays theirs."""
    return node.spec.unschedulable and not is_unfinished(node)


def is_unfinished(node: Node) -> bool:
    """Say whether a former run stopped while it led this node off the engine."""
    return UNFINISHED in node.metadata.labels


def _has_left(node: Node) -> bool:
    return node.metadata.labels.get(LABEL) == VALUE
