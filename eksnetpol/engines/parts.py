"""What the other engines consist of, by exact name: what is kept before they are left, and what goes, in which order.

Names are those of their projects' manifests and charts (projectcalico/calico v3.30 ``calico-policy-only.yaml`` and
``apiserver.yaml``, tigera/operator, cloudnativelabs/kube-router's DaemonSets, cilium/cilium's chart). Nothing is ever found by a
part of its name: others may use the word. An engine's control plane outlives its agents.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eksnetpol.model import engine_kinds as own
from eksnetpol.model import kinds
from eksnetpol.model.kinds import Kind, ObjectRef

SHARED_GROUPS = ("networking.k8s.aws", "policy.networking.k8s.io")
"""Groups whose definitions belong to no engine alone: they are never deleted, whoever brought them."""


@dataclass(frozen=True, slots=True)
class Parts:
    """One way in which an engine is installed.

    ``agent`` is the DaemonSet that enforces; ``agents`` all that run on every node. ``told`` are kinds of an operator, in the
    order in which it has to be told to take things away. ``control`` runs the rest and goes after the agents, ``rest`` after
    that. ``admission`` are webhooks and admission policies; ``bound`` finalizers that only the engine's controllers take off,
    with their kinds; ``chart`` is true where Helm installs and removes it.
    """

    agent: ObjectRef
    agents: tuple[ObjectRef, ...]
    control: tuple[ObjectRef, ...] = ()
    rest: tuple[ObjectRef, ...] = ()
    told: tuple[Kind, ...] = ()
    admission: tuple[ObjectRef, ...] = ()
    api_service: str = ""
    policies: tuple[Kind, ...] = ()
    settings: tuple[Kind, ...] = ()
    definitions: tuple[str, ...] = ()
    bound: tuple[tuple[str, Kind], ...] = ()
    namespaces: tuple[str, ...] = ()
    chart: bool = False

    @property
    def objects(self) -> tuple[ObjectRef, ...]:
        """Everything that is named, but for definitions and namespaces."""
        service = (ObjectRef.to(kinds.API_SERVICE, self.api_service),) if self.api_service else ()
        return (*self.agents, *self.control, *self.rest, *self.admission, *service)


def _in(namespace: str, kind: Kind, *names: str) -> tuple[ObjectRef, ...]:
    return tuple(ObjectRef.to(kind, name, namespace if kind.namespaced else "") for name in names)


_CALICO_ADMISSION = (
    *_in("", kinds.VALIDATING_WEBHOOKS, "api.projectcalico.org", "calico-webhooks"),
    *_in("", kinds.VALIDATING_WEBHOOKS, "tigera-waf.applicationlayer.projectcalico.org"),
    *_in("", kinds.MUTATING_WEBHOOKS, "tigera-sidecar-webhook-configuration"),
    *_in("", kinds.ADMISSION_BINDING, "protect-builtin-tiers.projectcalico.org"),
    *_in("", kinds.ADMISSION_POLICY, "protect-builtin-tiers.projectcalico.org"),
)
_OPERATOR_ONLY = ("gatewayapis", "istios", "managementclusterconnections")
_CALICO_DEFINITIONS = tuple(str(kind) for kind in (*own.CALICO_STORED, *own.CALICO_SHOWN, *own.CALICO_SETTINGS))
_OPERATOR_DEFINITIONS = (*(str(kind) for kind in own.OPERATOR_KINDS), *(f"{name}.operator.tigera.io" for name in _OPERATOR_ONLY))
_CALICO_BOUND = (
    ("projectcalico.org/ippool-finalizer", own.IP_POOL),
    ("projectcalico.org/tier-controller", own.CALICO_STORED[-1]),
)
_API_SERVER = (
    *_in("calico-apiserver", kinds.DEPLOYMENT, "calico-apiserver"),
    *_in("calico-apiserver", kinds.SERVICE, "calico-api"),
    *_in("calico-apiserver", kinds.SERVICE_ACCOUNT, "calico-apiserver"),
    *_in("", kinds.CLUSTER_ROLE_BINDING, "calico-apiserver-access-crds", "calico-apiserver-delegate-auth",
         "calico-apiserver-webhook-reader", "calico-extension-apiserver-auth-access"),
    *_in("", kinds.CLUSTER_ROLE, "calico-crds", "calico-extension-apiserver-auth-access", "calico-webhook-reader"),
)  # fmt: skip


def calico_by_operator() -> Parts:
    """Return what Calico consists of where the Tigera operator runs it: what the operator made, it takes away itself."""
    agent = ObjectRef.to(kinds.DAEMONSET, "calico-node", "calico-system")
    return Parts(
        agent=agent,
        agents=(agent, ObjectRef.to(kinds.DAEMONSET, "csi-node-driver", "calico-system")),
        told=(own.WHISKER, own.GOLDMANE, own.CALICO_API_SERVER, own.INSTALLATION),
        control=_in("tigera-operator", kinds.DEPLOYMENT, "tigera-operator"),
        rest=(
            *_in("tigera-operator", kinds.ROLE_BINDING, "tigera-operator-secrets"),
            *_in("", kinds.CLUSTER_ROLE_BINDING, "tigera-operator"),
            *_in("", kinds.CLUSTER_ROLE, "tigera-operator", "tigera-operator-secrets"),
            *_in("tigera-operator", kinds.SERVICE_ACCOUNT, "tigera-operator"),
        ),
        admission=_CALICO_ADMISSION,
        api_service="v3.projectcalico.org",
        policies=own.CALICO_STORED,
        settings=own.CALICO_SETTINGS,
        definitions=(*_OPERATOR_DEFINITIONS, *_CALICO_DEFINITIONS),
        bound=_CALICO_BOUND,
        namespaces=("calico-apiserver", "calico-system", "tigera-operator"),
    )


def calico_by_manifest(namespace: str = "kube-system") -> Parts:
    """Return what Calico consists of where somebody applied its manifests, the API server's included."""
    agent = ObjectRef.to(kinds.DAEMONSET, "calico-node", namespace)
    names = ("calico-kube-controllers", "calico-node", "calico-cni-plugin", "calico-tier-getter")
    return Parts(
        agent=agent,
        agents=(agent,),
        control=_in(namespace, kinds.DEPLOYMENT, "calico-kube-controllers", "calico-typha", "calico-webhooks"),
        rest=(
            *_in(namespace, kinds.DISRUPTION_BUDGET, "calico-kube-controllers", "calico-typha"),
            *_in(namespace, kinds.SERVICE, "calico-typha", "calico-webhooks"),
            *_API_SERVER,
            *_in("", kinds.CLUSTER_ROLE_BINDING, *names),
            *_in("", kinds.CLUSTER_ROLE, *names),
            *_in(namespace, kinds.SERVICE_ACCOUNT, "calico-kube-controllers", "calico-node", "calico-cni-plugin"),
            *_in(namespace, kinds.CONFIGMAP, "calico-config"),
        ),
        admission=_CALICO_ADMISSION,
        api_service="v3.projectcalico.org",
        policies=own.CALICO_STORED,
        settings=own.CALICO_SETTINGS,
        definitions=_CALICO_DEFINITIONS,
        bound=_CALICO_BOUND,
        namespaces=("calico-apiserver",),
    )


def kube_router(namespace: str = "kube-system") -> Parts:
    """Return what kube-router consists of: it has no kinds, no webhooks and no controllers of its own."""
    agent = ObjectRef.to(kinds.DAEMONSET, "kube-router", namespace)
    return Parts(
        agent=agent,
        agents=(agent,),
        rest=(
            *_in("", kinds.CLUSTER_ROLE_BINDING, "kube-router"),
            *_in("", kinds.CLUSTER_ROLE, "kube-router"),
            *_in(namespace, kinds.SERVICE_ACCOUNT, "kube-router"),
            *_in(namespace, kinds.CONFIGMAP, "kube-router-cfg"),
        ),
    )


def cilium(namespace: str = "kube-system") -> Parts:
    """Return what Cilium consists of, as far as it is named here: Helm takes it away, its operator makes its definitions."""
    agent = ObjectRef.to(kinds.DAEMONSET, "cilium", namespace)
    return Parts(
        agent=agent,
        agents=(agent, ObjectRef.to(kinds.DAEMONSET, "cilium-envoy", namespace)),
        control=_in(namespace, kinds.DEPLOYMENT, "cilium-operator"),
        rest=_in(namespace, kinds.CONFIGMAP, "cilium-config"),
        policies=own.CILIUM_POLICIES,
        settings=own.CILIUM_STATE,
        definitions=_CILIUM_DEFINITIONS,
        namespaces=("cilium-secrets",),
        chart=True,
    )


_CILIUM_DEFINITIONS = tuple(
    f"{plural}.cilium.io"
    for plural in (
        "ciliumbgpadvertisements", "ciliumbgpclusterconfigs", "ciliumbgpnodeconfigoverrides", "ciliumbgpnodeconfigs",
        "ciliumbgppeerconfigs", "ciliumbgppeeringpolicies", "ciliumcidrgroups", "ciliumclusterwideenvoyconfigs",
        "ciliumclusterwidenetworkpolicies", "ciliumdatapathplugins", "ciliumegressgatewaypolicies", "ciliumendpoints",
        "ciliumendpointslices", "ciliumenvoyconfigs", "ciliumexternalworkloads", "ciliumgatewayclassconfigs", "ciliumidentities",
        "ciliuml2announcementpolicies", "ciliumloadbalancerippools", "ciliumlocalredirectpolicies", "ciliumnetworkpolicies",
        "ciliumnodeconfigs", "ciliumnodes", "ciliumpodippools",
    )
)  # fmt: skip

EVERY_WAY = (calico_by_operator(), calico_by_manifest(), kube_router(), cilium())
"""Every way of installing an engine that can be left, in its usual namespace."""


def kinds_written() -> frozenset[Kind]:
    """Return the kinds of all that is named here, of any engine."""
    return frozenset(ref.of_kind for way in EVERY_WAY for ref in way.objects)


def names_of(kind: Kind, ways: Iterable[Parts] = EVERY_WAY) -> tuple[str, ...]:
    """Return the names of the objects of *kind* that engines consist of, sorted."""
    return tuple(sorted({ref.name for way in ways for ref in way.objects if ref.of_kind == kind}))
