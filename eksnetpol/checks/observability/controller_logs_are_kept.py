"""What the policy controller says is kept."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import BEST_PRACTICES, check
from eksnetpol.facts.changing import Changing
from eksnetpol.model.eks import Cluster
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject

LOG_TYPE = "controllerManager"
SWITCHED_ON = '{"clusterLogging":[{"types":["controllerManager"],"enabled":true}]}'


@check(
    title="the control plane's controller logs are kept",
    severity=Severity.ADVICE,
    docs=BEST_PRACTICES,
    sources=(BEST_PRACTICES,),
)
def controller_logs_are_kept(cluster: Cluster, changing: Changing) -> Iterator[Finding | Evidence]:
    """
    The policy controller runs inside the EKS control plane and writes neither events nor conditions. When a NetworkPolicy gets no
    PolicyEndpoint, its log is the only witness, and it is kept only with the control-plane log type controllerManager.
    """
    kept = {name for setup in cluster.logging.cluster_logging if setup.enabled for name in setup.types}
    yield Evidence(f"kept: {', '.join(sorted(kept)) or 'nothing'}")
    if LOG_TYPE not in kept:
        yield Finding(
            subject=Subject("Cluster", cluster.name),
            message=f"control-plane logs of type {LOG_TYPE} are off: what the policy controller does cannot be seen",
            remedy="Switch them on, at least while you roll policies out.",
            command=changing.aws_cluster("update-cluster-config", "--logging", SWITCHED_ON),
        )
