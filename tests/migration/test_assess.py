"""Whether a cluster can leave its engine: from the manifests that engines ship, and from small clusters."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.eks import Cluster, Toggle
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind, Target, Unread, Why
from eksnetpol.reporting import assessments
from eksnetpol.translation.assessment import Assessment, Outlook, assess
from tests import builders
from tests.engines.test_recognition import documents

Golden = Callable[[str, str], None]

NODES = [{"name": f"n{i}", "labels": {"eks.amazonaws.com/nodegroup": "general"}} for i in range(3)]
EMPTY: dict[str, Any] = dict.fromkeys(
    ("daemonsets", "deployments", "crds", "foreign_kinds", "foreign_policies", "network_policies", "api_services", "configmaps",
     "engine_settings", "namespaces", "webhooks"), Seen(()),
)  # fmt: skip


def nodes(*short: dict[str, Any]) -> Seen[tuple[k8s.Node, ...]]:
    return Seen(tuple(msgspec.convert(builders.node(s), k8s.Node) for s in short or NODES))


def looked(*manifests: str, **sections: Any) -> ClusterSnapshot:
    """A look at a cluster in which the objects of *manifests* are."""
    found: dict[str, list[Any]] = {"DaemonSet": [], "Deployment": [], "ConfigMap": [], "Installation": []}
    for document in documents(*manifests):
        found.setdefault(document["kind"], []).append(document)
    own = {
        "daemonsets": Seen(tuple(replace(msgspec.convert(d, k8s.Workload), kind="DaemonSet") for d in found["DaemonSet"])),
        "deployments": Seen(tuple(replace(msgspec.convert(d, k8s.Workload), kind="Deployment") for d in found["Deployment"])),
        "configmaps": Seen(tuple(msgspec.convert(d, k8s.ConfigMap) for d in found["ConfigMap"])),
        "engine_settings": Seen(tuple(msgspec.convert(d, k8s.CustomObject) for d in found["Installation"])),
    }
    target = Target(cluster="shop", region="eu-west-1")
    return ClusterSnapshot(target=target, **{**EMPTY, "nodes": nodes(), **own, **sections})


def assessed(*manifests: str, **sections: Any) -> Assessment:
    return assess(looked(*manifests, **sections))


POLICY_ONLY = "calico/calico-policy-only.yaml"


def felix(**spec: Any) -> Seen[tuple[k8s.CustomObject, ...]]:
    return Seen((k8s.CustomObject(kind="FelixConfiguration", metadata=k8s.ObjectMeta(name="default"), spec=spec),))


def test_calico_that_only_polices_can_be_left() -> None:
    found = assessed(POLICY_ONLY)
    (calico,) = found.engines
    assert (found.outlook, found.exit_code) == (Outlook.MOVABLE, 0)
    assert (calico.presence.title, calico.data_plane, calico.presence.mode.value) == ("Calico", "iptables", "policy-only")
    assert found.recycled == (("general", 3),)


@pytest.mark.parametrize(
    "manifest", ["calico/calico-vxlan.yaml", "calico/canal.yaml", "weave/weave-daemonset-k8s-1.11.yaml",
                 "kube-router/kube-router-all-service-daemonset.yaml"],
)  # fmt: skip
def test_what_connects_the_pods_as_well_is_refused(manifest: str) -> None:
    found = assessed(manifest)
    assert (found.outlook, found.exit_code) == (Outlook.REFUSED, 1)
    assert any("connects the pods as well" in why for why in found.refusals)


def test_kube_routers_firewall_alone_can_be_left() -> None:
    assert assessed("kube-router/kube-router-firewall-daemonset.yaml").outlook is Outlook.MOVABLE


def test_two_that_enforce_are_refused() -> None:
    found = assessed(POLICY_ONLY, "kube-router/kube-router-firewall-daemonset.yaml")
    assert any("enforce at once" in why for why in found.refusals)


@pytest.mark.parametrize(
    ("sections", "word"),
    [
        ({"nodes": nodes(*NODES, {"name": "h", "labels": {"eks.amazonaws.com/compute-type": "hybrid"}})}, "hybrid node"),
        ({"nodes": nodes(*NODES, {"name": "w", "labels": {"kubernetes.io/os": "windows"}})}, "Windows node"),
        ({"engine_settings": felix(bpfEnabled=True)}, "kube-proxy"),
    ],
)
def test_what_must_be_seen_to_before_is_a_refusal(sections: dict[str, Any], word: str) -> None:
    found = assessed(POLICY_ONLY, **sections)
    assert found.outlook is Outlook.REFUSED
    assert any(word in why for why in found.refusals)


def test_a_cluster_of_auto_mode_alone_has_no_other_engine_to_leave() -> None:
    auto = nodes({"name": "a", "labels": {"eks.amazonaws.com/compute-type": "auto"}})
    found = assessed(POLICY_ONLY, nodes=auto, cluster=Seen(Cluster("shop", compute_config=Toggle(enabled=True))))
    assert any("Auto Mode" in why for why in found.refusals)


def test_what_goes_with_the_engine_has_to_be_waived_by_name() -> None:
    hosts = Seen((k8s.KindCount("crd.projectcalico.org", "HostEndpoint", "hostendpoints", 2),))
    found = assessed(POLICY_ONLY, engine_settings=felix(wireguardEnabled=True), foreign_kinds=hosts)
    assert found.outlook is Outlook.WAIVERS
    assert [name for name, _ in found.waivers] == ["wireguard", "hostendpoints"]


def test_definitions_alone_are_residue_and_no_engine() -> None:
    crd = msgspec.convert(builders.crd("felixconfigurations.crd.projectcalico.org"), k8s.CustomResourceDefinition)
    found = assessed(crds=Seen((crd,)))
    assert found.outlook is Outlook.NOTHING
    assert found.engines[0].presence.life.value == "residue"
    assert any("nobody acts on them" in note for note in found.notes)


@pytest.mark.parametrize("section", ["daemonsets", "crds", "foreign_kinds", "api_services", "nodes"])
def test_what_could_not_be_read_is_never_no_engine(section: str) -> None:
    found = assessed(**{section: Unread("not allowed", Why.DENIED, "list x")})
    assert (found.outlook, found.exit_code) == (Outlook.UNKNOWN, 3)
    assert section in {gap.section for gap in found.gaps}


def test_an_api_that_does_not_answer_makes_the_answer_unknown() -> None:
    broken = msgspec.convert(
        {
            "metadata": {"name": "v3.projectcalico.org"},
            "spec": {"group": "projectcalico.org", "version": "v3", "service": {"name": "api", "namespace": "calico-system"}},
            "status": {"conditions": [{"type": "Available", "status": "False", "message": "no endpoints"}]},
        },
        k8s.ApiService,
    )
    found = assessed(api_services=Seen((broken,)))
    assert found.outlook is Outlook.UNKNOWN
    assert found.gaps[-1].reason == "it does not answer: no endpoints"


def test_files_without_an_engine_show_nothing_about_a_cluster() -> None:
    assert assess(replace(looked(), source=SourceKind.MANIFESTS)).outlook is Outlook.UNKNOWN


def test_what_people_and_programs_see(golden: Golden) -> None:
    hosts = Seen((k8s.KindCount("crd.projectcalico.org", "HostEndpoint", "hostendpoints", 2),))
    found = assessed(POLICY_ONLY, engine_settings=felix(wireguardEnabled=True), foreign_kinds=hosts)
    text = assessments.render(found, "text", 100)
    assert text.isascii()
    golden("migration/assess.txt", text)
    golden("migration/assess.md", assessments.render(found, "markdown", 100))
    told = json.loads(assessments.render(found, "json", 100))
    assert (told["kind"], told["outlook"], told["exitCode"]) == ("MigrationAssessment", "needs waivers", 0)
