"""A change written for its owner and made by the owner's own tools, and what `status` says meanwhile, on small real clusters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.aws import Aws
from tests.testbed.build import Components
from tests.testbed.record import grant
from tests.testbed.scenario import Scenario, scenarios
from tests.testbed.world import World, running

pytestmark = pytest.mark.testbed

Json = dict[str, Any]
NODES = 3
WITHIN = 60.0


def small(name: str) -> Scenario:
    """The scenario *name* with three nodes and the VPC CNI alone."""
    data = next(s.data for s in scenarios() if s.name == name)
    cni = [step for step in data["apply"] if step["file"].startswith("vpc-cni/")]
    # What else is in it is of definitions that are not applied here.
    return Scenario(name, {**data, "nodes": [{**data["nodes"][0], "count": NODES}], "apply": cni, "objects": ""})


def world_of(name: str, folder: Path, aws: Aws) -> Iterator[World]:
    aws.reset()
    with running(small(name), folder, aws) as built:
        grant(built)
        yield built


@pytest.fixture(scope="module")
def managed(moto: Aws, full_programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    assert full_programs.folders
    yield from world_of("dormant", tmp_path_factory.mktemp("managed"), moto)


@pytest.fixture(scope="module")
def by_hand(moto: Aws, full_programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    assert full_programs.folders
    yield from world_of("retail-store-calico", tmp_path_factory.mktemp("by-hand"), moto)


def status(world: World, *args: str, code: int = 0) -> Json:
    done = world.live("status", "-o", "json", *args)
    assert done.returncode == code, done.stderr
    read: Json = json.loads(done.stdout)
    assert read["exitCode"] == code
    return read


def shell(world: World, programs: Components, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run *script* with the real kubectl, as the cluster's administrator, and the real AWS CLI."""
    tools = os.pathsep.join((str(programs.program("kubectl").parent), str(Path(sys.executable).parent), os.environ["PATH"]))
    env = world.aws.environment(world.endpoint.url, world.reader) | {"KUBECONFIG": str(world.plane.kubeconfig()), "PATH": tools}
    return subprocess.run(["sh", "-c", script], cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_script_for_the_aws_cli_does_what_the_plan_says(managed: World, full_programs: Components, tmp_path: Path) -> None:
    assert status(managed)["verdict"] == "off"
    written = managed.live("render", "enable", "--as", "aws-cli")
    assert written.returncode == 0, written.stderr
    # Its pause is for a real EKS.
    done = shell(managed, full_programs, written.stdout.replace("sleep 5", "sleep 0.2"), tmp_path)
    assert done.returncode == 0, done.stderr
    after = status(managed, "--until", "on", "--timeout", "60s")
    assert (after["verdict"], after["drift"], after["update"]) == ("on", [], None)
    assert after["switches"] == {"controller": "on", "agent": "on", "controllerValue": "true"}
    assert after["rollout"]["finished"] is True
    again = managed.live("render", "enable", "--as", "aws-cli")
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing is left to do" in again.stderr


def test_what_was_changed_by_hand_afterwards_is_drift(managed: World) -> None:
    flag = [{"op": "test", "path": "/spec/template/spec/containers/1/name", "value": "aws-eks-nodeagent"}]
    spec = managed.plane.get("daemonset/aws-node", "-n", "kube-system")["spec"]["template"]["spec"]
    at = next(n for n, arg in enumerate(spec["containers"][1]["args"]) if arg.startswith("--log-level"))
    flag.append({"op": "replace", "path": f"/spec/template/spec/containers/1/args/{at}", "value": "--log-level=error"})
    managed.plane.did("patch", "daemonset/aws-node", "-n", "kube-system", "--type=json", "-p", json.dumps(flag))
    settled = until(managed, "drifted")
    assert [(d["path"], d["told"], d["live"]) for d in settled["drift"]] == [("nodeAgent.logLevel", "info", "error")]
    assert status(managed, "--detailed-exitcode", code=7)["verdict"] == "drifted"


def until(world: World, verdict: str) -> Json:
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        found = status(world)
        if found["verdict"] == verdict:
            return found
        time.sleep(0.3)
    raise AssertionError(f"it is {found['verdict']} ({found['reasons']}), not {verdict}")


def test_manifests_for_kubectl_do_what_the_plan_says(by_hand: World, full_programs: Components, tmp_path: Path) -> None:
    assert status(by_hand)["verdict"] == "off"
    strategy = json.dumps({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}})
    by_hand.plane.did("patch", "daemonset/aws-node", "-n", "kube-system", "-p", strategy)
    # As people make it: with plain apply, which remembers what it said.
    config = by_hand.plane.get("configmap/amazon-vpc-cni", "-n", "kube-system")
    named = {"metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system"}}
    plain = {key: config[key] for key in ("apiVersion", "kind", "data")} | named
    by_hand.plane.did("apply", "-f", "-", stdin=json.dumps(plain))
    before = by_hand.plane.get("daemonset/aws-node", "-n", "kube-system")["spec"]["template"]["spec"]
    file = tmp_path / "network-policy.yaml"
    written = by_hand.live("render", "enable", "--as", "kubectl", "-o", str(file))
    assert (written.returncode, written.stdout) == (0, ""), written.stderr
    commands = [line[4:] for line in file.read_text().splitlines() if line.startswith("#   kubectl")]
    assert [c.split()[1] for c in commands] == ["patch", "patch", "rollout"]
    for command in commands[:-1]:
        done = shell(by_hand, full_programs, command, tmp_path)
        assert done.returncode == 0, done.stderr
    # Nothing is lost that the document does not name.
    data = by_hand.plane.get("configmap/amazon-vpc-cni", "-n", "kube-system")["data"]
    assert data == config["data"] | {"enable-network-policy-controller": "true"}
    after = by_hand.plane.get("daemonset/aws-node", "-n", "kube-system")["spec"]["template"]["spec"]
    agent = next(c for c in after["containers"] if c["name"] == "aws-eks-nodeagent")
    assert "--enable-network-policy=true" in agent["args"]
    agent["args"] = [a.replace("--enable-network-policy=true", "--enable-network-policy=false") for a in agent["args"]]
    assert {c["name"]: c for c in after.pop("containers")} == {c["name"]: c for c in before.pop("containers")}
    assert after == before


def test_a_roll_out_that_stands_half_way_is_told_node_by_node(by_hand: World) -> None:
    waiting = status(by_hand, "--detailed-exitcode", code=7)
    assert waiting["verdict"] == "rolling"
    pods = by_hand.plane.get("pods", "-n", "kube-system", "-l", "k8s-app=aws-node")["items"]
    replaced, *others = sorted(pods, key=lambda p: p["spec"]["nodeName"])
    by_hand.plane.did("delete", "pod", "-n", "kube-system", replaced["metadata"]["name"])
    deadline = time.monotonic() + WITHIN
    while (half := status(by_hand))["rollout"]["updated"] != 1 or half["rollout"]["ready"] != NODES:
        assert time.monotonic() < deadline, half["rollout"]
        time.sleep(0.3)
    assert (half["verdict"], half["rollout"]["finished"], half["rollout"]["onDelete"]) == ("rolling", False, True)
    old = [{"name": p["spec"]["nodeName"], "state": "old template", "detail": "", "nodeReady": True} for p in others]
    assert half["rollout"]["nodes"] == old
    page = by_hand.live("status").stdout
    assert "former template: " + ", ".join(p["spec"]["nodeName"] for p in others) in " ".join(page.split())


def test_watching_ends_when_it_is_settled(by_hand: World) -> None:
    strategy = json.dumps({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}}})
    late = by_hand.live("status", "--until", "settled", "--timeout", "1s")
    assert late.returncode == 5
    assert "--until settled was not reached within 1 s; it is rolling" in late.stderr
    by_hand.plane.did("patch", "daemonset/aws-node", "-n", "kube-system", "-p", strategy)
    done = by_hand.live("status", "--until", "settled", "--timeout", "60s")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert " on: both switches are on" in lines[-1]
    assert all(" rolling: " in line for line in lines[:-1])


def test_the_script_that_adopts_makes_it_an_addon(by_hand: World, full_programs: Components, tmp_path: Path) -> None:
    written = by_hand.live("render", "enable", "--adopt", "--as", "aws-cli")
    assert written.returncode == 0, written.stderr
    done = shell(by_hand, full_programs, written.stdout, tmp_path)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    after = status(by_hand, "--until", "on", "--timeout", "60s")
    assert after["install"]["manager"] == "managed add-on"
    assert (after["addon"]["status"], after["drift"]) == ("ACTIVE", [])


def test_what_permissions_show_for_status_is_enough(by_hand: World) -> None:
    shown = by_hand.run("permissions", "show", "status", "--rbac-only")
    assert shown.returncode == 0, shown.stderr
    # The same role, with less in it: who may only look at the status may save no snapshot.
    by_hand.plane.apply(shown.stdout)
    by_hand.endpoint.calls.clear()
    assert status(by_hand)["unread"] == []
    assert set(by_hand.endpoint.calls) <= {"DescribeCluster", "DescribeAddon", "ListUpdates", "DescribeUpdate"}
    lacking = by_hand.live("permissions", "check", "preflight", "-o", "json")
    assert "services" in lacking.stdout
    assert lacking.returncode == 1, lacking.stderr
