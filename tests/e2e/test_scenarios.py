"""Each scenario, whole: live by the way in that EKS gives, saved, replayed without access, redacted."""

from __future__ import annotations

import json
import subprocess
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


@pytest.fixture(scope="module", params=scenarios(), ids=lambda s: s.name)
def world(
    request: pytest.FixtureRequest, moto: Aws, full_programs: Components, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    assert full_programs.folders
    moto.reset()
    described: Scenario = request.param
    with running(described, tmp_path_factory.mktemp(described.name), moto) as built:
        grant(built)
        yield built


@pytest.fixture(scope="module")
def saved(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "look.json.gz"
    done = world.live("snapshot", "save", str(path))
    assert done.returncode == 0, done.stderr
    return path


def report(done: subprocess.CompletedProcess[str]) -> Json:
    parsed: Json = json.loads(done.stdout)
    assert done.returncode == parsed["exitCode"], done.stderr
    return parsed


def answers(report: Json) -> dict[str, tuple[str, int]]:
    return {r["id"]: (r["outcome"], len(r["findings"])) for r in report["results"]}


def test_preflight_answers_what_the_scenario_expects(world: World) -> None:
    said = report(world.live("preflight", "-o", "json"))
    expected = world.scenario.data["expect"]
    assert (said["verdict"], said["exitCode"]) == (expected["verdict"], expected["exit"])
    failed = {r["id"] for r in said["results"] if r["outcome"] == "failed"}
    assert set(expected["finds"]) <= failed
    assert not [r["id"] for r in said["results"] if r["outcome"] == "errored"]


def test_exactly_the_granted_permissions_are_enough(world: World) -> None:
    said = report(world.live("preflight", "-o", "json"))
    assert [u for u in said["unread"] if u["why"] == "denied"] == []
    assert not world.authenticator.refused


def test_a_snapshot_replays_every_check_without_access(world: World, saved: Path) -> None:
    live = report(world.live("preflight", "-o", "json"))
    replayed = report(world.run("preflight", "--snapshot", str(saved), "-o", "json", AWS_ENDPOINT_URL_EKS="http://127.0.0.1:9"))
    assert replayed["results"] == live["results"]
    assert replayed["verdict"] == live["verdict"]


def test_a_redacted_snapshot_gives_the_same_answers_and_no_names(world: World, saved: Path, tmp_path: Path) -> None:
    shared, salt = tmp_path / "shared.json", tmp_path / "salt"
    # With one random salt in some thirty an address becomes itself; a salt of our own makes every run the same.
    salt.write_bytes(b"a salt for tests")
    done = world.run("snapshot", "redact", str(saved), str(shared), "--salt-file", str(salt))
    assert done.returncode == 0, done.stderr
    before = report(world.run("preflight", "--snapshot", str(saved), "-o", "json"))
    after = report(world.run("preflight", "--snapshot", str(shared), "-o", "json"))
    assert answers(after) == answers(before)
    text = shared.read_text()
    assert world.scenario.cluster not in text
    assert "123456789012" not in text
    nodes = world.plane.get("nodes")["items"]
    assert not [n["metadata"]["name"] for n in nodes if n["metadata"]["name"] in text]
