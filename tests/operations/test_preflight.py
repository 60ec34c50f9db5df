"""Preflight as a library call: a value in, a report out."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator

import msgspec
import pytest

from eksnetpol.checks.catalog import catalog
from eksnetpol.errors import UsageError
from eksnetpol.model.findings import Baseline, Disposition, Finding, Intent, Outcome, Verdict
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.operations import preflight as module
from eksnetpol.operations.preflight import preflight
from eksnetpol.reporting.formats import render
from eksnetpol.reporting.json_v1 import read_baseline

VERSION = "kubernetes-version-supports-policy"


def cluster(version: str) -> ClusterSnapshot:
    described = {"name": "prod", "version": version, "platformVersion": "eks.1", "status": "ACTIVE"}
    return msgspec.convert(
        {
            "cluster": {"state": "seen", "value": described},
            "serverVersion": {"state": "seen", "value": f"v{version}.3-eks-abcdef"},
        },
        ClusterSnapshot,
    )


def test_a_look_that_saw_nothing_is_undetermined_and_never_ready() -> None:
    report = preflight(ClusterSnapshot())
    assert report.verdict is Verdict.UNDETERMINED
    assert report.exit_code == 3
    assert {r.id for r in report.results} == {c.id for c in catalog()}
    assert not [r.id for r in report.results if r.outcome in {Outcome.FAILED, Outcome.ERRORED}]


def test_an_old_cluster_is_blocked_and_a_baseline_of_it_is_not() -> None:
    before = preflight(cluster("1.24"))
    assert (before.verdict, before.exit_code) == (Verdict.BLOCKED, 1)
    baseline = read_baseline(render(before, "json").encode(), "before.json")
    after = preflight(cluster("1.24"), baseline=baseline)
    version = next(r for r in after.results if r.id == VERSION)
    assert [f.disposition for f in version.findings] == [Disposition.BASELINE]
    assert after.exit_code == 3
    assert preflight(cluster("1.24"), baseline=Baseline(frozenset())).exit_code == 1


def test_the_same_look_gives_the_same_report_to_the_byte() -> None:
    once, again = (render(preflight(cluster("1.24")), "json") for _ in range(2))
    assert once == again


def test_selected_checks_alone_are_asked() -> None:
    report = preflight(cluster("1.31"), Settings(select=(VERSION,)))
    assert {r.outcome for r in report.results if r.id != VERSION} == {Outcome.SKIPPED}
    assert next(r for r in report.results if r.id == VERSION).outcome is not Outcome.SKIPPED


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match=f"did you mean {VERSION}"):
        preflight(ClusterSnapshot(), Settings(skip=("kubernetes-version-suports-policy",)), Intent.UPGRADE)


def test_the_traceback_of_a_broken_check_goes_to_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks() -> Iterator[Finding]:
        raise KeyError("oops")

    broken = dataclasses.replace(catalog()[0], inputs=(), ask=breaks)
    monkeypatch.setattr(module, "catalog", lambda: (broken,))
    with caplog.at_level(logging.DEBUG, logger=module.__name__):
        report = preflight(ClusterSnapshot())
    assert report.exit_code == 70
    assert "KeyError: 'oops'" in caplog.text
