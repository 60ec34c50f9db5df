from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.isolation import isolate
from eksnetpol.policy.reach import gather, reach
from eksnetpol.policy.rules import lay_out
from tests.policy.worlds import busy_clusters, busy_policies, clusters, policies, resolve, selects, universe_of, verdict

Cluster = tuple[list[Pod], list[Namespace]]

# No pod has one of these, so that blocks alone decide; they are in and out of each of the blocks that rules name.
ADDRESSES = ["10.0.0.200", "10.0.1.200", "10.0.2.200", "10.2.0.200", "172.16.9.9", "192.0.2.1"]


def compare(cluster: Cluster, chosen: list[NetworkPolicy], address: str, protocol: str, port: int) -> None:
    pods, namespaces = cluster
    named = {n.name: {"kubernetes.io/metadata.name": n.name, **n.metadata.labels} for n in namespaces}
    universe = universe_of(cluster)
    isolation = isolate(universe, chosen)
    found = reach(gather(lay_out(chosen), isolation), isolation, address, protocol, port)
    assert found.allowed | found.refused == isolation.egress
    assert found.allowed & found.refused == 0
    assert found.excepted & ~found.refused == 0
    for pod_class in universe.members(isolation.egress):
        entries = []
        for policy in chosen:
            if selects(policy, pod_class.example):
                entries += resolve(policy, "Egress", pods, named)
        assert bool(found.allowed & pod_class.bit) == verdict(entries, address, protocol, port)


packets = (st.sampled_from(ADDRESSES), st.sampled_from(["TCP", "UDP"]), st.integers(78, 84))


@settings(max_examples=100, deadline=None)
@given(clusters(), st.lists(policies(), max_size=5), *packets)
def test_whoever_the_agent_lets_through_reaches(
    cluster: Cluster, chosen: list[NetworkPolicy], address: str, protocol: str, port: int
) -> None:
    compare(cluster, chosen, address, protocol, port)


@settings(max_examples=300, deadline=None)
@given(busy_clusters(), st.lists(busy_policies("egress"), min_size=1, max_size=4), *packets)
def test_whoever_the_agent_lets_through_many_rules_reaches(
    cluster: Cluster, chosen: list[NetworkPolicy], address: str, protocol: str, port: int
) -> None:
    compare(cluster, chosen, address, protocol, port)


def test_what_is_no_address_is_refused() -> None:
    nobody = isolate(universe_of(([], [])), [])
    blocks = gather(lay_out([]), nobody)
    with pytest.raises(ValueError, match="is no address"):
        reach(blocks, nobody, "nowhere", "TCP", 80)
