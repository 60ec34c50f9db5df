"""Every PolicyEndpoint was made by the controller, and changed by nobody else."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import LIMIT, check
from eksnetpol.checks.words import count, listed
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.policies import PolicyEndpoint
from eksnetpol.model.snapshot import Unread

HANDS = ("kubectl", "eksctl", "k9s", "helm", "argocd", "kustomize-controller", "terraform", "lens", "node-fetch", "Mozilla")
"""How field managers of people and of their tools begin; the controller's own name is AWS's to choose, so it is not asked for."""


@check(
    title="PolicyEndpoints come from the controller alone",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/network-policy-faq.md"),
)
def policy_endpoints_come_from_the_controller(
    policy_endpoints: tuple[PolicyEndpoint, ...], cluster_policy_endpoints: tuple[PolicyEndpoint, ...] | Unread
) -> Iterator[Finding | Evidence]:
    """
    The controller makes each PolicyEndpoint and lets its policy own it, so that the two go together. One without such an owner
    was made by hand: agents enforce it, nothing keeps it current, and nothing ever removes it. One that a person or a tool wrote
    to is not noticed by the controller, which does not watch its own notes. AWS asks to leave them alone.
    """
    more = () if isinstance(cluster_policy_endpoints, Unread) else cluster_policy_endpoints
    everything = (*policy_endpoints, *more)
    orphans, edited = [], []
    for endpoint in everything:
        meta = endpoint.metadata
        name = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
        if not any(owner.controller for owner in meta.owner_references):
            orphans.append(name)
        elif any(field.manager.startswith(HANDS) for field in meta.managed_fields):
            edited.append(name)
    yield Evidence(count(len(everything), "endpoint"))
    subject = Subject("CustomResourceDefinition", "policyendpoints.networking.k8s.aws")
    if orphans:
        yield Finding(
            subject=subject,
            message=f"{count(len(orphans), 'PolicyEndpoint belongs', 'PolicyEndpoints belong')} to no policy: {listed(orphans)}",
            remedy="Find out who made them. Express what they allow as NetworkPolicies; then remove them and replace the nodes.",
            command="kubectl get policyendpoints.networking.k8s.aws -A --show-managed-fields -o yaml",
        )
    if edited:
        yield Finding(
            subject=subject,
            message=f"{count(len(edited), 'PolicyEndpoint was', 'PolicyEndpoints were')} written to by hand: {listed(edited)}",
            remedy="Make the controller write them again: change the policy's spec, or annotate one of the pods it selects.",
            command="kubectl get policyendpoints.networking.k8s.aws -A --show-managed-fields -o yaml",
        )
