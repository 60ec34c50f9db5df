"""A hundred nodes really roll: what is told meanwhile, how rarely is asked, and a node that never gets there."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.testbed.aws import Aws
from tests.testbed.build import Components
from tests.testbed.proxy import Script, proxying
from tests.testbed.scenario import Scenario, scenario
from tests.testbed.world import World, running

pytestmark = pytest.mark.testbed

NODES = 100
PACE = 5.0
HOLD = "testbed.example.org/hold"
TIMEOUT = 24.0


@dataclass(slots=True)
class Many:
    """The cluster; ``script`` stands in front of its API server, ``asked`` in front of EKS."""

    world: World
    script: Script
    asked: Script
    eks_door: str
    runs: Path

    def run(self, *args: str) -> CompletedProcess[str]:
        """Run the tool on this cluster."""
        self.script.begin()
        self.asked.begin()
        target = ("--cluster", self.world.scenario.cluster, "--region", "us-west-2")
        more: dict[str, Any] = {"XDG_STATE_HOME": str(self.runs), "AWS_ENDPOINT_URL_EKS": self.eks_door}
        return self.world.run(*args, *target, keys=None, CI="1", COLUMNS="120", **more)

    def status(self) -> Any:
        """Return what `status` says."""
        done = self.run("status", "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def many(moto: Aws, full_programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    assert full_programs.folders
    moto.reset()
    data = scenario("dormant").data
    cni = [step for step in data["apply"] if step["file"].startswith("vpc-cni/")]
    described = Scenario("hundred", {**data, "nodes": [{**data["nodes"][0], "count": NODES}], "apply": cni, "objects": ""})
    folder = tmp_path_factory.mktemp("hundred")
    with running(described, folder, moto) as world:
        shown = world.run("permissions", "show", "enable", "--rbac-only", "--group", "eksnetpol-read")
        assert shown.returncode == 0, shown.stderr
        world.plane.apply(shown.stdout)
        script, asked = Script(), Script()
        with (
            proxying(script, world.plane.url, authority=world.plane.authority) as door,
            proxying(asked, world.endpoint.url, aws=True) as eks_door,
        ):
            eks = world.endpoint.eks
            here = eks.of(described.cluster)
            moved = replace(here, cluster={**here.cluster, "endpoint": door})
            world.endpoint.eks = replace(eks, clusters={described.cluster: moved})
            yield Many(world, script, asked, eks_door, folder / "runs")


def held(many: Many) -> tuple[str, str]:
    """Keep one pod of ``aws-node`` from ever going; return its name and its node's."""
    pod = many.world.plane.get("pods", "-n", "kube-system", "-l", "k8s-app=aws-node")["items"][0]
    name = pod["metadata"]["name"]
    patch = json.dumps({"metadata": {"finalizers": [HOLD]}})
    many.world.plane.did("patch", "pod", name, "-n", "kube-system", "--type=merge", "-p", patch)
    return name, pod["spec"]["nodeName"]


def test_a_node_that_never_gets_there_is_named_and_the_run_goes_on_later(many: Many) -> None:
    assert many.status()["verdict"] == "off"
    pod, node = held(many)
    began = time.monotonic()
    done = many.run("enable", "--yes", "--timeout", f"{TIMEOUT:.0f}s")
    took = time.monotonic() - began
    assert done.returncode == 5, done.stderr
    *_, last = done.stderr.splitlines()
    assert node in last, done.stderr
    assert "eksnetpol resume" in last
    # The roll-out is told as it goes on, and never backwards.
    rolled = [int(found) for found in re.findall(r"(\d+)/100 nodes rolled", done.stderr)]
    grown = rolled[rolled.index(min(rolled)) :]
    assert "still has the former template" in last or "still ending" in last
    assert len(set(grown)) >= 3, rolled
    assert grown == sorted(grown)
    assert NODES // 2 < max(grown) < NODES
    # Waiting costs at most one call of EKS in five seconds, and the DaemonSet is watched.
    began_at = next(n for n, call in enumerate(many.asked.calls) if call.method == "POST" and "update" in call.path)
    waiting = many.asked.calls[began_at + 1 :]
    assert len(waiting) <= took / PACE + 2, [str(c) for c in waiting]
    to_aws_node = [c for c in many.script.calls if "aws-node" in c.target and "daemonsets" in c.path]
    watched = [c for c in to_aws_node if c.is_watch]
    assert watched
    assert len(to_aws_node) - len(watched) <= took / PACE + 6, [str(c) for c in to_aws_node]
    half = many.status()
    assert half["verdict"] == "rolling"
    assert [n["name"] for n in half["rollout"]["nodes"]] == [node]
    many.world.plane.did("patch", "pod", pod, "-n", "kube-system", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    resumed = many.run("resume")
    assert resumed.returncode == 0, resumed.stderr
    updates = [call for call in many.asked.calls if call.path.endswith("/update")]
    assert updates == [], "the update was sent before"
    after = many.status()
    assert (after["verdict"], after["drift"], after["rollout"]["finished"]) == ("on", [], True)
    again = many.run("enable", "--plan", "--detailed-exitcode")
    assert again.returncode == 0, again.stderr
    assert "nothing is left to do" in (again.stdout + again.stderr).lower()
