from __future__ import annotations

from typing import Any

import pytest

from eksnetpol.facts.owners import THE_ADDON, Owner, Owners, Tool, by_marks, by_tags, tool_of_manager
from eksnetpol.model import kinds
from eksnetpol.model.kubernetes import ManagedField, ObjectMeta
from tests.planning.clusters import addon, facts_of, managed

WHERE = "daemonset/kube-system/aws-node"


def marked(**more: Any) -> list[Owner]:
    managers = tuple(ManagedField(m) for m in more.pop("managers", ()))
    return list(by_marks(ObjectMeta("aws-node", "kube-system", managed_fields=managers, **more), kinds.DAEMONSET))


@pytest.mark.parametrize(
    ("marks", "owner"),
    [
        ({"annotations": {"meta.helm.sh/release-name": "cni"}}, (Tool.HELM, "cni", True)),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, (Tool.HELM, "", False)),
        ({"labels": {"helm.sh/chart": "aws-vpc-cni-1.20.5"}}, (Tool.HELM, "", False)),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "infra:apps/DaemonSet:a/b"}}, (Tool.ARGO_CD, "infra", True)),
        ({"labels": {"argocd.argoproj.io/instance": "infra"}}, (Tool.ARGO_CD, "infra", True)),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "net"}}, (Tool.FLUX, "net", True)),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "net"}}, (Tool.FLUX, "net", True)),
        ({"managers": ["argocd-controller"]}, (Tool.ARGO_CD, "", True)),
        ({"managers": ["helm-controller"]}, (Tool.FLUX, "", True)),
        ({"managers": ["helm"]}, (Tool.HELM, "", True)),
    ],
)
def test_marks_name_their_tool(marks: dict[str, Any], owner: tuple[Tool, str, bool]) -> None:
    (found,) = marked(**marks)
    assert (found.tool, found.name, found.certain) == owner
    assert found.of == WHERE


@pytest.mark.parametrize(
    "manager", ["kubectl", "kubectl-client-side-apply", "eks", "eksctl", "eksnetpol", "kube-controller-manager", ""]
)
def test_who_writes_once_owns_nothing(manager: str) -> None:
    assert tool_of_manager(manager) is None


def test_the_instance_label_that_every_install_has_is_no_application_of_argo_cd() -> None:
    assert marked(labels={"app.kubernetes.io/instance": "aws-vpc-cni"}) == []


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({"aws:cloudformation:stack-name": "net"}, (Tool.CLOUDFORMATION, "net", True)),
        ({"aws:cloudformation:stack-name": "eksctl-prod-addon-vpc-cni"}, (Tool.EKSCTL, "eksctl-prod-addon-vpc-cni", True)),
        ({"alpha.eksctl.io/cluster-name": "prod"}, (Tool.EKSCTL, "", True)),
        ({"ManagedBy": "terraform"}, (Tool.TERRAFORM, "", False)),
        ({"managed-by": "Terraform v1.9"}, (Tool.TERRAFORM, "", False)),
        ({"iac": "opentofu"}, (Tool.TERRAFORM, "", False)),
        ({"terraform": "true"}, (Tool.TERRAFORM, "", False)),
        ({"company/created-by": "Pulumi"}, (Tool.PULUMI, "", False)),
    ],
)
def test_tags_name_their_tool(tags: dict[str, str], owner: tuple[Tool, str, bool]) -> None:
    (found,) = by_tags(tags, THE_ADDON)
    assert (found.tool, found.name, found.certain) == owner


@pytest.mark.parametrize(
    "tags", [{}, {"team": "terraform"}, {"terraform": "false"}, {"ManagedBy": "platform"}, {"Name": "vpc-cni"}]
)
def test_other_tags_tell_nothing(tags: dict[str, str]) -> None:
    assert list(by_tags(tags, THE_ADDON)) == []


def test_the_surest_evidence_of_a_tool_is_the_one_that_counts() -> None:
    hint, sure = Owner(Tool.HELM, WHERE, "a label", certain=False), Owner(Tool.HELM, WHERE, "an annotation", "cni")
    assert Owners((hint, sure)).of(WHERE) == (sure,)
    assert Owners((sure, hint)).of(WHERE) == (sure,)
    assert Owners((sure,)).of("something else") == ()


def test_a_look_that_could_read_little_still_tells_what_it_saw() -> None:
    short = managed(addon=addon(tags={"aws:cloudformation:stack-name": "net"}), configmaps={"unread": "Forbidden"})
    found = facts_of(short).get("owners")
    assert [o.tool for o in getattr(found, "value").of(THE_ADDON)] == [Tool.CLOUDFORMATION]  # noqa: B009 - seen or not
