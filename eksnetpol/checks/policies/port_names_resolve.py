"""Every port name in a policy is one that containers declare."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import count, few, listed
from eksnetpol.model.findings import Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import SourceKind
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Direction, Rule, Rules, names_of
from eksnetpol.policy.universe import Classes


@check(
    title="containers declare every port name that policies use",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=(LIMIT, "aws/amazon-network-policy-controller-k8s#71", "aws/aws-network-policy-agent#193"),
    intents=ENFORCING,
    about="objects",
)
def port_names_resolve(
    isolation: Isolation,
    declared_ports: DeclaredPorts,
    name_rules: tuple[tuple[Rule, Classes], ...],
    rules: Rules,
    source: SourceKind,
) -> Iterator[Finding | Unknown]:
    """
    A port name in an ingress rule is looked up on the pods that the policy selects, in an egress rule on the pods it leads to,
    among the ports of ordinary containers with the same protocol. A name that none of them declares opens nothing; where a rule
    has no other port, the whole rule is dropped.
    """
    found: dict[Subject, list[tuple[str, int]]] = {}
    for rule, there in name_rules:
        for port in names_of(rule.ports):
            if not declared_ports.meanings(port.protocol, str(port.port), there):
                hidden = _hidden(isolation, there, port.protocol, str(port.port))
                found.setdefault(rule.subject, []).append((f"{rule.place}: {port}{hidden}", there))
    for subject, places in found.items():
        first, there = places[0]
        pods = count(isolation.universe.count_pods(there), "pod")
        whose = "it selects" if first.startswith(Direction.INGRESS.lower()) else "it leads to"
        yield Finding(
            subject=subject,
            message=f"{first} is declared by none of the {pods} {whose}: it opens nothing",
            remedy="Correct the name or the protocol, declare the port in the container, or use its number.",
            command=f"kubectl get pods -n {subject.namespace} -o jsonpath='{{.items[*].spec.containers[*].ports}}'",
            evidence=few(place for place, _ in places),
        )
    if source is SourceKind.MANIFESTS:
        looked_up = {id(rule) for rule, _ in name_rules}
        for rule in rules.with_names:
            if id(rule) not in looked_up and _is_about_pods(rule):
                names = listed(str(p) for p in names_of(rule.ports))
                yield Unknown(rule.subject, f"{rule.place}: {names} are names of pods' ports, and these files hold no such pods")


def _is_about_pods(rule: Rule) -> bool:
    if rule.direction is Direction.INGRESS:
        return True
    return any(p.pod_selector is not None or p.namespace_selector is not None for p in rule.peers)


def _hidden(isolation: Isolation, there: Classes, protocol: str, name: str) -> str:
    for pod_class in isolation.universe.members(there):
        for container in pod_class.init_containers:
            if any((p.protocol, p.name) == (protocol, name) for p in container.ports):
                return f" (declared by the init container {container.name}, where it is not looked for)"
    return ""
