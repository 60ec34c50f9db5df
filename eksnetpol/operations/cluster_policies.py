"""Whether a cluster can enforce ClusterNetworkPolicies of ``networking.k8s.aws``: only where all that decides is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eksnetpol.assets.releases import Feature, matrix
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.model.versions import KubernetesVersion, Release

KIND = "clusternetworkpolicies.networking.k8s.aws"
FEATURE = "cluster-policies"


def hindrances(snapshot: ClusterSnapshot) -> tuple[str, ...]:
    """Return what speaks against ClusterNetworkPolicies in the cluster of *snapshot*, in words; nothing where it can have them.

    What could not be read speaks against them, too: with an older control plane or agent nothing of them is enforced, and no
    error says so.
    """
    catalog()
    return tuple(_hindrances(Lookup(snapshot)))


def _hindrances(facts: Lookup) -> Iterator[str]:
    least: Feature = matrix().feature[FEATURE]
    yield from _older(facts, "kubernetes_version", "the release of Kubernetes", least.kubernetes)
    yield from _older(facts, "cni_release", "the release of the VPC CNI", least.cni)
    yield from _older(facts, "agent_release", "the release of the network policy agent", least.agent)
    definitions = facts.get("own_definitions")
    if not isinstance(definitions, Seen):
        yield f"whether {KIND} is defined could not be read: {definitions.reason}"
    elif not any(d.name == KIND and d.established for d in definitions.value):
        yield f"{KIND} is not defined, which newer control planes of EKS do themselves"
    there = facts.get("cluster_policies")
    if not isinstance(there, Seen):
        yield f"which ClusterNetworkPolicies there are already could not be read: {there.reason}"


def _older(facts: Lookup, name: str, what: str, least: KubernetesVersion | Release | None) -> Iterator[str]:
    if least is None:
        return
    found = facts.get(name)
    if not isinstance(found, Seen):
        yield f"{what} could not be read: {found.reason}"
        return
    running: Any = found.value.base if isinstance(found.value, Release) else found.value
    if running < least:
        yield f"{what} is {found.value}, and that takes {least}"
