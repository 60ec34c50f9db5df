"""What the ConfigMap ``cilium-config`` sets of how policies are read and enforced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.model.findings import Subject

CONFIG = Subject("ConfigMap", "cilium-config", "kube-system")
"""Where the settings are."""

LOCAL_CLUSTER = "default"
"""The name of a cluster that is given none."""

_LOCAL_BY_DEFAULT = (1, 19)
"""Since this version, peers are of the own cluster where a policy does not say otherwise."""

_PODS_BEHIND_SERVICES = (1, 17)
"""Since this version, ``toServices`` means the pods of a Service that selects some, and takes ``toPorts`` beside it
(cilium/cilium, pull requests 34208 and 37089); before, it meant endpoints outside alone, of Services that select nothing."""

_RANGES = (1, 17)
"""Since this version, ``endPort`` surely means a range. Releases before read the first port alone, or take none of the policy
(cilium/cilium, issue 28684 and pull request 28704)."""


class Enforcement(StrEnum):
    """``enable-policy``: pods are isolated where a policy selects them, always, or never."""

    DEFAULT = "default"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings with Cilium's own defaults.

    ``local_cluster_only``, ``pods_behind_services`` and ``port_ranges`` None: it depends on a version that is not known.
    ``in_mesh``: the cluster has an id of its own (``cluster-id``), without which there can be no other clusters beside it.
    ``api_servers`` are the addresses of the Kubernetes API, None where they are not known. ``label_filter`` is a filter of one's
    own for the labels that count, empty for none.
    """

    enforcement: Enforcement = Enforcement.DEFAULT
    is_audit_only: bool = False
    cidrs_match_nodes: bool = False
    kubernetes_policies: bool = True
    own_policies: bool = True
    cluster_wide_policies: bool = True
    local_cluster_only: bool | None = True
    cluster: str = LOCAL_CLUSTER
    in_mesh: bool = False
    pods_behind_services: bool | None = True
    port_ranges: bool | None = True
    localhost_always: bool = True
    node_selectors: bool = False
    l7_proxy: bool = True
    icmp_rules: bool = True
    extended_protocols: bool = False
    label_filter: str = ""
    api_servers: frozenset[str] | None = None


def settings_of(config: Mapping[str, str], version: str = "", api_servers: frozenset[str] | None = None) -> Settings:
    """Return what *config*, the data of ``cilium-config``, sets. *version* is the agent's, as far as it is known.

    An ``enable-policy`` that is none of Cilium's counts as its default: the agent does not start with it.
    """
    mode = config.get("enable-policy", "").lower()
    local = config.get("policy-default-local-cluster", "")
    return Settings(
        enforcement=Enforcement(mode) if mode in set(Enforcement) else Enforcement.DEFAULT,
        is_audit_only=_is_on(config, "policy-audit-mode", default=False),
        cidrs_match_nodes="nodes" in re.split(r"[\s,]+", config.get("policy-cidr-match-mode", "")),
        kubernetes_policies=_is_on(config, "enable-k8s-networkpolicy", default=True),
        own_policies=_is_on(config, "enable-cilium-network-policy", default=True),
        cluster_wide_policies=_is_on(config, "enable-cilium-clusterwide-network-policy", default=True),
        local_cluster_only=_is_true(local) if local else _has(version, _LOCAL_BY_DEFAULT),
        cluster=config.get("cluster-name") or LOCAL_CLUSTER,
        in_mesh=config.get("cluster-id", "").strip() not in {"", "0"},
        pods_behind_services=_has(version, _PODS_BEHIND_SERVICES),
        port_ranges=_has(version, _RANGES),
        localhost_always=config.get("allow-localhost", "") != "policy",
        node_selectors=_is_on(config, "enable-node-selector-labels", default=False),
        l7_proxy=_is_on(config, "enable-l7-proxy", default=True),
        icmp_rules=_is_on(config, "enable-icmp-rules", default=True),
        extended_protocols=_is_on(config, "enable-extended-ip-protocols", default=False),
        label_filter=config.get("labels", "").strip(),
        api_servers=api_servers,
    )


def _is_on(config: Mapping[str, str], key: str, *, default: bool) -> bool:
    text = config.get(key, "")
    return _is_true(text) if text else default


def _is_true(text: str) -> bool:
    return text.strip().lower() in {"true", "1", "t"}


def _has(version: str, since: tuple[int, int]) -> bool | None:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return None if found is None else (int(found[1]), int(found[2])) >= since
