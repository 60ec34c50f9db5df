"""What ``eksnetpol migrate`` says to pipelines: SARIF, JUnit, GitHub annotations, HTML, and the codes of the other formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from eksnetpol.gateways import snapshot_file
from tests.cli.conftest import Ended
from tests.cli.test_migrate_translate import DB, MASKED, SHOP, WAIVER
from tests.migration.test_assess import POLICY_ONLY, felix, looked
from tests.reporting.test_formats import SARIF

Cli = Callable[..., Ended]


@pytest.fixture
def masked(quiet_place: Path) -> str:
    (quiet_place / "shop.yaml").write_text(SHOP + MASKED)
    return "shop.yaml"


def results(page: str) -> list[dict[str, object]]:
    told = json.loads(page)
    jsonschema.Draft202012Validator(SARIF).validate(told)
    return list(told["runs"][0]["results"])


@pytest.mark.parametrize("command", ["translate", "prove"])
def test_findings_point_at_the_line_of_the_rule(cli: Cli, masked: str, quiet_place: Path, command: str) -> None:
    ended = cli("migrate", command, "--manifests", masked, "-o", "sarif")
    assert ended.code == 1
    wider = [r for r in results(ended.out) if r["ruleId"] == "nothing-more-flows"]
    lines = [r["locations"][0]["physicalLocation"]["region"]["startLine"] for r in wider]  # type: ignore[index]
    text = (SHOP + MASKED).splitlines()
    assert sorted(text[line - 1].strip()[:12] for line in lines) == ["- {action: D", "spec: {podSe"]
    (quiet_place / "eksnetpol.toml").write_text(WAIVER.format("2999-12-31"))
    ended = cli("migrate", command, "--manifests", masked, "-o", "sarif")
    assert ended.code == 0
    wider = [r for r in results(ended.out) if r["ruleId"] == "nothing-more-flows"]
    assert all("taken on by shop team" in str(r["suppressions"]) for r in wider)
    assert len(wider) == 2


def test_a_suite_has_a_case_for_everything_that_is_asked(cli: Cli, masked: str, quiet_place: Path) -> None:
    def ended(*args: str) -> tuple[int, dict[str, str]]:
        done = cli("migrate", "translate", *args, "-o", "junit")
        cases = ET.fromstring(done.out).iter("testcase")  # noqa: S314 - ours
        return done.code, {case.get("name", ""): "".join(child.tag for child in case) for case in cases}

    code, cases = ended("--manifests", masked)
    assert (code, cases["nothing-more-flows"], cases["policies-are-understood"]) == (1, "failure", "")
    assert len(cases) == 6
    (quiet_place / "odd.yaml").write_text(SHOP + DB.replace("types:", "surprise: 1\n  types:"))
    code, cases = ended("--manifests", "odd.yaml")
    assert (code, cases["nothing-more-flows"], cases["policies-are-understood"]) == (1, "", "failure")
    (quiet_place / "dead.yaml").write_text(SHOP + DB.replace("app == 'db'", "app = 'db'"))
    code, cases = ended("--manifests", "dead.yaml")
    assert (code, cases["policies-are-in-force"]) == (1, "failure")


def test_the_same_for_annotations_and_pages(cli: Cli, masked: str) -> None:
    said = cli("migrate", "translate", "--manifests", masked, "-o", "github").out
    assert said.count("::error file=shop.yaml,line=") == 2
    assert said.splitlines()[-1].startswith("::error title=eksnetpol migrate::")
    page = cli("migrate", "translate", "--manifests", masked, "-o", "html").out
    assert "networkpolicy/shop/db" in page
    proved = cli("migrate", "prove", "--manifests", masked, "--symbolic", "-o", "github")
    assert proved.code == 1
    assert "would flow, and does not flow before" in proved.out


def test_an_assessment_is_a_report_too(cli: Cli, quiet_place: Path) -> None:
    snapshot_file.save(looked("calico/calico-vxlan.yaml"), quiet_place / "full.json")
    ended = cli("migrate", "assess", "--snapshot", "full.json", "-o", "sarif")
    assert ended.code == 1
    assert {r["ruleId"] for r in results(ended.out) if r["kind"] == "fail"} >= {"engine-can-be-left"}
    snapshot_file.save(looked(POLICY_ONLY, engine_settings=felix(wireguardEnabled=True)), quiet_place / "shop.json")
    ended = cli("migrate", "assess", "--snapshot", "shop.json", "-o", "sarif")
    assert [r["ruleId"] for r in results(ended.out)] == ["losses-are-taken-on"]
    assert ended.code == 0
    (quiet_place / "empty.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")
    ended = cli("migrate", "assess", "--manifests", "empty.yaml", "-o", "sarif")
    assert ended.code == 3
    assert [r["kind"] for r in results(ended.out)] == ["open"]
