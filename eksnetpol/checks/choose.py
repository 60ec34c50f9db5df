"""Which checks are asked: by the change under consideration, and by what the configuration selects and skips."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from eksnetpol.checks.declare import Check
from eksnetpol.checks.run import Answer
from eksnetpol.errors import UsageError
from eksnetpol.model.findings import Intent, Outcome
from eksnetpol.model.settings import Settings


def choose(checks: Iterable[Check], settings: Settings, intent: Intent) -> tuple[tuple[Check, ...], tuple[Answer, ...]]:
    """Return the checks to run, and a skipped answer with its reason for each of the others.

    Raises `UsageError` when *settings* names a check or family that there is not, has a waiver without a reason, or leaves
    nothing to ask: a run that asked nothing would read as ready.
    """
    known = tuple(checks)
    validate(settings, known)
    to_run: list[Check] = []
    left_out: list[Answer] = []
    for check in known:
        reason = _why_not(check, settings, intent)
        if reason:
            left_out.append(Answer(check, Outcome.SKIPPED, reason))
        else:
            to_run.append(check)
    if known and not to_run:
        raise UsageError(
            f"select and skip leave no check to ask for {intent.value}; "
            "`eksnetpol checks list` prints every check and the changes it is asked for"
        )
    return tuple(to_run), tuple(left_out)


def matches(pattern: str, check: Check) -> bool:
    """Say whether *pattern*, a glob, means *check*: by its id or by its family."""
    return fnmatchcase(check.id, pattern) or fnmatchcase(check.family, pattern)


def is_ignored(check: Check, settings: Settings) -> bool:
    """Say whether *check* runs and is shown, but does not count."""
    return any(matches(pattern, check) for pattern in settings.ignore)


def validate(settings: Settings, checks: Sequence[Check]) -> None:
    """Raise `UsageError` when *settings* names what is not among *checks*, or holds a waiver without a reason."""
    ids = sorted(check.id for check in checks)
    names = sorted({*ids, *(check.family for check in checks)})
    for key, patterns in (("select", settings.select), ("skip", settings.skip), ("ignore", settings.ignore)):
        for pattern in patterns:
            if not any(matches(pattern, check) for check in checks):
                raise UsageError(_unknown(key, pattern, names, "check or family"))
    for name in settings.severity:
        if name not in ids:
            raise UsageError(_unknown("severity", name, ids, "check"))
    for waiver in settings.waivers:
        if waiver.check not in ids:
            raise UsageError(_unknown("waivers", waiver.check, ids, "check"))
        if not waiver.reason.strip():
            raise UsageError(f"waivers: the waiver of {waiver.check} for {waiver.object!r} needs a reason")


def _unknown(key: str, name: str, known: Sequence[str], what: str) -> str:
    close = difflib.get_close_matches(name, known, n=1) or difflib.get_close_matches(name.replace("_", "-"), known, n=1)
    hint = f"did you mean {close[0]}?" if close else "`eksnetpol checks list` prints all of them"
    return f"{key}: there is no {what} {name!r}; {hint}"


def _why_not(check: Check, settings: Settings, intent: Intent) -> str:
    if intent not in check.intents:
        return f"not asked for {intent.value} (asked for: {check.asked_for})"
    if settings.select and not any(matches(pattern, check) for pattern in settings.select):
        return "not selected"
    skipped_by = next((pattern for pattern in settings.skip if matches(pattern, check)), "")
    return f"skipped by {skipped_by!r}" if skipped_by else ""
