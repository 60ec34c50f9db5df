"""The matrix by places says what the engine says of each pair, asked one by one."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Answer, Engine, Pods, Workload
from eksnetpol.policy.cells import NONE, table
from eksnetpol.policy.connections import NOTHING
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import STANDARD, Mode, Profile
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.world import World
from tests.policy import shop
from tests.policy.worlds import clusters, policies

Cluster = tuple[list[Pod], list[Namespace]]
RANDOM = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
profiles = st.builds(Profile, st.sampled_from(list(STANDARD)), mode=st.sampled_from(list(Mode)))
given_policies = st.lists(policies(), max_size=4, unique_by=lambda p: (p.namespace, p.name))


def world_of(cluster: Cluster, given_: list[NetworkPolicy]) -> World:
    return World(pods=tuple(cluster[0]), namespaces=tuple(cluster[1]), network_policies=tuple(given_))


def with_outside(engine: Engine, direction: Direction, address: str, workload: Workload) -> Answer:
    """What one workload has with an address, class by class."""
    found: Answer | None = None
    partition = engine.outside(direction, address)
    for member in engine.atlas.universe.members(engine.atlas.workloads[workload]):
        mine = next((c for c, classes in partition if classes & member.bit), NOTHING)
        one = Answer(mine, mine)
        found = one if found is None else found | one
    assert found is not None
    return found


@RANDOM
@given(clusters(), given_policies, profiles)
def test_cells_are_what_each_pair_answers(cluster: Cluster, given_: list[NetworkPolicy], profile: Profile) -> None:
    engine = build_engine(world_of(cluster, given_), profile)
    made = table(engine)
    matrix = engine.matrix()
    cells = {(s.title, d.title): answer for s, d, answer in made.cells()}
    for source in made.places:
        for destination in made.places:
            said = cells.get((source.title, destination.title), NONE)
            if source is destination and source.is_alone:
                assert said == NONE
            elif source.workload is not None and destination.workload is not None:
                assert said == matrix.cell(source.workload, destination.workload)
            elif destination.workload is not None:
                assert said == with_outside(engine, Direction.INGRESS, source.sample, destination.workload)
            elif source.workload is not None:
                assert said == with_outside(engine, Direction.EGRESS, destination.sample, source.workload)
            else:
                assert said == NONE


def test_rows_are_workloads_first_and_then_blocks_outside() -> None:
    made = table(shop.engine())
    assert [p.title for p in made.places][:2] == ["shop/Deployment/web", "shop/Deployment/api"]
    assert [(p.title, p.but) for p in made.places if p.is_outside] == [
        ("internet", ()),
        ("198.18.0.0/15", ()),
        ("203.0.113.0/24", ("203.0.113.128/25",)),
        ("203.0.113.128/25", ()),
    ]


def test_a_block_whose_addresses_are_all_pods_is_no_place_outside() -> None:
    rule = {"name": "p", "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.3.1/32"}}]}]}
    assert [p.title for p in table(shop.engine(policies=[rule])).places if p.is_outside] == ["internet"]


def test_workloads_whose_pods_differ_have_it_in_part() -> None:
    rule = {"name": "p", "pods": {"app": "mixed"}, "ingress": [{"ports": [{"port": "http", "protocol": "TCP"}]}]}
    engine = shop.engine(shop.KUBERNETES, [rule])
    cells = {(s.title, d.title): a for s, d, a in table(engine).cells()}
    answer = cells["shop/Pod/solo", "shop/ReplicaSet/mixed"]
    assert not answer.every
    assert answer.some["TCP"].intervals == ((8080, 8080), (9090, 9090))
    solo = engine.atlas.workloads[Workload("shop", "Pod", "solo")]
    mixed = engine.atlas.workloads[Workload("shop", "ReplicaSet", "mixed")]
    assert answer == engine.connections(Pods(solo, ""), Pods(mixed, ""))
