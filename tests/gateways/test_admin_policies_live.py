"""Policies of ``policy.networking.k8s.io`` as a real API server keeps them, read live and from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eksnetpol.gateways.collect import collect
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.gateways.session import TargetOptions, connect
from eksnetpol.gateways.snapshot_file import decode, encode
from eksnetpol.interfaces import SilentObserver
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.snapshot import Seen
from eksnetpol.policy.world import World
from tests import builders
from tests.testbed.fixtures import NewControlPlane

pytestmark = pytest.mark.testbed

DEFINITIONS = Path(__file__).parent.parent / "data" / "crds"
EGRESS: dict[str, Any] = {
    "name": "databases",
    "action": "Deny",
    "to": [
        {"networks": ["10.9.0.0/16", "fd00::/64"]},
        {"nodes": {"matchLabels": {"role": "db"}}},
        {"domainNames": ["*.example.com"]},
    ],
    "protocols": [
        {"tcp": {"destinationPort": {"number": 5432}}},
        {"udp": {"destinationPort": {"range": {"start": 1, "end": 9}}}},
    ],
}
INGRESS: dict[str, Any] = {
    "action": "Accept",
    "from": [{"pods": {"namespaceSelector": {"matchLabels": {"team": "a"}}, "podSelector": {}}}],
    "protocols": [{"destinationNamedPort": "web"}],
}


def written(name: str, **more: Any) -> dict[str, Any]:
    return builders.admin_policy({"name": name, "priority": 7, "ingress": [INGRESS], "egress": [EGRESS], **more})


def test_a_server_and_files_say_the_same(
    new_control_plane: NewControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = new_control_plane()
    plane.apply(*(DEFINITIONS / "policy.networking.k8s.io").glob("*.yaml"))
    plane.apply(DEFINITIONS / "networking.k8s.aws" / "clusternetworkpolicies.yaml")
    plane.did("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    aws = {"tier": "Admin", "priority": 7, "subject": {"namespaces": {}}}
    plane.apply(
        written("guard"),
        written("base", tier="Baseline", subject={"pods": {"podSelector": {"matchLabels": {"app": "web"}}}}),
        {
            "apiVersion": "networking.k8s.aws/v1alpha1",
            "kind": "ClusterNetworkPolicy",
            "metadata": {"name": "guard"},
            "spec": aws,
        },
    )
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig()))
    sections = ("admin_policies", "cluster_policies", "foreign_kinds")
    live = collect(connect(TargetOptions(kubeconfig=str(plane.kubeconfig()))), SilentObserver(), sections=sections)
    found = live.admin_policies
    assert isinstance(found, Seen), found
    assert [(p.name, p.title, p.spec.tier) for p in found.value] == [
        ("base", "ClusterNetworkPolicy.policy.networking.k8s.io", "Baseline"),
        ("guard", "ClusterNetworkPolicy.policy.networking.k8s.io", "Admin"),
    ]
    guard = found.value[1].spec
    assert guard == msgspec.convert(written("guard"), AdminPolicy).spec
    assert [str(match) for match in guard.egress[0].matches or ()] == ["5432/TCP", "1-9/UDP"]
    assert isinstance(live.cluster_policies, Seen)
    assert [p.metadata.name for p in live.cluster_policies.value] == ["guard"]
    assert isinstance(live.foreign_kinds, Seen)
    assert {(k.group, k.count) for k in live.foreign_kinds.value} == {("policy.networking.k8s.io", 2)}
    assert World.of(live).admin_policies == found.value

    listed = json.dumps(plane.get("clusternetworkpolicies.policy.networking.k8s.io"))
    (tmp_path / "list.json").write_text(listed)
    problems: list[Any] = []
    files = read_manifests([str(tmp_path)], problems=problems.append).admin_policies
    assert problems == []
    assert isinstance(files, Seen)
    assert [(p.name, p.kind, p.spec) for p in files.value] == [(p.name, p.kind, p.spec) for p in found.value]
    assert decode(encode(live), "snapshot").admin_policies == found
