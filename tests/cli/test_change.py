"""Changes without a cluster: plans of a snapshot, rehearsals, and one clear line for what cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eksnetpol.gateways.plan_file import read_plan
from tests.cli.conftest import Ended

DORMANT = str(Path(__file__).parents[2] / "demo" / "clusters" / "dormant.json.gz")
NOWHERE = "there are no runs in"
NO_CLUSTER = "no --cluster NAME --region REGION was given"
Cli = Callable[..., Ended]


@pytest.fixture(autouse=True)
def runs(quiet_place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(quiet_place / "state"))
    return quiet_place / "state" / "eksnetpol" / "runs"


def test_a_plan_is_written_in_every_format_and_kept_for_apply(cli: Cli, quiet_place: Path, runs: Path) -> None:
    kept = ("-o", "json", "-o", "markdown=plan.md", "-o", "yaml=plan.yaml", "--out", "plan.json")
    done = cli("enable", "--snapshot", DORMANT, "--plan", *kept)
    assert done.code == 0
    said = json.loads(done.out)
    plan = read_plan(str(quiet_place / "plan.json"))
    assert [step.id for step in plan.steps] == [step["id"] for step in said["steps"]]
    assert [step.id for step in plan.steps] == ["update-addon", "controller-switch", "agent", "roll-out"]
    assert plan.digest in (quiet_place / "plan.md").read_text()
    assert "update-addon" in (quiet_place / "plan.yaml").read_text()
    assert "`eksnetpol apply plan.json` carries it out" in done.err
    assert not runs.exists()


def test_something_to_do_is_seven_and_nothing_is_none(cli: Cli) -> None:
    assert cli("enable", "--snapshot", DORMANT, "--plan", "--detailed-exitcode", "-q").code == 7
    assert cli("disable", "--snapshot", DORMANT, "--plan", "--detailed-exitcode", "-q").code == 0


def test_a_rehearsal_tells_how_it_went_and_leaves_nothing(cli: Cli, runs: Path) -> None:
    done = cli("enable", "--snapshot", DORMANT, "--simulate")
    assert done.code == 0
    assert "12/12 nodes rolled" in done.err
    assert done.err.splitlines()[-1].endswith("nothing was changed")
    assert not runs.exists()


def test_a_snapshot_alone_is_planned_and_never_changed(cli: Cli, runs: Path) -> None:
    done = cli("enable", "--snapshot", DORMANT, "--yes")
    assert done.code == 0
    assert "a snapshot cannot be changed" in done.err
    assert not runs.exists()


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("enableNetworkPolicy", "enableNetworkpolicy", 1),
        lambda text: text.replace('"update-addon"', '"create-addon"', 1),
        lambda text: text[: len(text) // 2],
        lambda _: "",
        lambda _: "[]",
    ],
    ids=["a word", "an action", "cut", "empty", "another document"],
)
def test_a_file_that_was_edited_is_no_plan(cli: Cli, quiet_place: Path, edit: Callable[[str], str]) -> None:
    assert cli("enable", "--snapshot", DORMANT, "--plan", "--out", "plan.json", "-q").code == 0
    file = quiet_place / "plan.json"
    file.write_text(edit(file.read_text()))
    done = cli("apply", "plan.json", "--yes", "--cluster", "shop-dev", "--region", "us-west-2")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert "plan.json" in line


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("enable", "--snapshot", DORMANT, "--pln"), "No such option '--pln'. Did you mean '--plan'?"),
        (("enable", "--snapshot", DORMANT, "--plan", "--simulate"), "--simulate and --plan each end the command in another way"),
        (("enable", "--snapshot", DORMANT, "--detailed-exitcode"), "--detailed-exitcode belongs to --plan"),
        (("enable", "--snapshot", DORMANT, "--plan", "--set", "quiet"), "'quiet' is no KEY=VALUE"),
        (("enable", "--snapshot", "missing.json", "--plan"), "missing.json: there is no such file"),
        (("upgrade", "--snapshot", DORMANT, "--to", "9.9", "--plan"), "the nearest is v1.23.0-eksbuild.1"),
        (("enable", "--manifests", ".", "--plan"), "files of manifests are no cluster that could be changed"),
        (("apply",), "Missing argument 'PLAN'"),
        (("show",), "Missing argument 'RUN'"),
        (("show", "20261127"), NOWHERE),
        (("restore", "20261127"), NOWHERE),
        (("resume", "20261127"), NOWHERE),
        (("rollback", "20261127"), NOWHERE),
        (("resume",), NO_CLUSTER),
        (("rollback",), NO_CLUSTER),
        (("disable", "--yes"), NO_CLUSTER),
    ],
)
def test_what_cannot_be_gets_one_clear_line(cli: Cli, args: tuple[str, ...], words: str) -> None:
    done = cli(*args)
    assert done.code == 2
    assert words in done.err.splitlines()[0]
    assert len(done.err.splitlines()) <= 2
    assert done.out == ""


def test_history_without_runs_says_where_it_looked(cli: Cli, runs: Path) -> None:
    done = cli("history")
    assert done.code == 0
    assert " ".join(done.out.split()) == f"There are no runs in {runs}."
