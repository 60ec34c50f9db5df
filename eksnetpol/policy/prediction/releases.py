"""What differs between releases of the controller (aws/amazon-network-policy-controller-k8s), and since which."""

from __future__ import annotations

from dataclasses import dataclass

from eksnetpol.model.versions import Release
from eksnetpol.policy.profile import NEWEST_CONTROLLER

ONE_ENTRY_FOR_A_CIDR = Release(1, 0, 7)
"""Entries of one CIDR in one object become one."""
WITHOUT_FINISHED_PODS = Release(1, 0, 19)
"""Pods that have run to their end are left out; v1.0.18 meant to, but its cache had dropped the phase."""
AWS_KINDS = Release(1, 1, 0)
"""ApplicationNetworkPolicies and ClusterNetworkPolicies are known."""
WITHOUT_HOST_NETWORK = Release(1, 1, 2)
"""Pods on the host network are no longer selected; as peers they stay."""
FIRST_GUARD = Release(1, 1, 2)
"""Ports of a Service whose named target could lead elsewhere are left out."""
NO_GUARD = Release(1, 1, 4)
"""The one release in which they are not."""
FIRST_CONTAINER_ONLY = Release(1, 1, 6)
"""Only the first port with that name and protocol is looked at, as kube-proxy would."""
EXCEPTS_COUNT = Release(1, 1, 3)
"""Entries of one CIDR become one only where their exceptions agree, and all ports stay all ports."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one release resolves and merges."""

    lists_finished: bool
    lists_host_network: bool
    knows_aws_kinds: bool
    is_guarded: bool
    guards_first_only: bool
    merges: bool
    heeds_excepts: bool

    @classmethod
    def of(cls, release: Release) -> Behaviour:
        """Return what *release* does; a newer one than the newest known is taken for that."""
        base = release.base
        return cls(
            lists_finished=base < WITHOUT_FINISHED_PODS,
            lists_host_network=base < WITHOUT_HOST_NETWORK,
            knows_aws_kinds=base >= AWS_KINDS,
            is_guarded=base >= FIRST_GUARD and base != NO_GUARD,
            guards_first_only=base >= FIRST_CONTAINER_ONLY,
            merges=base >= ONE_ENTRY_FOR_A_CIDR,
            heeds_excepts=base >= EXCEPTS_COUNT,
        )


def is_unknown(release: Release) -> bool:
    """Say whether *release* is newer than any whose source was read."""
    return release.base > NEWEST_CONTROLLER
