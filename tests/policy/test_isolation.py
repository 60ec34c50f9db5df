from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.isolation import isolate
from tests.policy.worlds import clusters, pods_in, policies, selects, universe_of

Cluster = tuple[list[Pod], list[Namespace]]


def isolated(cluster: Cluster, chosen: list[NetworkPolicy], direction: str) -> set[tuple[str, str]]:
    """Say pod by pod and policy by policy who is isolated, as Kubernetes words it."""
    found = set()
    for pod in cluster[0]:
        if pod.spec.host_network or pod.status.phase in {"Succeeded", "Failed"}:
            continue
        for policy in chosen:
            types = set(policy.spec.policy_types) or ({"Ingress", "Egress"} if policy.spec.egress else {"Ingress"})
            if direction in types and selects(policy, pod):
                found.add((pod.namespace, pod.name))
    return found


@given(clusters(), st.lists(policies(), max_size=5))
def test_isolation_is_what_kubernetes_says(cluster: Cluster, chosen: list[NetworkPolicy]) -> None:
    universe = universe_of(cluster)
    found = isolate(universe, chosen)
    assert pods_in(universe, found.ingress) == isolated(cluster, chosen, "Ingress")
    assert pods_in(universe, found.egress) == isolated(cluster, chosen, "Egress")


@given(clusters(), st.lists(policies(), max_size=4), st.lists(policies(), max_size=4))
def test_policies_only_add(cluster: Cluster, some: list[NetworkPolicy], more: list[NetworkPolicy]) -> None:
    universe = universe_of(cluster)
    fewer, all_ = isolate(universe, some), isolate(universe, some, more)
    assert fewer.ingress & ~all_.ingress == 0
    assert fewer.egress & ~all_.egress == 0
    assert [s.kind for s in all_.subjects] == ["NetworkPolicy"] * len(some) + ["ApplicationNetworkPolicy"] * len(more)


@given(clusters(), st.lists(policies(), max_size=5))
def test_each_policy_selects_the_pods_it_says(cluster: Cluster, chosen: list[NetworkPolicy]) -> None:
    universe = universe_of(cluster)
    for subjects in isolate(universe, chosen).subjects:
        plain = {(p.namespace, p.name) for p in cluster[0] if selects(subjects.policy, p)}
        assert pods_in(universe, subjects.selected) == plain
