"""An assessment as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.facts.engine_details import Details
from eksnetpol.reporting import migration_json
from eksnetpol.reporting.escape import markdown as md
from eksnetpol.reporting.policy_words import dumped, lines
from eksnetpol.reporting.view import plural
from eksnetpol.reporting.yaml import dumped as dumped_yaml
from eksnetpol.translation.assessment import Assessment, Outlook

_SENTENCES = {
    Outlook.MOVABLE: "can be moved to the VPC CNI's own network policy",
    Outlook.WAIVERS: "can be moved once what goes with the engine is waived by name",
    Outlook.REFUSED: "is not to be moved as it is",
    Outlook.NOTHING: "has no other policy engine",
    Outlook.UNKNOWN: "could not be assessed",
}


def render(found: Assessment, form: str, width: int, *, color: bool = False) -> str:
    """Return *found* as text, markdown, json or yaml."""
    match form:
        case "json":
            return dumped(migration_json.assessment(found))
        case "yaml":
            return dumped_yaml(migration_json.assessment(found))
        case "markdown":
            return _markdown(found)
        case _:
            return lines(_text(found), width, ascii_only=not color)


def headline(found: Assessment) -> str:
    """Return the answer in one sentence."""
    name = found.target.title if found.target.title != "manifests" else "the cluster of these files"
    return f"{found.outlook.value.upper()}: {name} {_SENTENCES[found.outlook]}"


def _engine_words(one: Details) -> Iterator[str]:
    release = f" {one.release}" if one.release else ""
    plane = f", {one.data_plane}" if one.data_plane else ""
    yield f"{one.presence.title}{release}: {one.presence.life.value}, {one.presence.mode.value}{plane}"
    yield from one.presence.evidence
    owned = [plural(one.definitions, "definition")] if one.definitions else []
    owned += [f"{k.count} {k.plural}.{k.group}" for k in one.kinds]
    owned += [f"{what} {', '.join(names)}" for what, names in _owned(one) if names]
    if owned:
        yield f"its own: {'; '.join(owned)}"
    if one.owners:
        yield f"kept as it is by {', '.join(one.owners)}"


def _owned(one: Details) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "namespaces", one.namespaces
    yield "webhooks", one.webhooks
    yield "APIServices", one.api_services


def _lists(found: Assessment) -> Iterator[tuple[str, list[str]]]:
    yield "Why not", list(found.refusals)
    yield "What is not known", [f"{gap.section}: {gap.reason}" for gap in found.gaps]
    taken = {one.what: one.words for one in found.accepted}
    yield "What goes with the engine, to be waived by name", [f"{n}: {w}" for n, w in found.waivers if n not in taken]
    yield "What goes with the engine, and was taken on", [f"{n}: {w}; {taken[n]}" for n, w in found.waivers if n in taken]
    yield "Policies", [f"{count} {kind}" for kind, count in found.policies if count]
    yield "Nodes that keep the engine's rules until they are replaced", [f"{g}: {plural(n, 'node')}" for g, n in found.recycled]
    yield "Notes", list(found.notes)


def _text(found: Assessment) -> Iterator[tuple[int, str]]:
    yield 0, f"{headline(found)}."
    if found.engines:
        yield from ((0, ""), (0, "Engines"))
    for one in found.engines:
        first, *rest = _engine_words(one)
        yield 2, first
        yield from ((4, line) for line in rest)
    for title, words in _lists(found):
        if words:
            yield from ((0, ""), (0, title))
            yield from ((2, line) for line in words)


def _markdown(found: Assessment) -> str:
    parts = [f"## {md(headline(found))}"]
    for one in found.engines:
        first, *rest = _engine_words(one)
        parts += ["", f"### {md(first)}", "", *(f"- {md(line)}" for line in rest)]
    for title, words in _lists(found):
        if words:
            parts += ["", f"### {md(title)}", "", *(f"- {md(line)}" for line in words)]
    return "\n".join(parts) + "\n"
