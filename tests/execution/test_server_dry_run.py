"""What the server would say, without a change."""

from __future__ import annotations

import pytest

from eksnetpol.errors import Rejected, Unreachable
from eksnetpol.execution.server_dry_run import Answer, dry_run
from eksnetpol.model.actions import Apply, Create
from eksnetpol.model.conditions import Holds
from eksnetpol.model.plan import Step
from tests.execution import plans
from tests.execution.small_world import configmap
from tests.execution.trouble import Disk, Heard, Process


def test_every_step_is_asked_for_and_nothing_is_changed() -> None:
    world = plans.cluster()
    before = world.api.version
    heard = Heard()
    said = dry_run(plans.everything(world), world, heard)
    assert world.api.version == before
    assert world.changed == []
    assert world.updates == []
    assert {one.step: one.answer for one in said} == {
        "back-up": Answer.ACCEPTED,
        "switch-controller": Answer.ACCEPTED,
        "switch-agent": Answer.ACCEPTED,
        "define": Answer.ACCEPTED,
        "update-addon": Answer.NOT_ASKED,
        "look": Answer.NOT_ASKED,
        "strip": Answer.ACCEPTED,
        "delete": Answer.ACCEPTED,
        "restore": Answer.NOT_ASKED,
        "release-addon": Answer.NOT_ASKED,
        "adopt": Answer.NOT_ASKED,
    }
    words = {one.step: one.words for one in said}
    assert words["switch-controller"].endswith("taking over .data.enable-network-policy-controller")
    assert words["delete"].startswith("5 objects (networkpolicy/shop/a, ")
    assert words["strip"].endswith("would be taken off 2 objects (networkpolicy/shop/a, networkpolicy/shop/b)")
    assert sum(line.startswith("started") for line in heard.lines) == len(said)


def test_what_the_server_refuses_is_said_in_its_words_and_the_rest_is_still_asked_for() -> None:
    world = plans.cluster()
    foreign = Step("foreign", "Take", Apply(plans.switched("true")), Holds(plans.switched("true")))

    def says_no(_number: int, name: str) -> None:
        if name == "create":
            raise Rejected("a webhook says no")

    plan = plans.plan_of(foreign, plans.define(), plans.switch_controller())
    said = dry_run(plan, Process(world, Disk(), before=says_no).hands, Heard())
    assert [one.answer for one in said] == [Answer.REFUSED, Answer.REFUSED, Answer.ACCEPTED]
    assert ".data.enable-network-policy-controller of eks" in said[0].words
    assert said[1].words == "a webhook says no"
    assert world.changed == []


def test_what_is_there_already_is_no_refusal() -> None:
    world = plans.cluster()
    step = Step("make", "Make", Create(configmap()), Holds(configmap()))
    (said,) = dry_run(plans.plan_of(step), world, Heard())
    assert said.answer is Answer.ACCEPTED
    assert "is there already" in said.words


def test_a_server_that_does_not_answer_is_no_answer() -> None:
    def silent(_number: int, _name: str) -> None:
        raise Unreachable("no route")

    world = plans.cluster()
    with pytest.raises(Unreachable):
        dry_run(plans.everything(world), Process(world, Disk(), before=silent).hands, Heard())
