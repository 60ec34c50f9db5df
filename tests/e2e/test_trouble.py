"""What goes wrong on the way to a cluster: one clear line, the right exit code, and the rest goes on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.testbed.aws import Aws
from tests.testbed.build import Components
from tests.testbed.cluster import ADMIN
from tests.testbed.eks_endpoint import Fault
from tests.testbed.pki import Authority
from tests.testbed.record import grant
from tests.testbed.scenario import scenario
from tests.testbed.world import World, running

pytestmark = pytest.mark.testbed

Json = dict[str, Any]


@pytest.fixture(scope="module")
def shared(moto: Aws, full_programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    assert full_programs.folders
    moto.reset()
    with running(scenario("ready"), tmp_path_factory.mktemp("ready"), moto) as built:
        yield built


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    grant(shared)
    yield shared
    shared.endpoint.faults.clear()
    shared.authenticator.refused.clear()


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert "Traceback" not in done.stderr
    return [line for line in done.stderr.splitlines() if line]


def unread(done: subprocess.CompletedProcess[str]) -> dict[str, Json]:
    return {u["section"]: u for u in json.loads(done.stdout)["unread"]}


@pytest.mark.parametrize(
    ("group", "resource", "section"),
    [("", "nodes", "nodes"), ("networking.k8s.io", "networkpolicies", "network_policies"), ("apps", "daemonsets", "daemonsets")],
)
def test_one_missing_verb_leaves_exactly_its_section_unread(world: World, group: str, resource: str, section: str) -> None:
    role, binding = yaml.safe_load_all(world.run("permissions", "show", "preflight", "--rbac-only").stdout)
    for rule in role["rules"]:
        if group in rule.get("apiGroups", ()) and resource in rule.get("resources", ()) and "list" in rule["verbs"]:
            rule["resources"] = [r for r in rule["resources"] if r != resource]
    role["rules"] = [r for r in role["rules"] if r.get("resources") or r.get("nonResourceURLs")]
    world.plane.did("delete", "clusterrole", role["metadata"]["name"])
    world.plane.apply(role, binding)
    done = world.live("preflight", "-o", "json")
    denied = {name: u for name, u in unread(done).items() if u["why"] == "denied"}
    assert section in denied
    assert resource in denied[section]["permission"]
    assert done.returncode == 3
    # A section that builds on the refused one names it; none is refused for a reason of its own.
    assert all(resource in u["permission"] for u in denied.values())


def test_somebody_the_cluster_does_not_know_is_told_so(world: World) -> None:
    stranger = world.aws.user("stranger")
    done = world.live("preflight", "-o", "json", keys=stranger)
    assert done.returncode == 3
    assert any("ARN is not mapped" in why for why in world.authenticator.refused)
    said = " ".join(lines(done)) + done.stdout
    assert "401" in said or "refuses" in said or "credentials" in said


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(403, "AccessDeniedException", "not authorized to perform: eks:DescribeAddon"), "eks:DescribeAddon"),
        (Fault(500, "ServerException", "internal"), "eks:DescribeAddon"),
        (Fault(429, "ThrottlingException", "slow down"), "eks:DescribeAddon"),
    ],
    ids=["denied", "broken", "throttled"],
)
def test_what_aws_refuses_is_unknown_never_passed(world: World, fault: Fault, words: str) -> None:
    world.endpoint.faults["DescribeAddon"] = fault
    done = world.live("preflight", "-o", "json")
    assert words in json.dumps(unread(done)["addon"])
    outcomes = {r["id"]: r["outcome"] for r in json.loads(done.stdout)["results"]}
    assert outcomes["addon-is-settled"] == "unknown" if "addon-is-settled" in outcomes else "unknown" in outcomes.values()
    assert done.returncode == 3


def test_a_cluster_that_does_not_exist_is_named(world: World) -> None:
    done = world.run("preflight", "--cluster", "nowhere", "--region", "us-west-2")
    assert done.returncode in {2, 3}
    assert "nowhere" in done.stderr
    assert len(lines(done)) <= 3


def test_a_dead_endpoint_is_one_line(world: World) -> None:
    arguments = ("--cluster", world.scenario.cluster, "--region", "us-west-2", "--request-timeout", "2s")
    done = world.run("preflight", *arguments, AWS_ENDPOINT_URL_EKS="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stderr
    assert len(lines(done)) <= 3


def test_a_kubeconfig_of_another_cluster_is_refused(world: World) -> None:
    elsewhere = world.plane.kubeconfig(ADMIN, server="https://127.0.0.1:9")
    done = world.live("preflight", "--kubeconfig", str(elsewhere), "--context", "testbed")
    assert done.returncode == 6
    assert world.plane.url in done.stderr
    assert "https://127.0.0.1:9" in done.stderr
    assert len(lines(done)) <= 3


def test_a_kubeconfig_with_another_authority_is_refused(world: World) -> None:
    other = world.plane.kubeconfig(ADMIN, ca_pem=Authority.make().pem)
    done = world.live("preflight", "--kubeconfig", str(other), "--context", "testbed")
    assert done.returncode == 6
    assert len(lines(done)) <= 3


def test_a_tls_mismatch_is_one_line(world: World) -> None:
    other = world.plane.kubeconfig(ADMIN, ca_pem=Authority.make().pem)
    done = world.run("preflight", "--kubeconfig", str(other), "--context", "testbed")
    assert done.returncode == 3
    assert "certificate" in done.stderr.lower() + done.stdout.lower()


def test_a_cluster_that_is_being_deleted_says_so(world: World) -> None:
    eks = world.endpoint.eks
    here = eks.of(world.scenario.cluster)
    gone = type(here)(cluster={**here.cluster, "status": "DELETING"}, addons=here.addons, nodegroups=here.nodegroups)
    world.endpoint.eks = eks.with_cluster(world.scenario.cluster, gone)
    try:
        done = world.live("preflight", "-o", "json")
    finally:
        world.endpoint.eks = eks
    assert "DELETING" in done.stdout + done.stderr
    assert done.returncode in {1, 3}


def test_permissions_check_names_what_is_missing(world: World) -> None:
    world.plane.did("delete", "clusterrolebinding", "eksnetpol-read")
    done = world.live("permissions", "check", "preflight")
    assert done.returncode in {1, 3}
    assert "nodes" in done.stdout
    grant(world)


def test_a_kill_leaves_no_half_snapshot(world: World, tmp_path: Path) -> None:
    path = tmp_path / "look.json"
    env = world.aws.environment(world.endpoint.url, world.reader)
    world.endpoint.faults["DescribeAddonVersions"] = Fault(0, "", delay=5.0)
    command = ["snapshot", "save", str(path), "--cluster", world.scenario.cluster, "--region", "us-west-2"]
    from tests.testbed.world import ROOT, TOOL

    started = subprocess.Popen([*TOOL, *command], cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            started.wait(timeout=3)
    finally:
        started.kill()
        started.wait()
    assert list(tmp_path.iterdir()) == []
    world.endpoint.faults.clear()
    again = world.live("snapshot", "save", str(path))
    assert again.returncode == 0, again.stderr
    assert path.is_file()
