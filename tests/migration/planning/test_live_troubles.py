"""What goes wrong with migrations of a real cluster, by commands: what is refused before anything is written, and what stops.

The tool comes to the API server through a proxy, which tells what it wrote and loses the server when a test wants that.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lifecycle.cluster import LOOKS, Done, Zygote
from tests.lifecycle.test_trouble import blocked
from tests.migration.planning.test_live import world as world  # noqa: PLC0414 - a fixture
from tests.migration.planning.test_live_commands import HOW
from tests.testbed.aws import REGION
from tests.testbed.cluster import ControlPlane
from tests.testbed.proxy import Call, Reset, Script, proxying
from tests.testbed.world import ROOT, World

pytestmark = pytest.mark.testbed

Json = dict[str, Any]
PATIENCE = "6s"
NEWCOMER = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: newcomer, namespace: ui}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""
GUARD = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: guard}
webhooks:
  - name: guard.example.org
    failurePolicy: Fail
    sideEffects: None
    timeoutSeconds: 1
    admissionReviewVersions: [v1]
    clientConfig: {service: {namespace: ui, name: guard}}
    rules: [{operations: ["*"], apiGroups: [networking.k8s.io], apiVersions: ["*"], resources: [networkpolicies]}]
---
apiVersion: v1
kind: Service
metadata: {name: guard, namespace: ui}
spec: {selector: {app: nobody}, ports: [{port: 443}]}
"""


@dataclass
class Town:
    """The cluster behind its proxy, and who runs the tool."""

    world: World
    script: Script
    zygote: Zygote

    def run(self, *args: str, runs: Path, **how: Any) -> Done:
        """Run the tool in a process of its own, which keeps its runs in *runs*; what it asks is counted from 1."""
        self.script.calls.clear()
        env = self.world.aws.environment(self.world.endpoint.url, self.world.reader)
        env |= {"KUBECONFIG": "/dev/null", "CI": "1", "COLUMNS": "120"}
        here = ("--cluster", self.name, "--region", REGION, "--state-dir", str(runs))
        return self.zygote.run([*args, *here], env, lambda _: None, **how)

    @property
    def name(self) -> str:
        """Its name in EKS."""
        return self.world.scenario.cluster

    @property
    def changes(self) -> list[Call]:
        """What was asked since the tool was last started that may have changed something."""
        asked = [call for call in self.script.calls if call.changes and "dryRun" not in call.target]
        return [call for call in asked if call.path.rpartition("/")[2] not in LOOKS]

    @contextmanager
    def described(self, **members: Any) -> Iterator[None]:
        """Let DescribeCluster say this for a while."""
        endpoint = self.world.endpoint
        before = endpoint.eks
        here = before.of(self.name)
        endpoint.eks = replace(before, clusters={self.name: replace(here, cluster={**here.cluster, **members})})
        try:
            yield
        finally:
            endpoint.eks = before


@pytest.fixture(scope="module")
def town(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    script = Script(counts=lambda call: not call.is_watch)
    with ExitStack() as stack:
        zygote = Zygote(tmp_path_factory.mktemp("tool"))
        stack.callback(zygote.stop)
        door = stack.enter_context(proxying(script, world.plane.url, authority=world.plane.authority))
        made = Town(world, script, zygote)
        stack.enter_context(made.described(endpoint=door))
        yield made


def ends(done: Done, code: int, *words: str) -> str:
    """Hold an end to its code and what it says, and return that."""
    assert done.code == code, f"{done.code}: {done.err}"
    assert "Traceback" not in done.err
    missing = [word for word in words if word not in done.err]
    assert not missing, f"{missing} not in {done.err}"
    return done.said[-1]


# --- bad input --------------------------------------------------------------------------------------------------------------


def test_a_saved_plan_whose_inputs_have_changed_names_what_has(town: Town, tmp_path: Path) -> None:
    plane, plan, runs = town.world.plane, str(tmp_path / "plan.json"), tmp_path / "runs"
    ends(town.run("migrate", "run", "--plan", "--out", plan, *HOW, runs=runs), 0)
    plane.apply(NEWCOMER)
    ends(town.run("apply", plan, "--yes", runs=runs), 6, "(policies)", "eksnetpol migrate run --plan")
    assert town.changes == []
    plane.did("delete", "networkpolicy", "-n", "ui", "newcomer")
    assert not runs.exists()


@contextmanager
def lacking(plane: ControlPlane, verb: str, resource: str) -> Iterator[None]:
    """Take one verb from the shipped role."""
    documents = list(yaml.safe_load_all((ROOT / "templates" / "rbac" / "clusterrole-migrate.yaml").read_text()))
    less = json.loads(json.dumps(documents))
    for rule in (rule for role in less for rule in role.get("rules", ()) if resource in rule.get("resources", ())):
        rule["verbs"] = [v for v in rule["verbs"] if v != verb] or ["get"]
    assert less != documents
    plane.apply(*less)
    try:
        yield
    finally:
        plane.apply(*documents)


@pytest.mark.parametrize(("verb", "resource"), [("patch", "networkpolicies"), ("patch", "nodes"), ("create", "jobs")])
def test_a_right_that_is_missing_is_named_before_anything_is_written(
    town: Town, tmp_path: Path, verb: str, resource: str
) -> None:
    with lacking(town.world.plane, verb, resource):
        done = town.run("migrate", "run", "--yes", *HOW, runs=tmp_path / "runs")
    ends(done, 3, f"{verb} {resource}", "nothing was changed", "eksnetpol permissions show migrate run")
    assert town.changes == []
    assert not (tmp_path / "runs").exists()


def test_an_api_server_that_nobody_reaches_is_named(town: Town, tmp_path: Path) -> None:
    nowhere = "https://127.0.0.1:9"
    with town.described(endpoint=nowhere):
        ends(town.run("migrate", "run", "--yes", "--request-timeout", "2s", *HOW, runs=tmp_path / "runs"), 3, nowhere)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("way", ["read-only", "too small a file for the look"])
def test_without_a_journal_nothing_is_begun(town: Town, tmp_path: Path, way: str) -> None:
    runs, how = blocked(tmp_path, way)
    ends(town.run("migrate", "run", "--yes", *HOW, runs=runs, **how), 2, str(runs))
    assert town.changes == []


# --- trouble on the way -----------------------------------------------------------------------------------------------------


@dataclass
class Away:
    """Whether a call falls into the ``seconds`` that begin with the first one for which ``begins`` is true."""

    begins: Callable[[Call], bool]
    seconds: float
    met: list[float] = field(default_factory=list)

    def __call__(self, call: Call) -> bool:
        """Say it of one call."""
        if not self.met and not self.begins(call):
            return False
        self.met.append(time.monotonic())
        return self.met[-1] - self.met[0] < self.seconds


@contextmanager
def made_anew(town: Town, folder: Path) -> Iterator[None]:
    """Let a cluster of the same name be another one for a while."""
    plane = ControlPlane.start(folder, token_webhook=town.world.authenticator.url)
    try:
        plane.apply(ROOT / "templates" / "rbac" / "clusterrole-migrate.yaml")
        authority = {"data": base64.b64encode(plane.ca_pem.encode()).decode()}
        with town.described(endpoint=plane.url, certificateAuthority=authority):
            yield
    finally:
        plane.stop()


def writes_policy(call: Call) -> bool:
    return call.method == "PATCH" and "/networkpolicies/" in call.path


def test_a_run_stops_by_name_and_goes_on_when_that_is_mended(town: Town, tmp_path: Path) -> None:
    plane, runs = town.world.plane, tmp_path / "runs"
    ends(town.run("migrate", "run", "--yes", "--until", "2", *HOW, runs=runs), 0)
    (run,) = (folder.name for folder in runs.iterdir())

    # A webhook that nobody answers.
    plane.apply(GUARD)
    ends(town.run("resume", "--until", "5b", "--timeout", PATIENCE, runs=runs), 5, "guard.example.org", f"eksnetpol resume {run}")
    assert "guard.example.org" in town.run("migrate", "status", runs=runs).out
    assert plane.get("networkpolicies", "-n", "ui")["items"] == []
    plane.did("delete", "validatingwebhookconfiguration", "guard")

    # A cluster that was made anew under the same name.
    with made_anew(town, tmp_path / "other"):
        for verb in ("resume", "rollback"):
            ends(town.run(verb, run, *(["--yes"] if verb == "rollback" else []), runs=runs), 6, "is of another cluster")

    # An API server that is away for a while.
    away = Away(writes_policy, 2.0)
    town.script.when(away, Reset(), times=1000)
    done = town.run("resume", "--until", "5b", runs=runs)
    town.script.begin()
    ends(done, 0, "done up to phase 5b")
    assert len(away.met) > 1, "it is asked again"
    assert [p["metadata"]["name"] for p in plane.get("networkpolicies", "-n", "ui")["items"]]
