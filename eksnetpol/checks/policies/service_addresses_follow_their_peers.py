"""Rules that mean pods by selectors open the Services before these pods too."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import some
from eksnetpol.facts.fronts import Front
from eksnetpol.model.findings import Finding, Severity
from eksnetpol.model.kubernetes import Service
from eksnetpol.model.policies import PolicyEndpoint, PolicyPort
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.openings import Openings
from eksnetpol.policy.peers import place_of
from eksnetpol.policy.rules import Direction, Rule, admits, entries_of
from eksnetpol.policy.universe import Classes


@check(
    title="egress to pods opens the Services before them",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(
        "aws/amazon-network-policy-controller-k8s#222",
        "aws/amazon-network-policy-controller-k8s#224",
        "aws/aws-network-policy-agent#460",
    ),
    intents=ENFORCING,
    about="objects",
)
def service_addresses_follow_their_peers(
    fronts: tuple[Front, ...], openings: Openings, policy_endpoints: tuple[PolicyEndpoint, ...] | Unread
) -> Iterator[Finding]:
    """
    The agent sees the Service's address, not the pod's, when a client speaks to a Service; the controller opens that address
    where a peer's podSelector fits what the *Service* selects by. A peer that asks for a label which the Service does not ask for
    means the same pods and not the Service: by their own addresses they are reached, by name they are not.
    """
    found: dict[int, list[tuple[Rule, int, Service]]] = {}
    opened: dict[int, Classes] = {}
    for front in fronts:
        service = front.service
        if id(service) not in opened:
            opened[id(service)] = _opened(openings, service)
        spoken: dict[tuple[PolicyPort, ...], bool] = {}
        for rule, index in front.peer.places:
            selected = openings.isolation.subjects[rule.at].selected
            if rule.direction is Direction.EGRESS and selected & ~opened[id(service)]:
                if rule.ports not in spoken:
                    spoken[rule.ports] = _speaks_to(rule, service)
                if spoken[rule.ports]:
                    found.setdefault(rule.at, []).append((rule, index, service))
    written = _written(policy_endpoints) if found else {}
    for places in found.values():
        subject = places[0][0].subject
        sure = next((p for p in places if _lacks(written, p[0], p[2].spec.cluster_ip)), None)
        yield Finding(
            subject=subject,
            message=_words(*(sure or places[0])),
            remedy="Select by labels that the Service selects by too, or allow its address with an ipBlock.",
            command=edit(subject),
            evidence=some(_words(*place) for place in places) if len(places) > 1 else (),
            severity=Severity.BLOCKER if sure else None,
        )


def _opened(openings: Openings, service: Service) -> Classes:
    """Return the classes that may speak to some port of *service* at its address, by any rule."""
    answer = 0
    for port in service.spec.ports:
        answer |= openings.to(service, port.protocol, port.port).allowed
    return answer


def _speaks_to(rule: Rule, service: Service) -> bool:
    """Say whether *rule* names a port that *service* forwards to, as far as numbers tell."""
    if len(entries_of(rule.ports)) < len(rule.ports) or not rule.ports:
        return True
    numbers = ((p.protocol, p.port if p.target_port is None else p.target_port) for p in service.spec.ports)
    return any(isinstance(number, str) or admits(entries_of(rule.ports), protocol, number) for protocol, number in numbers)


def _words(rule: Rule, index: int, service: Service) -> str:
    name, address = f"service/{service.namespace}/{service.name}", service.spec.cluster_ip
    means = f"{place_of(rule, index)} means the pods behind {name} and not its address {address}"
    return f"{means}, since it selects by {_labels(service)}"


def _labels(service: Service) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(service.spec.selector.items()))


def _written(endpoints: tuple[PolicyEndpoint, ...] | Unread) -> dict[tuple[str, str], list[PolicyEndpoint]]:
    """Return the PolicyEndpoints of each policy, by its namespace and name."""
    found: dict[tuple[str, str], list[PolicyEndpoint]] = {}
    for endpoint in () if isinstance(endpoints, Unread) else endpoints:
        ref = endpoint.spec.policy_ref
        found.setdefault((ref.namespace, ref.name), []).append(endpoint)
    return found


def _lacks(written: dict[tuple[str, str], list[PolicyEndpoint]], rule: Rule, address: str) -> bool:
    """Say whether the policy was written out, and not with *address*."""
    endpoints = written.get((rule.policy.namespace, rule.policy.name), [])
    return bool(endpoints) and all(e.cidr.partition("/")[0] != address for p in endpoints for e in p.spec.egress)
