from __future__ import annotations

from hypothesis import given

from eksnetpol.model.kubernetes import Namespace, Pod
from eksnetpol.model.versions import Release
from eksnetpol.policy.identities import identify
from eksnetpol.policy.identity import identity_of, prefix_of
from tests.policy.worlds import clusters, universe_of

Cluster = tuple[list[Pod], list[Namespace]]


@given(clusters())
def test_shared_identities_are_those_that_pods_of_several_classes_bear(cluster: Cluster) -> None:
    universe = universe_of(cluster)
    found = identify(universe)
    bearers: dict[str, set[int]] = {}
    for c in universe.classes:
        for p in c.pods:
            if not p.spec.host_network and not p.is_terminal:
                bearers.setdefault(identity_of(p.name, p.namespace, None), set()).add(c.index)
    plain = {identity: indexes for identity, indexes in bearers.items() if len(indexes) > 1}
    shared = {f"{prefix_of(prefix + '-x')}@{ns}": classes for (ns, prefix), classes in found.shared.items()}
    assert {i: {c.index for c in universe.members(classes)} for i, classes in shared.items()} == plain
    for identity, indexes in plain.items():
        for index in indexes:
            assert all(found.spread(1 << index) >> i & 1 for i in indexes), identity


def test_old_agents_join_with_a_dash() -> None:
    old, current = Release(1, 3, 7), Release(1, 4, 0)
    assert identity_of("a-b-x", "c", old) == identity_of("a-x", "b-c", Release(1, 0, 0)) == "a-b-c"
    assert identity_of("a-b-x", "c", current) == identity_of("a-b-x", "c", None) == "a-b@c"


def test_a_name_without_a_dash_is_its_own_prefix() -> None:
    assert prefix_of("solo") == "solo"
    assert prefix_of("web.v-0") == "web_v"
