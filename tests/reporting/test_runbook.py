"""The runbook of a migration: what people read, and that each command is one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from eksnetpol.model.actions import BackUp, Look, UpdateAddon
from eksnetpol.model.conditions import AddonIs
from eksnetpol.model.plan import Plan, Refusal, Step
from eksnetpol.model.snapshot import Target
from eksnetpol.reporting import by_hand, runbook
from tests.migration.towns import ENGINES, town

Golden = Callable[[str, str], None]


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    """The plan for the shop under each engine."""
    return {engine: town(engine).plan(batch="100%") for engine in ENGINES}


@pytest.mark.parametrize("engine", ["calico_by_operator", "cilium"])
def test_what_people_read(golden: Golden, plans: dict[str, Plan], engine: str) -> None:
    golden(f"migration/runbook.{engine.replace('_', '-')}.md", runbook.write(plans[engine]))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_step_is_in_it_and_what_is_alike_is_named(plans: dict[str, Plan], engine: str) -> None:
    plan = plans[engine]
    page, whole = runbook.write(plan), runbook.write(plan, everything=True)
    headings = re.findall(r"^### (.*)$", whole, re.MULTILINE)
    assert headings == [step.id.replace("_", "\\_") for step in plan.steps]
    assert len(page) < len(whole)
    # Those of later batches have a gate of their own before them.
    assert "The same for 1 more: node-c." in page
    assert "node-b, node-c" not in page
    assert "The same for" not in whole
    for door in {step.door for step in plan.steps if step.door}:
        assert f"**One-way door {door}.**" in page


def commands(plan: Plan) -> list[str]:
    """Return all commands of a plan's runbook."""
    found: list[str] = []
    for step in plan.steps:
        found += by_hand.doing(step, plan)
        found += by_hand.undoing(step, plan)
        found += [command for _, command in by_hand.gates(step, plan) if command]
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_every_command_is_one_to_a_shell(plans: dict[str, Plan], engine: str) -> None:
    found = commands(plans[engine])
    assert len(found) > 40
    done = subprocess.run(["sh", "-n"], input="\n".join(found), text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("engine", ENGINES)
def test_every_step_that_changes_something_says_how(plans: dict[str, Plan], engine: str) -> None:
    plan = plans[engine]
    for step in plan.steps:
        keeps_nothing = isinstance(step.action, BackUp) and not (step.action.objects or step.action.kinds)
        idle = isinstance(step.action, Look) or keeps_nothing
        assert bool(by_hand.doing(step, plan)) != idle, step.id
        assert by_hand.gates(step, plan), step.id


def test_an_add_on_is_updated_by_the_aws_cli() -> None:
    values = '{"enableNetworkPolicy": "true"}'
    action = UpdateAddon("v1.20.5-eksbuild.1", values, "PRESERVE", "arn:aws:iam::111122223333:role/cni")
    step = Step("enable/addon", "Switch it on", action, AddonIs("v1.20.5-eksbuild.1", values))
    plan = Plan(verb=town("kube_router").plan().verb, target=Target(cluster="shop", region="eu-west-1"), steps=(step,))
    (command,) = by_hand.doing(step, plan)
    assert command == (
        "aws eks update-addon --region eu-west-1 --cluster-name shop --addon-name vpc-cni --addon-version v1.20.5-eksbuild.1 "
        "--resolve-conflicts PRESERVE --service-account-role-arn arn:aws:iam::111122223333:role/cni "
        """--configuration-values '{"enableNetworkPolicy": "true"}'"""
    )
    ((words, shown),) = by_hand.gates(step, plan)
    assert "ACTIVE" in words
    assert "describe-addon --region eu-west-1 --cluster-name shop" in shown


def test_what_stands_in_the_way_is_said_first(plans: dict[str, Plan]) -> None:
    plan = replace(plans["kube_router"], refusals=(Refusal("nobody may"), Refusal("nor may they", "--waive it")))
    page = runbook.write(plan, {"--waive it"})
    assert page.index("nobody may") < page.index("## Phase")
    assert "nor may they" not in page
