"""The AWS CLI, a client that knows nothing of us, changes add-ons: every verb, and its own waiters with their traps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eksnetpol.simulation.eks import Fate
from tests.testbed.eks_endpoint import EksEndpoint, eks_addon, eks_cluster, one_cluster, serving
from tests.testbed_tests.addon_cluster import aws

pytestmark = pytest.mark.testbed

CLUSTER = eks_cluster("shop")
OFFERED = ("v1.23.0-eksbuild.1", "v1.22.4-eksbuild.1", "v1.20.5-eksbuild.1")
NAMED = ("--cluster-name", "shop", "--addon-name", "vpc-cni")
ROLE = "arn:aws:iam::123456789012:role/aws-node"
ARN = CLUSTER["arn"].replace(":cluster/", ":addon/") + "/vpc-cni/0a"


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def endpoint(time: Time) -> Iterator[EksEndpoint]:
    service = one_cluster(CLUSTER, addon=eks_addon(CLUSTER, serviceAccountRoleArn=ROLE), offered=OFFERED)
    with serving(EksEndpoint(service, clock=time)) as served:
        yield served


def did(endpoint: EksEndpoint, *args: str) -> dict[str, Any]:
    done = aws(endpoint, *args)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout or "{}"))


def described(endpoint: EksEndpoint) -> dict[str, Any]:
    return dict(did(endpoint, "describe-addon", *NAMED)["addon"])


def passed(endpoint: EksEndpoint, time: Time, seconds: float = 30) -> None:
    """Let time pass second by second, as EKS would be asked."""
    for _ in range(int(seconds)):
        time.passes(1)
        endpoint.turn()


def test_create_addon_and_wait_until_it_is_active(endpoint: EksEndpoint, time: Time) -> None:
    endpoint.eks = replace(endpoint.eks, clusters={"shop": replace(endpoint.eks.of("shop"), addons={})})
    pair = f"serviceAccount=aws-node,roleArn={ROLE}"
    asked = (*NAMED, "--addon-version", OFFERED[1], "--resolve-conflicts", "PRESERVE", "--pod-identity-associations", pair)
    made = did(endpoint, "create-addon", *asked, "--tags", "team=net")["addon"]
    assert (made["status"], made["tags"], len(made["podIdentityAssociations"])) == ("CREATING", {"team": "net"}, 1)
    assert "ResourceInUseException" in aws(endpoint, "create-addon", *NAMED).stderr
    passed(endpoint, time)
    assert aws(endpoint, "wait", "addon-active", *NAMED).returncode == 0
    (association,) = did(endpoint, "list-pod-identity-associations", "--cluster-name", "shop")["associations"]
    assert (association["serviceAccount"], association["ownerArn"]) == ("aws-node", made["addonArn"])


def test_update_addon_is_told_by_describe_update_and_list_updates(endpoint: EksEndpoint, time: Time) -> None:
    number = did(endpoint, "update-addon", *NAMED, "--addon-version", OFFERED[0])["update"]["id"]
    assert did(endpoint, "list-updates", "--name", "shop", "--addon-name", "vpc-cni")["updateIds"] == [number]
    passed(endpoint, time)
    told = did(endpoint, "describe-update", "--name", "shop", "--addon-name", "vpc-cni", "--update-id", number)["update"]
    assert (told["status"], told["errors"]) == ("Successful", [])
    without_addon = aws(endpoint, "describe-update", "--name", "shop", "--update-id", number)
    assert "ResourceNotFoundException" in without_addon.stderr


def test_the_waiter_takes_a_stale_active_for_success(endpoint: EksEndpoint, time: Time) -> None:
    conflict = {"errorCode": "ConfigurationConflict", "errorMessage": "Conflicts found", "resourceIds": ["aws-node"]}
    endpoint.eks = endpoint.eks.with_fates("shop", "vpc-cni", [Fate((conflict,))])
    number = did(endpoint, "update-addon", *NAMED, "--addon-version", OFFERED[0])["update"]["id"]
    assert aws(endpoint, "wait", "addon-active", *NAMED).returncode == 0
    passed(endpoint, time, 5)
    assert described(endpoint)["status"] == "UPDATING"
    passed(endpoint, time)
    told = did(endpoint, "describe-update", "--name", "shop", "--addon-name", "vpc-cni", "--update-id", number)["update"]
    assert (told["status"], [e["errorCode"] for e in told["errors"]]) == ("Failed", ["ConfigurationConflict"])
    addon = described(endpoint)
    assert (addon["status"], addon["addonVersion"]) == ("UPDATE_FAILED", OFFERED[2])
    assert [i["code"] for i in addon["health"]["issues"]] == ["ConfigurationConflict"]


def test_the_waiter_gives_up_on_degraded_at_first_sight_although_it_passes(endpoint: EksEndpoint, time: Time) -> None:
    endpoint.eks = endpoint.eks.with_fates("shop", "vpc-cni", [Fate(ails=timedelta(seconds=60))])
    did(endpoint, "update-addon", *NAMED, "--addon-version", OFFERED[0])
    passed(endpoint, time)
    assert described(endpoint)["status"] == "DEGRADED"
    assert "terminal failure state" in aws(endpoint, "wait", "addon-active", *NAMED).stderr
    passed(endpoint, time, 60)
    assert described(endpoint)["status"] == "ACTIVE"


def test_delete_addon_and_wait_until_it_is_gone(endpoint: EksEndpoint, time: Time) -> None:
    assert did(endpoint, "delete-addon", *NAMED, "--preserve")["addon"]["status"] == "DELETING"
    assert "InvalidRequestException" not in aws(endpoint, "delete-addon", *NAMED).stderr
    passed(endpoint, time)
    assert aws(endpoint, "wait", "addon-deleted", *NAMED).returncode == 0
    assert did(endpoint, "list-addons", "--cluster-name", "shop")["addons"] == []


def test_tags_are_added_and_taken_away(endpoint: EksEndpoint) -> None:
    did(endpoint, "tag-resource", "--resource-arn", ARN, "--tags", "team=net,stage=prod")
    did(endpoint, "untag-resource", "--resource-arn", ARN, "--tag-keys", "stage", "never-there")
    assert did(endpoint, "list-tags-for-resource", "--resource-arn", ARN)["tags"] == {"team": "net"}
    assert described(endpoint)["tags"] == {"team": "net"}
    assert "NotFoundException" in aws(endpoint, "list-tags-for-resource", "--resource-arn", f"{ARN}b").stderr


@pytest.mark.parametrize(
    "asked",
    [("--configuration-values", '{"enableNetworkPolicy":true}'), ("--addon-version", "v9.9.9-eksbuild.1")],
    ids=["a boolean", "an unknown version"],
)
def test_what_is_not_offered_is_refused_by_name(endpoint: EksEndpoint, asked: tuple[str, ...]) -> None:
    assert "InvalidParameterException" in aws(endpoint, "update-addon", *NAMED, *asked).stderr
    assert endpoint.eks.of("shop").pending == {}
