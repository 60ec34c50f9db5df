"""A cluster as `tests/data/verdicts` writes one, and how the plain semantics and the product see it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eksnetpol.model.kubernetes import EndpointSlice, Namespace, Node, Pod, Service, ServiceAccount
from eksnetpol.policy.world import World
from tests.policy.oracle.strategies import decoded

Json = dict[str, Any]
VERDICTS = Path(__file__).parent.parent / "data" / "verdicts"


def recorded(name: str) -> list[Json]:
    """Return the recorded cases of an engine: `calico` or `cilium`."""
    with gzip.open(VERDICTS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def world(cluster: Mapping[str, Any], addresses: Mapping[str, str]) -> World:
    """Return a cluster as the product sees it. *addresses* are those of nodes, by name."""
    pods = [_pod(p, addresses) for p in cluster["pods"]]
    spaces = [{"metadata": {"name": n["name"], "labels": n.get("labels", {})}} for n in cluster["namespaces"]]
    accounts = [
        {"metadata": {"name": a["name"], "namespace": a["namespace"], "labels": a.get("labels", {})}}
        for a in cluster.get("serviceAccounts", ())
    ]
    labels = {n["name"]: n.get("labels", {}) for n in cluster.get("nodes", ())}
    nodes = [
        {
            "metadata": {"name": name, "labels": labels.get(name, {})},
            "status": {"addresses": [{"type": "InternalIP", "address": address}]},
        }
        for name, address in addresses.items()
    ]
    said = ("clusterIP", "selector", "ports")
    services = [
        {"metadata": {"name": s["name"], "namespace": s["namespace"]}, "spec": {k: s[k] for k in said}}
        for s in cluster.get("services", ())
    ]
    return World(
        pods=decoded(pods, Pod),
        namespaces=decoded(spaces, Namespace),
        service_accounts=decoded(accounts, ServiceAccount),
        nodes=decoded(nodes, Node),
        services=decoded(services, Service),
        endpoint_slices=decoded(list(cluster.get("endpointSlices", ())), EndpointSlice),
        network_policies=(),
        application_policies=(),
        cluster_policies=(),
        family="ipv4",
    )


def _pod(pod: Mapping[str, Any], addresses: Mapping[str, str]) -> Json:
    spec = {
        "containers": [{"name": "c", "ports": list(pod.get("ports", ()))}],
        "nodeName": pod["node"],
        "hostNetwork": bool(pod.get("hostNetwork")),
        "serviceAccountName": pod["serviceAccount"],
    }
    status = {"phase": "Running", "podIP": pod["ip"], "hostIP": addresses.get(pod["node"], "")}
    return {
        "metadata": {"namespace": pod["namespace"], "name": pod["name"], "labels": pod.get("labels", {})},
        "spec": spec,
        "status": status,
    }
