"""What one may, as people and programs read it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import Any

from eksnetpol.cli.terminal import Terminal
from eksnetpol.gateways.permission_check import PermissionAnswer
from eksnetpol.reporting.escape import visible

_WORDS = {True: "granted", False: "missing", None: "unknown"}


def render(answers: Sequence[PermissionAnswer], command: str, form: str, terminal: Terminal) -> str:
    """Return *answers* about *command* in format *form*, what is missing first."""
    ordered = sorted(answers, key=lambda a: (a.allowed is True, a.allowed is None))
    if form == "text":
        return _text(ordered, command, terminal)
    value = {"command": command, "counts": _counts(answers), "permissions": [_document(a) for a in ordered]}
    if form == "yaml":
        import yaml

        return yaml.safe_dump(value, sort_keys=False, width=120)
    return json.dumps(value, indent=2) + "\n"


def _text(answers: Sequence[PermissionAnswer], command: str, terminal: Terminal) -> str:
    counts = _counts(answers)
    lines = [f"{command}: {', '.join(f'{number} {word}' for word, number in counts.items() if number)}"]
    for allowed in (False, None):
        for reason, names in _by_reason([a for a in answers if a.allowed is allowed]).items():
            lines += ["", *textwrap.wrap(f"{_WORDS[allowed]}: {visible(reason)}", terminal.width)]
            lines += [f"  {name}" for name in names]
    if terminal.verbose:
        granted = [str(a.permission) for a in answers if a.allowed]
        lines += ["", "granted:", *(f"  {name}" for name in granted)] if granted else []
    if counts["missing"]:
        lines += ["", f"`eksnetpol permissions show {command}` prints what an administrator has to grant"]
    return "\n".join(lines) + "\n"


def _by_reason(answers: Sequence[PermissionAnswer]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for answer in answers:
        reasons.setdefault(answer.reason or "no reason was given", []).append(visible(str(answer.permission)))
    return reasons


def _counts(answers: Sequence[PermissionAnswer]) -> dict[str, int]:
    return {word: sum(answer.allowed is allowed for answer in answers) for allowed, word in _WORDS.items()}


def _document(answer: PermissionAnswer) -> dict[str, Any]:
    return {"permission": str(answer.permission), "answer": _WORDS[answer.allowed], "reason": answer.reason}
