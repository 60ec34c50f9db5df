"""Pods that leave the door: complete, small, and holding nothing of the page they came from."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.gateways.pods import TOKEN_MOUNT
from eksnetpol.model import kubernetes as k8s
from tests.gateways.scripted import kubernetes_at, page, scripted

Json = dict[str, Any]


def a_pod(number: int, **container: Any) -> Json:
    mount = {"name": f"kube-api-access-{number:05}", "mountPath": TOKEN_MOUNT, "readOnly": True}
    return {
        "metadata": {
            "name": f"api-{number}",
            "namespace": "shop",
            "uid": f"u{number}",
            "labels": {"app": "api", "tier": "web"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{secret}", "prometheus.io/port": "80"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "api", "uid": "r1", "apiVersion": "apps/v1", "controller": True}],
            "managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {}}}],
        },
        "spec": {
            "nodeName": "n1",
            "containers": [
                {
                    "name": "main",
                    "image": "api:1",
                    "command": ["serve", "--password=hunter2"],
                    "args": ["--password=hunter2"],
                    "env": [{"name": "PASSWORD", "value": "hunter2"}],
                    "ports": [{"containerPort": 8080, "name": "http"}],
                    "volumeMounts": [mount, {"name": "data", "mountPath": "/data"}],
                    **container,
                }
            ],
        },
        "status": {"phase": "Running", "podIP": "10.0.0.7", "hostIP": "10.0.0.1"},
    }


def through_the_door(*pods: Json) -> tuple[k8s.Pod, ...]:
    with scripted(lambda _: page(list(pods))) as server:
        return kubernetes_at(server.url).pods()


def test_a_pod_keeps_what_is_read() -> None:
    (pod,) = through_the_door(a_pod(1))
    assert (pod.namespace, pod.name, pod.metadata.uid, pod.spec.node_name) == ("shop", "api-1", "u1", "n1")
    assert pod.labels == {"app": "api", "tier": "web"}
    assert pod.metadata.annotations == {"prometheus.io/port": "80"}
    assert pod.metadata.owner_references[0].name == "api"
    assert pod.status.pod_ip == "10.0.0.7"
    (container,) = pod.containers
    assert container.ports == (k8s.ContainerPort(8080, "http"),)
    assert container.volume_mounts == (k8s.VolumeMount("kube-api-access", TOKEN_MOUNT),)
    assert pod.init_containers == ()


def test_no_environment_argument_or_command_comes_through() -> None:
    pods = through_the_door(a_pod(1))
    assert b"hunter2" not in msgspec.json.encode(pods)
    assert b"secret" not in msgspec.json.encode(pods).replace(b"secrets/kubernetes.io", b"")
    assert pods[0].containers[0].env == ()
    assert pods[0].containers[0].args == ()


def test_pods_of_one_workload_share_what_they_have_in_common() -> None:
    one, two = through_the_door(a_pod(1), a_pod(2))
    assert one.spec.containers is two.spec.containers
    assert one.metadata.labels is two.metadata.labels
    assert one.metadata.owner_references is two.metadata.owner_references
    assert one.metadata.namespace is two.metadata.namespace
    assert one.name != two.name


def test_pods_that_differ_stay_different() -> None:
    one, two = through_the_door(a_pod(1), a_pod(2, image="api:2"))
    assert [c.image for p in (one, two) for c in p.containers] == ["api:1", "api:2"]


def test_pods_do_not_keep_the_page_they_came_from() -> None:
    big = a_pod(1, command=["x" * 5_000_000])
    tracemalloc.start()
    try:
        pods = through_the_door(big)
        del big
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert pods[0].labels["app"] == "api"
    assert kept < 2_000_000


def test_a_pod_without_labels_or_with_nulls_is_a_pod() -> None:
    bare, null = {"metadata": {"name": "bare"}}, {"metadata": {"name": "null", "labels": None, "annotations": None}, "spec": {}}
    pods = through_the_door(bare, null)
    assert [(p.name, dict(p.labels), p.containers) for p in pods] == [("bare", {}, ()), ("null", {}, ())]


texts = st.text(max_size=20)


@given(
    st.dictionaries(texts, texts, max_size=4),
    st.lists(st.fixed_dictionaries({"name": texts, "image": texts, "restartPolicy": texts}), max_size=3),
)
def test_reducing_loses_nothing_that_the_model_has(labels: dict[str, str], containers: list[Json]) -> None:
    from eksnetpol.gateways.pods import PodReducer, WirePod

    body = msgspec.json.encode({"metadata": {"name": "a", "labels": labels}, "spec": {"containers": containers}})
    reduced = PodReducer()(msgspec.json.decode(body, type=WirePod))
    plain = msgspec.json.decode(body, type=k8s.Pod)
    assert (dict(reduced.labels), reduced.containers) == (dict(plain.labels), plain.containers)


def test_the_collector_is_off_until_the_last_one_leaves() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with collector_paused():
            inside.set()
            leave.wait(10)

    assert gc.isenabled()
    thread = threading.Thread(target=other)
    with collector_paused():
        thread.start()
        inside.wait(10)
        assert not gc.isenabled()
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
