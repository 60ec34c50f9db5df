"""Pods that were given rights to the API still reach it."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, NotApplicable, check
from eksnetpol.checks.places import show_policies
from eksnetpol.checks.words import count, examples, listed
from eksnetpol.facts.cluster_rules import ClusterRulebook, accepted_service
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.kubernetes import Service, ServiceAccount
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.closing import closing
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.openings import Openings
from eksnetpol.policy.universe import Classes, set_of
from eksnetpol.policy.weights import Weights

PORT = 443


@check(
    title="pods with a service account of their own reach the API server",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=("aws/amazon-vpc-cni-k8s#2967", "https://github.com/aws/amazon-network-policy-controller-k8s"),
    intents=ENFORCING,
)
def api_server_stays_reachable(
    isolation: Isolation,
    openings: Openings,
    weights: Weights,
    cluster_rulebook: ClusterRulebook | Unread,
    services: tuple[Service, ...],
    service_accounts: tuple[ServiceAccount, ...],
) -> Iterator[Finding | Evidence]:
    """
    The Service default/kubernetes has no selector, and the API server is no pod: no podSelector means it. Pods of controllers and
    operators, which list and watch, need an ipBlock of the Service's address, which is what the agent sees. Asked are pods that
    mount a token of a service account other than `default`, which is seldom given rights.
    """
    service = next((s for s in services if (s.namespace, s.name) == ("default", "kubernetes")), None)
    if service is None:
        raise NotApplicable("there is no Service default/kubernetes here, so its address is not known")
    universe = isolation.universe
    needed = _with_token(isolation, service_accounts) & isolation.egress
    yield Evidence(f"{count(weights.of(needed), 'egress-isolated pod')} with a token of an account of their own")
    if not needed:
        return
    refused = needed & ~openings.to(service, "TCP", PORT).allowed
    refused &= ~accepted_service(cluster_rulebook, refused, service, universe, "TCP", PORT)
    names: dict[str, list[str]] = {}
    for subject, _ in closing(isolation, refused):
        names.setdefault(subject.namespace, []).append(subject.name)
    address = f"{service.spec.cluster_ip}/{128 if ':' in service.spec.cluster_ip else 32}"
    for namespace, within in universe.in_namespace.items() if refused else ():
        here = within & refused
        if not here:
            continue
        yield Finding(
            subject=Subject("Namespace", namespace),
            message=(
                f"{count(weights.of(here), 'isolated pod')} with a token of their own cannot reach the API server at {address}: "
                f"closed by {listed(names.get(namespace, ()))}"
            ),
            remedy=(
                f"If they speak to the API, allow an ipBlock {address} on TCP port {PORT}; if not, set "
                "automountServiceAccountToken: false, or waive this."
            ),
            command=show_policies(namespace),
            evidence=examples(universe, here),
        )


def _with_token(isolation: Isolation, accounts: tuple[ServiceAccount, ...]) -> Classes:
    without = {
        (a.metadata.namespace, a.metadata.name) for a in accounts if a.automount_service_account_token is False
    }
    return set_of(
        c.index
        for c in isolation.universe.classes
        if c.service_account not in {"", "default"} and c.mounts_token and (c.namespace, c.service_account) not in without
    )
