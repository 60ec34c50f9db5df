"""An update of the add-on takes nothing away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eksnetpol.checks.declare import NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, SWITCH, installed
from eksnetpol.checks.words import listed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import ADDRESS_FLAGS, leaves, replaced, text_of
from eksnetpol.facts.ownership import CustomField, Ownership
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Unknown
from eksnetpol.model.snapshot import Unread


@check(
    title="an update of the add-on would take no custom setting away",
    severity=Severity.BLOCKER,
    docs="https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-field-management.html",
    sources=("aws/amazon-vpc-cni-k8s#1382", "aws/amazon-vpc-cni-k8s#2268"),
    intents=frozenset({Intent.ENABLE}),
)
def addon_update_keeps_custom_settings(
    addon_values: Mapping[str, Any] | None,
    vpc_cni: VpcCni | None,
    ownership: Ownership | Unread,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    An update that overwrites resets every field of the add-on to its default, but for what configuration values say. Variables
    and flags that somebody set with kubectl (field managers other than eks) are lost then: warm pools shrink, custom networking
    ends.
    """
    if addon_values is None:
        raise NotApplicable("EKS does not manage the VPC CNI of this cluster")
    installed(vpc_cni)
    if isinstance(ownership, Unread):
        yield Unknown(AWS_NODE, ownership.reason)
        return
    kept = {path: text_of(value) for path, value in leaves(addon_values)}
    lost = [f for f in ownership.aws_node if _is_lost(f, kept)]
    yield Evidence(f"{len(ownership.aws_node)} fields of aws-node belong to others than EKS, {len(lost)} would be lost")
    if lost:
        movable = [f for f in lost if f.path and f.value is not None]
        values: Mapping[str, Any] = addon_values
        for found in movable:
            values = replaced(values, found.path, found.value)
        by_hand = [f for f in lost if f not in movable]
        yield Finding(
            subject=AWS_NODE,
            message=f"an update that overwrites would take away {listed((str(f) for f in lost), 8)}",
            remedy="Put these settings into the configuration values first, as far as the add-on's schema has keys for them"
            + (f"; {listed((str(f) for f in by_hand), 8)} must be moved by hand." if by_hand else "."),
            command=changing.write(values) if movable else changing.read(),
            evidence=tuple(f"{f} is owned by {listed(f.managers)}" for f in lost),
        )
    if isinstance(ownership.configmap, Unread):
        yield Unknown(SWITCH, ownership.configmap.reason)
        return
    keys = [f for f in ownership.configmap if f.path not in kept]
    if keys:
        yield Finding(
            subject=SWITCH,
            message=f"an update that overwrites would reset {listed((str(f) for f in keys), 8)} in the ConfigMap",
            remedy="Put these settings into the configuration values first, as far as the add-on's schema has keys for them.",
            command=changing.read(),
            evidence=tuple(f"{f} is owned by {listed(f.managers)}" for f in keys),
        )


def _is_lost(found: CustomField, kept: Mapping[str, str]) -> bool:
    if not found.path or found.value is None:
        return found.path not in kept
    told = kept.get(found.path)
    return told is None or told.removeprefix(":" if found.flag in ADDRESS_FLAGS else "") != found.value
