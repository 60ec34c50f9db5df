"""What a replay of flows comes to: who would be denied what, by which rule, and what to add."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from eksnetpol.model.flows import FileReport, Observed, Settled
from eksnetpol.policy.answers import Addresses, Engine, Party, Pods, ServiceAddress
from eksnetpol.policy.flow_groups import Group
from eksnetpol.policy.flow_places import Kind, Place
from eksnetpol.policy.flow_verdicts import Verdict
from eksnetpol.policy.flows import Ledger
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.suggest import Suggesting, Suggestion

Name = tuple[str, str]
"""Namespace and name of a policy."""

SUGGESTED = 1000
"""Denied groups for which a policy is worked out, those with the most flows first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One group of flows, the suggestions that would allow it, and what else is to be known."""

    group: Group
    suggestions: tuple[Suggestion, ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Who sent, in words."""
        return _titled(self.group.source, self.group.from_addresses.blocks())

    @property
    def destination(self) -> str:
        """Who took, in words."""
        return _titled(self.group.destination, self.group.to_addresses.blocks())

    @property
    def would_break(self) -> bool:
        """True when something that was let through would be denied."""
        return self.group.verdict is Verdict.DENIED and self.group.observed is Observed.ACCEPTED


@dataclass(frozen=True)
class FlowReport:
    """A whole replay. ``rows`` that would break come first, then by verdict, each by how many flows there were.

    ``aside`` counts records that say nothing of policies, by why; ``unasked`` those between others than pods; ``settled`` how it
    was settled which side is the server.
    """

    rows: tuple[Row, ...]
    files: tuple[FileReport, ...]
    profile: Profile
    unasked: int = 0
    aside: Mapping[str, int] = field(default_factory=dict)
    settled: Mapping[Settled, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    names: frozenset[Name] = frozenset()
    """Names of the policies there are: what is to be added takes none of them."""

    def of(self, verdict: Verdict, *observed: Observed) -> tuple[Row, ...]:
        """Return the rows with a verdict that were observed so."""
        return tuple(r for r in self.rows if r.group.verdict is verdict and r.group.observed in observed)

    @property
    def breaking(self) -> tuple[Row, ...]:
        """The rows that were let through and would be denied."""
        return tuple(r for r in self.rows if r.would_break)

    @property
    def lines(self) -> int:
        """Lines of all files."""
        return sum(f.lines for f in self.files)

    @property
    def malformed(self) -> int:
        """Lines that could not be read."""
        return sum(f.malformed for f in self.files)

    @property
    def policies(self) -> tuple[Suggestion, ...]:
        """All that is to be added for what would break, rules for the same pods in one policy."""
        return tuple(merged((s for row in self.breaking for s in row.suggestions), self.names))


def report(ledger: Ledger, files: Iterable[FileReport]) -> FlowReport:
    """Return what *ledger* has taken from *files*."""
    engine = ledger.places.engine
    suggesting = Suggesting(engine)
    names = frozenset((p.namespace, p.name) for p in engine.world.network_policies)
    groups = sorted((g for g in ledger.groups if g.flows), key=_rank)
    rows: list[Row] = []
    settled: Counter[Settled] = Counter()
    for group in groups:
        for how, count in group.settled():
            settled[how] += count
        found: tuple[Suggestion, ...] = ()
        if group.verdict is Verdict.DENIED and group.observed is Observed.ACCEPTED and len(rows) < SUGGESTED:
            found = tuple(merged(_suggestions(suggesting, group), names))
        rows.append(Row(group, found, tuple(_cautions(engine, ledger, group))))
    return FlowReport(
        rows=tuple(rows),
        files=tuple(files),
        profile=engine.profile,
        unasked=sum(g.flows for g in ledger.groups.unasked.values()),
        aside={why: count for why, count in ledger.aside.items() if count},
        settled=settled,
        notes=tuple(_notes(ledger, rows)),
        names=names,
    )


def _rank(group: Group) -> tuple[Any, ...]:
    order = list(Verdict).index(group.verdict)
    breaks = group.verdict is Verdict.DENIED and group.observed is Observed.ACCEPTED
    return (not breaks, order, group.observed.value, -group.flows, group.source.title, group.destination.title, group.number)


def _notes(ledger: Ledger, rows: list[Row]) -> Iterator[str]:
    yield from ledger.groups.bounded
    if ledger.places.is_empty:
        yield "no pod has a known address, so only flows that name pods could be told; give a snapshot or a cluster, not files"
    left_out = sum(r.would_break for r in rows[SUGGESTED:])
    if left_out:
        yield f"for {left_out:,} more groups that would be denied no policy was worked out"


def _titled(place: Place, blocks: tuple[str, ...]) -> str:
    if place.kind not in {Kind.OUTSIDE, Kind.NODE} or not blocks or place.address == place.key:
        return place.title
    return f"{place.title} ({', '.join(b.removesuffix('/32').removesuffix('/128') for b in blocks)})"


# --- what to add ------------------------------------------------------------------------------------------------------


def _suggestions(suggesting: Suggesting, group: Group) -> Iterator[Suggestion]:
    number = group.number
    destinations = _parties(group.destination, group.destinations, group.to_addresses.blocks())
    if group.asked is not None and isinstance(group.asked[0].party, ServiceAddress):
        destinations, number = [group.asked[0].party], group.asked[1]
    if not number and not group.protocol.startswith("ICMP"):
        return
    for source in _parties(group.source, group.sources, group.from_addresses.blocks()):
        for destination in destinations:
            yield from suggesting.allowing(source, destination, group.protocol, number)


def _parties(place: Place, classes: int, blocks: tuple[str, ...]) -> list[Party]:
    if place.kind is Kind.POD:
        return [Pods(classes, place.title)]
    if place.kind is Kind.SERVICE:
        return [place.party]
    return [Addresses(block, block) for block in blocks]


def merged(suggestions: Iterable[Suggestion], names: Iterable[Name] = ()) -> Iterator[Suggestion]:
    """Yield *suggestions* with those for the same pods and direction in one policy, and equal rules in it once.

    No two have one name, and none has one of *names*.
    """
    together: dict[str, Suggestion] = {}
    for suggestion in suggestions:
        if not suggestion.policy:
            together.setdefault(suggestion.words, suggestion)
            continue
        spec, meta = suggestion.policy["spec"], suggestion.policy["metadata"]
        key = f"{suggestion.direction} {meta['namespace']} {spec['podSelector']}"
        known = together.get(key)
        together[key] = suggestion if known is None else _joined(known, suggestion)
    taken = set(names)
    for suggestion in together.values():
        if suggestion.policy:
            meta = suggestion.policy["metadata"]
            name, number = meta["name"], 2
            while (meta["namespace"], name) in taken:
                name, number = f"{meta['name']}-{number}", number + 1
            taken.add((meta["namespace"], name))
            yield replace(suggestion, policy={**suggestion.policy, "metadata": {**meta, "name": name}})
        else:
            yield suggestion


def _joined(one: Suggestion, other: Suggestion) -> Suggestion:
    """Return one policy that has the rules of both: peers of rules with equal ports in one rule."""
    word = "to" if one.direction is Direction.EGRESS else "from"
    section = one.direction.lower()
    rules = [dict(rule) for rule in one.policy["spec"][section]]
    for rule in other.policy["spec"][section]:
        same = next((r for r in rules if r.get("ports") == rule.get("ports")), None)
        if same is None:
            alike = next((r for r in rules if r[word] == rule[word] and "ports" in r and "ports" in rule), None)
            if alike is None:
                rules.append(dict(rule))
            else:
                alike["ports"] = [*alike["ports"], *(p for p in rule["ports"] if p not in alike["ports"])]
        else:
            same[word] = [*same[word], *(p for p in rule[word] if p not in same[word])]
    policy = {**one.policy, "spec": {**one.policy["spec"], section: rules}}
    if rules != one.policy["spec"][section]:
        title = _allowing(one)
        policy["metadata"] = {**one.policy["metadata"], "name": title}
    words = one.words if other.words in one.words.split("\n") else f"{one.words}\n{other.words}"
    return replace(one, policy=policy, words=words)


def _allowing(suggestion: Suggestion) -> str:
    """Return a name for a policy that allows several things: that of its first, without the rest of it."""
    word = "to" if suggestion.direction is Direction.EGRESS else "from"
    name = str(suggestion.policy["metadata"]["name"])
    head, found, _ = name.partition(f"-{word}-")
    return f"{head}-{word}-observed" if found else name


# --- what else is to be known -----------------------------------------------------------------------------------------


def _cautions(engine: Engine, ledger: Ledger, group: Group) -> Iterator[str]:
    """Yield what the verdict depends on: that a client may have gone by a Service, whose address is judged on the way out."""
    ours = engine.profile.semantics is Semantics.VPC_CNI and group.asked is None
    if not ours or group.source.kind is not Kind.POD or group.destination.pod is None or not group.number:
        return
    if not group.sources & engine.isolated(Direction.EGRESS):
        return
    out = next((s for s in group.judgement.sides if s.direction is Direction.EGRESS), None)
    if out is None:
        return
    verdicts: dict[str, bool] = {}
    for service in ledger.places.selecting.services_of([group.destination.pod]):
        for offer in service.spec.ports:
            leads = isinstance(offer.target_port, str) or (offer.target_port or offer.port) == group.number
            if offer.protocol != group.protocol or not leads:
                continue
            title = f"{service.namespace}/{service.name}"
            party = ServiceAddress(service, title)
            decision = engine.decide(Pods(group.sources, group.source.title), party, group.protocol, offer.port)
            way_out = [s.allowed for s in decision.sides if s.direction is Direction.EGRESS]
            verdicts[title] = verdicts.get(title, False) or all(way_out)
    names = ", ".join(verdicts)
    if out.allowed and verdicts and not any(verdicts.values()):
        yield f"the pods' own addresses are open to it, that of Service {names} is not: a client that goes by it would be denied"
    if not out.allowed and any(verdicts.values()):
        opened = ", ".join(name for name, is_open in verdicts.items() if is_open)
        yield f"the address of Service {opened} is open to it: a client that goes by it would not be denied on its way out"
