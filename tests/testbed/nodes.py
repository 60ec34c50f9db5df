"""Node objects as EKS's own images register them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

Json = dict[str, Any]

ZONES = ("us-west-2a", "us-west-2b", "us-west-2c")
CONDITIONS = {"MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False", "Ready": "True"}


def node(
    index: int,
    *,
    family: str = "ipv4",
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Json] = (),
    system: Mapping[str, str] | None = None,
    ready: bool = False,
) -> Json:
    """Return node number *index* (from 0): Amazon Linux 2023 on EC2, one of three zones, in node group ``general``.

    *labels* are added, *system* replaces members of ``status.nodeInfo``. *ready* gives conditions at once: for no kwok.
    """
    address = str(ip_address("192.168.0.10") + index) if family == "ipv4" else str(ip_address("2600:1f14:aa:bb00::10") + index)
    name = f"ip-192-168-{(index + 10) // 256}-{(index + 10) % 256}.us-west-2.compute.internal"
    zone = ZONES[index % len(ZONES)]
    architecture = (system or {}).get("architecture", "amd64")
    resources = {"cpu": "2", "memory": "7934Mi", "pods": "29", "ephemeral-storage": "20Gi"}
    status: Json = {
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "capacity": resources,
        "allocatable": resources,
        "nodeInfo": {
            "architecture": architecture,
            "bootID": "",
            "containerRuntimeVersion": "containerd://2.1.4",
            "kernelVersion": "6.12.40-64.114.amzn2023.x86_64",
            "kubeProxyVersion": "",
            "kubeletVersion": "v1.34.1-eks-113cf36",
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "Amazon Linux 2023.9.20251014",
            "systemUUID": "",
            **(system or {}),
        },
    }
    if ready:
        status["conditions"] = [{"type": kind, "status": value, "reason": "Kubelet"} for kind, value in CONDITIONS.items()]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/os": status["nodeInfo"]["operatingSystem"],
                "kubernetes.io/arch": architecture,
                "kubernetes.io/hostname": name,
                "node.kubernetes.io/instance-type": "m5.large",
                "topology.kubernetes.io/region": "us-west-2",
                "topology.kubernetes.io/zone": zone,
                "eks.amazonaws.com/nodegroup": "general",
                "eks.amazonaws.com/capacityType": "ON_DEMAND",
                **(labels or {}),
            },
        },
        "spec": {"providerID": f"aws:///{zone}/i-{index:017x}", "taints": list(taints)},
        "status": status,
    }
