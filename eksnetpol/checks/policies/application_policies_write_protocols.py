"""ApplicationNetworkPolicies write the protocol of each port."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, NotApplicable, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import few
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.rules import lay_out

CONTROLLER = "https://github.com/aws/amazon-network-policy-controller-k8s"


@check(
    title="ports of ApplicationNetworkPolicies have a protocol",
    severity=Severity.BLOCKER,
    docs=CONTROLLER,
    sources=(CONTROLLER,),
    intents=ENFORCING,
    about="objects",
)
def application_policies_write_protocols(given_application_policies: tuple[NetworkPolicy, ...]) -> Iterator[Finding]:
    """
    In a NetworkPolicy the API server fills in TCP where a port has no protocol. In an ApplicationNetworkPolicy nobody does, and
    the controller ends when it meets such a port beside anything but a domain name: no policy is kept up to date then.
    """
    if not given_application_policies:
        raise NotApplicable("there is no ApplicationNetworkPolicy")
    found: dict[Subject, list[str]] = {}
    for rule in lay_out((), given_application_policies).everything:
        if any(not p.says_protocol for p in rule.ports) and not (rule.peers and all(p.domain_names for p in rule.peers)):
            found.setdefault(rule.subject, []).append(rule.place)
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=f"{places[0]} has a port without a protocol, on which the controller ends",
            remedy="Write protocol: TCP, or what is meant.",
            command=edit(subject),
            evidence=few(places),
        )
