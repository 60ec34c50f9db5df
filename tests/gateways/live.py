"""A cluster as AWS would have it: a real API server behind EKS tokens, DescribeCluster that leads to it, and the rest of AWS."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import urllib3
import yaml

from eksnetpol.gateways.permit_documents import ROLE, cluster_role
from eksnetpol.gateways.permits import Permissions, RbacPermission, permissions_for
from eksnetpol.gateways.session import TargetOptions
from tests.testbed.aws import REGION, Aws, Keys
from tests.testbed.build import Components
from tests.testbed.cluster import ADMIN, ControlPlane, User
from tests.testbed.eks_endpoint import EksEndpoint
from tests.testbed.eks_endpoint import serving as serving_eks
from tests.testbed.eks_tokens import Authenticator, canonical
from tests.testbed.eks_tokens import serving as serving_tokens
from tests.testbed.scenario import ec2_side, eks_side, load, scenario

READER = User("reader", (ROLE,))
CLUSTER = "retail"


@dataclass(slots=True)
class Live:
    """The cluster: ``keys`` are those of an IAM user that its access entries put in the group the shipped role is bound to."""

    plane: ControlPlane
    eks: EksEndpoint
    aws: Aws
    authenticator: Authenticator
    keys: Keys

    def environment(self) -> Mapping[str, str]:
        """Return what points a process at this AWS."""
        return self.aws.settings(self.eks.url, self.keys)

    def options(self, **more: Any) -> TargetOptions:
        """Return the flags that name the cluster."""
        return replace(TargetOptions(cluster=CLUSTER, region=REGION), **more)

    def as_admin(self, **more: Any) -> TargetOptions:
        """Return the flags of somebody with a kubeconfig of the cluster's administrator."""
        return TargetOptions(kubeconfig=str(self.plane.kubeconfig(ADMIN)), **more)

    def ask(self, method: str, path: str, body: Any = None) -> int:
        """Ask the API server as its administrator, without the tool and without the pace of kubectl; return the status."""
        headers = {"Authorization": f"Bearer {self.plane.token()}", "Content-Type": "application/json"}
        encoded = None if body is None else json.dumps(body)
        with urllib3.PoolManager(ca_cert_data=self.plane.ca_pem) as pool:
            return pool.request(method, self.plane.url + path, headers=headers, body=encoded).status

    def change(self, **members: Any) -> None:
        """Change members of DescribeCluster.cluster."""
        here = self.eks.eks.clusters[CLUSTER]
        self.eks.eks = replace(self.eks.eks, clusters={CLUSTER: replace(here, cluster={**here.cluster, **members})})

    def give(self, **members: Any) -> None:
        """Give the cluster in EKS further *members* of `EksCluster`, e.g. updates."""
        self.eks.eks = replace(self.eks.eks, clusters={CLUSTER: replace(self.eks.eks.clusters[CLUSTER], **members)})


@contextmanager
def live_cluster(folder: Path, programs: Components, aws: Aws) -> Iterator[Live]:
    """Start the cluster of scenario ``retail-store-calico`` with the shipped role bound to its group."""
    keys = aws.user(f"operator-{secrets.token_hex(4)}")
    arn = canonical(aws.client("sts", keys).get_caller_identity()["Arn"])
    authenticator = Authenticator(CLUSTER, aws.url, aws.secrets, {arn: READER})
    described = scenario("retail-store-calico")
    with serving_tokens(authenticator), serving_eks(EksEndpoint()) as eks:
        plane = ControlPlane.start(folder, programs=programs, users=(READER,), token_webhook=authenticator.url)
        try:
            ec2 = ec2_side(described, aws)
            load(described, plane, ec2)
            plane.apply(*rendered(permissions_for("preflight"), ROLE))
            eks.eks = eks_side(described, plane, ec2)
            yield Live(plane, eks, aws, authenticator, keys)
        finally:
            plane.stop()


def rendered(permissions: Permissions, name: str) -> list[dict[str, Any]]:
    """Return the role with *permissions* and its binding to the group of the same name, as objects."""
    return [document for document in yaml.safe_load_all(cluster_role(permissions, name)) if document]


def without(permission: RbacPermission) -> Permissions:
    """Return all that reading needs but *permission*."""
    needed = permissions_for("preflight")
    return Permissions(needed.iam, tuple(p for p in needed.rbac if p != permission))
