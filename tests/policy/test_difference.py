"""Two matrices laid over each other say what a comparison of every pair says."""

from __future__ import annotations

from hypothesis import given

from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Addresses, Pods
from eksnetpol.policy.cells import NONE, table
from eksnetpol.policy.difference import Change, difference, first_of, witness
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.outside import cut
from eksnetpol.policy.profile import Profile, Semantics
from tests.policy import shop
from tests.policy.test_cells import RANDOM, Cluster, given_policies, profiles, world_of
from tests.policy.worlds import clusters


@RANDOM
@given(clusters(), clusters(), given_policies, given_policies, profiles, profiles)
def test_what_differs_is_what_differs_pair_by_pair(
    one: Cluster, other: Cluster, before: list[NetworkPolicy], after: list[NetworkPolicy], first: Profile, second: Profile
) -> None:
    old, new = build_engine(world_of(one, before), first), build_engine(world_of(other, after), second)
    found = difference(old, new)
    atoms = cut({*old.blocks(), *new.blocks()}, 4)
    was = {(s.title, d.title): a for s, d, a in table(old, atoms, frozenset()).cells()}
    now = {(s.title, d.title): a for s, d, a in table(new, atoms, frozenset()).cells()}
    places = {p.title for p in found.before.places} & {p.title for p in found.after.places}
    expected = {
        pair: (was.get(pair, NONE), now.get(pair, NONE))
        for pair in {*was, *now}
        if was.get(pair, NONE) != now.get(pair, NONE) and set(pair) <= places
    }
    assert {(c.source.title, c.destination.title): (c.before, c.after) for c in found.changes} == expected
    assert {p.title for p in found.only_before} == {str(w) for w in old.atlas.workloads} - {str(w) for w in new.atlas.workloads}
    assert {p.title for p in found.only_after} == {str(w) for w in new.atlas.workloads} - {str(w) for w in old.atlas.workloads}


@RANDOM
@given(clusters(), given_policies, given_policies)
def test_the_other_way_round_gains_are_losses(cluster: Cluster, before: list[NetworkPolicy], after: list[NetworkPolicy]) -> None:
    old, new = build_engine(world_of(cluster, before), Profile()), build_engine(world_of(cluster, after), Profile())
    there, back = difference(old, new), difference(new, old)
    assert (there.widened, there.narrowed) == (back.narrowed, back.widened)
    assert {(c.source.title, c.destination.title, c.gained, c.lost) for c in there.changes} == {
        (c.source.title, c.destination.title, c.lost, c.gained) for c in back.changes
    }
    assert not difference(old, old).changes


@RANDOM
@given(clusters(), given_policies)
def test_a_witness_shows_that_two_meanings_differ(cluster: Cluster, given_: list[NetworkPolicy]) -> None:
    world = world_of(cluster, given_)
    found = difference(build_engine(world, Profile(Semantics.KUBERNETES)), build_engine(world, Profile(Semantics.VPC_CNI)))
    for change in found.changes[:5]:
        assert change.source is not change.destination
        shown = witness(found, change)
        assert shown is not None
        assert shown[0].allowed != shown[1].allowed
        assert (shown[0].protocol, shown[0].port) == (first_of(change.lost) or first_of(change.gained))


def test_changes_have_names_for_what_happened() -> None:
    closed = {"name": "solo", "pods": {"app": "solo"}, "types": ["Ingress"]}
    before, after = shop.engine(), shop.engine(policies=[*(p for p in shop.POLICIES if p["name"] != "api"), closed])
    found = difference(before, after)
    kinds = {(c.source.title, c.destination.title): c.change for c in found.changes}
    assert kinds["shop/StatefulSet/db", "shop/Deployment/api"] is Change.ADDED
    assert kinds["shop/Deployment/web", "shop/Deployment/api"] is Change.CHANGED
    assert kinds["shop/Deployment/api", "shop/Pod/solo"] is Change.REMOVED
    assert (found.widened, found.narrowed) == (True, True)
    assert sum(found.counts.values()) == len(found.changes)


def test_blocks_outside_are_cut_by_the_policies_of_both() -> None:
    def opening(cidr: str) -> list[dict[str, object]]:
        return [{"name": "p", "pods": {"app": "db"}, "ingress": [{"from": [{"ipBlock": {"cidr": cidr}}]}]}]

    before, after = shop.engine(policies=opening("198.51.100.0/24")), shop.engine(policies=opening("198.51.100.0/25"))
    found = difference(before, after)
    changes = [(c.source.title, c.change) for c in found.changes if c.destination.title == "shop/StatefulSet/db"]
    assert changes == [("198.51.100.0/24", Change.REMOVED)]
    (change,) = (c for c in found.changes if c.destination.title == "shop/StatefulSet/db")
    assert change.source.but == ("198.51.100.0/25",)
    db = Pods(before.atlas.workloads[before.atlas.workload_of[before.atlas.class_of["shop", "db-0"]]], "db")
    address = Addresses(f"{change.source.sample}/32", "")
    assert before.decide(address, db, "TCP", 1).allowed
    assert not after.decide(address, db, "TCP", 1).allowed


@RANDOM
@given(clusters(), given_policies, given_policies)
def test_where_only_some_are_asked_for_every_source_and_destination_is_among_them(
    cluster: Cluster, before: list[NetworkPolicy], after: list[NetworkPolicy]
) -> None:
    old, new = build_engine(world_of(cluster, before), Profile()), build_engine(world_of(cluster, after), Profile())
    whole, some = difference(old, new), difference(old, new, most=0)
    assert set(some.changes) <= set(whole.changes)
    assert len(some.changes) + some.left_out == len(whole.changes)
    for one in whole.changes:
        ways = one.before, one.after
        alike = [c for c in some.changes if (c.before, c.after) == ways]
        assert one.source in {c.source for c in alike}
        assert one.destination in {c.destination for c in alike}
