"""Amazon EC2: the cluster's machines and the network they are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from msgspec.structs import replace

from eksnetpol.errors import NotFound
from eksnetpol.gateways.aws_door import AwsDoor, convert
from eksnetpol.gateways.permits import iam, needs
from eksnetpol.model import eks

BATCH = 100
"""Instances asked for by id at once."""


class Ec2Calls:
    """Questions to EC2."""

    door: AwsDoor

    @needs(iam("ec2:DescribeInstances"))
    def instances(self, ids: Iterable[str]) -> tuple[eks.Instance, ...]:
        """Return those EC2 instances that still exist.

        The ids go in a filter: asked for as ``InstanceIds``, a single machine that has gone meanwhile fails the whole call.
        """
        return tuple(
            instance
            for batch in _batches(sorted(set(ids)))
            for instance in self._instances([{"Name": "instance-id", "Values": batch}])
        )

    @needs(iam("ec2:DescribeInstances"))
    def instances_of(self, cluster: str) -> tuple[eks.Instance, ...]:
        """Return the EC2 instances tagged as the cluster's own, those that are ending left out."""
        states = ["pending", "running", "stopping", "stopped"]
        return tuple(
            self._instances(
                [
                    {"Name": "tag-key", "Values": [f"kubernetes.io/cluster/{cluster}"]},
                    {"Name": "instance-state-name", "Values": states},
                ]
            )
        )

    @needs(iam("ec2:DescribeSubnets"))
    def subnets(self, ids: Sequence[str]) -> tuple[eks.Subnet, ...]:
        """Return subnets with their IPv6 blocks."""
        found = self.door.pages("ec2", "DescribeSubnets", "Subnets", SubnetIds=list(ids)) if ids else ()
        return tuple(replace(convert(one, eks.Subnet, "ec2:DescribeSubnets"), ipv6_cidrs=_ipv6(one)) for one in found)

    @needs(iam("ec2:DescribeVpcs"))
    def vpc(self, vpc_id: str) -> eks.Vpc:
        """Return a VPC with all its address blocks, those being taken away left out."""
        found = next(self.door.pages("ec2", "DescribeVpcs", "Vpcs", VpcIds=[vpc_id]), None)
        if found is None:
            raise NotFound(f"there is no VPC {vpc_id}", kind="vpc", name=vpc_id)
        ipv4 = [
            one["CidrBlock"]
            for one in found.get("CidrBlockAssociationSet", ())
            if one.get("CidrBlockState", {}).get("State", "associated") == "associated"
        ]
        return eks.Vpc(vpc_id=vpc_id, cidrs=(*(ipv4 or [found["CidrBlock"]]), *_ipv6(found)))

    @needs(iam("ec2:DescribeVpcEndpoints"))
    def vpc_endpoints(self, vpc_id: str) -> tuple[eks.VpcEndpoint, ...]:
        """Return a VPC's endpoints."""
        wanted = [{"Name": "vpc-id", "Values": [vpc_id]}]
        found = self.door.pages("ec2", "DescribeVpcEndpoints", "VpcEndpoints", Filters=wanted)
        return tuple(convert(one, eks.VpcEndpoint, "ec2:DescribeVpcEndpoints") for one in found)

    def _instances(self, filters: list[dict[str, Any]]) -> Iterator[eks.Instance]:
        for reservation in self.door.pages("ec2", "DescribeInstances", "Reservations", Filters=filters):
            for instance in reservation.get("Instances", ()):
                yield convert(instance, eks.Instance, "ec2:DescribeInstances")


def _ipv6(found: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        one["Ipv6CidrBlock"]
        for one in found.get("Ipv6CidrBlockAssociationSet", ())
        if one.get("Ipv6CidrBlockState", {}).get("State", "associated") == "associated"
    )


def _batches(ids: list[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while batch := list(islice(rest, BATCH)):
        yield batch
