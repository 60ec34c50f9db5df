"""Changes of add-ons that EKS manages. A token makes the same call twice one change: botocore may repeat it unasked."""

from __future__ import annotations

from typing import Any

from eksnetpol.errors import Busy, Exists, NotFound
from eksnetpol.gateways.aws_door import AwsDoor, convert
from eksnetpol.gateways.change_permits import ACTING, AWS_NODE
from eksnetpol.gateways.eks import EksCalls
from eksnetpol.gateways.permits import ADDON, CLUSTER, ROLES, VPC_CNI, iam, needs
from eksnetpol.model import eks
from eksnetpol.model.actions import CreateAddon, UpdateAddon

_BEING_MADE = frozenset({"CREATING", "ACTIVE", "DEGRADED"})


class EksChanges(EksCalls):
    """What is done to add-ons of one cluster, in addition to what is asked of EKS."""

    door: AwsDoor

    @needs(iam("eks:DescribeUpdate", CLUSTER, ADDON), commands=ACTING)
    def describe_update(self, cluster: str, name: str, update: str) -> eks.Update:
        """Return one update of an add-on."""
        answer = self.door.call("eks", "DescribeUpdate", name=cluster, addonName=name, updateId=update)
        return convert(answer["update"], eks.Update, "eks:DescribeUpdate")

    @needs(iam("eks:UpdateAddon", VPC_CNI), iam("iam:PassRole", ROLES), commands=ACTING)
    def update_addon(self, cluster: str, wanted: UpdateAddon, token: str) -> eks.Update:
        """Start an update; the same *token* again starts nothing and returns the same update.

        A role is sent where there is one: leaving it out is documented to mean the node's role. Pod identity associations are
        never sent: leaving them out leaves them alone, an empty list would delete them.
        """
        answer = self.door.call(
            "eks",
            "UpdateAddon",
            clusterName=cluster,
            addonName=wanted.addon,
            addonVersion=wanted.version,
            configurationValues=wanted.configuration_values,
            resolveConflicts=wanted.resolve_conflicts,
            clientRequestToken=token,
            **_role(wanted.role_arn),
        )
        return convert(answer["update"], eks.Update, "eks:UpdateAddon")

    @needs(
        iam("eks:CreateAddon", CLUSTER),
        iam("eks:CreatePodIdentityAssociation", CLUSTER),
        iam("eks:TagResource", VPC_CNI),
        iam("iam:PassRole", ROLES),
        commands=ACTING,
    )
    def create_addon(self, cluster: str, wanted: CreateAddon, token: str) -> eks.Addon:
        """Start creating the add-on; raise `errors.Exists` where there is one."""
        more: dict[str, Any] = _role(wanted.role_arn)
        if wanted.configuration_values:
            more["configurationValues"] = wanted.configuration_values
        if wanted.pod_identity_role:
            more["podIdentityAssociations"] = [{"serviceAccount": AWS_NODE, "roleArn": wanted.pod_identity_role}]
        if wanted.tags:
            more["tags"] = wanted.tags
        try:
            answer = self.door.call(
                "eks",
                "CreateAddon",
                clusterName=cluster,
                addonName=wanted.addon,
                addonVersion=wanted.version,
                resolveConflicts=wanted.resolve_conflicts,
                clientRequestToken=token,
                **more,
            )
        except Exists as error:
            made = self.describe_addon(cluster, wanted.addon) if _was_repeated(error) else None
            if made is None or not _is(made, wanted):
                raise
            return made
        return convert(answer["addon"], eks.Addon, "eks:CreateAddon")

    @needs(iam("eks:DeleteAddon", VPC_CNI), commands=ACTING)
    def delete_addon(self, cluster: str, name: str, *, preserve: bool) -> None:
        """Start deleting the add-on; one that is not there, or is being deleted, is no error."""
        try:
            self.door.call("eks", "DeleteAddon", clusterName=cluster, addonName=name, preserve=preserve)
        except NotFound:
            return
        except Busy:
            found = self.describe_addon(cluster, name)
            if found is not None and found.status != "DELETING":
                raise


def _role(arn: str) -> dict[str, Any]:
    return {"serviceAccountRoleArn": arn} if arn else {}


def _was_repeated(error: Exists) -> bool:
    """Return whether botocore had tried before: then the add-on that is there may be what the first attempt made."""
    response = getattr(error.__cause__, "response", {})
    return int(response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0


def _is(found: eks.Addon, wanted: CreateAddon) -> bool:
    return (
        found.status in _BEING_MADE
        and (found.addon_version, found.configuration_values, found.service_account_role_arn)
        == (wanted.version, wanted.configuration_values, wanted.role_arn)
    )


