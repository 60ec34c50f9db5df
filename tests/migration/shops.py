"""A small shop under Calico (by its manifests) that can be moved in memory: snapshot, policies, and a plan made by hand."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from eksnetpol.assets.cleaner import cleaner
from eksnetpol.model.actions import Apply, Create, Delete, Look, ObjectId
from eksnetpol.model.conditions import Absent, All, Completed, Holds, Runs, Soaked
from eksnetpol.model.foreign import foreign_policy
from eksnetpol.model.kinds import DAEMONSET, DEPLOYMENT, ObjectRef
from eksnetpol.model.kubernetes import OwnerReference
from eksnetpol.model.plan import Plan, Step, Undo, Verb
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from tests.planning.clusters import definition, look, planned, self_managed

Json = dict[str, Any]
NODES = ("node-a", "node-b", "node-c")
APPS = ("web", "db", "spy")
CALICO = ObjectRef.to(DAEMONSET, "calico-node", "kube-system")
CONTROLLERS = ObjectRef.to(DEPLOYMENT, "calico-kube-controllers", "kube-system")
LABEL = "eksnetpol.io/engine"
_LABEL = f'.metadata.labels["{LABEL}"]'
SOURCE: Json = {
    "apiVersion": "crd.projectcalico.org/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "default.db", "namespace": "shop", "uid": "source-db"},
    "spec": {
        "selector": "app == 'db'",
        "types": ["Ingress"],
        "ingress": [
            {"action": "Allow", "protocol": "TCP", "source": {"selector": "app == 'web'"}, "destination": {"ports": [5432]}}
        ],
    },
}
BROUGHT: Json = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "db", "namespace": "shop", "labels": {"app.kubernetes.io/managed-by": "eksnetpol"}},
    "spec": {
        "podSelector": {"matchLabels": {"app": "db"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [{"podSelector": {"matchLabels": {"app": "web"}}}],
                "ports": [{"protocol": "TCP", "port": 5432}],
            }
        ],
    },
}


def short() -> Json:
    """Return the shop in the short forms of `tests/checks/cases.py`: three nodes, one pod of each app on each of them."""
    calico = {
        "name": CALICO.name,
        "desired": 3,
        "host_network": True,
        "containers": [{"name": "calico-node", "image": "quay.io/calico/node:v3.30.3"}],
        "template_labels": {"k8s-app": "calico-node"},
        "spec": {"selector": {"matchLabels": {"k8s-app": "calico-node"}}},
    }
    controllers = {
        "name": CONTROLLERS.name,
        "desired": 1,
        "containers": ["quay.io/calico/kube-controllers:v3.30.3"],
        "template_labels": {"k8s-app": "calico-kube-controllers"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"k8s-app": "calico-kube-controllers"}}},
    }
    apps = [
        {
            "name": app,
            "namespace": "shop",
            "desired": 3,
            "template_labels": {"app": app},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": app}}},
        }
        for app in APPS
    ]
    pods: list[Json] = [
        {
            "name": f"{app}-{number}",
            "namespace": "shop",
            "labels": {"app": app},
            "owner": f"StatefulSet/{app}",
            "node": node,
            "host_ip": f"10.0.0.{number + 1}",
            "ip": f"10.0.{number + 1}.{at + 10}",
        }
        for at, app in enumerate(APPS)
        for number, node in enumerate(NODES)
    ]
    pods += [
        {
            "name": f"{agent}-{number if agent == CALICO.name else node}",
            "namespace": "kube-system",
            "labels": {"k8s-app": agent},
            "owner": f"DaemonSet/{agent}",
            "node": node,
            "host_network": True,
            "host_ip": f"10.0.0.{number + 1}",
            "ip": f"10.0.0.{number + 1}",
            "containers": [{"name": agent, "image": f"example.com/{agent}:v3.30.3"}],
        }
        for agent in (CALICO.name, "aws-node")
        for number, node in enumerate(NODES)
    ]
    return self_managed(
        agent="v1.4.1",
        nodes=[{"name": node, "ip": f"10.0.0.{number + 1}"} for number, node in enumerate(NODES)],
        agent_pods=[{"node": node} for node in NODES],
        pods=pods,
        namespaces=["shop", "kube-system"],
        daemonsets=[calico],
        deployments=[controllers],
        statefulsets=apps,
        jobs=[],
        services=[],
        disruption_budgets=[],
        webhooks=[],
        api_services=[],
    )


def snapshot(sources: tuple[Json, ...] = (SOURCE,), sections: Json | None = None) -> ClusterSnapshot:
    """Return the shop; *sources* are the old engine's policies."""
    written = {**short(), **(sections or {})}
    written["crds"] = [*written["crds"], definition("networkpolicies.crd.projectcalico.org", "NetworkPolicy", "v1")]
    foreign = tuple(foreign_policy(one, one["apiVersion"], one["kind"]) for one in sources)
    return replace(owned(look(written)), foreign_policies=Seen(foreign))


def owned(found: ClusterSnapshot) -> ClusterSnapshot:
    """Return *found* with pods of ``aws-node`` that say whose they are."""
    assert isinstance(found.agent_pods, Seen)
    owner = (OwnerReference("DaemonSet", "aws-node", "uid-aws-node", controller=True),)
    pods = tuple(replace(p, metadata=replace(p.metadata, owner_references=owner)) for p in found.agent_pods.value)
    return replace(found, agent_pods=Seen(pods))


def brought() -> tuple[NetworkPolicy, ...]:
    """Return what the plan brings."""
    return (msgspec.convert(BROUGHT, NetworkPolicy),)


def _node(name: str, labels: Json | None = None, **spec: Any) -> Json:
    metadata = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, **({"spec": spec} if spec else {})}


def plan() -> Plan:
    """Return a plan that moves the shop in place, node by node."""
    written = dict(BROUGHT)
    ref = ObjectRef.of(written)
    back = Undo("Delete networkpolicy/shop/db", Delete((ObjectId(ref),)), Absent((ObjectId(ref),)))
    steps = [Step("apply/shop/db", "Apply networkpolicy/shop/db", Apply(written), Holds(written), undo=back, phase="4 apply")]
    enabling = {step.id: step for step in planned(short()).steps}
    for name, phase in (("controller-switch", "5a controller"), ("agent", "5b agent"), ("roll-out", "5b agent")):
        steps.append(replace(enabling[name], phase=phase))
    excluded = {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": LABEL, "operator": "NotIn", "values": ["vpc-cni"]}]}]
        }
    }
    kept_off = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": CALICO.name, "namespace": CALICO.namespace},
        "spec": {"template": {"spec": {"affinity": {"nodeAffinity": excluded}}}},
    }
    steps.append(
        Step(
            "exclude", "Keep calico-node off nodes that are labelled", Apply(kept_off), All((Holds(kept_off), Runs(CALICO))),
            undo=Undo("Let it run there again", Apply({**kept_off, "spec": {}}), Holds({**kept_off, "spec": {}})),
            phase="6 exit",
        )
    )  # fmt: skip
    for node in NODES:
        steps += _exit(node)
    steps.append(Step("soak", "See whether the cluster does well", Look(), Soaked(600), phase="6 exit", patience=900))
    for name, gone in (("uninstall/agents", CALICO), ("uninstall/controllers", CONTROLLERS)):
        steps.append(
            Step(
                name, f"Delete {gone}", Delete((ObjectId(gone),)), Absent((ObjectId(gone),)),
                one_way="it comes back from the back-up alone", phase="7 uninstall",
                door="uninstall" if gone is CALICO else "",
            )
        )  # fmt: skip
    source = ObjectId(ObjectRef.of(SOURCE), "source-db")
    steps.append(
        Step(
            "left-overs/policies", "Delete Calico's policies", Delete((source,)), Absent((source,)), phase="8 left-overs",
            one_way="they come back from the back-up alone", door="left-overs",
        )
    )  # fmt: skip
    return Plan(verb=Verb.MIGRATE, title="Move the shop off Calico", target=snapshot().target, steps=tuple(steps))


def _exit(node: str) -> list[Step]:
    cordoned, labelled, bare = _node(node, unschedulable=True), _node(node, {LABEL: "vpc-cni"}), _node(node)
    job = cleaner("calico", node, "registry/cleaner:1")
    ref = ObjectId(ObjectRef.of(job))
    off = (".spec.unschedulable",)
    uncordoned = Apply(bare, keeps=True, drops=off)
    return [
        Step(
            f"roll/{node}/cordon", f"Cordon {node}", Apply(cordoned, keeps=True), Holds(cordoned), phase="6 exit",
            undo=Undo(f"Uncordon {node}", uncordoned, Holds(bare, off)),
        ),
        Step(
            f"roll/{node}/label", f"Let calico-node leave {node}", Apply(labelled, keeps=True),
            All((Holds(labelled), Runs(CALICO, (node,), gone=True))), phase="6 exit",
            undo=Undo(f"Let calico-node back on {node}", Apply(bare, keeps=True, drops=(_LABEL,)), Holds(bare)),
        ),
        Step(
            f"roll/{node}/clean", f"Take Calico's rules out of {node}", Create(job), Completed(ref.ref), phase="6 exit",
            undo=Undo("Delete the Job", Delete((ref,)), Absent((ref,))),
        ),
        Step(
            f"roll/{node}/uncordon", f"Uncordon {node}", uncordoned, Holds(bare, off), phase="6 exit",
            undo=Undo(f"Cordon {node}", Apply(cordoned, keeps=True), Holds(cordoned)),
        ),
    ]  # fmt: skip
