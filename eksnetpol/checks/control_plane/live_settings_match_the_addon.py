"""What runs is what the add-on was told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eksnetpol.checks.declare import CONFIGURE, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, SWITCH, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import ADDRESS_FLAGS, AGENT_FLAGS, leaves, text_of, variable
from eksnetpol.facts.vpc_cni import CONTROLLER_KEY, Switches, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread

ABSENT = "absent"


@check(
    title="the live settings are those of the add-on's configuration values",
    severity=Severity.WARNING,
    docs="https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-field-management.html",
    sources=("aws/amazon-vpc-cni-k8s#2268", CONFIGURE),
)
def live_settings_match_the_addon(
    addon_values: Mapping[str, Any] | None,
    vpc_cni: VpcCni | None,
    switches: Switches | Unread,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    An update with PRESERVE keeps what was changed by hand, so the add-on can be told one thing while another runs: the switch
    says true and the nodes say false. The next update with OVERWRITE then changes more than anybody asked for.
    """
    if addon_values is None:
        raise NotApplicable("EKS does not manage the VPC CNI of this cluster")
    cni = installed(vpc_cni)
    compared = 0
    for path, value in leaves(addon_values):
        wanted = text_of(value)
        for place, live in _live(path, cni):
            compared += 1
            if isinstance(live, Unread):
                yield Unknown(AWS_NODE, f"{place} cannot be compared with {path}: {live.reason}")
            elif live != wanted:
                yield _drift(AWS_NODE, path, wanted, f"{place}={live}", addon_values, changing)
        if path == "enableNetworkPolicy":
            compared += 1
            if isinstance(switches, Unread):
                yield Unknown(SWITCH, f"{CONTROLLER_KEY} cannot be compared: {switches.reason}")
            elif (switches.controller_value or ABSENT) != wanted and not (wanted == "false" and not switches.controller_value):
                live_value = f"{CONTROLLER_KEY}={switches.controller_value or ABSENT}"
                yield _drift(SWITCH, path, wanted, live_value, addon_values, changing)
    yield Evidence(f"{compared} settings compared")


def _live(path: str, cni: VpcCni) -> Iterator[tuple[str, str | Unread]]:
    """Yield where a key ends up and what is there."""
    if path.startswith("env."):
        name = path.removeprefix("env.")
        found = variable(cni.cni, name)
        if found is None:
            yield name, ABSENT
        else:
            yield name, Unread("its value is not to be seen") if found.value is None else found.value
    elif path in AGENT_FLAGS and cni.agent is not None:
        flag = AGENT_FLAGS[path]
        value = cni.args.get(flag, ABSENT)
        yield f"--{flag}", value.removeprefix(":") if flag in ADDRESS_FLAGS else value


def _drift(
    subject: Subject, path: str, wanted: str, live: str, values: Mapping[str, Any], changing: Changing
) -> Finding:
    return Finding(
        subject=subject,
        message=f"the add-on's configuration values say {path}={wanted}, live is {live}",
        remedy="Decide which is right; if the configuration values are, apply them again, over what was changed by hand.",
        command=changing.write(values, resolve="OVERWRITE"),
    )
