"""Policies name the ports that containers listen on, not those of the Services before them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import few
from eksnetpol.facts.services import ServedPort
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.rules import Entry, Rule, admits, entries_of
from eksnetpol.policy.universe import Classes


@check(
    title="policies name container ports, not Service ports",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=(LIMIT, "aws/aws-network-policy-agent#166"),
    intents=ENFORCING,
    about="objects",
)
def policies_name_container_ports(
    served_ports: tuple[ServedPort, ...],
    ported_rules: tuple[tuple[Rule, Classes], ...],
    declared_ports: DeclaredPorts,
) -> Iterator[Finding]:
    """
    A rule's port is the port of the pod, in both directions: the controller looks up by itself under which port a Service offers
    it. A rule that names a Service's own port, on which none of the pods in question listens, opens nothing. One that names the
    container's port beside it opens what was meant.
    """
    fronts: dict[tuple[str, int], list[ServedPort]] = {}
    masks: dict[tuple[str, int], Classes] = {}
    listening = dict(declared_ports.numbered)
    for served in served_ports:
        protocol = served.port.protocol
        for number, classes in served.targets.items():
            listening[protocol, number] = listening.get((protocol, number), 0) | classes
        if served.translates:
            key = (protocol, served.port.port)
            fronts.setdefault(key, []).append(served)
            masks[key] = masks.get(key, 0) | served.backends
    found: dict[Subject, list[str]] = {}
    for rule, there in ported_rules if masks else ():
        for key in _in_vain(rule, there, masks, listening):
            entries = entries_of(rule.ports)
            front = next((s for s in fronts[key] if s.backends & there and not _opened(s, there, entries)), None)
            if front is None:
                continue
            found.setdefault(rule.subject, []).append(
                f"{rule.place}: {key[1]} is a port of service/{front.service.name}, which maps {front.words}"
            )
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=f"{places[0]}; no pod in question listens on it, so nothing is opened",
            remedy="Name the container port instead.",
            command=f"kubectl edit {subject.kind.lower()} {subject.name} -n {subject.namespace}",
            evidence=few(places),
        )


def _opened(served: ServedPort, there: Classes, entries: frozenset[Entry]) -> bool:
    """Say whether *entries* open the numbers that those of *there* behind the Service listen on."""
    return all(
        admits(entries, served.port.protocol, number) for number, classes in served.targets.items() if classes & there
    )


def _in_vain(
    rule: Rule, there: Classes, masks: Mapping[tuple[str, int], Classes], listening: Mapping[tuple[str, int], Classes]
) -> Iterator[tuple[str, int]]:
    # A range is meant to hold more than one port, so it is left alone.
    for protocol, low, high in entries_of(rule.ports):
        if low and low == high:
            key = (protocol, low)
            if masks.get(key, 0) & there and not listening.get(key, 0) & there:
                yield key
