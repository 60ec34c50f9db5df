"""Load balancers and their clients reach the pods they are for."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.places import show_policies
from eksnetpol.checks.words import count, few, listed, workloads
from eksnetpol.facts.arrivals import Arrival, Way, by_service
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.isolation import Isolation

WAYS = {
    Way.DIRECT: "the load balancer speaks to the pods from addresses of its own, or of its clients",
    Way.LOCAL: "clients keep their addresses all the way to the pods (externalTrafficPolicy: Local)",
}


@check(
    title="load balancers reach isolated pods",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(
        "https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/nlb/",
        "projectcalico/calico#5566",
    ),
    intents=ENFORCING,
)
def load_balancers_reach_isolated_pods(arrivals: tuple[Arrival, ...], isolation: Isolation) -> Iterator[Finding]:
    """
    A load balancer whose targets are pods asks after their health, and hands traffic on, from addresses in its subnets or with
    those of the clients. None of them is a pod: ingress needs an ipBlock, or a rule without `from`, on the container's port.
    Load balancers of Ingress objects are not looked at.
    """
    for service, closed, ports, words in by_service(arrivals, WAYS):
        members = tuple(isolation.universe.members(closed))
        where = listed(map(str, ports))
        names = listed(p.name for c in members for p in isolation.policies_of(c, "Ingress"))
        yield Finding(
            subject=Subject("Service", service.name, service.namespace),
            message=(
                f"{words}, and no block is let in to {count(sum(len(c.pods) for c in members), 'pod')} behind it on port "
                f"{where} (isolated by {names})"
            ),
            remedy=f"Allow ingress on port {where} from ipBlocks of the load balancer's subnets, or of its clients.",
            command=show_policies(service.namespace),
            evidence=few(str(w) for w in workloads(members)),
        )
