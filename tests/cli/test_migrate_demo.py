"""The bundled cluster that runs Calico: what leaving it means, offline, as `make demo` shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Ended

Cli = Callable[..., Ended]

RETAIL = str(Path(__file__).parents[2] / "demo" / "clusters" / "retail-store-calico.json.gz")
WAIVED = ("--waive", "networkpolicy/ui/allow-ui-egress=shop,2999-12-31,what runs on nodes is ours")


def test_it_can_be_moved(cli: Cli, golden: Callable[[str, str], None]) -> None:
    ended = cli("migrate", "assess", "--snapshot", RETAIL, "--width", "100")
    assert ended.code == 0
    golden("migration/retail.assess.txt", ended.out)


def test_what_its_policies_come_to(cli: Cli, golden: Callable[[str, str], None]) -> None:
    ended = cli("migrate", "translate", "--snapshot", RETAIL, "--width", "100")
    assert ended.code == 1
    golden("migration/retail.translate.txt", ended.out.partition("\nWhat holds")[0])


def test_once_it_is_taken_on_files_are_written_and_come_out_alike(cli: Cli, quiet_place: Path) -> None:
    pages = []
    for folder in ("one", "two"):
        # A ping that a NetworkPolicy cannot let through is named: the code is 1, and files are there.
        ended = cli("migrate", "translate", "--snapshot", RETAIL, *WAIVED, "--out", folder)
        assert ended.code == 1
        assert "stands in the way" not in ended.out
        here = quiet_place / folder
        pages.append({str(p.relative_to(here)): p.read_bytes() for p in here.rglob("*.yaml")})
    assert pages[0] == pages[1]
    listed = yaml.safe_load(pages[0]["kustomization.yaml"])["resources"]
    assert sorted(listed) == sorted(set(pages[0]) - {"kustomization.yaml"})


def test_for_all_pods_nothing_is_opened(cli: Cli) -> None:
    pytest.importorskip("z3")
    ended = cli("migrate", "prove", "--snapshot", RETAIL, *WAIVED, "--symbolic")
    assert ended.code == 0
    assert "Proven: for no pod that could ever exist does anything flow that did not" in ended.out


def test_it_leaves_calico_in_memory(cli: Cli) -> None:
    words = ("migrate", "rehearse", "--snapshot", RETAIL, "--cleaner-image", "example.com/cleaner:1", "--width", "200")
    ended = cli(*words, *WAIVED)
    assert ended.out.startswith("WELL: Lead retail off Calico: ")
    assert ended.code == 0
    assert "catalog/Deployment/catalog to checkout/Deployment/checkout: ICMP" in ended.out
    # What nobody took on is seen where Calico's rules leave the first node with the pods of ui on it.
    refused = cli(*words)
    assert refused.code == 1
    assert refused.out.startswith("BROKEN: Lead retail off Calico: ")
    assert "ui/Deployment/ui" in refused.out.partition("What did not hold")[2].partition("What flowed")[0]
