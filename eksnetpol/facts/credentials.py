"""How pods get AWS credentials, which decides whether they need IMDS, STS or the Pod Identity agent.

IRSA: the service account's ``eks.amazonaws.com/role-arn`` annotation; EKS Pod Identity: an association EKS keeps; else what is
left is the node's role, over IMDS (docs.aws.amazon.com/eks, "Limit pod traffic with Kubernetes network policies").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.facts import policing  # noqa: F401 - declares a fact that is asked for below
from eksnetpol.facts.declare import fact
from eksnetpol.model.eks import Instance, PodIdentityAssociation
from eksnetpol.model.kubernetes import ServiceAccount
from eksnetpol.policy.universe import Classes, Universe, set_of

ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"


class Source(StrEnum):
    """Where a pod's credentials come from, if it wants any."""

    POD_IDENTITY = "EKS Pod Identity"
    IRSA = "IRSA"
    NODE = "node role"


@dataclass(frozen=True, slots=True)
class CredentialSources:
    """The source by (namespace, service account); what is not in it has only the node role."""

    by_account: Mapping[tuple[str, str], Source]

    def of(self, namespace: str, service_account: str) -> Source:
        """Return where pods of a service account get credentials from."""
        return self.by_account.get((namespace, service_account or "default"), Source.NODE)


@fact
def credential_sources(
    service_accounts: tuple[ServiceAccount, ...], pod_identities: tuple[PodIdentityAssociation, ...]
) -> CredentialSources:
    """Where the pods of each service account get credentials. An association wins over an annotation."""
    found = {
        (a.metadata.namespace, a.metadata.name): Source.IRSA
        for a in service_accounts
        if a.metadata.annotations.get(ROLE_ANNOTATION)
    }
    found |= {(p.namespace, p.service_account): Source.POD_IDENTITY for p in pod_identities}
    return CredentialSources(found)


@dataclass(frozen=True, slots=True)
class AccountPods:
    """The classes of pods by where they get credentials."""

    by_source: Mapping[Source, Classes]

    def of(self, source: Source) -> Classes:
        """Return the classes that get credentials from *source*."""
        return self.by_source.get(source, 0)


@fact
def account_pods(universe: Universe, credential_sources: CredentialSources) -> AccountPods:
    """Where all pods get credentials."""
    found: dict[Source, list[int]] = {}
    by_account = credential_sources.by_account
    for c in universe.classes:
        source = by_account.get((c.namespace, c.service_account or "default"), Source.NODE)
        found.setdefault(source, []).append(c.index)
    return AccountPods({source: set_of(indexes) for source, indexes in found.items()})


def hands_out_metadata(instance: Instance) -> bool:
    """Say whether pods on *instance* can ask its metadata service."""
    options = instance.metadata_options
    # The hop limit holds for answers of IMDSv2 alone; a pod is one hop further away than its node.
    far = options.http_tokens != "required" or options.http_put_response_hop_limit != 1
    return options.http_endpoint != "disabled" and far
