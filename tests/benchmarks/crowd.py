"""What runs on a large cluster: workloads of many sizes and kinds, their pods, Services and service accounts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from eksnetpol.facts.credentials import ROLE_ANNOTATION
from eksnetpol.model import eks
from eksnetpol.model import kubernetes as k8s
from tests.benchmarks.ground import REGION, five, node_ip, node_name, uid

ACCOUNT = "111122223333"
TAKEN = datetime(2026, 11, 24, 12, tzinfo=UTC)
TEAMS = ("shop", "cart", "search", "billing", "identity", "catalog", "media", "data", "risk", "mail", "ads", "stock")
STAGES = ("prod", "canary", "batch", "edge")
ROLES = ("api", "web", "worker", "cache", "db", "gateway", "consumer", "scheduler", "proxy", "index")
PORTS = {"api": 8080, "web": 3000, "worker": 8081, "cache": 6379, "db": 5432, "gateway": 8443, "index": 9200}
METRICS = 9102
SIZES = (1, 1, 2, 2, 3, 3, 3, 5, 5, 8, 10, 12, 20, 30, 60, 140)
"""Replicas of workloads: most have a few, some have many. 19 on average."""
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class App:
    """A workload and what its pods have in common. ``kind`` is that of the workload."""

    number: int
    namespace: str
    name: str
    role: str
    team: str
    kind: str
    replicas: int
    labels: dict[str, str]
    hash: str

    @property
    def port(self) -> int:
        """Where it listens; the port is called ``http``, whatever it speaks."""
        return PORTS.get(self.role, 8080)

    @property
    def account(self) -> str:
        """Its service account."""
        return f"{self.team}-{self.role}"

    @property
    def selector(self) -> dict[str, str]:
        """What its workload, its Service and its policies select it by."""
        return {"app.kubernetes.io/instance": self.name, "app.kubernetes.io/name": f"{self.team}-{self.role}"}


def apps(dice: random.Random, pods: int, namespaces: list[str]) -> Iterator[App]:
    """Yield workloads with *pods* pods altogether."""
    i = 0
    while pods:
        namespace = namespaces[i % len(namespaces)]
        team, role = namespace.split("-")[0], ROLES[i // len(namespaces) % len(ROLES)]
        name = f"{team}-{role}-{i // (len(namespaces) * len(ROLES))}"
        replicas = min(pods, dice.choice(SIZES))
        kind = {"db": "StatefulSet", "scheduler": "Job"}.get(role, "Deployment")
        labels = {
            "app.kubernetes.io/component": role,
            "app.kubernetes.io/instance": name,
            "app.kubernetes.io/managed-by": "Helm",
            "app.kubernetes.io/name": f"{team}-{role}",
            "app.kubernetes.io/part-of": team,
            "app.kubernetes.io/version": f"{dice.randint(1, 4)}.{dice.randint(0, 30)}.{dice.randint(0, 9)}",
            "helm.sh/chart": f"{role}-1.{dice.randint(0, 9)}.0",
            "team": team,
        }
        yield App(i, namespace, name, role, team, kind, replicas, labels, "".join(dice.choice(_LETTERS) for _ in range(10)))
        pods -= replicas
        i += 1


def containers(app: App) -> list[dict[str, Any]]:
    """Return the containers of *app*: its own, one that ships logs, and, for some, a proxy."""
    probe = {"httpGet": {"port": "http"}}
    version = app.labels["app.kubernetes.io/version"]
    mount = {"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    main = {
        "name": app.role,
        "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{app.team}/{app.role}:{version}",
        "ports": [
            {"containerPort": app.port, "name": "http", "protocol": "TCP"},
            {"containerPort": METRICS, "name": "metrics", "protocol": "TCP"},
        ],
        "volumeMounts": [mount],
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}},
        "livenessProbe": probe,
        "readinessProbe": probe,
    }
    logs = {
        "name": "logs",
        "image": "public.ecr.aws/aws-observability/aws-for-fluent-bit:2.32.5",
        "volumeMounts": [mount],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
    }
    proxy = {
        "name": "envoy",
        "image": "public.ecr.aws/appmesh/aws-appmesh-envoy:v1.29.9.0-prod",
        "ports": [{"containerPort": 15000, "name": "admin", "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "readinessProbe": {"httpGet": {"port": 9901}},
    }
    return [main, logs, proxy] if app.number % 3 == 0 else [main, logs]


def owner(app: App) -> dict[str, Any]:
    """Return what owns the pods of *app*."""
    kind, name = (app.kind, app.name) if app.kind != "Deployment" else ("ReplicaSet", f"{app.name}-{app.hash}")
    version = "batch/v1" if kind == "Job" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "name": name, "uid": uid(app.number, "r"), "controller": True}


def _own_label(app: App) -> dict[str, str]:
    match app.kind:
        case "StatefulSet":
            return {"controller-revision-hash": f"{app.name}-{app.hash}"}
        case "Job":
            return {"batch.kubernetes.io/job-name": app.name}
        case _:
            return {"pod-template-hash": app.hash}


def pods(dice: random.Random, crowd: list[App], nodes: int) -> Iterator[k8s.Pod]:
    """Yield the pods of all of *crowd*, those of one workload together, on any of *nodes* nodes."""
    wire = msgspec.json.Decoder(k8s.Pod)
    encode = msgspec.json.encode
    count = 0
    for app in crowd:
        own, inside, who = encode({**app.labels, **_own_label(app)}), encode(containers(app)), encode([owner(app)])
        init = encode([{"name": "migrate", "image": containers(app)[0]["image"], "resources": {}}] if app.number % 5 == 0 else [])
        for i in range(app.replicas):
            count += 1
            node = dice.randrange(nodes)
            own_name = f"{app.name}-{i}" if app.kind == "StatefulSet" else f"{owner(app)['name']}-{five(count)}"
            labels = own
            if app.kind == "StatefulSet":
                # Every pod of a StatefulSet is told apart by its labels.
                place = {"apps.kubernetes.io/pod-index": str(i), "statefulset.kubernetes.io/pod-name": own_name}
                labels = encode({**app.labels, **_own_label(app), **place})
            metadata = {
                "name": own_name,
                "namespace": app.namespace,
                "uid": uid(count, "p"),
                "labels": msgspec.Raw(labels),
                "ownerReferences": msgspec.Raw(who),
                "creationTimestamp": TAKEN - timedelta(seconds=dice.randrange(2_000_000)),
            }
            spec = {
                "nodeName": node_name(node),
                "serviceAccountName": app.account,
                "containers": msgspec.Raw(inside),
                "initContainers": msgspec.Raw(init),
            }
            ip = f"10.{64 + (count >> 16)}.{count >> 8 & 0xFF}.{count & 0xFF}"
            status = {
                "phase": "Succeeded" if app.kind == "Job" and i else "Running",
                "podIP": ip,
                "hostIP": node_ip(node),
            }
            yield wire.decode(encode({"metadata": metadata, "spec": spec, "status": status}))


def workload(app: App) -> k8s.Workload:
    """Return the Deployment, StatefulSet or Job that *app* is."""
    template = {
        "metadata": {"labels": app.labels},
        "spec": {"serviceAccountName": app.account, "containers": containers(app)},
    }
    return msgspec.json.decode(
        msgspec.json.encode(
            {
                "kind": app.kind,
                "metadata": {
                    "name": app.name,
                    "namespace": app.namespace,
                    "uid": uid(app.number, "w"),
                    "labels": app.labels,
                    "generation": 3,
                    "creationTimestamp": TAKEN - timedelta(days=100),
                },
                "spec": {"replicas": app.replicas, "selector": {"matchLabels": app.selector}, "template": template},
                "status": {"observedGeneration": 3, "replicas": app.replicas, "readyReplicas": app.replicas},
            }
        ),
        type=k8s.Workload,
    )


def accounts(crowd: list[App]) -> Iterator[k8s.ServiceAccount]:
    """Yield the service accounts of *crowd*; that of every fourth team has a role by IRSA."""
    for namespace, name in _account_names(crowd):
        role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        annotations = {ROLE_ANNOTATION: role} if TEAMS.index(name.split("-")[0]) % 4 == 0 else {}
        yield k8s.ServiceAccount(k8s.ObjectMeta(name=name, namespace=namespace, annotations=annotations))


def associations(crowd: list[App]) -> Iterator[eks.PodIdentityAssociation]:
    """Yield the Pod Identity associations; all other teams have them."""
    for i, (namespace, name) in enumerate(_account_names(crowd)):
        if TEAMS.index(name.split("-")[0]) % 4:
            arn = f"arn:aws:eks:{REGION}:{ACCOUNT}:podidentityassociation/shop-prod/a-{i:017x}"
            yield eks.PodIdentityAssociation(namespace, name, f"a-{i:017x}", arn)


def _account_names(crowd: list[App]) -> list[tuple[str, str]]:
    return sorted({(app.namespace, app.account) for app in crowd})


def services(count: int, crowd: list[App]) -> Iterator[k8s.Service]:
    """Yield *count* Services: by name, by number, headless; one in ten listens elsewhere than its pods do."""
    serving = [app for app in crowd if app.kind != "Job"]
    for i in range(count):
        app = serving[i % len(serving)]
        again = f"-{i // len(serving)}" if i >= len(serving) else ""
        headless = app.kind == "StatefulSet"
        ip = "None" if headless else f"10.100.{(i >> 8) + 1}.{i & 0xFF}"
        port = 80 if i % 10 == 0 else app.port
        spec = k8s.ServiceSpec(
            cluster_ip=ip,
            cluster_i_ps=(ip,),
            selector=app.selector,
            ports=(
                k8s.ServicePort(port, name="http", target_port="http" if i % 3 else app.port),
                k8s.ServicePort(METRICS, name="metrics", target_port="metrics"),
            ),
            internal_traffic_policy="Cluster",
        )
        meta = k8s.ObjectMeta(
            name=f"{app.name}{again}",
            namespace=app.namespace,
            uid=uid(i, "s"),
            labels=app.labels,
            creation_timestamp=TAKEN - timedelta(days=90),
        )
        yield k8s.Service(meta, spec)
