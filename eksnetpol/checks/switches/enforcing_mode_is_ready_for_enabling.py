"""The enforcing mode is set before the agent is switched on."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CONFIGURE, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, agent_of, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import variable
from eksnetpol.facts.vpc_cni import MODE_VARIABLE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release


@check(
    title="the enforcing mode is set before the agent is switched on",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=("https://github.com/aws/aws-network-policy-agent/blob/main/main.go", CONFIGURE),
    intents=frozenset({Intent.ENABLE, Intent.MIGRATE}),
)
def enforcing_mode_is_ready_for_enabling(
    vpc_cni: VpcCni | None, agent_release: Release | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    With the switch off an agent starts whatever the enforcing mode is. Once it is switched on, an agent from v1.2.4 on exits
    where NETWORK_POLICY_ENFORCING_MODE is missing or none, on each node that the roll-out reaches.
    """
    cni = installed(vpc_cni)
    agent_of(cni)
    if cni.agent_is_on:
        raise NotApplicable("the agent is switched on already")
    found = variable(cni.cni, MODE_VARIABLE)
    if found is not None and found.value is None:
        yield Unknown(AWS_NODE, f"the value of {MODE_VARIABLE} is not to be seen in the DaemonSet")
        return
    said = None if found is None else found.value
    seen = "is not set" if said is None else f"is {said!r}"
    yield Evidence(f"{MODE_VARIABLE} {seen}")
    if said is not None and said.lower() != "none":
        return
    since = releases.feature["mode-from-ipamd"].agent or releases.minimum.agent
    if isinstance(agent_release, Unread):
        yield Unknown(AWS_NODE, f"{MODE_VARIABLE} {seen}, which stops agents from {since} on: {agent_release.reason}")
    elif agent_release.base >= since:
        yield Finding(
            subject=AWS_NODE,
            message=f"{MODE_VARIABLE} {seen}: once it is switched on, agent {agent_release} exits as it starts",
            remedy=f"Set it to standard in the same change as the switch, {changing.place}.",
            command=changing.set(f"env.{MODE_VARIABLE}", "standard"),
        )
