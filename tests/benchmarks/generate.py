"""Large clusters that look like real ones: a given number of nodes, pods, Services and NetworkPolicies, always the same.

A command: ``python -m tests.benchmarks.generate big.json.gz --nodes 5000 --pods 100000``.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from eksnetpol.gateways import snapshot_file
from eksnetpol.model import eks
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model import policies as pol
from eksnetpol.model.selectors import LabelSelector, Operator, Requirement
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind, Target

T = TypeVar("T")

TAKEN = datetime(2026, 6, 1, 12, tzinfo=UTC)
REGISTRY = "602401143452.dkr.ecr.us-west-2.amazonaws.com"
ACCOUNT, REGION, CLUSTER = "111122223333", "us-west-2", "bench"
TEAMS = ("shop", "cart", "search", "billing", "identity", "catalog", "media", "data", "risk", "mail", "ads", "stock")
STAGES = ("prod", "canary", "batch", "edge")
ROLES = ("api", "web", "worker", "cache", "db", "gateway", "consumer", "scheduler", "proxy", "index")
ZONES = ("us-west-2a", "us-west-2b", "us-west-2c")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each."""

    nodes: int = 5_000
    pods: int = 100_000
    services: int = 5_000
    policies: int = 10_000


@dataclass(frozen=True, slots=True)
class App:
    """A Deployment and what its pods have in common."""

    namespace: str
    name: str
    role: str
    team: str
    port: int
    labels: dict[str, str]
    hash: str


def decoded(value: Any, kind: type[T]) -> T:
    """Return *value*, JSON as Python has it, as *kind*: the way it comes in from an API server."""
    return msgspec.json.decode(msgspec.json.encode(value), type=kind)


def generate(size: Size, seed: int = 1) -> ClusterSnapshot:
    """Return a healthy cluster of *size*: both switches on, the agent ready on every node, policies in every namespace."""
    dice = random.Random(seed)  # noqa: S311 - the same cluster every time is the point
    namespaces = [f"{team}-{stage}" for team in TEAMS for stage in STAGES][: max(1, min(48, size.pods // 20))]
    apps = list(_apps(dice, size, namespaces))
    nodes = [_node_name(i) for i in range(size.nodes)]
    return ClusterSnapshot(
        taken_at=TAKEN,
        source=SourceKind.LIVE,
        target=Target(cluster=CLUSTER, region=REGION, account=ACCOUNT, arn=f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{CLUSTER}"),
        cluster=Seen(_cluster()),
        addons=Seen(("coredns", "kube-proxy", "vpc-cni")),
        server_version=Seen("v1.33.4-eks-ba24e9c"),
        nodes=Seen(tuple(_node(name, i) for i, name in enumerate(nodes))),
        namespaces=Seen(tuple(_namespace(name) for name in ("default", "kube-system", "kube-public", *namespaces))),
        pods=Seen(tuple(_pods(dice, size, apps, nodes))),
        agent_pods=Seen(tuple(_agent_pod(name, i) for i, name in enumerate(nodes))),
        daemonsets=Seen((_aws_node(size.nodes),)),
        deployments=Seen(tuple(_deployment(app) for app in apps)),
        configmaps=Seen((_switch(),)),
        services=Seen((_kubernetes_service(), *_services(size, apps))),
        network_policies=Seen(tuple(_policies(dice, size, apps, namespaces))),
        application_policies=Seen(()),
        cluster_policies=Seen(()),
    )


# --- AWS and kube-system ----------------------------------------------------------------------------------------------


def _cluster() -> eks.Cluster:
    return decoded(
        {
            "name": CLUSTER,
            "arn": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{CLUSTER}",
            "version": "1.33",
            "platformVersion": "eks.15",
            "status": "ACTIVE",
            "kubernetesNetworkConfig": {"ipFamily": "ipv4", "serviceIpv4Cidr": "10.100.0.0/16"},
        },
        eks.Cluster,
    )


def _aws_node(nodes: int) -> k8s.Workload:
    flags = ("--enable-ipv6=false", "--enable-network-policy=true", "--enable-cloudwatch-logs=false", "--metrics-bind-addr=:8162")
    counts = ("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable")
    mounts = {"bpf-pin-path": "/sys/fs/bpf", "run-dir": "/var/run/aws-node"}
    labels = {"app.kubernetes.io/name": "aws-node", "k8s-app": "aws-node"}
    agent = {
        "name": "aws-eks-nodeagent",
        "image": f"{REGISTRY}/amazon/aws-network-policy-agent:v1.2.7",
        "args": list(flags),
        "securityContext": {"privileged": True},
        "resources": {"requests": {"cpu": "25m"}},
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts.items()],
    }
    cni = {
        "name": "aws-node",
        "image": f"{REGISTRY}/amazon-k8s-cni:v1.20.5",
        "env": [{"name": "ENABLE_IPv4", "value": "true"}, {"name": "NETWORK_POLICY_ENFORCING_MODE", "value": "standard"}],
        "volumeMounts": [{"name": "run-dir", "mountPath": mounts["run-dir"]}],
    }
    spec = {
        "hostNetwork": True,
        "serviceAccountName": "aws-node",
        "containers": [cni, agent],
        "volumes": [{"name": name, "hostPath": {"path": path}} for name, path in mounts.items()],
    }
    return decoded(
        {
            "kind": "DaemonSet",
            "metadata": {"name": "aws-node", "namespace": "kube-system", "labels": labels, "generation": 1},
            "spec": {
                "selector": {"matchLabels": {"k8s-app": "aws-node"}},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
            "status": {"observedGeneration": 1, **dict.fromkeys(counts, nodes)},
        },
        k8s.Workload,
    )


def _agent_pod(node: str, index: int) -> k8s.AgentPod:
    running = [{"name": name, "ready": True, "imageID": "sha256:0a"} for name in ("aws-node", "aws-eks-nodeagent")]
    return decoded(
        {
            "metadata": {"name": f"aws-node-{_five(index)}", "namespace": "kube-system", "labels": {"k8s-app": "aws-node"}},
            "spec": {"nodeName": node, "containers": [{"name": "aws-node"}, {"name": "aws-eks-nodeagent"}]},
            "status": {"phase": "Running", "podIP": _node_ip(index), "hostIP": _node_ip(index), "containerStatuses": running},
        },
        k8s.AgentPod,
    )


def _switch() -> k8s.ConfigMap:
    meta = k8s.ObjectMeta(name="amazon-vpc-cni", namespace="kube-system")
    return k8s.ConfigMap(meta, {"enable-network-policy-controller": "true"})


def _node_ip(index: int) -> str:
    return f"10.{index >> 14 & 0x3F}.{index >> 6 & 0xFF}.{(index & 0x3F) + 4}"


def _node_name(index: int) -> str:
    return f"ip-{_node_ip(index).replace('.', '-')}.{REGION}.compute.internal"


def _node(name: str, index: int) -> k8s.Node:
    zone = ZONES[index % len(ZONES)]
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "eks.amazonaws.com/nodegroup": f"general-{index % 7}",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "m6i.4xlarge",
        "topology.kubernetes.io/region": REGION,
        "topology.kubernetes.io/zone": zone,
    }
    info = {
        "kernelVersion": "6.1.141-155.222.amzn2023.x86_64",
        "osImage": "Amazon Linux 2023.8.20250721",
        "kubeletVersion": "v1.33.4-eks-ba24e9c",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }
    calm = ("MemoryPressure", "DiskPressure", "PIDPressure")
    since = "2026-05-01T00:00:00Z"
    conditions = [{"type": c, "status": "False", "reason": f"KubeletHasNo{c}", "lastTransitionTime": since} for c in calm]
    conditions.append({"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": since})
    addresses = [{"type": "InternalIP", "address": _node_ip(index)}, {"type": "Hostname", "address": name}]
    allocatable = {"cpu": "15890m", "memory": "60100000Ki", "pods": "234"}
    status = {"nodeInfo": info, "allocatable": allocatable, "conditions": conditions, "addresses": addresses}
    return decoded(
        {
            "metadata": {"name": name, "uid": _uid(index, "n"), "labels": labels, "creationTimestamp": since},
            "spec": {"providerID": f"aws:///{zone}/i-{index:017x}"},
            "status": status,
        },
        k8s.Node,
    )


# --- what runs there --------------------------------------------------------------------------------------------------


def _apps(dice: random.Random, size: Size, namespaces: list[str]) -> Iterator[App]:
    for i in range(max(1, size.pods // 20)):
        namespace = namespaces[i % len(namespaces)]
        team, role = namespace.split("-")[0], ROLES[i // len(namespaces) % len(ROLES)]
        name = f"{team}-{role}-{i // (len(namespaces) * len(ROLES))}"
        labels = {
            "app.kubernetes.io/component": role,
            "app.kubernetes.io/instance": name,
            "app.kubernetes.io/managed-by": "Helm",
            "app.kubernetes.io/name": f"{team}-{role}",
            "app.kubernetes.io/part-of": team,
            "app.kubernetes.io/version": f"{dice.randint(1, 4)}.{dice.randint(0, 30)}.{dice.randint(0, 9)}",
            "team": team,
        }
        yield App(namespace, name, role, team, dice.choice((3000, 5432, 6379, 8080, 8443, 9090)), labels, _hash(dice))


def _containers(app: App) -> list[dict[str, Any]]:
    probe = {"httpGet": {"port": "main"}}
    main = {
        "name": app.role,
        "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{app.team}/{app.role}:{app.labels['app.kubernetes.io/version']}",
        "ports": [{"containerPort": app.port, "name": "main"}, {"containerPort": 9102, "name": "metrics"}],
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}},
        "livenessProbe": probe,
        "readinessProbe": probe,
    }
    side = {
        "name": "logs",
        "image": "public.ecr.aws/aws-observability/aws-for-fluent-bit:2.32.5",
        "resources": {"requests": {"cpu": "50m"}},
    }
    return [main, side]


def _pods(dice: random.Random, size: Size, apps: list[App], nodes: list[str]) -> Iterator[k8s.Pod]:
    names = [f"{app.name}-{app.hash}" for app in apps]
    containers = [msgspec.json.encode(_containers(app)) for app in apps]
    labels = [msgspec.json.encode({**app.labels, "pod-template-hash": app.hash}) for app in apps]
    wire = msgspec.json.Decoder(k8s.Pod)
    for i in range(size.pods):
        n = i % len(apps)
        node = dice.randrange(len(nodes))
        owner = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": names[n],
            "uid": _uid(n, "r"),
            "controller": True,
        }
        metadata = {
            "name": f"{names[n]}-{_five(i)}",
            "namespace": apps[n].namespace,
            "uid": _uid(i, "p"),
            "labels": msgspec.Raw(labels[n]),
            "ownerReferences": [owner],
            "creationTimestamp": TAKEN - timedelta(seconds=dice.randrange(2_000_000)),
        }
        spec = {
            "nodeName": nodes[node],
            "serviceAccountName": f"{apps[n].team}-{apps[n].role}",
            "containers": msgspec.Raw(containers[n]),
            "initContainers": [],
        }
        status = {"phase": "Running", "podIP": f"10.{64 + (i >> 16)}.{i >> 8 & 0xFF}.{i & 0xFF}", "hostIP": _node_ip(node)}
        yield wire.decode(msgspec.json.encode({"metadata": metadata, "spec": spec, "status": status}))


def _deployment(app: App) -> k8s.Workload:
    selector = {"app.kubernetes.io/instance": app.name}
    template = {
        "metadata": {"labels": app.labels},
        "spec": {"serviceAccountName": f"{app.team}-{app.role}", "containers": _containers(app)},
    }
    return decoded(
        {
            "kind": "Deployment",
            "metadata": {"name": app.name, "namespace": app.namespace, "labels": app.labels, "generation": 3},
            "spec": {"replicas": 20, "selector": {"matchLabels": selector}, "template": template},
            "status": {"observedGeneration": 3, "replicas": 20, "readyReplicas": 20},
        },
        k8s.Workload,
    )


def _namespace(name: str) -> k8s.Namespace:
    labels = {"kubernetes.io/metadata.name": name}
    if "-" in name and not name.startswith("kube-"):
        team, stage = name.split("-")
        labels |= {"team": team, "stage": stage}
    return k8s.Namespace(k8s.ObjectMeta(name=name, labels=labels), status=k8s.NamespaceStatus(phase="Active"))


def _kubernetes_service() -> k8s.Service:
    spec = k8s.ServiceSpec(cluster_ip="10.100.0.1", cluster_i_ps=("10.100.0.1",), ports=(k8s.ServicePort(443, name="https"),))
    return k8s.Service(k8s.ObjectMeta(name="kubernetes", namespace="default"), spec)


def _services(size: Size, apps: list[App]) -> Iterator[k8s.Service]:
    for i in range(size.services - 1):
        app = apps[i % len(apps)]
        again = f"-{i // len(apps)}" if i >= len(apps) else ""
        ip = f"10.100.{(i >> 8) + 1}.{i & 0xFF}"
        spec = k8s.ServiceSpec(
            cluster_ip=ip,
            cluster_i_ps=(ip,),
            selector={"app.kubernetes.io/instance": app.name},
            ports=(k8s.ServicePort(app.port, name="main", target_port=app.port),),
            internal_traffic_policy="Cluster",
        )
        yield k8s.Service(k8s.ObjectMeta(name=f"{app.name}{again}", namespace=app.namespace, labels=app.labels), spec)


# --- policies ---------------------------------------------------------------------------------------------------------


def _policies(dice: random.Random, size: Size, apps: list[App], namespaces: list[str]) -> Iterator[pol.NetworkPolicy]:
    made = 0
    for namespace in namespaces[: size.policies]:
        made += 1
        spec = pol.NetworkPolicySpec(policy_types=("Ingress",))
        yield pol.NetworkPolicy(k8s.ObjectMeta(name="default-deny", namespace=namespace), spec)
    while made < size.policies:
        app = apps[made % len(apps)]
        yield _policy(dice, app, made)
        made += 1


def _policy(dice: random.Random, app: App, number: int) -> pol.NetworkPolicy:
    by_label = pol.PolicyPeer(pod_selector=LabelSelector({"app.kubernetes.io/component": dice.choice(ROLES)}))
    of_team = pol.PolicyPeer(
        namespace_selector=LabelSelector({"team": dice.choice(TEAMS)}),
        pod_selector=LabelSelector(
            match_expressions=(Requirement("app.kubernetes.io/component", Operator.IN, tuple(sorted(dice.sample(ROLES, 3)))),)
        ),
    )
    block = pol.IPBlock(f"10.{dice.randrange(64)}.0.0/16", (f"10.{dice.randrange(64)}.7.0/24",))
    port = pol.PolicyPort("TCP", app.port)
    ingress = pol.IngressRule((by_label, of_team), (port, pol.PolicyPort("TCP", "metrics")))
    dns = pol.EgressRule((), (pol.PolicyPort("UDP", 53), pol.PolicyPort("TCP", 53)))
    out = pol.EgressRule((pol.PolicyPeer(ip_block=block),), (pol.PolicyPort("TCP", 443), pol.PolicyPort("TCP", 8000, 8100)))
    both = number % 3 == 0
    spec = pol.NetworkPolicySpec(
        pod_selector=LabelSelector({"app.kubernetes.io/instance": app.name}),
        ingress=(ingress,),
        egress=(dns, out) if both else (),
        policy_types=("Ingress", "Egress") if both else ("Ingress",),
    )
    return pol.NetworkPolicy(
        k8s.ObjectMeta(name=f"{app.name}-{number}", namespace=app.namespace, labels={"team": app.team}), spec
    )


# --- names ------------------------------------------------------------------------------------------------------------


def _five(number: int) -> str:
    # 48271 has no common factor with 27**5, so no two numbers below that give the same letters.
    number = number * 48271 % 27**5
    letters = ""
    for _ in range(5):
        number, rest = divmod(number, 27)
        letters += _LETTERS[rest]
    return letters


def _hash(dice: random.Random) -> str:
    return "".join(dice.choice(_LETTERS) for _ in range(10))


def _uid(number: int, kind: str) -> str:
    return f"{ord(kind):08x}-0000-4000-8000-{number:012x}"


def main() -> None:
    """Write a cluster of the size asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="where to write the snapshot; gzipped when it ends in .gz")
    for name in Size.__dataclass_fields__:
        parser.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    size = Size(asked.nodes, asked.pods, asked.services, asked.policies)
    snapshot_file.save(generate(size, asked.seed), asked.file)
    sys.stderr.write(f"{asked.file}: {size}\n")


if __name__ == "__main__":
    main()
