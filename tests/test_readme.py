"""What the README shows is what people see."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click

from eksnetpol.checks.catalog import catalog
from eksnetpol.cli.main import cli
from eksnetpol.gateways import settings_file

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_the_example_is_what_the_command_prints() -> None:
    (example,) = blocks("console")
    command, *shown = [line for line in example.splitlines() if line.strip() not in {"", "…"}]
    words = command.removeprefix("$ eksnetpol ").split()
    done = subprocess.run(
        [sys.executable, "-m", "eksnetpol", *words, "--width", "88"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    # How many checks there are changes with every new one; what they say does not.
    printed = [re.sub(r"\d+", "N", line) for line in done.stdout.splitlines()]
    assert len(shown) > 5
    assert [line for line in shown if re.sub(r"\d+", "N", line) not in printed] == []


def test_the_configuration_is_one_the_tool_takes(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    path = tmp_path / "eksnetpol.toml"
    path.write_text(text, encoding="utf-8")
    settings, found = settings_file.read(path)
    assert found == path
    assert settings.waivers[0].reason
    named = {settings.waivers[0].check, *tomllib.loads(text)["severity"]}
    assert named <= {check.id for check in catalog()}


def test_the_library_example_runs() -> None:
    (code,) = blocks("python")
    code = code.replace("shop-prod.json.gz", "demo/clusters/old.json.gz")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "blocker" in done.stdout


def test_every_command_it_shows_is_understood() -> None:
    commands = [
        shlex.split(line, comments=True)[1:]
        for block in blocks("sh")
        for line in block.splitlines()
        if line.startswith("eksnetpol ") and " >> " not in line
    ]
    assert len(commands) > 10
    for words in commands:
        command: click.Command = cli
        context = click.Context(cli, info_name="eksnetpol")
        while isinstance(command, click.Group):
            inner = command.get_command(context, words.pop(0))
            assert inner is not None
            command = inner
        assert command.make_context("eksnetpol", words).params


def test_every_page_and_file_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_target_it_names_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, flags=re.MULTILINE))
    assert named
    assert named <= targets
