"""Which question fills which section of a snapshot, at which door, and after which others.

The readers of AWS's sections are the functions here, under their section's name. Most of Kubernetes' sections are one question of
the same name; those of custom kinds wait for the CustomResourceDefinitions, which say whether there is anything to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eksnetpol.errors import EksNetpolError
from eksnetpol.gateways.logs import log_group
from eksnetpol.interfaces import AwsGateway, KubernetesGateway
from eksnetpol.model import eks
from eksnetpol.model.foreign import names_services
from eksnetpol.model.snapshot import Seen, Target, Unread, Why

ADDON = "vpc-cni"
_AGENT = ("kube-system", "aws-node")
_ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"

_READERS: dict[str, Reader] = {}


class Missing(EksNetpolError):
    """A section cannot be read because one that it builds on could not."""

    def __init__(self, needed: str, unread: Unread) -> None:
        super().__init__(f"builds on {needed}, which could not be read: {unread.reason}")
        self.unread = Unread(str(self), unread.why, unread.permission)


@dataclass(frozen=True, slots=True)
class Reader:
    """How a section is read: ``door`` is ``aws`` or ``kubernetes``, ``after`` names sections it builds on."""

    name: str
    door: str
    after: tuple[str, ...]
    read: Callable[[Look], Any]


@dataclass(slots=True)
class Look:
    """A look under way. ``sections`` are those read or failed so far; a reader finds there what it comes after."""

    target: Target
    aws: AwsGateway
    kubernetes: KubernetesGateway
    cluster: Seen[eks.Cluster] | Unread
    sections: dict[str, Seen[Any] | Unread] = field(default_factory=dict)

    def of(self, name: str) -> Any:
        """Return the value of section *name*; raise `Missing` where it could not be read."""
        section = self.sections[name]
        if isinstance(section, Unread):
            raise Missing(name, section)
        return section.value

    def seen(self, name: str, otherwise: Any) -> Any:
        """Return the value of section *name*, or *otherwise* where it could not be read."""
        section = self.sections[name]
        return section.value if isinstance(section, Seen) else otherwise


def readers() -> Mapping[str, Reader]:
    """Return the reader of every section."""
    return _READERS


def _aws(*after: str) -> Callable[[Callable[[Look], Any]], Callable[[Look], Any]]:
    def declare(read: Callable[[Look], Any]) -> Callable[[Look], Any]:
        name = read.__name__
        _READERS[name] = Reader(name, "aws", after, read)
        return read

    return declare


# --- Kubernetes -------------------------------------------------------------------------------------------------------

# The longest lists come first, so that the others pass them by.
_SAME_NAME = """
    pods crds nodes services network_policies service_accounts jobs deployments server_version namespaces agent_pods daemonsets
    statefulsets cronjobs disruption_budgets controller_revisions api_server_endpoints configmaps cluster_roles
    cluster_role_bindings agent_access webhooks admission_policies admission_bindings api_services
"""
_CUSTOM = """
    policy_endpoints application_policies cluster_policies admin_policies cluster_policy_endpoints security_group_policies
    eni_configs network_attachments node_classes engine_settings admission_engines scrapers foreign_kinds
    foreign_policies
"""


def _plain(name: str) -> Callable[[Look], Any]:
    return lambda look: getattr(look.kubernetes, name)()


def _of_crds(name: str) -> Callable[[Look], Any]:
    return lambda look: getattr(look.kubernetes, name)(look.of("crds"))


_READERS.update((name, Reader(name, "kubernetes", (), _plain(name))) for name in _SAME_NAME.split())
_READERS.update((name, Reader(name, "kubernetes", ("crds",), _of_crds(name))) for name in _CUSTOM.split())


def _endpoint_slices(look: Look) -> Any:
    """Read what is behind Services without a selector, where policies of another engine name Services at all."""
    services = [s for s in look.of("services") if not s.spec.selector and s.spec.type != "ExternalName"]
    return look.kubernetes.endpoint_slices(services) if services and names_services(look.of("foreign_policies")) else ()


_READERS["endpoint_slices"] = Reader("endpoint_slices", "kubernetes", ("foreign_policies", "services"), _endpoint_slices)


# --- AWS --------------------------------------------------------------------------------------------------------------


@_aws()
def caller(look: Look) -> eks.Caller:
    """Read who we are."""
    return look.aws.caller()


@_aws()
def cluster(look: Look) -> eks.Cluster:
    """Take what DescribeCluster said while connecting."""
    if isinstance(look.cluster, Seen):
        return look.cluster.value
    if look.cluster.why is Why.NOT_ASKED:
        return look.aws.describe_cluster(look.target.cluster)
    raise Missing("DescribeCluster", look.cluster)


@_aws()
def addons(look: Look) -> tuple[str, ...]:
    """Read which add-ons EKS manages."""
    return look.aws.list_addons(look.target.cluster)


@_aws()
def addon(look: Look) -> eks.Addon | None:
    """Read the add-on."""
    return look.aws.describe_addon(look.target.cluster, ADDON)


@_aws()
def addon_releases(look: Look) -> tuple[eks.AddonRelease, ...]:
    """Read which versions of the add-on there are."""
    return look.aws.addon_releases(ADDON)


@_aws("addon")
def addon_schema(look: Look) -> eks.AddonSchema | None:
    """Read the schema of the add-on's version; none where EKS does not manage it."""
    installed = look.of("addon")
    return look.aws.addon_schema(ADDON, installed.addon_version) if installed else None


@_aws()
def addon_updates(look: Look) -> tuple[eks.Update, ...]:
    """Read the add-on's updates."""
    return look.aws.addon_updates(look.target.cluster, ADDON)


@_aws()
def nodegroups(look: Look) -> tuple[eks.Nodegroup, ...]:
    """Read the managed node groups."""
    return look.aws.nodegroups(look.target.cluster)


@_aws()
def fargate_profiles(look: Look) -> tuple[eks.FargateProfile, ...]:
    """Read the Fargate profiles."""
    return look.aws.fargate_profiles(look.target.cluster)


@_aws()
def pod_identities(look: Look) -> tuple[eks.PodIdentityAssociation, ...]:
    """Read the EKS Pod Identity associations."""
    return look.aws.pod_identities(look.target.cluster)


@_aws()
def insights(look: Look) -> tuple[eks.Insight, ...]:
    """Read what EKS itself has noticed."""
    return look.aws.insights(look.target.cluster)


@_aws("nodes")
def instances(look: Look) -> tuple[eks.Instance, ...]:
    """Read the machines behind the nodes; where the nodes are unread, those tagged as the cluster's."""
    nodes = look.seen("nodes", None)
    if nodes is None:
        return look.aws.instances_of(look.target.cluster)
    ids = (node.spec.provider_id.rsplit("/", 1)[-1] for node in nodes)
    return look.aws.instances(i for i in ids if i.startswith("i-"))


@_aws("cluster")
def subnets(look: Look) -> tuple[eks.Subnet, ...]:
    """Read the subnets of the control plane."""
    return look.aws.subnets(look.of("cluster").resources_vpc_config.subnet_ids)


@_aws("cluster")
def vpc(look: Look) -> eks.Vpc:
    """Read the VPC."""
    return look.aws.vpc(look.of("cluster").resources_vpc_config.vpc_id)


@_aws("cluster")
def vpc_endpoints(look: Look) -> tuple[eks.VpcEndpoint, ...]:
    """Read the VPC's endpoints."""
    return look.aws.vpc_endpoints(look.of("cluster").resources_vpc_config.vpc_id)


@_aws()
def log_streams(look: Look) -> eks.LogStreams:
    """Read how far verdicts have got."""
    return look.aws.log_streams(look.target.cluster)


@_aws("cluster", "addon", "service_accounts", "pod_identities", "nodegroups")
def log_permissions(look: Look) -> tuple[eks.RoleAnswer, ...]:
    """Ask IAM whether the agent's role may write verdicts to CloudWatch Logs.

    The actions and the scope are those of aws/aws-network-policy-agent, README, *Send Logs to CloudWatch*; the resource that
    DescribeLogGroups is judged on is the account's groups without a name.
    """
    arn = look.of("cluster").arn
    _, partition, _, region, account, _ = arn.split(":", 5)
    groups = f"arn:{partition}:logs:{region}:{account}:log-group"
    writes = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
    answers: list[eks.RoleAnswer] = []
    for role in agent_roles(look):
        answers += look.aws.simulate(role, ("logs:DescribeLogGroups",), (f"{groups}::log-stream:",))
        answers += look.aws.simulate(role, writes, (f"{groups}:{log_group(look.target.cluster)}:log-stream:*",))
    return tuple(answers)


def agent_roles(look: Look) -> tuple[str, ...]:
    """Return the roles ``aws-node`` pods may work with: those named for their service account, or else those of the nodes.

    Where both an association and the service account name one, both are returned: which of them the pods get depends on their
    SDK. Raises `Missing` when a section that would tell is unread, and when nothing tells: EKS knows no roles of nodes outside
    its node groups.
    """
    named = {
        look.aws.pod_identity_role(look.target.cluster, association.association_id)
        for association in look.of("pod_identities")
        if (association.namespace, association.service_account) == _AGENT
    }
    named |= {
        account.metadata.annotations.get(_ROLE_ANNOTATION, "")
        for account in look.of("service_accounts")
        if (account.metadata.namespace, account.metadata.name) == _AGENT
    }
    installed = look.seen("addon", None)
    if installed:
        named.add(installed.service_account_role_arn)
    roles = named - {""} or {group.node_role for group in look.of("nodegroups")} - {""}
    if not roles:
        reason = "no managed node group, service account or association names the role of the aws-node pods"
        raise Missing("the agent's role", Unread(reason, Why.NOT_ASKED))
    return tuple(sorted(roles))
