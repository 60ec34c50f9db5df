"""Who may speak to a Service's address, for all pods at once, is what the engine says of each pod."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from eksnetpol.model.kubernetes import Namespace, ObjectMeta, Pod, Service, ServicePort, ServiceSpec
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Pods, ServiceAddress
from eksnetpol.policy.declared import index_ports
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.identities import identify
from eksnetpol.policy.isolation import isolate
from eksnetpol.policy.openings import Openings
from eksnetpol.policy.peers import sort_out
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.reach import gather
from eksnetpol.policy.rules import lay_out, peer_classes
from eksnetpol.policy.universe import set_of
from eksnetpol.policy.weights import Sums, Weights, weigh
from eksnetpol.policy.world import World
from tests.policy.worlds import clusters, labels, policies, universe_of

Cluster = tuple[list[Pod], list[Namespace]]

services = st.builds(
    lambda namespace, selector, port, target: Service(
        ObjectMeta(name="front", namespace=namespace),
        ServiceSpec(cluster_ip="10.0.0.77", selector=selector, ports=(ServicePort(port, target_port=target),)),
    ),
    st.sampled_from(["shop", "bank"]),
    labels,
    st.integers(79, 82),
    st.sampled_from([79, 80, 81, 8080]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(clusters(), st.lists(policies(), max_size=4, unique_by=lambda p: (p.namespace, p.name)), services)
def test_it_is_what_the_engine_says_of_each_pod(cluster: Cluster, chosen: list[NetworkPolicy], service: Service) -> None:
    pods, namespaces = cluster
    universe = universe_of(cluster)
    # Pods that the agent takes for one get each other's rules, which is another check's business.
    assume(not identify(universe).entangled)
    isolation, rules = isolate(universe, chosen), lay_out(chosen)
    # The controller resolves egress rules that policyTypes leaves out; checks speak of isolated pods alone.
    openings = Openings(isolation, gather(rules, isolation), sort_out(universe, rules, weigh(universe)), index_ports(universe))
    (port,) = service.spec.ports
    opening = openings.to(service, "TCP", port.port)
    assert opening.perhaps == 0
    assert opening.allowed & ~isolation.egress == 0
    world = World(tuple(pods), tuple(namespaces), (service,), network_policies=tuple(chosen))
    engine = build_engine(world, Profile())
    for pod_class in universe.members(isolation.egress):
        one = pod_class.example
        at = engine.atlas.class_of[one.namespace, one.name]
        party = Pods(1 << at, "one", (one,))
        said = engine.decide(party, ServiceAddress(service, "front"), "TCP", port.port).sides[0]
        assert bool(opening.allowed & pod_class.bit) == said.allowed, one.name


@settings(max_examples=200, deadline=None)
@given(clusters(), st.lists(policies(), max_size=5))
def test_peers_sorted_out_are_the_peers_of_all_rules(cluster: Cluster, chosen: list[NetworkPolicy]) -> None:
    universe = universe_of(cluster)
    rules = lay_out(chosen)
    found = {(id(rule), at): peer for peer in sort_out(universe, rules, weigh(universe)) for rule, at in peer.places}
    for rule in rules.everything:
        for at, peer in enumerate(rule.peers):
            if peer.ip_block is not None:
                assert (id(rule), at) not in found
            else:
                sorted_ = found[id(rule), at]
                assert sorted_.pods == universe.count_pods(sorted_.classes)
                assert sorted_.classes == peer_classes(universe, rule.policy.namespace, peer)
                assert msgspec.to_builtins(sorted_.peer) == msgspec.to_builtins(peer)


@given(clusters(), st.data())
def test_weights_are_numbers_of_pods(cluster: Cluster, data: st.DataObject) -> None:
    universe = universe_of(cluster)
    weights = weigh(universe)
    classes = data.draw(st.integers(0, universe.everything))
    pods = universe.count_pods(classes)
    assert weights.of(classes) == pods
    bound = data.draw(st.integers(0, 10))
    assert weights.exceed(bound, classes) == (pods > bound)


@dataclass
class Slow:
    """Sums, one class at a time."""

    numbers: list[int]

    def add(self, members: set[int], amount: int) -> None:
        """Add to each by itself."""
        for index in members:
            self.numbers[index] += amount


@given(st.lists(st.tuples(st.sets(st.integers(0, 9)), st.integers(0, 300)), max_size=12), st.integers(0, 1000))
def test_sums_are_those_of_each_class(added: list[tuple[set[int], int]], bound: int) -> None:
    fast, slow = Sums(), Slow([0] * 10)
    for members, amount in added:
        fast.add(set_of(members), amount)
        slow.add(members, amount)
    everybody = set_of(range(10))
    assert fast.above(bound, everybody) == set_of(i for i, number in enumerate(slow.numbers) if number > bound)


def test_a_crowd_is_counted_and_not_told_at_a_glance() -> None:
    weights = Weights((0b1, 0b0, 0b0, 0b0, 0b0, 0b0, 0b1), 0b1)
    assert weights.of(0b1) == 65
    assert weights.exceed(64, 0b1)
    assert not weights.exceed(65, 0b1)
