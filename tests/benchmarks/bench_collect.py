"""How long live collection takes beside the raw GETs of the same bytes, and beside the official client's typed lists.

    python -m tests.benchmarks.bench_collect [--kubeconfig FILE] [--pods 20000]

The API server is a real one; pods that are missing are created first, in namespace ``bench``. Ratios of one run are what
counts: the machine's speed is in both sides of each.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from eksnetpol.gateways.collect import collect
from eksnetpol.gateways.kubernetes import PODS, KubernetesApi
from eksnetpol.gateways.kubernetes_lists import PAGE, ListMeta
from eksnetpol.gateways.session import Connection, TargetOptions, connect
from eksnetpol.interfaces import SilentObserver
from eksnetpol.model.snapshot import Seen
from tests.benchmarks.turns import Bound, head, ratios, say

NAMESPACE = "bench"
PODS_PER_WORKLOAD = 20
ROUNDS = 5
TYPED_ROUNDS = 2
MOST = Bound(1.2)
"""Times that collection may take what getting the same pages takes."""
LEAST = Bound(10, least=True)
"""Times that the official client's typed list takes what ours takes."""


class _Head(msgspec.Struct):
    metadata: ListMeta


def main(words: Sequence[str] | None = None) -> None:
    """Measure at the API server of ``--kubeconfig``, or at one started for it."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kubeconfig", help="without it a control plane of the test-bed is started")
    arguments.add_argument("--pods", type=int, default=20_000)
    arguments.add_argument("--skip-typed", action="store_true", help="leave out the official client's typed list")
    chosen = arguments.parse_args(words)
    with ExitStack() as ending:
        file = chosen.kubeconfig or _started(ending)
        connection = connect(TargetOptions(kubeconfig=file))
        assert isinstance(connection.kubernetes, KubernetesApi)
        seed(connection.kubernetes, chosen.pods)
        measure(connection, connection.kubernetes, file, typed=not chosen.skip_typed)


def _started(ending: ExitStack) -> str:
    from tests.testbed.cluster import ControlPlane

    plane = ControlPlane.start(Path(ending.enter_context(TemporaryDirectory(prefix="bench-"))) / "plane")
    ending.callback(plane.stop)
    return str(plane.kubeconfig())


def measure(connection: Connection, kubernetes: KubernetesApi, kubeconfig: str, *, typed: bool) -> None:
    """Print ratios, taken in turns so that all see the same weather; the typed list is so slow that it is taken twice."""
    times: dict[str, list[float]] = {}
    ways: dict[str, Callable[[], int]] = {
        "raw paged GETs": lambda: raw(kubernetes),
        "our pods": lambda: len(kubernetes.pods()),
        "whole collection": lambda: whole(connection),
    }
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            seconds = timed(way)
            if number:
                times.setdefault(name, []).append(seconds)
        if typed and 0 < number <= TYPED_ROUNDS:
            times.setdefault("official typed list", []).append(timed(lambda: official(kubeconfig)))
    base, ours = times["raw paged GETs"], times["our pods"]
    head(f"live collection, {ROUNDS} rounds in turn")
    say("our pods / raw paged GETs, wall", ratios(ours, base), MOST)
    say("whole collection / raw paged GETs, wall", ratios(times["whole collection"], base), MOST)
    if typed:
        slow = times["official typed list"]
        say("official typed list / our pods, wall", ratios(slow, ours[: len(slow)]), LEAST)


def timed(way: Callable[[], int]) -> float:
    """Return the seconds *way* takes."""
    begin = time.perf_counter()
    count = way()
    seconds = time.perf_counter() - begin
    print(f"  {count} objects in {seconds:.2f} s")
    return seconds


def raw(kubernetes: KubernetesApi) -> int:
    """Get every page and decode only where the next one starts."""
    api, token, pages = kubernetes.api, "", 0
    while True:
        url = f"{api.server}{PODS.path()}?limit={PAGE}" + (f"&continue={token}" if token else "")
        body = api.pool.request("GET", url, headers=dict(api.credentials.headers())).data
        pages += 1
        token = msgspec.json.decode(body, type=_Head).metadata.continue_
        if not token:
            return pages


def whole(connection: Connection) -> int:
    """Collect every section."""
    snapshot = collect(connection, SilentObserver())
    assert isinstance(snapshot.pods, Seen)
    return len(snapshot.pods.value)


def official(kubeconfig: str) -> int:
    """List the pods as the official client does, page by page."""
    from kubernetes import client, config

    api = client.CoreV1Api(config.new_client_from_config(kubeconfig))
    count, token = 0, None
    while True:
        page = api.list_pod_for_all_namespaces(limit=PAGE, _continue=token)
        count += len(page.items)
        token = page.metadata._continue  # noqa: SLF001 - its name in that client
        if not token:
            return count


def seed(kubernetes: KubernetesApi, wanted: int) -> None:
    """Create pods until there are *wanted*."""
    api = kubernetes.api
    headers = {**api.credentials.headers(), "Content-Type": "application/json"}

    def post(path: str, body: Any) -> None:
        answer = api.pool.request("POST", api.server + path, headers=headers, body=msgspec.json.encode(body))
        assert answer.status in {201, 409}, answer.data

    have = len(kubernetes.pods())
    if have >= wanted:
        return
    print(f"creating {wanted - have} pods")
    post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    post(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"metadata": {"name": NAMESPACE}})
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    with ThreadPoolExecutor(12) as pool:
        for _ in pool.map(lambda n: post(path, pod(n)), range(have, wanted)):
            pass


def pod(number: int) -> dict[str, Any]:
    """Return a pod as a Deployment's would be, with what clusters put on theirs."""
    app = f"app-{number // PODS_PER_WORKLOAD}"
    return {
        "metadata": {
            "name": f"{app}-6c5d8b7f9-{number:05}",
            "labels": {"app": app, "app.kubernetes.io/name": app, "pod-template-hash": "6c5d8b7f9", "team": "bench"},
            "annotations": {"prometheus.io/port": "8080", "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": f"{app}-6c5d8b7f9",
                    "uid": f"00000000-0000-0000-0000-{number // PODS_PER_WORKLOAD:012}",
                    "controller": True,
                }
            ],
        },
        "spec": {
            "nodeName": f"ip-10-0-{number % 250}-{number % 7}.ec2.internal",
            "serviceAccountName": NAMESPACE,
            "containers": [
                {
                    "name": "main",
                    "image": f"registry.example.com/{app}:1.4.2",
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "env": [{"name": f"SETTING_{n}", "value": f"value-{n}"} for n in range(8)],
                    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
                    "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
                    "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}},
                    "volumeMounts": [
                        {
                            "name": f"kube-api-access-{number:05}",
                            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                            "readOnly": True,
                        }
                    ],
                }
            ],
            "volumes": [{"name": f"kube-api-access-{number:05}", "emptyDir": {}}],
        },
    }


if __name__ == "__main__":
    main()
