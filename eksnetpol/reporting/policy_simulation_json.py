"""A simulation as JSON: everything, for programs. Members are only ever added within v1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eksnetpol.model.findings import Subject
from eksnetpol.policy.answers import Workload
from eksnetpol.policy.dormant import Row, workloads_of
from eksnetpol.policy.needs import Verdict
from eksnetpol.policy.outlook import Simulation
from eksnetpol.policy.rules import Direction
from eksnetpol.reporting.escape import encodable
from eksnetpol.reporting.json_v1 import API_VERSION
from eksnetpol.reporting.policy_words import dumped, profile_document

KIND = "PolicySimulation"


def json(done: Simulation, exit_code: int) -> str:
    """Return *done* as JSON text; *exit_code* is how the run ends."""
    return dumped(document(done, exit_code))


def document(done: Simulation, exit_code: int) -> dict[str, Any]:
    """Return *done* as plain values."""
    found = done.dormancy
    target = {name: encodable(getattr(done.target, name)) for name in done.target.__struct_fields__}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "target": target,
        "source": done.source.value,
        **profile_document(done.profile),
        "enforcing": done.enforcing.value,
        "summary": _summary(done),
        "flows": list(_flows(done)),
        "workloads": list(_workloads(done)),
        "defaultDeny": [
            {"policy": _subject(p.subject), "direction": d.value, "pods": found.pods(classes)}
            for p, d, classes in found.closing()
        ],
        "selectedInVain": [
            {**_named(b.workload), "why": b.why, "pods": b.pods, "policies": [_subject(s) for s in b.policies]}
            for b in found.beyond
        ],
        "clusterWide": [{"policy": _subject(subject), "denyRules": rules} for subject, rules in found.cluster_wide],
        "policiesToAdd": [
            {
                "need": r.kind.value if r.kind else "coverage",
                "namespace": r.namespace,
                "pods": found.pods(r.classes),
                "words": r.words,
                "caution": r.caution,
                "policy": r.policy,
            }
            for r in done.remedies
        ],
        "notes": [encodable(n) for n in done.notes],
        "unread": [{"section": s.name, "reason": encodable(s.unread.reason)} for s in done.unread],
        "exitCode": exit_code,
    }


def _summary(done: Simulation) -> dict[str, Any]:
    found = done.dormancy
    losing = unknown = 0
    for flow in done.flows:
        losing |= flow.classes(Verdict.LOSES, Verdict.PARTLY)
        unknown |= flow.classes(Verdict.UNKNOWN)
    sides = {
        d.lower(): {
            "isolated": found.pods(found.isolated[d]),
            "denied": found.pods(found.denied[d]),
            "open": found.pods(found.open(d)),
        }
        for d in Direction
    }
    return {
        "pods": found.pods(found.counted),
        **sides,
        "selectedInVain": sum(b.pods for b in found.beyond),
        "uncovered": found.pods(found.uncovered),
        "oneSided": found.pods(found.one_sided),
        "losing": found.pods(losing),
        "undetermined": found.pods(unknown),
    }


def _flows(done: Simulation) -> Iterator[dict[str, Any]]:
    for flow in done.flows:
        counts = {v.value: done.dormancy.pods(flow.classes(v)) for v in Verdict}
        yield {
            "need": flow.kind.value,
            "direction": flow.direction.value,
            "title": encodable(flow.title),
            "target": encodable(flow.target),
            "sure": flow.is_sure,
            "pods": counts,
        }


def _workloads(done: Simulation) -> Iterator[dict[str, Any]]:
    found = done.dormancy
    rows: dict[Workload, dict[Direction, Row]] = {}
    for direction in Direction:
        for row in found.rows(direction):
            rows.setdefault(row.workload, {})[direction] = row
    fates: dict[Workload, list[dict[str, Any]]] = {}
    for number, flow in enumerate(done.flows):
        for part in flow.parts:
            for workload, classes in workloads_of(found.engine, part.classes).items():
                fates.setdefault(workload, []).append(
                    {
                        "need": flow.kind.value,
                        "flow": number,
                        "verdict": part.verdict.value,
                        "pods": found.pods(classes),
                        "reason": encodable(part.reason),
                    }
                )
    uncovered = workloads_of(found.engine, found.uncovered)
    one_sided = workloads_of(found.engine, found.one_sided)
    for workload, classes in sorted(workloads_of(found.engine, found.counted).items()):
        sides = rows.get(workload, {})
        yield {
            **_named(workload),
            "pods": found.pods(classes),
            "ingress": _side(sides.get(Direction.INGRESS)),
            "egress": _side(sides.get(Direction.EGRESS)),
            "uncovered": found.pods(uncovered.get(workload, 0)),
            "oneSided": found.pods(one_sided.get(workload, 0)),
            "flows": fates.get(workload, []),
        }


def _side(row: Row | None) -> dict[str, Any]:
    if row is None:
        return {"isolated": 0, "denied": 0, "policies": []}
    return {"isolated": row.isolated, "denied": row.denied, "policies": [_subject(s) for s in row.policies]}


def _named(workload: Workload) -> dict[str, str]:
    return {"namespace": workload.namespace, "kind": workload.kind, "name": workload.name}


def _subject(subject: Subject) -> dict[str, str]:
    return {"kind": subject.kind, "namespace": subject.namespace, "name": subject.name}
