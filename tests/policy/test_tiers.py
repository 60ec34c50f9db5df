"""Ordered tiers: what is worked out for all pairs at once equals the fold of one pair, and the fold equals a walk by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.model.findings import Subject
from eksnetpol.policy.answers import Say
from eksnetpol.policy.connections import EVERYTHING, NOTHING, Connections
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.tiers import OPEN, Ordered, State, Tier

CLASSES = 4
PORTS = (80, 81, 82)


def opened(*ports: int) -> Connections:
    return Connections.only("TCP", PortSet.of(*ports))


subsets = st.integers(0, (1 << CLASSES) - 1)
rules = st.builds(
    lambda direction, subjects, peers, say, ports, named: Ordered(
        Subject("ClusterNetworkPolicy", "p"), "x[0]", direction, subjects, peers, (), say, opened(*ports), named
    ),
    st.sampled_from(list(Direction)),
    subsets,
    subsets,
    st.sampled_from([Say.ALLOWS, Say.DENIES, Say.PASSES]),
    st.sets(st.sampled_from(PORTS)),
    st.lists(st.tuples(st.just(opened(82)), subsets), max_size=1).map(tuple),
)


def tier(ordered: list[Ordered]) -> Tier:
    return Tier(tuple(ordered), (1 << CLASSES) - 1, lambda _: 0)


def walked(ordered: list[Ordered], direction: Direction, subject: int, peer: int, port: int) -> Say | None:
    """Ask the rules in their order about one packet; what passes asks no further rule of the tier."""
    for rule in ordered:
        looked_up = subject if direction is Direction.INGRESS else peer
        spoken = rule.connections.allows("TCP", port) or any(
            extra.allows("TCP", port) and classes >> looked_up & 1 for extra, classes in rule.named
        )
        if rule.direction is direction and rule.subjects >> subject & 1 and rule.peers >> peer & 1 and spoken:
            return None if rule.say is Say.PASSES else rule.say
    return None


@given(st.lists(rules, max_size=5), st.sampled_from(list(Direction)))
def test_a_fold_is_what_a_packet_meets(ordered: list[Ordered], direction: Direction) -> None:
    for subject in range(CLASSES):
        for peer in range(CLASSES):
            state = tier(ordered).fold(direction, subject, peer, None, 4)
            for port in PORTS:
                said = walked(ordered, direction, subject, peer, port)
                assert state.allowed.allows("TCP", port) is (said is Say.ALLOWS)
                assert state.undecided.allows("TCP", port) is (said is None)


@given(st.lists(rules, max_size=5))
def test_all_sources_at_once_are_each_source_by_itself(ordered: list[Ordered]) -> None:
    one = tier(ordered)
    for destination in range(CLASSES):
        for state, classes in one.into(destination):
            for source in (i for i in range(CLASSES) if classes >> i & 1):
                assert state == one.fold(Direction.INGRESS, destination, source, None, 4)
        for state, classes in one.out_to(destination):
            for source in (i for i in range(CLASSES) if classes >> i & 1):
                assert state == one.fold(Direction.EGRESS, source, destination, None, 4)


@given(st.lists(rules, max_size=5))
def test_states_part_all_classes(ordered: list[Ordered]) -> None:
    one = tier(ordered)
    for states in (*(one.into(d) for d in range(CLASSES)), *(one.out_to(d) for d in range(CLASSES))):
        together = 0
        for _, classes in states:
            assert classes & together == 0
            together |= classes
        assert together == (1 << CLASSES) - 1


def test_a_tier_without_rules_decides_nothing() -> None:
    assert tier([]).fold(Direction.INGRESS, 0, 1, None, 4) == OPEN == State(NOTHING, EVERYTHING)
    assert not tier([])
