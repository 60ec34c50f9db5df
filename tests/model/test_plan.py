"""Plans as values: they are the same after a journey through a file, and nothing in one is lost or invented."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest
from msgspec.structs import replace

from eksnetpol.errors import Bug
from eksnetpol.model.actions import Action, Probe, ProbeSource, ProbeTarget, ProbeTry
from eksnetpol.model.conditions import All, Condition, Probed
from eksnetpol.model.fingerprints import digest_of
from eksnetpol.model.kinds import JOB, KINDS, Kind, ObjectRef
from eksnetpol.model.plan import Plan, Step
from tests.execution import plans, town


@pytest.fixture(scope="module")
def plan() -> Plan:
    whole = plans.everything(plans.cluster())
    return replace(whole, steps=(*whole.steps, *town.moving(town.town()).steps, probing()))


def probing() -> Step:
    source = ProbeSource("shop/Deployment/web", ObjectRef.to(JOB, "eksnetpol-probe-0", "shop"), {"app": "web"})
    targets = (ProbeTarget("the API", "10.0.0.1"), ProbeTarget("shop/Deployment/db", "", "shop", {"app": "db"}, ("tier",)))
    tries = (ProbeTry(0, 0, 443, allowed=True), ProbeTry(0, 1, 5432, allowed=False, control=0))
    action = Probe("batch-1", "example.org/probe", (source,), targets, tries, label="a=b", near=True)
    return Step("probe", "Try what flows", action, Probed("batch-1", 2, rejects=True, idle=True))


def conditions(condition: Any) -> set[type]:
    inside = {kind for one in condition.conditions for kind in conditions(one)} if isinstance(condition, All) else set()
    return {type(condition), *inside}


def test_the_plan_that_is_tested_with_has_every_action_and_condition(plan: Plan) -> None:
    assert {type(step.action) for step in plan.steps} == set(get_args(Action))
    seen = set().union(*(conditions(step.until) for step in plan.steps))
    assert seen == set(get_args(Condition))


def test_a_plan_is_the_same_after_a_file(plan: Plan) -> None:
    again = msgspec.json.decode(msgspec.json.encode(plan), type=Plan)
    assert again == plan
    assert again.digest == plan.digest


def test_when_and_by_what_a_plan_was_made_is_not_what_it_is(plan: Plan) -> None:
    assert replace(plan, made_at=datetime.now(UTC), tool="9.9").digest == plan.digest


def test_whatever_else_differs_makes_another_plan(plan: Plan) -> None:
    first, *rest = plan.steps
    others = (
        replace(plan, title="Do something else"),
        replace(plan, steps=tuple(rest)),
        replace(plan, steps=(*rest, first)),
        replace(plan, steps=(replace(first, patience=1.5), *rest)),
        replace(plan, basis={"daemonset/kube-system/aws-node": "0"}),
    )
    assert len({plan.digest, *(other.digest for other in others)}) == len(others) + 1


def _plain(plan: Plan) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(plan))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "where",
    [
        (), ("steps", 0), ("steps", 0, "action"), ("steps", 0, "until"), ("steps", 0, "until", "objects", 0),
        ("steps", 1, "undo"), ("steps", 1, "action", "takes", 0), ("steps", 2, "until", "conditions", 1),
    ],
)  # fmt: skip
def test_a_key_that_means_nothing_is_an_error(plan: Plan, where: tuple[Any, ...]) -> None:
    plain = _plain(plan)
    place: Any = plain
    for key in where:
        place = place[key]
    place["patiance"] = 1
    with pytest.raises(msgspec.ValidationError, match="patiance"):
        msgspec.convert(plain, Plan)


@pytest.mark.parametrize("change", [{"do": "format-disks"}, {"do": None}])
def test_an_action_that_nobody_knows_is_an_error(plan: Plan, change: dict[str, Any]) -> None:
    plain = _plain(plan)
    plain["steps"][0]["action"] |= change
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(plain, Plan)


def test_the_order_of_keys_means_nothing() -> None:
    assert digest_of({"a": 1, "b": {"c": [1, 2]}}) == digest_of({"b": {"c": [1, 2]}, "a": 1})
    assert digest_of({"a": [1, 2]}) != digest_of({"a": [2, 1]})


def test_ids_of_steps_are_unique_in_the_plan_that_is_tested_with(plan: Plan) -> None:
    assert len({step.id for step in plan.steps}) == len(plan.steps)
    assert all(isinstance(step, Step) for step in plan.steps)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_reference_finds_its_kind(kind: Kind) -> None:
    ref = ObjectRef.to(kind, "x", "ns" if kind.namespaced else "")
    assert ref.of_kind == kind
    assert (
        ObjectRef.of({"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": "x", "namespace": ref.namespace}})
        == ref
    )
    assert str(ref) == "/".join(filter(None, (kind.name.lower(), ref.namespace, "x")))


def test_a_kind_that_is_not_written_here_is_a_bug() -> None:
    with pytest.raises(Bug, match="Secret of v1"):
        _ = ObjectRef("v1", "Secret", "x", "ns").of_kind
