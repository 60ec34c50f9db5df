"""One direction between two: what rules let through between a pod and its peer, and which of them had a say.

This is the question `columns` answers for all at once, asked of one pair: exact where pods share a node or an address.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from eksnetpol.policy.addresses import Network, holds, parse_cidr
from eksnetpol.policy.agent_rules import AgentRules
from eksnetpol.policy.answers import Decider, Say, Side
from eksnetpol.policy.atlas import UNKNOWN, Chart
from eksnetpol.policy.cluster_policies import ClusterTiers
from eksnetpol.policy.columns import Columns
from eksnetpol.policy.connections import EVERYTHING, ICMPV6, NOTHING, Connections
from eksnetpol.policy.ends import End
from eksnetpol.policy.grants import Grant, Grants
from eksnetpol.policy.nodes import Nodes
from eksnetpol.policy.partitions import Judge
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.spots import Block, specified
from eksnetpol.policy.tiers import ADMIN, BASELINE, Beside, Ordered, State, Tier, fold_all
from eksnetpol.policy.universe import Classes

Bounds = tuple[Connections, Connections]
"""What surely passes, and what may."""

_OPEN: Bounds = (EVERYTHING, EVERYTHING)


class Standing(NamedTuple):
    """What rules open to an address that stands for pods: *opened* those of namespaces, *of_tier* a cluster-wide one."""

    opened: Connections | None
    of_tier: Beside


class _Asked(NamedTuple):
    direction: Direction
    subject: End
    peer: End
    protocol: str
    port: int
    beside: Standing | None


class Sides:
    """Answers for one direction of one pair."""

    def __init__(
        self, chart: Chart, grants: Grants, tiers: ClusterTiers, columns: Columns, judge: Judge, agent: AgentRules | None
    ) -> None:
        self.chart = chart
        self.grants = grants
        self.tiers = tiers
        self.columns = columns
        self.judge = judge
        self.agent = agent
        self.is_agent = agent is not None
        self.nodes = Nodes(chart.universe)
        self._at_address: dict[tuple[int, int], Classes] | None = None

    # --- what may flow ------------------------------------------------------------------------------------------------

    def connections(self, direction: Direction, subject: End, peer: End, beside: Standing | None = None) -> Connections:
        """Return what *subject*'s side surely lets through between it and *peer*; *beside* as for `bounds`."""
        return self.bounds(direction, subject, peer, beside)[0]

    def bounds(self, direction: Direction, subject: End, peer: End, beside: Standing | None = None) -> Bounds:
        """Return what *subject*'s side surely lets through between it and *peer*, and what it may: chance decides in between.

        *beside* is what rules open where the peer is an address that is no pod's, but stands for pods: a Service's.
        """
        index = subject.index
        if index is None or self.is_unpoliced(index) or self._is_other_family(peer):
            return _OPEN
        if self._is_own_node(direction, subject, peer):
            return _OPEN
        sure, possible = self._of_namespaces(direction, subject, peer, beside)
        if not self.tiers.admin:
            return sure, possible
        allowed, undecided = self._fold(self.tiers.admin, direction, subject, peer, beside)
        return allowed | (undecided & sure), allowed | (undecided & possible)

    def between(self, source: End, destination: End) -> Bounds:
        """Return what both sides surely let through from *source* to *destination*, and what they may."""
        sent, taken = self.bounds(Direction.EGRESS, source, destination), self.bounds(Direction.INGRESS, destination, source)
        return sent[0] & taken[0], sent[1] & taken[1]

    def _of_namespaces(self, direction: Direction, subject: End, peer: End, beside: Standing | None) -> Bounds:
        index = subject.index or 0
        if self.columns.ruled(direction) >> index & 1:
            return self.by_rules(direction, subject, peer, beside)
        if self.columns.asking(direction) >> index & 1:
            otherwise = self.columns.rule.otherwise
            if self.tiers.baseline:
                allowed, undecided = self._fold(self.tiers.baseline, direction, subject, peer, beside)
                otherwise = allowed | (undecided & otherwise)
            return otherwise, otherwise
        return _OPEN

    def _fold(self, tier: Tier, direction: Direction, subject: End, peer: End, beside: Standing | None) -> State:
        index = subject.index or 0
        if self.is_agent and not self.columns.rule.node_by_tiers and self._is_node_of(subject, peer):
            # Older agents leave out rules for exactly the node's address; what wider blocks say of it stays.
            rules = (r for r in tier.of(direction, index) if any(not _begins_at(n, peer) for n in r.networks))
            return fold_all((r, r.connections if _held(r, peer) else NOTHING) for r in rules)
        return tier.fold(direction, index, peer.index, peer.peer_address, peer.version, self._ask(peer, beside))

    def _ask(self, peer: End, beside: Standing | None) -> Beside | None:
        """Return what says which connections a cluster-wide rule speaks of besides its own peers and blocks, if anything."""
        if beside is not None:
            return beside.of_tier
        hosts = self._hosts_at(peer) if self.is_agent else 0
        # A pod on the host network has the address of its node, and with it what rules say of any other pod there.
        return (lambda rule: rule.connections if rule.peers & hosts else NOTHING) if hosts else None

    def is_unpoliced(self, index: int) -> bool:
        """Say whether no policy reaches a class: it is on the host network."""
        return bool(self.chart.universe.on_host_network >> index & 1)

    def _is_own_node(self, direction: Direction, subject: End, peer: End) -> bool:
        if subject.pod is None or subject.index is None or (direction is Direction.EGRESS and not self.is_agent):
            return False
        if not self._is_node_of(subject, peer):
            return False
        if not self.is_agent:
            return True
        if self.tiers.subjects >> subject.index & 1:
            # The map of policies for the whole cluster lets the node through, since it has it at all.
            return self.columns.rule.node_by_tiers
        if not self.grants.covered >> subject.index & 1:
            # In strict mode the agent of a pod without any policy keeps no map, and not even the node is in it.
            return self.columns.rule.otherwise is EVERYTHING
        # An exception of exactly the node's address closes it.
        ruled = self.columns.ruled(direction) >> subject.index & 1
        return not ruled or self.by_rules(direction, subject, peer, None)[0] is EVERYTHING

    def _is_node_of(self, subject: End, peer: End) -> bool:
        """Say whether *peer* has the address of *subject*'s node."""
        text = "" if subject.pod is None else subject.pod.status.host_ip
        node = parse_cidr(text) if text else None
        return node is not None and (node.version, int(node.network_address)) == (peer.version, peer.address)

    def _is_other_family(self, peer: End) -> bool:
        """Say whether the agent does not look at packets of the peer's family: it polices the cluster's alone."""
        return self.is_agent and peer.address != UNKNOWN and peer.version != self.chart.regions.version

    def by_rules(self, direction: Direction, subject: End, peer: End, beside: Standing | None = None) -> Bounds:
        """Return what the rules of namespaces let through between a pod and *peer*, as `bounds`."""
        index = subject.index or 0
        rules = [g for g in self.grants.of_class(index) if g.direction is direction]
        if self.agent is not None:
            opened = None if beside is None else beside.opened
            return self.agent.bounds(((g, self._meant(g, peer)) for g in rules), subject, peer, opened)
        hosts = NOTHING if beside is None or beside.opened is None else beside.opened
        meant = bool(hosts)
        blocks: list[Block] = []
        for grant in rules:
            if self.means(grant, peer):
                spoken = self._spoken(grant, index, peer)
                hosts, meant = hosts | spoken, meant or bool(spoken)
            open_to = self._spoken(grant, index, None)
            if open_to:
                blocks.extend(Block(network, excepts, open_to) for network, excepts in grant.blocks)
        spot = self.judge(blocks, peer.address, peer.version)
        answer = hosts | spot.beside if meant else spot.bare
        return answer, answer

    def _spoken(self, grant: Grant, index: int, peer: End | None) -> Connections:
        """Return what *grant* opens between a class and *peer*; None for what it opens to blocks."""
        answer = grant.connections
        looked_up = index if grant.direction is Direction.INGRESS else None if peer is None else peer.index
        if looked_up is not None:
            for extra, classes in grant.named:
                if classes >> looked_up & 1:
                    answer = answer | extra
        return answer

    def means(self, grant: Grant, peer: End) -> bool:
        """Say whether a rule's selectors mean *peer*. For the agent a pod on the host network is every pod of its node's."""
        if peer.index is not None and grant.peers >> peer.index & 1:
            return True
        if not self.is_agent or peer.address == UNKNOWN:
            return False
        return bool(grant.peers & self._hosts_at(peer))

    def _meant(self, grant: Grant, peer: End) -> Classes | None:
        """Return the classes a rule means that have the address of *peer*; None where its selectors do not mean it."""
        own = 0 if peer.index is None else 1 << peer.index
        return grant.chosen & (own | self._hosts_at(peer)) or None

    def _hosts_at(self, peer: End) -> Classes:
        """Return the classes on the host network that have a pod with an address."""
        if self._at_address is None:
            self._at_address = {}
            for c in self.chart.universe.members(self.chart.universe.on_host_network):
                for text in {p.status.pod_ip for p in c.pods}:
                    network = parse_cidr(text) if text else None
                    if network is not None:
                        key = (network.version, int(network.network_address))
                        self._at_address[key] = self._at_address.get(key, 0) | c.bit
        return self._at_address.get((peer.version, peer.address), 0)

    def lets_pass(self, source: End, destination: End, protocol: str) -> bool:
        """Say whether no rule is asked about *protocol* at either end."""
        return self.is_agent and protocol == ICMPV6 and (source.index is not None or destination.index is not None)

    def has_host_at(self, end: End) -> bool:
        """Say whether *end* is, or has the address of, a pod on the host network: a node."""
        if end.index is not None:
            return self.is_unpoliced(end.index)
        return bool(self._hosts_at(end))

    # --- who had a say ------------------------------------------------------------------------------------------------

    def side(
        self, direction: Direction, subject: End, peer: End, protocol: str, port: int, beside: Standing | None = None
    ) -> Side:
        """Return the verdict of *subject*'s side on one protocol and port, with all that had a say; *beside* as for `bounds`."""
        index = subject.index
        if index is None:
            return Side(direction, allowed=True, isolated=False)
        if self.is_agent and protocol == ICMPV6:
            return self._free(direction, "the agent lets every ICMPv6 packet pass")
        allowed = self.connections(direction, subject, peer, beside).allows(protocol, port)
        if self.is_unpoliced(index):
            return self._free(direction, f"{subject.title} is on the host network, where no policy is enforced")
        if self._is_own_node(direction, subject, peer):
            return self._free(direction, f"{peer.title} is the address of {subject.title}'s own node, which always may")
        if self._is_other_family(peer):
            return self._free(direction, "the agent does not look at packets of the other IP family")
        deciders = tuple(self._deciders(_Asked(direction, subject, peer, protocol, port, beside)))
        isolated = bool((self.columns.ruled(direction) | self.grants.isolated(direction)) >> index & 1)
        return Side(direction, allowed, isolated or any(d.say is not Say.ALLOWS for d in deciders), deciders)

    def _free(self, direction: Direction, words: str) -> Side:
        return Side(direction, allowed=True, isolated=False, deciders=(Decider(Say.ALLOWS, direction, words),))

    def _deciders(self, asked: _Asked) -> Iterator[Decider]:
        index, direction = asked.subject.index or 0, asked.direction
        last = None
        for last in self._of_tier(self.tiers.admin, ADMIN, asked):
            yield last
        if last is not None and last.say is not Say.PASSES:
            return
        if self.columns.ruled(direction) >> index & 1:
            yield from self._rules(direction, asked.subject, asked.peer, asked.protocol, asked.port)
        elif self.columns.asking(direction) >> index & 1:
            last = None
            for last in self._of_tier(self.tiers.baseline, BASELINE, asked):
                yield last
            if last is None and self.columns.rule.otherwise is not EVERYTHING:
                yield Decider(Say.ISOLATES, direction, "strict mode: a pod that no policy selects is closed")

    def _of_tier(self, tier: Tier, name: str, asked: _Asked) -> Iterator[Decider]:
        index, peer = asked.subject.index or 0, asked.peer
        for rule in tier.of(asked.direction, index):
            spoken = rule.at(index, peer.index) if rule.means(peer.index, peer.peer_address, peer.version) else NOTHING
            more = self._ask(peer, asked.beside)
            if more is not None:
                spoken = spoken | more(rule)
            if spoken.allows(asked.protocol, asked.port):
                yield self._ordered(rule, name)
                return

    def _ordered(self, rule: Ordered, tier: str) -> Decider:
        words = {Say.PASSES: "leaves it to the policies of namespaces"}.get(rule.say, f"{rule.say} it")
        return Decider(rule.say, rule.direction, f"{rule.subject} {rule.place} ({tier} tier) {words}", rule.subject, rule.place)

    def _rules(self, direction: Direction, subject: End, peer: End, protocol: str, port: int) -> Iterator[Decider]:
        index = subject.index or 0
        verdict = self.by_rules(direction, subject, peer)[0].allows(protocol, port)
        rules: dict[int, list[Grant]] = {}
        for grant in self.grants.of_class(index):
            if grant.direction is direction:
                rules.setdefault(grant.at, []).append(grant)
        allowing: list[Decider] = []
        for at in self.grants.policies_of_class(index):
            policy = self.grants.policies[at]
            mine = rules.get(at, [])
            isolates = policy.isolates_ingress if direction is Direction.INGRESS else policy.isolates_egress
            if not mine and not isolates:
                continue
            said = list(self._said(mine, index, peer, protocol, port, verdict=verdict))
            if any(d.say is Say.ALLOWS for d in said):
                allowing.extend(said)
                continue
            yield from said
            if not said:
                spec = policy.policy.spec
                has_rules = spec.ingress if direction is Direction.INGRESS else spec.egress
                what = "no rule of it matches" if has_rules else "it has no rule"
                words = f"{policy.subject} isolates the pod in {direction.lower()}, and {what}"
                yield Decider(Say.ISOLATES, direction, words, policy.subject)
        yield from allowing

    def _said(
        self, mine: Sequence[Grant], index: int, peer: End, protocol: str, port: int, *, verdict: bool
    ) -> Iterator[Decider]:
        for grant in mine:
            place = f"{grant.direction.lower()}[{grant.number}]"
            own = self.grants.policies[grant.at].subject
            by_pod = self.means(grant, peer) and self._spoken(grant, index, peer).allows(protocol, port)
            open_to = self._spoken(grant, index, None)
            blocks = [Block(n, e, open_to) for n, e in grant.blocks]
            by_block = specified(blocks, peer.address, peer.version).bare.allows(protocol, port) if blocks else False
            if peer.address == UNKNOWN and blocks:
                by_block = self.judge(blocks, UNKNOWN, self.chart.regions.version).bare.allows(protocol, port)
            if (by_pod or by_block) and verdict:
                yield Decider(Say.ALLOWS, grant.direction, f"{own} {place} allows it", own, place)
            elif by_pod or by_block:
                words = f"{own} {place} would allow it, but a narrower block or an except of another rule takes its place"
                yield Decider(Say.ISOLATES, grant.direction, words, own, place)
            elif blocks and self._is_excepted(grant, peer):
                yield Decider(Say.DENIES, grant.direction, f"{own} {place} excepts the address", own, place)

    def _is_excepted(self, grant: Grant, peer: End) -> bool:
        whole = [Block(hole, (), EVERYTHING) for _, holes in grant.blocks for hole in holes]
        return peer.address != UNKNOWN and specified(whole, peer.address, peer.version).found

    def notes(self, *judged: tuple[Side, End, End]) -> tuple[str, ...]:
        """Return what the verdicts of sides, each with subject and peer, depend on."""
        found: list[str] = []
        for side, subject, peer in judged:
            if not side.isolated or subject.index is None:
                continue
            sure, possible = self.bounds(side.direction, subject, peer)
            if sure != possible:
                found.append(
                    f"the rules for {subject.title} come to more ports for {peer.title} than the agent has room for, or to one "
                    f"block written in two ways; which of {possible - sure} pass is chance"
                )
            if subject.index in self.chart.neighbours:
                found.append(
                    f"the agent cannot tell {subject.title} from pods whose names begin alike; rules for any of them that runs "
                    "on the same node hold for all of them"
                )
            rules = (g for g in self.grants.of_class(subject.index) if g.direction is side.direction)
            if peer.address == UNKNOWN and any(n.prefixlen or holes for g in rules for n, holes in g.blocks):
                found.append(f"the address of {peer.title} is not known: only blocks of all addresses are taken to hold it")
        return tuple(dict.fromkeys(found))


def _begins_at(network: Network, peer: End) -> bool:
    return (network.version, int(network.network_address)) == (peer.version, peer.address)


def _held(rule: Ordered, peer: End) -> bool:
    return any(
        n.version == peer.version and holds(n, peer.address) for n in rule.networks if not _begins_at(n, peer)
    )
