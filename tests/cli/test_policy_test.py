"""``policy test``: what it prints, for people, programs and pipelines, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from junitparser import Failure, JUnitXml

from tests.cli.conftest import Ended
from tests.cli.shop_files import k8s, saved_shop

Cli = Callable[..., Ended]
Golden = Callable[[str, str], None]

__all__ = ["k8s", "saved_shop"]

CASES = """\
- name: web reaches the api
  from: shop/web
  to: shop/api
  port: http
  allow: true
- name: a stranger does not
  from: {namespace: shop, labels: {app: stranger}}
  to: shop/api
  port: 8080
  allow: false
- name: the other web does
  from: bank/web
  to: shop/api
  port: 8080
  allow: true
- name: nothing but the port
  from: shop/web
  to: shop/api
  allow: false
- name: no DNS by UDP
  from: internet
  to: shop/db
  port: 53
  protocol: UDP
  allow: false
"""


@pytest.fixture
def cases(quiet_place: Path) -> str:
    (quiet_place / "t.yaml").write_text(CASES, encoding="utf-8")
    return "t.yaml"


def test_passes_and_failures_are_told_with_what_decided(cli: Cli, k8s: str, cases: str, golden: Golden) -> None:
    ended = cli("policy", "test", cases, "--manifests", k8s)
    assert (ended.code, ended.err) == (1, "")
    golden("cli/policy/test.txt", ended.out)


def test_a_program_is_told_every_case(cli: Cli, k8s: str, cases: str, golden: Golden) -> None:
    ended = cli("policy", "test", cases, "--manifests", k8s, "-o", "json")
    assert ended.code == 1
    told = json.loads(ended.out)["cases"]
    assert [(c["name"], c["allowed"], c["expected"], c["passed"]) for c in told] == [
        ("web reaches the api", True, True, True),
        ("a stranger does not", False, False, True),
        ("the other web does", False, True, False),
        ("nothing but the port", False, False, False),
        ("no DNS by UDP", False, False, False),
    ]
    assert told[1]["from"] == {"namespace": "shop", "labels": {"app": "stranger"}}
    for case in told:
        for decider in case["deciders"]:
            assert set(decider) >= {"policy", "kind", "direction", "say", "place", "words"}
    golden("cli/policy/test.json", ended.out)


def test_a_pipeline_is_shown_a_case_each(cli: Cli, k8s: str, cases: str, golden: Golden, quiet_place: Path) -> None:
    ended = cli("policy", "test", cases, "--manifests", k8s, "-o", "text", "-o", "junit=t.xml")
    assert ended.code == 1
    assert ended.out.endswith("2 passed, 3 failed\n")
    (suite,) = JUnitXml.fromfile(str(quiet_place / "t.xml"))
    assert (suite.name, suite.tests, suite.failures) == ("t.yaml", 5, 3)
    assert [any(isinstance(r, Failure) for r in case.result) for case in suite] == [False, False, True, True, True]
    golden("cli/policy/test.xml", (quiet_place / "t.xml").read_text(encoding="utf-8"))


def test_all_as_expected_ends_with_zero(cli: Cli, k8s: str, quiet_place: Path) -> None:
    (quiet_place / "good.yaml").write_text("".join(CASES.partition("- name: the other")[0]), encoding="utf-8")
    assert cli("policy", "test", "good.yaml", "--manifests", k8s).code == 0


def test_another_meaning_is_compared_beside_the_answer(cli: Cli, saved_shop: str, quiet_place: Path) -> None:
    text = "- {name: to the node, from: shop/web, to: shop/cache, port: 53, allow: false}\n"
    (quiet_place / "n.yaml").write_text(text, encoding="utf-8")
    ended = cli("policy", "test", "n.yaml", "--snapshot", saved_shop, "--compare-semantics", "--semantics", "kubernetes")
    assert (ended.code, ended.err) == (0, "")
    told = "to the node: allowed only in part (some pairs, on TCP 53) under vpc-cni, denied under kubernetes"
    assert told in " ".join(ended.out.split())
    asked = ("policy", "test", "n.yaml", "--snapshot", saved_shop, "--compare-semantics", "-o", "json")
    compared = json.loads(cli(*asked).out)["compared"]
    assert (compared["semantics"], [d["name"] for d in compared["differences"]]) == ("kubernetes", ["to the node"])
    (quiet_place / "n.yaml").write_text(text.replace("shop/cache", "shop/db").replace("53", "5432"), encoding="utf-8")
    same = cli("policy", "test", "n.yaml", "--snapshot", saved_shop, "--compare-semantics")
    assert same.out.endswith("1 passed, 0 failed\n\nUnder kubernetes every case ends alike.\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {name: x, from: a/b, to: c/d, allow: true, prot: 6}\n", "t.yaml:1: case: there is no key 'prot'"),
        ("- {name: x, from: shop/web, to: shop/bd, allow: true}\n",
         "t.yaml:1: case 'x': there is no workload or pod shop/bd; did you mean shop/Deployment/db?"),
        ("- {name: x, from: shop/web, to: shop/db, port: htp, allow: true}\n", "t.yaml:1: case 'x': shop/Deployment/db has no"),
        ("- {name: x, from: shop/web, to: shop/db, protocol: tcq, allow: true}\n", "t.yaml:1: case 'x': there is no protocol"),
        ("[]\n", "t.yaml: there is no case in it"),
    ],
)  # fmt: skip
def test_a_case_that_means_nothing_ends_with_two(cli: Cli, k8s: str, quiet_place: Path, text: str, words: str) -> None:
    (quiet_place / "t.yaml").write_text(text, encoding="utf-8")
    ended = cli("policy", "test", "t.yaml", "--manifests", k8s)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"eksnetpol: {words}")


def test_wrong_usage_is_told(cli: Cli, k8s: str) -> None:
    assert "Missing argument 'FILE...'" in cli("policy", "test", "--manifests", k8s).err
    assert "nowhere.yaml: there is no such file" in cli("policy", "test", "nowhere.yaml", "--manifests", k8s).err
    assert "there is no format 'sarif'" in cli("policy", "test", "t.yaml", "-o", "sarif", "--manifests", k8s).err


def test_cases_can_come_through_a_pipe(process: Cli, k8s: str) -> None:
    ended = process("policy", "test", "-", "--manifests", k8s, stdin=CASES.partition("- name: a stranger")[0])
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "1 passed, 0 failed")
