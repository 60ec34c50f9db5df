from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.policy.universe import indexes_of, key_of, set_of
from tests.policy.worlds import NAMESPACES, clusters, pods_in, selectors, universe_of

Cluster = tuple[list[Pod], list[Namespace]]


@given(clusters(), st.sampled_from(NAMESPACES), selectors)
def test_a_selector_means_the_pods_whose_labels_match(cluster: Cluster, namespace: str, selector: LabelSelector) -> None:
    universe = universe_of(cluster)
    plain = {(p.namespace, p.name) for p in cluster[0] if p.namespace == namespace and selector.matches(p.labels)}
    assert pods_in(universe, universe.select_in(namespace, selector)) == plain


@given(clusters(), selectors)
def test_a_namespace_selector_means_the_pods_of_namespaces_whose_labels_match(cluster: Cluster, selector: LabelSelector) -> None:
    pods, namespaces = cluster
    universe = universe_of(cluster)
    named = {n.name: {"kubernetes.io/metadata.name": n.name, **n.metadata.labels} for n in namespaces}
    plain = {(p.namespace, p.name) for p in pods if selector.matches(named[p.namespace])}
    assert pods_in(universe, universe.select_namespaces(selector)) == plain


@given(clusters())
def test_every_pod_is_in_exactly_one_class(cluster: Cluster) -> None:
    universe = universe_of(cluster)
    members = [(p.namespace, p.name) for c in universe.classes for p in c.pods]
    assert sorted(members) == sorted((p.namespace, p.name) for p in cluster[0])
    assert universe.count_pods(universe.everything) == len(cluster[0])


@given(clusters())
def test_pods_of_a_class_are_alike(cluster: Cluster) -> None:
    for c in universe_of(cluster).classes:
        for p in c.pods:
            assert (p.namespace, dict(p.labels), p.containers) == (c.namespace, dict(c.labels), c.containers)
            assert (p.spec.host_network, p.is_terminal) == (c.host_network, c.is_terminal)


@given(st.sets(st.integers(0, 300)))
def test_a_set_of_classes_holds_what_was_put_in(indexes: set[int]) -> None:
    assert list(indexes_of(set_of(indexes))) == sorted(indexes)
    assert int.from_bytes(key_of(set_of(indexes)), "little") == set_of(indexes)


def test_a_namespace_nobody_listed_has_its_name_as_label() -> None:
    from tests.policy.worlds import PodWords, pod

    universe = universe_of(([pod(PodWords("attic", "x", {}, "10.0.0.1", False, "Running", None))], []))  # noqa: FBT003
    assert universe.select_namespaces(LabelSelector(match_labels={"kubernetes.io/metadata.name": "attic"})) == 1
    assert universe.select_namespaces(LabelSelector(match_labels={"team": "a"})) == 0
