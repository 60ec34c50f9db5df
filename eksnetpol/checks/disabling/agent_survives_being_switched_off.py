"""The agent keeps running when it is switched off while PolicyEndpoints remain."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import DISABLE, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE
from eksnetpol.checks.words import count
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import Switch, Switches
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity
from eksnetpol.model.policies import PolicyEndpoint
from eksnetpol.model.versions import Release


@check(
    title="the agent keeps running when it is switched off",
    severity=Severity.BLOCKER,
    docs=DISABLE,
    sources=("aws/aws-network-policy-agent#380", "aws/aws-network-policy-agent#97", "aws/amazon-vpc-cni-k8s#2562"),
    intents=frozenset({Intent.DISABLE, Intent.UPGRADE}),
)
def agent_survives_being_switched_off(
    agent_release: Release,
    policy_endpoints: tuple[PolicyEndpoint, ...],
    switches: Switches,
    releases: Matrix,
    changing: Changing,
) -> Iterator[Finding | Evidence]:
    """
    Older agents go on watching PolicyEndpoints when they are switched off and panic at the first one, on every node, again and
    again; new pods then fail, because the CNI waits for the agent. Agents before v1.1.5 always did, those before v1.2.1 still
    watch.
    """
    least = releases.feature["disable-with-endpoints"].agent
    if least is None or agent_release.base >= least:
        raise NotApplicable(f"agent {agent_release} leaves PolicyEndpoints alone when it is switched off")
    yield Evidence(f"agent {agent_release}, {count(len(policy_endpoints), 'PolicyEndpoint')}")
    if policy_endpoints:
        now = "is switched off already" if switches.agent is Switch.OFF else "would be switched off"
        yield Finding(
            subject=AWS_NODE,
            message=f"agent {agent_release} panics when it {now} while {count(len(policy_endpoints), 'PolicyEndpoint')} remain",
            remedy=f"Upgrade to agent {least} or later first, or delete all policies and wait until no PolicyEndpoint is left.",
            command=changing.upgrade(releases.feature["disable-with-endpoints"].cni or least),
        )
