"""Rules of a stack as rules of ClusterNetworkPolicies (``networking.k8s.aws``), where one says them exactly.

What the controller and the agent make of them decides what can be said (`policy.cluster_policies`, `policy.prediction.cluster`):
the namespaces of a rule's first peer decide whether the rule exists, so every peer is a rule of its own; a port by name ends the
controller; ingress knows pods alone; egress is judged at the address of a Service, before that becomes a pod's, so that a denial
to pods would leave the way through a Service open. It is said at the other end instead, where it holds as well: as ingress of the
pods that must not be reached, from those that must not reach them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eksnetpol.model.cluster_rules import LAST_PORT
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.cidrs import CidrSet
from eksnetpol.policy.connections import EVERYTHING, Connections
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import Clause, TooMany, atoms, clauses, conjunction, disjunction, is_everybody, simplified
from eksnetpol.policy.stacks.clauses import PODS
from eksnetpol.policy.stacks.formulas import (
    And,
    Atom,
    EndKind,
    Formula,
    Is,
    Label,
    Named,
    Not,
    OnNode,
    Or,
    Scope,
    Test,
    Within,
)
from eksnetpol.policy.stacks.rules import Does
from eksnetpol.translation import ports
from eksnetpol.translation.ground import Ground, Inventory
from eksnetpol.translation.peers import Peers, selector
from eksnetpol.translation.vpc import of

Json = dict[str, Any]

RULES, NETWORKS, SLOTS = 100, 25, ports.MOST
"""So many rules a direction and blocks a peer may have (the kind's definition), and ports the agent holds for one address."""

_SUBJECTS = 8
"""So many objects one rule may come to: one for each selector of its pods."""

_UNSURE_STARTS = (55_296, 57_343)
"""Ports that the controller's hash takes for one another: it reads them as characters, and these are none."""

_GUESSED = "the VPC's own blocks are not known and are taken to be the private ones"

_ONLY_PODS = Is(frozenset({EndKind.POD}))
_POLICED = frozenset({EndKind.POD, EndKind.INIT, EndKind.HEALTH, EndKind.GATEWAY, EndKind.UNMANAGED})
"""Pods, and what is none but goes where Cilium goes."""


class Unsayable(ValueError):
    """A ClusterNetworkPolicy cannot say exactly what a rule does."""


@dataclass(frozen=True, slots=True)
class ClusterRule:
    """What objects with these *subjects* say in one direction: one rule for each of *peers*, with the same *ports* (None: all).

    The formulas are what it means; ``now`` says what of it holds for today alone.
    """

    direction: Direction
    does: Does
    subject: Formula
    peer: Formula
    connections: Connections
    subjects: tuple[Json, ...]
    peers: tuple[Json, ...]
    ports: tuple[Json, ...] | None
    now: tuple[str, ...] = ()

    @property
    def slots(self) -> int:
        """How many entries it makes around one address, at most: those of every subject that may hold for one pod."""
        return max(1, len(self.ports or ())) * len(self.subjects)


@dataclass
class Wording:
    """Says rules. ``limit`` is how many clauses a formula may come to."""

    inventory: Inventory
    peers: Peers
    version: int
    limit: int

    @cached_property
    def _services(self) -> CidrSet:
        texts = (s.spec.cluster_ip for s in self.inventory.world.services)
        return of(tuple(n for n in map(parse_cidr, texts) if n is not None))

    def seen(self, formula: Formula) -> Formula:
        """Return *formula* with what is known of addresses: what lies in a block in which no pod can be is no pod."""
        return simplified(self._seen(formula))

    def _seen(self, formula: Formula) -> Formula:
        match formula:
            case And():
                return And(tuple(map(self._seen, formula.parts)))
            case Or():
                return Or(tuple(map(self._seen, formula.parts)))
            case Not():
                return Not(self._seen(formula.part))
            case Within() if self.inventory.addresses.holds_no_pod(of(tuple(sorted(formula.networks, key=str)))):
                return And((formula, Not(Is(PODS))))
            case _:
                return formula

    def said(
        self, does: Does, subject: Formula, peer: Formula, connections: Connections, direction: Direction
    ) -> list[ClusterRule]:
        """Return the rules that say this and nothing else; raise `Unsayable`. Formulas are `seen`."""
        if direction is Direction.INGRESS:
            return [self._from_pods(does, subject, peer, connections)]
        if is_everybody(peer) and connections == EVERYTHING and does is Does.DENY:
            every = "0.0.0.0/0" if self.version == 4 else "::/0"  # noqa: PLR2004 - the family
            return [self._rule(Direction.EGRESS, does, subject, peer, connections, ({"networks": [every]},))]
        found = self._clauses(self.plain(peer, with_blocks=True))
        to_pods = [clause for clause in found if clause.kinds <= _POLICED]
        beyond = [clause for clause in found if clause not in to_pods]
        rules = []
        if to_pods:
            if does is not Does.DENY:
                raise Unsayable("egress to pods also takes the addresses of Services, which a NetworkPolicy opens as needed")
            here = conjunction(_ONLY_PODS, disjunction(*(clause.formula for clause in to_pods)))
            rules.append(self._from_pods(does, here, conjunction(_ONLY_PODS, subject), connections))
        if beyond:
            there = disjunction(*(clause.formula for clause in beyond))
            blocks = tuple(self._networks(beyond))
            now = () if self.inventory.addresses.known else (_GUESSED,)
            rules.append(self._rule(Direction.EGRESS, does, subject, there, connections, blocks, now))
        return rules

    # --- peers --------------------------------------------------------------------------------------------------------

    def _from_pods(self, does: Does, subject: Formula, peer: Formula, connections: Connections) -> ClusterRule:
        peer = self.plain(peer, with_blocks=False)
        if not all(clause.kinds <= _POLICED for clause in self._clauses(peer)):
            raise Unsayable("ingress from addresses that are no pod's")
        said = self.peers.of(peer, "")
        if said.lost or said.everybody:
            raise Unsayable("; ".join(said.lost))
        peers = tuple(_peer(item) for item in said.peers)
        return self._rule(Direction.INGRESS, does, subject, peer, connections, peers, tuple(said.now))

    def _networks(self, found: Iterable[Clause]) -> Iterator[Json]:
        addresses = self.inventory.addresses
        whole = CidrSet()
        for clause in found:
            if clause.kinds & PODS or any(isinstance(atom, Label | Named) for atom in clause.holds):
                raise Unsayable("pods and addresses that are no pod's in one peer")
            here = addresses.family
            for atom in (*clause.holds, *clause.fails):
                if isinstance(atom, Within):
                    block = of(tuple(sorted(atom.networks, key=str)))
                    here = here & block if atom in clause.holds else here - block
            whole = whole | here
        if not addresses.holds_no_pod(whole):
            raise Unsayable("a block in which pods may be is asked for before the address of a Service becomes a pod's")
        if whole & self._services:
            raise Unsayable("a block that holds addresses of Services")
        cidrs = [str(cidr) for cidr in whole.cidrs()]
        for at in range(0, len(cidrs), NETWORKS):
            yield {"networks": cidrs[at : at + NETWORKS]}

    # --- one rule -----------------------------------------------------------------------------------------------------

    def _rule(
        self,
        direction: Direction,
        does: Does,
        subject: Formula,
        peer: Formula,
        connections: Connections,
        peers: tuple[Json, ...],
        now: tuple[str, ...] = (),
    ) -> ClusterRule:
        subject = conjunction(_ONLY_PODS, self.plain(subject, with_blocks=False))
        subjects = tuple(_subject(clause) for clause in self._clauses(subject))
        if not peers or not subjects:
            raise Unsayable("nobody")
        if len(peers) > RULES or len(subjects) > _SUBJECTS:
            raise Unsayable("more selectors than an object holds")
        written = self._ports(connections)
        rule = ClusterRule(direction, does, subject, peer, connections, subjects, peers, written, now)
        if rule.slots > SLOTS:
            raise Unsayable("more ports than the agent holds for one address")
        return rule

    def _ports(self, connections: Connections) -> tuple[Json, ...] | None:
        said = ports.of(connections, None, self.version)
        if said.lost:
            raise Unsayable("; ".join(said.lost))
        if said.ports is None:
            return None
        if any(_UNSURE_STARTS[0] <= port.get("port", 0) <= _UNSURE_STARTS[1] for port in said.ports):
            raise Unsayable("ports that the controller takes for one another")
        return tuple(map(_port, said.ports))

    def plain(self, formula: Formula, *, with_blocks: bool) -> Formula:
        """Return *formula* without what labels and blocks that could ever be cannot answer; raise where that changes it."""
        for atom in atoms(formula):
            if not (_is_plain(atom) or (with_blocks and isinstance(atom, Within))):
                raise Unsayable("what neither labels nor blocks say")
        found = Ground(self.inventory, "").peer(formula, upper=False)
        if found.now or found.lost:
            raise Unsayable("what labels alone do not say")
        return found.formula

    def _clauses(self, formula: Formula) -> tuple[Clause, ...]:
        try:
            return clauses(formula, self.limit)
        except TooMany as error:
            raise Unsayable(str(error)) from error


def _is_plain(atom: Atom) -> bool:
    match atom:
        case Is() | OnNode() | Named(Scope.NAMESPACE):
            return True
        case Label(Scope.POD | Scope.NAMESPACE, _, Test.IN | Test.EXISTS):
            return True
        case _:
            return False


def _subject(clause: Clause) -> Json:
    near, own = (
        selector(
            (a for a in clause.holds if isinstance(a, Label | Named) and a.scope is scope),
            (a for a in clause.fails if isinstance(a, Label | Named) and a.scope is scope),
        )
        for scope in (Scope.NAMESPACE, Scope.POD)
    )
    return {"pods": {"namespaceSelector": near, "podSelector": own}} if own else {"namespaces": near}


def _peer(item: Json) -> Json:
    near, own = item["namespaceSelector"], item.get("podSelector")
    return {"pods": {"namespaceSelector": near, "podSelector": own}} if own else {"namespaces": near}


def _port(port: Json) -> Json:
    low, high = port.get("port", 1), port.get("endPort", port.get("port", LAST_PORT))
    if low == high:
        return {"portNumber": {"protocol": port["protocol"], "port": low}}
    return {"portRange": {"protocol": port["protocol"], "start": low, "end": high}}
