"""An address is not given away before policies have forgotten whose it was."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CNI_README, ENFORCING, NotApplicable, check
from eksnetpol.checks.words import count
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.policies import NetworkPolicy

VARIABLE = "IP_COOLDOWN_PERIOD"
LEAST = 30


@check(
    title="addresses of deleted pods rest for half a minute",
    severity=Severity.WARNING,
    docs=CNI_README,
    sources=(CNI_README, "aws/amazon-network-policy-controller-k8s#190"),
    intents=ENFORCING,
)
def addresses_cool_down(
    vpc_cni: VpcCni | None, network_policies: tuple[NetworkPolicy, ...], changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Policies are kept as addresses. A pod that gets the address of one deleted a moment ago has that one's access until every
    PolicyEndpoint is written anew, which IP_COOLDOWN_PERIOD (seconds, 30 by default) leaves time for. Prefix delegation works
    with policies and gives addresses out again sooner, so it counts on the same rest.
    """
    if vpc_cni is None:
        raise NotApplicable("there is no aws-node DaemonSet")
    prefixes = "on" if vpc_cni.env_is("ENABLE_PREFIX_DELEGATION", "true") else "off"
    text = vpc_cni.env.get(VARIABLE, str(LEAST)).strip()
    yield Evidence(f"{VARIABLE} {text}, prefix delegation {prefixes}")
    subject = Subject("DaemonSet", DAEMONSET, NAMESPACE)
    if not text.isdecimal():
        yield Unknown(subject, f"{VARIABLE} is {text!r}, which is no number of seconds")
    elif int(text) < LEAST and network_policies:
        yield Finding(
            subject=subject,
            message=(
                f"addresses are given away after {int(text)} s (prefix delegation {prefixes}): a new pod may have the access of "
                f"the one before, by {count(len(network_policies), 'policy', 'policies')}"
            ),
            remedy=f"Set {VARIABLE} to {LEAST} or more.",
            command=changing.set(f"env.{VARIABLE}", str(LEAST)),
        )
