"""What a snapshot holds, in numbers."""

from __future__ import annotations

import json
import textwrap
from datetime import UTC, datetime
from typing import Any

import msgspec

from eksnetpol.model.snapshot import SECTIONS, ClusterSnapshot, Seen, Why, unread_sections
from eksnetpol.reporting.escape import markdown as escaped
from eksnetpol.reporting.escape import visible

_AGES = ((86400, "day"), (3600, "hour"), (60, "minute"))


class SeenSection(msgspec.Struct, frozen=True):
    """A section that was read: how many objects it holds, and whether those are known to be all."""

    name: str
    count: int
    complete: bool


class MissingSection(msgspec.Struct, frozen=True):
    """A section that was not read."""

    name: str
    why: str
    reason: str
    permission: str


class Summary(msgspec.Struct, frozen=True):
    """A snapshot in numbers. ``age`` is in whole seconds."""

    title: str
    target: dict[str, str]
    source: str
    taken_at: str
    age: int
    seen: tuple[SeenSection, ...]
    unread: tuple[MissingSection, ...]


def summary(snapshot: ClusterSnapshot, now: datetime | None = None) -> Summary:
    """Return what *snapshot* holds, its age as of *now*."""
    taken = snapshot.taken_at.astimezone(UTC)
    target = {name: value for name in snapshot.target.__struct_fields__ if (value := getattr(snapshot.target, name))}
    return Summary(
        title=snapshot.target.title,
        target=target,
        source=snapshot.source.value,
        taken_at=taken.strftime("%Y-%m-%dT%H:%M:%SZ"),
        age=max(0, int(((now or datetime.now(UTC)) - taken).total_seconds())),
        seen=tuple(
            SeenSection(name, _count(section.value), section.complete)
            for name in SECTIONS
            if isinstance(section := getattr(snapshot, name), Seen)
        ),
        unread=tuple(
            MissingSection(s.name, s.unread.why.value, s.unread.reason, s.unread.permission) for s in unread_sections(snapshot)
        ),
    )


def render(found: Summary, form: str, width: int) -> str:
    """Return *found* in format *form*."""
    match form:
        case "json":
            return json.dumps(msgspec.to_builtins(found), indent=2) + "\n"
        case "yaml":
            import yaml

            return yaml.safe_dump(msgspec.to_builtins(found), sort_keys=False, width=120)
        case "markdown":
            return _markdown(found)
        case _:
            return _text(found, width)


def age_in_words(seconds: int) -> str:
    """Return ``3 days old``."""
    for size, name in _AGES:
        if seconds >= size:
            number = seconds // size
            return f"{number} {name}{'' if number == 1 else 's'} old"
    return "less than a minute old"


def _count(value: Any) -> int:
    if value is None:
        return 0
    return len(value) if isinstance(value, tuple) else 1


def _text(found: Summary, width: int) -> str:
    facts = {"taken": f"{found.taken_at}, {age_in_words(found.age)}", "from": found.source}
    facts |= {name: visible(value) for name, value in found.target.items() if value != found.title}
    broad = max(len(name) for name in facts)
    lines = [visible(found.title), *(f"  {name.ljust(broad)}  {value}" for name, value in facts.items())]
    broad = max((len(s.name) for s in found.seen), default=0)
    lines += ["", f"read ({len(found.seen)} sections):"]
    lines += [f"  {s.name.ljust(broad)}  {s.count:>8,}{'' if s.complete else '  (perhaps not all)'}" for s in found.seen]
    if found.unread:
        lines += ["", f"not read ({len(found.unread)} sections):"]
        for reason, names in _by_reason(found).items():
            lines += textwrap.wrap(f"{visible(reason)}:", width, initial_indent="  ", subsequent_indent="  ")
            lines += textwrap.wrap(visible(", ".join(names)), width, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines) + "\n"


def _markdown(found: Summary) -> str:
    lines = [f"## {escaped(found.title)}", "", f"Taken {found.taken_at} ({age_in_words(found.age)}), {found.source}.", ""]
    lines += ["| section | objects |", "|---|---:|"]
    lines += [f"| `{s.name}` | {s.count:,}{'' if s.complete else ' (perhaps not all)'} |" for s in found.seen]
    if found.unread:
        lines += ["", "| not read | why |", "|---|---|"]
        lines += [f"| {', '.join(f'`{n}`' for n in names)} | {escaped(why)} |" for why, names in _by_reason(found).items()]
    return "\n".join(lines) + "\n"


def _by_reason(found: Summary) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    # What nobody asked for is no news, and comes last.
    for section in sorted(found.unread, key=lambda s: s.why == Why.NOT_ASKED.value):
        words = f"{section.reason} (needs {section.permission})" if section.permission not in section.reason else section.reason
        reasons.setdefault(words, []).append(section.name)
    return reasons
