"""In strict mode, init containers can wait for the network."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, ENFORCING, NotApplicable, check
from eksnetpol.checks.words import by_namespace, count
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.universe import set_of

COLUMNS = "custom-columns=POD:.metadata.name,INIT:.spec.initContainers[*].name"


@check(
    title="no init container meets a network that is still closed",
    severity=Severity.WARNING,
    docs=CONFIGURE,
    sources=(CONFIGURE, "aws/aws-network-policy-agent#271", "aws/aws-network-policy-agent#298"),
    intents=ENFORCING,
)
def init_containers_survive_strict_mode(vpc_cni: VpcCni | None, isolation: Isolation) -> Iterator[Finding | Evidence]:
    """
    In strict mode a pod starts with everything closed, and stays so until its policies are in force. Init containers run in just
    these seconds: one that connects without trying again fails, and the pod restarts it with growing pauses.
    """
    if vpc_cni is None:
        raise NotApplicable("there is no aws-node DaemonSet")
    yield Evidence(f"enforcing mode {vpc_cni.mode or 'not set'}")
    if not vpc_cni.is_strict:
        return
    universe = isolation.universe
    early = set_of(c.index for c in universe.members(isolation.egress) if c.init_containers)
    for group in by_namespace(universe, early):
        yield Finding(
            subject=group.subject,
            message=f"{count(group.pods, 'egress-isolated pod')} have init containers, which start while everything is closed",
            remedy="Make sure that init containers which connect try again for some seconds.",
            command=f"kubectl get pods -n {group.namespace} -o {COLUMNS}",
            evidence=group.evidence,
        )
