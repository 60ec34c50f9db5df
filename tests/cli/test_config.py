from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from eksnetpol.cli.commands.preflight import command
from eksnetpol.cli.config import configuration, merge
from eksnetpol.cli.look import source, target_options
from eksnetpol.errors import UsageError
from eksnetpol.gateways.session import TargetOptions
from eksnetpol.model.settings import Settings, TargetSettings
from tests.cli.conftest import Ended

Cli = Callable[..., Ended]


def merged(*args: str) -> object:
    return merge(command.make_context("preflight", list(args)))


def test_a_flag_goes_before_a_variable_before_the_file_before_the_default(
    cli: Cli, quiet_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_on(*args: str) -> tuple[str, str]:
        out = cli("preflight", "--show-config", *args).out
        (line,) = (line for line in out.splitlines() if line.startswith("fail-on ="))
        value, _, origin = line.partition("#")
        return tomllib.loads(value)["fail-on"], origin.strip()

    assert fail_on() == ("blocker", "default")
    (quiet_place / "eksnetpol.toml").write_text('fail-on = "advice"\n', encoding="utf-8")
    assert fail_on() == ("advice", str(quiet_place / "eksnetpol.toml"))
    monkeypatch.setenv("EKSNETPOL_FAIL_ON", "warning")
    assert fail_on() == ("warning", "EKSNETPOL_FAIL_ON")
    assert fail_on("--fail-on", "never") == ("never", "--fail-on")


def test_every_option_can_stand_in_the_file_and_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "snapshot": "a.json", "manifests": ["a", "b"], "any-file": True, "for": "upgrade",
        "select": ["nodes"], "skip": ["api"], "ignore": ["x-*"],
        "baseline": "b.json", "fail-on": "never", "fail-on-unknown": True, "exit-zero": True, "outputs": ["text", "json=c.json"],
        "verbose": 2, "quiet": True, "color": "never", "width": 70, "no-input": True,
    }  # fmt: skip
    target = {
        "cluster": "shop", "region": "r", "profile": "p", "role-arn": "a", "external-id": "e", "endpoint-url": "u",
        "ca-bundle": "c", "kubeconfig": "k", "context": "x", "as": "me", "as-group": ["g", "h"], "request-timeout": 90.0,
    }  # fmt: skip
    aside = {"config", "show-config", "debug"}
    keys = {p.key for p in command.params} - aside  # type: ignore[attr-defined]
    assert keys == {*said, *target} - {"outputs"} | {"output"}

    def text(value: object) -> str:
        return ",".join(map(str, value)) if isinstance(value, list) else str(value)

    from eksnetpol.gateways.settings_file import parse

    lines = (
        [f"{k} = {json.dumps(v)}" for k, v in said.items()] + ["[target]"] + [f"{k} = {json.dumps(v)}" for k, v in target.items()]
    )
    in_file = parse("\n".join(lines), "x")
    for key, value in (said | target).items():
        name = "OUTPUT" if key == "outputs" else key.upper().replace("-", "_")
        monkeypatch.setenv(f"EKSNETPOL_{name}", text(value))
    by_variables = merge(command.make_context("preflight", [])).settings
    assert by_variables == in_file
    assert {name for name in Settings.__struct_fields__ if getattr(in_file, name) == getattr(Settings(), name)} == {
        "severity",
        "waivers",
        "migration_waivers",
        "policy",
    }


def test_show_config_can_be_read_as_the_file_it_describes(cli: Cli, quiet_place: Path) -> None:
    text = (
        'skip = ["nodes"]\n[target]\nregion = "eu-west-1"\n[severity]\ncontroller-switch-is-on = "advice"\n'
        '[[waivers]]\ncheck = "controller-switch-is-on"\nobject = "configmap/*"\nreason = "a \\"quoted\\" \\u007f reason"\n'
        "expires = 2027-01-31\n"
        '[[migration-waivers]]\nloss = "wireguard"\nowner = "net"\nreason = "nitro encrypts"\nexpires = 2027-01-31\n'
    )
    (quiet_place / "eksnetpol.toml").write_text(text, encoding="utf-8")
    shown = tomllib.loads(cli("preflight", "--show-config", "--cluster", "shop").out)
    written = tomllib.loads(text)
    written["target"]["cluster"] = "shop"
    assert {key: shown[key] for key in written} == written


def test_files_that_the_file_names_are_beside_it(quiet_place: Path) -> None:
    (quiet_place / ".git").mkdir()
    (quiet_place / "eksnetpol.toml").write_text('manifests = ["k8s", "-", "/abs"]\nbaseline = "b.json"\n', encoding="utf-8")
    config = merge(command.make_context("preflight", []))
    assert config.settings.manifests == (str(quiet_place / "k8s"), "-", "/abs")
    assert config.settings.baseline == str(quiet_place / "b.json")


def test_the_source_that_is_named_most_directly_holds(monkeypatch: pytest.MonkeyPatch, quiet_place: Path) -> None:
    def chosen(*args: str) -> str:
        return source(merge(command.make_context("preflight", list(args))))

    assert chosen() == "a live cluster"
    (quiet_place / "eksnetpol.toml").write_text('manifests = ["k8s"]\n', encoding="utf-8")
    assert chosen() == "--manifests"
    monkeypatch.setenv("EKSNETPOL_CLUSTER", "shop")
    monkeypatch.setenv("EKSNETPOL_REGION", "eu-west-1")
    assert chosen() == "a live cluster"
    assert chosen("--snapshot", "x.json") == "--snapshot"
    assert chosen("--context", "shop") == "a live cluster"
    monkeypatch.setenv("EKSNETPOL_MANIFESTS", "k8s")
    with pytest.raises(UsageError, match="EKSNETPOL_MANIFESTS and EKSNETPOL_CLUSTER mean different things"):
        chosen()


def test_a_mistake_in_the_file_names_file_and_line(cli: Cli, quiet_place: Path) -> None:
    (quiet_place / "eksnetpol.toml").write_text('fail-on = "never"\nselct = ["a"]\n', encoding="utf-8")
    ended = cli("preflight", "--show-config")
    assert ended.code == 2
    assert ended.err == (f"eksnetpol: {quiet_place}/eksnetpol.toml:2: there is no setting 'selct'; did you mean 'select'?\n")


def test_a_mistake_in_a_variable_names_what_it_is_for(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EKSNETPOL_FAIL_ON", "error")
    ended = cli("preflight")
    assert ended.code == 2
    assert "EKSNETPOL_FAIL_ON" in ended.err
    assert "'error' is not one of" in ended.err


def test_a_mistake_in_the_files_outputs_names_the_file(cli: Cli, saved: str, quiet_place: Path) -> None:
    (quiet_place / "eksnetpol.toml").write_text('outputs = ["pdf"]\n', encoding="utf-8")
    ended = cli("preflight", "--snapshot", saved)
    assert ended.code == 2
    assert ended.err.startswith(f"eksnetpol: {quiet_place}/eksnetpol.toml: outputs: there is no format 'pdf'")


def test_what_is_said_of_the_target_reaches_the_gateways() -> None:
    target = TargetSettings(cluster="shop", role_arn="r", as_user="me", as_group=("g",), request_timeout=3.0)
    assert target_options(Settings(target=target)) == TargetOptions(
        cluster="shop", role_arn="r", as_user="me", as_groups=("g",), request_timeout=3.0
    )
    assert target_options(Settings()) == TargetOptions()


def test_the_options_of_the_file_are_not_of_the_file() -> None:
    assert configuration is not None
    assert merged("--no-fail-on-unknown") is not None
    assert merge(command.make_context("preflight", ["--no-fail-on-unknown"])).settings.fail_on_unknown is False
