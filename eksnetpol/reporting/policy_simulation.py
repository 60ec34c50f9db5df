"""What a simulation says, in the order in which people want to know it; text and Markdown are made of it.

Workloads of a namespace with the same story are told once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import yaml

from eksnetpol.model.findings import Subject
from eksnetpol.policy.answers import Workload
from eksnetpol.policy.dormant import Row, workloads_of
from eksnetpol.policy.needs import Flow, Kind, Part, Verdict
from eksnetpol.policy.outlook import Enforcing, Simulation
from eksnetpol.policy.profile import Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, indexes_of

_MANY = frozenset({Kind.WEBHOOK, Kind.AGGREGATED_API, Kind.LOAD_BALANCER, Kind.NODE_PORT})
"""Kinds of which there is a flow for each Service."""

NAMED = 6
"""So many names stand in one line; -v and JSON have all."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one need of a workload: verdict, need, reason, and of how many of its pods, where not of all."""

    verdict: Verdict
    title: str
    reason: str
    pods: int | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """Workloads to which the same happens. A direction without row stays open; ``closed`` is what strict mode does."""

    workloads: tuple[Workload, ...]
    pods: int
    rows: tuple[str, ...]
    fates: tuple[Fate, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace: the policies in it that isolate without allowing anything, and the stories of its workloads."""

    namespace: str
    default_deny: tuple[str, ...]
    stories: tuple[Story, ...]


def plural(number: int, noun: str) -> str:
    """Return ``1 pod``, ``2 pods``; of ``policy``, ``policies``."""
    if number != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun}"


def listed(names: Iterable[str], *, everything: bool = False) -> str:
    """Return names in one line, and how many are left out."""
    some = list(dict.fromkeys(names))
    more = 0 if everything else len(some) - NAMED
    return ", ".join(some if more <= 0 else [*some[:NAMED], f"and {more} more"])


def pods_of(done: Simulation, classes: Classes) -> str:
    """Return ``3 pods of 2 workloads``."""
    workloads = len(workloads_of(done.dormancy.engine, classes))
    return f"{plural(done.dormancy.pods(classes), 'pod')} of {plural(workloads, 'workload')}"


def lost(done: Simulation) -> list[Flow]:
    """Return the flows that something is lost of: names first, and what not every pod needs last."""
    found = [f for f in done.flows if f.classes(Verdict.LOSES, Verdict.PARTLY)]
    order = list(Kind)
    return sorted(found, key=lambda f: (not f.is_sure, order.index(f.kind)))


def headline(done: Simulation) -> str:
    """Return the answer in one sentence."""
    found = done.dormancy
    verb = ("is", "are") if done.enforcing is Enforcing.ON else ("becomes", "become")
    closed = found.either | (found.uncovered if done.is_strict else 0)
    many = found.pods(closed)
    who = f"{pods_of(done, closed)} {verb[many != 1]} isolated" if closed else f"nobody {verb[0]} isolated"
    flows = lost(done)
    if flows:
        needs: dict[str, int] = {}
        for flow in flows:
            name = flow.kind.value.replace("-", " ") if flow.kind in _MANY else flow.title
            needs[name] = needs.get(name, 0) | flow.classes(Verdict.LOSES, Verdict.PARTLY)
        said = listed(f"{name} ({plural(found.pods(classes), 'pod')})" for name, classes in needs.items())
        return f"LOST: {said}; {who}"
    if done.is_undetermined:
        return f"UNDETERMINED: {who}; nothing is known to be lost, and not everything could be told"
    return f"KEPT: {who}, and nothing essential is lost"


def circumstances(done: Simulation) -> str:
    """Return under which assumptions this was worked out."""
    profile = done.profile
    on = {
        Enforcing.ON: "enforcement is on already",
        Enforcing.OFF: "enforcement is off today",
        Enforcing.UNKNOWN: "whether enforcement is on is not known",
    }[done.enforcing]
    if profile.semantics is Semantics.KUBERNETES:
        return f"{done.target.title}: by Kubernetes semantics, {profile.family}; {on}"
    releases = f"agent {profile.agent}, controller {profile.controller}"
    return f"{done.target.title}: {profile.mode} mode, {releases}, {profile.family}; {on}"


def summary(done: Simulation) -> Iterator[tuple[str, str]]:
    """Yield the rows of the summary: what, and how many."""
    found = done.dormancy
    total = plural(found.pods(found.counted), "pod")
    for direction in Direction:
        isolated, denied = found.isolated[direction], found.denied[direction]
        word = direction.lower()
        nothing = f" ({found.pods(denied):,} allowed nothing)" if denied else ""
        rest = found.pods(found.open(direction))
        yield f"isolated in {word}", f"{found.pods(isolated):,} of {total}{nothing}; {rest:,} stay open"
    if found.beyond:
        counts: dict[str, int] = {}
        for one in found.beyond:
            counts[one.why] = counts.get(one.why, 0) + one.pods
        yield "selected in vain", ", ".join(f"{plural(n, 'pod')} on {_where(why)}" for why, n in counts.items())
    if done.profile.semantics is Semantics.VPC_CNI:
        verb = "closes" if done.is_strict else "would close"
        uncovered = plural(found.pods(found.uncovered), "pod")
        one_sided = plural(found.pods(found.one_sided), "pod")
        yield "strict mode", f"{verb} {uncovered} that no policy holds for; {one_sided} with policies for one direction only"
    if found.cluster_wide:
        names = listed(f"{subject} ({plural(rules, 'deny rule')})" for subject, rules in found.cluster_wide)
        yield "cluster-wide", f"in force as well: {names}"


def strict(done: Simulation) -> Iterator[str]:
    """Yield what strict mode does beyond policies, kube-system first."""
    found = done.dormancy
    if not done.is_strict:
        return
    names = sorted(workloads_of(found.engine, found.uncovered), key=lambda w: (w.namespace != "kube-system", w))
    if names:
        yield f"closed both ways, even to their own node and its probes, as no policy holds for them: {listed(map(str, names))}"
    names = sorted(workloads_of(found.engine, found.one_sided))
    if names:
        yield f"with policies for one direction, which leaves the other one open; AWS asks for both: {listed(map(str, names))}"
    init = sum(len(c.pods) for c in found.engine.atlas.universe.members(found.counted) if c.init_containers)
    begin = "every pod starts closed, until its policies are in place: a second or two after it has an address"
    yield f"{begin}; init containers of {plural(init, 'pod')} begin in that time" if init else begin


def places(done: Simulation, *, everything: bool = False) -> Iterator[Place]:
    """Yield the namespaces in which anybody is isolated or loses anything, the worst hit first."""
    rows: dict[Workload, list[str]] = {}
    for direction in Direction:
        for row in done.dormancy.rows(direction):
            rows.setdefault(row.workload, []).append(_row(row, everything=everything))
    if done.is_strict:
        for workload in workloads_of(done.dormancy.engine, done.dormancy.uncovered):
            rows.setdefault(workload, []).append("closed in both directions by strict mode: no policy holds for it")
    fates = _fates(done)
    namespaces: dict[str, dict[tuple[tuple[str, ...], tuple[Fate, ...]], list[Workload]]] = {}
    for workload in sorted({*rows, *fates}):
        key = (tuple(rows.get(workload, ())), tuple(fates.get(workload, ())))
        namespaces.setdefault(workload.namespace, {}).setdefault(key, []).append(workload)
    denying: dict[str, list[str]] = {}
    together: dict[tuple[Subject, int], list[str]] = {}
    for policy, direction, classes in done.dormancy.closing():
        together.setdefault((policy.subject, done.dormancy.pods(classes)), []).append(direction.lower())
    for (subject, pods), directions in together.items():
        words = f"{subject} closes {' and '.join(sorted(directions, reverse=True))} of {plural(pods, 'pod')}"
        denying.setdefault(subject.namespace, []).append(words)
    found = [
        Place(namespace, tuple(denying.get(namespace, ())), tuple(_stories(done, groups)))
        for namespace, groups in namespaces.items()
    ]
    yield from sorted(found, key=lambda p: (min((_rank(s) for s in p.stories), default=9), p.namespace))


def _stories(done: Simulation, groups: dict[tuple[tuple[str, ...], tuple[Fate, ...]], list[Workload]]) -> Iterator[Story]:
    workloads, counted = done.dormancy.engine.atlas.workloads, done.dormancy.counted
    found = [
        Story(tuple(members), sum(done.dormancy.pods(workloads[w] & counted) for w in members), rows, fates)
        for (rows, fates), members in groups.items()
    ]
    yield from sorted(found, key=lambda s: (_rank(s), s.workloads))


def _rank(story: Story) -> int:
    order = list(Verdict)
    worst = min((order.index(f.verdict) for f in story.fates), default=len(order))
    # What nothing is allowed comes before what is only narrowed.
    return 2 * worst + (not any("allowed nothing" in row for row in story.rows))


def _row(row: Row, *, everything: bool) -> str:
    which = "" if row.isolated == row.pods else f" ({row.isolated} of {plural(row.pods, 'pod')})"
    how = "allowed nothing" if row.denied == row.isolated else "only what rules allow"
    if 0 < row.denied < row.isolated:
        how = f"only what rules allow, {plural(row.denied, 'pod')} allowed nothing"
    by = listed((_short(s) for s in row.policies), everything=everything)
    by = by or "policies of other pods, whose names the agent cannot tell from theirs"
    return f"{row.direction.lower()} isolated{which}, {how}: {by}"


def _short(subject: Subject) -> str:
    return subject.name if subject.kind == "NetworkPolicy" else f"{subject.kind.lower()}/{subject.name}"


def _fates(done: Simulation) -> dict[Workload, list[Fate]]:
    atlas, pods = done.dormancy.engine.atlas, done.dormancy.pods
    found: dict[Workload, list[Fate]] = {}
    size: dict[Workload, int] = {}
    for flow in done.flows:
        for part in flow.parts:
            for workload, classes in workloads_of(done.dormancy.engine, part.classes).items():
                if workload not in size:
                    size[workload] = pods(atlas.workloads[workload] & done.dormancy.counted)
                affected = pods(classes)
                fate = Fate(part.verdict, flow.title, _reason(flow, part), None if affected == size[workload] else affected)
                found.setdefault(workload, []).append(fate)
    order = list(Verdict)
    for fates in found.values():
        fates.sort(key=lambda f: order.index(f.verdict))
    return found


def _reason(flow: Flow, part: Part) -> str:
    return part.reason if flow.is_sure or part.verdict is Verdict.KEEPS else f"{part.reason}; not every pod needs it"


def beyond(done: Simulation) -> Iterator[str]:
    """Yield a line for each workload that policies select in vain."""
    for one in done.dormancy.beyond:
        names = listed(_short(s) for s in one.policies)
        yield f"{one.workload}: {plural(one.pods, 'pod')} on {_where(one.why)}, selected by {names}"


def _where(why: str) -> str:
    if why == "hostNetwork":
        return "the host network"
    return f"{why.capitalize() if why != 'hybrid' else why} nodes"


def manifests(done: Simulation) -> str:
    """Return the policies to add, as YAML documents that ``kubectl apply -f`` takes."""
    if not done.remedies:
        return "# nothing to add\n"
    parts = []
    for remedy in done.remedies:
        notes = [remedy.words, *([remedy.caution] if remedy.caution else [])]
        head = "".join(f"# {note}\n" for note in notes)
        parts.append(head + yaml.safe_dump(dict(remedy.policy), sort_keys=False, default_flow_style=False))
    return "---\n".join(parts)


def unread(done: Simulation) -> Iterator[str]:
    """Yield what could not be read."""
    for section in done.unread:
        yield f"not read: {section.name.replace('_', ' ')}: {section.unread.reason}"


def workload_names(done: Simulation, classes: Classes, *, everything: bool = False) -> str:
    """Return the names of the workloads of *classes*."""
    atlas = done.dormancy.engine.atlas
    return listed((str(atlas.workload_of[i]) for i in indexes_of(classes)), everything=everything)
