"""Policies and Services call a port by the same name."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import few
from eksnetpol.facts.services import ServedPort
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.rules import Rule, names_of
from eksnetpol.policy.universe import Classes


@check(
    title="policies and Services call a port by the same name",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "aws/amazon-network-policy-controller-k8s#210"),
    intents=ENFORCING,
    about="objects",
)
def port_names_agree(
    served_ports: tuple[ServedPort, ...],
    name_rules: tuple[tuple[Rule, Classes], ...],
    declared_ports: DeclaredPorts,
) -> Iterator[Finding]:
    """
    Where a policy names a port, the controller looks for the Service port that forwards to that name, or to the number the name
    has. A Service that forwards to the same port of the pods under another name is not opened to the policy's clients.
    """
    forwarding: dict[str, dict[tuple[str, int], Classes]] = {}
    for served in served_ports:
        # Clients of a headless Service speak to the pods themselves.
        if isinstance(served.port.target_port, str) and not served.service.is_headless:
            to = forwarding.setdefault(served.port.protocol, {})
            for number, classes in served.targets.items():
                key = (served.port.target_port, number)
                to[key] = to.get(key, 0) | classes
    found: dict[Subject, list[str]] = {}
    for rule, there in name_rules if forwarding else ():
        for port in names_of(rule.ports):
            others = forwarding.get(port.protocol, {})
            meant = declared_ports.meanings(port.protocol, str(port.port), there) if others else {}
            for (name, number), classes in others.items() if meant else ():
                if name != port.port and classes & meant.get(number, 0):
                    service = _service(served_ports, name, classes & meant[number])
                    found.setdefault(rule.subject, []).append(f"{rule.place}: {port.port}, and {service} forwards to {name}")
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=f"calls a port otherwise than a Service before the same pods ({places[0]})",
            remedy="Use one name in containers, Services and policies, or numbers throughout.",
            command=f"kubectl get {subject.kind.lower()} {subject.name} -n {subject.namespace} -o yaml",
            evidence=few(places),
        )


def _service(served_ports: tuple[ServedPort, ...], name: str, classes: Classes) -> str:
    named = (s for s in served_ports if s.port.target_port == name and s.backends & classes)
    served = next(s for s in named if not s.service.is_headless)
    return f"service/{served.service.name}"
