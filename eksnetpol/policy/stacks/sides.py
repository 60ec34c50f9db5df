"""One direction between two under a stack: what its rules let through between a pod and its peer, and which had a say.

This is the question `columns` answers for all at once, asked of one pair: exact where pods share a node or a namespace, and with
the reason where nobody can know.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from eksnetpol.policy.answers import Decider, Say, Side
from eksnetpol.policy.atlas import UNKNOWN, Chart
from eksnetpol.policy.connections import EVERYTHING, NOTHING, WITH_PORTS, Connections
from eksnetpol.policy.ends import End
from eksnetpol.policy.ports import EVERY_PORT, PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks import ends
from eksnetpol.policy.stacks.algebra import atoms
from eksnetpol.policy.stacks.formulas import EndKind, Formula, Unknowable, Within
from eksnetpol.policy.stacks.resolving import NODE_TIER, UNREAD_TIER, Resolved, is_certain, spoken
from eksnetpol.policy.stacks.rules import Does, StackPolicy, StackRule, StackTier
from eksnetpol.policy.stacks.source_ports import ANY, asked_of, kinds
from eksnetpol.policy.world import World

Bounds = tuple[Connections, Connections]
"""What surely passes, and what perhaps does."""

_OPEN: Bounds = (EVERYTHING, EVERYTHING)
_SAYS = {Does.ALLOW: Say.ALLOWS, Does.DENY: Say.DENIES, Does.PASS: Say.PASSES}
_NODE_WORDS = "{peer} is the address of {subject}'s own node, which always may"


class Met(NamedTuple):
    """A rule that speaks of a pair: whether it surely does from the source ports that it asks for, and of what."""

    policy: StackPolicy
    rule: StackRule
    certain: bool
    connections: Connections

    @property
    def is_certain(self) -> bool:
        """Say whether it surely speaks of the pair from whichever port."""
        return self.certain and self.rule.source_ports == EVERY_PORT


class Asked(NamedTuple):
    """What the policies of one tier say to a pair: those that hold for the pod, and the rules that meet the pair."""

    tier: StackTier
    policies: Sequence[tuple[StackPolicy, bool]]
    """Each with whether it surely holds for the pod."""
    met: Sequence[Met]

    def isolating(self, direction: Direction) -> tuple[bool, bool]:
        """Return whether it surely isolates the pod, and whether it perhaps does."""
        mine = [certain for policy, certain in self.policies if direction in policy.isolates]
        return any(mine), bool(mine)


class StackSides:
    """Answers for one direction of one pair. It is what `pairs.Pairs` asks."""

    is_agent = False

    def __init__(self, chart: Chart, resolved: Resolved, world: World) -> None:
        self.chart = chart
        self.resolved = resolved
        self.world = world
        self._ends: dict[tuple[str, str], ends.End] = {}

    # --- what may flow ------------------------------------------------------------------------------------------------

    def bounds(self, direction: Direction, subject: End, peer: End) -> Bounds:
        """Return what *subject*'s side surely lets through between it and *peer*, and what it perhaps does."""
        if subject.index is None or self.is_unpoliced(subject.index):
            return _OPEN
        return _between(((direction, list(self._asked(direction, subject, peer))),))

    def between(self, source: End, destination: End) -> Bounds:
        """Return what both sides surely let through from *source* to *destination*, and what they perhaps do."""
        ends = ((Direction.EGRESS, source, destination), (Direction.INGRESS, destination, source))
        policed = [(d, me, peer) for d, me, peer in ends if me.index is not None and not self.is_unpoliced(me.index)]
        return _between([(direction, list(self._asked(direction, me, peer))) for direction, me, peer in policed])

    def is_unpoliced(self, index: int) -> bool:
        """Say whether no policy reaches a class: it is on the host network."""
        return bool(self.chart.universe.on_host_network >> index & 1)

    def lets_pass(self, source: End, destination: End, protocol: str) -> bool:  # noqa: ARG002 - engines differ
        """Say whether no rule is asked about *protocol* at either end."""
        return False

    def has_host_at(self, end: End) -> bool:
        """Say whether *end* is, or has the address of, a node."""
        if end.index is not None:
            return self.is_unpoliced(end.index)
        return self.end(end).kind is EndKind.NODE

    def end(self, end: End) -> ends.End:
        """Return one end as formulas see it."""
        if end.pod is None:
            if end.address == UNKNOWN:
                return ends.End(EndKind.OUTSIDE, version=end.version)
            of_family = ipaddress.IPv4Address if end.version == 4 else ipaddress.IPv6Address  # noqa: PLR2004
            return ends.end_at(self.world, str(of_family(end.address)))
        key = (end.pod.namespace, end.pod.name)
        known = self._ends.get(key)
        if known is None:
            known = self._ends[key] = ends.end_of_pod(self.world, end.pod)
        return known

    def _asked(self, direction: Direction, subject: End, peer: End) -> Iterator[Asked]:
        """Yield what each tier with a policy for *subject* says to the pair, in the order of asking."""
        me, other = self.end(subject), self.end(peer)
        by_tier: dict[int, list[StackPolicy]] = {}
        for tier, at in self.resolved.policies_of(subject.index or 0):
            by_tier.setdefault(tier, []).append(self.resolved.tiers[tier].policies[at])
        for number, policies in by_tier.items():
            mine: list[tuple[StackPolicy, bool]] = []
            met: list[Met] = []
            for policy in policies:
                held = ends.holds(policy.subject, me)
                if held is False:
                    continue
                mine.append((policy, held is True))
                for rule in policy.rules:
                    if rule.direction is direction:
                        found = self._met(policy, rule, me, other, subject if direction is Direction.INGRESS else peer)
                        if found is not None:
                            met.append(found if held else found._replace(certain=False))
            yield Asked(self.resolved.tiers[number], mine, met)

    def _met(self, policy: StackPolicy, rule: StackRule, me: ends.End, other: ends.End, destination: End) -> Met | None:
        means = ends.holds(rule.peer, other, me)
        local = ends.holds(rule.local, me, other) if means is not False else False
        if local is False:
            return None
        connections = self._connections(rule, destination)
        if not connections:
            return None
        return Met(policy, rule, bool(means and local and is_certain(rule)), connections)

    def _connections(self, rule: StackRule, destination: End) -> Connections:
        answer = spoken(rule)
        if not rule.source_ports or destination.index is None or self.is_unpoliced(destination.index):
            return answer
        for name in rule.names:
            for protocol in (name.protocol,) if name.protocol else WITH_PORTS:
                number = next(
                    (n for p, own, n in self.chart.sidecar_ports[destination.index] if (p, own) == (protocol, name.name)), None
                )
                if number is not None:
                    answer = answer | Connections.only(protocol, PortSet.of(number))
        return answer

    # --- who had a say ------------------------------------------------------------------------------------------------

    def side(self, direction: Direction, subject: End, peer: End, protocol: str, port: int) -> Side:
        """Return the verdict of *subject*'s side on one protocol and port, with all that had a say."""
        if subject.index is None:
            return Side(direction, allowed=True, isolated=False)
        if self.is_unpoliced(subject.index):
            words = f"{subject.title} is on the host network, where no policy is enforced"
            return Side(direction, allowed=True, isolated=False, deciders=(Decider(Say.ALLOWS, direction, words),))
        asked = list(self._asked(direction, subject, peer))
        node = next((a for a in asked if a.tier.name == NODE_TIER), None)
        if node is not None and any(m.is_certain for m in node.met):
            words = _NODE_WORDS.format(peer=peer.title, subject=subject.title)
            return Side(direction, allowed=True, isolated=False, deciders=(Decider(Say.ALLOWS, direction, words),))
        allowed = self.bounds(direction, subject, peer)[0].allows(protocol, port)
        deciders = tuple(_deciders(asked, direction, protocol, port))
        isolated = any(a.tier.otherwise is Does.DENY and a.isolating(direction)[0] for a in asked)
        return Side(direction, allowed, isolated or any(d.say is not Say.ALLOWS for d in deciders), deciders)

    def notes(self, *judged: tuple[Side, End, End]) -> tuple[str, ...]:
        """Return what the verdicts of sides, each with subject and peer, depend on."""
        found: dict[str, None] = {}
        for side, subject, peer in judged:
            if subject.index is not None and not self.is_unpoliced(subject.index):
                found |= dict.fromkeys(self._notes(side, subject, peer))
        return tuple(found)

    def _notes(self, side: Side, subject: End, peer: End) -> Iterator[str]:
        me, other = self.end(subject), self.end(peer)
        formulas: list[Formula] = []
        said = {(d.subject, d.place) for d in side.deciders}
        for asked in self._asked(side.direction, subject, peer):
            for policy, _ in asked.policies:
                formulas += [rule.peer for rule in policy.rules if rule.direction is side.direction]
            for met in asked.met:
                if met.rule.judged_further and (met.policy.ref, met.rule.place) in said:
                    yield _further(met)
                if asked.tier.name == UNREAD_TIER:
                    yield f"no answer is certain: {_unknown(met.rule.peer)}"
                elif not met.is_certain and asked.tier.name != NODE_TIER:
                    yield from _doubts(met, peer.title, ends.holds(met.rule.peer, other, me))
        if peer.address == UNKNOWN and any(_asks_for_address(f) for f in formulas):
            yield f"the address of {peer.title} is not known: only blocks of all addresses are taken to hold it"


def _further(met: Met) -> str:
    further, place = _and(met.rule.judged_further), f"{met.policy.ref} {met.rule.place}"
    if met.rule.does is Does.ALLOW:
        return f"{place} lets it through here, and then judges {further}"
    return f"{place} judges {further} before it {_SAYS[met.rule.does]} anything"


def _doubts(met: Met, peer: str, means: bool | None) -> Iterator[str]:
    """Yield why it is not certain that a rule meets a pair; *means* is whether it means the peer."""
    rule, place = met.rule, f"{met.policy.ref} {met.rule.place}"
    if rule.source_ports != EVERY_PORT:
        yield f"{place} speaks of connections from the ports {rule.source_ports} alone"
    if means is None:
        for words in sorted(_unknowns(rule.peer)):
            yield f"whether {place} means {peer} depends on {words}, which the cluster cannot tell"
    for words in sorted(_unknowns(met.policy.subject) | _unknowns(rule.local)):
        yield f"for whom {place} holds depends on {words}, which the cluster cannot tell"


def _between(sides: Sequence[tuple[Direction, Sequence[Asked]]]) -> Bounds:
    """Return what sides of a connection let through, each with what its tiers say: from every source port, and from some."""
    sure, perhaps = EVERYTHING, NOTHING
    for port in kinds(asked_of(met.rule.source_ports for _, tiers in sides for asked in tiers for met in asked.met)):
        here = _OPEN
        for direction, tiers in sides:
            answer = _OPEN
            for asked in reversed(tiers):
                answer = _folded(asked._replace(met=list(_from(asked.met, port))), direction, answer)
            here = here[0] & answer[0], here[1] & answer[1]
        sure, perhaps = sure & here[0], perhaps | here[1]
    return sure, perhaps


def _from(met: Iterable[Met], port: int) -> Iterator[Met]:
    """Yield the rules that speak of connections from a port; where nothing is known of it, what asks for some is not certain."""
    for one in met:
        if port == ANY:
            yield one._replace(certain=one.is_certain)
        elif one.rule.source_ports == EVERY_PORT or port in one.rule.source_ports:
            yield one


def _folded(asked: Asked, direction: Direction, after: Bounds) -> Bounds:
    """Return what a tier lets through, of what *after* does with what it leaves open."""
    sure, perhaps = after
    otherwise = asked.tier.otherwise
    if otherwise is Does.ALLOW or otherwise is Does.DENY:
        surely, maybe = asked.isolating(direction)
        end = EVERYTHING if otherwise is Does.ALLOW else NOTHING
        if surely:
            sure = perhaps = end
        elif maybe:
            sure, perhaps = sure & end, perhaps | end
    for met in reversed(asked.met):
        sure, perhaps = _after(met, (sure, perhaps), after)
    return sure, perhaps


def _after(met: Met, so_far: Bounds, after: Bounds) -> Bounds:
    sure, perhaps = so_far
    said = met.connections
    match met.rule.does:
        case Does.ALLOW:
            return (sure | said if met.certain else sure), perhaps | said
        case Does.DENY:
            return sure - said, (perhaps - said if met.certain else perhaps)
        case Does.PASS:
            if met.certain:
                return (sure - said) | (after[0] & said), (perhaps - said) | (after[1] & said)
            return (sure - said) | (after[0] & sure & said), perhaps | (after[1] & said)


def _deciders(asked: Iterable[Asked], direction: Direction, protocol: str, port: int) -> Iterator[Decider]:
    for tier, policies, met in asked:
        settled: Met | None = None
        for one in met:
            if not one.connections.allows(protocol, port):
                continue
            if tier.name == UNREAD_TIER:
                yield Decider(Say.PASSES, direction, f"nobody can tell {_unknown(one.rule.peer)}", one.policy.ref, one.rule.place)
                break
            yield _decider(tier, one, direction)
            if one.is_certain:
                settled = one
                break
        if settled is not None and settled.rule.does is not Does.PASS:
            return
        isolating = [policy for policy, _ in policies if direction in policy.isolates]
        if settled is None and isolating and tier.otherwise in {Does.DENY, Does.ALLOW}:
            for policy in isolating:
                yield _isolating(tier, policy, direction)
            return


def _decider(tier: StackTier, met: Met, direction: Direction) -> Decider:
    policy, rule = met.policy, met.rule
    say = _SAYS[rule.does]
    words = "leaves it to the next tier" if rule.does is Does.PASS else f"{say} it"
    if not met.is_certain:
        words = f"perhaps {words}"
    where = f" ({tier.name} tier)" if tier.name else ""
    return Decider(say, direction, f"{policy.ref} {rule.place}{where} {words}", policy.ref, rule.place)


def _isolating(tier: StackTier, policy: StackPolicy, direction: Direction) -> Decider:
    what = "no rule of it matches" if any(r.direction is direction for r in policy.rules) else "it has no rule"
    if tier.otherwise is Does.ALLOW:
        words = f"{policy.ref} ({tier.name} tier) holds for the pod in {direction.lower()}, {what}, and the tier then allows"
        return Decider(Say.ALLOWS, direction, words, policy.ref)
    where = f" ({tier.name} tier)" if tier.name else ""
    words = f"{policy.ref}{where} isolates the pod in {direction.lower()}, and {what}"
    return Decider(Say.ISOLATES, direction, words, policy.ref)


def _asks_for_address(formula: Formula) -> bool:
    return any(isinstance(a, Within) and any(n.prefixlen for n in a.networks) for a in atoms(formula))


def _unknown(formula: Formula) -> str:
    return _and(sorted(_unknowns(formula)))


def _unknowns(formula: Formula) -> set[str]:
    return {a.words for a in atoms(formula) if isinstance(a, Unknowable)}


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
