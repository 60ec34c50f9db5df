"""The runbook of a migration: what people read, and that each command is one."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
from collections.abc import Callable
from datetime import date
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from msgspec.structs import replace

from eksnetpol.facts.owners import Owner, Tool
from eksnetpol.model.actions import BackUp, CreateAddon, DeleteAddon, Look, UpdateAddon
from eksnetpol.model.conditions import AddonGone, AddonIs
from eksnetpol.model.findings import Subject
from eksnetpol.model.plan import Plan, Refusal, Step, Verb
from eksnetpol.model.snapshot import Target
from eksnetpol.operations.rehearsal import rehearse_migration
from eksnetpol.policy.profile import Profile
from eksnetpol.reporting import by_hand, runbook
from eksnetpol.translation.values import Accepted, Judged, Verdict, Witness
from tests.migration.towns import ENGINES, town

Golden = Callable[[str, str], None]
WITNESS = Witness("shop/web-0", "shop/db-0", "ICMP", 8 * 256, allowed_before=True)
OWNERS = (
    Owner(Tool.ARGO_CD, "daemonset/kube-system/calico-node", "annotation argocd.argoproj.io/tracking-id", "platform:apps/v1:x"),
    Owner(Tool.FLUX, "daemonset/kube-system/aws-node", "label kustomize.toolkit.fluxcd.io/name", "network"),
    Owner(Tool.TERRAFORM, "add-on vpc-cni", "tag ManagedBy", certain=True),
)


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    """The plan for the shop under each engine."""
    return {engine: town(engine).plan(batch="100%") for engine in ENGINES}


@pytest.mark.parametrize("engine", ["calico_by_operator", "cilium"])
def test_what_people_read(golden: Golden, plans: dict[str, Plan], engine: str) -> None:
    golden(f"migration/runbook.{engine.replace('_', '-')}.md", runbook.write(plans[engine], beside=beside(engine, plans)))


def beside(engine: str, plans: dict[str, Plan], **changed: Any) -> runbook.Beside:
    """What is to be said beside a plan: with a waiver, and with tools that own something."""
    there = town(engine)
    plan = plans[engine]
    done = rehearse_migration(
        plan, there.snapshot, there.source, there.brought, profile=Profile(family="ipv4"), ebpf=there.ebpf
    )
    judged = (Judged(Subject("NetworkPolicy", "db", "shop"), "spec.ingress[1]", Verdict.STRICTER, ("no ICMP",), WITNESS),)
    translation = dataclasses.replace(there.translation, judged=(*there.translation.judged, *judged))
    accepted = (Accepted("wireguard", "net team", date(2027, 3, 31), "nodes are encrypted otherwise", is_loss=True),)
    whole = runbook.Beside(translation=translation, rehearsal=done, accepted=accepted, owners=OWNERS)
    return dataclasses.replace(whole, **changed)


def test_who_pauses_what_is_told_by_a_command_of_that_tool(plans: dict[str, Plan]) -> None:
    page = runbook.write(plans["kube_router"], beside=runbook.Beside(owners=OWNERS))
    patch = """'{"spec":{"syncPolicy":{"automated":null}}}'"""
    assert f"`kubectl -n argocd patch applications.argoproj.io platform --type=merge -p {patch}`" in page
    assert "`flux suspend kustomization network`" in page
    assert "nobody runs it until its source says what is written here" in page
    assert "owners of tools that write the same" in page
    assert "owners of tools" not in runbook.write(plans["kube_router"])


def test_a_rehearsal_that_did_not_go_well_forbids_to_begin(plans: dict[str, Plan]) -> None:
    found = beside("kube_router", plans)
    assert found.rehearsal is not None
    stopped = replace(found.rehearsal, error="node-b never got ready")
    page = runbook.write(plans["kube_router"], beside=dataclasses.replace(found, rehearsal=stopped))
    assert page.index("**It did not go well. Do not begin:**") < page.index("it stopped: node-b never got ready")
    assert "Do not begin" not in runbook.write(plans["kube_router"], beside=found)


def test_what_is_stricter_is_to_be_signed_and_what_was_taken_on_has_its_last_day(plans: dict[str, Plan]) -> None:
    page = runbook.write(plans["kube_router"], beside=beside("kube_router", plans))
    assert "- [ ] networkpolicy/shop/db spec.ingress" in page
    assert "| wireguard | net team | 2027-03-31 | nodes are encrypted otherwise |" in page


@pytest.mark.parametrize("engine", ENGINES)
def test_every_phase_has_its_time_and_its_way_back(plans: dict[str, Plan], engine: str) -> None:
    page = runbook.write(plans[engine], beside=beside(engine, plans))
    times, back = page.split("## Going back")
    for phase in dict.fromkeys(step.phase for step in plans[engine].steps):
        assert re.search(rf"^\| {phase} \| \d+:\d\d", times, re.MULTILINE), phase
        assert f"| {phase} | " in back


def aws_commands() -> list[str]:
    """The commands for what EKS does, of each kind."""
    plan = Plan(verb=Verb.MIGRATE, target=Target(cluster="shop", region="eu-west-1"), steps=())
    values = '{"enableNetworkPolicy":"true"}'
    actions: list[tuple[Any, Any]] = [
        (UpdateAddon("v1.20.5-eksbuild.1", values, "PRESERVE", "arn:aws:iam::111122223333:role/cni"), AddonIs("v1", values)),
        (
            CreateAddon(
                "v1.20.5-eksbuild.1", values, "OVERWRITE", pod_identity_role="arn:aws:iam::111122223333:role/cni",
                tags={"team": "net work"},
            ),
            AddonIs("v1", values),
        ),
        (DeleteAddon(), AddonGone()),
    ]  # fmt: skip
    found = []
    for action, until in actions:
        step = Step("one", "One", action, until)
        found += [*by_hand.doing(step, plan), *(command for _, command in by_hand.gates(step, plan))]
    return found


def test_commands_of_the_aws_cli_are_those_that_eks_has() -> None:
    service = botocore.session.Session().get_service_model("eks")
    operations = {xform_name(name, "-"): service.operation_model(name) for name in service.operation_names}
    commands = [shlex.split(command) for command in aws_commands()]
    assert [words[2] for words in commands] == [
        "update-addon", "describe-addon", "create-addon", "describe-addon", "delete-addon", "list-addons",
    ]  # fmt: skip
    for words in commands:
        shape = operations[words[2]].input_shape
        assert shape is not None
        members = {xform_name(name, "-"): member for name, member in shape.members.items()}
        flags = [word.removeprefix("--") for word in words if word.startswith("--")]
        given = {flag.removeprefix("no-") for flag in flags} - {"region", "query"}
        assert given <= members.keys(), words
        assert {xform_name(name, "-") for name in shape.required_members} <= given, words


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
