"""Predicted objects before a real API server that has the real definitions: it takes them, and hands them back as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eksnetpol.policy.prediction.predict import predict
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.world import World
from tests.cli.conftest import environment
from tests.policy.prediction.small import API, namespaces, pod, policy, service, tcp, world
from tests.policy.prediction.test_objects import as_recorded, recorded_world
from tests.testbed.cluster import ControlPlane
from tests.testbed.fixtures import NewControlPlane

pytestmark = pytest.mark.testbed

Json = dict[str, Any]

DEFINITIONS = Path(__file__).parents[2] / "data" / "crds" / "networking.k8s.aws"
KINDS = ("policyendpoints", "clusterpolicyendpoints", "applicationnetworkpolicies", "clusternetworkpolicies")


def plane_with_definitions(new_control_plane: NewControlPlane) -> ControlPlane:
    plane = new_control_plane()
    for kind in KINDS:
        plane.apply(DEFINITIONS / f"{kind}.yaml")
    for kind in KINDS:
        plane.did("wait", "--for=condition=Established", f"crd/{kind}.networking.k8s.aws", "--timeout=30s")
    return plane


def awkward() -> World:
    """Every member that an object can have."""
    block = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}
    anp = policy(
        "anp",
        policyTypes=["Egress"],
        ingress=[{"from": [{}]}],
        egress=[{"to": [{"domainNames": ["*.example.org"]}, block], "ports": [tcp(443), tcp(8000, 8100)]}],
    )
    everything: Json = {"namespaces": {"matchExpressions": [{"key": "no", "operator": "DoesNotExist"}]}}
    egress = [
        {"action": "Accept", "to": [{"domainNames": ["example.com"]}, {"networks": ["10.0.0.0/8", "not-a-cidr"]}]},
        {"action": "Deny", "to": [everything], "ports": [{"portRange": {"protocol": "UDP", "start": 1, "end": 9}}]},
    ]
    spec = {"tier": "Baseline", "priority": 0, "subject": everything, "ingress": [], "egress": egress}
    return world(
        [pod(f"p-{i}", f"10.0.0.{i}", ports=["http=8080"]) for i in range(1, 6)],
        policy("np", podSelector=API, ingress=[{"from": [block], "ports": [{"protocol": "SCTP"}]}]),
        services=[service("s", "172.20.0.1", (80, "http"))],
        spaces=namespaces(shop={}, bank={}),
        application=[anp],
        clusterwide=[{"metadata": {"name": "cnp", "uid": "uid-cnp"}, "spec": spec}],
    )


@pytest.mark.parametrize(("of", "size"), [(recorded_world, 200), (awkward, 200), (awkward, 2)])
def test_predicted_objects_are_accepted_and_kept_as_they_are(new_control_plane: NewControlPlane, of: Any, size: int) -> None:
    plane = plane_with_definitions(new_control_plane)
    made = [json.loads(d) for d in predict(of(), Profile(), size).documents()]
    spaces = {o["metadata"]["namespace"] for o in made if "namespace" in o["metadata"]}
    plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in sorted(spaces - {"default"}))
    plane.create(made)
    kept = [o for kind in KINDS[:2] for o in plane.get(kind, "-A")["items"]]
    assert sorted(map(as_kept, kept)) == sorted(map(as_kept, made))


def as_kept(item: Json) -> str:
    item = {**item, "metadata": {"namespace": "", **item["metadata"]}}
    return as_recorded(item)


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_kubectl_reads_what_the_command_prints(new_control_plane: NewControlPlane, form: str) -> None:
    plane = plane_with_definitions(new_control_plane)
    for name in ("catalog", "orders", "ui"):
        plane.did("create", "namespace", name)
    recorded = Path(__file__).parents[2] / "data" / "policyendpoints" / "cluster.json"
    command = [sys.executable, "-m", "eksnetpol", "policy", "predict", "--manifests", str(recorded), "-o", form]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment()).stdout
    said = plane.did("create", "--dry-run=server", "-f", "-", stdin=printed)
    assert said.count("created (server dry run)") == 19


def test_an_application_policy_keeps_what_tells_its_empty_lists_apart(new_control_plane: NewControlPlane) -> None:
    plane = plane_with_definitions(new_control_plane)
    plane.did("create", "namespace", "shop")
    one = policy("anp", ingress=[{"from": []}, {"ports": [{"port": 80}]}])
    del one["metadata"]["uid"]
    plane.create([{"apiVersion": "networking.k8s.aws/v1alpha1", "kind": "ApplicationNetworkPolicy", **one}])
    kept = plane.get("applicationnetworkpolicies", "-n", "shop", "anp")["spec"]
    assert kept["ingress"] == [{"from": []}, {"ports": [{"port": 80}]}]
    assert "policyTypes" not in kept
