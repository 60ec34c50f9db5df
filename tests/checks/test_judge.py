"""Choosing and judging: configuration, waivers and baseline have their say, and nothing unknown ever reads as passed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.checks.choose import choose
from eksnetpol.checks.declare import Check
from eksnetpol.checks.judge import fingerprint, judge
from eksnetpol.checks.run import Answer
from eksnetpol.errors import UsageError
from eksnetpol.model.findings import (
    Baseline,
    Disposition,
    Finding,
    Intent,
    Outcome,
    Report,
    Severity,
    Subject,
    Unknown,
    Verdict,
)
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot, Origin, SourceKind, Target

API = Subject("NetworkPolicy", "allow-api", "shop")
DNS = Subject("NetworkPolicy", "allow-dns", "shop")
NODE = Subject("Node", "ip-10-0-3-7")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def nothing() -> Iterator[Finding]:
    yield from ()


def check(id_: str, severity: Severity = Severity.BLOCKER, family: str = "nodes", *intents: Intent) -> Check:
    asked = frozenset(intents or Intent)
    return Check(id_, family, f"{id_} holds", severity, "https://example.com", (), asked, "cluster", (), "Why.", nothing)


KERNEL = check("kernel-supports-ebpf")
LINUX = check("nodes-run-linux", Severity.WARNING)
SELECTS = check("policies-select-something", Severity.ADVICE, "policies")
EVERY = (KERNEL, LINUX, SELECTS)


def finding(subject: Subject = NODE, message: str = "is wrong", severity: Severity | None = None) -> Finding:
    return Finding(subject, message, "Put it right.", severity=severity)


def failed(of: Check, *findings: Finding) -> Answer:
    return Answer(of, Outcome.FAILED, findings=findings or (finding(),))


def passed(of: Check) -> Answer:
    return Answer(of, Outcome.PASSED)


def unknown(of: Check, *unknowns: Unknown) -> Answer:
    return Answer(of, Outcome.UNKNOWN, "listing nodes was refused", unknowns=unknowns)


def errored(of: Check) -> Answer:
    return Answer(of, Outcome.ERRORED, "this check broke")


def settings(**said: Any) -> Settings:
    return Settings().merged(said)


def snapshot(**sections: Any) -> ClusterSnapshot:
    return msgspec.convert({"takenAt": NOW.isoformat(), **sections}, ClusterSnapshot)


def judged(*answers: Answer, given_: Settings | None = None, look: ClusterSnapshot | None = None) -> Report:
    return judge(answers, given_ or Settings(), look or snapshot())


def dispositions(report: Report) -> dict[str, Disposition]:
    return {str(f.finding.subject): f.disposition for r in report.results for f in r.findings}


# --- choosing ---------------------------------------------------------------------------------------------------------


def test_everything_is_asked_unless_told_otherwise() -> None:
    assert choose(EVERY, Settings(), Intent.ENABLE) == (EVERY, ())


def test_a_check_of_another_intent_is_skipped_with_its_reason() -> None:
    other = check("settings-survive", Severity.BLOCKER, "nodes", Intent.UPGRADE)
    asked, left_out = choose((*EVERY, other), Settings(), Intent.ENABLE)
    assert asked == EVERY
    assert left_out == (Answer(other, Outcome.SKIPPED, "not asked for enable (asked for: upgrade)"),)


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ({"select": ["nodes"]}, (KERNEL, LINUX)),
        ({"select": ["kernel-*", "policies"]}, (KERNEL, SELECTS)),
        ({"skip": ["nodes"]}, (SELECTS,)),
        ({"select": ["nodes"], "skip": ["*-linux"]}, (KERNEL,)),
        ({"ignore": ["nodes"]}, EVERY),
    ],
)
def test_select_and_skip_go_by_id_family_and_glob(said: dict[str, Any], asked: tuple[Check, ...]) -> None:
    to_run, left_out = choose(EVERY, settings(**said), Intent.ENABLE)
    assert to_run == asked
    assert {a.check for a in left_out} == set(EVERY) - set(asked)
    assert all(a.outcome is Outcome.SKIPPED and a.reason for a in left_out)


def test_a_run_that_would_ask_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="leave no check to ask for enable"):
        choose(EVERY, settings(skip=["*"]), Intent.ENABLE)


@pytest.mark.parametrize(
    "said",
    [
        {"select": ["kernel_supports_ebpf"]},
        {"skip": ["kernel-suports-ebpf"]},
        {"ignore": ["kernel-supports-epbf"]},
        {"severity": {"kernel-support-ebpf": "advice"}},
        {"waivers": [{"check": "kernel-supports-bpf", "object": "*", "reason": "so"}]},
    ],
)
def test_a_name_that_there_is_not_is_answered_with_the_nearest_one(said: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"did you mean kernel-supports-ebpf\?") as caught:
        choose(EVERY, settings(**said), Intent.ENABLE)
    assert str(caught.value).startswith(f"{next(iter(said))}: ")
    assert caught.value.exit_code == 2


def test_a_waiver_needs_a_reason() -> None:
    waiver = {"check": KERNEL.id, "object": "node/*", "reason": "  "}
    with pytest.raises(UsageError, match="needs a reason"):
        choose(EVERY, settings(waivers=[waiver]), Intent.ENABLE)


# --- verdict and exit code --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "said", "verdict", "code"),
    [
        ((passed(KERNEL), passed(LINUX)), {}, Verdict.READY, 0),
        ((failed(KERNEL),), {}, Verdict.BLOCKED, 1),
        ((failed(LINUX),), {}, Verdict.READY, 0),
        ((failed(LINUX),), {"fail_on": "warning"}, Verdict.READY, 1),
        ((failed(SELECTS),), {"fail_on": "warning"}, Verdict.READY, 0),
        ((failed(SELECTS),), {"fail_on": "advice"}, Verdict.READY, 1),
        ((failed(KERNEL),), {"fail_on": "never"}, Verdict.BLOCKED, 0),
        ((failed(KERNEL), unknown(LINUX)), {"exit_zero": True, "fail_on": "advice"}, Verdict.BLOCKED, 0),
        ((errored(KERNEL),), {"exit_zero": True}, Verdict.UNDETERMINED, 70),
        ((failed(KERNEL, finding(severity=Severity.ADVICE)),), {}, Verdict.READY, 0),
        ((failed(SELECTS, finding(severity=Severity.BLOCKER)),), {}, Verdict.BLOCKED, 1),
        ((unknown(KERNEL),), {}, Verdict.UNDETERMINED, 3),
        ((unknown(LINUX),), {}, Verdict.READY, 0),
        ((unknown(LINUX),), {"fail_on": "warning"}, Verdict.READY, 3),
        ((unknown(KERNEL),), {"fail_on": "never"}, Verdict.UNDETERMINED, 0),
        ((unknown(KERNEL),), {"fail_on_unknown": False}, Verdict.UNDETERMINED, 0),
        ((errored(KERNEL),), {}, Verdict.UNDETERMINED, 70),
        ((errored(SELECTS),), {}, Verdict.READY, 70),
        ((errored(SELECTS), unknown(KERNEL)), {}, Verdict.UNDETERMINED, 70),
        ((errored(SELECTS), failed(KERNEL)), {}, Verdict.BLOCKED, 1),
        ((failed(KERNEL),), {"ignore": [KERNEL.id]}, Verdict.READY, 0),
        ((unknown(KERNEL),), {"ignore": ["nodes"]}, Verdict.READY, 0),
        ((errored(KERNEL),), {"ignore": ["nodes"]}, Verdict.READY, 0),
        ((failed(KERNEL),), {"severity": {KERNEL.id: "advice"}}, Verdict.READY, 0),
        ((failed(SELECTS),), {"severity": {SELECTS.id: "blocker"}}, Verdict.BLOCKED, 1),
        ((unknown(KERNEL),), {"severity": {KERNEL.id: "warning"}}, Verdict.READY, 0),
    ],
)
def test_verdict_and_exit_code(answers: tuple[Answer, ...], said: dict[str, Any], verdict: Verdict, code: int) -> None:
    report = judged(*answers, given_=settings(**said))
    assert (report.verdict, report.exit_code) == (verdict, code)


def test_what_files_cannot_know_fails_only_when_asked_to() -> None:
    files = msgspec.structs.replace(snapshot(), source=SourceKind.MANIFESTS)
    assert judged(unknown(KERNEL), look=files).exit_code == 0
    assert judged(unknown(KERNEL), look=files).verdict is Verdict.UNDETERMINED
    assert judged(unknown(KERNEL), look=files, given_=settings(fail_on_unknown=True)).exit_code == 3


def test_an_unknown_beside_a_waived_finding_still_counts() -> None:
    answer = replace(failed(KERNEL), unknowns=(Unknown(API, "no idea"),))
    waiver = {"check": KERNEL.id, "object": "node/*", "reason": "replaced on Friday"}
    report = judged(answer, given_=settings(waivers=[waiver]))
    assert (report.verdict, report.exit_code) == (Verdict.UNDETERMINED, 3)


def test_an_ignored_check_is_shown() -> None:
    (result,) = judged(failed(KERNEL), given_=settings(ignore=["nodes"])).results
    assert result.outcome is Outcome.FAILED
    assert result.ignored
    assert [f.disposition for f in result.findings] == [Disposition.IGNORED]


def test_a_configured_severity_wins_over_the_finding_s_own() -> None:
    answer = failed(KERNEL, finding(severity=Severity.WARNING))
    (result,) = judged(answer, given_=settings(severity={KERNEL.id: "advice"})).results
    assert result.severity is Severity.ADVICE
    assert result.findings[0].severity is Severity.ADVICE


# --- waivers ----------------------------------------------------------------------------------------------------------


def waived(report: Report) -> dict[str, str]:
    found = {str(f.finding.subject): f for r in report.results for f in r.findings}
    return {name: f.reason for name, f in found.items() if f.disposition is Disposition.WAIVED}


@pytest.mark.parametrize("pattern", ["networkpolicy/shop/*", "NetworkPolicy/shop/allow-*", "*/shop/*", "*"])
def test_a_waiver_goes_by_a_glob_over_subjects(pattern: str) -> None:
    waiver = {"check": SELECTS.id, "object": pattern, "reason": "autumn sale", "owner": "shop", "expires": "2026-06-01"}
    report = judged(failed(SELECTS, finding(API), finding(DNS)), given_=settings(waivers=[waiver], fail_on="advice"))
    assert waived(report) == dict.fromkeys(map(str, (API, DNS)), "autumn sale (shop), until 2026-06-01")
    assert (report.exit_code, report.notes) == (0, ())


def test_a_waiver_reaches_no_other_object_and_no_other_check() -> None:
    waiver = {"check": SELECTS.id, "object": "networkpolicy/shop/allow-api", "reason": "so"}
    report = judged(failed(SELECTS, finding(API), finding(DNS)), failed(KERNEL, finding(API)), given_=settings(waivers=[waiver]))
    by_check = {r.id: [f.disposition for f in r.findings] for r in report.results}
    assert by_check == {SELECTS.id: [Disposition.OPEN, Disposition.WAIVED], KERNEL.id: [Disposition.OPEN]}


def test_an_expired_waiver_waives_nothing_and_is_named() -> None:
    waiver = {"check": KERNEL.id, "object": "node/*", "reason": "so", "expires": "2026-05-31"}
    report = judged(failed(KERNEL), given_=settings(waivers=[waiver]))
    assert waived(report) == {}
    assert report.exit_code == 1
    assert report.notes == (f"the waiver of {KERNEL.id} for node/* expired on 2026-05-31 and no longer waives anything",)


def test_a_waiver_that_matches_nothing_is_named() -> None:
    waiver = {"check": KERNEL.id, "object": "node/gone", "reason": "so"}
    report = judged(passed(KERNEL), given_=settings(waivers=[waiver]))
    assert report.notes == (f"the waiver of {KERNEL.id} for node/gone matches no finding; remove it",)


def test_a_waiver_of_a_check_that_could_not_tell_is_kept_in_peace() -> None:
    waiver = {"check": KERNEL.id, "object": "node/gone", "reason": "so"}
    assert judged(unknown(KERNEL), given_=settings(waivers=[waiver])).notes == ()


def test_a_waiver_does_not_settle_the_unknown() -> None:
    waiver = {"check": KERNEL.id, "object": "node/*", "reason": "so"}
    report = judged(unknown(KERNEL, Unknown(NODE, "no kernel reported")), given_=settings(waivers=[waiver]))
    assert report.exit_code == 3
    assert report.notes == (
        f"the waiver of {KERNEL.id} for node/* meets something that could not be determined; a waiver does not settle that",
    )


def annotated(text: str, check_id: str = SELECTS.id, name: str = "allow-api") -> ClusterSnapshot:
    meta = {"name": name, "namespace": "shop", "annotations": {f"waive.eksnetpol.io/{check_id}": text, "other": "x"}}
    return snapshot(networkPolicies={"state": "seen", "value": [{"metadata": meta}]})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kept for the sale; until=2027-01-31", "kept for the sale, until 2027-01-31"),
        ("kept for the sale", "kept for the sale"),
        ("kept; really ;until = 2026-06-01", "kept; really, until 2026-06-01"),
    ],
)
def test_an_object_can_carry_its_waiver(text: str, reason: str) -> None:
    report = judged(failed(SELECTS, finding(API), finding(DNS)), look=annotated(text))
    assert waived(report) == {str(API): reason}
    assert report.notes == ()


@pytest.mark.parametrize(
    ("text", "check_id", "note"),
    [
        ("so; until=2026-05-31", SELECTS.id, "expired on 2026-05-31 and no longer waives anything"),
        ("", SELECTS.id, 'waives nothing: it gives no reason; write "reason; until=2027-01-31"'),
        ("; until=2027-01-31", SELECTS.id, 'waives nothing: it gives no reason; write "reason; until=2027-01-31"'),
        ("so; until=soon", SELECTS.id, "waives nothing: 'soon' is no day such as 2027-01-31"),
        ("so", "no-such-check", "names no check and waives nothing"),
    ],
)
def test_an_annotation_that_waives_nothing_is_named_and_ends_no_run(text: str, check_id: str, note: str) -> None:
    report = judged(failed(SELECTS, finding(API)), look=annotated(text, check_id))
    assert waived(report) == {}
    assert report.notes == (f"the annotation waive.eksnetpol.io/{check_id} on networkpolicy/shop/allow-api {note}",)


def test_many_idle_annotations_make_one_note() -> None:
    note = {f"waive.eksnetpol.io/{KERNEL.id}": "so"}
    nodes = [{"metadata": {"name": f"n{i}", "annotations": note}} for i in range(7)]
    report = judged(passed(KERNEL), look=snapshot(nodes={"state": "seen", "value": nodes}))
    (said,) = report.notes
    assert said == (
        f"the annotation waive.eksnetpol.io/{KERNEL.id} on node/n0, node/n1, node/n2 and 4 more matches no finding; remove it"
    )


# --- baseline and fingerprints ----------------------------------------------------------------------------------------


def test_only_what_is_new_since_the_baseline_counts() -> None:
    before = judged(failed(KERNEL, finding(API)))
    baseline = Baseline(frozenset(f.fingerprint for r in before.results for f in r.findings))
    now = failed(KERNEL, finding(API, "said in other words"), finding(DNS))
    report = judge((now,), Settings(), snapshot(), baseline=baseline)
    assert dispositions(report) == {str(API): Disposition.BASELINE, str(DNS): Disposition.OPEN}
    assert report.exit_code == 1
    assert judge((failed(KERNEL, finding(API)),), Settings(), snapshot(), baseline=baseline).exit_code == 0


def test_a_second_finding_about_the_same_object_is_new() -> None:
    before = judged(failed(KERNEL, finding(API)))
    baseline = Baseline(frozenset(f.fingerprint for r in before.results for f in r.findings))
    report = judge((failed(KERNEL, finding(API, "a"), finding(API, "b")),), Settings(), snapshot(), baseline=baseline)
    assert [f.disposition for f in report.results[0].findings] == [Disposition.OPEN, Disposition.BASELINE]


def test_a_baseline_of_another_cluster_is_named() -> None:
    look = msgspec.structs.replace(snapshot(), target=Target("prod", arn="arn:prod"))
    report = judge((passed(KERNEL),), Settings(), look, baseline=Baseline(frozenset(), Target("test", arn="arn:test")))
    assert report.notes == ("the baseline is of arn:test, this report of arn:prod",)


def test_fingerprints_are_stable_and_tell_subjects_apart() -> None:
    assert fingerprint("kernel-supports-ebpf", NODE) == "fa029476b38c370c05fa94c0fc5bc956"
    marks = {fingerprint(c, s, o) for c in ("a", "b") for s in (API, DNS, NODE, Subject("Node", "", "x")) for o in (0, 1)}
    assert len(marks) == 16


# --- order and circumstances ------------------------------------------------------------------------------------------


ANSWERS = (
    failed(KERNEL, finding(API), finding(NODE), finding(DNS, severity=Severity.ADVICE), finding(DNS)),
    failed(SELECTS),
    failed(LINUX),
    unknown(check("b-unknown")),
    unknown(check("a-unknown", Severity.ADVICE)),
    errored(check("broken")),
    passed(check("z-passed")),
    passed(check("a-passed", Severity.WARNING)),
    Answer(check("skipped"), Outcome.SKIPPED, "not selected"),
)


@given(st.permutations(ANSWERS))
def test_the_order_is_one_whatever_came_first(shuffled: list[Answer]) -> None:
    report = judged(*shuffled)
    assert [r.id for r in report.results] == [
        "kernel-supports-ebpf",
        "nodes-run-linux",
        "policies-select-something",
        "broken",
        "b-unknown",
        "a-unknown",
        "z-passed",
        "a-passed",
        "skipped",
    ]
    assert [str(f.finding.subject) for f in report.results[0].findings] == [
        "networkpolicy/shop/allow-api",
        "networkpolicy/shop/allow-dns",
        "node/ip-10-0-3-7",
        "networkpolicy/shop/allow-dns",
    ]


def test_a_finding_says_which_file_its_object_is_from() -> None:
    look = msgspec.structs.replace(snapshot(), origins={str(API): Origin("policies.yaml", 12)})
    (result,) = judged(failed(SELECTS, finding(API), finding(DNS)), look=look).results
    assert [f.origin for f in result.findings] == [Origin("policies.yaml", 12), None]


def test_what_was_not_read_and_not_asked_travels_to_the_report() -> None:
    report = judge((passed(KERNEL), Answer(LINUX, Outcome.SKIPPED, "not selected")), settings(select=["kernel*"]), snapshot())
    assert "nodes" in {section.name for section in report.unread}
    assert report.notes == ("select and skip were in force: 1 of 2 checks were asked",)
    assert report.looked_at == NOW
    assert report.intent is Intent.ENABLE


def test_waivers_expire_by_the_day_of_the_look() -> None:
    waiver = {"check": KERNEL.id, "object": "*", "reason": "so", "expires": date(2026, 6, 1)}
    later = snapshot(takenAt="2026-06-02T00:00:01Z")
    assert judged(failed(KERNEL), given_=settings(waivers=[waiver])).exit_code == 0
    assert judged(failed(KERNEL), given_=settings(waivers=[waiver]), look=later).exit_code == 1
