"""Where live objects are not what the controller writes, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from eksnetpol.model.findings import Severity
from eksnetpol.policy.prediction.compare import Discrepancy
from eksnetpol.policy.prediction.predict import Prediction
from eksnetpol.policy.prediction.rules import RULES
from eksnetpol.reporting import policy_words as words
from eksnetpol.reporting import view
from eksnetpol.reporting.escape import visible
from eksnetpol.reporting.prediction import note, undetermined
from eksnetpol.reporting.shell import fold

API_VERSION = "eksnetpol.io/v1"
KIND = "PredictionCheck"
_COMMAND = 7


def as_text(prediction: Prediction, found: Sequence[Discrepancy], width: int, *, ascii_only: bool) -> str:
    """Return what was found, rule by rule, with what to do, and then what is left to chance."""
    parts = (_shown(indent, line, width, ascii_only=ascii_only) for indent, line in _lines(prediction, found))
    return "".join(parts)


def _shown(indent: int, line: str, width: int, *, ascii_only: bool) -> str:
    if indent != _COMMAND:
        return words.lines([(indent, line)], width, ascii_only=ascii_only)
    # Cut in such a way that it can be copied and pasted.
    return "".join(f"{part}\n" for part in fold(visible(line, ascii_only=ascii_only), width, indent))


def _lines(prediction: Prediction, found: Sequence[Discrepancy]) -> Iterator[tuple[int, str]]:
    worlds = prediction.world
    live = len(worlds.policy_endpoints) + len(worlds.cluster_policy_endpoints)
    counts = prediction.counts()
    predicted = sum(c.objects for c in counts)
    policies = view.plural(len(counts), "policy", "policies")
    yield 0, f"{view.plural(live, 'object')} for {policies}, {predicted} predicted: {_summary(found)}"
    for rule in dict.fromkeys(d.rule for d in found):
        about = RULES[rule]
        yield 0, ""
        yield 0, f"{about.severity.value}: {about.title}  [{rule}]"
        for discrepancy in found:
            if discrepancy.rule == rule:
                finding = discrepancy.finding
                yield 4, f"{finding.subject} {finding.message}"
                if finding.command:
                    yield _COMMAND, finding.command
        for remedy in dict.fromkeys(d.finding.remedy for d in found if d.rule == rule):
            yield 4, f"-> {remedy}"
        yield 4, f"see {about.source}"
    for doubt in prediction.undetermined:
        yield 0, ""
        yield 0, f"note: {undetermined(doubt)}"


def _summary(found: Sequence[Discrepancy]) -> str:
    if not found:
        return "all as the controller writes them"
    by = [(s, sum(d.finding.severity is s for d in found)) for s in Severity]
    return ", ".join(view.plural(n, s.value, "advice" if s is Severity.ADVICE else "") for s, n in by if n)


def as_json(prediction: Prediction, found: Sequence[Discrepancy]) -> str:
    """Return what was found as JSON."""
    document = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "controllerVersion": str(prediction.profile.controller),
        "chunkSize": prediction.chunk_size,
        "policies": len(prediction.policies),
        "objects": {
            "live": len(prediction.world.policy_endpoints) + len(prediction.world.cluster_policy_endpoints),
            "predicted": sum(c.objects for c in prediction.counts()),
        },
        "findings": [_finding(d) for d in found],
        "undetermined": [undetermined(u) for u in prediction.undetermined],
        "notes": [note(n) for n in prediction.notes],
    }
    return words.dumped(document)


def _finding(discrepancy: Discrepancy) -> dict[str, Any]:
    finding, rule = discrepancy.finding, RULES[discrepancy.rule]
    subject = {"kind": finding.subject.kind, "namespace": finding.subject.namespace, "name": finding.subject.name}
    return {
        "rule": discrepancy.rule,
        "title": rule.title,
        "severity": rule.severity.value,
        "subject": subject,
        "message": finding.message,
        "remedy": finding.remedy,
        "command": finding.command,
        "source": rule.source,
    }
