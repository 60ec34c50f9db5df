"""Putting a back-up back, and plans as files."""

from __future__ import annotations

import msgspec
import pytest

from eksnetpol.model.actions import Delete, Restore
from eksnetpol.model.conditions import Absent, Restored
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.plan import Plan, Verb
from eksnetpol.model.snapshot import Target
from eksnetpol.planning.restore import plan_restore
from tests.planning import test_disable, test_upgrade
from tests.planning.clusters import look

TARGET = Target(cluster="prod", region="eu-west-1")


def policy(name: str, namespace: str = "shop") -> Json:
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": namespace}}


KEPT = [policy("web"), policy("closed"), policy("egress", "tools")]
CLUSTER_WIDE = {"apiVersion": "networking.k8s.aws/v1alpha1", "kind": "ClusterNetworkPolicy", "metadata": {"name": "base"}}


def test_what_is_absent_is_created_and_its_way_back_deletes_only_that() -> None:
    there = ObjectRef.of(KEPT[0])
    plan = plan_restore(TARGET, run="r1", file="policies.json", digest="abc", objects=[*KEPT, CLUSTER_WIDE], present={there})
    (step,) = plan.steps
    assert (plan.verb, plan.target) == (Verb.RESTORE, TARGET)
    assert step.action == Restore("policies.json", "abc", "r1")
    assert step.until == Restored("policies.json", "abc", "r1")
    assert step.undo is not None
    assert isinstance(step.undo.action, Delete)
    assert {str(o.ref) for o in step.undo.action.objects} == {
        "networkpolicy/shop/closed", "networkpolicy/tools/egress", "clusternetworkpolicy/base",
    }  # fmt: skip
    assert step.undo.until == Absent(step.undo.action.objects)
    assert plan.facts == (
        "the back-up holds 1 ClusterNetworkPolicy, 3 NetworkPolicy in 2 namespaces",
        "1 of them are there already and stay as they are, even where they differ from the back-up",
    )


@pytest.mark.parametrize("objects", [KEPT, []])
def test_nothing_is_left_to_do_where_all_is_there(objects: list[Json]) -> None:
    present = {ObjectRef.of(o) for o in objects}
    plan = plan_restore(TARGET, run="r1", file="policies.json", digest="abc", objects=objects, present=present)
    assert not plan.steps
    assert not plan.afterwards


@pytest.mark.parametrize(
    "plan",
    [
        test_upgrade.planned(test_upgrade.of_eks()),
        test_upgrade.planned(test_upgrade.of_people()),
        test_disable.planned(look(test_disable.of_eks())),
        test_disable.planned(look(test_disable.of_people()), keep_policies=True),
        plan_restore(TARGET, run="r1", file="policies.json", digest="abc", objects=KEPT),
    ],
    ids=["upgrade-managed", "upgrade-self-managed", "disable", "disable-keeping", "restore"],
)
def test_plans_outlive_being_written_and_read(plan: Plan) -> None:
    read = msgspec.json.decode(msgspec.json.encode(plan), type=Plan)
    assert read == plan
    assert read.digest == plan.digest
    names = [step.id for step in plan.steps]
    assert len(names) == len(set(names)) > 0
    assert all(step.undo is not None or not step.one_way for step in plan.steps)
