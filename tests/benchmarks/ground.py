"""What a large cluster stands on: the demo's ready cluster, as it was read from a real control plane, with many nodes.

All that does not grow with a cluster (the add-on, definitions, roles, access reviews, APIs, …) is taken as it was read; nodes,
their instances and the pods of DaemonSets are those of the first node, again and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from eksnetpol.gateways import snapshot_file
from eksnetpol.model import eks
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread

T = TypeVar("T")

READY = Path(__file__).parents[2] / "demo" / "clusters" / "ready.json.gz"
REGION = "us-west-2"
ZONES = ("us-west-2a", "us-west-2b", "us-west-2c")
SYSTEM = "kube-system"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_COUNTS = (
    "desired_number_scheduled",
    "current_number_scheduled",
    "updated_number_scheduled",
    "number_ready",
    "number_available",
)


@lru_cache(maxsize=1)
def ready() -> ClusterSnapshot:
    """Return the demo's ready cluster."""
    return snapshot_file.load(READY)


def seen(section: Seen[T] | Unread) -> T:
    """Return what is in a section of it."""
    if isinstance(section, Unread):
        raise TypeError(section.reason)
    return section.value


def kept(section: Seen[tuple[T, ...]] | Unread) -> tuple[T, ...]:
    """Return those of its objects that belong to the cluster itself, not to what runs there."""
    return tuple(thing for thing in seen(section) if _namespace_of(thing) in {"", SYSTEM, "default"})


def _namespace_of(thing: Any) -> str:
    name: str = thing.metadata.namespace
    return name


def node_ip(index: int) -> str:
    """Return the address of a node."""
    return f"10.42.{index >> 7}.{(index & 0x7F) + 4}"


def node_name(index: int) -> str:
    """Return the name of a node."""
    return f"ip-{node_ip(index).replace('.', '-')}.{REGION}.compute.internal"


def nodes(count: int) -> Iterator[k8s.Node]:
    """Yield *count* nodes."""
    like = _plain(seen(ready().nodes)[0])
    decoder = msgspec.json.Decoder(k8s.Node)
    for i in range(count):
        name, zone = node_name(i), ZONES[i % len(ZONES)]
        labels = {**like["metadata"]["labels"], "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}
        addresses = [{"type": "InternalIP", "address": node_ip(i)}, {"type": "Hostname", "address": name}]
        metadata = {**like["metadata"], "name": name, "uid": uid(i, "n"), "labels": labels}
        status = {**like["status"], "addresses": addresses, "allocatable": {**like["status"]["allocatable"], "pods": "110"}}
        spec = {**like["spec"], "providerID": f"aws:///{zone}/i-{i:017x}"}
        yield decoder.decode(msgspec.json.encode({"metadata": metadata, "spec": spec, "status": status}))


def instances(count: int) -> Iterator[eks.Instance]:
    """Yield the EC2 instances of *count* nodes."""
    like = seen(ready().instances)[0]
    for i in range(count):
        yield replace(like, instance_id=f"i-{i:017x}", private_dns_name=node_name(i))


def agent_pods(count: int) -> Iterator[k8s.AgentPod]:
    """Yield the ``aws-node`` pod of each node, container by container."""
    like = _plain(seen(ready().agent_pods)[0])
    decoder = msgspec.json.Decoder(k8s.AgentPod)
    for i in range(count):
        yield decoder.decode(msgspec.json.encode(_on_node(like, f"aws-node-{five(i)}", i, "a")))


def system_pods(count: int) -> Iterator[k8s.Pod]:
    """Yield what runs on each node, its ``aws-node`` and its ``kube-proxy`` pod, and the pods of the cluster's DNS."""
    resolvers = (p for p in kept(ready().pods) if p.name.startswith("coredns-"))
    for i, pod in enumerate(resolvers, 10):
        yield replace(pod, status=replace(pod.status, pod_ip=f"10.42.250.{i}"))
    decoder = msgspec.json.Decoder(k8s.Pod)
    for daemonset in ("aws-node", "kube-proxy"):
        like = _plain(next(p for p in seen(ready().pods) if p.name.startswith(f"{daemonset}-")))
        for i in range(count):
            yield decoder.decode(msgspec.json.encode(_on_node(like, f"{daemonset}-{five(i)}", i, daemonset[0])))


def daemonsets(count: int) -> Iterator[k8s.Workload]:
    """Yield its DaemonSets, ready on *count* nodes."""
    for like in kept(ready().daemonsets):
        yield replace(like, status=replace(like.status, **dict.fromkeys(_COUNTS, count)))


def _on_node(like: dict[str, Any], name: str, index: int, kind: str) -> dict[str, Any]:
    return {
        **like,
        "metadata": {**like["metadata"], "name": name, "uid": uid(index, kind)},
        "spec": {**like["spec"], "nodeName": node_name(index)},
        "status": {**like["status"], "podIP": node_ip(index), "hostIP": node_ip(index)},
    }


def _plain(thing: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(thing))
    return plain


def five(number: int) -> str:
    """Return five letters that no other number below 27**5 has."""
    # 48271 has no common factor with 27**5, so no two numbers below that give the same letters.
    number = number * 48271 % 27**5
    letters = ""
    for _ in range(5):
        number, rest = divmod(number, 27)
        letters += _LETTERS[rest]
    return letters


def uid(number: int, kind: str) -> str:
    """Return the uid of an object, different for each *number* and letter."""
    return f"{ord(kind):08x}-0000-4000-8000-{number:012x}"
