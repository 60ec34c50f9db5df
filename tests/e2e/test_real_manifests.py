"""Every manifest of the VPC CNI and of the other engines, on a real API server and as files: recognised for what it is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksnetpol.model.versions import Release
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane
from tests.testbed.world import ROOT, TOOL

pytestmark = pytest.mark.testbed

Json = dict[str, Any]

DATA = ROOT / "tests" / "data"
CNI = sorted((p.name for p in (DATA / "vpc-cni").iterdir()), key=Release.parse)
ENGINES = {
    "calico": ["calico/calico-policy-only.yaml"],
    "canal": ["calico/canal.yaml"],
    "antrea": ["antrea/antrea-eks.yaml"],
    "kube-router": ["kube-router/kube-router-firewall-daemonset.yaml"],
    "weave": ["weave/weave-daemonset-k8s-1.11.yaml"],
}
LEFT_BEHIND = ("DaemonSet", "Deployment", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService")
FIRST = ("Namespace", "CustomResourceDefinition")


@pytest.fixture(scope="module")
def plane(programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    started = ControlPlane.start(tmp_path_factory.mktemp("manifests"), programs=programs)
    yield started
    started.stop()


def preflight(*args: str) -> Json:
    done = subprocess.run([*TOOL, "preflight", *args, "-o", "json"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    said: Json = json.loads(done.stdout)
    assert not [r for r in said["results"] if r["outcome"] == "errored"]
    return said


def live(plane: ControlPlane) -> Json:
    return preflight("--kubeconfig", str(plane.kubeconfig()), "--context", "testbed")


def result(said: Json, check: str) -> Json:
    found: Json = next(r for r in said["results"] if r["id"] == check)
    return found


def put(plane: ControlPlane, path: Path) -> list[Json]:
    read = [d for d in yaml.safe_load_all(path.read_text()) if d]
    documents = [d for one in read for d in (one["items"] if one["kind"] == "List" else [one])]
    for part in ([d for d in documents if d["kind"] in FIRST], [d for d in documents if d["kind"] not in FIRST]):
        if part:
            plane.apply(*part)
    return documents


@pytest.mark.parametrize("version", CNI)
def test_a_release_of_the_vpc_cni_is_recognised_live_and_from_files(plane: ControlPlane, version: str) -> None:
    path = DATA / "vpc-cni" / version / "aws-k8s-cni.yaml"
    put(plane, path)
    release = Release.parse(version)
    for said in (live(plane), preflight("--manifests", str(path))):
        supports = result(said, "cni-supports-policy")
        if release < Release(1, 14, 0):
            assert supports["outcome"] == "failed"
        else:
            assert supports["outcome"] != "failed"
        assert str(release) in json.dumps(supports)
    plane.did("delete", "daemonset", "aws-node", "-n", "kube-system")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_is_recognised_live_and_from_files(plane: ControlPlane, engine: str) -> None:
    put(plane, DATA / "vpc-cni" / "v1.20.5" / "aws-k8s-cni.yaml")
    paths = [DATA / "engines" / name for name in ENGINES[engine]]
    documents = [d for path in paths for d in put(plane, path)]
    try:
        for said in (live(plane), preflight("--manifests", *map(str, paths))):
            found = result(said, "no-other-engine-enforces")
            assert found["outcome"] == "failed", found
            assert any(f["subject"]["kind"] == "DaemonSet" for f in found["findings"])
    finally:
        for d in documents:
            meta = d["metadata"]
            if d["kind"] in LEFT_BEHIND:
                plane.did("delete", d["kind"], meta["name"], "-n", meta.get("namespace", "default"))
            elif d["kind"] == "CustomResourceDefinition":
                plane.did("delete", "crd", meta["name"], "--wait=false")


def test_without_another_engine_none_is_found(plane: ControlPlane) -> None:
    put(plane, DATA / "vpc-cni" / "v1.20.5" / "aws-k8s-cni.yaml")
    assert result(live(plane), "no-other-engine-enforces")["outcome"] == "passed"


def test_the_command_line_is_this_checkout() -> None:
    assert TOOL[0] == sys.executable
