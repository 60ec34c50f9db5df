"""Engines are recognised from the manifests that their projects ship."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec.structs import replace

from eksnetpol.engines.catalog import detect
from eksnetpol.engines.engine import Life, Mode, Presence, Surroundings
from eksnetpol.model.kubernetes import ConfigMap, CustomObject, Workload, WorkloadStatus
from tests import builders

DATA = Path(__file__).parent.parent / "data" / "engines"
DEFINITIONS = Path(__file__).with_name("definitions.txt").read_text(encoding="utf-8").split()
"""The names of all CustomResourceDefinitions that Calico, Cilium and Antrea ship."""

_TELLING = re.compile(r"^kind: *(DaemonSet|Deployment|ConfigMap|Installation|List)\b", re.MULTILINE)


def documents(*names: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in names:
        for text in re.split(r"^---.*$", (DATA / name).read_text(encoding="utf-8"), flags=re.MULTILINE):
            # Definitions are nearly all of such a file, and say nothing of what runs.
            if _TELLING.search(text):
                document = yaml.load(text, Loader=yaml.CSafeLoader)
                found += document["items"] if document["kind"] == "List" else [document]
    return [without_nulls(document) for document in found]


def without_nulls(value: Any) -> Any:
    """A member that is null is one that is not there, as the API server has it."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


def surroundings(objects: list[dict[str, Any]], definitions: tuple[str, ...] = ()) -> Surroundings:
    def of(kind: str, as_type: Any) -> tuple[Any, ...]:
        return tuple(msgspec.convert(o, as_type) for o in objects if o["kind"] == kind)

    return Surroundings(
        daemonsets=of("DaemonSet", Workload),
        deployments=of("Deployment", Workload),
        configmaps=of("ConfigMap", ConfigMap),
        settings=of("Installation", CustomObject),
        crd_groups=Counter(d.partition(".")[2] for d in definitions),
    )


def one(around: Surroundings) -> Presence:
    (found,) = detect(around)
    return found


@pytest.mark.parametrize(
    ("files", "name", "mode"),
    [
        (("calico/calico-policy-only.yaml",), "calico", Mode.POLICY_ONLY),
        (("calico/calico-vxlan.yaml",), "calico", Mode.FULL_CNI),
        (("calico/canal.yaml",), "canal", Mode.FULL_CNI),
        (("antrea/antrea-eks.yaml",), "antrea", Mode.POLICY_ONLY),
        (("kube-router/kube-router-firewall-daemonset.yaml",), "kube-router", Mode.POLICY_ONLY),
        (("kube-router/kube-router-all-service-daemonset.yaml",), "kube-router", Mode.FULL_CNI),
        (("weave/weave-daemonset-k8s-1.11.yaml",), "weave", Mode.FULL_CNI),
    ],
    ids=lambda v: v[0] if isinstance(v, tuple) else str(v),
)
def test_a_manifest_as_shipped_is_live(files: tuple[str, ...], name: str, mode: Mode) -> None:
    found = one(surroundings(documents(*files)))
    assert (found.name, found.life, found.mode, found.enforces) == (name, Life.LIVE, mode, True)
    assert found.workload is not None


def test_the_operator_alone_is_a_partial_install() -> None:
    found = one(surroundings(documents("calico/tigera-operator.yaml")))
    assert (found.name, found.life, found.workload) == ("calico", Life.PARTIAL, None)
    assert "tigera-operator/tigera-operator" in found.evidence[0]


def test_an_installation_says_the_mode_whatever_the_environment() -> None:
    objects = documents("calico/calico-vxlan.yaml", "calico/custom-resources.yaml")
    (installation,) = [o for o in objects if o["kind"] == "Installation"]
    installation["spec"]["cni"] = {"type": "AmazonVPC"}
    assert one(surroundings(objects)).mode is Mode.POLICY_ONLY


def test_an_agent_that_nobody_schedules_is_no_live_engine() -> None:
    around = surroundings(documents("calico/calico-policy-only.yaml"))
    (agent,) = around.daemonsets
    idle = replace(agent, status=WorkloadStatus(observed_generation=3, desired_number_scheduled=0))
    found = one(Surroundings(daemonsets=(idle,)))
    assert (found.life, found.workload) == (Life.PARTIAL, idle)


@pytest.mark.parametrize(
    ("group", "name"),
    [("crd.projectcalico.org", "calico"), ("operator.tigera.io", "calico"), ("cilium.io", "cilium"), ("crd.antrea.io", "antrea")],
)
def test_definitions_alone_are_residue(group: str, name: str) -> None:
    left = tuple(d for d in DEFINITIONS if d.partition(".")[2] == group)
    assert left
    found = one(surroundings([], left))
    assert (found.name, found.life, found.enforces) == (name, Life.RESIDUE, False)
    assert str(len(left)) in found.evidence[0]


def test_canal_keeps_calicos_definitions_from_being_called_residue() -> None:
    found = detect(surroundings(documents("calico/canal.yaml"), tuple(d for d in DEFINITIONS if "calico" in d)))
    assert [p.name for p in found] == ["canal"]


def test_two_engines_are_two_answers() -> None:
    left = tuple(d for d in DEFINITIONS if d.endswith(".cilium.io"))
    found = detect(surroundings(documents("calico/calico-policy-only.yaml"), left))
    assert [(p.name, p.life) for p in found] == [("calico", Life.LIVE), ("cilium", Life.RESIDUE)]


@pytest.mark.parametrize(
    ("data", "mode", "enforces"),
    [
        ({"cni-chaining-mode": "aws-cni", "enable-policy": "default"}, Mode.POLICY_ONLY, True),
        ({"cni-chaining-mode": "none", "ipam": "eni"}, Mode.FULL_CNI, True),
        ({"cni-chaining-mode": "aws-cni", "enable-policy": "never"}, Mode.POLICY_ONLY, False),
        ({"cni-chaining-mode": "aws-cni", "policy-audit-mode": "true"}, Mode.POLICY_ONLY, False),
        (None, Mode.UNKNOWN, True),
    ],
)
def test_ciliums_configuration_says_what_it_does(data: dict[str, str] | None, mode: Mode, enforces: bool) -> None:
    objects = [builders.workload({"name": "cilium", "namespace": "kube-system"}, "DaemonSet")]
    if data is not None:
        objects.append({"kind": "ConfigMap", **builders.configmap({"name": "cilium-config", "data": data})})
    found = one(surroundings(objects))
    assert (found.name, found.life, found.mode, found.enforces) == ("cilium", Life.LIVE, mode, enforces)


def test_the_vpc_cni_alone_is_no_other_engine() -> None:
    assert detect(surroundings([builders.aws_node({})])) == ()
