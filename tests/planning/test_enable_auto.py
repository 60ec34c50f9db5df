from __future__ import annotations

from typing import Any

import pytest

from eksnetpol.errors import Denied
from eksnetpol.model.actions import Apply
from eksnetpol.model.conditions import Holds
from eksnetpol.model.plan import Way
from tests.planning.clusters import CLUSTER, ids, managed, planned, self_managed

Json = dict[str, Any]

AUTO = {**CLUSTER, "computeConfig": {"enabled": True}}


def auto(*classes: Json, **more: Any) -> Json:
    found = [{"kind": "NodeClass", **c} for c in classes]
    return self_managed(cluster=AUTO, aws_node=None, nodes=[{"name": "a", "compute": "auto"}], node_classes=found, **more)


def test_the_controller_and_every_silent_node_class_are_set() -> None:
    plan = planned(auto({"name": "default", "spec": {"role": "r"}}, {"name": "gpu"}))
    assert plan.way is Way.AUTO_MODE
    assert ids(plan) == ["controller-switch", "node-class-default", "node-class-gpu"]
    action = plan.steps[1].action
    assert isinstance(action, Apply)
    assert action.object == {
        "apiVersion": "eks.amazonaws.com/v1",
        "kind": "NodeClass",
        "metadata": {"name": "default"},
        "spec": {"networkPolicy": "DefaultAllow"},
    }
    undo = plan.steps[1].undo
    assert undo is not None
    assert isinstance(undo.action, Apply)
    assert "spec" not in undo.action.object
    assert undo.action.drops == (".spec.networkPolicy",)
    assert isinstance(undo.until, Holds)
    assert undo.until.without == (".spec.networkPolicy",)
    assert not plan.refusals


def test_what_a_node_class_says_stays() -> None:
    plan = planned(
        auto({"name": "a", "spec": {"networkPolicy": "DefaultDeny"}}, {"name": "b", "spec": {"networkPolicy": "DefaultAllow"}})
    )
    assert ids(plan) == ["controller-switch"]
    assert any("NodeClass a says DefaultDeny and is left so" in w for w in plan.warnings)


def test_what_is_on_needs_no_steps() -> None:
    assert not planned(auto({"name": "b", "spec": {"networkPolicy": "DefaultAllow"}}, switch="true")).steps


def test_a_cluster_with_both_kinds_of_nodes_gets_both_sides() -> None:
    classes = [{"name": "default", "kind": "NodeClass"}]
    plan = planned(managed(cluster=AUTO, node_classes=classes))
    assert plan.way is Way.ADDON
    assert ids(plan) == ["update-addon", "controller-switch", "agent", "roll-out", "node-class-default"]


def test_node_classes_that_may_not_be_read_are_named() -> None:
    with pytest.raises(Denied, match="node classes"):
        planned(auto() | {"node_classes": {"unread": "Forbidden"}})


def test_a_node_class_that_flux_applies_is_fluxs() -> None:
    plan = planned(auto({"name": "default", "labels": {"kustomize.toolkit.fluxcd.io/name": "nodes"}}))
    assert [r.flag for r in plan.refusals] == ["--take-over"]
    assert "nodeclass/default" in plan.refusals[0].why
