"""Objects with names that stay, as files, and as the real API server takes them."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
import yaml

from eksnetpol.engines.calico.read import read
from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Namespace
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.world import World
from eksnetpol.translation import Options, Translation, Verdict, translate
from eksnetpol.translation.emit import KUSTOMIZATION, files
from eksnetpol.translation.naming import name_of
from tests.testbed.cluster import ControlPlane

Json = dict[str, Any]
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def calico(name: str, namespace: str, **spec: Any) -> Json:
    kind = "NetworkPolicy" if namespace else "GlobalNetworkPolicy"
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": meta, "spec": spec}


def world(*kubernetes: Json) -> World:
    spaces = [{"metadata": {"name": n, "labels": {"kubernetes.io/metadata.name": n}}} for n in ("shop", "bank")]
    return World(
        namespaces=msgspec.convert(spaces, tuple[Namespace, ...]),
        network_policies=msgspec.convert(list(kubernetes), tuple[NetworkPolicy, ...]),
        family="ipv4",
    )


def translated(*policies: Json, mine: World | None = None, options: Options | None = None) -> Translation:
    mine = mine or world()
    return translate(read(policies, mine.network_policies, mine), mine, options or Options(vpc=("10.0.0.0/16",)))


def rule(**fields: Any) -> Json:
    return {"action": "Allow", **fields}


WEB = calico(
    "web", "shop", selector="app == 'web'", types=["Ingress"],
    ingress=[rule(protocol="TCP", source={"namespaceSelector": "team == 'a'", "selector": "tier == 'b'"},
                  destination={"ports": [80, "8000:8010"]})],
)  # fmt: skip
LISTED = calico(
    "listed", "shop", selector="all()", types=["Egress"],
    egress=[rule(destination={"nets": ["203.0.113.0/24", "198.51.100.0/24"], "notNets": ["203.0.113.128/25"]})],
)  # fmt: skip
CLOSED = calico("closed", "", selector="all()", types=["Ingress", "Egress"])
EITHER = calico("either", "shop", selector="app == 'a' || role == 'b'", types=["Ingress"], ingress=[rule()])
DENYING = calico(
    "denying", "shop", selector="all()", types=["Ingress"],
    ingress=[{"action": "Deny", "source": {"selector": "app == 'bad'"}}, rule(source={"selector": "has(app)"})],
)  # fmt: skip


def spec(found: Translation, number: int = 0) -> Json:
    said: Json = found.outputs[number].manifest["spec"]
    return said


def test_a_namespace_and_a_label_stay_one_peer() -> None:
    found = translated(WEB)
    assert spec(found) == {
        "podSelector": {"matchLabels": {"app": "web"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "ports": [{"port": 80, "protocol": "TCP"}, {"port": 8000, "protocol": "TCP", "endPort": 8010}],
                "from": [
                    {"namespaceSelector": {"matchLabels": {"team": "a"}}, "podSelector": {"matchLabels": {"tier": "b"}}}
                ],
            }
        ],
    }  # fmt: skip
    assert {j.verdict for j in found.judged} == {Verdict.EXACT}


def test_every_block_is_written_and_none_has_an_except() -> None:
    [sent] = spec(translated(LISTED))["egress"]
    assert sent == {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}, {"ipBlock": {"cidr": "203.0.113.0/25"}}]}


def test_a_policy_of_all_namespaces_is_one_in_each_of_today() -> None:
    found = translated(CLOSED)
    assert [(o.ref.namespace, o.manifest["spec"]) for o in found.outputs] == [
        (namespace, {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}) for namespace in ("bank", "shop")
    ]
    assert found.worst is Verdict.EXACT_NOW


def test_alternatives_for_pods_are_several_objects() -> None:
    found = translated(EITHER)
    assert [spec(found, n)["podSelector"] for n in range(2)] == [{"matchLabels": {"app": "a"}}, {"matchLabels": {"role": "b"}}]
    assert len({o.ref.name for o in found.outputs}) == 2


def test_what_is_denied_before_is_taken_out_of_what_is_allowed() -> None:
    found = translated(DENYING)
    [taken] = spec(found)["ingress"]
    wanted = [{"key": "app", "operator": "Exists"}, {"key": "app", "operator": "NotIn", "values": ["bad"]}]
    assert taken == {"from": [{"podSelector": {"matchExpressions": wanted}}]}
    assert found.worst is Verdict.EXACT


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"protocol": "ICMP"}, "no ICMP"),
        ({"protocol": "TCP", "source": {"ports": [80]}}, "source ports"),
        ({"protocol": "TCP", "http": {"methods": ["GET"]}}, "HTTP"),
        ({"source": {"selector": "app == 'a'", "nets": ["10.0.1.0/24"]}}, "by labels and by address"),
        ({"source": {"serviceAccounts": {"names": ["robot"]}}}, None),
    ],
)
def test_what_cannot_be_said_is_left_out_by_name(fields: Json, reason: str | None) -> None:
    found = translated(calico("p", "shop", selector="all()", types=["Ingress"], ingress=[rule(**fields)]))
    assert spec(found) == {"podSelector": {}, "policyTypes": ["Ingress"]}
    if reason is not None:
        assert [(j.place, j.verdict) for j in found.judged] == [("", Verdict.STRICTER), ("spec.ingress[0]", Verdict.NONE)]
        assert reason in found.judged[1].reason


def test_a_networkpolicy_that_was_masked_is_looser_and_refused_unless_waived() -> None:
    own = {
        "metadata": {"name": "open", "namespace": "shop"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
    }
    deny = calico(
        "deny", "", order=10, selector="all()", types=["Ingress"],
        ingress=[{"action": "Deny", "source": {"selector": "app == 'bad'"}}],
    )  # fmt: skip
    found = translated(deny, mine=world(own))
    assert Subject("NetworkPolicy", "open", "shop") in {j.ref for j in found.refused}
    kept = next(j for j in found.judged if j.kept and j.place)
    assert kept.verdict is Verdict.LOOSER
    assert kept.witness is not None
    assert not kept.witness.allowed_before


def test_names_stay_and_are_dns_labels() -> None:
    odd = Subject("GlobalNetworkPolicy", "Odd.Name." + "x" * 80)
    names = {name_of(odd, "shop"), name_of(odd, "bank"), name_of(odd, "shop", 2), name_of(Subject("Other", "a"), "shop")}
    assert len(names) == 4
    assert all(len(name) <= 63 and NAME.fullmatch(name) for name in names)
    assert (
        name_of(Subject("NetworkPolicy", "web", "shop"), "shop")
        == "web-" + name_of(Subject("NetworkPolicy", "web", "shop"), "shop").rpartition("-")[2]
    )


def test_files_name_every_object_once() -> None:
    found = translated(WEB, LISTED, CLOSED, EITHER, DENYING)
    written = files(found)
    listed = yaml.safe_load(written[KUSTOMIZATION])["resources"]
    assert sorted(listed) == sorted(set(written) - {KUSTOMIZATION})
    assert [yaml.safe_load(written[path])["metadata"]["name"] for path in listed] == [
        p.split("/")[1][: -len(".yaml")] for p in listed
    ]
    assert written == files(translated(WEB, LISTED, CLOSED, EITHER, DENYING))
    meta = yaml.safe_load(written[listed[0]])["metadata"]
    assert meta["labels"] == {"app.kubernetes.io/managed-by": "eksnetpol"}
    assert meta["annotations"]["eksnetpol.io/origin"] == "GlobalNetworkPolicy/closed"


@pytest.mark.testbed
def test_the_api_server_takes_them_all(control_plane: ControlPlane) -> None:
    found = translated(WEB, LISTED, CLOSED, EITHER, DENYING)
    assert len(found.outputs) == 7
    for output in found.outputs:
        manifest = dict(output.manifest)
        manifest["metadata"] = {**manifest["metadata"], "namespace": "default"}
        how = ("--dry-run=server", "--validate=strict", "-o", "json", "-f", "-")
        said = json.loads(control_plane.did("create", *how, stdin=json.dumps(manifest)))
        assert said["spec"]["policyTypes"] == manifest["spec"]["policyTypes"]
        assert said["spec"]["podSelector"] == manifest["spec"]["podSelector"]
