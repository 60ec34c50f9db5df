from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.capacity import World
from eksnetpol.policy.crowds import crowded
from eksnetpol.policy.declared import index_ports
from eksnetpol.policy.identities import identify
from eksnetpol.policy.isolation import isolate
from eksnetpol.policy.rules import Direction, lay_out
from tests.policy.worlds import agent_map, busy_clusters, busy_policies, clusters, policies, resolve, selects, universe_of

Cluster = tuple[list[Pod], list[Namespace]]


def fullest(cluster: Cluster, chosen: list[NetworkPolicy], direction: str) -> int:
    """Count the slots of every address for every identity; return the most."""
    pods, namespaces = cluster
    named = {n.name: {"kubernetes.io/metadata.name": n.name, **n.metadata.labels} for n in namespaces}
    policed = [p for p in pods if not p.spec.host_network and p.status.phase not in {"Succeeded", "Failed"}]
    most = 0
    for identity in {(p.namespace, p.name.rpartition("-")[0] or p.name) for p in policed}:
        same = [p for p in policed if (p.namespace, p.name.rpartition("-")[0] or p.name) == identity]
        entries = []
        for policy in chosen:
            if any(selects(policy, p) for p in same):
                entries += resolve(policy, direction, pods, named)
        compiled, _ = agent_map(entries)
        most = max([most, *(len(slots) for slots in compiled.values())])
    return most


def compare(cluster: Cluster, chosen: list[NetworkPolicy], above: int) -> None:
    universe = universe_of(cluster)
    world = World(universe, index_ports(universe))
    found = crowded(lay_out(chosen), isolate(universe, chosen), identify(universe), world, 4, above)
    for direction in Direction:
        most = max((c.crowd.entries for c in found if c.direction is direction), default=0)
        plain = fullest(cluster, chosen, direction)
        assert most == (plain if plain > above else 0), (direction, [c.crowd for c in found])


@settings(max_examples=100, deadline=None)
@given(clusters(), st.lists(policies(), max_size=5), st.integers(0, 4))
def test_the_most_crowded_address_is_found(cluster: Cluster, chosen: list[NetworkPolicy], above: int) -> None:
    compare(cluster, chosen, above)


@settings(max_examples=150, deadline=None)
@given(busy_clusters(), st.lists(busy_policies("ingress"), min_size=1, max_size=4), st.integers(0, 2))
def test_the_most_crowded_address_of_ingress_is_found(cluster: Cluster, chosen: list[NetworkPolicy], above: int) -> None:
    compare(cluster, chosen, above)


@settings(max_examples=150, deadline=None)
@given(busy_clusters(), st.lists(busy_policies("egress"), min_size=1, max_size=4), st.integers(0, 2))
def test_the_most_crowded_address_of_egress_is_found(cluster: Cluster, chosen: list[NetworkPolicy], above: int) -> None:
    compare(cluster, chosen, above)
