"""What checks say, and how a run of checks ended."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from eksnetpol.model.snapshot import Origin, SourceKind, Target, UnreadSection


class Severity(StrEnum):
    """How bad: a *blocker* stops the intent, a *warning* bites some, *advice* is good to know."""

    BLOCKER = "blocker"
    WARNING = "warning"
    ADVICE = "advice"

    @property
    def rank(self) -> int:
        """0 is worst."""
        return list(Severity).index(self)


class Outcome(StrEnum):
    """How a check ended. ``UNKNOWN`` is never good news; ``ERRORED`` is a bug of ours."""

    FAILED = "failed"
    ERRORED = "errored"
    UNKNOWN = "unknown"
    PASSED = "passed"
    SKIPPED = "skipped"


class Intent(StrEnum):
    """Which change is being considered."""

    ENABLE = "enable"
    UPGRADE = "upgrade"
    DISABLE = "disable"
    MIGRATE = "migrate"
    VERIFY = "verify"
    """No change: whether one that was made holds."""


class Subject(msgspec.Struct, frozen=True, omit_defaults=True, order=True):
    """What a finding is about, by the names people type: ``networkpolicy/shop/allow-api``, ``node/ip-10-0-3-7``."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        parts = (self.kind.lower(), self.namespace, self.name)
        return "/".join(p for p in parts if p)


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong. ``severity`` only where it differs from the check's; ``command`` can be pasted as it is."""

    subject: Subject
    message: str
    remedy: str
    command: str = ""
    evidence: tuple[str, ...] = ()
    severity: Severity | None = None


class Unknown(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that could not be determined, and what would tell."""

    subject: Subject
    reason: str


class Evidence(msgspec.Struct, frozen=True):
    """What was seen, in a few words, e.g. ``vpc-cni v1.19.2-eksbuild.1``; shown beside a check that passed."""

    text: str


class Disposition(StrEnum):
    """What became of a finding once configuration, waivers and baseline had their say."""

    OPEN = "open"
    WAIVED = "waived"
    IGNORED = "ignored"
    BASELINE = "baseline"


class JudgedFinding(msgspec.Struct, frozen=True, omit_defaults=True):
    """A finding with its final severity. ``fingerprint`` stays the same between runs; ``reason`` says why it is not open."""

    finding: Finding
    severity: Severity
    fingerprint: str
    disposition: Disposition = Disposition.OPEN
    reason: str = ""
    origin: Origin | None = None


class CheckResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one check ended. ``reason`` says why it is unknown, skipped or errored; ``ignored`` ones do not count."""

    id: str
    family: str
    title: str
    severity: Severity
    outcome: Outcome
    reason: str = ""
    findings: tuple[JudgedFinding, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    evidence: tuple[str, ...] = ()
    docs: str = ""
    rationale: str = ""
    ignored: bool = False

    @property
    def is_undetermined(self) -> bool:
        """True when something counts that could not be told, even where a finding was made beside it."""
        return not self.ignored and (self.outcome in {Outcome.UNKNOWN, Outcome.ERRORED} or bool(self.unknowns))

    @property
    def open_findings(self) -> tuple[JudgedFinding, ...]:
        """Findings that count."""
        return tuple(f for f in self.findings if f.disposition is Disposition.OPEN)


class Baseline(msgspec.Struct, frozen=True):
    """What a former report already found: the fingerprints of its findings, and the cluster it was about."""

    fingerprints: frozenset[str]
    target: Target = Target()


class Verdict(StrEnum):
    """The one answer."""

    READY = "ready"
    BLOCKED = "blocked"
    UNDETERMINED = "undetermined"


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """A whole run. ``notes`` are things to say about the run itself, e.g. a waiver that has expired or matches nothing.

    With ``is_lint`` it is about the policies themselves, and about no change.
    """

    tool_version: str
    intent: Intent
    source: SourceKind
    target: Target
    looked_at: datetime
    verdict: Verdict
    results: tuple[CheckResult, ...] = ()
    unread: tuple[UnreadSection, ...] = ()
    notes: tuple[str, ...] = ()
    exit_code: int = 0
    is_lint: bool = False

    @property
    def question(self) -> str:
        """What was asked, in a word: the change under consideration, or ``lint``."""
        return "lint" if self.is_lint else self.intent.value
