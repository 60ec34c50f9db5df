"""Services that policies govern listen on the ports of their containers."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import listed
from eksnetpol.facts.services import ServedPort
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.policy.rules import Rule
from eksnetpol.policy.universe import Classes


@check(
    title="Services that policies govern keep the ports of their containers",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "aws/aws-network-policy-agent#166", "aws/aws-network-policy-agent#493"),
    intents=ENFORCING,
    about="objects",
)
def services_keep_container_ports(
    served_ports: tuple[ServedPort, ...], ported_rules: tuple[tuple[Rule, Classes], ...]
) -> Iterator[Finding | Evidence]:
    """
    Egress is decided before a Service's address is turned into a pod's, ingress after it. The controller translates ports between
    the two as well as it can; AWS asks for Service ports that equal the container ports. It matters only where a rule names
    ports, and not for headless Services, whose clients meet the pods' own ports.
    """
    governed = 0
    for _, there in ported_rules:
        governed |= there
    translating = [s for s in served_ports if s.translates]
    yield Evidence(f"{len(translating)} of {len(served_ports)} ports of Services differ from the container's")
    found: dict[Subject, list[str]] = {}
    for served in translating:
        if served.backends & governed:
            subject = Subject("Service", served.service.name, served.service.namespace)
            found.setdefault(subject, []).append(served.words)
    for subject, words in found.items():
        yield Finding(
            subject=subject,
            message=f"maps {listed(words)} before pods to which policies open certain ports; AWS asks for equal numbers",
            remedy="Let the Service listen on the container's port, or try each direction of these policies out.",
            command=f"kubectl get service {subject.name} -n {subject.namespace} -o yaml",
        )
