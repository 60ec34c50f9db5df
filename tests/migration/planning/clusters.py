"""Clusters to lead off another engine: recorded ones with an engine in them, by the projects' own manifests where they ship.

Data: tests/data/engines/calico/calico-policy-only.yaml, tests/data/engines/kube-router/kube-router-firewall-daemonset.yaml.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.gateways import snapshot_file
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.migration.planning.migrate import plan_migration
from eksnetpol.migration.planning.options import MigrateOptions
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.foreign import ForeignPolicy, foreign_policy
from eksnetpol.model.plan import Plan
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread
from eksnetpol.operations.migration import source_of, translated
from eksnetpol.translation import Translation
from tests.simulation import engine_clusters as made

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]
ENGINES = ROOT / "tests" / "data" / "engines"
IMAGE = "registry.example.org/network-cleaner@sha256:0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c"


@lru_cache
def recorded(name: str = "dormant", nodes: int = 3) -> ClusterSnapshot:
    """A recorded cluster with the first *nodes* of its nodes, without policies, whose budgets were read."""
    whole = snapshot_file.load(ROOT / "demo" / "clusters" / f"{name}.json.gz")
    kept = value(whole.nodes)[:nodes]
    names = {node.name for node in kept}
    pods = tuple(pod for pod in value(whole.pods) if pod.spec.node_name in names)
    agents = tuple(pod for pod in value(whole.agent_pods) if pod.spec.node_name in names)
    status = {
        field: len(kept)
        for field in ("desired_number_scheduled", "current_number_scheduled", "updated_number_scheduled", "number_ready",
                      "number_available")
    }  # fmt: skip
    sets = tuple(replace(one, status=replace(one.status, **status)) for one in value(whole.daemonsets))
    return replace(
        whole,
        nodes=Seen(kept),
        pods=Seen(pods),
        agent_pods=Seen(agents),
        daemonsets=Seen(sets),
        network_policies=Seen(()),
        disruption_budgets=Seen(()),
        webhooks=whole.webhooks if isinstance(whole.webhooks, Seen) else Seen(()),
    )


def value(section: Any) -> Any:
    """What a section holds."""
    assert isinstance(section, Seen), section
    return section.value


# --- with an engine -------------------------------------------------------------------------------------------------------


def calico_by_operator() -> ClusterSnapshot:
    """Calico, run by the Tigera operator."""
    return replace(made.calico_by_operator(recorded()), foreign_policies=Seen(policies()))


def calico_by_manifest(base: ClusterSnapshot | None = None) -> ClusterSnapshot:
    """Calico, by its policy-only manifest."""
    found = with_manifest(base or recorded(), "calico/calico-policy-only.yaml")
    return replace(found, engine_settings=Seen(()), foreign_policies=Seen(policies()), foreign_kinds=Seen(()))


def kube_router() -> ClusterSnapshot:
    """kube-router as a firewall alone, by its manifest."""
    found = with_manifest(recorded(), "kube-router/kube-router-firewall-daemonset.yaml")
    return replace(found, engine_settings=Seen(()), foreign_policies=Seen(()), foreign_kinds=Seen(()))


def by_people(base: ClusterSnapshot) -> ClusterSnapshot:
    """A cluster whose aws-node people manage, with their own hands, and whose agent is there and off."""
    return replace(base, addon=Seen(None), addons=Seen(()), addon_updates=Seen(()))


def cilium() -> ClusterSnapshot:
    """Cilium, chained to a VPC CNI that people manage."""
    base = by_people(recorded("retail-store-calico"))
    others = tuple(one for one in value(base.daemonsets) if one.name != "calico-node")
    parts = tuple(one for one in value(base.deployments) if not one.name.startswith("calico"))
    pods = tuple(pod for pod in value(base.pods) if not pod.name.startswith("calico"))
    base = replace(base, daemonsets=Seen(others), deployments=Seen(parts), pods=Seen(pods), crds=Seen(_of_aws(base)))
    return replace(made.cilium(base), foreign_policies=Seen(()))


def _of_aws(base: ClusterSnapshot) -> tuple[k8s.CustomResourceDefinition, ...]:
    return tuple(crd for crd in value(base.crds) if "calico" not in crd.spec.group and "tigera" not in crd.spec.group)


CLUSTERS: dict[str, Callable[[], ClusterSnapshot]] = {
    "calico-operator": calico_by_operator,
    "calico-manifest": calico_by_manifest,
    "kube-router": kube_router,
    "cilium": cilium,
}


def with_manifest(base: ClusterSnapshot, path: str) -> ClusterSnapshot:
    """Put what a manifest holds into *base*, its agent on every node."""
    read = read_manifests([str(ENGINES / path)])
    nodes = value(base.nodes)
    sets = tuple(_running(one, len(nodes)) for one in value(read.daemonsets))
    parts = tuple(_ready(one) for one in _some(read.deployments))
    pods = tuple(_agent(one, node, number) for one in sets for number, node in enumerate(nodes))
    pods += tuple(_part(one, nodes[0], number) for number, one in enumerate(parts))
    return replace(
        base,
        daemonsets=Seen((*value(base.daemonsets), *sets)),
        deployments=Seen((*_some(base.deployments), *parts)),
        pods=Seen((*value(base.pods), *pods)),
        configmaps=Seen((*_some(base.configmaps), *_some(read.configmaps))),
        services=Seen((*_some(base.services), *_some(read.services))),
        crds=Seen((*value(base.crds), *(_established(crd) for crd in _some(read.crds)))),
    )


def _some(section: Any) -> tuple[Any, ...]:
    return () if isinstance(section, Unread) else section.value


def _running(found: k8s.Workload, nodes: int) -> k8s.Workload:
    counts = k8s.WorkloadStatus(
        observed_generation=1, desired_number_scheduled=nodes, current_number_scheduled=nodes, updated_number_scheduled=nodes,
        number_ready=nodes, number_available=nodes,
    )  # fmt: skip
    return replace(found, metadata=replace(found.metadata, uid=f"uid-{found.name}", generation=1), status=counts)


def _ready(found: k8s.Workload) -> k8s.Workload:
    status = k8s.WorkloadStatus(observed_generation=1, replicas=1, ready_replicas=1)
    spec = replace(found.spec, replicas=1)
    return replace(found, metadata=replace(found.metadata, uid=f"uid-{found.name}", generation=1), spec=spec, status=status)


def _established(crd: k8s.CustomResourceDefinition) -> k8s.CustomResourceDefinition:
    served = k8s.CrdStatus((k8s.Condition("Established", "True"),))
    return replace(crd, metadata=replace(crd.metadata, uid=f"uid-{crd.name}"), status=served)


def _agent(found: k8s.Workload, node: k8s.Node, number: int) -> k8s.Pod:
    return _pod(f"{found.name}-{number:05x}", found, "DaemonSet", found.name, node)


def _part(found: k8s.Workload, node: k8s.Node, number: int) -> k8s.Pod:
    return _pod(f"{found.name}-5d8f7c6b9-{number:05x}", found, "ReplicaSet", f"{found.name}-5d8f7c6b9", node)


def _pod(name: str, found: k8s.Workload, kind: str, owner: str, node: k8s.Node) -> k8s.Pod:
    address = next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")
    labels = found.spec.selector.match_labels if found.spec.selector is not None else {}
    reference = {"kind": kind, "name": owner, "uid": f"uid-{owner}", "apiVersion": "apps/v1", "controller": True}
    meta = {"name": name, "namespace": found.namespace, "uid": f"uid-{name}", "labels": labels, "ownerReferences": [reference]}
    containers = [{"name": c.name, "image": c.image} for c in found.containers]
    spec = {"nodeName": node.name, "hostNetwork": True, "containers": containers}
    whole = {"metadata": meta, "spec": spec, "status": {"phase": "Running", "podIP": address, "hostIP": address}}
    return msgspec.json.decode(msgspec.json.encode(whole), type=k8s.Pod)


# --- with policies --------------------------------------------------------------------------------------------------------


def policies(*more: ForeignPolicy) -> tuple[ForeignPolicy, ...]:
    """The default tier, and one policy: the cart's store takes what comes from the cart, and nothing else."""
    tier = calico_object("Tier", "default", "", {"order": 1000000.0, "defaultAction": "Deny"})
    rule = {
        "action": "Allow", "protocol": "TCP", "source": {"selector": "app == 'cartservice'"}, "destination": {"ports": [6379]},
    }  # fmt: skip
    spec = {"tier": "default", "selector": "app == 'redis-cart'", "types": ["Ingress"], "ingress": [rule]}
    return (tier, calico_object("NetworkPolicy", "default.redis", "boutique", spec), *more)


def calico_object(kind: str, name: str, namespace: str, spec: Json) -> ForeignPolicy:
    """An object of Calico's kinds, as it is stored."""
    meta: Json = {"name": name, "uid": f"uid-{kind}-{name}", **({"namespace": namespace} if namespace else {})}
    if kind == "Tier":
        meta["finalizers"] = ["projectcalico.org/tier-controller"]
    return foreign_policy({"metadata": meta, "spec": spec}, "crd.projectcalico.org/v1", kind)


# --- planned --------------------------------------------------------------------------------------------------------------


def options(**said: Any) -> MigrateOptions:
    """What is said in tests, unless they say otherwise: an image for the cleaner, and half of the nodes at a time."""
    return MigrateOptions(**{"cleaner_image": IMAGE, "batch": "50%", **said})


def translation_of(snapshot: ClusterSnapshot) -> Translation:
    """What the policies of the engine that is there become."""
    return translated(source_of(snapshot))


def planned(snapshot: ClusterSnapshot, said: MigrateOptions | None = None) -> Plan:
    """Return the plan."""
    catalog()
    return plan_migration(Lookup(snapshot), translation_of(snapshot), said or options())
