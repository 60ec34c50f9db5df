from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from eksnetpol.gateways import snapshot_file
from tests.cli.conftest import Ended
from tests.migration.test_assess import POLICY_ONLY, felix, looked


def test_it_ends_as_it_says(cli: Callable[..., Ended], tmp_path: Path) -> None:
    snapshot_file.save(looked("calico/calico-vxlan.yaml"), tmp_path / "shop.json")
    ended = cli("migrate", "assess", "--snapshot", str(tmp_path / "shop.json"))
    assert ended.code == 1
    assert ended.out.startswith("REFUSED: shop is not to be moved as it is.")


@pytest.mark.parametrize("form", ["json", "yaml", "markdown"])
def test_every_format_is_given(cli: Callable[..., Ended], tmp_path: Path, form: str) -> None:
    snapshot_file.save(looked(), tmp_path / "shop.json")
    ended = cli("migrate", "assess", "--snapshot", str(tmp_path / "shop.json"), "-o", form)
    assert ended.code == 0
    assert "nothing to migrate" in ended.out.lower()


def test_a_file_that_is_not_there_is_one_line(cli: Callable[..., Ended]) -> None:
    ended = cli("migrate", "assess", "--snapshot", "nothing.json")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)


WAIVER = """
[[migration-waivers]]
loss = "%s"
owner = "net"
reason = "instances encrypt between themselves"
expires = 2999-12-31
"""


@pytest.fixture
def encrypted(quiet_place: Path) -> str:
    """A cluster whose Calico encrypts traffic between nodes."""
    snapshot_file.save(looked(POLICY_ONLY, engine_settings=felix(wireguardEnabled=True)), quiet_place / "shop.json")
    return "shop.json"


def test_a_loss_is_taken_on_by_name(cli: Callable[..., Ended], quiet_place: Path, encrypted: str) -> None:
    args = ("migrate", "assess", "--snapshot", encrypted, "--width", "150")
    assert cli(*args).out.startswith("NEEDS WAIVERS: ")
    waived = cli(*args, "--waive", "wireguard=net,2999-12-31,instances encrypt between themselves")
    (quiet_place / "eksnetpol.toml").write_text(WAIVER % "wireguard")
    assert cli(*args) == waived
    assert waived.out.startswith("MOVABLE: ")
    assert "taken on by net until 2999-12-31: instances encrypt between themselves" in waived.out


def test_a_loss_that_is_none(cli: Callable[..., Ended], quiet_place: Path, encrypted: str) -> None:
    args = ("migrate", "assess", "--snapshot", encrypted, "--width", "150")
    ended = cli(*args, "--waive", "wiregard=net,2999-12-31,seen")
    assert (ended.code, ended.err) == (2, "eksnetpol: --waive wiregard: there is no such loss (did you mean wireguard?)\n")
    (quiet_place / "eksnetpol.toml").write_text(WAIVER % "ipsec")
    assert "the waiver of ipsec by net matches no loss; remove it" in cli(*args).out


def test_the_document_is_what_its_schema_says(cli: Callable[..., Ended], encrypted: str) -> None:
    schema = json.loads(cli("schema", "assessment").out)
    for extra in ((), ("--waive", "wireguard=net,2999-12-31,seen")):
        told = json.loads(cli("migrate", "assess", "--snapshot", encrypted, "-o", "json", *extra).out)
        jsonschema.validate(told, schema)
        assert told["waivers"][0]["name"] == "wireguard"
