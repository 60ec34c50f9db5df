"""A managed add-on on a real control plane, and the same cluster in memory, side by side."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import msgspec
import yaml

from eksnetpol.assets.addon_objects import managed_objects
from eksnetpol.model import eks as answers
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CONFIGMAP,
    CONTROLLER_REVISION,
    DAEMONSET,
    DEFINITION,
    NAMESPACE,
    NETWORK_POLICY,
    NODE,
    POLICY_ENDPOINT,
    SERVICE_ACCOUNT,
    Json,
    ObjectRef,
)
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind
from eksnetpol.model.versions import Release
from eksnetpol.simulation.addon_effects import MANAGER
from eksnetpol.simulation.sections import SECTIONS, structs
from eksnetpol.simulation.world import SimulatedCluster
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane
from tests.testbed.eks_endpoint import QUICK, EksEndpoint, eks_addon, eks_cluster, one_cluster, serving
from tests.testbed.eks_endpoint_objects import RealPlace
from tests.testbed.nodes import node

DATA = Path(__file__).parent.parent / "data"
STAGES = Path(__file__).parent.parent / "testbed" / "stages"
CLUSTER = eks_cluster("shop", version="1.34")
OFFERED = ("v1.21.1-eksbuild.7", "v1.20.5-eksbuild.1", "v1.19.6-eksbuild.1")
BEFORE = "v1.20.5-eksbuild.1"
REGISTRY = "602401143452.dkr.ecr.us-west-2.amazonaws.com"
REF = ObjectRef.to(DAEMONSET, "aws-node", "kube-system")
SWITCH = ObjectRef.to(CONFIGMAP, "amazon-vpc-cni", "kube-system")
WITHIN = 60.0

KINDS = (
    DAEMONSET,
    CONTROLLER_REVISION,
    CONFIGMAP,
    SERVICE_ACCOUNT,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    DEFINITION,
    NETWORK_POLICY,
    POLICY_ENDPOINT,
    NODE,
    NAMESPACE,
)
"""Kinds that the copy in memory takes over."""


def written_by_eks(version: str = BEFORE, values: Json | None = None) -> tuple[Json, ...]:
    """Return what EKS writes for a version of the add-on, images of the registry of us-west-2."""
    return managed_objects(Release.parse(version), values or {}, registry=REGISTRY)


@contextmanager
def cluster_with_addon(folder: Path, programs: Components, nodes: int, *, crashing: Sequence[int] = ()) -> Iterator[ControlPlane]:
    """Start a control plane whose add-on of version `BEFORE` runs on *nodes* nodes; pods on those numbered *crashing* do so."""
    plane = ControlPlane.start(folder, programs=programs)
    try:
        plane.start_controllers()
        plane.start_scheduler()
        made = [node(i) for i in range(nodes)]
        doomed = [made[i]["metadata"]["name"] for i in crashing]
        plane.start_kwok([crashing_on(folder, *doomed)] if doomed else ())
        for path in sorted((DATA / "crds" / "networking.k8s.aws").glob("*.yaml")):
            if not path.stem.endswith("v1.14.0"):
                plane.apply(path, manager=MANAGER)
        place = RealPlace(plane)
        for obj in written_by_eks():
            place.write(obj)
        plane.create(made)
        until(lambda: _available(place) == nodes - len(crashing))
        yield plane
    finally:
        plane.stop()


def until(holds: Callable[[], bool], *, within: float = WITHIN, every: float = 0.2) -> None:
    """Wait until something holds; fail when it does not in time."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(every)


def _available(place: RealPlace) -> int:
    status = (place.get(REF) or {}).get("status", {})
    return int(status.get("numberAvailable", 0)) if status.get("desiredNumberScheduled") else -1


@contextmanager
def eks_of(plane: ControlPlane, **addon: Any) -> Iterator[EksEndpoint]:
    """Serve an EKS endpoint that manages the add-on of *plane*."""
    # Long enough for who asks again and again to see that it is under way.
    timing = replace(QUICK, begins=timedelta(seconds=1), settles=timedelta(seconds=1.2))
    service = one_cluster(CLUSTER, addon=eks_addon(CLUSTER, addonVersion=BEFORE, **addon), offered=OFFERED, timing=timing)
    with serving(EksEndpoint(service, RealPlace(plane))) as endpoint:
        yield endpoint


def in_memory(plane: ControlPlane, endpoint: EksEndpoint) -> SimulatedCluster:
    """Return the cluster behind *plane* in memory, as a look would have taken it: with nothing that a snapshot does not keep."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        everywhere = ("-A",) if kind.namespaced else ()
        listed = plane.get(str(kind), *everywhere, "--show-managed-fields")["items"]
        found[SECTIONS[kind].name] = Seen(structs(kind, listed))
    agents = plane.get("pods", "-n", "kube-system", "-l", "k8s-app=aws-node")["items"]
    found["agent_pods"] = Seen(msgspec.convert(agents, tuple[k8s.AgentPod, ...]))
    here = endpoint.eks.of("shop")
    addon = answers.Addon(
        "vpc-cni",
        here.addons["vpc-cni"]["addonVersion"],
        "ACTIVE",
        configuration_values=here.addons["vpc-cni"].get("configurationValues", ""),
    )
    releases = tuple(answers.AddonRelease(v, (answers.Compatibility("1.34", ("*",)),)) for v in OFFERED)
    return SimulatedCluster(
        ClusterSnapshot(
            taken_at=datetime.now(UTC),
            source=SourceKind.LIVE,
            cluster=Seen(answers.Cluster("shop", CLUSTER["arn"], "1.34", status="ACTIVE")),
            addon=Seen(addon),
            addon_updates=Seen(()),
            addon_releases=Seen(releases),
            pod_identities=Seen(()),
            **found,
        ),
        seconds=0.5,
        timing=QUICK,
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What EKS said of an update, each state once: the add-on's and the update's, and its errors at the end."""

    states: tuple[tuple[str, str], ...]
    errors: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def ends(self) -> tuple[str, str]:
        """The last of them."""
        return self.states[-1]


def followed(look: Callable[[], tuple[str, str, list[Json]]], wait: Callable[[], None], settled: str) -> Told:
    """Ask again and again until the update has ended and the add-on's status is one of those in *settled*.

    The state before, which DescribeAddon still shows for a moment, is left out: who asks too late does not see it.
    """
    seen: list[tuple[str, str]] = []
    deadline = time.monotonic() + WITHIN
    while True:
        status, update, errors = look()
        is_before = not seen and update == "InProgress" and status != "UPDATING"
        if not is_before and seen[-1:] != [(status, update)]:
            seen.append((status, update))
        if update != "InProgress" and status in settled.split():
            told = tuple((e["errorCode"], tuple(sorted(e["errorMessage"].splitlines()[1:]))) for e in errors)
            return Told(tuple(seen), told)
        assert time.monotonic() < deadline, seen
        wait()


def aws(endpoint: EksEndpoint, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the AWS CLI's ``eks`` commands against *endpoint*."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    env |= {"AWS_ENDPOINT_URL_EKS": endpoint.url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    env |= {"AWS_DEFAULT_REGION": "us-west-2", "AWS_MAX_ATTEMPTS": "1"}
    program = Path(sys.executable).with_name("aws")
    return subprocess.run([program, "eks", *args, "--output", "json"], env=env, capture_output=True, text=True, check=False)


def client(endpoint: EksEndpoint) -> Any:
    """Return boto3's client for *endpoint*, which sooner begins to talk than the AWS CLI."""
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    return boto3.client("eks", endpoint_url=endpoint.url, region_name="us-west-2", **keys)


def crashing_on(folder: Path, *nodes: str) -> Path:
    """Write a Stage of kwok by which the containers of pods on these nodes end right after they start, and return its path."""
    stage = yaml.safe_load((STAGES / "pod-crash-loop.yaml").read_text())
    stage["metadata"]["name"] = "pod-crash-on-node"
    # A stage with a weight is taken before all that have none.
    stage["spec"]["weight"] = 1
    stage["spec"]["selector"]["matchExpressions"] = [
        {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
        {"key": ".status.phase", "operator": "In", "values": ["Pending"]},
        {"key": ".spec.nodeName", "operator": "In", "values": list(nodes)},
    ]
    path = folder / "crashing.yaml"
    path.write_text(yaml.safe_dump(stage))
    return path
