"""The headline and the nodes of `eksnetpol status`, one thing changed at a time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.headline import Verdict
from eksnetpol.facts.rollout_state import HASH, NodeState, RolloutByNode
from eksnetpol.facts.status import SECTIONS, Status, status_of
from eksnetpol.model.snapshot import NOT_ASKED, ClusterSnapshot, Seen, Unread, Why
from eksnetpol.model.snapshot import SECTIONS as ALL
from tests.checks.cases import snapshot

Json = dict[str, Any]
ON: Json = {
    "aws_node": {},
    "switch": "true",
    "addon": None,
    "addon_updates": [],
    "nodes": [{"name": "node-a"}],
    "agent_pods": [{}],
}
TOLD = {"addonName": "vpc-cni", "addonVersion": "v1.20.5-eksbuild.1", "status": "ACTIVE"}
AUTO = {"cluster": {"name": "c", "computeConfig": {"enabled": True}}}


def of(short: Json) -> Status:
    return status_of(Lookup(snapshot(short)))


def changed(**sections: Any) -> Json:
    return {**ON, **sections}


def test_both_switches_on_and_every_node_ready_is_on() -> None:
    found = of(ON)
    assert found.headline.verdict is Verdict.ON
    assert found.headline.why == ("both switches are on",)
    assert (found.agent, found.mode) == ("aws-eks-nodeagent", "standard")


@pytest.mark.parametrize(
    ("short", "verdict", "why"),
    [
        (changed(aws_node={"args": {"enable-network-policy": "false"}}, switch="false"), Verdict.OFF, "both switches are off"),
        (changed(aws_node={"agent": None}, switch="false"), Verdict.OFF, "both switches are off"),
        (changed(switch="false"), Verdict.HALF_ON, "the agent is on and the controller is off: no policy reaches the agents"),
        (changed(switch="True"), Verdict.HALF_ON, "the agent is on and the controller is malformed"),
        (changed(aws_node={"agent": None}), Verdict.HALF_ON, "the controller is on and the agent is absent"),
        (changed(aws_node={"args": {"enable-network-policy": "false"}}), Verdict.HALF_ON, "nothing is enforced on EC2 nodes"),
        (
            changed(agent_pods=[{"ready": False, "waiting": "CrashLoopBackOff"}]),
            Verdict.HALF_ON,
            "no ready agent on 1 of 1 nodes",
        ),
        (changed(agent_pods=[]), Verdict.HALF_ON, "no ready agent on 1 of 1 nodes"),
        (changed(aws_node={"updated": 1}), Verdict.ROLLING, "aws-node has its current template on 1 of 2 nodes, ready on 2"),
        (changed(aws_node={"generation": 2}), Verdict.ROLLING, "the last change of aws-node was not acted on yet"),
        (changed(addon={**TOLD, "status": "UPDATING"}), Verdict.ROLLING, "EKS says the add-on is UPDATING"),
        (changed(addon=TOLD, addon_updates=[{"id": "u-1", "status": "InProgress"}]), Verdict.ROLLING, "at work on update u-1"),
        (
            changed(addon={**TOLD, "configurationValues": '{"enableNetworkPolicy":"false"}'}),
            Verdict.DRIFTED,
            "both switches are on",
        ),
        (
            changed(addon={**TOLD, "configurationValues": '{"env":{"WARM_IP_TARGET":"5"}}'}),
            Verdict.DRIFTED,
            "both switches are on",
        ),
        (changed(addon={**TOLD, "configurationValues": '{"enableNetworkPolicy":"true"}'}), Verdict.ON, "both switches are on"),
        ({**AUTO, "daemonsets": [], "switch": "true", "node_classes": []}, Verdict.ON, "for the nodes of Auto Mode"),
        (
            {**AUTO, "daemonsets": [], "switch": "true", "node_classes": [{"metadata": {"name": "default"}, "spec": {}}]},
            Verdict.HALF_ON,
            "NodeClass default sets no networkPolicy",
        ),
        ({"daemonsets": [], "switch": "true"}, Verdict.HALF_ON, "no aws-node DaemonSet and no Auto Mode: nothing enforces"),
        ({"daemonsets": [], "switch": "false"}, Verdict.OFF, "there is no aws-node DaemonSet and no Auto Mode"),
        (changed(aws_node={"ready": 1}, agent_pods={"unread": "forbidden"}), Verdict.HALF_ON, "ready on 1"),
    ],
)
def test_a_headline_says_why(short: Json, verdict: Verdict, why: str) -> None:
    found = of(short).headline
    assert (found.verdict, why in found.why[0]) == (verdict, True), found


def test_a_node_that_is_down_itself_leaves_nobody_unpoliced() -> None:
    found = of(changed(nodes=[{"name": "node-a"}, {"name": "node-b", "ready": False}]))
    assert found.headline.verdict is Verdict.ON
    assert isinstance(found.rollout, RolloutByNode)
    assert [(n.name, n.state, n.node_is_ready) for n in found.rollout.nodes][1] == ("node-b", NodeState.MISSING, False)


def test_pods_of_a_former_template_are_told_from_those_of_the_current_one() -> None:
    def pod(node: str, mark: str) -> Json:
        made = snapshot({"agent_pods": [{"node": node}]})
        assert isinstance(made.agent_pods, Seen)
        return {"metadata": {"name": node, "labels": {HASH: mark}}, "spec": {"nodeName": node}, "status": READY}

    revisions = [
        {"metadata": {"name": f"aws-node-{mark}", "labels": {HASH: mark}}, "revision": number}
        for mark, number in (("new", 7), ("old", 6))
    ]
    nodes = [{"name": "node-a"}, {"name": "node-b"}]
    pods = [pod("node-a", "new"), pod("node-b", "old")]
    found = of(changed(nodes=nodes, agent_pods=pods, controller_revisions=revisions, aws_node={"updated": 1}))
    assert isinstance(found.rollout, RolloutByNode)
    assert {n.name: n.state for n in found.rollout.nodes} == {"node-a": NodeState.READY, "node-b": NodeState.OLD}
    assert found.rollout.of(NodeState.OLD)[0].name == "node-b"


READY = {"phase": "Running", "containerStatuses": [{"name": n, "ready": True} for n in ("aws-node", "aws-eks-nodeagent")]}
DENIED = Unread("forbidden", Why.DENIED, "list x")


@pytest.mark.parametrize("name", ["daemonsets", "configmaps"])
def test_what_cannot_be_read_is_not_off(name: str) -> None:
    found = status_of(Lookup(replace(snapshot(ON), **{name: DENIED})))
    assert found.headline.verdict is Verdict.UNKNOWN
    assert "forbidden" in found.headline.why[0]


def test_classes_that_cannot_be_read_leave_auto_mode_open() -> None:
    look = replace(snapshot({**AUTO, "daemonsets": [], "switch": "true"}), node_classes=DENIED)
    assert status_of(Lookup(look)).headline.verdict is Verdict.UNKNOWN


@given(st.sets(st.sampled_from(SECTIONS)))
def test_whatever_is_unread_a_status_is_told_and_never_says_on_or_off_blindly(unread: set[str]) -> None:
    found = status_of(Lookup(replace(snapshot(ON), **dict.fromkeys(unread, DENIED))))
    blind = bool(unread & {"daemonsets", "configmaps"})
    assert (found.headline.verdict is Verdict.UNKNOWN) is blind


@given(st.data())
def test_sections_that_are_not_declared_decide_nothing(data: st.DataObject) -> None:
    look = snapshot(ON)
    others = data.draw(st.sets(st.sampled_from([name for name in ALL if name not in SECTIONS])))
    assert status_of(Lookup(replace(look, **dict.fromkeys(others, DENIED)))) == status_of(Lookup(look))


def test_nothing_is_asked_for_beyond_the_declared_sections() -> None:
    whole = snapshot(ON)
    bare = ClusterSnapshot(**{name: getattr(whole, name) for name in SECTIONS})
    assert status_of(Lookup(bare)) == status_of(Lookup(whole))
    assert status_of(Lookup(ClusterSnapshot())).headline.verdict is Verdict.UNKNOWN
    assert NOT_ASKED.reason in status_of(Lookup(ClusterSnapshot())).headline.why[0]
