"""What policy commands are told by flags, by variables and by the table ``[policy]`` of eksnetpol.toml."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import msgspec
import pytest

from eksnetpol.cli.commands.policy import diff, reach
from eksnetpol.cli.config import merge
from eksnetpol.gateways.settings_file import parse
from eksnetpol.model.settings import PolicySettings

SAID = {
    "semantics": "kubernetes",
    "controller-version": "1.0.9",
    "agent-version": "v1.2.7-eksbuild.1",
    "mode": "strict",
    "ip-family": "ipv6",
    "strict-input": True,
    "compare-semantics": True,
    "diff-fail-on": "widened",
}
ARGS = {"reach": ["a/b", "c/d"], "diff": ["a", "b"]}


def test_every_setting_can_stand_in_the_file_in_a_variable_and_be_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[policy]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in SAID.items())
    in_file = parse(text, "x").policy
    assert msgspec.to_builtins(in_file) == SAID
    assert {f.encode_name for f in msgspec.structs.fields(PolicySettings)} == set(SAID)
    flags = ["--semantics", "kubernetes", "--controller-version", "1.0.9", "--agent-version", "v1.2.7-eksbuild.1"]
    flags += ["--mode", "strict", "--ip-family", "ipv6", "--strict-input"]
    by_flags = (
        merge(reach.command.make_context("reach", [*ARGS["reach"], *flags, "--compare-semantics"])).settings.policy,
        merge(diff.command.make_context("diff", [*ARGS["diff"], *flags, "--fail-on", "widened"])).settings.policy,
    )
    assert msgspec.to_builtins(by_flags[0]) | msgspec.to_builtins(by_flags[1]) == SAID
    for key, value in SAID.items():
        monkeypatch.setenv(f"EKSNETPOL_{key.upper().replace('-', '_')}", str(value).lower() if value is True else str(value))
    by_variables = (
        merge(reach.command.make_context("reach", ARGS["reach"])).settings.policy,
        merge(diff.command.make_context("diff", ARGS["diff"])).settings.policy,
    )
    assert msgspec.to_builtins(by_variables[0]) | msgspec.to_builtins(by_variables[1]) == SAID


def test_a_flag_goes_before_a_variable_before_the_file(quiet_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mode(*flags: str) -> tuple[str, str]:
        config = merge(reach.command.make_context("reach", [*ARGS["reach"], *flags]))
        (line,) = (part for part in config.text().splitlines() if part.startswith("mode ="))
        value, _, origin = line.partition("#")
        return tomllib.loads(value)["mode"], origin.strip()

    (quiet_place / "eksnetpol.toml").write_text('[policy]\nmode = "standard"\n', encoding="utf-8")
    assert mode() == ("standard", str(quiet_place / "eksnetpol.toml"))
    monkeypatch.setenv("EKSNETPOL_MODE", "strict")
    assert mode() == ("strict", "EKSNETPOL_MODE")
    assert mode("--mode", "standard") == ("standard", "--mode")
