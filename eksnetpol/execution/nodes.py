"""What is true of nodes: whose agent runs there, whether it is drained, whether it is ready."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from eksnetpol.execution.draining import pods_to_move
from eksnetpol.execution.endings import ending
from eksnetpol.execution.gathering import named
from eksnetpol.execution.moving import called, is_ending, returns
from eksnetpol.execution.rolling import belongs_to, breakage, is_ready, is_seen, newest_template, runs_template, selector_of
from eksnetpol.execution.seeing import Observation, holds, hopeless, over, pending
from eksnetpol.execution.written import by_whom
from eksnetpol.interfaces.acting import Hands
from eksnetpol.model.conditions import Evicted, Ready, Runs
from eksnetpol.model.kinds import CONTROLLER_REVISION, NODE, POD, Json, ObjectRef
from eksnetpol.planning.places import AWS_NODE

_FEW = 4
"""Nodes up to which each is asked about by itself; beyond it one list costs less."""


def gone(condition: Runs, hands: Hands) -> Observation:
    """Return whether no pod of the DaemonSet is left on the nodes, not even one that is ending."""
    live = hands.get(condition.ref)
    meant = _meant(condition, hands)
    where = _where(meant) if condition.nodes or condition.label else "anywhere"
    if condition.label and not meant:
        return holds(f"no node carries {condition.label}")
    left = [pod for pod in _pods_of(condition.ref, live, meant, hands) if _node(pod)]
    if not left:
        return holds(f"{condition.ref} has no pod {where}")
    where_left = list(dict.fromkeys(_node(pod) for pod in left))
    whose = by_whom(live) if live is not None else ""
    # New nodes that are to go again have the new agent until they do.
    if condition.label and not condition.nodes and condition.ref != AWS_NODE:
        again = [_node(pod) for pod in left if not is_ending(pod)]
        if again:
            one = again[0]
            return over(
                f"{condition.ref} runs again on {named(dict.fromkeys(again))}, which had left it, and its rules are in their "
                f"kernels again{whose}. Let whoever brings it back leave it (pause Argo CD, Flux, Helm); then take the label off "
                f"these nodes, so that they leave it once more, and make a new plan: kubectl label node {one} "
                f"{condition.label.partition('=')[0]}-; eksnetpol migrate run"
            )
    told = named(node + ending(next(pod for pod in left if _node(pod) == node)) for node in where_left)
    return pending(f"{condition.ref} still has a pod on {told}{whose if not condition.nodes else ''}")


def runs(condition: Runs, hands: Hands) -> Observation:
    """Return whether an available pod with the present template runs on each of the nodes."""
    ref = condition.ref
    live = hands.get(ref)
    if live is None:
        return hopeless(f"{ref} is not there: somebody deleted it")
    if not is_seen(live):
        return pending(f"{ref}: its controller has not seen the present template yet")
    revisions = hands.objects(CONTROLLER_REVISION, namespace=ref.namespace, selector=selector_of(live))
    template = newest_template(revisions, live)
    meant = _meant(condition, hands)
    if not meant:
        return holds(f"no node carries {condition.label}")
    there = {_node(pod): pod for pod in _pods_of(ref, live, meant, hands) if not is_ending(pod)}
    lags = []
    for node in meant:
        pod = there.get(node)
        if pod is None:
            lags.append(f"{node} (no pod of it)")
        elif not runs_template(pod, template, live):
            lags.append(f"{node} (a former template{_by_hand(live, ref, node)})")
        elif broken := breakage(pod):
            return hopeless(f"{ref}: {broken}")
        elif not is_ready(pod):
            lags.append(f"{node} (not ready)")
    if lags:
        return pending(f"{ref}: waiting for {named(lags)}")
    return holds(f"{ref} runs {_where(meant)} and is ready")


def _by_hand(live: Json, ref: ObjectRef, node: str) -> str:
    """Return how a pod gets the present template where nothing rolls by itself."""
    if ((live.get("spec") or {}).get("updateStrategy") or {}).get("type") != "OnDelete":
        return ""
    only = f"-l {selector_of(live)} --field-selector spec.nodeName={node}"
    return f"; it gets the present one with a new pod: kubectl -n {ref.namespace} delete pods {only}"


def evicted(condition: Evicted, hands: Hands) -> Observation:
    """Return whether a node is drained; one that is gone is. Pods that a cordon does not keep off may be back, and go with it."""
    left = [pod for pod in pods_to_move(hands, condition.node, condition.uid) if not returns(pod)]
    if left:
        return pending(f"node {condition.node}: still there: {named(called(pod) + ending(pod) for pod in left)}")
    return holds(f"no pod is left on node {condition.node} that an eviction moves")


def ready(condition: Ready, hands: Hands) -> Observation:
    """Return whether the named nodes are ready, and enough of those with the label."""
    found = {node["metadata"]["name"]: node for node in _nodes(condition.nodes, hands)}
    down = [name for name in condition.nodes if not _is_up(found.get(name))]
    lags = [f"{name} ({'not ready' if name in found else 'not there'})" for name in down]
    if lags:
        return pending(f"waiting for node {named(lags)}")
    seen = f"{_count(len(condition.nodes))} ready" if condition.nodes else ""
    if condition.label:
        labelled = hands.objects(NODE, selector=condition.label)
        up = sum(_is_up(node) for node in labelled)
        told = f"{up:,} of {condition.at_least:,} nodes with {condition.label} are ready"
        if up < condition.at_least:
            unready = named(node["metadata"]["name"] for node in labelled if not _is_up(node))
            why = f"; not ready: {unready} (kubectl describe node says why)" if unready else ""
            return pending(f"{told}{why}{'' if len(labelled) >= condition.at_least else _bringing(condition.label)}")
        seen = "; ".join(filter(None, (seen, told)))
    return holds(seen or "no node was asked about")


def _bringing(label: str) -> str:
    """Return how nodes come that carry a label from their first second."""
    return (
        f". Nodes get it from whoever brings them: eksctl create nodegroup --node-labels {label}, or "
        f"aws eks create-nodegroup --labels {label}, or another Karpenter NodePool with it in spec.template.metadata.labels (to "
        "change one that has nodes makes Karpenter replace them all by itself)"
    )


def _pods_of(ref: ObjectRef, live: Json | None, nodes: Collection[str], hands: Hands) -> Iterable[Json]:
    """Return the pods of a DaemonSet, on *nodes* or anywhere; where it is gone itself, those that still name it."""
    if nodes and len(nodes) <= _FEW:
        pods: Iterable[Json] = [pod for node in nodes for pod in hands.pods_on(node)]
    else:
        selector = selector_of(live) if live is not None else ""
        pods = hands.objects(POD, namespace=ref.namespace, selector=selector)
        if nodes:
            wanted = frozenset(nodes)
            pods = [pod for pod in pods if _node(pod) in wanted]
    if live is not None:
        return [pod for pod in pods if _is_named(pod, ref) and belongs_to(pod, live)]
    return [pod for pod in pods if _is_named(pod, ref)]


def _meant(condition: Runs, hands: Hands) -> tuple[str, ...]:
    if not condition.label:
        return condition.nodes
    found = (node["metadata"]["name"] for node in hands.objects(NODE, selector=condition.label))
    return tuple(dict.fromkeys((*condition.nodes, *found)))


def _is_named(pod: Json, ref: ObjectRef) -> bool:
    meta = pod["metadata"]
    owners = meta.get("ownerReferences") or ()
    return meta.get("namespace", "") == ref.namespace and any(
        (owner.get("kind"), owner.get("name")) == (ref.kind, ref.name) for owner in owners
    )


def _nodes(names: Collection[str], hands: Hands) -> Iterable[Json]:
    if len(names) <= _FEW:
        return [node for name in names if (node := hands.get(ObjectRef.to(NODE, name))) is not None]
    return hands.objects(NODE)


def _is_up(node: Json | None) -> bool:
    return node is not None and is_ready(node)


def _node(pod: Json) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def _where(nodes: tuple[str, ...]) -> str:
    return f"on {named(nodes)}" if nodes else "anywhere"


def _count(number: int) -> str:
    return f"{number:,} node{' is' if number == 1 else 's are'}"
