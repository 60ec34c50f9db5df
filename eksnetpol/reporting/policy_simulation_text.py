"""A simulation for the terminal: the answer first, then what is lost, then namespace by namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eksnetpol.policy.needs import Verdict
from eksnetpol.policy.outlook import Simulation
from eksnetpol.reporting import escape
from eksnetpol.reporting import policy_simulation as view
from eksnetpol.reporting.policy_words import lines

_SHOWN = 3
"""So many policies stand on the page; more are wanted in a file."""

_STORIES, _FEW_STORIES, _NAMESPACES = 12, 3, 10
"""So many stories of one namespace are told without -v, and so few where there are many namespaces."""

_SIGNS = {Verdict.LOSES: "x loses", Verdict.PARTLY: "x loses part of", Verdict.UNKNOWN: "? unknown:", Verdict.KEEPS: "+ keeps"}


def text(done: Simulation, width: int, *, color: bool, verbose: bool) -> str:
    """Return *done* for the terminal, in lines of at most *width* columns."""
    body = lines(_text(done, verbose=verbose), width, ascii_only=not color)
    if done.remedies and len(done.remedies) <= _SHOWN:
        body += "".join(f"  {line}\n" for line in escape.visible(view.manifests(done), keep="\n").splitlines())
    return body


def _text(done: Simulation, *, verbose: bool) -> Iterator[tuple[int, str]]:
    yield 0, f"{view.headline(done)}."
    yield 0, view.circumstances(done)
    yield 0, ""
    rows = list(view.summary(done))
    broad = max(len(name) for name, _ in rows)
    for name, words in rows:
        yield 2, f"{name.ljust(broad)}  {words}"
    yield from _lost(done, verbose=verbose)
    yield from _rest(done)
    yield from _listed("Under strict mode", view.strict(done))
    yield from _places(done, verbose=verbose)
    yield from _listed("Selected in vain: policies do not hold for them", view.beyond(done))
    notes = [*done.notes, *view.unread(done)]
    yield from _listed("Notes", notes)
    yield from _added(done)


def _lost(done: Simulation, *, verbose: bool) -> Iterator[tuple[int, str]]:
    flows = view.lost(done)
    if flows:
        yield 0, ""
        yield 0, "What is lost"
    for flow in flows:
        yield 2, f"x {flow.title} ({flow.target}): {view.pods_of(done, flow.classes(Verdict.LOSES, Verdict.PARTLY))}"
        for part in flow.parts:
            if part.verdict.is_loss:
                yield 6, f"{view.workload_names(done, part.classes, everything=verbose)}: {part.reason}"


def _rest(done: Simulation) -> Iterator[tuple[int, str]]:
    for verdict, title, sign in ((Verdict.UNKNOWN, "What could not be told", "?"), (Verdict.KEEPS, "What is kept", "+")):
        found = [(f, p) for f in done.flows for p in f.parts if p.verdict is verdict]
        if found:
            yield 0, ""
            yield 0, title
        for flow, part in found:
            yield 2, f"{sign} {flow.title}, for {view.pods_of(done, part.classes)}: {part.reason}"


def _places(done: Simulation, *, verbose: bool) -> Iterator[tuple[int, str]]:
    places = list(view.places(done, everything=verbose))
    most = _STORIES if len(places) <= _NAMESPACES else _FEW_STORIES
    for place in places:
        yield 0, ""
        yield 0, f"Namespace {place.namespace}"
        for words in place.default_deny:
            yield 2, f"default deny: {words}"
        shown = place.stories if verbose else place.stories[:most]
        for story in shown:
            names = view.listed((f"{w.kind}/{w.name}" for w in story.workloads), everything=verbose)
            yield 2, f"{names} ({view.plural(story.pods, 'pod')})"
            for row in story.rows:
                yield 4, row
            for fate in story.fates:
                if fate.verdict is not Verdict.KEEPS or verbose:
                    some = "" if fate.pods is None else f" for {view.plural(fate.pods, 'pod')}"
                    yield 4, f"{_SIGNS[fate.verdict]} {fate.title}{some}: {fate.reason}"
            kept = [] if verbose else [f.title for f in story.fates if f.verdict is Verdict.KEEPS]
            if kept:
                yield 4, f"{_SIGNS[Verdict.KEEPS]} {view.listed(kept)}"
        yield from _more(place.stories[len(shown) :])


def _more(stories: tuple[view.Story, ...]) -> Iterator[tuple[int, str]]:
    losing = [s for s in stories if any(f.verdict.is_loss for f in s.fates)]
    for some, words in ((losing, "lose something as well"), ([s for s in stories if s not in losing], "lose nothing")):
        if some:
            workloads = view.plural(sum(len(s.workloads) for s in some), "workload")
            pods = view.plural(sum(s.pods for s in some), "pod")
            yield 2, f"{workloads} more ({pods}) {words}; -v and -o json name them"


def _listed(title: str, words: Iterable[str]) -> Iterator[tuple[int, str]]:
    found = list(words)
    if found:
        yield 0, ""
        yield 0, title
        for line in found:
            yield 2, line


def _added(done: Simulation) -> Iterator[tuple[int, str]]:
    if not done.remedies:
        return
    yield 0, ""
    yield 0, f"To add before enforcement goes on: {view.plural(len(done.remedies), 'policy')}"
    if len(done.remedies) <= _SHOWN:
        yield 0, ""
        return
    for remedy in done.remedies[: view.NAMED]:
        name = remedy.policy["metadata"]["name"]
        caution = f"; {remedy.caution}" if remedy.caution else ""
        yield 2, f"networkpolicy/{remedy.namespace}/{name}: {remedy.words}{caution}"
    if len(done.remedies) > view.NAMED:
        yield 2, f"and {len(done.remedies) - view.NAMED} more"
    yield 2, "-o yaml prints them all, for kubectl apply -f"
