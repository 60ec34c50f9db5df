from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eksnetpol.gateways import snapshot_file
from tests.cli.conftest import Ended
from tests.migration.test_assess import looked


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
