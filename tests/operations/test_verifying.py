"""Whether a migration is done: seen after one that went well, and after each way in which it did not."""

from __future__ import annotations

from functools import cache

import pytest
from msgspec.structs import replace

from eksnetpol.model.findings import Outcome, Report, Severity
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread
from eksnetpol.operations.migration_results import FAMILY
from eksnetpol.operations.verifying import Before, cleaned_by, verify
from tests.migration.planning.carrying import Run
from tests.migration.planning.clusters import CLUSTERS, options, planned, value

Ended = tuple[ClusterSnapshot, ClusterSnapshot, frozenset[str]]


@cache
def led_off(name: str) -> Ended:
    """Lead a cluster off its engine in memory; return it as it was, as it is, and the nodes that were cleaned."""
    snapshot = CLUSTERS[name]()
    plan = planned(snapshot, options(soak=5.0, settle=30.0))
    run = Run(snapshot, plan)
    run.go()
    return snapshot, run.cluster.snapshot(), cleaned_by(plan, run.disk.entries)


def outcomes(report: Report) -> dict[str, Outcome]:
    return {r.id: r.outcome for r in report.results if r.family == FAMILY}


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_that_was_led_off_its_engine_has_left_it(name: str) -> None:
    before, after, cleaned = led_off(name)
    report = verify(after, Before(before, cleaned))
    assert set(outcomes(report).values()) == {Outcome.PASSED}, [
        (r.id, [f.finding.message for f in r.findings]) for r in report.results if r.outcome is Outcome.FAILED
    ]
    blockers = [r.id for r in report.results if r.outcome is Outcome.FAILED and r.severity is Severity.BLOCKER]
    assert blockers == []


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_that_has_not_left_is_told_from_one_that_has(name: str) -> None:
    before, _, _ = led_off(name)
    report = verify(before, Before(before))
    found = outcomes(report)
    assert (found["other-engine-is-gone"], found["nodes-hold-no-old-rules"]) == (Outcome.FAILED, Outcome.FAILED)
    assert report.exit_code == 1


def test_a_policy_that_is_lost_afterwards_lets_more_flow() -> None:
    before, after, cleaned = led_off("calico-operator")
    lost = replace(after, network_policies=Seen(()))
    report = verify(lost, Before(before, cleaned))
    [result] = [r for r in report.results if r.id == "nothing-more-flows"]
    assert result.outcome is Outcome.FAILED
    assert all("for example" in finding.finding.evidence[0] for finding in result.findings if finding.finding.evidence)
    assert report.exit_code == 1


def test_a_node_that_stayed_and_was_not_cleaned_is_named() -> None:
    before, after, cleaned = led_off("calico-operator")
    assert cleaned == {node.name for node in value(before.nodes)}
    first = min(cleaned)
    report = verify(after, Before(before, cleaned - {first}))
    [result] = [r for r in report.results if r.id == "nodes-hold-no-old-rules"]
    assert [f.finding.subject.name for f in result.findings] == [first]


def test_what_was_before_is_unknown_where_nobody_says_it() -> None:
    _, after, _ = led_off("calico-operator")
    report = verify(after)
    assert outcomes(report)["nothing-more-flows"] is Outcome.UNKNOWN
    assert report.exit_code == 3


def test_policies_that_could_not_be_read_are_never_well() -> None:
    before, after, cleaned = led_off("calico-operator")
    report = verify(replace(after, network_policies=Unread("networkpolicies is forbidden")), Before(before, cleaned))
    assert outcomes(report)["nothing-more-flows"] is Outcome.UNKNOWN
    assert report.exit_code in {1, 3}
