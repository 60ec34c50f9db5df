"""Amazon EKS: the cluster, its add-ons and its node groups."""

from __future__ import annotations

from datetime import UTC, datetime

from eksnetpol.errors import NotFound
from eksnetpol.gateways.aws_door import AwsDoor, convert
from eksnetpol.gateways.permits import (
    ADDON,
    ASKING,
    CLUSTER,
    FARGATE_PROFILE,
    LOOKING,
    NODEGROUP,
    POD_IDENTITY,
    iam,
    needs,
)
from eksnetpol.model import eks

_LONG_AGO = datetime.fromtimestamp(0, UTC)


class EksCalls:
    """Questions to EKS."""

    door: AwsDoor

    @needs(iam("eks:DescribeCluster", CLUSTER), commands=(*LOOKING, *ASKING))
    def describe_cluster(self, cluster: str) -> eks.Cluster:
        """Return the cluster; raise `NotFound` when this account and region have none of that name."""
        try:
            answer = self.door.call("eks", "DescribeCluster", name=cluster)
        except NotFound as error:
            message = (
                f"there is no cluster {cluster!r} in this account and region ({error}); check --cluster, --region and --profile"
            )
            raise NotFound(message, kind="cluster", name=cluster) from error
        return convert(answer["cluster"], eks.Cluster, "eks:DescribeCluster")

    @needs(iam("eks:ListAddons", CLUSTER))
    def list_addons(self, cluster: str) -> tuple[str, ...]:
        """Return the names of the add-ons EKS manages there."""
        return tuple(self.door.pages("eks", "ListAddons", "addons", clusterName=cluster))

    @needs(iam("eks:DescribeAddon", ADDON), commands=LOOKING)
    def describe_addon(self, cluster: str, name: str) -> eks.Addon | None:
        """Return an add-on, or None where EKS does not manage it."""
        try:
            answer = self.door.call("eks", "DescribeAddon", clusterName=cluster, addonName=name)
        except NotFound:
            return None
        return convert(answer["addon"], eks.Addon, "eks:DescribeAddon")

    @needs(iam("eks:DescribeAddonVersions"))
    def addon_releases(self, name: str) -> tuple[eks.AddonRelease, ...]:
        """Return every version EKS offers of an add-on, for all Kubernetes versions."""
        action = "eks:DescribeAddonVersions"
        found = self.door.pages("eks", "DescribeAddonVersions", "addons", addonName=name)
        return tuple(convert(release, eks.AddonRelease, action) for addon in found for release in addon.get("addonVersions", ()))

    @needs(iam("eks:DescribeAddonConfiguration"))
    def addon_schema(self, name: str, version: str) -> eks.AddonSchema | None:
        """Return the schema of an add-on version's configuration, or None where EKS no longer knows the version."""
        try:
            answer = self.door.call("eks", "DescribeAddonConfiguration", addonName=name, addonVersion=version)
        except NotFound:
            return None
        return convert(answer, eks.AddonSchema, "eks:DescribeAddonConfiguration")

    @needs(iam("eks:ListUpdates", CLUSTER, ADDON), iam("eks:DescribeUpdate", CLUSTER, ADDON), commands=LOOKING)
    def addon_updates(self, cluster: str, name: str) -> tuple[eks.Update, ...]:
        """Return the updates of an add-on that EKS remembers, the newest first; none where there is no such add-on."""

        def describe(update: str) -> eks.Update:
            answer = self.door.call("eks", "DescribeUpdate", name=cluster, addonName=name, updateId=update)
            return convert(answer["update"], eks.Update, "eks:DescribeUpdate")

        try:
            ids = tuple(self.door.pages("eks", "ListUpdates", "updateIds", name=cluster, addonName=name))
        except NotFound:
            return ()
        updates = self.door.each(describe, ids)
        return tuple(sorted(updates, key=lambda u: u.created_at or _LONG_AGO, reverse=True))

    @needs(iam("eks:ListNodegroups", CLUSTER), iam("eks:DescribeNodegroup", NODEGROUP))
    def nodegroups(self, cluster: str) -> tuple[eks.Nodegroup, ...]:
        """Return the managed node groups."""

        def describe(name: str) -> eks.Nodegroup:
            answer = self.door.call("eks", "DescribeNodegroup", clusterName=cluster, nodegroupName=name)
            return convert(answer["nodegroup"], eks.Nodegroup, "eks:DescribeNodegroup")

        return self.door.each(describe, self.door.pages("eks", "ListNodegroups", "nodegroups", clusterName=cluster))

    @needs(iam("eks:ListFargateProfiles", CLUSTER), iam("eks:DescribeFargateProfile", FARGATE_PROFILE))
    def fargate_profiles(self, cluster: str) -> tuple[eks.FargateProfile, ...]:
        """Return the Fargate profiles."""

        def describe(name: str) -> eks.FargateProfile:
            answer = self.door.call("eks", "DescribeFargateProfile", clusterName=cluster, fargateProfileName=name)
            return convert(answer["fargateProfile"], eks.FargateProfile, "eks:DescribeFargateProfile")

        names = self.door.pages("eks", "ListFargateProfiles", "fargateProfileNames", clusterName=cluster)
        return self.door.each(describe, names)

    @needs(iam("eks:ListPodIdentityAssociations", CLUSTER))
    def pod_identities(self, cluster: str) -> tuple[eks.PodIdentityAssociation, ...]:
        """Return the EKS Pod Identity associations."""
        action = "eks:ListPodIdentityAssociations"
        found = self.door.pages("eks", "ListPodIdentityAssociations", "associations", clusterName=cluster)
        return tuple(convert(one, eks.PodIdentityAssociation, action) for one in found)

    @needs(iam("eks:DescribePodIdentityAssociation", POD_IDENTITY))
    def pod_identity_role(self, cluster: str, association: str) -> str:
        """Return the ARN of the role an association hands out."""
        answer = self.door.call("eks", "DescribePodIdentityAssociation", clusterName=cluster, associationId=association)
        return str(answer["association"].get("roleArn", ""))

    @needs(iam("eks:ListInsights", CLUSTER))
    def insights(self, cluster: str) -> tuple[eks.Insight, ...]:
        """Return what EKS itself has noticed."""
        found = self.door.pages("eks", "ListInsights", "insights", clusterName=cluster)
        return tuple(convert(one, eks.Insight, "eks:ListInsights") for one in found)
