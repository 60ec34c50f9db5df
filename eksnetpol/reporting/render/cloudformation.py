"""CloudFormation: the resource ``AWS::EKS::Addon``.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eks-addon.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from eksnetpol.model.actions import CreateAddon
from eksnetpol.reporting.render.order import (
    SERVICE_ACCOUNT,
    AddonChange,
    Order,
    addon_change,
    around,
    comment,
    compact,
    head,
)
from eksnetpol.reporting.render.terraform import later
from eksnetpol.reporting.yaml import Dumper

LOGICAL_ID = "VpcCni"
_ENDLESS = 2**31 - 1


def write(order: Order) -> str:
    """Return a template with the one resource."""
    change = addon_change(order)
    text = comment([*head(order, _where(change)), *around(order, order.addon_steps)])
    return text + dumped(document(order, change))


def document(order: Order, change: AddonChange) -> dict[str, Any]:
    """Return the template as plain values."""
    resource = {"Type": "AWS::EKS::Addon", "Properties": properties(order, change)}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {LOGICAL_ID: resource}}


def properties(order: Order, change: AddonChange) -> dict[str, Any]:
    """Return the resource's properties."""
    action = change.action
    made: dict[str, Any] = {
        "ClusterName": order.cluster,
        "AddonName": action.addon,
        "AddonVersion": action.version,
        "ResolveConflicts": action.resolve_conflicts,
    }
    if change.values:
        made["ConfigurationValues"] = compact(change.values)
    if action.role_arn:
        made["ServiceAccountRoleArn"] = action.role_arn
    if isinstance(action, CreateAddon):
        # Without it, deleting the stack would take the network of every node away.
        made["PreserveOnDelete"] = True
        if action.pod_identity_role:
            made["PodIdentityAssociations"] = [{"RoleArn": action.pod_identity_role, "ServiceAccount": SERVICE_ACCOUNT}]
        if action.tags:
            made["Tags"] = [{"Key": key, "Value": value} for key, value in sorted(action.tags.items())]
    return made


def dumped(made: Any) -> str:
    """Return *made* as a YAML document in ASCII, its keys in the order they have."""
    text: str = yaml.dump(made, Dumper=Dumper, sort_keys=False, width=_ENDLESS, allow_unicode=False)
    # The same string to a YAML reader, but no workflow command to a CI runner.
    return text.replace("##[", "#\\x23[")


def _where(change: AddonChange) -> Iterator[str]:
    yield "CloudFormation: put the resource in place of the one your stack has for this add-on, under its logical id."
    if change.creates:
        yield "The change set must add this one resource and remove none."
    else:
        yield "The change set must modify this one resource, without replacement."
        yield "A stack that does not have it yet takes it in by an import: that wants a DeletionPolicy on the resource."
    yield from later(change)
