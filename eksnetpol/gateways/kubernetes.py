"""What is asked of an API server: the kinds that every cluster has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec
from msgspec.structs import force_setattr, replace

from eksnetpol.errors import NotFound
from eksnetpol.gateways import sanitize
from eksnetpol.gateways.kubernetes_access import AccessQuestions
from eksnetpol.gateways.kubernetes_custom import CustomKinds
from eksnetpol.gateways.kubernetes_http import ApiServer
from eksnetpol.gateways.kubernetes_lists import Resource, decode, list_all
from eksnetpol.gateways.permits import LOOKING, needs, rbac
from eksnetpol.gateways.pods import PodReducer, WirePod
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model import policies as pol
from eksnetpol.model.digests import schema_digest

AGENT_SELECTOR = "k8s-app=aws-node"
ROLES = ("aws-node", "eks:network-policy-controller")
"""ClusterRoles, and bindings of the same names, of the node agent and of the policy controller."""

NODES = Resource("nodes")
NAMESPACES = Resource("namespaces")
PODS = Resource("pods")
SERVICES = Resource("services")
SERVICE_ACCOUNTS = Resource("serviceaccounts")
CONFIGMAPS = Resource("configmaps")
DAEMONSETS = Resource("daemonsets", "apps")
DEPLOYMENTS = Resource("deployments", "apps")
STATEFULSETS = Resource("statefulsets", "apps")
REVISIONS = Resource("controllerrevisions", "apps")
JOBS = Resource("jobs", "batch")
CRONJOBS = Resource("cronjobs", "batch")
DISRUPTION_BUDGETS = Resource("poddisruptionbudgets", "policy")
ENDPOINT_SLICES = Resource("endpointslices", "discovery.k8s.io")
CRDS = Resource("customresourcedefinitions", "apiextensions.k8s.io")
CLUSTER_ROLES = Resource("clusterroles", "rbac.authorization.k8s.io")
CLUSTER_ROLE_BINDINGS = Resource("clusterrolebindings", "rbac.authorization.k8s.io")
VALIDATING_WEBHOOKS = Resource("validatingwebhookconfigurations", "admissionregistration.k8s.io")
MUTATING_WEBHOOKS = Resource("mutatingwebhookconfigurations", "admissionregistration.k8s.io")
ADMISSION_POLICIES = Resource("validatingadmissionpolicies", "admissionregistration.k8s.io")
ADMISSION_BINDINGS = Resource("validatingadmissionpolicybindings", "admissionregistration.k8s.io")
API_SERVICES = Resource("apiservices", "apiregistration.k8s.io")
NETWORK_POLICIES = Resource("networkpolicies", "networking.k8s.io")

VERSION = rbac("get", path="/version")
_KUBE_SYSTEM = "kube-system"
_IN_KUBE_SYSTEM = tuple(name for name in sanitize.CONFIGMAPS if name not in sanitize.ANYWHERE)
_BY_NAME = (*sanitize.ANYWHERE, *sanitize.LOG_SHIPPERS)
_ONE_BY_ONE = 20
"""The EndpointSlices of so many Services are asked for one Service at a time, and of more all at once."""


class _Version(msgspec.Struct, rename="camel"):
    git_version: str


class _JobTemplate(k8s.ApiObject, frozen=True):
    spec: k8s.WorkloadSpec = k8s.WorkloadSpec()


class _CronJobSpec(k8s.ApiObject, frozen=True):
    job_template: _JobTemplate = _JobTemplate()


class WireCronJob(k8s.ApiObject, frozen=True):
    """A CronJob as it is decoded."""

    metadata: k8s.ObjectMeta
    spec: _CronJobSpec = _CronJobSpec()


class _RevisionData(k8s.ApiObject, frozen=True):
    spec: k8s.WorkloadSpec = k8s.WorkloadSpec()


class WireRevision(k8s.ApiObject, frozen=True):
    """A ControllerRevision as it is decoded: with the template it keeps."""

    metadata: k8s.ObjectMeta
    revision: int = 0
    data: _RevisionData = _RevisionData()


class _CrdVersion(k8s.CrdVersion, frozen=True):
    schema: msgspec.Raw = msgspec.Raw(b"{}")


class _CrdSpec(k8s.ApiObject, frozen=True):
    group: str = ""
    names: k8s.CrdNames = k8s.CrdNames()
    scope: str = ""
    versions: tuple[_CrdVersion, ...] = ()


class WireCrd(k8s.ApiObject, frozen=True):
    """A CustomResourceDefinition as it is decoded, its schemas undecoded."""

    metadata: k8s.ObjectMeta
    spec: _CrdSpec = _CrdSpec()
    status: k8s.CrdStatus = k8s.CrdStatus()


class KubernetesApi(CustomKinds, AccessQuestions):
    """One API server, asked in the words of `interfaces.KubernetesGateway`."""

    def __init__(self, api: ApiServer) -> None:
        self.api = api

    @needs(VERSION, commands=LOOKING)
    def server_version(self) -> str:
        """Return the version the API server gives."""
        return decode(self.api.get("/version", VERSION), _Version, str(VERSION), self.api.server).git_version

    @needs(NODES.list, commands=LOOKING)
    def nodes(self) -> tuple[k8s.Node, ...]:
        """Return all nodes."""
        return list_all(self.api, NODES, k8s.Node, reduce=sanitize.plain)

    @needs(NAMESPACES.list)
    def namespaces(self) -> tuple[k8s.Namespace, ...]:
        """Return all namespaces."""
        return list_all(self.api, NAMESPACES, k8s.Namespace, reduce=sanitize.plain)

    @needs(PODS.list)
    def pods(self) -> tuple[k8s.Pod, ...]:
        """Return all pods, their containers without environment and arguments."""
        return list_all(self.api, PODS, WirePod, reduce=PodReducer())

    @needs(PODS.list, commands=LOOKING)
    def agent_pods(self) -> tuple[k8s.AgentPod, ...]:
        """Return the pods of ``aws-node`` with the state of each container."""
        query = {"labelSelector": AGENT_SELECTOR}
        return list_all(self.api, PODS, k8s.AgentPod, reduce=sanitize.agent_pod, namespace=_KUBE_SYSTEM, query=query)

    @needs(DAEMONSETS.list, commands=LOOKING)
    def daemonsets(self) -> tuple[k8s.Workload, ...]:
        """Return all DaemonSets."""
        return self._workloads(DAEMONSETS, "DaemonSet")

    @needs(DEPLOYMENTS.list)
    def deployments(self) -> tuple[k8s.Workload, ...]:
        """Return all Deployments."""
        return self._workloads(DEPLOYMENTS, "Deployment")

    @needs(STATEFULSETS.list)
    def statefulsets(self) -> tuple[k8s.Workload, ...]:
        """Return all StatefulSets."""
        return self._workloads(STATEFULSETS, "StatefulSet")

    @needs(JOBS.list)
    def jobs(self) -> tuple[k8s.Workload, ...]:
        """Return all Jobs."""
        return self._workloads(JOBS, "Job")

    @needs(CRONJOBS.list)
    def cronjobs(self) -> tuple[k8s.Workload, ...]:
        """Return all CronJobs, with the template of the pods they make."""
        clean = sanitize.workload("CronJob")
        return list_all(
            self.api,
            CRONJOBS,
            WireCronJob,
            reduce=lambda c: clean(workload_of(c)),
        )

    @needs(DISRUPTION_BUDGETS.list)
    def disruption_budgets(self) -> tuple[k8s.DisruptionBudget, ...]:
        """Return all PodDisruptionBudgets."""
        return list_all(self.api, DISRUPTION_BUDGETS, k8s.DisruptionBudget, reduce=sanitize.plain)

    @needs(REVISIONS.list, commands=LOOKING)
    def controller_revisions(self) -> tuple[k8s.ControllerRevision, ...]:
        """Return the stored templates of the ``aws-node`` DaemonSet, the newest last."""
        found = list_all(
            self.api,
            REVISIONS,
            WireRevision,
            reduce=revision_of,
            namespace=_KUBE_SYSTEM,
            query={"labelSelector": AGENT_SELECTOR},
        )
        ours = (r for r in found if any(o.name == "aws-node" for o in r.metadata.owner_references))
        return tuple(sorted(ours, key=lambda r: r.revision))

    @needs(SERVICES.list)
    def services(self) -> tuple[k8s.Service, ...]:
        """Return all Services."""
        return list_all(self.api, SERVICES, k8s.Service, reduce=sanitize.plain)

    @needs(ENDPOINT_SLICES.named("get", "kubernetes"))
    def api_server_endpoints(self) -> tuple[k8s.EndpointSlice, ...]:
        """Return the EndpointSlice behind ``default/kubernetes``, which the API server keeps under that name."""
        return self._by_name(ENDPOINT_SLICES, k8s.EndpointSlice, "kubernetes", namespace="default")

    @needs(ENDPOINT_SLICES.list)
    def endpoint_slices(self, services: Iterable[k8s.Service]) -> tuple[k8s.EndpointSlice, ...]:
        """Return the EndpointSlices of *services*; one without endpoints for a Service that has none.

        A few are asked for one by one: the list of all is as long as that of pods.
        """
        found: dict[tuple[str, str], list[k8s.EndpointSlice]] = {(service.namespace, service.name): [] for service in services}
        for one in self._slices(found):
            if one.service in found:
                found[one.service].append(one)
        return tuple(one for service, slices in found.items() for one in slices or [_nothing_behind(*service)])

    def _slices(self, services: Collection[tuple[str, str]]) -> Iterator[k8s.EndpointSlice]:
        if len(services) > _ONE_BY_ONE:
            yield from list_all(self.api, ENDPOINT_SLICES, k8s.EndpointSlice, reduce=sanitize.plain)
            return
        for namespace, name in services:
            query = {"labelSelector": f"{k8s.SERVICE_NAME}={name}"}
            yield from list_all(
                self.api, ENDPOINT_SLICES, k8s.EndpointSlice, reduce=sanitize.plain, namespace=namespace, query=query
            )

    @needs(SERVICE_ACCOUNTS.list)
    def service_accounts(self) -> tuple[k8s.ServiceAccount, ...]:
        """Return all ServiceAccounts."""
        return list_all(self.api, SERVICE_ACCOUNTS, k8s.ServiceAccount, reduce=sanitize.plain)

    @needs(CONFIGMAPS.named("get", *_IN_KUBE_SYSTEM), CONFIGMAPS.named("list", *_BY_NAME), commands=LOOKING)
    def configmaps(self) -> tuple[k8s.ConfigMap, ...]:
        """Return the few ConfigMaps that are read by name, with the keys that are read."""
        known = self._by_name(CONFIGMAPS, k8s.ConfigMap, *_IN_KUBE_SYSTEM, namespace=_KUBE_SYSTEM)
        # RBAC takes the name in a field selector for a resource name, so listing by name needs no leave to list them all.
        anywhere = (
            config
            for name in _BY_NAME
            for config in list_all(
                self.api,
                CONFIGMAPS,
                k8s.ConfigMap,
                needs=CONFIGMAPS.named("list", name),
                query={"fieldSelector": f"metadata.name={name}"},
            )
        )
        return tuple(sanitize.config_map(c) for c in (*known, *anywhere))

    @needs(CRDS.list, commands=LOOKING)
    def crds(self) -> tuple[k8s.CustomResourceDefinition, ...]:
        """Return all CustomResourceDefinitions, of schemas only a digest, and that only for the VPC CNI's own."""
        return list_all(self.api, CRDS, WireCrd, reduce=crd_of)

    @needs(CLUSTER_ROLES.named("get", *ROLES))
    def cluster_roles(self) -> tuple[k8s.ClusterRole, ...]:
        """Return the ClusterRoles of the agent and of the policy controller, those there are."""
        return tuple(map(sanitize.managed, self._by_name(CLUSTER_ROLES, k8s.ClusterRole, *ROLES)))

    @needs(CLUSTER_ROLE_BINDINGS.named("get", *ROLES))
    def cluster_role_bindings(self) -> tuple[k8s.ClusterRoleBinding, ...]:
        """Return the ClusterRoleBindings of the agent and of the policy controller, those there are."""
        return tuple(map(sanitize.managed, self._by_name(CLUSTER_ROLE_BINDINGS, k8s.ClusterRoleBinding, *ROLES)))

    @needs(VALIDATING_WEBHOOKS.list, MUTATING_WEBHOOKS.list)
    def webhooks(self) -> tuple[k8s.WebhookConfiguration, ...]:
        """Return all validating and mutating webhook configurations."""
        kinds = (
            (VALIDATING_WEBHOOKS, "ValidatingWebhookConfiguration"),
            (MUTATING_WEBHOOKS, "MutatingWebhookConfiguration"),
        )
        return tuple(
            replace(sanitize.plain(found), kind=kind)
            for resource, kind in kinds
            for found in list_all(self.api, resource, k8s.WebhookConfiguration)
        )

    @needs(ADMISSION_POLICIES.list)
    def admission_policies(self) -> tuple[k8s.AdmissionPolicy, ...]:
        """Return all ValidatingAdmissionPolicies; none where the API server does not serve the kind."""
        return self._if_served(ADMISSION_POLICIES, k8s.AdmissionPolicy)

    @needs(ADMISSION_BINDINGS.list)
    def admission_bindings(self) -> tuple[k8s.AdmissionPolicyBinding, ...]:
        """Return all ValidatingAdmissionPolicyBindings; none where the API server does not serve the kind."""
        return self._if_served(ADMISSION_BINDINGS, k8s.AdmissionPolicyBinding)

    @needs(API_SERVICES.list)
    def api_services(self) -> tuple[k8s.ApiService, ...]:
        """Return all APIServices."""
        return list_all(self.api, API_SERVICES, k8s.ApiService, reduce=sanitize.plain)

    @needs(NETWORK_POLICIES.list, commands=LOOKING)
    def network_policies(self) -> tuple[pol.NetworkPolicy, ...]:
        """Return all NetworkPolicies."""
        return list_all(self.api, NETWORK_POLICIES, pol.NetworkPolicy, reduce=sanitize.plain)

    def _workloads(self, resource: Resource, kind: str) -> tuple[k8s.Workload, ...]:
        return list_all(self.api, resource, k8s.Workload, reduce=sanitize.workload(kind))

    def _if_served(self, resource: Resource, kind: Any) -> tuple[Any, ...]:
        try:
            return list_all(self.api, resource, kind, reduce=sanitize.plain)
        except NotFound:
            # v1 came with Kubernetes 1.30.
            return ()

    def _by_name(self, resource: Resource, kind: Any, *names: str, namespace: str = "") -> tuple[Any, ...]:
        found = []
        for name in names:
            asked = resource.named("get", name)
            try:
                body = self.api.get(resource.path(namespace, name), asked)
            except NotFound:
                continue
            found.append(decode(body, kind, str(asked), self.api.server))
        return tuple(found)


def _nothing_behind(namespace: str, name: str) -> k8s.EndpointSlice:
    """Return an EndpointSlice that says of a Service that it was asked about and has none."""
    return k8s.EndpointSlice(k8s.ObjectMeta(name=name, namespace=namespace, labels={k8s.SERVICE_NAME: name}))


def workload_of(found: WireCronJob) -> k8s.Workload:
    """Return *found* as a workload: with the template of the pods its Jobs make."""
    return k8s.Workload(metadata=found.metadata, spec=found.spec.job_template.spec)


def revision_of(found: WireRevision) -> k8s.ControllerRevision:
    """Return of *found* the images of its template."""
    template = found.data.spec.template.spec
    images = tuple(f"{c.name}={c.image}" for c in (*template.init_containers, *template.containers))
    return k8s.ControllerRevision(metadata=sanitize.plain(found).metadata, revision=found.revision, images=images)


def crd_of(found: WireCrd) -> k8s.CustomResourceDefinition:
    """Return *found* without schemas; of the VPC CNI's own they leave their digest."""
    spec = found.spec
    digest = ""
    if spec.group == "networking.k8s.aws":
        digest = schema_digest({v.name: msgspec.json.decode(v.schema) for v in spec.versions})
    crd = k8s.CustomResourceDefinition(
        metadata=found.metadata,
        spec=k8s.CrdSpec(
            group=spec.group,
            names=spec.names,
            scope=spec.scope,
            versions=tuple(k8s.CrdVersion(v.name, v.served, v.storage) for v in spec.versions),
            schema_digest=digest,
        ),
        status=found.status,
    )
    force_setattr(crd, "metadata", sanitize.managed(crd).metadata)
    return crd
