"""The controller's switch is on wherever something counts on it."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, check
from eksnetpol.facts.changing import Changing, switch_controller
from eksnetpol.facts.vpc_cni import CONFIGMAP, NAMESPACE, Switch, Switches
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import Unread


@check(
    title="the policy controller is switched on where the agent expects it",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=("aws/aws-network-policy-agent#231", CONFIGURE),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def controller_switch_is_on(
    switches: Switches, network_policies: tuple[NetworkPolicy, ...] | Unread, changing: Changing
) -> Iterator[Finding | Evidence]:
    """
    Two switches are independent: the controller in the control plane starts only when the ConfigMap kube-system/amazon-vpc-cni
    says enable-network-policy-controller: "true", and the agent on each node enforces only with --enable-network-policy=true.
    With the agent's alone, policies are accepted and nothing happens: no PolicyEndpoint is ever written, and no error either.
    """
    yield Evidence(f"controller {switches.controller}, agent {switches.agent}")
    if switches.controller is Switch.ON or switches.agent is not Switch.ON:
        return
    waiting = "" if isinstance(network_policies, Unread) else f"; {len(network_policies)} NetworkPolicies wait for it"
    yield Finding(
        subject=Subject("ConfigMap", CONFIGMAP, NAMESPACE),
        message=f"the agent is switched on, the controller is {switches.controller}: no policy takes effect{waiting}",
        remedy="Set both switches together, with the add-on's or the chart's enableNetworkPolicy.",
        command=changing.enable(switch_controller("true", absent=switches.controller is Switch.ABSENT)),
    )
