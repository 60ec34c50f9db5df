"""The caller may read what the checks need."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import NotApplicable, check
from eksnetpol.checks.words import listed
from eksnetpol.model.findings import Evidence, Severity, Subject, Unknown
from eksnetpol.model.snapshot import SourceKind, UnreadSection, Why


@check(
    title="the caller may read everything that the checks ask for",
    severity=Severity.BLOCKER,
    docs="https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html",
    sources=("https://kubernetes.io/docs/reference/access-authn-authz/rbac/",),
)
def every_section_could_be_read(unread: tuple[UnreadSection, ...], source: SourceKind) -> Iterator[Unknown | Evidence]:
    """
    A check that may not see what it is about cannot pass. Each refused permission is named here once, with what it is for, so
    that it can be granted, and so is what did not answer or made no sense; the checks that need it are unknown until then.
    """
    if source is SourceKind.MANIFESTS:
        raise NotApplicable("files need no permission")
    denied = [section for section in unread if section.unread.why is Why.DENIED]
    yield Evidence(f"{len(denied)} refused, {len(unread) - len(denied)} not read for other reasons")
    for section in denied:
        missing = section.unread.permission
        grant = f"grant {missing}; " if missing else ""
        yield Unknown(
            Subject("Permission", missing or section.name),
            f"{section.name} could not be read: {section.unread.reason}; {grant}"
            "`eksnetpol permissions show preflight` prints the least IAM policy and RBAC",
        )
    failed: dict[str, list[str]] = {}
    for section in unread:
        if section.unread.why in {Why.UNREACHABLE, Why.UNREADABLE}:
            failed.setdefault(section.unread.reason, []).append(section.name)
    for reason, names in failed.items():
        yield Unknown(Subject("Section", names[0]), f"{listed(names)} could not be read: {reason}")
