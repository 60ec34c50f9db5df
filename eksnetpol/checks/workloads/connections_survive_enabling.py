"""Nothing is cut off when policies come into force."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, check
from eksnetpol.checks.words import by_namespace, count
from eksnetpol.facts.vpc_cni import Switches
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity
from eksnetpol.policy.isolation import Isolation


@check(
    title="no running pod becomes isolated at once",
    severity=Severity.WARNING,
    docs=CONFIGURE,
    sources=("aws/aws-network-policy-agent#175", "aws/aws-network-policy-agent#204", "aws/aws-network-policy-agent#345"),
    intents=frozenset({Intent.ENABLE, Intent.MIGRATE}),
)
def connections_survive_enabling(switches: Switches, isolation: Isolation) -> Iterator[Finding | Evidence]:
    """
    Every policy there is comes into force the moment enforcement is on. Connections older than that are new to the agent: those
    that no policy allows are cut, and allowed ones may stall until they are made anew. Connection pools and long streams feel it.
    """
    yield Evidence(f"controller {switches.controller}, agent {switches.agent}")
    if switches.both_on:
        return
    for group in by_namespace(isolation.universe, isolation.either):
        yield Finding(
            subject=group.subject,
            message=(
                f"{count(group.pods, 'running pod')} of {count(len(group.workloads), 'workload')} become isolated: their "
                "established connections may be cut"
            ),
            remedy="Enable in a quiet hour, and restart what does not connect again by itself.",
            command=f"kubectl get networkpolicies -n {group.namespace}",
            evidence=group.evidence,
        )
