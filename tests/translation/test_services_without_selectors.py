"""Services that select nothing: what is behind them is in EndpointSlices, and nobody knows it without these."""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml

from eksnetpol.engines.dialects import stack_of
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.model.foreign import foreign_policy, names_services
from eksnetpol.model.kubernetes import SERVICE_NAME
from eksnetpol.model.redaction import redact
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Unread
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.world import World
from eksnetpol.translation import Options, Translation, Verdict, translate

Json = dict[str, Any]

GROUND: tuple[Json, ...] = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c"}]},
        "status": {"podIP": "10.0.1.9", "hostIP": "10.0.8.11"},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default"},
        "spec": {"clusterIP": "172.20.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]},
    },
)


def behind(*addresses: str, name: str = "kubernetes") -> Json:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "default", "labels": {SERVICE_NAME: "kubernetes"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses] or None,
        "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}],
    }


CALICO: Json = {
    "apiVersion": "projectcalico.org/v3",
    "kind": "NetworkPolicy",
    "metadata": {"name": "api", "namespace": "shop"},
    "spec": {
        "selector": "app == 'web'",
        "types": ["Egress"],
        "egress": [{"action": "Allow", "destination": {"services": {"name": "kubernetes", "namespace": "default"}}}],
    },
}
CILIUM: Json = {
    "apiVersion": "cilium.io/v2",
    "kind": "CiliumNetworkPolicy",
    "metadata": {"name": "api", "namespace": "shop"},
    "spec": {
        "endpointSelector": {"matchLabels": {"app": "web"}},
        "egress": [{"toServices": [{"k8sService": {"serviceName": "kubernetes", "namespace": "default"}}]}],
    },
}


def snapshot(*objects: Json) -> ClusterSnapshot:
    return read_manifests(["-"], stdin=io.BytesIO(yaml.safe_dump_all([*GROUND, *objects]).encode()), note=lambda _: None)


def translated(dialect: str, *objects: Json) -> Translation:
    mine = World.of(snapshot(*objects))
    return translate(stack_of(dialect, mine), mine, Options(profile=Profile(family="ipv4"), vpc=("10.0.0.0/16",)))


def opened(made: Translation) -> dict[str, list[Any]]:
    """Return the ports that are open to each address."""
    found: dict[str, list[Any]] = {}
    for output in made.outputs:
        for rule in output.manifest["spec"].get("egress", ()):
            for peer in rule["to"]:
                found.setdefault(peer["ipBlock"]["cidr"], []).extend([p["port"] for p in rule.get("ports", ())] or ["any"])
    return found


def test_calico_means_addresses_and_ports_of_slices_and_the_way_there_is_opened() -> None:
    made = translated("calico", CALICO, behind("192.0.2.7", "10.0.64.7"), behind("198.51.100.3", name="second"))
    # A packet is judged before the ClusterIP has become one of these.
    assert opened(made) == {
        "192.0.2.7/32": [6443], "10.0.64.7/32": [6443], "198.51.100.3/32": [6443], "172.20.0.1/32": [443]
    }  # fmt: skip
    rule = next(j for j in made.judged if j.place)
    assert (rule.verdict, rule.reasons[0]) == (
        Verdict.EXACT_NOW,
        "the addresses and ports behind the Service default/kubernetes are written as they are today",
    )


def test_cilium_means_addresses_outside_and_nobody_knows_of_pods() -> None:
    made = translated("cilium", CILIUM, behind("192.0.2.7"))
    assert opened(made) == {"192.0.2.7/32": ["any"], "172.20.0.1/32": [443]}
    rule = next(j for j in made.judged if j.place)
    assert (rule.verdict, rule.reasons[0]) == (
        Verdict.EXACT_NOW,
        "what is behind the Service default/kubernetes is written as it is today",
    )
    made = translated("cilium", CILIUM, behind("192.0.2.7", "10.0.1.9"))
    assert set(opened(made)) == {"192.0.2.7/32"}
    rule = next(j for j in made.judged if j.place)
    assert rule.verdict is Verdict.STRICTER
    assert "whether the Service default/kubernetes means pods and nodes by address" in rule.reason


@pytest.mark.parametrize(("dialect", "policy"), [("calico", CALICO), ("cilium", CILIUM)])
def test_without_slices_nobody_knows_and_nothing_is_opened(dialect: str, policy: Json) -> None:
    made = translated(dialect, policy)
    assert opened(made) == {}
    rule = next(j for j in made.judged if j.place)
    assert rule.verdict is Verdict.NONE
    assert "EndpointSlices were not read" in rule.reason


@pytest.mark.parametrize(("dialect", "policy"), [("calico", CALICO), ("cilium", CILIUM)])
def test_a_service_without_endpoints_means_nobody_today(dialect: str, policy: Json) -> None:
    made = translated(dialect, policy, behind())
    assert opened(made) == {}
    assert [j.verdict for j in made.judged if j.place] == [Verdict.EXACT_NOW]


def test_slices_are_read_from_files_and_the_api_servers_is_among_them() -> None:
    own = behind("10.0.64.7")
    other = {**behind("192.0.2.9"), "metadata": {"name": "ledger-x", "namespace": "shop", "labels": {}}}
    found = snapshot(own, other)
    assert isinstance(found.endpoint_slices, Seen)
    assert {one.service for one in found.endpoint_slices.value} == {("default", "kubernetes"), ("shop", "")}
    assert isinstance(found.api_server_endpoints, Seen)
    assert [one.metadata.name for one in found.api_server_endpoints.value] == ["kubernetes"]
    assert isinstance(snapshot().endpoint_slices, Unread)


def test_redacted_slices_are_still_those_of_their_services() -> None:
    ledger = {**behind("192.0.2.9"), "metadata": {"name": "ledger-x", "namespace": "shop", "labels": {SERVICE_NAME: "ledger"}}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ledger", "namespace": "shop"}}
    hidden = redact(snapshot(ledger, {**service, "spec": {"ports": [{"port": 5432}]}}), salt=b"0123456789abcdef")
    assert isinstance(hidden.endpoint_slices, Seen)
    assert isinstance(hidden.services, Seen)
    (one,) = hidden.endpoint_slices.value
    assert one.service in {(s.namespace, s.name) for s in hidden.services.value}
    assert one.service != ("shop", "ledger")


def test_only_policies_that_name_services_ask_for_slices() -> None:
    policies = [foreign_policy(one, one["apiVersion"], one["kind"]) for one in (CALICO, CILIUM)]
    assert all(names_services([policy]) for policy in policies)
    quiet = {**CALICO, "spec": {"selector": "all()", "egress": [{"action": "Allow", "destination": {"services": {}}}]}}
    assert not names_services([foreign_policy(quiet, quiet["apiVersion"], quiet["kind"])])
    assert not names_services([])
