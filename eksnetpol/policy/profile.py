"""Under which meaning a question is asked: whose semantics, and of which releases."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.model.versions import Release


class Semantics(StrEnum):
    """Whose meaning of a policy. *kubernetes*: what the API's specification says; *vpc-cni*: what controller and agent do.

    The others are those of engines with policies of their own kinds, which hold beside NetworkPolicies.
    """

    KUBERNETES = "kubernetes"
    VPC_CNI = "vpc-cni"
    CALICO = "calico"
    CILIUM = "cilium"
    ANTREA = "antrea"

    @property
    def is_foreign(self) -> bool:
        """True for an engine with policies of its own kinds: it is asked over a stack (`policy.stacks`)."""
        return self not in STANDARD


STANDARD = (Semantics.KUBERNETES, Semantics.VPC_CNI)
"""The semantics of the standard kinds, which `policy.engine` thinks under."""


class Mode(StrEnum):
    """``NETWORK_POLICY_ENFORCING_MODE``: pods no policy selects are open, or closed."""

    STANDARD = "standard"
    STRICT = "strict"


NEWEST_CONTROLLER = Release(1, 1, 7)
"""The newest controller whose source was read. On EKS its release cannot be asked for."""

NEWEST_AGENT = Release(1, 4, 2)
"""Stands for the agent's source after v1.4.1 (CIDRs made canonical, the node in the maps of cluster policies)."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What an engine is to assume. ``family`` is the cluster's: ``ipv4`` or ``ipv6``."""

    semantics: Semantics = Semantics.VPC_CNI
    controller: Release = NEWEST_CONTROLLER
    agent: Release = NEWEST_AGENT
    mode: Mode = Mode.STANDARD
    family: str = "ipv4"
