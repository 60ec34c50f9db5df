"""The runbook typed into a shell, with the real kubectl against a real API server: each step makes true what the plan says."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eksnetpol.assets.manifests import definition
from eksnetpol.fields.holds import ABSENT, differences, value_at
from eksnetpol.model.actions import Apply, Create, Delete, Evict
from eksnetpol.model.conditions import Absent, Condition, Holds, conditions
from eksnetpol.model.kinds import CLUSTER_POLICY, CLUSTER_POLICY_ENDPOINT, CONFIGMAP, DAEMONSET, DEPLOYMENT
from eksnetpol.model.plan import Plan, Step
from eksnetpol.reporting import by_hand
from eksnetpol.simulation.sections import objects, seen
from tests.migration import cluster_policy_town
from tests.migration.towns import town
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane

pytestmark = pytest.mark.testbed

Json = dict[str, Any]
TOWN = town("calico_by_manifest")


@pytest.fixture(scope="module")
def plane(programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A cluster with the shop's nodes, its DaemonSets and what the VPC CNI is told by."""
    started = ControlPlane.start(tmp_path_factory.mktemp("runbook"), programs=programs)
    made: list[Json] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}]
    made += [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{letter}"}} for letter in "abc"]
    for kind in (DAEMONSET, DEPLOYMENT, CONFIGMAP):
        made += [_plain(one) for one in objects(kind, seen(TOWN.snapshot, kind))]
    started.did("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    yield started
    started.stop()


def _plain(one: Json) -> Json:
    kept = {key: value for key, value in one["metadata"].items() if key in {"name", "namespace", "labels"}}
    found = {**one, "metadata": kept}
    found.pop("status", None)
    spec = found.get("spec")
    if spec is not None and "template" in spec:
        # A look keeps neither selectors of all workloads nor the labels that these ask for.
        labels = {"app": kept["name"]}
        spec["selector"] = {"matchLabels": labels}
        spec["template"]["metadata"] = {"labels": labels}
        for container in spec["template"]["spec"]["containers"]:
            container.setdefault("image", "example.com/image:1")
    return found


@pytest.fixture(scope="module")
def shell(plane: ControlPlane, programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run a command as a person does, in a folder for the copies, and return what it printed."""
    folder = Path(programs.program("kubectl")).parent
    environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig()), "PATH": f"{folder}:{os.environ['PATH']}"}

    copies = tmp_path_factory.mktemp("copies")

    def run(command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", command], env=environment, cwd=copies, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    return run


def is_so(plane: ControlPlane, until: Condition) -> list[str]:
    """Return what of *until* is not so, as far as it speaks of objects."""
    wrong: list[str] = []
    for one in conditions(until):
        if isinstance(one, Holds):
            where = ("-n", one.ref.namespace) if one.ref.namespace else ()
            live = plane.get(str(one.ref.of_kind), one.ref.name, *where)
            wrong += [f"{one.ref}: {d.path} is {d.live}" for d in differences(live, one.object)]
            wrong += [f"{one.ref}: {path} is there" for path in one.without if value_at(live, path) is not ABSENT]
        elif isinstance(one, Absent):
            for gone in one.objects:
                where = ("-n", gone.ref.namespace) if gone.ref.namespace else ()
                if plane.kubectl("get", str(gone.ref.of_kind), gone.ref.name, *where).returncode == 0:
                    wrong.append(f"{gone.ref} is there")
    return wrong


def acting(plan: Plan) -> list[Step]:
    """Return the steps up to the first door that write something; of the nodes, which are all treated alike, those of one."""
    written = [step for step in plan.steps if not step.door and isinstance(step.action, Apply | Create)]
    return [step for step in written if "node-b" not in step.id and "node-c" not in step.id]


def test_what_is_typed_makes_true_what_the_plan_says_and_is_taken_back(plane: ControlPlane, shell: Any) -> None:
    plan = TOWN.plan()
    steps = acting(plan)
    assert len(steps) > 6
    done: list[Step] = []
    created: set[object] = set()
    for step in steps:
        if isinstance(step.action, Create):
            if step.action.ref in created:
                continue
            created.add(step.action.ref)
        for command in by_hand.doing(step, plan):
            shell(command)
        if not any(later.action == step.action for later in done):
            assert is_so(plane, step.until) == [], step.id
        done.append(step)
    for step in reversed(done):
        if step.undo is not None:
            for command in by_hand.undoing(step, plan):
                shell(command)
            assert is_so(plane, step.undo.until) == [], step.id


def test_cluster_network_policies_are_applied_looked_at_and_taken_back(plane: ControlPlane, shell: Any) -> None:
    for kind in (CLUSTER_POLICY, CLUSTER_POLICY_ENDPOINT):
        if plane.kubectl("get", "crd", str(kind)).returncode:
            plane.apply(definition(str(kind)))
        plane.did("wait", "--for=condition=Established", f"crd/{kind}", "--timeout=60s")
    plan = cluster_policy_town.move().plan
    (step,) = (s for s in plan.steps if isinstance(s.action, Apply) and s.action.ref.of_kind == CLUSTER_POLICY)
    for command in by_hand.doing(step, plan):
        shell(command)
    assert is_so(plane, step.until) == []
    covered = next(step for step in plan.steps if step.id == "covered")
    for _, command in by_hand.gates(covered, plan):
        if "cluster" in command:
            shell(command)
    assert step.undo is not None
    for command in by_hand.undoing(step, plan):
        shell(command)
    assert is_so(plane, step.undo.until) == []


def test_nodes_are_drained_by_a_verb_of_kubectl(shell: Any) -> None:
    plan = town("cilium").plan()
    drains = [step for step in plan.steps if isinstance(step.action, Evict)]
    assert len(drains) == 3
    for step in drains:
        for command in by_hand.doing(step, plan):
            assert "drained" in shell(command)
    shell("kubectl uncordon node-a node-b node-c")


def test_gates_are_looked_at_by_commands_that_are_understood(shell: Any) -> None:
    plan = TOWN.plan()
    found = {command: words for step in plan.steps for words, command in by_hand.gates(step, plan)}
    assert all(found.values())
    # What is not served, or not created, here is another matter than a command that kubectl does not know.
    strange = ("projectcalico", "networking.k8s.aws", "eksnetpol-clean", "shop", "node-b", "node-c")
    asked = [c for c in found if c.startswith("kubectl get") and not any(word in c for word in strange)]
    assert len(asked) > 5
    shell(" && ".join(asked))


def test_the_engine_is_taken_away_by_name(plane: ControlPlane, shell: Any) -> None:
    plan = TOWN.plan()
    step = next(step for step in plan.steps if step.id == "uninstall/agents")
    assert isinstance(step.action, Delete)
    for command in by_hand.doing(step, plan):
        shell(command)
    assert is_so(plane, step.until) == []


def test_what_was_taken_away_comes_back_from_the_copies(plane: ControlPlane, shell: Any) -> None:
    plan = TOWN.plan()
    kept = next(step for step in plan.steps if step.id == "back-up/engine")
    gone = next(step for step in plan.steps if step.id == "uninstall/control")
    assert isinstance(gone.action, Delete)
    assert gone.undo is not None
    before = plane.get("deployments.apps", gone.action.objects[0].ref.name, "-n", "kube-system")
    for command in by_hand.doing(kept, plan):
        shell(command)
    for command in by_hand.doing(gone, plan):
        shell(command)
    assert is_so(plane, gone.until) == []
    # Of what is not there at all its file is empty, and nothing is to be brought back.
    for command in by_hand.undoing(gone, plan):
        file = command.split(" -f ")[1].split()[0]
        if shell(f"wc -c < {file}").strip() != "0":
            shell(f"{command} || kubectl get deployments.apps -n kube-system {before['metadata']['name']}")
    after = plane.get("deployments.apps", before["metadata"]["name"], "-n", "kube-system")
    assert after["spec"] == before["spec"]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
