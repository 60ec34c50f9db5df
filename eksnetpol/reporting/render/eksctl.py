"""eksctl: an entry of a ClusterConfig's ``addons``.

eksctl hands ``resolveConflicts`` to the API as it is written, so it is written as the API has it, and asks for a namespace with
each Pod Identity association (eksctl-io/eksctl, pkg/apis/eksctl.io/v1alpha5/addon.go, pkg/actions/addon).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eksnetpol.facts.vpc_cni import NAMESPACE
from eksnetpol.model.actions import CreateAddon
from eksnetpol.reporting.render.cloudformation import dumped
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

FILE = "cluster.yaml"


def write(order: Order) -> str:
    """Return a ClusterConfig with the one add-on."""
    change = addon_change(order)
    text = comment([*head(order, _where(order, change)), *around(order, order.addon_steps)])
    return text + dumped(document(order, change))


def document(order: Order, change: AddonChange) -> dict[str, Any]:
    """Return the ClusterConfig as plain values."""
    action = change.action
    entry: dict[str, Any] = {"name": action.addon, "version": action.version}
    if change.values:
        entry["configurationValues"] = compact(change.values)
    entry["resolveConflicts"] = action.resolve_conflicts
    if action.role_arn:
        entry["serviceAccountRoleARN"] = action.role_arn
    if isinstance(action, CreateAddon):
        if action.pod_identity_role:
            association = {"namespace": NAMESPACE, "serviceAccountName": SERVICE_ACCOUNT, "roleARN": action.pod_identity_role}
            entry["podIdentityAssociations"] = [association]
        if action.tags:
            entry["tags"] = action.tags
    return {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": order.cluster, "region": order.region},
        "addons": [entry],
    }


def _where(order: Order, change: AddonChange) -> Iterator[str]:
    verb = "create" if change.creates else "update"
    yield "eksctl: put the entry in place of the one your ClusterConfig has for this add-on, then"
    yield f"    eksctl {verb} addon -f {FILE}"
    yield from later(change)
    if order.addon is not None and order.addon.pod_identity_associations:
        yield "The add-on has a Pod Identity association, and eksctl stops unless the entry names it: keep your"
        yield "podIdentityAssociations. The role is in"
        yield f"    eksctl get podidentityassociation --cluster {order.cluster} --region {order.region}"
