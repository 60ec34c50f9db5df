"""Policies of ``policy.networking.k8s.io``: what Kubernetes itself offers for whole clusters. The VPC CNI enforces none of them.

AdminNetworkPolicy and BaselineAdminNetworkPolicy (v1alpha1) were followed by ClusterNetworkPolicy (v1alpha2), which says both.
"""

from __future__ import annotations

from collections.abc import Mapping

from eksnetpol.model.cluster_rules import ClusterRules
from eksnetpol.model.objects.metadata import Named

GROUP = "policy.networking.k8s.io"

TIERS: Mapping[str, str] = {"AdminNetworkPolicy": "Admin", "BaselineAdminNetworkPolicy": "Baseline"}
"""Kinds that do not write their tier, since each is one."""

KINDS = (*TIERS, "ClusterNetworkPolicy")

VERSIONS: Mapping[str, str] = {**dict.fromkeys(TIERS, "v1alpha1"), "ClusterNetworkPolicy": "v1alpha2"}
"""The version of each kind that is known here: another may mean something else by the same words."""


class AdminPolicy(Named, frozen=True):
    """One of them, of any of the three kinds."""

    kind: str = ""
    api_version: str = ""
    spec: ClusterRules = ClusterRules()
    unknown_member: str = ""
    """Where its spec has a member that is not known here, empty where it has none: nobody can tell what that changes."""

    @property
    def title(self) -> str:
        """The kind findings name. That of ClusterNetworkPolicies has its group, since ``networking.k8s.aws`` has them too."""
        return title_of(self.kind)

    @property
    def unclear(self) -> tuple[str, str] | None:
        """The place of what is not known here, and why nobody can tell what it means; None where all is known."""
        if self.unknown_version:
            return "apiVersion", self.unknown_version
        return (self.unknown_member, "unknown field") if self.unknown_member else None

    @property
    def unknown_version(self) -> str:
        """Why its version is not known here, empty where it is; of what came without one it is."""
        known = f"{GROUP}/{VERSIONS[self.kind]}" if self.kind in VERSIONS else ""
        if not known or self.api_version in {"", known}:
            return ""
        return f"{self.api_version} is not known here, {known} alone is"


def title_of(kind: str) -> str:
    """Return `AdminPolicy.title` of a policy of this *kind*."""
    return kind if kind in TIERS else f"{kind}.{GROUP}"
