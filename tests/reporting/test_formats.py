"""What people and programs see, in every format: golden files, and each format read back by a reader of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import msgspec
import pytest
import yaml
from junitparser import JUnitXml, TestCase

from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.model.findings import Disposition, Outcome, Report, Subject
from eksnetpol.model.snapshot import SourceKind, Target
from eksnetpol.reporting import markdown, sarif
from eksnetpol.reporting.formats import FORMATS, render, writer
from eksnetpol.reporting.json_v1 import document, read_baseline, schema
from tests.conftest import GOLDEN
from tests.reporting.samples import BLOCKED, FILES, READY, SAMPLES, found, result

ENDINGS = {
    "text": "txt",
    "json": "json",
    "yaml": "yaml",
    "markdown": "md",
    "junit": "xml",
    "sarif": "sarif",
    "github": "github.txt",
    "html": "html",
}
Golden = Callable[[str, str], None]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_what_people_see(sample: str, name: str, golden: Golden) -> None:
    said = render(SAMPLES[sample], name)
    assert said.endswith("\n")
    assert not said.endswith("\n\n")
    golden(f"reporting/{sample}.{ENDINGS[name]}", said)


@pytest.mark.parametrize("name", ["text", "markdown"])
def test_what_people_see_when_they_want_it_all(name: str, golden: Golden) -> None:
    golden(f"reporting/blocked.verbose.{ENDINGS[name]}", render(BLOCKED, name, verbose=True))


def test_what_a_terminal_sees(golden: Golden) -> None:
    golden("reporting/blocked.color.txt", render(BLOCKED, "text", width=100, color=True))


def test_an_unknown_format_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="did you mean sarif"):
        writer("sarf")
    with pytest.raises(UsageError, match="there are text, json"):
        render(READY, "word")


def test_every_format_has_the_same_exit_code_to_tell() -> None:
    assert json.loads(render(BLOCKED, "json"))["exitCode"] == BLOCKED.exit_code
    assert yaml.safe_load(render(BLOCKED, "yaml"))["exitCode"] == BLOCKED.exit_code
    assert json.loads(render(BLOCKED, "sarif"))["runs"][0]["invocations"][0]["exitCode"] == BLOCKED.exit_code


# --- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("width", [20, 33, 60, 80, 140])
def test_no_line_is_wider_than_asked_for(sample: str, width: int) -> None:
    said = render(SAMPLES[sample], "text", width=width, verbose=True)
    assert max(map(len, said.splitlines())) <= width


def test_without_colour_the_page_is_plain_ascii() -> None:
    said = render(BLOCKED, "text")
    assert said.isascii()
    assert "\x1b" not in said
    assert "\x1b[" in render(BLOCKED, "text", color=True)


def test_the_verdict_comes_first_and_the_passed_last() -> None:
    said = render(BLOCKED, "text", width=200).splitlines()
    assert said[0].startswith("BLOCKED: prod cannot enable network policy yet: 1 blocker, 42 warnings, 1 advice;")
    headings = ["What stands in the way", "What could not be determined", "Set aside", "Passed", "Skipped", "Notes"]
    assert [line for line in said if line in headings] == headings
    assert "    (+37 more; -o json shows all)" in said


def test_a_missing_thing_is_told_once_with_all_it_leaves_open() -> None:
    said = render(BLOCKED, "text", width=200)
    assert said.count("listing pods was refused") == 1
    assert "leaves open: pods-have-owners (blocker), service-ports-are-pod-ports (warning)" in said
    assert "grant list pods" in said


# --- JSON, YAML -------------------------------------------------------------------------------------------------------


def test_every_report_fits_the_schema() -> None:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    validator = jsonschema.Draft202012Validator(made)
    files = sorted((GOLDEN / "reporting").glob("*.json"))
    assert len(files) == len(SAMPLES)
    for path in files:
        validator.validate(json.loads(path.read_text(encoding="utf-8")))
    broken = document(BLOCKED)
    broken["results"][0]["findings"][0]["fingerprint"] = "XYZ"
    assert [e.validator for e in validator.iter_errors(broken)] == ["pattern"]


def test_yaml_says_what_json_says() -> None:
    for report in SAMPLES.values():
        assert yaml.safe_load(render(report, "yaml")) == json.loads(render(report, "json"))


def test_json_counts_what_it_lists() -> None:
    told = json.loads(render(BLOCKED, "json"))
    assert told["summary"]["findings"] == {
        "blocker": 1, "warning": 42, "advice": 1, "waived": 1, "ignored": 0, "baseline": 1
    }  # fmt: skip
    assert told["summary"]["checks"] == {"failed": 3, "errored": 1, "unknown": 3, "passed": 3, "skipped": 1}
    assert told["lookedAt"] == "2026-06-01T12:30:05Z"
    assert list(told) == sorted(told)


def test_a_baseline_holds_what_counted_and_nothing_that_was_waived() -> None:
    baseline = read_baseline(render(BLOCKED, "json").encode(), "before.json")
    counted = {
        f.fingerprint for r in BLOCKED.results for f in r.findings if f.disposition in {Disposition.OPEN, Disposition.BASELINE}
    }
    assert baseline.fingerprints == counted
    assert baseline.target == BLOCKED.target


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"apiVersion": "eksnetpol.io/v2", "kind": "PreflightReport", "results": []}'],
)
def test_what_is_no_report_is_no_baseline(data: bytes) -> None:
    with pytest.raises(UnreadableInput, match=r"^old\.json: expected a report written by"):
        read_baseline(data, "old.json")


def test_a_later_v1_can_be_a_baseline() -> None:
    told = json.loads(render(BLOCKED, "json")) | {"mood": "good"}
    told["results"][0]["findings"][0]["weight"] = 3
    assert read_baseline(json.dumps(told).encode(), "later.json").fingerprints


# --- JUnit ------------------------------------------------------------------------------------------------------------


def cases(report: Report) -> dict[str, TestCase]:
    suites = JUnitXml.fromstring(render(report, "junit").encode())
    return {case.name: case for suite in suites for case in suite}


def endings(report: Report) -> dict[str, list[str]]:
    return {name: [type(r).__name__ for r in case.result] for name, case in cases(report).items()}


def test_junit_has_a_suite_per_family_and_a_case_per_check() -> None:
    suites = JUnitXml.fromstring(render(BLOCKED, "junit").encode())
    families = sorted({r.family for r in BLOCKED.results})
    assert [suite.name for suite in suites] == families
    assert (suites.tests, suites.failures, suites.errors, suites.skipped) == (11, 3, 4, 1)
    told = ET.fromstring(render(BLOCKED, "junit"))  # noqa: S314 - written a line ago
    properties = {p.get("name"): p.get("value") for p in told[0].iter("property")}
    assert properties["cluster"] == "prod"
    assert properties["verdict"] == "blocked"


def test_junit_endings() -> None:
    told = endings(BLOCKED)
    assert told["cni-release-supports-policy"] == ["Failure"]
    assert told["agent-settles"] == told["pods-have-owners"] == ["Error"]
    assert told["hybrid-nodes-are-known"] == ["Skipped"]
    assert told["nodes-run-linux"] == []
    assert endings(FILES)["kubernetes-version-supports-policy"] == ["Skipped"]


def test_what_is_set_aside_is_a_skipped_case() -> None:
    waived = found(Subject("Node", "a"), "is old", disposition=Disposition.WAIVED, reason="so")
    report = msgspec.structs.replace(
        READY,
        results=(
            result("a", "nodes", "a holds", Outcome.FAILED, findings=(waived,)),
            result("b", "nodes", "b holds", Outcome.FAILED, findings=(found(Subject("Node", "b"), "is old"),), ignored=True),
        ),
    )
    assert endings(report) == {"a": ["Skipped"], "b": ["Skipped"]}


# --- SARIF ------------------------------------------------------------------------------------------------------------

STRING = {"type": "string", "minLength": 1}
MESSAGE = {"type": "object", "required": ["text"], "properties": {"text": STRING}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
URI = {"type": "string", "pattern": r"^[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+$"}
RULE = {
    "type": "object",
    "required": ["id", "name", "shortDescription", "help", "helpUri", "defaultConfiguration"],
    "properties": {
        "id": STRING,
        "shortDescription": MESSAGE,
        "fullDescription": MESSAGE,
        "help": MESSAGE,
        "helpUri": URI,
        "defaultConfiguration": {"properties": {"level": LEVEL}},
    },
}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation", "logicalLocations"],
    "properties": {
        "physicalLocation": {
            "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {"required": ["uri"], "properties": {"uri": URI}},
                "region": {"properties": {"startLine": {"type": "integer", "minimum": 1}}},
            },
        },
        "logicalLocations": {"type": "array", "items": {"required": ["name", "fullyQualifiedName"]}},
    },
}
RESULT = {
    "type": "object",
    "required": ["ruleId", "ruleIndex", "kind", "level", "message", "locations", "partialFingerprints"],
    "properties": {
        "ruleIndex": {"type": "integer", "minimum": 0},
        "kind": {"enum": ["fail", "open"]},
        "level": LEVEL,
        "message": MESSAGE,
        "locations": {"type": "array", "minItems": 1, "items": LOCATION},
        "baselineState": {"enum": ["new", "unchanged", "updated", "absent"]},
        "suppressions": {"items": {"required": ["kind"], "properties": {"kind": {"enum": ["inSource", "external"]}}}},
    },
}
SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "version", "informationUri", "rules"],
                                "properties": {
                                    "name": STRING,
                                    "version": STRING,
                                    "informationUri": URI,
                                    "rules": {"type": "array", "uniqueItems": True, "items": RULE},
                                },
                            }
                        },
                    },
                    "results": {"type": "array", "items": RESULT},
                },
            },
        },
    },
}


def run_of(report: Report) -> dict[str, Any]:
    told = json.loads(render(report, "sarif"))
    jsonschema.Draft202012Validator(SARIF).validate(told)
    run: dict[str, Any] = told["runs"][0]
    for made in run["results"]:
        assert run["tool"]["driver"]["rules"][made["ruleIndex"]]["id"] == made["ruleId"]
        assert (made["level"] == "none") == (made["kind"] == "open")
    return run


@pytest.mark.parametrize("sample", SAMPLES)
def test_sarif_has_the_form_it_must_have(sample: str) -> None:
    run = run_of(SAMPLES[sample])
    marks = [r["partialFingerprints"]["eksnetpol/v1"] for r in run["results"]]
    assert len(marks) == len(set(marks))


def test_a_clean_run_still_has_results() -> None:
    assert run_of(READY)["results"] == []


def test_sarif_tells_files_from_clusters() -> None:
    by_rule = {r["ruleId"]: r for r in reversed(run_of(BLOCKED)["results"])}
    live = by_rule["cni-release-supports-policy"]["locations"][0]
    assert live["physicalLocation"]["artifactLocation"]["uri"] == "eksnetpol/prod/daemonset/kube-system/aws-node.yaml"
    assert live["logicalLocations"][0]["fullyQualifiedName"] == "daemonset/kube-system/aws-node"
    file = by_rule["policies-select-something"]["locations"][0]["physicalLocation"]
    assert file == {"artifactLocation": {"uri": "deploy/shop/policies.yaml"}, "region": {"startLine": 17}}


def test_sarif_tells_what_does_not_count_and_what_is_open() -> None:
    results = [r for r in run_of(BLOCKED)["results"] if r["ruleId"] == "policies-select-something"]
    assert [(r["baselineState"], "suppressions" in r) for r in results] == [
        ("new", False), ("new", True), ("unchanged", False)
    ]  # fmt: skip
    assert {r["ruleId"] for r in run_of(BLOCKED)["results"] if r["kind"] == "open"} == {
        "pods-have-owners", "service-ports-are-pod-ports", "agent-release-is-known"
    }  # fmt: skip


def test_the_same_finding_in_another_cluster_is_another_alert() -> None:
    other = msgspec.structs.replace(BLOCKED, target=Target("prod", arn="arn:aws:eks:eu-west-1:444455556666:cluster/prod"))
    here, there = ({r["partialFingerprints"]["eksnetpol/v1"] for r in run_of(x)["results"]} for x in (BLOCKED, other))
    assert not here & there


@pytest.mark.parametrize(("name", "step"), [("..", "__"), ("a/../b", "a%2F..%2Fb"), ("a b", "a%20b"), ("\ud800", "%5Cud800")])
def test_a_name_is_one_step_of_a_path(name: str, step: str) -> None:
    report = msgspec.structs.replace(BLOCKED, target=Target(name))
    uri = run_of(report)["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == f"eksnetpol/{step}/daemonset/kube-system/aws-node.yaml"


def test_errors_of_ours_make_the_run_a_failed_one() -> None:
    broken = run_of(BLOCKED)["invocations"][0]
    assert not broken["executionSuccessful"]
    assert broken["toolExecutionNotifications"][0]["associatedRule"] == {"id": "agent-settles"}
    assert run_of(READY)["invocations"][0]["executionSuccessful"]
    assert sarif.SCHEMA.endswith("sarif-schema-2.1.0.json")


# --- GitHub, Markdown, HTML -------------------------------------------------------------------------------------------


def test_annotations_have_a_file_where_there_is_one() -> None:
    lines = render(BLOCKED, "github").splitlines()
    assert "::notice file=deploy/shop/policies.yaml,line=17,title=policies-select-something%3A every" in "\n".join(lines)
    levels = [re.match(r"::(\w+) ", line)[1] for line in lines]  # type: ignore[index]
    assert levels[:11] == ["error", *["warning"] * 10]
    assert lines[11].endswith("::+32 more; -o json shows all")
    assert lines[-1].startswith("::error title=eksnetpol preflight::prod cannot")
    assert render(READY, "github").splitlines()[-1].startswith("::notice ")


def many(checks: int, findings: int) -> Report:
    return msgspec.structs.replace(
        BLOCKED,
        results=tuple(
            result(
                f"check-{c:03}", "nodes", f"check {c} holds", Outcome.FAILED,
                findings=tuple(
                    found(Subject("Node", f"node-{c}-{f}"), "is wrong " * 20, remedy="Put it right.") for f in range(findings)
                ),
            )
            for c in range(checks)
        ),
    )  # fmt: skip


@pytest.mark.parametrize(("checks", "findings"), [(3, 3), (40, 200), (80, 5), (600, 1)])
def test_a_comment_never_outgrows_what_github_takes(checks: int, findings: int) -> None:
    said = render(many(checks, findings), "markdown")
    assert len(said) < 65_536
    assert said.startswith("## 🛑 Blocked")
    assert ("did not fit" in said) == (checks == 600)
    assert len(render(many(40, 200), "markdown", verbose=True)) > markdown.LONGEST


def test_the_page_asks_nothing_of_the_network() -> None:
    said = render(BLOCKED, "html")
    assert "default-src 'none'" in unescape(said)
    assert not re.search(r"""(?:src|srcset|action|poster)\s*=|@import|url\(|<link|<iframe|<img""", said)
    assert set(re.findall(r"""href="([^"]*)""", said)) == {BLOCKED.results[0].docs}


def test_the_page_s_own_script_and_style_are_those_of_its_policy() -> None:
    said = render(BLOCKED, "html")
    (style,), (script,) = (
        re.findall(r"<style>(.*?)</style>", said, re.DOTALL),
        re.findall(r"<script>(.*?)</script>", said, re.DOTALL),
    )
    marks = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script)]
    assert "style-src 'sha256-{}'; script-src 'sha256-{}'".format(*marks) in unescape(said)


def test_a_link_that_is_no_https_is_no_link() -> None:
    first = msgspec.structs.replace(BLOCKED.results[0], docs="javascript:alert(1)")
    report = msgspec.structs.replace(BLOCKED, results=(first,))
    assert "javascript:" not in render(report, "html")
    assert "javascript:" not in render(report, "markdown")


def test_from_files_the_sentence_speaks_of_files() -> None:
    assert "nothing in these files stands in the way" in render(FILES, "text", width=200)
    named = msgspec.structs.replace(FILES, target=Target("prod"), source=SourceKind.MANIFESTS)
    assert "whether prod can enable" in render(named, "text", width=200)


def test_the_goldens_are_those_of_the_samples() -> None:
    named = {f"{sample}.{ending}" for sample in SAMPLES for ending in ENDINGS.values()}
    extra = {"blocked.verbose.txt", "blocked.verbose.md", "blocked.color.txt"}
    assert {p.name for p in Path(GOLDEN / "reporting").iterdir()} == named | extra
