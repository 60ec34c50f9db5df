"""A NetworkPolicy and an ApplicationNetworkPolicy of one namespace have different names."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import AUTO_MODE, ENFORCING, check
from eksnetpol.checks.places import show
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.model.policies import NetworkPolicy


@check(
    title="no ApplicationNetworkPolicy bears the name of a NetworkPolicy beside it",
    severity=Severity.WARNING,
    docs=AUTO_MODE,
    sources=("aws/containers-roadmap#2772", "https://github.com/aws/amazon-network-policy-controller-k8s"),
    intents=ENFORCING,
    about="objects",
)
def policies_of_two_kinds_have_two_names(
    network_policies: tuple[NetworkPolicy, ...], given_application_policies: tuple[NetworkPolicy, ...]
) -> Iterator[Finding]:
    """
    The controller finds the PolicyEndpoints of a policy by its name and namespace, without its kind. Of two policies of different
    kinds and one name each rewrites what was made for the other, so that now the one and now the other is enforced.
    """
    if not given_application_policies:
        return
    names = {(p.namespace, p.name) for p in network_policies}
    for policy in given_application_policies:
        if (policy.namespace, policy.name) in names:
            subject = Subject("ApplicationNetworkPolicy", policy.name, policy.namespace)
            yield Finding(
                subject=subject,
                message="a NetworkPolicy of the same name is in this namespace: the two overwrite each other's PolicyEndpoints",
                remedy="Rename one of them: make it anew under another name, then delete the old one.",
                command=show(subject),
            )
