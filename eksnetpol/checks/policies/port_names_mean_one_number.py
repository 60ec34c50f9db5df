"""A port name in a policy means the same number in every pod."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import few, listed
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.rules import Direction, Rule, names_of
from eksnetpol.policy.universe import Classes


@check(
    title="a port name means one number",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "aws/amazon-network-policy-controller-k8s#71"),
    intents=ENFORCING,
    about="objects",
)
def port_names_mean_one_number(
    name_rules: tuple[tuple[Rule, Classes], ...], declared_ports: DeclaredPorts
) -> Iterator[Finding]:
    """
    Where a name means different numbers in different pods that a policy selects, an ingress rule opens all these numbers in all
    of the pods: more than Kubernetes means. Towards different pods an egress rule opens different numbers, and through one
    Service before them, those of one pod, chosen anew each time.
    """
    found: dict[Subject, list[str]] = {}
    for rule, there in name_rules:
        for port in names_of(rule.ports):
            meant = declared_ports.meanings(port.protocol, str(port.port), there)
            if len(meant) > 1:
                numbers = listed(str(n) for n in sorted(meant))
                words = "all are opened in all pods" if rule.direction is Direction.INGRESS else "each in its pods"
                found.setdefault(rule.subject, []).append(f"{rule.place}: {port} means {numbers}, {words}")
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=places[0],
            remedy="Use numbers, or give the port one number in all pods.",
            command=f"kubectl get {subject.kind.lower()} {subject.name} -n {subject.namespace} -o yaml",
            evidence=few(places),
        )
