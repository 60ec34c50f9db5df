"""Each invariant is broken once, and seen to be."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import replace

from eksnetpol.migration.invariants import Invariant, disordered, disowning, irreversible, unkept
from eksnetpol.migration.rules import Rules
from eksnetpol.migration.watching import Census
from eksnetpol.model.conditions import All
from eksnetpol.model.enforcement import Enforcement, NodeState
from eksnetpol.model.foreign import ForeignPolicy
from eksnetpol.model.policies import NetworkPolicy, NetworkPolicySpec
from tests.migration.moments import (
    ABSENT,
    CONTROLLERS,
    DAEMONSET,
    FROZEN,
    LIVE,
    NODES,
    STARTING,
    Stage,
    a_plan,
    policy,
    standard,
)


@dataclass
class Line:
    """A line of a journal."""

    event: str
    step: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def story(*lines: str) -> list[Line]:
    """Return the lines of a journal, written as ``event step``."""
    return [Line(event, step) for event, _, step in (line.partition(" ") for line in lines)]


WELL = story(
    "opened", "started apply", "acted apply", "succeeded apply", "started soak", "succeeded soak",
    "started delete", "acted delete", "succeeded delete", "closed",
)  # fmt: skip


def test_a_migration_that_is_done_well_breaks_nothing() -> None:
    stage = Stage().well()
    assert stage.broken == []
    assert stage.watch.census == Census(new=3)
    assert stage.watch.looks > 20
    assert not [*irreversible(stage.plan), *disordered(stage.plan, WELL), *disowning(stage.plan, lambda _: "")]


# --- I1 ---------------------------------------------------------------------------------------------------------------


def test_the_old_agent_leaves_before_the_new_one_enforces() -> None:
    stage = Stage()
    stage.turn("n2", step="roll/n2/label", old=ABSENT)
    (enforced, wider) = stage.watch.violations
    assert (enforced.invariant, enforced.step, enforced.nodes, enforced.at) == ("I1", "roll/n2/label", ("n2",), 10.0)
    assert enforced.words == "nobody enforces on it, and 1 pod is there: the old engine is absent, the VPC CNI's agent absent"
    assert wider.invariant is Invariant.NOT_WIDER


def test_frozen_rules_are_enough_on_a_node_that_takes_no_new_pods() -> None:
    stage = Stage()
    stage.turn("n2", schedulable=False)
    stage.turn("n2", old=FROZEN)
    assert stage.broken == []
    stage.turn("n2", schedulable=True)
    assert stage.broken == ["I1"]
    assert stage.watch.violations[0].words == "its rules are frozen, and it takes new pods, which would be cut off"


def test_a_pod_that_starts_on_frozen_rules_is_cut_off() -> None:
    stage = Stage()
    stage.turn("n2", schedulable=False, old=FROZEN, pods=2, late=1)
    assert stage.watch.violations[0].words == "1 pod is there that started after its rules were frozen, and nothing reaches them"
    assert stage.watch.exposure.narrowed().cut_off == 1


def test_an_empty_node_needs_no_engine() -> None:
    stage = Stage()
    stage.where["db"] = "n1"
    stage.turn("n1", pods=2)
    stage.turn("n2", pods=0, old=ABSENT, new=STARTING)
    assert stage.broken == []


def test_what_is_broken_for_long_is_said_once_and_again_when_it_breaks_again() -> None:
    stage = Stage()
    for _ in range(3):
        stage.turn("n2", schedulable=True, old=FROZEN)
    stage.turn("n2", old=LIVE)
    stage.turn("n2", old=FROZEN)
    assert stage.broken == ["I1", "I1"]


def test_an_agent_that_restarts_is_waited_for() -> None:
    stage = Stage(grace=60)
    stage.turn("n2", old=FROZEN)
    stage.turn("n2", old=LIVE)
    stage.turn("n2", old=FROZEN)
    for _ in range(5):
        stage.turn("n1")
    assert stage.broken == []
    stage.turn("n1")
    assert [(v.invariant, v.nodes, v.at) for v in stage.watch.violations] == [("I1", ("n2",), 90.0)]
    stage.turn("n1")
    assert stage.broken == ["I1"]


# --- I2 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("new", [STARTING, LIVE, FROZEN])
@pytest.mark.parametrize("ebpf", [True, False])
def test_two_ebpf_engines_on_a_node(new: Enforcement, *, ebpf: bool) -> None:
    stage = Stage(ebpf=ebpf)
    stage.bring(*stage.brought)
    stage.turn("n1", new=new)
    assert stage.broken == (["I2"] if ebpf else [])


# --- I3 ---------------------------------------------------------------------------------------------------------------


def test_the_new_engine_enforces_alone_before_its_policies_are_there() -> None:
    stage = Stage()
    stage.turn(new=LIVE)
    stage.turn("n2", step="roll/n2/label", old=ABSENT)
    (wider,) = stage.watch.violations
    assert (wider.invariant, wider.step) == (Invariant.NOT_WIDER, "roll/n2/label")
    assert "n2" in wider.nodes
    assert wider.words.endswith("flows, and did not, and 2 more pairs"), wider.words


def test_a_policy_that_lets_more_through_is_seen_as_soon_as_it_counts() -> None:
    stage = Stage(brought=(standard("db", "db", None),))
    stage.bring(*stage.brought)
    # Under Calico it is in force already, beside Calico's own.
    assert stage.broken == ["I3"]
    assert str(stage.watch.exposed.flows[0]) == (
        "shop/StatefulSet/spy (n3: the old engine) to shop/StatefulSet/db (n2: the old engine), TCP 80"
    )
    stage.bring()
    stage.bring(*stage.brought)
    assert stage.broken == ["I3", "I3"]


def test_what_was_taken_on_by_name_is_no_violation() -> None:
    stage = Stage(brought=(standard("db", "db", None),), accepted=("db",))
    assert stage.well().broken == []


def test_a_waiver_takes_on_nothing_of_another_policy() -> None:
    wide = (standard("db", "db", None), standard("web", "web", None))
    stage = Stage((policy("db", "db", "web"), policy("web", "web", "nobody")), wide, accepted=("db",))
    stage.bring(*stage.brought)
    assert stage.broken == ["I3"]
    flows = {(flow.source, flow.destination) for flow in stage.watch.exposed.flows}
    assert {destination for _, destination in flows} == {"shop/StatefulSet/web"}


def test_what_was_taken_on_has_to_flow_in_the_end_too() -> None:
    # Nobody enforces for a while: that is more than the policy that was waived lets through.
    stage = Stage((policy("db", "db", "web"),), (standard("db", "db", "spy"),), accepted=("db",))
    stage.bring(*stage.brought)
    assert stage.broken == []
    stage.turn("n2", old=ABSENT)
    assert "I3" in stage.broken


def test_a_rule_that_was_changed_midway_is_what_counts_from_then_on() -> None:
    stage = Stage()
    stage.bring(*stage.brought)
    stage.turn(new=LIVE)
    stage.turn("n2", old=ABSENT)
    stage.rules = replace_foreign(stage, policy("db", "db", "nobody"))
    stage.versions[1] += 1
    stage.turn()
    assert stage.broken == ["I3"]
    assert "shop/StatefulSet/web" in stage.watch.violations[0].words


def test_a_rule_for_the_world_lets_pods_without_ciliums_agent_in() -> None:
    stage = Stage(
        (policy("db", "db", "world", "cilium"),), (standard("db", "db", "nobody"),), dialect="cilium", ebpf=True
    )
    stage.bring(*stage.brought)
    stage.turn("n3", old=ABSENT, new=LIVE)
    assert stage.broken == ["I3"]
    assert "shop/StatefulSet/spy (n3: the VPC CNI) to shop/StatefulSet/db (n2: the old engine), TCP 80" in str(
        stage.watch.exposed.flows[0]
    )


def test_a_rule_for_labels_keeps_pods_without_ciliums_agent_out() -> None:
    stage = Stage((policy("db", "db", "web", "cilium"),), dialect="cilium", ebpf=True)
    stage.bring(*stage.brought)
    stage.turn("n1", old=ABSENT, new=LIVE)
    assert stage.broken == []
    assert stage.watch.exposure.narrowed().shown == (("shop/StatefulSet/web", "shop/StatefulSet/db", "TCP 80"),)


def replace_foreign(stage: Stage, *foreign: ForeignPolicy) -> Rules:
    """Return the rules of *stage* with other policies of the old engine."""
    return dataclasses.replace(stage.rules, foreign=foreign)


def test_blocks_that_nobody_named_before_are_told_apart_whoever_brings_them() -> None:
    far = msgspec.convert(
        {
            "metadata": {"name": "far", "namespace": "shop"},
            "spec": {
                "podSelector": {"matchLabels": {"app": "db"}},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"protocol": "TCP", "port": 80}]}],
            },
        },
        NetworkPolicy,
    )
    stage = Stage()
    # A team's own: what it lets through is wanted from now on.
    stage.bring(far)
    assert stage.broken == []
    # Ours, and in no plan: it lets addresses in that were kept out, and no pod.
    late = structs.replace(far, metadata=structs.replace(far.metadata, name="db"), spec=_with_block(far, "203.0.113.0/24"))
    stage.bring(far, late)
    assert stage.broken == ["I3"]
    assert [(f.source, f.destination) for f in stage.watch.exposed.flows] == [("203.0.113.0/24", "shop/StatefulSet/db")]


def _with_block(policy: NetworkPolicy, cidr: str) -> NetworkPolicySpec:
    """Return what *policy* says, of another block."""
    plain = msgspec.json.decode(msgspec.json.encode(policy.spec))
    plain["ingress"][0]["from"] = [{"ipBlock": {"cidr": cidr}}]
    return msgspec.convert(plain, NetworkPolicySpec)


# --- I4 ---------------------------------------------------------------------------------------------------------------


def test_sources_go_while_the_new_engine_does_not_enforce_everywhere() -> None:
    stage = Stage()
    stage.bring(*stage.brought)
    stage.turn("n1", "n2", new=LIVE)
    stage.drop()
    assert stage.broken == ["I4"]
    assert stage.watch.violations[0].words == (
        "networkpolicy/shop/db is gone, and the VPC CNI does not enforce on 1 nodes yet, e.g. n3"
    )


def test_sources_go_before_the_soak_is_over() -> None:
    stage = Stage()
    stage.bring(*stage.brought)
    stage.turn(new=LIVE)
    stage.turn(old=ABSENT)
    stage.gone(DAEMONSET, 0)
    stage.drop()
    assert stage.broken == ["I4"]
    assert stage.watch.violations[0].words == "networkpolicy/shop/db is gone, and soak is not over"


def test_a_plan_that_never_soaks_may_not_delete_sources() -> None:
    plan = a_plan()
    stage = Stage(plan=replace(plan, steps=(plan.steps[0], plan.steps[2])))
    assert stage.well().broken == ["I4"]
    assert "never waits" in stage.watch.violations[0].words


# --- I5 ---------------------------------------------------------------------------------------------------------------


def test_a_change_without_a_way_back() -> None:
    plan = a_plan()
    without = replace(plan, steps=tuple(replace(step, undo=None, one_way="") for step in plan.steps))
    assert [(v.invariant, v.step) for v in irreversible(without)] == [("I5", "apply"), ("I5", "delete")]


def test_a_door_says_why_it_is_one() -> None:
    plan = a_plan()
    step = replace(plan.steps[0], door="uninstall")
    (found,) = irreversible(replace(plan, steps=(step,)))
    assert found.words == "it goes through the door uninstall and does not say why"


def test_a_step_that_acted_and_kept_nothing() -> None:
    plan = a_plan()
    assert [v.step for v in unkept(plan, WELL, lambda number, _: number != 3)] == ["delete"]
    assert not list(unkept(plan, WELL, lambda *_: True))


# --- I6 ---------------------------------------------------------------------------------------------------------------


def test_the_control_plane_goes_before_the_last_agent() -> None:
    stage = Stage()
    stage.gone(CONTROLLERS, 3)
    assert stage.broken == ["I6"]
    assert stage.watch.violations[0].words == f"{CONTROLLERS} is gone, and 3 agents of the old engine are left"


def test_what_never_ran_is_not_missed() -> None:
    stage = Stage()
    stage.parts["deployment/calico-system/calico-typha"] = False
    stage.turn()
    assert stage.broken == []


# --- I7 ---------------------------------------------------------------------------------------------------------------


def test_an_object_that_somebody_else_keeps_as_it_is() -> None:
    (found,) = disowning(a_plan(), lambda ref: "Argo CD" if ref.name == "db" and ref.api_version.startswith("networking") else "")
    assert (found.invariant, found.step) == ("I7", "apply")
    assert "Argo CD keeps as it is" in found.words


# --- I8 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("opened", "started soak"), "it began before apply was done"),
        (("opened", "acted apply"), "it acted without having written down that it would"),
        (("opened", "started apply", "resumed", "acted apply"), "it acted without having written down that it would"),
        (("opened", "started apply", "succeeded apply", "started apply"), "it began again, and was done"),
        (("opened", "started apply", "succeeded apply", "closed"), "the run was closed, and it was not done"),
        (("opened", "started other"), "the plan has no such step"),
    ],
)
def test_a_journal_that_tells_two_stories(lines: tuple[str, ...], words: str) -> None:
    found = list(disordered(a_plan(), story(*lines)))
    assert words in [v.words for v in found]
    assert {v.invariant for v in found} == {Invariant.ONE_STORY}


def test_a_run_that_goes_on_with_another_plan() -> None:
    lines = [Line("opened", data={"plan": a_plan().digest}), Line("resumed", data={"plan": "another"})]
    assert [v.words for v in disordered(a_plan(), lines)] == [f"the run was resumed with plan another, not {a_plan().digest}"]


def test_a_cluster_that_is_not_as_the_journal_says() -> None:
    lines = story("opened", "started apply", "acted apply", "succeeded apply", "stopped soak", "resumed")
    assert not list(disordered(a_plan(), lines, lambda _: True))
    (found,) = disordered(a_plan(), lines, lambda _: False)
    assert (found.step, found.words) == ("apply", "the journal says that it was done, and it is not so any more")


# --- random -----------------------------------------------------------------------------------------------------------

STATES = st.builds(
    NodeState,
    name=st.just(""),
    old=st.sampled_from(Enforcement),
    new=st.sampled_from(Enforcement),
    schedulable=st.booleans(),
    pods=st.integers(0, 2),
    late=st.integers(0, 1),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(NODES), STATES, min_size=1), min_size=1, max_size=6))
def test_each_node_is_judged_as_a_plain_look_judges_it(moments: list[dict[str, NodeState]]) -> None:
    stage = Stage(ebpf=True)
    expected: list[tuple[str, str, float]] = []
    was: set[tuple[str, str]] = set()
    for moment in moments:
        for node, state in moment.items():
            stage.states[node] = replace_state(state, node)
            stage.changed.add(node)
        stage.at += 1
        stage.watch()
        now = set()
        for node, state in stage.states.items():
            if state.pods and LIVE not in (state.old, state.new):
                kept = FROZEN in (state.old, state.new) and not state.schedulable and not state.late
                now |= set() if kept else {("I1", node)}
            if state.old is not ABSENT and state.new is not ABSENT:
                now.add(("I2", node))
        expected += [(*one, stage.at) for one in sorted(now - was)]
        was = now
    seen = [(v.invariant.value, v.nodes[0], v.at) for v in stage.watch.violations if v.invariant in {"I1", "I2"}]
    assert sorted(seen) == sorted(expected)
    counted = stage.watch.census
    plain = [tuple(e is LIVE for e in (s.old, s.new)) for s in stage.states.values()]
    modes = ((True, True), (True, False), (False, True))
    assert (counted.both, counted.old, counted.new) == tuple(plain.count(mode) for mode in modes)
    assert counted.nodes == len(stage.states)


def replace_state(state: NodeState, name: str) -> NodeState:
    """Return *state* as that of the node *name*."""
    return NodeState(name, state.old, state.new, state.ready, state.schedulable, state.pods, state.late)


def test_parts_of_conditions_are_found() -> None:
    plan = a_plan()
    soak = plan.steps[1]
    both = replace(soak, until=All((soak.until, plan.steps[0].until)))
    stage = Stage(plan=replace(plan, steps=(plan.steps[0], both, plan.steps[2])))
    assert stage.well().broken == []
