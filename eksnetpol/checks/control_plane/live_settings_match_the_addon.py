"""What runs is what the add-on was told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eksnetpol.checks.declare import CONFIGURE, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, SWITCH, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.drift import Setting
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread


@check(
    title="the live settings are those of the add-on's configuration values",
    severity=Severity.WARNING,
    docs="https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-field-management.html",
    sources=("aws/amazon-vpc-cni-k8s#2268", CONFIGURE),
)
def live_settings_match_the_addon(
    addon_values: Mapping[str, Any] | None,
    vpc_cni: VpcCni | None,
    told: tuple[Setting, ...] | Unread | None,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    An update with PRESERVE keeps what was changed by hand, so the add-on can be told one thing while another runs: the switch
    says true and the nodes say false. The next update with OVERWRITE then changes more than anybody asked for.
    """
    if addon_values is None or told is None:
        raise NotApplicable("EKS does not manage the VPC CNI of this cluster")
    installed(vpc_cni)
    settings = () if isinstance(told, Unread) else told
    for setting in settings:
        subject = SWITCH if setting.of_switch else AWS_NODE
        if isinstance(setting.live, Unread):
            what = "" if setting.of_switch else f" with {setting.path}"
            yield Unknown(subject, f"{setting.place} cannot be compared{what}: {setting.live.reason}")
        elif setting.differs:
            yield Finding(
                subject=subject,
                message=f"the add-on's configuration values say {setting.path}={setting.wanted}, live is {setting}",
                remedy="Decide which is right; if the configuration values are, apply them again, over what was changed by hand.",
                command=changing.write(addon_values, resolve="OVERWRITE"),
            )
    yield Evidence(f"{len(settings)} settings compared")
