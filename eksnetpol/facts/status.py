"""What is on: the two switches, every node, the versions, who installs it, and what the add-on was told, in one value.

What could not be read is said so; it is never taken for off, and a count that is not known is never nought.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eksnetpol.facts.declare import Lookup, catalog, fact
from eksnetpol.facts.drift import Setting
from eksnetpol.facts.headline import AutoMode, Headline, differing, under_way
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.rollout_state import RolloutByNode
from eksnetpol.facts.vpc_cni import Install, Switches, VpcCni
from eksnetpol.model.eks import Addon, AddonIssue, Cluster, Update
from eksnetpol.model.kubernetes import CustomResourceDefinition
from eksnetpol.model.snapshot import Seen, Unread, Why
from eksnetpol.model.versions import KubernetesVersion, Release

GROUP = "networking.k8s.aws"
DEFINITIONS = ("policyendpoints", "clusterpolicyendpoints", "applicationnetworkpolicies", "clusternetworkpolicies")
"""The plurals of AWS's own kinds, those that agents read first."""

COUNTED = ("network_policies", "application_policies", "cluster_policies", "policy_endpoints", "cluster_policy_endpoints")
"""Sections whose objects are counted."""

SECTIONS = (
    "cluster",
    "addon",
    "addon_updates",
    "server_version",
    "nodes",
    "agent_pods",
    "daemonsets",
    "controller_revisions",
    "configmaps",
    "crds",
    "node_classes",
    *COUNTED,
)
"""What a look must read for this, and nothing else."""

MOVING = ("addon", "addon_updates", "daemonsets", "configmaps")
"""The few small sections that tell whether anything has changed."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One of AWS's own kinds; ``established`` when the API server serves it."""

    name: str
    there: bool
    established: bool


@dataclass(frozen=True, slots=True)
class Versions:
    """What runs where. ``addon`` and ``platform`` are empty where there is none or it is not known."""

    cni: Release | Unread
    agent: Release | Unread
    kubernetes: KubernetesVersion | Unread
    addon: str
    platform: str


@dataclass(frozen=True, slots=True)
class Status:
    """Everything one look tells of enforcement.

    ``agent`` is the agent's container by name, empty where ``aws-node`` has none; ``mode`` the enforcing mode as it is written,
    empty where the variable is absent; ``unserved`` how many nodes of each kind ``aws-node`` does not serve (fargate, windows,
    hybrid, auto); ``counts`` how many objects each of the sections in `COUNTED` has; ``update`` what EKS is at work on.
    """

    headline: Headline
    switches: Switches | Unread
    agent: str | Unread
    mode: str | Unread
    install: Install | Unread
    versions: Versions
    addon: Addon | Unread | None
    update: Update | None
    rollout: RolloutByNode | Unread
    unserved: Mapping[str, int] | Unread
    auto_mode: AutoMode | None
    definitions: tuple[Definition, ...] | Unread
    counts: Mapping[str, int | Unread]
    told: tuple[Setting, ...] | Unread | None

    @property
    def issues(self) -> tuple[AddonIssue, ...]:
        """What EKS thinks is wrong with the add-on."""
        return self.addon.health.issues if isinstance(self.addon, Addon) else ()

    @property
    def drift(self) -> tuple[Setting, ...]:
        """The settings that differ from what the add-on was told."""
        return differing(self.told)


@fact
def own_definitions(crds: tuple[CustomResourceDefinition, ...]) -> tuple[Definition, ...]:
    """AWS's own kinds, there or not."""
    found = {crd.name: crd for crd in crds if crd.spec.group == GROUP}
    names = [f"{plural}.{GROUP}" for plural in DEFINITIONS]
    return tuple(Definition(n, n in found, n in found and found[n].is_established) for n in names)


def status_of(facts: Lookup) -> Status:
    """Return what is on, from the sections in `SECTIONS`; any other is not asked for."""
    catalog()

    def told(name: str) -> Any:
        found = facts.get(name)
        return found.value if isinstance(found, Seen) else found

    addon: Addon | Unread | None = told("addon")
    cni: VpcCni | Unread | None = told("vpc_cni")
    kinds: NodeKinds | Unread = told("node_kinds")
    cluster: Cluster | Unread = told("cluster")
    running = Unread("there is no aws-node DaemonSet", Why.ABSENT) if cni is None else cni
    return Status(
        headline=told("headline"),
        switches=told("switches"),
        agent=running if isinstance(running, Unread) else "" if running.agent is None else running.agent.name,
        mode=running if isinstance(running, Unread) else running.mode or "",
        install=told("install"),
        versions=Versions(
            cni=told("cni_release"),
            agent=told("agent_release"),
            kubernetes=told("kubernetes_version"),
            addon=addon.addon_version if isinstance(addon, Addon) else "",
            platform="" if isinstance(cluster, Unread) else cluster.platform_version,
        ),
        addon=addon,
        update=under_way(told("addon_updates")),
        rollout=told("rollout_by_node"),
        unserved=kinds if isinstance(kinds, Unread) else dict(sorted(Counter(kinds.unserved.values()).items())),
        auto_mode=told("auto_mode"),
        definitions=told("own_definitions"),
        counts={name: _count(told(name)) for name in COUNTED},
        told=told("told"),
    )


def _count(section: tuple[Any, ...] | Unread) -> int | Unread:
    return section if isinstance(section, Unread) else len(section)
