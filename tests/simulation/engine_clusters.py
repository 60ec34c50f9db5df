"""Clusters that another engine polices: a snapshot of a healthy one, with the engine's workloads, pods, kinds and objects in it.

Names, labels, finalizers and owners are those of the projects' own manifests (tests/data/engines) and operators.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.engine_kinds import (
    CALICO_API_SERVER,
    CALICO_SETTINGS,
    CALICO_STORED,
    CILIUM_POLICIES,
    CILIUM_STATE,
    INSTALLATION,
    OPERATOR_KINDS,
)
from eksnetpol.model.foreign import foreign_policy
from eksnetpol.model.kinds import Kind
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread
from eksnetpol.simulation.pods import uid_of

Json = dict[str, Any]
T = TypeVar("T")

FINALIZERS = [
    "operator.tigera.io/apiserver-controller",
    "operator.tigera.io/installation-controller",
    "tigera.io/operator-cleanup",
]
HOST = {"calico-node", "kube-router", "cilium", "tigera-operator", "cilium-operator", "calico-typha"}


_COUNTS = ("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable")


def calico_by_operator(base: ClusterSnapshot) -> ClusterSnapshot:
    """Return *base* with Calico as the Tigera operator installs it beside the VPC CNI."""
    by = {"app.kubernetes.io/managed-by": "tigera-operator"}
    space = "calico-system"
    deployments = [
        ("tigera-operator", "tigera-operator", {}, 1),
        (space, "calico-typha", by, 2),
        (space, "calico-kube-controllers", by, 1),
        (space, "calico-apiserver", by, 2),
    ]
    found = _installed(base, [(space, "calico-node", by), (space, "csi-node-driver", by)], deployments)
    settings = (
        _custom(INSTALLATION, "default", {"cni": {"type": "AmazonVPC"}, "kubernetesProvider": "EKS"}, FINALIZERS),
        _custom(CALICO_API_SERVER, "default", {}),
    )
    service = {"metadata": {"name": "calico-api", "namespace": space}, "spec": {"selector": {"k8s-app": "calico-apiserver"}}}
    api = {
        "metadata": {"name": "v3.projectcalico.org"},
        "spec": {"group": "projectcalico.org", "version": "v3", "service": {"namespace": space, "name": "calico-api"}},
        "status": {"conditions": [{"type": "Available", "status": "True"}]},
    }
    return replace(
        found,
        namespaces=_more(found.namespaces, [_space(name) for name in (space, "tigera-operator")], k8s.Namespace),
        engine_settings=Seen(settings),
        services=_more(found.services, [service], k8s.Service),
        api_services=_more(found.api_services, [api], k8s.ApiService),
        crds=_more(found.crds, _definitions((*OPERATOR_KINDS, *CALICO_STORED, *CALICO_SETTINGS)), k8s.CustomResourceDefinition),
        foreign_policies=Seen((_tier("default"), _source("deny-all"))),
        foreign_kinds=Seen(()),
    )


def calico_by_manifest(base: ClusterSnapshot) -> ClusterSnapshot:
    """Return *base* with Calico as its policy-only manifest installs it."""
    space = "kube-system"
    found = _installed(
        base, [(space, "calico-node", {})], [(space, "calico-typha", {}, 1), (space, "calico-kube-controllers", {}, 1)]
    )
    return replace(
        found,
        engine_settings=Seen(()),
        crds=_more(found.crds, _definitions((*CALICO_STORED, *CALICO_SETTINGS)), k8s.CustomResourceDefinition),
        foreign_policies=Seen((_tier("default"), _source("deny-all"))),
        foreign_kinds=Seen(()),
    )


def kube_router(base: ClusterSnapshot) -> ClusterSnapshot:
    """Return *base* with kube-router as a firewall."""
    found = _installed(base, [("kube-system", "kube-router", {})], [], args=["--run-router=false", "--run-service-proxy=false"])
    return replace(found, engine_settings=Seen(()), foreign_policies=Seen(()), foreign_kinds=Seen(()))


def cilium(base: ClusterSnapshot) -> ClusterSnapshot:
    """Return *base* with Cilium chained to the VPC CNI."""
    found = _installed(base, [("kube-system", "cilium", {})], [("kube-system", "cilium-operator", {}, 2)])
    config = {"metadata": {"name": "cilium-config", "namespace": "kube-system"}, "data": {"cni-chaining-mode": "aws-cni"}}
    return replace(
        found,
        configmaps=_more(found.configmaps, [config], k8s.ConfigMap),
        engine_settings=Seen(()),
        crds=_more(found.crds, _definitions((*CILIUM_POLICIES, *CILIUM_STATE)), k8s.CustomResourceDefinition),
        foreign_policies=Seen(()),
        foreign_kinds=Seen(()),
    )


# --- how ------------------------------------------------------------------------------------------------------------------


def _installed(
    base: ClusterSnapshot,
    agents: list[tuple[str, str, Json]],
    deployments: list[tuple[str, str, Json, int]],
    args: list[str] | None = None,
) -> ClusterSnapshot:
    nodes = [node.name for node in value(base.nodes)]
    addresses = {n.name: next((a.address for a in n.status.addresses if a.type == "InternalIP"), "") for n in value(base.nodes)}
    sets, made, pods = [], [], []
    for space, name, labels in agents:
        status = dict.fromkeys(_COUNTS, len(nodes))
        sets.append(_workload("DaemonSet", space, name, labels, args, status | {"observedGeneration": 1}))
        pods += [_pod("DaemonSet", space, name, f"{name}-{uid_of(node)[:8]}", node, addresses[node]) for node in nodes]
    for space, name, labels, replicas in deployments:
        status = {"observedGeneration": 1, "replicas": replicas, "readyReplicas": replicas}
        made.append(_workload("Deployment", space, name, labels, None, status, replicas))
        owner = f"{name}-5d8f7c6b9"
        for number in range(replicas):
            node = nodes[number % len(nodes)]
            pods.append(_pod("ReplicaSet", space, owner, f"{owner}-{uid_of(f'{name}{number}')[:5]}", node, addresses[node]))
    return replace(
        base,
        daemonsets=_more(base.daemonsets, sets, k8s.Workload),
        deployments=_more(base.deployments, made, k8s.Workload),
        pods=_more(base.pods, pods, k8s.Pod),
        webhooks=base.webhooks if isinstance(base.webhooks, Seen) else Seen(()),
        disruption_budgets=Seen(()),
        services=base.services,
    )


def _workload(
    kind: str, space: str, name: str, labels: Json, args: list[str] | None, status: Json, replicas: int | None = None
) -> Json:
    spec: Json = {
        "hostNetwork": name in HOST,
        "containers": [{"name": name, "image": f"example.com/{name}:v1", "args": args or []}],
    }
    if kind == "DaemonSet":
        spec["nodeSelector"] = {"kubernetes.io/os": "linux"}
    template = {"metadata": {"labels": {"k8s-app": name}}, "spec": spec}
    built: Json = {
        "metadata": {"name": name, "namespace": space, "uid": uid_of(f"{kind}{name}"), "labels": labels, "generation": 1},
        "kind": kind,
        "spec": {"selector": {"matchLabels": {"k8s-app": name}}, "template": template},
        "status": status,
    }
    if kind == "DaemonSet":
        built["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    return built | ({"spec": {**built["spec"], "replicas": replicas}} if replicas is not None else {})


def _pod(kind: str, space: str, owner: str, name: str, node: str, address: str) -> Json:
    app = owner if kind == "DaemonSet" else owner.rpartition("-")[0]
    reference = {"kind": kind, "name": owner, "uid": uid_of(f"{kind}{owner}"), "apiVersion": "apps/v1", "controller": True}
    return {
        "metadata": {
            "name": name,
            "namespace": space,
            "uid": uid_of(name),
            "labels": {"k8s-app": app},
            "ownerReferences": [reference],
        },
        "spec": {"nodeName": node, "hostNetwork": app in HOST, "containers": [{"name": app, "image": f"example.com/{app}:v1"}]},
        "status": {
            "phase": "Running",
            "podIP": address if app in HOST else f"10.99.{len(name) % 200}.{int(uid_of(name)[:2], 16)}",
        },
    }


def _definitions(kinds: tuple[Kind, ...]) -> list[Json]:
    established = [{"type": "Established", "status": "True"}]
    return [
        {
            "metadata": {"name": str(kind), "uid": uid_of(str(kind))},
            "spec": {
                "group": kind.group,
                "names": {"plural": kind.plural, "kind": kind.name},
                "scope": "Namespaced" if kind.namespaced else "Cluster",
                "versions": [{"name": kind.version, "served": True, "storage": True}],
            },
            "status": {"conditions": established},
        }
        for kind in dict.fromkeys(kinds)
    ]


def _custom(kind: Kind, name: str, spec: Json, finalizers: list[str] | None = None) -> k8s.CustomObject:
    meta = k8s.ObjectMeta(name=name, uid=uid_of(f"{kind}{name}"), finalizers=tuple(finalizers or ()))
    return k8s.CustomObject(api_version=kind.api_version, kind=kind.name, metadata=meta, spec=spec)


def _tier(name: str) -> Any:
    meta = {"name": name, "uid": uid_of(f"tier{name}"), "finalizers": ["projectcalico.org/tier-controller"]}
    return foreign_policy({"metadata": meta, "spec": {"order": 100}}, "crd.projectcalico.org/v1", "Tier")


def _source(name: str) -> Any:
    meta = {"name": f"default.{name}", "uid": uid_of(f"policy{name}")}
    spec = {"tier": "default", "selector": "all()", "types": ["Ingress"]}
    return foreign_policy({"metadata": meta, "spec": spec}, "crd.projectcalico.org/v1", "GlobalNetworkPolicy")


def _space(name: str) -> Json:
    return {
        "metadata": {"name": name, "uid": uid_of(name)},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _more(section: Seen[tuple[T, ...]] | Unread, found: list[Json], kind: type[T]) -> Seen[tuple[T, ...]]:
    old = section.value if isinstance(section, Seen) else ()
    return Seen((*old, *msgspec.json.decode(msgspec.json.encode(found), type=tuple[kind, ...])))  # type: ignore[valid-type]


def value(section: Seen[T] | Unread) -> T:
    """Return what a section holds."""
    assert isinstance(section, Seen), section
    return section.value
