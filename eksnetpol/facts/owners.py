"""Which tool owns the VPC CNI's add-on and objects: a change behind its back is taken back, or breaks its next run.

Labels and annotations that a tool puts on what it manages, its field managers, and tags of the add-on are evidence. Tags that
people choose themselves (``ManagedBy = terraform``) are a hint and are marked as one. A bare Helm label is a hint as well: EKS
makes its own manifests with Helm's templates, without the annotations that Helm itself adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.facts.agent_rights import ROLE
from eksnetpol.facts.declare import fact
from eksnetpol.facts.vpc_cni import CONFIGMAP, NAMESPACE, VpcCni
from eksnetpol.model import kinds
from eksnetpol.model.eks import Addon, Cluster
from eksnetpol.model.kinds import Kind, ObjectRef
from eksnetpol.model.kubernetes import ClusterRole, ConfigMap, CustomObject, ObjectMeta
from eksnetpol.model.snapshot import Unread

THE_ADDON = "add-on vpc-cni"
THE_CLUSTER = "cluster"


class Tool(StrEnum):
    """Tools that own things."""

    HELM = "Helm"
    ARGO_CD = "Argo CD"
    FLUX = "Flux"
    TERRAFORM = "Terraform"
    PULUMI = "Pulumi"
    CLOUDFORMATION = "CloudFormation"
    EKSCTL = "eksctl"


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """A tool that owns something. ``of`` is `THE_ADDON`, `THE_CLUSTER` or `str` of an `ObjectRef`.

    ``name`` is what the tool calls it (a release, an application, a stack), where it is told. Not ``certain`` is a hint.
    """

    tool: Tool
    of: str
    evidence: str
    name: str = ""
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Owners:
    """All owners that were found; none is no proof that there is none."""

    found: tuple[Owner, ...]

    def of(self, *things: str) -> tuple[Owner, ...]:
        """Return the owners of *things*, each tool once for each thing, the most certain evidence of it."""
        best: dict[tuple[Tool, str], Owner] = {}
        for owner in self.found:
            if owner.of in things:
                key = (owner.tool, owner.of)
                if key not in best or (owner.certain and not best[key].certain):
                    best[key] = owner
        return tuple(best.values())


_MARKS: tuple[tuple[str, Tool], ...] = (
    ("meta.helm.sh/release-name", Tool.HELM),
    ("argocd.argoproj.io/tracking-id", Tool.ARGO_CD),
    ("argocd.argoproj.io/instance", Tool.ARGO_CD),
    ("kustomize.toolkit.fluxcd.io/name", Tool.FLUX),
    ("helm.toolkit.fluxcd.io/name", Tool.FLUX),
)
"""Labels and annotations that a tool puts on every object it manages; their value is what the tool calls it."""

_MANAGERS: tuple[tuple[str, Tool], ...] = (
    ("argocd", Tool.ARGO_CD),
    ("kustomize-controller", Tool.FLUX),
    ("helm-controller", Tool.FLUX),
    ("helm", Tool.HELM),
    ("hashicorp", Tool.TERRAFORM),
    ("terraform", Tool.TERRAFORM),
    ("pulumi", Tool.PULUMI),
)
"""Beginnings of field managers, in lower case; the first that fits counts. ``eksctl`` is none: it writes once and lets go."""

_STACK = "aws:cloudformation:stack-name"
_EKSCTL_TAGS = ("alpha.eksctl.io/", "eksctl.cluster.k8s.io/", "eksctl.io/")
_CUSTOM_TAGS = frozenset({"managedby", "createdby", "provisioner", "provisionedby", "iac", "deployedby", "tool", "source"})
_NAMED_IN_TAGS = {
    "terraform": Tool.TERRAFORM,
    "terragrunt": Tool.TERRAFORM,
    "opentofu": Tool.TERRAFORM,
    "pulumi": Tool.PULUMI,
    "eksctl": Tool.EKSCTL,
    "cloudformation": Tool.CLOUDFORMATION,
    "cdk": Tool.CLOUDFORMATION,
}


@fact
def owners(
    addon: Addon | Unread | None,
    cluster: Cluster | Unread,
    vpc_cni: VpcCni | Unread | None,
    configmaps: tuple[ConfigMap, ...] | Unread,
    cluster_roles: tuple[ClusterRole, ...] | Unread,
    node_classes: tuple[CustomObject, ...] | Unread,
) -> Owners:
    """Who owns the add-on, the objects of the VPC CNI and the NodeClasses, as far as what was read tells."""
    found: list[Owner] = []
    if isinstance(addon, Addon):
        found += by_tags(addon.tags, THE_ADDON)
    if isinstance(cluster, Cluster):
        found += by_tags(cluster.tags, THE_CLUSTER)
    if isinstance(vpc_cni, VpcCni):
        found += by_marks(vpc_cni.workload.metadata, kinds.DAEMONSET)
    for config in () if isinstance(configmaps, Unread) else configmaps:
        if (config.metadata.namespace, config.metadata.name) == (NAMESPACE, CONFIGMAP):
            found += by_marks(config.metadata, kinds.CONFIGMAP)
    for role in () if isinstance(cluster_roles, Unread) else cluster_roles:
        if role.metadata.name == ROLE:
            found += by_marks(role.metadata, kinds.CLUSTER_ROLE)
    for node_class in () if isinstance(node_classes, Unread) else node_classes:
        found += by_marks(node_class.metadata, kinds.NODE_CLASS)
    return Owners(tuple(found))


def by_marks(meta: ObjectMeta, kind: Kind) -> Iterator[Owner]:
    """Yield who owns an object of *kind*, by its labels, annotations and field managers."""
    where = str(ObjectRef.to(kind, meta.name, meta.namespace))
    for key, tool in _MARKS:
        for place, marks in (("annotation", meta.annotations), ("label", meta.labels)):
            if key in marks:
                name = marks[key].partition(":")[0] if key.endswith("tracking-id") else marks[key]
                yield Owner(tool, where, f"{place} {key}={marks[key]}", name)
    for manager in dict.fromkeys(m.manager for m in meta.managed_fields):
        owner = tool_of_manager(manager)
        if owner is not None:
            yield Owner(owner, where, f"field manager {manager}")
    for key in ("app.kubernetes.io/managed-by", "helm.sh/chart"):
        if meta.labels.get(key) == "Helm" or (key.startswith("helm.sh/") and key in meta.labels):
            yield Owner(Tool.HELM, where, f"label {key}={meta.labels[key]}", certain=False)


def tool_of_manager(manager: str) -> Tool | None:
    """Return the tool that writes as field manager *manager*, None for one that is no tool which writes again."""
    return next((tool for beginning, tool in _MANAGERS if manager.lower().startswith(beginning)), None)


def by_tags(tags: Mapping[str, str], of: str) -> Iterator[Owner]:
    """Yield who owns something of AWS, by its tags. Tags that begin with ``aws:`` are AWS's own, nobody else can set them."""
    stack = tags.get(_STACK, "")
    of_eksctl = _first_tag(tags, _EKSCTL_TAGS)
    if stack:
        # eksctl makes everything it makes as stacks of its own, named after itself.
        tool = Tool.EKSCTL if of_eksctl or stack.startswith("eksctl-") else Tool.CLOUDFORMATION
        yield Owner(tool, of, f"tag {_STACK}={stack}", stack)
    elif of_eksctl:
        yield Owner(Tool.EKSCTL, of, f"tag {of_eksctl}={tags[of_eksctl]}")
    for key, value in sorted(tags.items()):
        plain = key.lower().replace("-", "").replace("_", "").rpartition("/")[2]
        if key.startswith("aws:") or key.startswith(_EKSCTL_TAGS):
            continue
        words = value.lower() if plain in _CUSTOM_TAGS else plain if value.lower() not in {"false", "no", "0"} else ""
        named = next((tool for word, tool in _NAMED_IN_TAGS.items() if word in words.split() or words.startswith(word)), None)
        if named is not None:
            yield Owner(named, of, f"tag {key}={value}", certain=False)


def _first_tag(tags: Mapping[str, str], beginnings: Iterable[str]) -> str:
    start = tuple(beginnings)
    return next((key for key in sorted(tags) if key.startswith(start)), "")
