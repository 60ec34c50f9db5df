"""What two states let through differently: text, JSON, Markdown for a pull request, and JUnit XML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from eksnetpol.policy.answers import Answer
from eksnetpol.policy.cells import Place, Places
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.difference import Change, Changed, Difference
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.universe import set_of
from eksnetpol.reporting import policy_words as words
from eksnetpol.reporting.escape import encodable, markdown, markdown_code, xml, xml_attribute
from eksnetpol.reporting.matrix_json import changed
from eksnetpol.reporting.matrix_view import MatrixPage, in_words
from eksnetpol.reporting.view import plural

_ROWS = 200
"""Rows of a Markdown table: a comment on GitHub takes 65,536 characters."""
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Group:
    """Sources for which the same happened to one destination."""

    destination: Place
    sources: Places
    example: Changed

    @property
    def gained(self) -> Connections:
        """What may flow after and not before."""
        return self.example.gained

    @property
    def lost(self) -> Connections:
        """What may flow before and not after."""
        return self.example.lost


@dataclass(frozen=True)
class DiffPage:
    """A difference, what its two sides are called, and their meanings. ``fail_on`` is what fails a pipeline."""

    found: Difference
    names: tuple[str, str]
    profiles: tuple[Profile, Profile]
    fail_on: str = "never"
    notes: tuple[str, ...] = ()

    @property
    def is_failure(self) -> bool:
        """True when it is what ``fail_on`` is about."""
        found = self.found
        return {
            "widened": found.widened,
            "narrowed": found.narrowed,
            "any": bool(found.changes or found.only_before or found.only_after),
        }.get(self.fail_on, False)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The changes, sources for which the same happened together."""
        number = {p.title: i for i, p in enumerate(self.found.after.places)}
        found: dict[tuple[str, Answer, Answer], list[Changed]] = {}
        for change in self.found.changes:
            found.setdefault((change.destination.title, change.before, change.after), []).append(change)
        return tuple(
            Group(mine[0].destination, set_of(number[c.source.title] for c in mine), mine[0]) for mine in found.values()
        )

    @cached_property
    def matrix(self) -> MatrixPage:
        """The state after, which knows what to call sets of places."""
        return MatrixPage(self.found.after, self.profiles[1])

    @property
    def sentence(self) -> str:
        """Everything in one line."""
        found = self.found
        if not found.changes:
            return "no connection changes"
        parts = [f"{plural(count, 'pair')} {kind}" for kind, count in found.counts.items() if count]
        how = {(True, False): "widened", (False, True): "narrowed", (True, True): "widened and narrowed"}
        return f"{how[found.widened, found.narrowed]}: {', '.join(parts)}"


def text(page: DiffPage, width: int, *, color: bool, verbose: bool) -> str:
    """Return *page* for a terminal of *width* columns; ASCII alone without *color*."""
    return words.lines(_parts(page, verbose=verbose), width, ascii_only=not color)


def _parts(page: DiffPage, *, verbose: bool) -> Iterator[tuple[int, str]]:
    yield 0, f"{page.names[0]} to {page.names[1]}: {page.sentence}"
    left = len(page.groups) if verbose else _SHOWN
    for kind in Change:
        mine = [g for g in page.groups if g.example.change is kind]
        if mine:
            yield 0, ""
            yield 0, kind.value
        for group in mine[:left]:
            yield 2, f"{page.matrix.who(group.sources, everybody=verbose)} to {group.destination.title}"
            yield 4, _what(group)
        if len(mine) > left:
            yield 2, f"and {len(mine) - left:,} more; -v shows all"
        left = max(0, left - len(mine))
    yield from _only(page, verbose=verbose)
    for note in page.notes:
        yield 0, f"note: {note}"


def _what(group: Group) -> str:
    change = group.example
    match change.change:
        case Change.ADDED:
            return f"now {in_words(change.after)}"
        case Change.REMOVED:
            return f"no longer {in_words(change.before)}"
        case _ if change.before.every.is_everything or change.after.every.is_everything:
            return f"was {in_words(change.before)}, is {in_words(change.after)}"
        case _:
            parts = [f"{word} {part}" for word, part in (("gains", group.gained), ("loses", group.lost)) if part]
            return f"{', '.join(parts)} (was {in_words(change.before)}, is {in_words(change.after)})"


def _only(page: DiffPage, *, verbose: bool) -> Iterator[tuple[int, str]]:
    for name, places in ((page.names[0], page.found.only_before), (page.names[1], page.found.only_after)):
        if places:
            shown = [p.title for p in places][: None if verbose else 10]
            more = f" and {len(places) - len(shown)} more" if len(shown) < len(places) else ""
            yield 0, ""
            yield 0, f"only in {name}, and not compared: {', '.join(shown)}{more}"


# --- documents --------------------------------------------------------------------------------------------------------


def json(page: DiffPage) -> str:
    """Return *page* as JSON."""
    found = page.found
    sides = zip(("before", "after"), page.names, page.profiles, (found.only_before, found.only_after), strict=True)
    return words.dumped(
        {
            **{
                key: {"name": encodable(name), **words.profile_document(profile), "only": [encodable(p.title) for p in only]}
                for key, name, profile, only in sides
            },
            "widened": found.widened,
            "narrowed": found.narrowed,
            "counts": {kind.value: count for kind, count in found.counts.items()},
            "failed": page.is_failure,
            "notes": [encodable(n) for n in page.notes],
            "changes": [changed(c) for c in found.changes],
        }
    )


def in_markdown(page: DiffPage) -> str:
    """Return *page* as Markdown that fits a comment on a pull request."""
    mark = "**fails** " if page.is_failure else ""
    lines = [
        f"### Network policy: {mark}{markdown(page.sentence)}",
        "",
        f"{markdown_code(page.names[0])} to {markdown_code(page.names[1])}, as {page.profiles[1].semantics} enforces it.",
    ]
    if page.groups:
        lines += ["", "| change | from | to | before | after |", "|---|---|---|---|---|"]
        lines += [_row(page, group) for group in page.groups[:_ROWS]]
    if len(page.groups) > _ROWS:
        lines += ["", f"{len(page.groups) - _ROWS:,} more rows are left out; `-o json` has all."]
    for name, places in ((page.names[0], page.found.only_before), (page.names[1], page.found.only_after)):
        if places:
            listed = ", ".join(markdown_code(p.title) for p in places[:20])
            more = f" and {len(places) - 20} more" if len(places) > 20 else ""  # noqa: PLR2004 - as above
            lines += ["", f"Only in {markdown_code(name)}, and not compared: {listed}{more}"]
    lines += ["", *(f"- {markdown(note)}" for note in page.notes)] if page.notes else []
    return "\n".join(lines) + "\n"


def _row(page: DiffPage, group: Group) -> str:
    change = group.example
    cells = (
        change.change.value,
        markdown(page.matrix.who(group.sources, everybody=False)),
        markdown_code(group.destination.title, cell=True),
        markdown(in_words(change.before)) if change.before.some else "nothing",
        markdown(in_words(change.after)) if change.after.some else "nothing",
    )
    return f"| {' | '.join(cells)} |"


def junit(page: DiffPage) -> str:
    """Return *page* as JUnit XML: a case for each change, failed where ``fail_on`` is about it."""
    cases: list[str] = []
    failures = 0
    for group in page.groups:
        name = f"{page.matrix.who(group.sources, everybody=False)} to {group.destination.title}"
        opening = f'    <testcase classname="eksnetpol.policy.diff" name="{xml_attribute(name)}" time="0"'
        if _fails(page, group):
            failures += 1
            kind = group.example.change.value
            body = "\n".join(f"{c} {g}" for c, g in (("gains", group.gained), ("loses", group.lost)) if g)
            message = f'message="{xml_attribute(_what(group))}"'
            cases += [f"{opening}>", f'      <failure type="{kind}" {message}>{xml(body)}</failure>', "    </testcase>"]
        else:
            cases.append(f"{opening}/>")
    if not cases:
        cases.append('    <testcase classname="eksnetpol.policy.diff" name="no connection changes" time="0"/>')
    counts = f'tests="{max(1, len(page.groups))}" failures="{failures}" errors="0" skipped="0" time="0"'
    head = f'<testsuites name="eksnetpol policy diff" {counts}>'
    suite = f'  <testsuite name="{xml_attribute(f"{page.names[0]} to {page.names[1]}")}" {counts}>'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, suite, *cases, "  </testsuite>", "</testsuites>"]) + "\n"


def _fails(page: DiffPage, group: Group) -> bool:
    match page.fail_on:
        case "widened":
            return bool(group.gained)
        case "narrowed":
            return bool(group.lost)
        case "any":
            return True
        case _:
            return False


