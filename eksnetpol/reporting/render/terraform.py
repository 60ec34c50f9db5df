"""Terraform: the resource ``aws_eks_addon`` of the provider hashicorp/aws.

The provider sends an update only when version, configuration, role or associations change, and takes NONE or OVERWRITE alone for
a creation (hashicorp/terraform-provider-aws, internal/service/eks/addon.go).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from eksnetpol.errors import Refused
from eksnetpol.model.actions import CreateAddon
from eksnetpol.reporting.render import hcl
from eksnetpol.reporting.render.order import (
    SERVICE_ACCOUNT,
    AddonChange,
    Order,
    addon_change,
    around,
    comment,
    compact,
    head,
    is_the_same,
)

RESOURCE = "vpc_cni"


def write(order: Order) -> str:
    """Return the resource; raise `Refused` where Terraform would see nothing to do."""
    change = addon_change(order)
    if is_the_same(order, change):
        raise Refused(
            "Terraform would see nothing to do: the add-on was told all of this already, and what differs was changed by hand in "
            "the cluster; --as aws-cli writes the update that sets it back"
        )
    text = comment([*head(order, _where(order, change)), *around(order, order.addon_steps)])
    return f"{text}\n{_resource(order, change)}"


def _where(order: Order, change: AddonChange) -> Iterator[str]:
    yield "Terraform, provider hashicorp/aws: put it in place of your resource for this add-on, under its name."
    address = f"aws_eks_addon.{RESOURCE}"
    if change.creates:
        yield "`terraform plan` must show this one resource to add, and nothing to destroy."
    else:
        yield "`terraform plan` must show this one resource changed in place. If your state does not have it yet:"
        yield f"    terraform import {address} {shlex.quote(f'{order.cluster}:{change.action.addon}')}"
    yield from later(change)
    if order.addon is not None and order.addon.pod_identity_associations:
        yield "The add-on has a Pod Identity association: keep your block pod_identity_association, or it is deleted."


def later(change: AddonChange) -> Iterator[str]:
    """Yield what comes after the state a document describes, where the way is longer."""
    if change.then:
        yield f"This is the first of {len(change.then) + 1} updates, one minor version at a time: then {', '.join(change.then)}."
        yield "When it has come through, render again for the next."


def _resource(order: Order, change: AddonChange) -> str:
    action = change.action
    pairs = {
        "cluster_name": hcl.quoted(order.cluster),
        "addon_name": hcl.quoted(action.addon),
        "addon_version": hcl.quoted(action.version),
    }
    if change.creates:
        # PRESERVE means NONE in a creation, and the provider does not take it.
        mode = "OVERWRITE" if action.resolve_conflicts == "OVERWRITE" else "NONE"
        pairs |= {"resolve_conflicts_on_create": hcl.quoted(mode), "resolve_conflicts_on_update": hcl.quoted("PRESERVE")}
    else:
        pairs["resolve_conflicts_on_update"] = hcl.quoted(action.resolve_conflicts)
    if action.role_arn:
        pairs["service_account_role_arn"] = hcl.quoted(action.role_arn)
    if isinstance(action, CreateAddon):
        # Without it, destroying the resource would take the network of every node away.
        pairs["preserve"] = "true"
    body = hcl.attributes(pairs, 2)
    if change.values:
        # In ASCII there is nothing that Terraform would hold in another form.
        whole = f"jsonencode({hcl.value(change.values, 2)})" if hcl.is_held(change.values) else hcl.quoted(compact(change.values))
        body += f"\n  configuration_values = {whole}\n"
    if isinstance(action, CreateAddon) and action.pod_identity_role:
        inner = {"role_arn": hcl.quoted(action.pod_identity_role), "service_account": hcl.quoted(SERVICE_ACCOUNT)}
        body += f"\n  pod_identity_association {{\n{hcl.attributes(inner, 4)}  }}\n"
    if isinstance(action, CreateAddon) and action.tags:
        body += f"\n  tags = {hcl.value(action.tags, 2)}\n"
    return f'resource "aws_eks_addon" "{RESOURCE}" {{\n{body}}}\n'
