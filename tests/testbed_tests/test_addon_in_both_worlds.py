"""The same update of the add-on on a real control plane and in memory: the same states, the same objects, the same owners."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from eksnetpol.fields.owners import owners
from eksnetpol.model.actions import Resolve, UpdateAddon
from eksnetpol.model.kinds import CLUSTER_ROLE, Json, ObjectRef
from eksnetpol.simulation.eks_settling import has_rolled
from eksnetpol.simulation.sections import structs
from eksnetpol.simulation.world import SimulatedCluster
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane
from tests.testbed.eks_endpoint import QUICK, EksEndpoint
from tests.testbed.eks_endpoint_objects import RealPlace
from tests.testbed_tests.addon_cluster import (
    BEFORE,
    REF,
    SWITCH,
    Told,
    client,
    cluster_with_addon,
    eks_of,
    followed,
    in_memory,
    until,
)

pytestmark = pytest.mark.testbed

ON = '{"enableNetworkPolicy":"true"}'
NODES = 6
ROLE = ObjectRef.to(CLUSTER_ROLE, "aws-node")


@pytest.fixture(scope="module")
def plane(full_programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with cluster_with_addon(tmp_path_factory.mktemp("addon"), full_programs, NODES) as running:
        yield running


@pytest.fixture(scope="module")
def endpoint(plane: ControlPlane) -> Iterator[EksEndpoint]:
    with eks_of(plane) as served:
        yield served


def update_really(endpoint: EksEndpoint, wanted: UpdateAddon, *, settled: str = "ACTIVE UPDATE_FAILED") -> Told:
    done = client(endpoint).update_addon(
        clusterName="shop",
        addonName="vpc-cni",
        addonVersion=wanted.version,
        configurationValues=wanted.configuration_values,
        resolveConflicts=wanted.resolve_conflicts,
    )
    number = done["update"]["id"]

    def look() -> tuple[str, str, list[Json]]:
        endpoint.turn()
        update = endpoint.eks.update("shop", "vpc-cni", number)
        return endpoint.eks.addon("shop", "vpc-cni")["status"], update["status"], update["errors"]

    return followed(look, lambda: time.sleep(0.05), settled)


def update_in_memory(cluster: SimulatedCluster, wanted: UpdateAddon, *, settled: str = "ACTIVE UPDATE_FAILED") -> Told:
    number = cluster.update_addon(wanted, token="once").id  # noqa: S106 - no secret

    def look() -> tuple[str, str, list[Json]]:
        addon, update = cluster.describe_addon("vpc-cni"), cluster.describe_update("vpc-cni", number)
        assert addon is not None
        errors = [{"errorCode": e.error_code, "errorMessage": e.error_message} for e in update.errors]
        return addon.status, update.status, errors

    return followed(look, lambda: cluster.sleep(0.05), settled)


def shown(ref: ObjectRef, obj: Json | None) -> Any:
    """Return what a look keeps of an object but for what each server counts by itself."""
    assert obj is not None
    metadata = {"name": ref.name, "labels": obj["metadata"].get("labels", {})}
    (kept,) = structs(ref.of_kind, [{**obj, "metadata": metadata, "status": {}}])
    return kept


def assert_equal(plane: ControlPlane, cluster: SimulatedCluster) -> None:
    place = RealPlace(plane)
    for ref in (REF, SWITCH, ROLE):
        real, copy = place.get(ref), cluster.get(ref)
        assert real is not None
        assert copy is not None
        assert shown(ref, copy) == shown(ref, real)
        if ref != ROLE:
            # Of a role a snapshot does not keep the owners.
            assert owners(copy["metadata"]["managedFields"]) == owners(real["metadata"]["managedFields"])
    counts = ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady")
    real_status, copied_status = (found["status"] for found in (place.get(REF), cluster.get(REF)) if found is not None)
    assert {c: real_status.get(c, 0) for c in counts} == {c: copied_status.get(c, 0) for c in counts}


def both(plane: ControlPlane, endpoint: EksEndpoint, resolve: Resolve, values: str = ON, version: str = BEFORE) -> Told:
    """Do one update in both worlds and hold them together; return what EKS told."""
    copy = in_memory(plane, endpoint)
    wanted = UpdateAddon(version, values, resolve)
    told, rehearsed = update_really(endpoint, wanted), update_in_memory(copy, wanted)
    assert rehearsed == told
    assert_equal(plane, copy)
    return told


def test_an_update_rolls_out_alike(plane: ControlPlane, endpoint: EksEndpoint) -> None:
    told = both(plane, endpoint, "OVERWRITE")
    assert told.states == (("UPDATING", "InProgress"), ("ACTIVE", "Successful"))
    assert plane.get("configmap", "amazon-vpc-cni", "-n", "kube-system")["data"]["enable-network-policy-controller"] == "true"


def edit(plane: ControlPlane) -> None:
    """Let somebody else own a key of the ConfigMap and a variable of the DaemonSet, with other values than EKS's."""
    switch = {"metadata": {"name": SWITCH.name, "namespace": "kube-system"}, "data": {"enable-windows-ipam": "true"}}
    env = [{"name": "AWS_VPC_K8S_CNI_LOGLEVEL", "value": "INFO"}]
    spec = {"template": {"spec": {"containers": [{"name": "aws-node", "env": env}]}}}
    nodes = {"metadata": {"name": REF.name, "namespace": "kube-system"}, "spec": spec}
    plane.apply({"apiVersion": "v1", "kind": "ConfigMap", **switch}, manager="operator")
    plane.apply({"apiVersion": "apps/v1", "kind": "DaemonSet", **nodes}, manager="operator")
    until(lambda: has_rolled(RealPlace(plane).daemonset("vpc-cni")))


def test_none_fails_with_every_conflict_and_writes_nothing(plane: ControlPlane, endpoint: EksEndpoint) -> None:
    edit(plane)
    told = both(plane, endpoint, "NONE", '{"enableNetworkPolicy":"false"}')
    assert told.ends == ("UPDATE_FAILED", "Failed")
    ((code, lines),) = told.errors
    assert code == "ConfigurationConflict"
    assert lines == (
        "ConfigMap amazon-vpc-cni - .data.enable-windows-ipam",
        'DaemonSet.apps aws-node - .spec.template.spec.containers[name="aws-node"].env[name="AWS_VPC_K8S_CNI_LOGLEVEL"].value',
    )
    assert plane.get("configmap", "amazon-vpc-cni", "-n", "kube-system")["data"]["enable-network-policy-controller"] == "true"


def test_preserve_leaves_what_others_own_and_writes_the_rest(plane: ControlPlane, endpoint: EksEndpoint) -> None:
    edit(plane)
    assert both(plane, endpoint, "PRESERVE", '{"enableNetworkPolicy":"false"}').ends == ("ACTIVE", "Successful")
    data = plane.get("configmap", "amazon-vpc-cni", "-n", "kube-system")["data"]
    assert (data["enable-windows-ipam"], data["enable-network-policy-controller"]) == ("true", "false")


def test_overwrite_takes_what_others_own(plane: ControlPlane, endpoint: EksEndpoint) -> None:
    edit(plane)
    assert both(plane, endpoint, "OVERWRITE").ends == ("ACTIVE", "Successful")
    assert plane.get("configmap", "amazon-vpc-cni", "-n", "kube-system")["data"]["enable-windows-ipam"] == "false"


def test_another_version_changes_all_that_it_brings(plane: ControlPlane, endpoint: EksEndpoint) -> None:
    assert both(plane, endpoint, "OVERWRITE", version="v1.21.1-eksbuild.7").ends == ("ACTIVE", "Successful")
    assert both(plane, endpoint, "OVERWRITE").ends == ("ACTIVE", "Successful")


def test_a_hundred_nodes_roll_in_both(full_programs: Components, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("hundred")
    with cluster_with_addon(folder, full_programs, 100) as plane, eks_of(plane) as endpoint:
        assert both(plane, endpoint, "OVERWRITE").ends == ("ACTIVE", "Successful")


def test_a_node_that_never_gets_ready_degrades_and_fails_alike(
    full_programs: Components, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("never")
    with cluster_with_addon(folder, full_programs, 4, crashing=(2,)) as plane, eks_of(plane) as endpoint:
        timing = replace(QUICK, degraded=timedelta(seconds=2), gives_up=timedelta(seconds=6))
        endpoint.eks = replace(endpoint.eks, timing=timing)
        copy = in_memory(plane, endpoint)
        copy.eks.eks = endpoint.eks
        copy.doom_nodes([plane.get("nodes")["items"][2]["metadata"]["name"]])
        wanted = UpdateAddon(BEFORE, ON, "OVERWRITE")
        told = update_really(endpoint, wanted, settled="DEGRADED")
        assert update_in_memory(copy, wanted, settled="DEGRADED") == told
        assert told.states == (
            ("UPDATING", "InProgress"),
            ("DEGRADED", "InProgress"),
            ("DEGRADED", "Failed"),
        )
        assert [code for code, _ in told.errors] == ["InsufficientNumberOfReplicas"]
        assert_equal(plane, copy)
