"""What is asked of an API server: kinds that a cluster may have or not.

The list of CustomResourceDefinitions decides: a kind that is not defined has no objects, and nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from eksnetpol.errors import NotFound
from eksnetpol.gateways import custom, sanitize
from eksnetpol.gateways.custom import Served, Shape, served
from eksnetpol.gateways.kubernetes_http import ApiServer
from eksnetpol.gateways.kubernetes_lists import Resource, count_all, decode, list_all
from eksnetpol.gateways.permits import LOOKING, needs
from eksnetpol.interfaces import Crds
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model import policies as pol
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.foreign import ForeignPolicy

EXAMPLES = 5


class CustomKinds:
    """Objects of custom kinds."""

    api: ApiServer

    @needs(custom.APPLICATION_POLICIES.list, commands=LOOKING)
    def application_policies(self, crds: Crds) -> tuple[pol.NetworkPolicy, ...]:
        """Return all ApplicationNetworkPolicies."""
        return self._typed(crds, custom.APPLICATION_POLICIES, pol.NetworkPolicy)

    @needs(custom.CLUSTER_POLICIES.list, commands=LOOKING)
    def cluster_policies(self, crds: Crds) -> tuple[pol.ClusterNetworkPolicy, ...]:
        """Return all ClusterNetworkPolicies of ``networking.k8s.aws``."""
        return self._typed(crds, custom.CLUSTER_POLICIES, pol.ClusterNetworkPolicy)

    @needs(custom.ADMIN_POLICIES.list, custom.BASELINE_ADMIN_POLICIES.list, custom.UPSTREAM_CLUSTER_POLICIES.list)
    def admin_policies(self, crds: Crds) -> tuple[AdminPolicy, ...]:
        """Return all policies of ``policy.networking.k8s.io``."""
        return tuple(
            item
            for wanted in (custom.ADMIN_POLICIES, custom.BASELINE_ADMIN_POLICIES, custom.UPSTREAM_CLUSTER_POLICIES)
            for found in served(crds, wanted)
            for item in self._list(found.resource, dict, self._admin_policy(found))
        )

    def _admin_policy(self, found: Served) -> Callable[[dict[str, Any]], AdminPolicy]:
        clean = custom.admin_policy(found.kind, found.resource)

        def read(raw: dict[str, Any]) -> AdminPolicy:
            typed = decode(msgspec.json.encode(raw), AdminPolicy, str(found.resource.list), self.api.server)
            return clean(typed, raw)

        return read

    @needs(custom.POLICY_ENDPOINTS.list, commands=LOOKING)
    def policy_endpoints(self, crds: Crds) -> tuple[pol.PolicyEndpoint, ...]:
        """Return all PolicyEndpoints."""
        return self._typed(crds, custom.POLICY_ENDPOINTS, pol.PolicyEndpoint)

    @needs(custom.CLUSTER_POLICY_ENDPOINTS.list, commands=LOOKING)
    def cluster_policy_endpoints(self, crds: Crds) -> tuple[pol.PolicyEndpoint, ...]:
        """Return all ClusterPolicyEndpoints."""
        return self._typed(crds, custom.CLUSTER_POLICY_ENDPOINTS, pol.PolicyEndpoint)

    @needs(custom.SECURITY_GROUP_POLICIES.list)
    def security_group_policies(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return all SecurityGroupPolicies."""
        return self._custom(crds, custom.SECURITY_GROUP_POLICIES, custom.everything)

    @needs(custom.ENI_CONFIGS.list)
    def eni_configs(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return all ENIConfigs."""
        return self._custom(crds, custom.ENI_CONFIGS, custom.everything)

    @needs(custom.NETWORK_ATTACHMENTS.list)
    def network_attachments(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return all NetworkAttachmentDefinitions, without their configuration."""
        return self._custom(crds, custom.NETWORK_ATTACHMENTS, custom.nothing)

    @needs(custom.NODE_CLASSES.list, commands=LOOKING)
    def node_classes(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return the NodeClasses of EKS Auto Mode: their settings for policies and for addresses."""
        kept = custom.only("networkPolicy", "networkPolicyEventLogs", "advancedNetworking", "snatPolicy")
        return self._custom(crds, custom.NODE_CLASSES, kept)

    @needs(custom.INSTALLATIONS.list, custom.FELIX.list, custom.FELIX_V3.list)
    def engine_settings(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return the settings of Calico: Installations of its operator and FelixConfigurations."""
        kept = custom.only("variant", "cni", "kubernetesProvider", "calicoNetwork", "typhaMetricsPort", "calicoNodeDaemonSet")
        return (
            *self._custom(crds, custom.INSTALLATIONS, kept),
            *self._custom(crds, custom.FELIX, custom.everything),
            *self._custom(crds, custom.FELIX_V3, custom.everything),
        )

    @needs(custom.KYVERNO_POLICIES.list, custom.CONSTRAINTS.list)
    def admission_engines(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return Kyverno's ClusterPolicies and Gatekeeper's constraints: what they match and whether they block."""
        return (
            *self._custom(crds, custom.KYVERNO_POLICIES, custom.kyverno),
            *self._custom(crds, custom.CONSTRAINTS, custom.only("enforcementAction", "match")),
        )

    @needs(custom.SERVICE_MONITORS.list, custom.POD_MONITORS.list)
    def scrapers(self, crds: Crds) -> tuple[k8s.CustomObject, ...]:
        """Return ServiceMonitors and PodMonitors, of their spec only whom they scrape at which port."""
        return (
            *self._custom(crds, custom.SERVICE_MONITORS, custom.scraped_ports),
            *self._custom(crds, custom.POD_MONITORS, custom.scraped_ports),
        )

    @needs(*(kind.list for kind in custom.FOREIGN_KINDS))
    def foreign_kinds(self, crds: Crds) -> tuple[k8s.KindCount, ...]:
        """Return how many objects there are of other engines' policy kinds; kinds without any count 0."""
        return tuple(
            k8s.KindCount(found.resource.group, found.kind, found.resource.plural, *self._count(found))
            for kind in custom.FOREIGN_KINDS
            for found in served(crds, kind)
        )

    @needs(*(kind.list for kind in custom.FOREIGN_POLICIES))
    def foreign_policies(self, crds: Crds) -> tuple[ForeignPolicy, ...]:
        """Return the policies of other engines, and what these refer to, as they were written.

        Calico keeps its objects under one of two groups: where those of ``projectcalico.org`` are defined, they are its own.
        """
        own = custom.calico_groups(crds)
        return tuple(
            item
            for kind in custom.FOREIGN_POLICIES
            if kind.group not in custom.CALICO_GROUPS or kind.group in own
            for found in served(crds, kind)
            for item in self._list(found.resource, dict, custom.foreign(found.kind, found.resource))
        )

    def _count(self, found: Served) -> tuple[int, tuple[str, ...]]:
        try:
            return count_all(self.api, found.resource, EXAMPLES)
        except NotFound:
            return 0, ()

    def _typed(self, crds: Crds, wanted: Resource, kind: Any) -> tuple[Any, ...]:
        return tuple(item for found in served(crds, wanted) for item in self._list(found.resource, kind, sanitize.managed))

    def _custom(self, crds: Crds, wanted: Resource, shape: Shape) -> tuple[k8s.CustomObject, ...]:
        return tuple(
            item
            for found in served(crds, wanted)
            for item in self._list(found.resource, k8s.CustomObject, custom.custom(found.kind, found.resource, shape))
        )

    def _list(self, resource: Resource, kind: Any, reduce: Any) -> tuple[Any, ...]:
        try:
            return list_all(self.api, resource, kind, reduce=reduce)
        except NotFound:
            # The definition went between two questions; a kind that is not served has no objects.
            return ()
