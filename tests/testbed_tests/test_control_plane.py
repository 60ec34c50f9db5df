"""The control plane is real: it verifies TLS, decides by RBAC, rolls DaemonSets, and is gone when it is stopped."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane, User
from tests.testbed.fixtures import NewControlPlane
from tests.testbed.nodes import node
from tests.testbed.pki import Authority
from tests.testbed.processes import NeverReady

pytestmark = pytest.mark.testbed

DATA = Path(__file__).parent.parent / "data"
NODES = 20
AGENT = ("daemonset", "aws-node", "-n", "kube-system")


def eventually(true: Callable[[], bool], within: float = 60.0) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"still not so after {within} s"
        time.sleep(0.1)


def alive(pid: int) -> bool:
    """True while a process runs; one that ended but was not waited for has no command line any more."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def fetched(url: str, ca: str, token: str = "") -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310 - our server
    with urllib.request.urlopen(request, context=ssl.create_default_context(cadata=ca), timeout=10) as answer:  # noqa: S310 - as above
        return bytes(answer.read())


def test_the_whole_reports_the_eks_version_it_was_linked_with(whole: ControlPlane) -> None:
    version = json.loads(whole.did("version", "-o", "json"))
    assert version["serverVersion"]["gitVersion"].startswith("v1.34.1-eks-")
    assert (version["serverVersion"]["major"], version["serverVersion"]["minor"]) == ("1", "34")


def test_tls_is_verified(control_plane: ControlPlane) -> None:
    assert fetched(f"{control_plane.url}/readyz", control_plane.ca_pem, control_plane.token()) == b"ok"
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        fetched(f"{control_plane.url}/readyz", Authority.make().pem)


def test_a_user_may_what_rbac_grants_and_nothing_more(control_plane: ControlPlane) -> None:
    granted = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "testbed-nodes"}}
    control_plane.apply(
        {**granted, "kind": "ClusterRole", "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]},
        {
            **granted,
            "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "testbed-nodes"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "testbed-viewers"}],
        },
    )
    viewer = User("jane", ("testbed-viewers",))
    assert control_plane.kubectl("get", "nodes", user=viewer).returncode == 0
    assert 'User "jane" cannot list resource "pods"' in control_plane.kubectl("get", "pods", "-A", user=viewer).stderr
    assert "cannot list" in control_plane.kubectl("get", "nodes", user=User("jane")).stderr


def test_what_was_applied_is_owned_by_its_manager(control_plane: ControlPlane) -> None:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owned"}, "data": {"a": "1"}}
    control_plane.apply(settings, manager="eks", namespace="default")
    managers = control_plane.get("configmap", "owned", "-n", "default", "--show-managed-fields")["metadata"]["managedFields"]
    assert [(m["manager"], m["operation"]) for m in managers] == [("eks", "Apply")]


@pytest.fixture(scope="module")
def whole(full_programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane.start(tmp_path_factory.mktemp("whole"), programs=full_programs)
    plane.start_controllers()
    plane.start_scheduler()
    plane.start_kwok()
    yield plane
    plane.stop()


def test_the_real_controllers_roll_the_agent_over_all_nodes(whole: ControlPlane) -> None:
    whole.create(node(i) for i in range(NODES))
    whole.apply(DATA / "vpc-cni" / "v1.21.1" / "aws-k8s-cni.yaml")
    eventually(lambda: whole.get(*AGENT)["status"].get("numberReady") == NODES)
    pods = whole.get("pods", "-n", "kube-system", "-l", "k8s-app=aws-node")["items"]
    assert {p["status"]["phase"] for p in pods} == {"Running"}
    assert all(
        len(p["status"]["containerStatuses"]) == 2 and all(c["ready"] for c in p["status"]["containerStatuses"]) for p in pods
    )
    assert all(p["status"]["podIP"] == p["status"]["hostIP"] for p in pods), "aws-node runs in the host's network"

    containers = whole.get(*AGENT)["spec"]["template"]["spec"]["containers"]
    place = next(i for i, c in enumerate(containers) if c["name"] == "aws-eks-nodeagent")
    flags = ["--enable-network-policy=true" if a.startswith("--enable-network-policy=") else a for a in containers[place]["args"]]
    patch = [{"op": "replace", "path": f"/spec/template/spec/containers/{place}/args", "value": flags}]
    whole.did("patch", *AGENT, "--type=json", "-p", json.dumps(patch))

    def rolled() -> bool:
        found = whole.get(*AGENT)
        seen = found["status"]["observedGeneration"] == found["metadata"]["generation"]
        return bool(seen and found["status"].get("updatedNumberScheduled") == found["status"].get("numberReady") == NODES)

    eventually(rolled)
    again = whole.get("pods", "-n", "kube-system", "-l", "k8s-app=aws-node")["items"]
    assert not {p["metadata"]["uid"] for p in pods} & {p["metadata"]["uid"] for p in again}
    assert {p["metadata"]["labels"]["pod-template-generation"] for p in again} == {"2"}


def test_deployments_run_jobs_end_and_failures_show(whole: ControlPlane) -> None:
    whole.create([node(100), node(101, labels={"testbed.example.org/ready": "never"})])

    def workload(kind: str, name: str, annotations: dict[str, str], **pod: object) -> dict[str, object]:
        labels = {"app": name}
        template = {
            "metadata": {"labels": labels, "annotations": annotations},
            "spec": {"containers": [{"name": "a", "image": "a"}], **pod},
        }
        spec: dict[str, object] = {"template": template}
        if kind == "Deployment":
            spec["selector"] = {"matchLabels": labels}
        api = "batch/v1" if kind == "Job" else "apps/v1"
        return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec}

    whole.apply(
        workload("Deployment", "web", {}),
        workload("Deployment", "broken", {"testbed.example.org/state": "crash-loop"}),
        workload("Job", "once", {}, restartPolicy="Never"),
    )
    whole.did("wait", "deployment/web", "--for=condition=Available", "--timeout=60s", "-n", "default")
    whole.did("wait", "job/once", "--for=condition=Complete", "--timeout=60s", "-n", "default")

    def looping() -> bool:
        pods = whole.get("pods", "-n", "default", "-l", "app=broken")["items"]
        states = [c["state"] for p in pods for c in p["status"].get("containerStatuses", [])]
        return [s["waiting"]["reason"] for s in states if "waiting" in s] == ["CrashLoopBackOff"]

    eventually(looping)
    assert "unavailableReplicas" in whole.get("deployment", "broken", "-n", "default")["status"]
    never = whole.get("nodes", "-l", "testbed.example.org/ready=never")["items"]
    assert [c for n in never for c in n["status"].get("conditions", []) if c["type"] == "Ready" and c["status"] == "True"] == []
    web = whole.get("pods", "-n", "default", "-l", "app=web")["items"][0]
    assert web["status"]["podIP"].startswith("10.0.")

    whole.did("delete", "deployment,job", "--all", "-n", "default", "--timeout=60s")
    eventually(lambda: whole.get("pods", "-n", "default")["items"] == [])


def test_an_ipv6_cluster_gives_ipv6_service_addresses_and_stop_leaves_nothing(new_control_plane: NewControlPlane) -> None:
    plane = new_control_plane(family="ipv6")
    assert plane.url.startswith("https://[::1]:")
    service = plane.get("service", "kubernetes", "-n", "default")["spec"]
    assert (service["ipFamilies"], service["clusterIP"]) == (["IPv6"], "fd00:10:100::1")
    pids = plane.pids()
    assert len(pids) == 2
    assert all(map(alive, pids))
    plane.stop()
    assert not any(map(alive, pids))
    plane.stop()


def test_an_older_version_is_reported_and_named_users_get_tokens(
    new_control_plane: NewControlPlane, full_programs: Components
) -> None:
    jane = User("jane", ("devs",))
    plane = new_control_plane(programs=full_programs, version="v1.24.17-eks-5d4a308", users=[jane])
    version = json.loads(fetched(f"{plane.url}/version", plane.ca_pem))
    assert (version["gitVersion"], version["major"], version["minor"]) == ("v1.24.17-eks-5d4a308", "1", "24")
    who = json.loads(plane.did("auth", "whoami", "-o", "json", user=jane))["status"]["userInfo"]
    assert (who["username"], who["groups"]) == ("jane", ["devs", "system:authenticated"])
    assert "token:" in plane.kubeconfig(jane).read_text()


@pytest.mark.parametrize("ending", ["exit", "kill"])
def test_nothing_is_left_when_the_interpreter_ends(programs: Components, tmp_path: Path, ending: str) -> None:
    script = (
        "import sys, pathlib, time\n"
        "from tests.testbed.build import Components\n"
        "from tests.testbed.cluster import ControlPlane\n"
        f"plane = ControlPlane.start(pathlib.Path({str(tmp_path)!r}), programs=Components({programs.folders!r}))\n"
        "print(*plane.pids(), flush=True)\n"
        "time.sleep(60 if sys.argv[1] == 'kill' else 0)\n"
    ).replace("PosixPath(", "pathlib.PosixPath(")
    with subprocess.Popen([sys.executable, "-c", script, ending], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        pids = [int(pid) for pid in child.stdout.readline().split()]
        assert len(pids) == 2
        if ending == "kill":
            os.kill(child.pid, signal.SIGKILL)
    eventually(lambda: not any(map(alive, pids)), 10)


def test_a_part_that_does_not_come_up_shows_the_end_of_its_log(programs: Components, tmp_path: Path) -> None:
    with pytest.raises(NeverReady, match="kube-apiserver ended with"):
        ControlPlane.start(tmp_path, programs=programs, token_webhook="nonsense://\x01")  # noqa: S106 - a URL
