"""A migration rehearsed in memory: as it should go, and with one thing of its plan, or of its cluster, wrong."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from eksnetpol.errors import EksNetpolError
from eksnetpol.migration.timeline import Rehearsal
from eksnetpol.migration.waived import Waived, allowing
from eksnetpol.migration.watching import Census
from eksnetpol.model.plan import Plan, Step
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import Unread
from eksnetpol.operations.migration import source_of
from eksnetpol.operations.rehearsal import rehearse_migration
from eksnetpol.policy.profile import Profile
from eksnetpol.simulation.world import SimulatedCluster
from tests.migration.shops import BROUGHT, NODES, SOURCE, brought, plan, snapshot

PROFILE = Profile(family="ipv4")


def rehearsed(
    made: Plan | None = None,
    *,
    policies: tuple[NetworkPolicy, ...] | None = None,
    ebpf: bool = False,
    waived: Waived | None = None,
    prepare: Callable[[SimulatedCluster], object] = lambda _: None,
) -> Rehearsal:
    """Return how a plan goes, that of the shop where none is given."""
    mine = snapshot()
    bring = brought() if policies is None else policies
    return rehearse_migration(
        made or plan(), mine, source_of(mine, "calico"), bring, profile=PROFILE, ebpf=ebpf, waived=waived, prepare=prepare
    )


def broken(done: Rehearsal) -> list[tuple[str, str]]:
    """Return which invariant was broken in which step, each pair once."""
    return list(dict.fromkeys((v.invariant.value, v.step) for v in done.violations))


def without(*names: str) -> Plan:
    """Return the plan without some of its steps."""
    made = plan()
    return replace(made, steps=tuple(step for step in made.steps if step.id not in names))


def earlier(name: str, before: str) -> Plan:
    """Return the plan with one step before another."""
    made = plan()
    steps = [step for step in made.steps if step.id != name]
    at = [step.id for step in steps].index(before)
    moved = next(step for step in made.steps if step.id == name)
    return replace(made, steps=(*steps[:at], moved, *steps[at:]))


def changed(name: str, change: Callable[[Step], Step]) -> Plan:
    """Return the plan with one step changed."""
    made = plan()
    return replace(made, steps=tuple(change(step) if step.id == name else step for step in made.steps))


def test_a_migration_goes_well() -> None:
    done = rehearsed()
    assert (done.error, done.violations) == ("", ())
    assert done.went_well
    assert done.exit_code == 0
    assert [beat.step for beat in done.beats] == [step.id for step in plan().steps]
    assert done.beginning == Census(old=3)
    assert done.end == Census(new=3)
    assert [(p.name, p.beats, p.after) for p in done.phases] == [
        ("4 apply", 1, Census(old=3)),
        ("5a controller", 1, Census(old=3)),
        ("5b agent", 2, Census(both=3)),
        ("6 exit", 14, Census(new=3)),
        ("7 uninstall", 2, Census(new=3)),
        ("8 left-overs", 1, Census(new=3)),
    ]
    assert 600 < done.seconds < 1200
    assert done.looks > 100
    assert {(beat.wider, beat.narrower, beat.cut_off) for beat in done.beats} == {(0, 0, 0)}
    by_name = {beat.step: beat for beat in done.beats}
    assert by_name["apply/shop/db"].way_back == "Delete networkpolicy/shop/db"
    assert by_name["uninstall/agents"].door == "uninstall"
    ends = [beat.began + beat.seconds for beat in done.beats]
    assert ends == sorted(ends)
    assert ends[-1] == pytest.approx(done.seconds)


def test_two_rehearsals_are_alike() -> None:
    assert rehearsed() == rehearsed()


def test_a_rehearsal_can_be_written_and_read_again() -> None:
    done = rehearsed()
    assert msgspec.json.decode(msgspec.json.encode(done), type=Rehearsal) == done


def test_the_rules_are_taken_out_of_a_node_before_the_new_agent_is_there() -> None:
    made = plan()
    late = [step for step in made.steps if step.phase == "5b agent"]
    rest = [step for step in made.steps if step.phase != "5b agent"]
    done = rehearsed(replace(made, steps=(*rest[:-3], *late, *rest[-3:])))
    assert broken(done)[:2] == [("I1", "roll/node-a/clean"), ("I3", "roll/node-a/clean")]
    assert {v.nodes for v in done.violations if v.invariant == "I1"} == {(node,) for node in NODES}
    worst = max(done.beats, key=lambda beat: beat.wider)
    assert worst.wider > 0
    assert worst.flows
    assert done.exit_code == 1


def test_the_old_agent_leaves_nodes_that_take_new_pods_and_its_rules_stay() -> None:
    made = without(*(f"roll/{node}/{what}" for node in NODES for what in ("cordon", "clean", "uncordon")))
    late = [step for step in made.steps if step.phase == "5b agent"]
    rest = [step for step in made.steps if step.phase != "5b agent"]
    soak = next(step for step in rest if step.id == "soak")
    done = rehearsed(replace(made, steps=(*rest[:-4], soak, *late, *rest[-3:])))
    assert broken(done) == [("I1", "soak")]
    assert "takes new pods" in done.violations[0].words


def test_the_policies_are_never_applied() -> None:
    done = rehearsed(without("apply/shop/db"))
    assert ("I3", "roll/node-a/clean") in broken(done)
    assert "shop/StatefulSet/db (node-a: the VPC CNI)" in next(v.words for v in done.violations)


def test_a_policy_that_widens_is_caught_and_what_was_taken_on_is_not() -> None:
    wide = {**BROUGHT, "spec": {**BROUGHT["spec"], "ingress": [{"ports": [{"protocol": "TCP", "port": 5432}]}]}}
    policies = (msgspec.convert(wide, NetworkPolicy),)

    def widened(step: Step) -> Step:
        return replace(step, action=replace(step.action, object=wide), until=replace(step.until, object=wide))

    made = changed("apply/shop/db", widened)
    assert broken(rehearsed(made, policies=policies)) == [("I3", "apply/shop/db")]
    assert rehearsed(made, policies=policies, waived=Waived(allowing(()), policies)).went_well


def test_a_policy_that_narrows_is_shown_and_is_no_violation() -> None:
    narrow = {**BROUGHT, "spec": {**BROUGHT["spec"], "ingress": []}}
    policies = (msgspec.convert(narrow, NetworkPolicy),)
    made = changed(
        "apply/shop/db",
        lambda step: replace(step, action=replace(step.action, object=narrow), until=replace(step.until, object=narrow)),
    )
    done = rehearsed(made, policies=policies)
    assert done.went_well
    narrower = {beat.step: beat.narrower for beat in done.beats}
    assert (narrower["apply/shop/db"], narrower["roll-out"]) == (0, 1)
    assert done.beats[-1].lost == (("shop/StatefulSet/web", "shop/StatefulSet/db", "TCP 5432"),)


def test_two_ebpf_engines_would_be_on_each_node() -> None:
    done = rehearsed(ebpf=True)
    assert {name for name, _ in broken(done)} == {"I2"}
    assert {node for v in done.violations for node in v.nodes} == set(NODES)


def test_sources_are_deleted_before_all_have_moved() -> None:
    assert ("I4", "left-overs/policies") in broken(rehearsed(earlier("left-overs/policies", "roll/node-b/cordon")))


def test_nobody_waits_to_see_whether_the_cluster_does_well() -> None:
    assert broken(rehearsed(without("soak"))) == [("I4", "left-overs/policies")]


def test_a_step_has_no_way_back() -> None:
    assert broken(rehearsed(changed("exclude", lambda step: replace(step, undo=None)))) == [("I5", "exclude")]


def test_the_control_plane_goes_first() -> None:
    done = rehearsed(earlier("uninstall/controllers", "roll/node-b/cordon"))
    assert broken(done) == [("I6", "uninstall/controllers")]


def test_a_plan_writes_what_gitops_keeps_as_it_is() -> None:
    mine = snapshot()
    assert not isinstance(mine.daemonsets, Unread)
    tracked = tuple(
        replace(w, metadata=replace(w.metadata, labels={**w.metadata.labels, "argocd.argoproj.io/instance": "calico"}))
        if w.metadata.name == "calico-node"
        else w
        for w in mine.daemonsets.value
    )
    mine = replace(mine, daemonsets=replace(mine.daemonsets, value=tracked))
    done = rehearse_migration(plan(), mine, source_of(mine, "calico"), brought(), profile=PROFILE)
    assert ("I7", "exclude") in broken(done)
    assert "Argo CD keeps as it is" in next(v.words for v in done.violations)


def test_an_agent_that_never_starts_stops_the_run_and_is_named() -> None:
    done = rehearsed(prepare=lambda cluster: cluster.doom_nodes(["node-b"]))
    assert not done.went_well
    assert done.beats[-1].step == "roll-out"
    assert done.beats[-1].ending == "failed"
    assert "node-b" in done.error
    assert broken(done) == []
    assert done.end == Census(old=2, both=1) or done.end.new == 0


def test_a_snapshot_without_pods_is_refused() -> None:
    mine = replace(snapshot(), pods=Unread("pods is forbidden"))
    with pytest.raises(EksNetpolError, match="pods"):
        rehearse_migration(plan(), mine, source_of(mine, "calico"), brought(), profile=PROFILE)


def test_policies_that_are_not_read_are_no_policies_of_nobody() -> None:
    mine = replace(snapshot(), foreign_policies=Unread("networkpolicies is forbidden"))
    with pytest.raises(EksNetpolError, match="foreign policies could not be read"):
        source_of(mine, "calico")
    assert SOURCE["kind"] == "NetworkPolicy"
