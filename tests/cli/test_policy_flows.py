"""``policy flows``: observed flows replayed against policies."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from junitparser import JUnitXml

from tests.cli.conftest import Ended
from tests.cli.shop_files import k8s, saved_shop
from tests.policy.test_flows import HEAD, record

Cli = Callable[..., Ended]
Golden = Callable[[str, str], None]

__all__ = ["k8s", "saved_shop"]

LINES = [
    HEAD,
    record("10.0.1.1", "10.0.2.1", (40000, 8080), flags=2),
    record("10.0.2.1", "10.0.1.1", (8080, 40000), flags=18),
    record("10.0.1.2", "10.0.3.1", (40000, 5432), flags=2),
    record("203.0.113.5", "10.0.3.1", (40001, 5432), flags=2),
    record("203.0.113.200", "10.0.3.1", (40001, 5432), flags=2),
    record("198.51.100.1", "10.0.2.2", (40000, 22), action="REJECT", flags=2),
    record("10.0.1.1", "10.0.2.1", (0, 0), proto=1),
    record("10.0.77.1", "10.0.77.2", (40000, 80), flags=2),
    "cut off",
    "",
]


@pytest.fixture
def log(quiet_place: Path) -> str:
    """A log of the shop, compressed."""
    (quiet_place / "vpc.log.gz").write_bytes(gzip.compress("\n".join(LINES).encode()))
    return "vpc.log.gz"


ENDINGS = {"text": "txt", "json": "json", "yaml": "yaml", "csv": "csv", "markdown": "md", "junit": "xml"}


@pytest.mark.parametrize(("form", "ending"), ENDINGS.items())
def test_each_way_of_speaking_reads_as_it_did(
    cli: Cli, saved_shop: str, log: str, golden: Golden, form: str, ending: str
) -> None:
    ended = cli("policy", "flows", log, "--snapshot", saved_shop, "-o", form)
    assert ended.code == 1
    assert "exit code 1: " in ended.err
    golden(f"cli/policy/flows.{ending}", ended.out)


def test_every_format_is_one_its_readers_read(cli: Cli, saved_shop: str, log: str) -> None:
    forms = ("json", "csv", "yaml", "junit")
    outs = {form: cli("policy", "flows", log, "--snapshot", saved_shop, "-o", form).out for form in forms}
    groups = json.loads(outs["json"])["groups"]
    rows = list(csv.DictReader(io.StringIO(outs["csv"])))
    assert [(g["verdict"], g["from"], g["flows"]) for g in groups][1] == ("denied", "shop/Deployment/web", 1)
    assert [(r["verdict"], int(r["flows"])) for r in rows] == [(g["verdict"], g["flows"]) for g in groups]
    policies = [p for p in yaml.safe_load_all(outs["yaml"]) if p]
    assert policies == [s["policy"] for s in json.loads(outs["json"])["policies"]]
    suites = JUnitXml.fromstring(outs["junit"].encode())
    assert (suites.failures, suites.tests) == (2, sum(g["observed"] == "accepted" for g in groups))


def test_with_the_policies_it_prints_it_has_nothing_more_to_say(cli: Cli, saved_shop: str, log: str, quiet_place: Path) -> None:
    (quiet_place / "more.yaml").write_text(cli("policy", "flows", log, "--snapshot", saved_shop, "-o", "yaml").out)
    ended = cli("policy", "flows", log, "--snapshot", saved_shop, "--policies", "more.yaml")
    assert ended.code == 0
    assert "would be denied" in ended.out.splitlines()[0]
    assert ended.out.startswith("None of ")


def test_a_policy_that_is_not_applied_yet_takes_the_place_of_its_namesake(
    cli: Cli, saved_shop: str, log: str, quiet_place: Path
) -> None:
    closed = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "api", "namespace": "shop"},
              "spec": {"podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Ingress"]}}  # fmt: skip
    (quiet_place / "new.yaml").write_text(yaml.safe_dump(closed))
    found = json.loads(cli("policy", "flows", log, "--snapshot", saved_shop, "--policies", "new.yaml", "-o", "json").out)
    denied = {(g["from"], g["to"]) for g in found["groups"] if g["verdict"] == "denied" and g["observed"] == "accepted"}
    assert ("shop/Deployment/web", "shop/Deployment/api") in denied


def test_what_fails_is_what_was_asked_for_and_bad_input_is_one_line(
    cli: Cli, saved_shop: str, log: str, quiet_place: Path
) -> None:
    assert cli("policy", "flows", log, "--snapshot", saved_shop, "--fail-on", "never").code == 0
    (quiet_place / "x").write_text("nothing of the kind\n")
    for args in (("x",), ("none.log",), (log, "-", "-"), (log, "--fields", "srcaddr")):
        ended = cli("policy", "flows", *args, "--snapshot", saved_shop)
        assert (ended.code, ended.out, len(ended.err.strip().splitlines())) == (2, "", 1)


def test_files_have_no_addresses_and_the_report_says_so(cli: Cli, k8s: str, log: str) -> None:
    ended = cli("policy", "flows", log, "--manifests", k8s, "--width", "200")
    assert ended.code == 0
    assert "no pod has a known address" in ended.out


def test_a_log_from_stdin_and_names_in_hubbles_flows_need_no_addresses(process: Callable[..., Ended], k8s: str) -> None:
    ends = {"source": "10.0.0.1", "destination": "10.0.0.2"}
    event = {
        "verdict": "FORWARDED", "is_reply": False, "Type": "L3_L4", "IP": ends,
        "l4": {"TCP": {"source_port": 40000, "destination_port": 5432}},
        "source": {"namespace": "shop", "pod_name": "web-1-x"}, "destination": {"namespace": "shop", "pod_name": "db-1-x"},
    }  # fmt: skip
    ended = process("policy", "flows", "-", "--manifests", k8s, "-o", "csv", stdin=json.dumps(event) + "\n")
    assert ended.code == 1
    assert "denied,accepted,shop/Deployment/web,shop/Deployment/db,TCP,5432,,1" in ended.out
