"""True of every check, whoever adds it."""

from __future__ import annotations

import re
import types
import typing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksnetpol.checks.catalog import catalog
from eksnetpol.checks.declare import Check
from eksnetpol.checks.run import run
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.declare import catalog as facts_catalog
from eksnetpol.model.findings import Outcome
from eksnetpol.model.snapshot import SECTIONS, ClusterSnapshot, Origin, Seen, SourceKind, Target, Unread, UnreadSection, Why
from eksnetpol.operations.lint import is_lint
from tests.checks.cases import NOW, case

CHECKS = catalog()
HERE = Path(__file__).parent
LONGEST_ID = 63
NAMES = {"Services", "Pods", "Kubernetes", "Fargate", "Windows", "Calico", "Cilium"}
"""Kinds and products: a title may begin with one."""
ALWAYS: dict[str, object] = {
    "now": datetime,
    "source": SourceKind,
    "target": Target,
    "origins": dict[str, Origin],
    "unread": tuple[UnreadSection, ...],
}
HINTS = typing.get_type_hints(ClusterSnapshot)

every = pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)


def _parts(hint: object) -> frozenset[object]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return frozenset(typing.get_args(hint))
    return frozenset({hint})


def _value_of(name: str) -> frozenset[object]:
    """Return the types that a section or fact can hold when it was read."""
    if name in ALWAYS:
        return _parts(ALWAYS[name])
    if name in SECTIONS:
        (seen,) = (p for p in _parts(HINTS[name]) if typing.get_origin(p) is Seen)
        return _parts(typing.get_args(seen)[0])
    return _parts(typing.get_type_hints(facts_catalog()[name].work_out)["return"]) - {Unread}


def _sections_of(name: str) -> frozenset[str]:
    """Return the sections that a section or fact rests on."""
    if name in ALWAYS:
        return frozenset()
    if name in SECTIONS:
        return frozenset({name})
    return frozenset().union(*(_sections_of(i.name) for i in facts_catalog()[name].inputs))


def _empty() -> ClusterSnapshot:
    """Every list is seen and empty, everything that may be absent is; what must have a value stays unread."""
    sections: dict[str, Any] = {}
    for name in SECTIONS:
        value = _value_of(name)
        if type(None) in value:
            sections[name] = Seen(None)
        elif any(typing.get_origin(part) is tuple for part in value):
            sections[name] = Seen(())
    return ClusterSnapshot(taken_at=NOW, **sections)


def _cases_of(check: Check) -> dict[str, Any]:
    data = HERE / check.family / f"{check.id.replace('-', '_')}.yaml"
    cases: dict[str, Any] = yaml.safe_load(data.read_text(encoding="utf-8"))
    return cases


def test_there_are_checks() -> None:
    assert len(CHECKS) >= 40


@every
def test_the_id_is_a_short_slug(check: Check) -> None:
    assert len(check.id) <= LONGEST_ID
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", check.id)


@every
def test_the_title_is_a_sentence_without_its_ends(check: Check) -> None:
    word = check.title.split()[0]
    # Names keep their capitals: EKS, NetworkPolicies, and the few in the list.
    assert not word[0].isupper() or any(c.isupper() for c in word[1:]) or word in NAMES, check.title
    assert not check.title.endswith(".")


@every
def test_it_says_where_it_is_from(check: Check) -> None:
    assert check.docs.startswith("https://")
    assert check.sources
    for source in check.sources:
        assert re.fullmatch(r"https://\S+|[\w.-]+/[\w.-]+#\d+", source), source


@every
def test_it_explains_itself(check: Check) -> None:
    assert len(check.rationale) >= 80


@every
def test_it_is_asked_for_some_change_or_is_a_lint(check: Check) -> None:
    assert check.intents or is_lint(check)


@every
def test_cases_and_test_stand_beside_each_other(check: Check) -> None:
    name = check.id.replace("-", "_")
    assert (HERE / check.family / f"test_{name}.py").is_file()
    assert (HERE / check.family / f"{name}.yaml").is_file()


@every
def test_it_has_a_case_that_passes_and_one_that_does_not(check: Check) -> None:
    cases = [short or {} for short in _cases_of(check).values()]
    expected = {"finds", "unknown", "skips"}
    # What never finds anything, but says that it cannot be told, never passes either.
    finds = any(short.get("finds") for short in cases)
    assert not finds or any(not expected & set(short) for short in cases), "no case passes"
    assert any(short.get("finds") or "unknown" in short for short in cases), "no case fails or is unknown"


@every
def test_parameters_have_the_types_of_what_they_name(check: Check) -> None:
    hints = typing.get_type_hints(check.ask)
    for wanted in check.inputs:
        assert _parts(hints[wanted.name]) - {Unread} == _value_of(wanted.name), wanted.name


@every
def test_it_answers_the_same_twice(check: Check) -> None:
    for name, short in _cases_of(check).items():
        snapshot = case(name, short or {}).snapshot
        lookup = Lookup(snapshot)
        (first,) = run([check], snapshot, lookup)
        # The second time facts are the very objects the first asker had in hands.
        (second,) = run([check], snapshot, lookup)
        (third,) = run([check], snapshot)
        assert first == second == third, name


@every
def test_what_nobody_could_read_never_passes(check: Check) -> None:
    sections: dict[str, Any] = dict.fromkeys(SECTIONS, Unread("everything is denied", Why.DENIED, "everything"))
    snapshot = ClusterSnapshot(taken_at=NOW, **sections)
    (answer,) = run([check], snapshot)
    if not frozenset().union(*(_sections_of(i.name) for i in check.inputs)):
        assert answer.outcome is not Outcome.ERRORED, answer.trace
        return
    assert answer.outcome in {Outcome.UNKNOWN, Outcome.SKIPPED}, answer


@every
def test_an_empty_cluster_breaks_nothing(check: Check) -> None:
    (answer,) = run([check], _empty())
    assert answer.outcome is not Outcome.ERRORED, answer.trace


@every
def test_files_that_hold_nothing_never_pass(check: Check) -> None:
    if check.about == "objects":
        return
    sections: dict[str, Any] = dict.fromkeys(SECTIONS, Unread("no file holds one", Why.NOT_IN_FILES))
    snapshot = ClusterSnapshot(taken_at=NOW, source=SourceKind.MANIFESTS, **sections)
    (answer,) = run([check], snapshot)
    assert answer.outcome in {Outcome.UNKNOWN, Outcome.SKIPPED}, answer


@every
def test_each_finding_names_a_way_out(check: Check) -> None:
    for name, short in _cases_of(check).items():
        (answer,) = run([check], case(name, short or {}).snapshot)
        for finding in answer.findings:
            assert finding.message, name
            assert finding.remedy, name
            assert not finding.message.endswith("."), finding.message
            assert "\n" not in finding.message, name
