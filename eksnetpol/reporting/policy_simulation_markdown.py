"""A simulation as Markdown, for a comment on a change."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.policy.needs import Verdict
from eksnetpol.policy.outlook import Simulation
from eksnetpol.reporting import escape
from eksnetpol.reporting import policy_simulation as view
from eksnetpol.reporting.escape import markdown as md


def markdown(done: Simulation, *, verbose: bool) -> str:
    """Return *done* as Markdown."""
    lines = [f"## {md(view.headline(done))}", "", md(view.circumstances(done)), "", "| | |", "|---|---|"]
    lines += [f"| {md(name)} | {md(words)} |" for name, words in view.summary(done)]
    lines += _needs(done, verbose=verbose)
    for place in view.places(done, everything=verbose):
        lines += ["", f"### {md(place.namespace)}", ""]
        lines += [f"- default deny: {md(words)}" for words in place.default_deny]
        lines += [line for story in place.stories for line in _story(story, verbose=verbose)]
    lines += _listed("Under strict mode", view.strict(done))
    lines += _listed("Selected in vain", view.beyond(done))
    lines += _listed("Notes", iter([*done.notes, *view.unread(done)]))
    if done.remedies:
        lines += ["", f"### To add: {view.plural(len(done.remedies), 'policy')}", ""]
        lines.append(escape.markdown_block(view.manifests(done), "yaml"))
    return "\n".join(lines) + "\n"


def _needs(done: Simulation, *, verbose: bool) -> Iterator[str]:
    lost = view.lost(done)
    doubtful = [f for f in done.flows if f not in lost and f.classes(Verdict.UNKNOWN)]
    if lost or doubtful:
        yield from ("", "| need | verdict | who | why |", "|---|---|---|---|")
    for flow in (*lost, *doubtful):
        for part in flow.parts:
            if part.verdict is not Verdict.KEEPS:
                who = f"{view.pods_of(done, part.classes)}: {view.workload_names(done, part.classes, everything=verbose)}"
                yield f"| {md(flow.title)} | {part.verdict.value} | {md(who)} | {md(part.reason)} |"


def _story(story: view.Story, *, verbose: bool) -> Iterator[str]:
    names = view.listed((f"{w.kind}/{w.name}" for w in story.workloads), everything=verbose)
    yield f"- {md(names)} ({view.plural(story.pods, 'pod')})"
    yield from (f"  - {md(row)}" for row in story.rows)
    for fate in story.fates:
        if fate.verdict is not Verdict.KEEPS or verbose:
            yield f"  - {fate.verdict.value} {md(fate.title)}: {md(fate.reason)}"


def _listed(title: str, words: Iterator[str]) -> Iterator[str]:
    found = list(words)
    if found:
        yield from ("", f"### {title}", "")
        yield from (f"- {md(line)}" for line in found)
