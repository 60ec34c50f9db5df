"""Cases of checks, from the YAML file beside each test.

A case is a sentence and a small cluster: sections of the snapshot by name, in the API's JSON or in the short forms of
`tests/builders.py`, and what the check should say. ``aws_node: {…}`` stands for a DaemonSet section with that one DaemonSet
in it (``daemonsets`` adds others); ``switch: "true"`` for the ConfigMap with the controller's switch. Expectations:

- ``finds: [subject, …]`` the findings' subjects, in order (none: the check passes);
- ``unknown: text`` it is unknown for a reason that contains the text; ``skips: text`` likewise not applicable;
- ``says: text | [text, …]`` each is in some finding's message, remedy or command; ``severity: blocker`` that of all;
- ``source: manifests`` and ``partial: true`` make every section one that files gave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from eksnetpol.checks.declare import Check
from eksnetpol.checks.run import Answer, run
from eksnetpol.model.findings import Outcome
from eksnetpol.model.snapshot import SECTIONS, ClusterSnapshot, Why
from tests import builders

Json = dict[str, Any]

NOW = datetime(2026, 6, 1, tzinfo=UTC)

SHORT: dict[str, Callable[[Any], Json]] = {
    "pods": builders.pod,
    "agent_pods": builders.agent_pod,
    "nodes": builders.node,
    "namespaces": builders.namespace,
    "network_policies": builders.policy,
    "application_policies": builders.policy,
    "admin_policies": builders.admin_policy,
    "services": builders.service,
    "daemonsets": lambda s: builders.workload(s, "DaemonSet"),
    "deployments": lambda s: builders.workload(s, "Deployment"),
    "statefulsets": lambda s: builders.workload(s, "StatefulSet"),
    "jobs": lambda s: builders.workload(s, "Job"),
    "cronjobs": lambda s: builders.workload(s, "CronJob"),
    "configmaps": builders.configmap,
    "crds": builders.crd,
}
EXPECTATIONS = {"finds", "unknown", "skips", "says", "severity", "source", "partial", "aws_node", "switch", "now"}


@dataclass(frozen=True)
class Case:
    """A cluster and what is expected to be said of it."""

    name: str
    snapshot: ClusterSnapshot
    subjects: tuple[str, ...]
    unknown: str | None
    skips: str | None
    says: tuple[str, ...]
    severity: str | None

    def __str__(self) -> str:
        return self.name


def cases(test_file: str) -> list[Case]:
    """Read the cases beside *test_file*: ``test_x.py`` has them in ``x.yaml``."""
    path = Path(test_file)
    data = path.with_name(path.stem.removeprefix("test_") + ".yaml")
    return [case(name, short or {}) for name, short in yaml.safe_load(data.read_text(encoding="utf-8")).items()]


def case(name: str, short: Json) -> Case:
    """Make a case from its short form; raise `KeyError` for a word that means nothing."""
    unknown = set(short) - set(SECTIONS) - EXPECTATIONS
    if unknown:
        message = f"case {name!r}: {sorted(unknown)} are neither sections nor expectations"
        raise KeyError(message)
    says = short.get("says", [])
    return Case(
        name=name,
        snapshot=snapshot(short),
        subjects=tuple(short.get("finds", ())),
        unknown=short.get("unknown"),
        skips=short.get("skips"),
        says=(says,) if isinstance(says, str) else tuple(says),
        severity=short.get("severity"),
    )


def snapshot(short: Json) -> ClusterSnapshot:
    """Make the snapshot of a case."""
    sections = {k: v for k, v in short.items() if k in SECTIONS}
    if "aws_node" in short:
        own = [] if short["aws_node"] is None else [builders.aws_node(short["aws_node"])]
        sections["daemonsets"] = [*own, *sections.get("daemonsets", [])]
    if "switch" in short:
        value = short["switch"]
        data = {} if value is None else {"enable-network-policy-controller": value}
        sections["configmaps"] = [{"data": data}, *sections.get("configmaps", [])]
    partial = bool(short.get("partial"))
    raw: Json = {name: _section(name, value, partial=partial) for name, value in sections.items()}
    names = dict(zip(ClusterSnapshot.__struct_fields__, ClusterSnapshot.__struct_encode_fields__, strict=True))
    raw = {names[name]: section for name, section in raw.items()}
    raw["source"] = short.get("source", "manifests" if partial else "live")
    raw["takenAt"] = short.get("now", NOW.isoformat())
    return msgspec.json.decode(msgspec.json.encode(raw), type=ClusterSnapshot)


def _section(name: str, value: Any, *, partial: bool) -> Json:
    if isinstance(value, dict) and "unread" in value:
        return {"state": "unread", "reason": value["unread"], "why": value.get("why", Why.DENIED)}
    if isinstance(value, list):
        build = SHORT.get(name, builders.named)
        value = [build(item) if isinstance(item, dict) or name in SHORT else item for item in value]
    return {"state": "seen", "value": value, "complete": not partial}


def assert_case(check: Check, case: Case) -> Answer:
    """Ask *check* about the case's cluster and compare with what is expected; return the answer for further looks."""
    (answer,) = run([check], case.snapshot)
    assert answer.outcome is not Outcome.ERRORED, answer.trace
    said = tuple(str(f.subject) for f in answer.findings)
    assert said == case.subjects, f"{answer.outcome}: {answer.reason}"
    if case.unknown is not None:
        assert answer.unknowns or answer.outcome is Outcome.UNKNOWN, answer
        reasons = " ".join([answer.reason, *(u.reason for u in answer.unknowns)])
        assert case.unknown in reasons, reasons
    elif case.skips is not None:
        assert answer.outcome is Outcome.SKIPPED, answer
        assert case.skips in answer.reason, answer.reason
    else:
        assert answer.outcome is (Outcome.FAILED if case.subjects else Outcome.PASSED), answer
    words = " ".join(" ".join([f.message, f.remedy, f.command, *f.evidence]) for f in answer.findings)
    for text in case.says:
        assert text in words, f"{text!r} is not in {words!r}"
    if case.severity is not None:
        assert {str(f.severity or check.severity) for f in answer.findings} == {case.severity}
    return answer
