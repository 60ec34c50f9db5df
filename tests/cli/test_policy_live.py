"""Policy commands against a real API server, whose own controllers made the pods: the answer to a policy that it took."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
import yaml

from tests.cli.conftest import Ended
from tests.cli.shop_files import POLICIES, WORKLOADS
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane
from tests.testbed.fixtures import NewControlPlane

pytestmark = pytest.mark.testbed

Process = Callable[..., Ended]
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "a", "labels": {"kubernetes.io/os": "linux"}, "annotations": {"kwok.x-k8s.io/node": "fake"}},
    "status": {"allocatable": {"pods": "110", "cpu": "8", "memory": "32Gi"}, "capacity": {"pods": "110"}},
}


def running(plane: ControlPlane, count: int) -> bool:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        pods = plane.get("pods", "-A")["items"]
        if sum(bool(p["status"].get("podIP")) for p in pods) >= count:
            return True
        time.sleep(0.2)
    return False


def test_a_missing_rule_is_taken_by_the_server_and_lets_through(
    new_control_plane: NewControlPlane, full_programs: Components, process: Process
) -> None:
    plane = new_control_plane(programs=full_programs)
    plane.start_controllers()
    plane.start_scheduler()
    plane.start_kwok()
    plane.create([NODE])
    plane.apply(WORKLOADS)
    plane.apply(POLICIES)
    assert running(plane, 8)
    live = ("--kubeconfig", str(plane.kubeconfig()))
    assert process("policy", "reach", "shop/web", "shop/api", "http", *live).code == 0
    denied = process("policy", "explain", "bank/web", "shop/api", "http", "-o", "yaml", *live)
    assert denied.code == 1, denied.err
    plane.did("apply", "-f", "-", stdin=denied.out)
    allowed = process("policy", "reach", "bank/web", "shop/api", "http", *live)
    assert allowed.code == 0, allowed.out
    (added,) = yaml.safe_load_all(denied.out)
    assert f"networkpolicy/shop/{added['metadata']['name']} ingress[0]" in " ".join(allowed.out.split())
    told = json.loads(process("policy", "matrix", "-o", "json", *live).out)
    assert {"from": "bank/Deployment/web", "to": "shop/Deployment/api", "connections": "TCP 8080", "partial": False} in told[
        "connections"
    ]
