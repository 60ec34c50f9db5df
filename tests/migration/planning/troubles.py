"""What goes wrong on the way of a migration: how each trouble begins and ends in a cluster in memory, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from eksnetpol.errors import EksNetpolError, Refused, StepFailed, TimedOut
from eksnetpol.fields.values import copied
from eksnetpol.model.actions import Apply
from eksnetpol.model.conditions import Holds, conditions
from eksnetpol.model.kinds import (
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
    NODE,
    VALIDATING_WEBHOOKS,
    Json,
    Kind,
    ObjectRef,
)
from eksnetpol.simulation.people import GitOps, NodeSupply
from tests.migration.planning.lives import Life

STUCK = "operator.tigera.io/apiserver-controller"
GUARD = ObjectRef.to(VALIDATING_WEBHOOKS, "guard")
BUDGET = ObjectRef.to(DISRUPTION_BUDGET, "never", "shop")
NEWCOMER = ObjectRef.to(NETWORK_POLICY, "newcomer", "shop")


@dataclass(frozen=True)
class Trouble:
    """Begins when a run has got to the end of phase ``after``; ``words`` are said of it in every case.

    ``ends`` takes it away again. ``kind`` is how the run ends: failed where waiting does not help, refused where what
    the journal says is no longer so, else out of patience.
    """

    name: str
    after: str
    begins: Callable[[Life], object]
    ends: Callable[[Life], object]
    words: str
    kind: type[EksNetpolError] = TimedOut
    engines: tuple[str, ...] = ("calico_by_operator", "calico_by_manifest", "kube_router")
    widens: bool = False
    """Whether what somebody else does lets something through by itself, whatever the run does."""

    def __str__(self) -> str:
        return f"{self.name} after {self.after}".replace(" ", "-")


def head(kind: Kind, name: str, namespace: str = "") -> Json:
    """Return an object with nothing in it."""
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta}


def newcomer(life: Life) -> None:
    """Somebody writes a policy that the plan knows nothing of."""
    spec = {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"]}
    life.cluster.ground.of(NETWORK_POLICY).create({**head(NETWORK_POLICY, "newcomer", "shop"), "spec": spec})


def webhook(*resources: str) -> Callable[[Life], object]:
    """Let a webhook that nobody answers be asked about these resources."""

    def come(life: Life) -> None:
        service = {"namespace": "shop", "name": "guard"}
        rules = [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": list(resources)}]
        hook = {"name": "guard.example.org", "failurePolicy": "Fail", "clientConfig": {"service": service}, "rules": rules}
        life.cluster.ground.of(VALIDATING_WEBHOOKS).create({**head(VALIDATING_WEBHOOKS, "guard"), "webhooks": [hook]})

    return come


def unguarded(life: Life) -> None:
    """Somebody takes the webhook away."""
    if life.cluster.ground.get(GUARD) is not None:
        life.cluster.ground.delete(GUARD)


def put_back(agent: bool = True) -> Callable[[Life], object]:
    """Let Git keep the old engine's agent as it was at first, or delete what the run applied."""

    def come(life: Life) -> None:
        cluster = life.cluster
        if agent:
            ref = next(ObjectRef.of(d) for d in life.first if d["metadata"]["name"] in {"calico-node", "kube-router", "cilium"})
            keeper = GitOps(cluster.ground, (), every=2.0)
            keeper._kept[ref] = copied(next(d for d in life.first if ObjectRef.of(d) == ref))  # noqa: SLF001 - as it was at first
            for name in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
                keeper._kept[ref]["metadata"].pop(name, None)  # noqa: SLF001
            cluster.life.actors.append(keeper)
            cluster.sleep(10.0)
            return
        for policy in ours(life):
            cluster.delete(ObjectRef.of(policy))
        cluster.sleep(30.0)

    return come


def ours(life: Life) -> Iterator[Json]:
    """Yield what the plan applies."""
    for step in life.plan.steps:
        if isinstance(step.action, Apply) and step.action.ref.of_kind == NETWORK_POLICY:
            yield step.action.object


def left_alone(life: Life) -> None:
    """Git is paused, and what it put back is put right as the plan wants it."""
    cluster = life.cluster
    cluster.life.actors[:] = [one for one in cluster.life.actors if not isinstance(one, GitOps)]
    done = {entry.step for entry in life.disk.entries if entry.event == "succeeded"}
    for step in life.plan.steps:
        if step.id == "exclude" and step.id in done:
            for wanted in (one for one in conditions(step.until) if isinstance(one, Holds)):
                cluster.ground.of(wanted.ref.of_kind).apply(copied(wanted.object), force=True, manager="helm")


def written_again(life: Life) -> None:
    """Somebody writes the translated policies again, as the message says."""
    for policy in ours(life):
        life.cluster.apply(copied(policy))


def budget(life: Life) -> None:
    """Somebody wants all pods of a namespace, always."""
    spec = {"maxUnavailable": 0, "selector": {}}
    life.cluster.ground.of(DISRUPTION_BUDGET).create({**head(DISRUPTION_BUDGET, "never", "shop"), "spec": spec})


def unbudgeted(life: Life) -> None:
    """They think better of it."""
    life.cluster.ground.delete(BUDGET)


def stuck(life: Life) -> None:
    """A controller never lets go of its finalizer."""
    life.cluster.life.operators.stuck.add(STUCK)


def supply(life: Life, **how: Any) -> None:
    """Nodes come in another way than they should."""
    inner = life.cluster.life
    life.people.supply = NodeSupply(life.cluster.ground, inner.nodes, inner.pods, late=5.0, ready_in=5.0, deletes_in=5.0, **how)
    inner.actors.append(life.people.supply)


def supplied(life: Life) -> None:
    """Nodes come; those that never got ready are deleted, and others come in their place."""
    inner, former = life.cluster.life, life.people.supply
    if former is not None:
        former.never, former.unready, former._made = False, 0, 0  # noqa: SLF001 - those that are deleted are made again
        for name in [name for name, node in inner.nodes.all.items() if not node.ready]:
            life.cluster.ground.delete(ObjectRef.to(NODE, name))


def down(life: Life) -> None:
    """A kubelet stops answering."""
    life.cluster.doom_nodes([min(life.cluster.life.nodes.all)])
    life.cluster.life.nodes.mark(min(life.cluster.life.nodes.all), ready=False)


def up(life: Life) -> None:
    """It answers again."""
    life.cluster.life.pods.dead.clear()
    life.cluster.life.nodes.mark(min(life.cluster.life.nodes.all), ready=True)


def deaf(life: Life) -> None:
    """A kubelet loses the API server; what runs there runs on."""
    life.cluster.life.nodes.mark(min(life.cluster.life.nodes.all), ready=False)


def hears(life: Life) -> None:
    """It has it again, where the node is still there."""
    for name in [name for name, node in life.cluster.life.nodes.all.items() if not node.ready]:
        life.cluster.life.nodes.mark(name, ready=True)


def lost(life: Life) -> None:
    """The API server is away for three hours."""
    life.cluster.lose_api(3 * 3600.0)


def back(life: Life) -> None:
    """Time passes until it is back."""
    life.cluster.sleep(3 * 3600.0)


def gone(life: Life) -> None:
    """The newcomer is taken away."""
    life.cluster.ground.delete(NEWCOMER)


IN_PLACE = ("calico_by_operator", "calico_by_manifest", "kube_router")
TROUBLES = (
    *(
        Trouble("new policy", after, newcomer, gone, "networkpolicy.networking.k8s.io/shop/newcomer is new", StepFailed, engines)
        for after, engines in (("5b", IN_PLACE), ("4", ("cilium",)), ("6", ("calico_by_manifest", "cilium")))
    ),
    *(
        Trouble("webhook of nodes", after, webhook("nodes"), unguarded, "guard.example.org of guard fails closed", TimedOut, w)
        for after, w in (("5b", IN_PLACE), ("5b", ("cilium",)), ("6", ("calico_by_operator", "kube_router")))
    ),
    Trouble("webhook of policies", "2", webhook("networkpolicies"), unguarded,
            "webhook guard.example.org has to be asked before this is written, does not answer", TimedOut,
            ("calico_by_operator", "calico_by_manifest")),
    Trouble("webhook of daemonsets", "4", webhook("daemonsets"), unguarded,
            "webhook guard.example.org has to be asked before this is written", TimedOut, ("kube_router",)),
    Trouble("Git keeps the agent", "5b", put_back(), left_alone, "somebody wrote over it after it was written", StepFailed,
            ("calico_by_manifest", "kube_router")),
    Trouble("Git keeps the agent", "5b", put_back(), left_alone, "daemonset/kube-system/cilium: .spec.template.spec.affinity",
            Refused, ("cilium",), widens=True),
    Trouble("somebody deletes what was applied", "5b", put_back(agent=False), written_again,
            "networkpolicy/shop/.*: it is not there any more", Refused, ("calico_by_operator", "calico_by_manifest")),
    Trouble("somebody deletes what was applied", "6", put_back(agent=False), written_again,
            "networkpolicy/shop/.*: it is not there any more", Refused, ("calico_by_operator", "cilium"), widens=True),
    Trouble("a budget that never allows", "5b", budget, unbudgeted,
            "disruption budgets keep shop/.*The disruption budget never needs .*kubectl -n shop get poddisruptionbudgets",
            TimedOut, ("cilium",)),
    Trouble("a wedged finalizer", "6", stuck, lambda life: life.cluster.life.operators.stuck.clear(),
            f"held by finalizer .*{STUCK}.*kubectl patch installations.operator.tigera.io default --type=json", TimedOut,
            ("calico_by_operator",)),
    Trouble("nodes that never come", "4", lambda life: supply(life, never=True), supplied,
            "0 of 1 nodes with eksnetpol.io/engine=vpc-cni are ready. Nodes get it from .*eksctl create nodegroup", TimedOut,
            ("cilium",)),
    Trouble("nodes that never get ready", "5b", lambda life: supply(life, unready=99), supplied,
            "not ready: .*kubectl describe node", TimedOut, ("cilium",)),
    Trouble("a node that is not ready", "5b", down, up, "the node is not ready: KubeletNotReady; kubectl describe node", TimedOut,
            ("calico_by_manifest", "kube_router")),
    *(
        Trouble("a lost API server", after, lost, back, "the API server does not answer", TimedOut, engines)
        for after, engines in (("2", ("kube_router",)), ("4", ("cilium",)), ("5b", ("calico_by_operator",)),
                               ("6", ("calico_by_manifest", "cilium")), ("7", ("calico_by_operator",)))
    ),
)  # fmt: skip
CASES = [(trouble, engine) for trouble in TROUBLES for engine in trouble.engines]


ANY_TIME = {
    "new policy": (newcomer, gone),
    "webhook of nodes": (webhook("nodes"), unguarded),
    "webhook of all that is written": (webhook("networkpolicies", "configmaps", "daemonsets", "jobs", "pods"), unguarded),
    "a budget": (budget, unbudgeted),
    "a wedged finalizer": (stuck, lambda life: life.cluster.life.operators.stuck.clear()),
    "a node that is not ready": (deaf, hears),
    "a lost API server": (lambda life: life.cluster.lose_api(1800.0), lambda _: None),
}
"""Troubles that may begin and end at any moment, and let nothing through by themselves."""
