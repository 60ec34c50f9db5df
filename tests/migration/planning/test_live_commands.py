"""A migration by commands on a real cluster: up to a phase, killed, up to the door, through it, and all the way back."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from eksnetpol.migration.planning.leaving import LABEL
from tests.migration.planning.clusters import IMAGE
from tests.migration.planning.test_live import world as world  # noqa: PLC0414 - a fixture
from tests.testbed.world import ROOT, TOOL, World

pytestmark = pytest.mark.testbed

Tool = Callable[..., CompletedProcess[str]]
HOW = ("--cleaner-image", IMAGE, "--batch", "100%", "--canary", "0", "--soak", "1s", "--settle", "1s")


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path), "CI": "1", "COLUMNS": "120"}


@pytest.fixture
def tool(world: World, state: dict[str, str]) -> Tool:
    here = ("--cluster", world.scenario.cluster, "--region", "us-west-2")
    return lambda *args: world.run(*args, *here, keys=None, **state)


def killed_at(world: World, state: dict[str, str], words: str, *args: str) -> str:
    """Start the tool and kill it for good as soon as it has said *words*; return what it said."""
    env = world.aws.environment(world.endpoint.url, world.reader) | {"KUBECONFIG": "/dev/null", **state}
    here = ("--cluster", world.scenario.cluster, "--region", "us-west-2")
    said = ""
    command = [*TOOL, *args, *here]
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as run:
        assert run.stderr is not None
        for line in run.stderr:
            said += line
            if words in line:
                run.send_signal(signal.SIGKILL)
                break
    assert words in said, said
    return said


def agents(world: World) -> set[str]:
    found = world.plane.get("pods", "-n", "kube-system", "-l", "k8s-app=calico-node")["items"]
    return {pod["spec"]["nodeName"] for pod in found}


def test_a_cluster_is_led_off_calico_by_commands_alone(world: World, tool: Tool, state: dict[str, str]) -> None:
    nodes = {node["metadata"]["name"] for node in world.plane.get("nodes")["items"]}
    shown = tool("migrate", "run", "--plan", *HOW)
    assert shown.returncode == 0, shown.stderr
    assert " Phase 6 exit" in shown.stdout
    assert "--confirm uninstall" in shown.stdout
    assert agents(world) == nodes

    first = tool("migrate", "run", "--yes", "--until", "5b", *HOW)
    assert first.returncode == 0, first.stderr
    assert "done up to phase 5b agent" in first.stderr
    assert agents(world) == nodes
    policies = world.plane.get("networkpolicies", "-n", "ui")["items"]
    assert [p["metadata"]["labels"]["app.kubernetes.io/managed-by"] for p in policies] == ["eksnetpol"]

    both = json.loads(tool("migrate", "status", "-o", "json").stdout)
    assert (both["counts"]["both engines"], both["door"]) == (len(nodes), "")
    killed_at(world, state, "cordon", "resume")
    stopped = tool("resume")
    assert stopped.returncode == 5, stopped.stderr
    *_, last = stopped.stderr.splitlines()
    assert "--confirm uninstall" in last
    assert agents(world) == set()
    left = world.plane.get("nodes")["items"]
    assert all(node["metadata"]["labels"][LABEL] == "vpc-cni" and "unschedulable" not in node["spec"] for node in left)
    waiting = json.loads(tool("migrate", "status", "-o", "json").stdout)
    assert (waiting["counts"]["VPC CNI"], waiting["door"]) == (len(nodes), "uninstall")
    wrong = tool("resume", "--confirm", "everything")
    assert (wrong.returncode, "its doors are uninstall" in wrong.stderr) == (2, True), wrong.stderr

    gone = tool("resume", "--confirm", "uninstall")
    assert gone.returncode == 0, gone.stderr
    assert not [d for d in world.plane.get("daemonsets", "-n", "kube-system")["items"] if d["metadata"]["name"] == "calico-node"]
    again = tool("migrate", "run", *HOW)
    assert again.returncode == 0, again.stderr
    assert "nothing is left to do" in again.stdout.lower()

    run = waiting["run"]["id"]
    verified = tool("migrate", "verify", "--run", run, "-o", "json")
    results = {r["id"]: r["outcome"] for r in json.loads(verified.stdout)["results"] if r["family"] == "migration"}
    assert set(results.values()) == {"passed"}, verified.stdout
    cleaned = tool("migrate", "cleanup", "--left-overs", "admission", "--plan")
    assert cleaned.returncode == 0, cleaned.stderr

    back = tool("rollback", "--yes")
    assert back.returncode == 0, back.stderr
    assert agents(world) == nodes
    assert world.plane.get("networkpolicies", "-n", "ui")["items"] == []
    assert not any(LABEL in node["metadata"]["labels"] for node in world.plane.get("nodes")["items"])
