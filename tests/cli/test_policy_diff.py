"""``policy diff``: a change reviewed by what it does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import JUnitXml

from eksnetpol.gateways import snapshot_file
from tests.cli.conftest import Ended
from tests.cli.shop_files import CHANGED, POLICIES, k8s, saved_shop, snapshot_of, write
from tests.policy import shop

Cli = Callable[..., Ended]
Golden = Callable[[str, str], None]

__all__ = ["k8s", "saved_shop"]


@pytest.fixture
def changed(quiet_place: Path) -> str:
    """The folder ``new`` with the policies changed."""
    return write(quiet_place / "new", CHANGED).name


@pytest.mark.parametrize(("form", "ending"), [("text", "txt"), ("json", "json"), ("markdown", "md"), ("junit", "xml")])
def test_each_way_of_speaking_reads_as_it_did(cli: Cli, k8s: str, changed: str, golden: Golden, form: str, ending: str) -> None:
    ended = cli("policy", "diff", k8s, changed, "-o", form, "--fail-on", "widened")
    assert ended.code == 1
    assert ended.err.startswith("eksnetpol: exit code 1: widened and narrowed: ")
    golden(f"cli/policy/diff.{ending}", ended.out)


@pytest.mark.parametrize(
    ("fail_on", "forth", "back"), [("widened", 1, 0), ("narrowed", 0, 1), ("any", 1, 1), ("never", 0, 0), (None, 0, 0)]
)
def test_what_fails_is_what_was_asked_for(
    cli: Cli, k8s: str, quiet_place: Path, fail_on: str | None, forth: int, back: int
) -> None:
    more = POLICIES.replace("    - podSelector: {matchLabels: {app: web}}\n", "    - podSelector: {}\n")
    wider = write(quiet_place / "wider", more).name
    flag = ("--fail-on", fail_on) if fail_on else ()
    assert cli("policy", "diff", k8s, wider, *flag).code == forth
    assert cli("policy", "diff", wider, k8s, *flag).code == back
    assert cli("policy", "diff", k8s, k8s, *flag).code == 0


def test_what_fails_can_stand_in_the_file_and_in_a_variable(
    cli: Cli, k8s: str, changed: str, quiet_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (quiet_place / "eksnetpol.toml").write_text('fail-on = "never"\n[policy]\ndiff-fail-on = "any"\n', encoding="utf-8")
    assert cli("policy", "diff", k8s, changed).code == 1
    monkeypatch.setenv("EKSNETPOL_DIFF_FAIL_ON", "never")
    monkeypatch.setenv("EKSNETPOL_FAIL_ON", "blocker")
    assert cli("policy", "diff", k8s, changed).code == 0


def test_policies_written_anew_change_nothing(cli: Cli, k8s: str, quiet_place: Path) -> None:
    other = POLICIES.replace("name: api", "name: other").replace("port: http", "port: 8080, protocol: TCP").replace(
        "    - port: 8080, protocol: TCP", "    - {port: 8080, protocol: TCP}"
    )
    ended = cli("policy", "diff", k8s, write(quiet_place / "other", other).name, "--fail-on", "any")
    assert (ended.code, ended.out) == (0, "k8s to other: no connection changes\n")


def test_workloads_on_one_side_are_said_and_not_compared(cli: Cli, k8s: str, quiet_place: Path) -> None:
    new = write(quiet_place / "new")
    text = (new / "apps.yaml").read_text(encoding="utf-8")
    (new / "apps.yaml").write_text(text.replace("name: web, namespace: bank", "name: shop, namespace: bank"), encoding="utf-8")
    ended = cli("policy", "diff", k8s, "new", "--fail-on", "widened")
    assert ended.code == 0
    assert "only in k8s, and not compared: bank/Deployment/web\n" in ended.out
    assert "only in new, and not compared: bank/Deployment/shop\n" in ended.out
    assert cli("policy", "diff", k8s, "new", "--fail-on", "any").code == 1


def git(*args: str, folder: Path) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    subprocess.run(["git", *who, *args], cwd=folder, check=True, capture_output=True)


def test_revisions_of_the_repository_around_are_states_too(cli: Cli, k8s: str, quiet_place: Path) -> None:
    git("init", "-q", "-b", "main", folder=quiet_place)
    git("add", ".", folder=quiet_place)
    git("commit", "-q", "-m", "first", folder=quiet_place)
    (quiet_place / k8s / "policies.yaml").write_text(CHANGED, encoding="utf-8")
    ended = cli("policy", "diff", "main:k8s", "k8s", "--fail-on", "widened")
    assert ended.code == 1
    assert ended.out.startswith("main:k8s to k8s: widened and narrowed: ")
    assert cli("policy", "diff", "HEAD:k8s", "main:k8s/", "--fail-on", "any").code == 0
    ended = cli("policy", "diff", "nobody:k8s", "k8s")
    assert ended.code == 2
    assert "nobody" in ended.err


def test_snapshots_are_compared_with_each_other_and_with_files(cli: Cli, saved_shop: str, quiet_place: Path) -> None:
    fewer = shop.world([p for p in shop.POLICIES if p["name"] != "db"])
    snapshot_file.save(snapshot_of(fewer), quiet_place / "later.json")
    ended = cli("policy", "diff", saved_shop, "later.json", "-o", "json", "--fail-on", "narrowed")
    assert ended.code == 0
    told = json.loads(ended.out)
    assert (told["widened"], told["narrowed"], told["failed"]) == (True, False, False)
    assert {c["to"] for c in told["changes"]} == {"shop/StatefulSet/db"}
    assert cli("policy", "diff", "later.json", saved_shop, "--fail-on", "narrowed").code == 1


def test_policies_alone_are_compared_on_the_pods_of_a_cluster(cli: Cli, saved_shop: str, quiet_place: Path) -> None:
    for name, text in (("old", POLICIES), ("new", CHANGED)):
        (quiet_place / name).mkdir()
        (quiet_place / name / "p.yaml").write_text(text, encoding="utf-8")
    ended = cli("policy", "diff", "old", "new")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "eksnetpol: old: there are no pods or workloads in it; --on STATE names where they are\n"
    told = json.loads(cli("policy", "diff", "old", "new", "--on", saved_shop, "-o", "json").out)
    assert {c["to"] for c in told["changes"]} == {"shop/Deployment/api", "shop/StatefulSet/db"}


def test_the_meaning_of_a_cluster_holds_for_files_beside_it(cli: Cli, quiet_place: Path) -> None:
    old = replace(shop.world([]), pods=shop.world().pods)
    snapshot_file.save(snapshot_of(old), quiet_place / "a.json")
    told = json.loads(cli("policy", "diff", "a.json", "a.json", "-o", "json", "--agent-version", "1.2.0").out)
    assert told["before"]["agentVersion"] == told["after"]["agentVersion"] == "v1.2.0"


def test_junit_fails_what_fail_on_is_about(cli: Cli, k8s: str, changed: str, quiet_place: Path) -> None:
    cli("policy", "diff", k8s, changed, "-o", "junit=d.xml", "--fail-on", "narrowed")
    (suite,) = JUnitXml.fromfile(str(quiet_place / "d.xml"))
    assert 0 < suite.failures < suite.tests
    cli("policy", "diff", k8s, k8s, "-o", "junit=d.xml", "--fail-on", "any")
    (suite,) = JUnitXml.fromfile(str(quiet_place / "d.xml"))
    assert (suite.tests, suite.failures) == (1, 0)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("k8s",), "Missing argument 'B'"),
        (("k8s", "nowhere"), "nowhere: there is no such file or directory; expected a snapshot, manifests, or REVISION:PATH"),
        (("k8s", "k8s", "--fail-on", "more"), "'more' is not one of 'widened', 'narrowed', 'any', 'never'"),
        (("k8s", "k8s", "--manifests", "k8s"), "No such option '--manifests'"),
        (("-", "-"), "- stands for stdin, and can be read only once"),
        (("k8s", "main:k8s"), "main:k8s"),
        (("k8s", "empty"), "empty: no Kubernetes objects are here"),
        (("k8s", "broken.json.gz"), "broken.json.gz"),
        (("k8s", "k8s", "--on", "nowhere"), "nowhere: there is no such file"),
    ],
)
def test_wrong_usage_is_told(cli: Cli, k8s: str, quiet_place: Path, args: tuple[str, ...], words: str) -> None:
    (quiet_place / "empty").mkdir()
    (quiet_place / "broken.json.gz").write_bytes(b"\x1f\x8b\x08broken")
    assert k8s == "k8s"
    ended = cli("policy", "diff", *args)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
