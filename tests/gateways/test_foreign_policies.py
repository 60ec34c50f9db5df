"""Policies of other engines come through whole, live and from files; where Calico keeps them; what stays outside."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml

from eksnetpol.gateways import snapshot_file
from eksnetpol.gateways.collect import collect
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.gateways.session import TargetOptions, connect
from eksnetpol.interfaces import SilentObserver
from eksnetpol.model.redaction import LEFT_OUT, redact
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from tests.testbed.cluster import ControlPlane

DATA = Path(__file__).parent.parent / "data" / "engines"
CALICO = """
apiVersion: {version}
kind: GlobalNetworkPolicy
metadata: {{name: {prefix}deny, annotations: {{secret: x}}}}
spec:
  order: 10
  selector: app == 'web'
  types: [Ingress]
  ingress: [{{action: Deny, source: {{notSelector: "has(team)"}}}}]
"""
CILIUM = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: default}
spec: {endpointSelector: {matchLabels: {app: web}}, ingress: [{}]}
"""


def found(snapshot: ClusterSnapshot) -> dict[str, dict[str, object]]:
    assert isinstance(snapshot.foreign_policies, Seen)
    return {policy.metadata.name: policy.body for policy in snapshot.foreign_policies.value}


def look(plane: ControlPlane) -> ClusterSnapshot:
    connection = connect(TargetOptions(kubeconfig=str(plane.kubeconfig())))
    return collect(connection, SilentObserver(), sections=("foreign_policies",))


def established(plane: ControlPlane) -> None:
    """Wait until every definition is served: right after it is applied it has no condition that kubectl could wait for."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        conditions = [c.get("status", {}).get("conditions") or () for c in plane.get("crd")["items"]]
        if all(any(c["type"] == "Established" and c["status"] == "True" for c in found) for found in conditions):
            return
        time.sleep(0.1)
    raise AssertionError(conditions)


def test_from_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CALICO.format(version="projectcalico.org/v3", prefix="") + "---" + CILIUM)
    bodies = found(read_manifests((str(tmp_path),)))
    assert bodies["web"]["spec"] == yaml.safe_load(CILIUM)["spec"]
    assert bodies["deny"]["metadata"] == {"name": "deny"}


def test_they_survive_a_snapshot_and_leave_with_redaction(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CILIUM)
    snapshot = read_manifests((str(tmp_path / "a.yaml"),))
    snapshot_file.save(snapshot, tmp_path / "s.json")
    assert found(snapshot_file.load(tmp_path / "s.json")) == found(snapshot)
    assert redact(snapshot, salt=b"salt").foreign_policies == LEFT_OUT


@pytest.mark.testbed
def test_live_whole_and_from_the_group_where_calico_keeps_them(new_control_plane: object) -> None:
    plane: ControlPlane = new_control_plane()  # type: ignore[operator]
    assert found(look(plane)) == {}
    crds = [d for d in yaml.safe_load_all((DATA / "calico" / "calico-policy-only.yaml").read_text()) if d]
    names = {"globalnetworkpolicies.crd.projectcalico.org"}
    plane.apply(*(d for d in crds if d["metadata"]["name"] in names))
    plane.apply(DATA / "cilium" / "crds" / "ciliumnetworkpolicies.yaml")
    established(plane)
    plane.did("create", "-f", "-", stdin=CALICO.format(version="crd.projectcalico.org/v1", prefix="default."))
    plane.did("create", "-f", "-", stdin=CILIUM)
    bodies = found(look(plane))
    assert set(bodies) == {"default.deny", "web"}
    assert "managedFields" not in json.dumps(bodies)
    assert "secret" not in json.dumps(bodies)
    assert bodies["default.deny"]["spec"]["ingress"] == [{"action": "Deny", "source": {"notSelector": "has(team)"}}]  # type: ignore[index]
