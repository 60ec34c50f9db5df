"""The files through which others run this tool: the GitHub Action, the pre-commit hook, the Dockerfile."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksnetpol.cli.base import Option
from eksnetpol.cli.commands.preflight import command
from eksnetpol.reporting.formats import FORMATS
from tests.cli.conftest import Ended, environment
from tests.cli.test_preflight import POLICY

ROOT = Path(__file__).parents[2]
FLAGS = {name for param in command.params if isinstance(param, Option) for name in (*param.opts, *param.secondary_opts)}


@pytest.fixture
def action() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return read


def step(action: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (s for s in action["runs"]["steps"] if s["name"] == name)
    return dict(found)


def test_the_action_offers_flags_and_formats_that_exist(action: dict[str, Any]) -> None:
    script = step(action, "Preflight")["run"]
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", script)) <= FLAGS
    assert set(re.findall(r"-o \"?([a-z]+)", script)) <= set(FORMATS)
    assert {"manifests", "snapshot", "cluster", "region", "for", "fail-on", "args", "sarif-file", "version"} <= set(
        action["inputs"]
    )


def test_no_input_of_the_action_is_part_of_a_script(action: dict[str, Any]) -> None:
    assert [s["name"] for s in action["runs"]["steps"] if "${{" in s.get("run", "")] == []
    given = re.findall(r"inputs\.([a-z-]+)", str([s.get("env", s.get("with")) for s in action["runs"]["steps"]]))
    assert sorted(given) == sorted(action["inputs"])


def test_the_action_pins_what_it_uses_and_installs_its_own_checkout(action: dict[str, Any]) -> None:
    assert step(action, "Set up Python")["uses"] == "actions/setup-python@v5"
    assert '--no-deps "$GITHUB_ACTION_PATH"' in step(action, "Install eksnetpol")["run"]
    assert (ROOT / "requirements" / "run.lock").is_file()


@pytest.mark.parametrize(("version", "code"), [("1.24", 1), ("1.33", 3)])
def test_the_action_really_runs(action: dict[str, Any], quiet_place: Path, old: str, saved: str, version: str, code: int) -> None:
    tool = quiet_place / "temp" / "eksnetpol" / "bin" / "eksnetpol"
    tool.parent.mkdir(parents=True)
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m eksnetpol "$@"\n', encoding="utf-8")
    tool.chmod(0o755)
    inputs = {name: str(given.get("default", "")) for name, given in action["inputs"].items()}
    inputs |= {
        "snapshot": old if version == "1.24" else saved,
        "sarif-file": "out.sarif",
        "args": "--width 60",
        "summary": "true",
    }
    preflight = step(action, "Preflight")
    env = {name: inputs[re.findall(r"inputs\.([a-z-]+)", value)[0]] for name, value in preflight["env"].items()}
    env |= {"RUNNER_TEMP": str(quiet_place / "temp"), "GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary.md"}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", preflight["run"]],
        cwd=quiet_place, env=environment(**env), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    said = dict(line.split("=", 1) for line in (quiet_place / "output").read_text(encoding="utf-8").splitlines())
    assert said["exit-code"] == str(code)
    for name in ("json-file", "markdown-file", "sarif-file"):
        assert (quiet_place / said[name]).is_file()
    assert (quiet_place / "summary.md").read_text(encoding="utf-8") == Path(said["markdown-file"]).read_text(encoding="utf-8")
    assert ("::error" in done.stdout) == (code == 1)


def test_an_input_of_the_action_with_a_quote_in_it_is_a_word(action: dict[str, Any], quiet_place: Path) -> None:
    tool = quiet_place / "temp" / "eksnetpol" / "bin" / "eksnetpol"
    tool.parent.mkdir(parents=True)
    tool.write_text('#!/bin/sh\nfor word in "$@"; do echo "<$word>"; done\n', encoding="utf-8")
    tool.chmod(0o755)
    preflight = step(action, "Preflight")
    env = dict.fromkeys(preflight["env"], "") | {"MANIFESTS": "a b\n$(touch owned)\n", "CLUSTER": '"; touch owned; "'}
    env |= {"RUNNER_TEMP": str(quiet_place / "temp"), "GITHUB_OUTPUT": "output"}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", preflight["run"]],
        cwd=quiet_place, env={**os.environ, **env}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "<--manifests>\n<a b>\n<--manifests>\n<$(touch owned)>\n" in done.stdout
    assert not (quiet_place / "owned").exists()


def test_the_hook_calls_a_command_that_takes_its_files() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["id"] == "eksnetpol-manifests"
    assert (hook["types"], hook["pass_filenames"], hook["language"]) == (["yaml"], True, "python")
    words = [*shlex.split(hook["entry"]), *hook["args"], "a.yaml", "b c.yaml"]
    assert words[:2] == ["eksnetpol", "preflight"]
    context = command.make_context("preflight", words[2:])
    assert context.params["manifests"] == ("a.yaml", "b c.yaml")


def test_the_hook_really_runs(process: Callable[..., Ended], quiet_place: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    (quiet_place / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (quiet_place / "values.yaml").write_text("replicas: 3\n", encoding="utf-8")
    words = [*shlex.split(hook["entry"])[1:], *hook["args"]]
    assert process(*words, "policy.yaml", "values.yaml").code == 0
    (quiet_place / "policy.yaml").write_text(POLICY.replace("policyTypes: [", "policyTypes: {["), encoding="utf-8")
    assert process(*words, "policy.yaml", "values.yaml").code == 2


def test_the_image_runs_as_nobody_from_the_lock() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("FROM ")] == [
        "FROM python:${PYTHON}-slim AS build",
        "FROM python:${PYTHON}-slim",
    ]
    (user,) = (line.removeprefix("USER ") for line in lines if line.startswith("USER "))
    assert all(int(part) > 0 for part in user.split(":"))
    assert any("--require-hashes -r requirements/run.lock" in line for line in lines)
    assert 'ENTRYPOINT ["eksnetpol"]' in lines
    sources = [word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]]
    assert [word for word in sources if not (ROOT / word).exists()] == []
    let_in = {
        line.lstrip("!") for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    assert set(sources) == let_in
