"""An agent that enforces is given a mode it knows."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CONFIGURE, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, agent_of, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import variable
from eksnetpol.facts.vpc_cni import MODE_VARIABLE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release


@check(
    title="an agent that is switched on gets the mode standard or strict",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=("https://github.com/aws/aws-network-policy-agent/blob/main/main.go", CONFIGURE),
)
def agent_accepts_the_enforcing_mode(
    vpc_cni: VpcCni | None, agent_release: Release | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    From v1.2.4 on the agent asks ipamd for the enforcing mode as it starts. With the switch on it accepts standard and strict
    only; where the variable is missing or says none, it exits, and new pods on that node fail.
    """
    cni = installed(vpc_cni)
    agent_of(cni)
    if not cni.agent_is_on:
        raise NotApplicable("the agent is switched off")
    found = variable(cni.cni, MODE_VARIABLE)
    if found is not None and found.value is None:
        yield Unknown(AWS_NODE, f"the value of {MODE_VARIABLE} is not to be seen in the DaemonSet")
        return
    said = None if found is None else found.value
    yield Evidence(f"{MODE_VARIABLE} is {'not set' if said is None else repr(said)}")
    if said is not None and said.lower() != "none":
        return
    since = releases.feature["mode-from-ipamd"].agent or releases.minimum.agent
    seen = "is not set" if said is None else f"is {said!r}"
    if isinstance(agent_release, Unread):
        yield Unknown(AWS_NODE, f"{MODE_VARIABLE} {seen}, which stops agents from {since} on: {agent_release.reason}")
    elif agent_release.base >= since:
        yield Finding(
            subject=AWS_NODE,
            message=f"{MODE_VARIABLE} {seen} while the agent is switched on: agent {agent_release} exits as it starts",
            remedy=f"Set it to standard, {changing.place}.",
            command=changing.set(f"env.{MODE_VARIABLE}", "standard"),
        )
