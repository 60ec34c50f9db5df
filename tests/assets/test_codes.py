"""Every code of EKS is known, said in words, and leads somewhere."""

from __future__ import annotations

import botocore.session
import pytest

from eksnetpol.assets.codes import UNKNOWN, ConflictField, codes, conflict_fields, explained, issue, update_error

MODEL = botocore.session.get_session().get_service_model("eks")
ISSUES = tuple(MODEL.shape_for("AddonIssueCode").enum)
ERRORS = tuple(MODEL.shape_for("ErrorCode").enum)


@pytest.mark.parametrize("code", ISSUES)
def test_every_code_of_an_add_ons_health_is_known(code: str) -> None:
    assert issue(code) is not UNKNOWN


@pytest.mark.parametrize("code", ERRORS)
def test_every_code_of_an_update_is_known(code: str) -> None:
    assert update_error(code) is not UNKNOWN


def test_no_code_is_known_that_eks_does_not_have() -> None:
    assert set(codes()) == {*ISSUES, *ERRORS}


@pytest.mark.parametrize("code", sorted(codes()))
def test_every_code_says_what_it_means_and_names_a_next_step(code: str) -> None:
    known = codes()[code]
    assert known.words[0].islower() or known.words.startswith(("EKS", "AWS"))
    assert any(tool in known.next_step for tool in ("eksnetpol ", "kubectl ", "aws ", "CloudTrail"))
    assert not known.words.endswith(".")
    assert not known.next_step.endswith(".")


def test_a_code_of_tomorrow_is_not_waited_for() -> None:
    assert issue("SomethingNew") is UNKNOWN
    assert not UNKNOWN.passes
    assert explained("SomethingNew", "it broke", UNKNOWN).startswith("SomethingNew (it broke): ")


REPLICAS = '.spec.template.spec.containers[name="aws-node"].resources.requests'
IN_A_ROW = (
    "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts: "
    f"DaemonSet.apps aws-node - {REPLICAS} DaemonSet.apps aws-node - {REPLICAS}.cpu DaemonSet.apps aws-node - {REPLICAS} "
    "ConfigMap amazon-vpc-cni - .data.enable-windows-ipam"
)
"""Shaped as in aws/amazon-vpc-cni-k8s#2150 and #2877: all on one line, some fields several times."""

IN_LINES = (
    "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts:\n"
    "ServiceAccount aws-node - .metadata.labels.app.kubernetes.io/version\n"
    "ClusterRole.rbac.authorization.k8s.io aws-node - .rules\n"
    "CustomResourceDefinition.apiextensions.k8s.io policyendpoints.networking.k8s.aws - .spec.versions\n"
    'DaemonSet.apps aws-node - .spec.template.spec.containers[name="aws-node"].env[name="ENABLE_PREFIX_DELEGATION"].value'
)
"""Shaped as in terraform-aws-modules/terraform-aws-eks#2829: one a line."""


def test_conflicts_are_read_field_by_field() -> None:
    assert conflict_fields(IN_A_ROW) == (
        ConflictField("DaemonSet.apps aws-node", REPLICAS),
        ConflictField("DaemonSet.apps aws-node", f"{REPLICAS}.cpu"),
        ConflictField("ConfigMap amazon-vpc-cni", ".data.enable-windows-ipam"),
    )
    assert [str(one.where).partition(" ")[2] for one in conflict_fields(IN_LINES)] == [
        "aws-node", "aws-node", "policyendpoints.networking.k8s.aws", "aws-node",
    ]  # fmt: skip
    assert conflict_fields(IN_LINES)[-1].path.endswith('env[name="ENABLE_PREFIX_DELEGATION"].value')


@pytest.mark.parametrize("text", ["", "the add-on is unhealthy - try again", "Conflicts: none", "a - b - .c"])
def test_other_messages_name_no_fields(text: str) -> None:
    assert conflict_fields(text) == ()


def test_a_conflict_is_told_in_one_line() -> None:
    said = explained("ConfigurationConflict", IN_LINES, issue("ConfigurationConflict"))
    assert "\n" not in said
    assert said.startswith(
        "ConfigurationConflict (4 fields: ServiceAccount aws-node .metadata.labels.app.kubernetes.io/version, "
    )
    assert "; next: eksnetpol enable --plan" in said
