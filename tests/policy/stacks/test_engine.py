"""The engine over a stack: standard policies against the oracle and `SetEngine`, and what only stacks can say."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eksnetpol.policy.answers import Addresses, Answer, Engine, Pods
from eksnetpol.policy.difference import difference
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.engine import engine_for
from tests.policy.oracle.agree import Tally, _Comparison
from tests.policy.oracle.kubernetes import Kubernetes
from tests.policy.oracle.plain import Packet
from tests.policy.oracle.strategies import Case, cases
from tests.policy.stacks.pairwise import Place, flows, stacked
from tests.policy.stacks.reading import stack

PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


def often(count: int) -> settings:
    return settings(max_examples=count, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))


@often(60)
@given(cases(upstream=True))
def test_standard_policies_as_a_stack_are_what_the_specification_says(case: Case) -> None:
    engine = engine_for(case.world, Profile(Semantics.KUBERNETES, family=case.family.name), stack(case.world))
    tally = Tally()
    comparison = _Comparison(case, engine, Kubernetes(case.world, case.family.name), tally)
    for part in (comparison.pairs, comparison.matrix, comparison.outside, comparison.addresses, comparison.services):
        part()
    assert tally.verdicts > 0
    if tally.disagreements:
        pytest.fail(f"cluster {case.number}: {tally.disagreements[:5]}", pytrace=False)


def party(engine: Engine, one: Place) -> Pods | Addresses:
    if isinstance(one, str):
        return Addresses(one, one)
    index = engine.atlas.class_of[one]
    pods = engine.atlas.universe.classes[index].pods
    return Pods(1 << index, "/".join(one), tuple(p for p in pods if (p.namespace, p.name) == one))


class Beside:
    """Lays the engine beside the slow way over everything that one random stack can be asked."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.made = made = stacked(number)
        self.engine = engine_for(made.world, Profile(Semantics.KUBERNETES, family=made.case.family.name), made.stack)
        self.keys = list(made.pods)
        taken = {p.status.pod_ip for p in made.world.pods}
        self.addresses = [a for a in made.case.addresses if a not in taken]
        self.known: dict[tuple[Place, Place, Packet], set[bool]] = {}
        self.found: list[str] = []
        self.count = 0
        self.pairs()
        self.matrix()
        self.outside()

    def meet(self, words: str, mine: object, theirs: object) -> None:
        """Count one comparison."""
        self.count += 1
        if mine != theirs:
            self.found.append(f"{self.number}: {words}: the engine says {mine}, the slow way {theirs}")

    def pairs(self) -> None:
        """Ask about every pair of pods, and of pods and addresses."""
        places: list[Place] = [*self.keys, *self.addresses]
        packets = self.made.case.packets
        for source, destination in product(places, places):
            if source == destination or (isinstance(source, str) and isinstance(destination, str)):
                continue
            here, there = party(self.engine, source), party(self.engine, destination)
            answer = self.engine.connections(here, there)
            for at, packet in enumerate(packets):
                may = self.known[source, destination, packet] = flows(self.made, source, destination, packet)
                title = f"{source} -> {destination} {packet.protocol} {packet.number}"
                self.meet(f"connections {title}", bounds(answer, packet), (False not in may, True in may))
                if at == self.count % len(packets):
                    decision = self.engine.decide(here, there, *packet)
                    self.meet(f"decide {title}", (decision.allowed, decision.partial), (may == {True}, len(may) > 1))

    def matrix(self) -> None:
        """Ask about all pairs of classes at once."""
        matrix = self.engine.matrix()
        members: dict[int, list[tuple[str, str]]] = {}
        for key in self.keys:
            members.setdefault(self.engine.atlas.class_of[key], []).append(key)
        for one, other in product(members, members):
            pairs = [(s, d) for s in members[one] for d in members[other] if s != d]
            answer = matrix.between(1 << one, 1 << other)
            for packet in self.made.case.packets if pairs else ():
                all_of = [self.known[s, d, packet] for s, d in pairs]
                every, some = all(False not in may for may in all_of), any(True in may for may in all_of)
                mine = bounds(answer, packet)
                # Of classes on several nodes a set knows that some pairs perhaps may, and not whether there is such a pair.
                same = mine == (every, some) or (len(pairs) > 1 and mine[0] <= every and mine[1] >= some)
                title = f"{members[one]} -> {members[other]} {packet.protocol} {packet.number}"
                self.meet(f"matrix {title}", mine if not same else (every, some), (every, some))

    def outside(self) -> None:
        """Ask about all classes and one address at once."""
        of = self.engine.atlas.class_of
        for address, direction in product(self.addresses, Direction):
            partition = self.engine.outside(direction, address)
            for key in self.keys:
                bit = 1 << of[key]
                mates = [k for k in self.keys if of[k] == of[key]]
                for packet in self.made.case.packets:
                    sure = any(classes & bit and connections.allows(*packet) for connections, classes in partition)
                    ends = [(address, k) if direction is Direction.INGRESS else (k, address) for k in mates]
                    wanted = all(False not in self.known[(*pair, packet)] for pair in ends)
                    if wanted and len(mates) > 1 and not sure:
                        # As in the matrix: what pods on the node have by one rule and all others by another, a set does not know.
                        continue
                    self.meet(f"outside {direction} {address} {key} {packet.protocol} {packet.number}", sure, wanted)


def bounds(answer: Answer, packet: Packet) -> tuple[bool, bool]:
    return answer.every.allows(*packet), answer.some.allows(*packet)


@often(50)
@given(st.integers(0, 2**64 - 1))
def test_a_stack_is_asked_rule_by_rule(number: int) -> None:
    beside = Beside(number)
    assert beside.count > 0 or not beside.keys
    if beside.found:
        pytest.fail("\n".join(beside.found[:5]), pytrace=False)


@often(60)
@given(cases(upstream=True))
def test_two_engines_with_one_meaning_do_not_differ(case: Case) -> None:
    profile = Profile(Semantics.KUBERNETES, family=case.family.name)
    sets, stacked_ = build_engine(case.world, profile), engine_for(case.world, profile, stack(case.world))
    assert set(stacked_.blocks()) <= set(sets.blocks())
    for found in (difference(sets, stacked_), difference(stacked_, sets)):
        assert [str(c) for c in found.changes] == []
    assert stacked_.atlas.workloads.keys() == sets.atlas.workloads.keys()
    one, other = sets.matrix(), stacked_.matrix()
    for source, destination in product(sets.atlas.workloads, repeat=2):
        assert one.cell(source, destination) == other.cell(source, destination)
