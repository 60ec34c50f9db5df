"""What people and machines do in the middle of a change: other runs, full disks, Ctrl-C, wrong words, rights taken away.

Every test holds what is said (one clear line), the exit code, what the API servers were asked to change, and that whatever was
begun is finished by `resume`, or taken back.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lifecycle.cases import begun, journal, run_folders
from tests.lifecycle.cluster import AWS_NODE, CLUSTER, LEASE_REF, ROOT, Beside, Done, Place
from tests.lifecycle.test_kills import ALL, SEED
from tests.testbed.proxy import Call, Delay, Kill

pytestmark = pytest.mark.testbed

NOBODY = 65534
LEASE = 3
"""Seconds that a Lease is good for in these tests; 30 else."""
WITHIN = 60.0


def updates_addon(call: Call) -> bool:
    return call.method == "POST" and call.path.endswith("/addons/vpc-cni/update")


def applies_daemonset(call: Call) -> bool:
    return call.method == "PATCH" and call.path.endswith("/daemonsets/aws-node")


def clear(done: Done, code: int) -> str:
    """Return the last line that was said, and hold the end to *code*."""
    assert done.code == code, f"{done.code}: {done.err}"
    assert "Traceback" not in done.err
    assert "this is a bug" not in done.err
    return done.said[-1]


def untouched(place: Place) -> bool:
    """Say whether nothing was asked to be changed."""
    return place.changes == []


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def has(runs: Path, event: str, step: str = "") -> bool:
    """Say whether the newest run has such a line."""
    try:
        return any(line.get("event") == event and step in {"", line.get("step")} for line in journal(runs)[1:])
    except (json.JSONDecodeError, FileNotFoundError):
        return False


def run_in(runs: Path) -> str:
    (run,) = run_folders(runs)
    return run


def finishes(place: Place, runs: Path) -> None:
    """Go on with the only run there is, and see that the cluster is on."""
    again = place.run("resume", runs=runs)
    assert again.code == 0, again.err
    assert "watching for" not in again.err, "its own Lease is taken at once"
    assert journal(runs)[-1]["event"] == "closed"
    on(place)


def on(place: Place) -> None:
    place.settle()
    with place.server() as server:
        live = server.get(AWS_NODE)
    assert live is not None
    agent = next(c for c in live["spec"]["template"]["spec"]["containers"] if c["name"] == "aws-eks-nodeagent")
    assert "--enable-network-policy=true" in agent["args"]


# --- two runs ---------------------------------------------------------------------------------------------------------------


@contextmanager
def midway(place: Place, runs: Path, **how: Any) -> Iterator[Beside]:
    """Have a run whose update is under way for some seconds."""
    place.slowed(5)
    with place.running("enable", "--yes", runs=runs, **how) as beside:
        until(lambda: has(runs, "acted"))
        yield beside


def test_a_second_run_is_refused_and_told_who_holds_the_lease(place: Place) -> None:
    begun(place, "addon")
    here, there = place.runs(), place.runs()
    # Two people planned the same at the same time, on two machines.
    place.script.when(lambda call: call.method == "POST" and "/leases" in call.path, Kill())
    assert place.run("enable", "--yes", runs=there, lease=LEASE).code == -signal.SIGKILL
    place.script.begin()
    with midway(place, here, lease=LEASE) as first:
        second = place.run("resume", runs=there, lease=LEASE)
        said = clear(second, 6)
        assert "another run is under way" in said
        assert f"{run_in(here)} " in said
        assert [e["event"] for e in journal(there)[1:]] == ["opened", "resumed", "stopped"]
        assert first.done().code == 0
    assert [call for call in place.changes if updates_addon(call)][1:] == [], "one update, of the first run"
    on(place)
    finishes(place, there)


def test_the_same_run_twice_on_one_machine_is_refused_by_the_lock(place: Place) -> None:
    begun(place, "addon")
    runs = place.runs()
    with midway(place, runs) as first:
        second = place.run("resume", run_in(runs), runs=runs)
        said = clear(second, 6)
        assert "another process" in said
        assert run_in(runs) in said
        assert first.done().code == 0
    on(place)


def test_the_lease_of_a_dead_holder_is_taken_over_after_its_duration_and_not_before(place: Place) -> None:
    begun(place, "addon")
    here, there = place.runs(), place.runs()
    place.script.when(updates_addon, Kill())
    assert place.run("enable", "--yes", runs=here, lease=LEASE).code == -signal.SIGKILL
    with place.server() as server:
        lease = server.get(LEASE_REF)
    assert lease is not None
    assert lease["spec"]["holderIdentity"].startswith(run_in(here))
    began = time.monotonic()
    second = place.run("enable", "--yes", runs=there, lease=LEASE)
    assert second.code == 0, second.err
    assert time.monotonic() - began >= lease["spec"]["leaseDurationSeconds"] == LEASE
    assert f"was not renewed by {run_in(here)}" in second.err
    on(place)
    # What the dead one wanted is true by now: nothing is done again.
    updates = place.state()["updates"]
    finishes(place, here)
    assert place.state()["updates"] == updates


# --- the disk ---------------------------------------------------------------------------------------------------------------


def blocked(tmp_path: Path, way: str) -> tuple[Path, dict[str, Any]]:
    """Return a folder for runs that cannot be used, and how the tool is to be run."""
    root = os.geteuid() == 0
    folder = tmp_path / "runs"
    folder.mkdir()
    if way == "too small a file for the plan":
        return folder, {"limit": 500}
    if way == "too small a file for the look":
        return folder, {"limit": 20_000}
    tmp_path.chmod(0o755)
    folder.chmod(0o555 if way == "read-only" else 0o700)
    if way == "of somebody else" and not root:
        return Path("/eksnetpol-runs"), {}
    for above in folder.parents:
        if root and above.stat().st_uid == 0 and not above.stat().st_mode & 0o001:
            above.chmod(above.stat().st_mode | 0o011)
    return folder, {"user": NOBODY} if root else {}


WAYS = ("read-only", "of somebody else", "too small a file for the plan", "too small a file for the look")


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_written_down_is_not_begun(place: Place, tmp_path: Path, way: str) -> None:
    begun(place, "addon")
    runs, how = blocked(tmp_path, way)
    said = clear(place.run("enable", "--yes", runs=runs, **how), 2)
    assert str(runs) in said
    assert untouched(place), place.changes


# --- Ctrl-C and time --------------------------------------------------------------------------------------------------------


def test_ctrl_c_in_the_middle_of_a_wait(place: Place) -> None:
    begun(place, "addon")
    runs = place.runs()
    with midway(place, runs) as beside:
        beside.signal(signal.SIGINT)
        done = beside.done()
    said = clear(done, 5)
    assert "was interrupted" in said
    assert f"eksnetpol resume {run_in(runs)}" in said
    assert f"eksnetpol rollback {run_in(runs)}" in said
    assert journal(runs)[-1]["event"] == "stopped"
    finishes(place, runs)


def test_ctrl_c_while_looking_changes_nothing(place: Place) -> None:
    begun(place, "addon")
    runs = place.runs()
    place.script.at(20, Delay(1))
    with place.running("enable", "--yes", runs=runs) as beside:
        until(lambda: len(place.script.calls) >= 20)
        beside.signal(signal.SIGINT)
        said = clear(beside.done(), 130)
    assert "nothing was changed" in said
    assert untouched(place)
    assert not runs.exists()


@pytest.mark.parametrize("turn", range(12 if ALL else 2))
def test_ctrl_c_at_any_time(place: Place, turn: int) -> None:
    begun(place, "manifest")
    runs = place.runs()
    number = random.Random(f"{SEED} {turn}").randint(50, 130)  # noqa: S311 - no secret
    place.script.at(number, Delay(0.3))
    with place.running("enable", "--yes", runs=runs) as beside:
        until(lambda: len(place.script.calls) >= number or beside.is_over)
        beside.signal(signal.SIGINT)
        done = beside.done()
    said = clear(done, done.code)
    lines = journal(runs)[1:]
    if not lines:
        assert (done.code, "nothing was changed" in said) == (130, True), said
        assert untouched(place)
        return
    assert done.code == (0 if lines[-1]["event"] == "closed" else 5), f"call {number}: {done.code} {done.err}"
    if done.code:
        finishes(place, runs)


def test_time_that_is_up(place: Place) -> None:
    begun(place, "addon")
    runs = place.runs()
    place.slowed(4)
    said = clear(place.run("enable", "--yes", "--timeout", "2s", runs=runs), 5)
    assert "was not true in time" in said
    assert f"eksnetpol resume {run_in(runs)}" in said
    finishes(place, runs)


def test_what_is_not_waited_for_is_proven_later(place: Place) -> None:
    begun(place, "addon")
    runs = place.runs()
    place.slowed(3)
    began = time.monotonic()
    done = place.run("enable", "--yes", "--no-wait", runs=runs)
    assert done.code == 0, done.err
    assert "not waited for" in done.err
    assert place.endpoint.eks.of(CLUSTER).pending, time.monotonic() - began
    assert journal(runs)[-1]["event"] == "stopped"
    finishes(place, runs)


# --- bad input --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("upgrade", "--to", "v9.9.9"), 2, "v9.9.9"),
        (("upgrade", "--to", "v1.21.9-eksbuild.9"), 2, "v1.21.9-eksbuild.9"),
        (("upgrade", "--to", "v1.19.6-eksbuild.1"), 2, "v1.19.6"),
        (("enable", "--set", "env.NETWORK_POLICY_ENFORCING_MODE=lenient"), 6, "NETWORK_POLICY_ENFORCING_MODE"),
        (("enable", "--set", "nodeAgent.noSuchThing=1"), 2, "noSuchThing"),
        (("enable", "--set", "nonsense"), 2, "KEY=VALUE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_refused_in_one_line(place: Place, args: tuple[str, ...], code: int, words: str) -> None:
    begun(place, "addon")
    runs = place.runs()
    done = place.run(*args, "--yes", runs=runs)
    said = clear(done, code)
    assert words in done.err, done.err
    assert said
    assert untouched(place)
    assert not runs.exists()


def edited(text: str) -> str:
    plan = json.loads(text)
    step = next(s for s in plan["steps"] if "update" in s["id"])
    return json.dumps(plan | {"steps": [step]})


@pytest.mark.parametrize(
    "edit", [edited, lambda text: text.replace("true", "false", 1), lambda text: text[:-40], lambda _: "[]", lambda _: ""]
)
def test_a_plan_edited_by_hand_is_not_applied(place: Place, tmp_path: Path, edit: Callable[[str], str]) -> None:
    begun(place, "addon")
    plan, runs = tmp_path / "plan.json", place.runs()
    text = _plan(place, tmp_path)
    plan.write_text(edit(text))
    said = clear(place.run("apply", str(plan), "--yes", runs=runs), 2)
    assert str(plan) in said
    assert untouched(place)
    assert not runs.exists()


_PLANS: list[str] = []


def _plan(place: Place, folder: Path) -> str:
    if not _PLANS:
        made = place.run("enable", "--plan", "--out", str(folder / "whole.json"), runs=place.runs())
        assert made.code == 0, made.err
        _PLANS.append((folder / "whole.json").read_text())
        place.script.begin()
    return _PLANS[0]


def test_the_journal_of_another_cluster_is_not_gone_on_with(place: Place) -> None:
    begun(place, "addon")
    runs = place.runs()
    place.script.when(updates_addon, Kill())
    assert place.run("enable", "--yes", runs=runs).code == -signal.SIGKILL
    place.cluster_is(arn="arn:aws:eks:us-west-2:999999999999:cluster/shop-dev")
    place.script.begin()
    for verb in ("resume", "rollback"):
        done = place.run(verb, run_in(runs), *(("--yes",) if verb == "rollback" else ()), runs=runs)
        assert "is of another cluster" in clear(done, 6)
    assert untouched(place)
    place.cluster_is(arn=place.firsts["addon"].eks.of(CLUSTER).cluster["arn"])
    finishes(place, runs)


def test_a_cluster_or_an_addon_that_is_being_updated_is_left_alone(place: Place) -> None:
    begun(place, "addon")
    runs = place.runs()
    place.cluster_is(status="UPDATING")
    done = place.run("enable", "--yes", runs=runs)
    assert "UPDATING" in done.err
    clear(done, 6)
    assert untouched(place)
    assert not runs.exists()


# --- rights and objects that go away midway ---------------------------------------------------------------------------------


@contextmanager
def lacking(place: Place, verb: str, resource: str) -> Iterator[None]:
    """Take one verb from the shipped role."""
    text = (ROOT / "templates" / "rbac" / "clusterrole-manage.yaml").read_text()
    documents = [d for d in yaml.safe_load_all(text) if d]
    less = json.loads(json.dumps(documents))
    for role in less:
        for rule in role.get("rules", ()):
            if resource in rule.get("resources", ()):
                rule["verbs"] = [v for v in rule["verbs"] if v != verb]
        if "rules" in role:
            role["rules"] = [rule for rule in role["rules"] if rule["verbs"]]
    assert less != documents
    place.plane.apply(*less)
    try:
        yield
    finally:
        place.plane.apply(*documents)


@pytest.mark.parametrize(("verb", "resource"), [("patch", "daemonsets"), ("patch", "configmaps"), ("create", "leases")])
def test_a_right_that_is_missing_midway(place: Place, verb: str, resource: str) -> None:
    begun(place, "manifest")
    runs = place.runs()
    with lacking(place, verb, resource):
        time.sleep(0.5)  # The API server's authorizer watches roles.
        done = place.run("enable", "--yes", runs=runs)
    assert done.code in {3, 4, 6}, f"{done.code}: {done.err}"
    said = clear(done, done.code)
    assert f"{verb} {resource}" in done.err
    assert "\n" not in said
    if runs.exists():
        assert journal(runs)[-1]["event"] in {"failed", "stopped"}
        time.sleep(0.5)
        finishes(place, runs)


def test_a_daemonset_that_is_deleted_midway(place: Place) -> None:
    first = begun(place, "manifest")
    runs = place.runs()
    place.script.when(applies_daemonset, Delay(3, before=True))
    with place.running("enable", "--yes", runs=runs) as beside:
        until(lambda: any(applies_daemonset(call) for call in place.script.calls) or beside.is_over)
        with place.server() as server:
            server.delete(AWS_NODE)
        done = beside.done()
    assert done.code in {4, 5, 6}, f"{done.code}: {done.err}"
    said = clear(done, done.code)
    assert "aws-node" in said
    with place.server() as server:
        assert server.get(AWS_NODE) is None, "half a DaemonSet must not come of it"
        bare = {k: v for k, v in first.objects[AWS_NODE].items() if k != "status"}
        meta = {k: v for k, v in bare["metadata"].items() if k in {"name", "namespace", "labels"}}
        assert server.apply({**bare, "metadata": meta}, "kubectl").ok
    place.settle()
    finishes(place, runs)
