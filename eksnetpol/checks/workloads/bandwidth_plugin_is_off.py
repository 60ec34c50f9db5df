"""The bandwidth plug-in and the agent do not meet on one interface."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CNI_README, ENFORCING, NotApplicable, check
from eksnetpol.checks.words import count
from eksnetpol.facts.annotations import BANDWIDTH, Annotated
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.snapshot import Unread

VARIABLE = "ENABLE_BANDWIDTH_PLUGIN"


@check(
    title="the bandwidth plug-in is off",
    severity=Severity.BLOCKER,
    docs=CNI_README,
    sources=(CNI_README, "aws/aws-network-policy-agent#68"),
    intents=ENFORCING,
)
def bandwidth_plugin_is_off(
    vpc_cni: VpcCni | None, annotated: Annotated | Unread, changing: Changing
) -> Iterator[Finding | Evidence]:
    """
    The bandwidth plug-in and the network policy agent both hang traffic control programs on a pod's interface, and do not work
    together: policies or shaping fail. The VPC CNI's README rules the combination out.
    """
    if vpc_cni is None:
        raise NotApplicable("there is no aws-node DaemonSet")
    if not vpc_cni.env_is(VARIABLE, "true"):
        yield Evidence(f"{VARIABLE} is off")
        return
    shaped: set[str] = set()
    if isinstance(annotated, Annotated):
        with_shape = (pods for key in BANDWIDTH for pods in annotated.pods.get(key, {}).values())
        shaped = {f"pod/{p.namespace}/{p.name}" for pods in with_shape for p in pods}
    yield Finding(
        subject=Subject("DaemonSet", DAEMONSET, NAMESPACE),
        message=f"{VARIABLE} is on, which does not work with network policies; {count(len(shaped), 'pod')} ask for shaping",
        remedy="Turn the plug-in off, and take the bandwidth annotations off the pods.",
        command=changing.set(f"env.{VARIABLE}", "false"),
        evidence=tuple(sorted(shaped)[:5]),
    )
