"""What Cilium's reader makes of what its own code was not asked about: settings, other objects, what is not understood."""

from __future__ import annotations

import dataclasses
import random
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from eksnetpol.engines.cilium.identities import counts
from eksnetpol.engines.cilium.read import read
from eksnetpol.engines.cilium.settings import Enforcement, Settings, settings_of
from eksnetpol.engines.dialects import stack_of
from eksnetpol.model.foreign import foreign_policy
from eksnetpol.model.kubernetes import ConfigMap, EndpointSlice, Namespace, Pod, Service, Workload
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind, Unread, Why
from eksnetpol.policy.answers import Addresses, Party
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.stacks.ends import End, end_at, end_of_pod
from eksnetpol.policy.stacks.engine import StackEngine
from eksnetpol.policy.stacks.formulas import EndKind
from eksnetpol.policy.stacks.resolving import tiers_of
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World
from tests.engines.test_cilium_verdicts import CASES, party
from tests.policy.stacks.plain import Sides, allowed

Json = dict[str, Any]
WEB = {"matchLabels": {"app": "web"}}
LOCAL = Settings(api_servers=frozenset({"10.0.250.10"}))
API = "10.0.250.10"


def pod(name: str, address: str, namespace: str = "a", node: str = "10.0.200.11", **labels: str) -> Pod:
    found = msgspec.json.encode(
        {
            "metadata": {"name": name, "namespace": namespace, "labels": {"app": name, **labels}},
            "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 80}]}]},
            "status": {"podIP": address, "hostIP": node, "phase": "Running"},
        }
    )
    return msgspec.json.decode(found, type=Pod)


PODS = (
    pod("web", "10.0.1.11", **{"pod-template-hash": "abc"}),
    pod("db", "10.0.1.12", node="10.0.200.12", **{"batch.kubernetes.io/job-name": "x"}),
    pod("far", "10.0.2.11", "b"),
)
SERVICES = msgspec.convert(
    [
        {"metadata": {"name": "db", "namespace": "a", "labels": {"tier": "back"}}, "spec": {"selector": {"app": "db"}}},
        {"metadata": {"name": "outside", "namespace": "a"}, "spec": {}},
    ],
    tuple[Service, ...],
)
WORLD = World(
    pods=PODS,
    services=SERVICES,
    namespaces=msgspec.convert(
        [{"metadata": {"name": "a", "labels": {"env": "prod"}}}, {"metadata": {"name": "b"}}], tuple[Namespace, ...]
    ),
    source=SourceKind.MANIFESTS,
    family="ipv4",
)


def cnp(spec: Json, name: str = "p") -> Json:
    whole = deepcopy({"endpointSelector": WEB, **spec})
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": name, "namespace": "a"},
        "spec": {key: value for key, value in whole.items() if value is not None},
    }


def ccnp(spec: Json) -> Json:
    return {**cnp(spec), "kind": "CiliumClusterwideNetworkPolicy", "metadata": {"name": "cw"}}


def networkpolicy(spec: Json) -> NetworkPolicy:
    return msgspec.convert({"metadata": {"name": "np", "namespace": "a"}, "spec": spec}, NetworkPolicy)


def read_all(
    *objects: Json, settings: Settings = LOCAL, world: World = WORLD, kubernetes: tuple[NetworkPolicy, ...] = ()
) -> Stack:
    return read([deepcopy(o) for o in objects], kubernetes, world, settings=settings)


def end(name: str) -> End:
    """Return a pod by its name, or an address."""
    found = next((p for p in PODS if p.metadata.name == name), None)
    return end_at(WORLD, name) if found is None else end_of_pod(WORLD, found)


def ask(stack: Stack, source: str, destination: str, protocol: str = "TCP", port: int = 80) -> Sides:
    return allowed(stack, WORLD, end(source), end(destination), protocol, port)


def pods_at(engine: StackEngine, name: str) -> Party:
    found = party(engine, end(name))
    assert found is not None
    return found


def into(stack: Stack, source: str, port: int = 80) -> bool | None:
    return ask(stack, source, "web", port=port).ingress


def out_to(stack: Stack, destination: str, port: int = 80) -> bool | None:
    return ask(stack, "web", destination, port=port).egress


# --- what is not understood -------------------------------------------------------------------------------------------

KEYS_TO_ADD: list[tuple[str, ...]] = [
    ("fromPods",),
    ("spec", "order"),
    ("spec", "endpointSelector", "matchFields"),
    ("spec", "ingress", "0", "fromPods"),
    ("spec", "ingress", "0", "fromEndpoints", "0", "namespaces"),
    ("spec", "ingress", "0", "toPorts", "0", "weight"),
    ("spec", "ingress", "0", "toPorts", "0", "ports", "0", "startPort"),
    ("spec", "ingress", "0", "toPorts", "0", "rules", "grpc"),
    ("spec", "ingress", "0", "toPorts", "0", "rules", "http", "0", "query"),
    ("spec", "ingress", "0", "authentication", "level"),
    ("spec", "enableDefaultDeny", "both"),
]


@pytest.mark.parametrize("path", KEYS_TO_ADD, ids=".".join)
def test_an_unknown_key_at_any_depth_makes_the_whole_policy_unclear(path: tuple[str, ...]) -> None:
    rule = {
        "fromEndpoints": [{"matchLabels": {"app": "db"}}],
        "toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}], "rules": {"http": [{"method": "GET"}]}}],
        "authentication": {"mode": "required"},
    }
    policy = cnp({"ingress": [rule], "enableDefaultDeny": {"ingress": True}})
    assert not read_all(policy).unread
    *there, key = path
    where: Any = policy
    for step in there:
        where = where[int(step) if step.isdigit() else step]
    where[key] = "x"
    stack = read_all(policy)
    [unread] = stack.unread
    assert unread.ref.name == "p"
    assert f"'{key}'" in unread.why
    assert unread.place == "".join(f"[{s}]" if s.isdigit() else f".{s}" for s in there).lstrip(".")
    assert into(stack, "db") is None
    assert not any(p.ref.name == "p" for tier in stack.tiers for p in tier.policies)


UNCLEAR: dict[str, Json] = {
    "world-ipv4": {"ingress": [{"fromEntities": ["world-ipv4"]}]},
    "labels of blocks": {"ingress": [{"fromEndpoints": [{"matchLabels": {"cidr:10.0.0.0/8": ""}}]}]},
    "one key twice": {"ingress": [{"fromEndpoints": [{"matchLabels": {"app": "db", "any:app": "web"}}]}]},
    "GRE with a port": {"ingress": [{"toPorts": [{"ports": [{"port": "0", "protocol": "GRE"}]}]}]},
    "octal": {"ingress": [{"toPorts": [{"ports": [{"port": "010", "protocol": "TCP"}]}]}]},
    "listener on ingress": {
        "ingress": [{"toPorts": [{"ports": [{"port": "80"}], "listener": {"name": "l", "envoyConfig": {"name": "e"}}}]}]
    },
    "authentication of a denial": {"ingressDeny": [{"fromEndpoints": [{}], "authentication": {"mode": "required"}}]},
    "no name": {"egress": [{"toFQDNs": [{}]}]},
    "empty toServices": {"egress": [{"toServices": [], "toPorts": [{"ports": [{"port": "80"}]}]}]},
    "empty toFQDNs": {"egress": [{"toFQDNs": [], "toPorts": [{"ports": [{"port": "80"}]}]}]},
}


@pytest.mark.parametrize("spec", UNCLEAR.values(), ids=UNCLEAR)
def test_what_nobody_has_seen_is_unclear_and_never_guessed(spec: Json) -> None:
    stack = read_all(cnp(spec))
    assert [r.ref.name for r in stack.unread] == ["p"]
    assert not stack.refused
    assert ask(stack, "db", "web").allowed is None


REFUSED: dict[str, tuple[Json, str]] = {
    "empty server name": ({"egress": [{"toPorts": [{"ports": [{"port": "443"}], "serverNames": [""]}]}]}, "parser"),
    "names beside rules": (
        {
            "egress": [
                {"toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}], "serverNames": ["x"], "rules": {"http": [{}]}}]}
            ]
        },
        "parser",
    ),
    "listener beside rules": (
        {
            "egress": [
                {
                    "toPorts": [
                        {
                            "ports": [{"port": "80", "protocol": "TCP"}],
                            "rules": {"http": [{}]},
                            "listener": {"name": "l", "envoyConfig": {"name": "e"}},
                        }
                    ]
                }
            ]
        },
        "parser",
    ),
    "two kinds of rules": (
        {"egress": [{"toPorts": [{"ports": [{"port": "80"}], "rules": {"http": [{}], "dns": [{"matchName": "x"}]}}]}]},
        "schema",
    ),
    "DNS for a range": (
        {"egress": [{"toPorts": [{"ports": [{"port": "53", "endPort": 60}], "rules": {"dns": [{"matchName": "x"}]}}]}]},
        "parser",
    ),
    "l7 without its protocol": ({"egress": [{"toPorts": [{"ports": [{"port": "80"}], "rules": {"l7": [{}]}}]}]}, "parser"),
    "family of ICMP": ({"ingress": [{"icmps": [{"fields": [{"type": 8, "family": "IPv5"}]}]}]}, "schema"),
    "type of ICMP": ({"ingress": [{"icmps": [{"fields": [{"type": 256}]}]}]}, "schema"),
    "name of a type of ICMP": ({"ingress": [{"icmps": [{"fields": [{"type": "Ping"}]}]}]}, "schema"),
    "many types of ICMP": ({"ingress": [{"icmps": [{"fields": [{"type": 8}] * 41}]}]}, "parser"),
    "port beyond the last": ({"ingress": [{"toPorts": [{"ports": [{"port": "65536"}]}]}]}, "parser"),
    "endPort beyond the last": ({"ingress": [{"toPorts": [{"ports": [{"port": "1", "endPort": 65536}]}]}]}, "schema"),
    "a mode of authentication": ({"ingress": [{"fromEndpoints": [{}], "authentication": {"mode": "maybe"}}]}, "schema"),
    "name of a port": (
        {"ingressDeny": [{"fromEndpoints": [{}], "toPorts": [{"ports": [{"port": "x" * 16}]}]}]},
        "parser",
    ),
    "a key": ({"ingress": [{"fromEndpoints": [{"matchLabels": {"not a key": ""}}]}]}, "parser"),
    "no CIDR": ({"ingress": [{"fromCIDR": ["10.0.0.0/33"]}]}, "parser"),
    "an exception of another family": (
        {"ingress": [{"fromCIDRSet": [{"cidr": "10.0.0.0/8", "except": ["2001:db8::/32"]}]}]},
        "parser",
    ),
    "neither block nor group": ({"ingress": [{"fromCIDRSet": [{"except": ["10.0.0.0/8"]}]}]}, "parser"),
}


@pytest.mark.parametrize(("spec", "by"), REFUSED.values(), ids=REFUSED)
def test_what_cilium_refuses_is_not_in_force(spec: Json, by: str) -> None:
    stack = read_all(cnp(spec))
    [refused] = stack.refused
    assert by in refused.why
    assert refused.place.startswith("spec.")
    assert not stack.unread
    assert ask(stack, "db", "web").allowed is True


def test_what_the_schema_refuses_and_the_cluster_has_is_unclear() -> None:
    policy = cnp({"ingress": [{"fromCIDR": ["8.8.8.8"]}]})
    live = read_all(policy, world=World(pods=PODS, source=SourceKind.LIVE))
    assert [r.ref.name for r in live.unread] == ["p"]
    assert "yet it is in the cluster" in live.unread[0].why
    assert [r.ref.name for r in read_all(policy).refused] == ["p"]


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("cilium.io/v3", "CiliumNetworkPolicy"),
        ("isovalent.com/v1", "IsovalentNetworkPolicy"),
        ("cilium.io/v3", "CiliumCIDRGroup"),
    ],
)
def test_kinds_and_versions_that_nobody_knows_are_unclear(version: str, kind: str) -> None:
    stack = read_all({"apiVersion": version, "kind": kind, "metadata": {"name": "p", "namespace": "a"}, "spec": {}})
    assert [r.ref.kind for r in stack.unread] == [kind]
    assert into(stack, "db") is None


def test_a_group_that_is_unclear_makes_every_answer_so() -> None:
    group = {"apiVersion": "cilium.io/v2", "kind": "CiliumCIDRGroup", "metadata": {"name": "g"}, "spec": {"externalCIDRs": ["x"]}}
    stack = read_all(group, cnp({"ingress": [{"fromCIDRSet": [{"cidrGroupRef": "g"}]}]}))
    assert into(stack, "8.8.8.8") is None


def test_objects_that_are_no_policies_are_told() -> None:
    stack = read_all({"apiVersion": "cilium.io/v2", "kind": "CiliumEgressGatewayPolicy", "metadata": {"name": "gw"}, "spec": {}})
    assert stack.notes == ("ciliumegressgatewaypolicy/gw sends connections through gateways, which goes when Cilium goes",)
    assert not stack.unread
    assert not read_all({"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": {"name": "n"}}).notes


def test_a_policy_for_nodes_is_told_and_has_no_pod_as_its_subject() -> None:
    stack = read_all(ccnp({"endpointSelector": None, "nodeSelector": {}, "ingress": [{}], "egress": [{}]}))
    assert "ciliumclusterwidenetworkpolicy/cw is a policy for nodes" in stack.notes[0]
    assert ask(stack, "db", "web").allowed is True


def test_no_mangled_policy_brings_the_reader_down() -> None:
    chance = random.Random(7)  # noqa: S311 - cases, not secrets
    kept = [p for case in CASES for p in case["policies"] if p["kind"] != "NetworkPolicy"]
    odd: list[Any] = [None, [], {}, "", "x", 0, -1, True, [None], [{}], {"a": None}, "0", "10.0.0.0/8"]
    met = {"refused": 0, "unread": 0, "in force": 0}
    for _ in range(2_000):
        policy = deepcopy(chance.choice(kept))
        for _ in range(chance.choice((1, 1, 2))):
            _mangle(policy, chance, odd)
        stack = read_all(policy)
        met["refused"] += len(stack.refused)
        met["unread"] += len(stack.unread)
        met["in force"] += bool(stack.tiers[-1].policies)
    assert min(met.values()) > 100


def _mangle(policy: Json, chance: random.Random, odd: list[Any]) -> None:
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in items:
            if value is not policy or key not in {"apiVersion", "kind"}:
                places.append((value, key))
            walk(inner)

    walk(policy)
    value, key = chance.choice(places)
    if isinstance(value, dict) and chance.random() < 0.3:
        value[chance.choice(("extra", "fromEndpoints", "toPorts", "ingressDeny"))] = deepcopy(chance.choice(odd))
    else:
        value[key] = deepcopy(chance.choice(odd))


# --- labels that count ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "kubernetes.io/zone",
        "k8s.io/x",
        "io.kubernetes.x",
        "beta.kubernetes.io/arch",
        "x.beta.kubernetes.io/y",
        "topology.kubernetes.io/zone",
        "pod-template-hash",
        "pod-template-generation",
        "controller-revision-hash",
        "controller-uid",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/job-completion-index",
        "batch.kubernetes.io/controller-uid",
        "etcd_node",
        "annotation.x",
    ],
)
def test_labels_outside_the_identity_select_nobody(key: str) -> None:
    assert not counts(key)
    isolating = networkpolicy({"podSelector": {"matchLabels": {key: "abc"}}, "policyTypes": ["Ingress"]})
    world = World(pods=(pod("web", "10.0.1.11", **{key: "abc"}),), namespaces=WORLD.namespaces)
    stack = read((), (isolating,), world, settings=LOCAL)
    assert allowed(stack, world, end("db"), end_of_pod(world, world.pods[0]), "TCP", 80).ingress is True


@pytest.mark.parametrize("key", ["app", "app.kubernetes.io/name", "batch.kubernetes.io/job-name", "karpenter.sh/x", "xk8s.io/y"])
def test_other_labels_do_select(key: str) -> None:
    assert counts(key)


def test_a_filter_of_its_own_for_labels_makes_every_answer_uncertain() -> None:
    stack = read_all(settings=settings_of({"labels": "k8s:app"}))
    assert [str(r.ref) for r in stack.unread] == ["configmap/kube-system/cilium-config"]
    engine = StackEngine(WORLD, stack, Profile(Semantics.CILIUM))
    decision = engine.decide(Addresses("8.8.8.8/32", "8.8.8.8"), pods_at(engine, "web"), "TCP", 80)
    assert not decision.allowed
    assert "no answer is certain" in "\n".join(decision.notes)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings_are_read_from_cilium_config() -> None:
    assert settings_of({}, "1.19.0") == Settings()
    assert settings_of({}, "v1.18.4").local_cluster_only is False
    assert settings_of({}).local_cluster_only is None
    assert settings_of({"policy-default-local-cluster": "false"}, "1.20").local_cluster_only is False
    found = settings_of(
        {
            "enable-policy": "Always",
            "policy-audit-mode": "true",
            "policy-cidr-match-mode": "nodes",
            "enable-k8s-networkpolicy": "false",
            "cluster-name": "west",
            "allow-localhost": "policy",
            "enable-node-selector-labels": "true",
            "enable-l7-proxy": "false",
            "enable-icmp-rules": "false",
        },
        "1.19",
    )
    assert found == Settings(
        enforcement=Enforcement.ALWAYS,
        is_audit_only=True,
        cidrs_match_nodes=True,
        kubernetes_policies=False,
        cluster="west",
        localhost_always=False,
        node_selectors=True,
        l7_proxy=False,
        icmp_rules=False,
    )
    assert settings_of({"enable-policy": "sometimes"}).enforcement is Enforcement.DEFAULT


@pytest.mark.parametrize("config", [{"enable-policy": "never"}, {"policy-audit-mode": "true"}])
def test_where_nothing_is_enforced_nothing_is_in_force(config: dict[str, str]) -> None:
    stack = read_all(cnp({"ingress": [{}]}), cnp({"x": 1}, "q"), settings=settings_of(config))
    assert (stack.tiers, stack.unread) == ((), ())
    assert next(iter(config)) in stack.notes[0]
    assert into(stack, "db") is True


def test_enforced_always_isolates_whom_nothing_selects() -> None:
    stack = read_all(cnp({"ingress": [{"fromEndpoints": [{}]}]}), settings=settings_of({"enable-policy": "always"}))
    assert ask(stack, "db", "web") == Sides(egress=False, ingress=True)
    assert ask(stack, "8.8.8.8", "db").ingress is False
    assert ask(stack, "10.0.200.12", "db").ingress is True


def test_networkpolicies_that_are_switched_off_come_into_force_without_cilium() -> None:
    off = networkpolicy({"podSelector": {}, "policyTypes": ["Ingress"]})
    stack = read_all(kubernetes=(off,), settings=settings_of({"enable-k8s-networkpolicy": "false"}))
    assert into(stack, "db") is True
    assert "1 of them come into force when Cilium goes" in stack.notes[0]
    assert into(read_all(kubernetes=(off,)), "db") is False


def test_kinds_that_are_switched_off_are_not_in_force() -> None:
    objects = (cnp({"ingress": [{}]}), ccnp({"egress": [{}]}))
    own = read_all(*objects, settings=settings_of({"enable-cilium-network-policy": "false"}))
    assert (into(own, "db"), out_to(own, "db")) == (True, False)
    assert "switches its kind off" in own.notes[0]
    wide = read_all(*objects, settings=settings_of({"enable-cilium-clusterwide-network-policy": "false"}))
    assert (into(wide, "db"), out_to(wide, "db")) == (False, True)


def test_settings_come_from_the_world_where_they_were_read() -> None:
    policies = (cnp({"ingress": [{}]}), cnp({"egress": [{"toEntities": ["kube-apiserver"]}]}, "q"))
    plain = World(pods=PODS, namespaces=WORLD.namespaces)
    assert out_to(read(policies, (), plain), API) is None
    known = World(pods=PODS, namespaces=WORLD.namespaces, api_servers=frozenset({API}))
    assert out_to(read(policies, (), known), API) is True
    never = World(pods=PODS, configmaps={"cilium-config": {"enable-policy": "never"}})
    assert read(policies, (), never).tiers == ()
    assert read(policies, (), plain, settings={"policy-audit-mode": "true"}).tiers == ()


def test_a_world_has_the_settings_and_the_api_servers_of_its_snapshot() -> None:
    of_kube_system = {"metadata": {"name": "cilium-config", "namespace": "kube-system"}, "data": {"enable-policy": "never"}}
    elsewhere = {"metadata": {"name": "cilium-config", "namespace": "a"}, "data": {"enable-policy": "always"}}
    maps = tuple(msgspec.json.decode(msgspec.json.encode(m), type=ConfigMap) for m in (of_kube_system, elsewhere))
    slices = ({"metadata": {"name": "kubernetes", "namespace": "default"}, "endpoints": [{"addresses": [API]}]},)
    endpoints = tuple(msgspec.json.decode(msgspec.json.encode(s), type=EndpointSlice) for s in slices)
    snapshot = ClusterSnapshot(source=SourceKind.LIVE, configmaps=Seen(maps), api_server_endpoints=Seen(endpoints))
    world = World.of(snapshot)
    assert (world.configmaps, world.api_servers) == ({"cilium-config": {"enable-policy": "never"}}, frozenset({API}))
    empty = World.of(ClusterSnapshot(source=SourceKind.LIVE))
    assert (empty.configmaps, empty.api_servers) == (None, None)


def agent(image: str) -> Workload:
    template = {"spec": {"containers": [{"name": "cilium-agent", "image": image}]}}
    written = {"metadata": {"name": "cilium", "namespace": "kube-system"}, "spec": {"template": template}}
    return msgspec.json.decode(msgspec.json.encode(written), type=Workload)


@pytest.mark.parametrize(
    ("configmaps", "why"),
    [
        (Unread("not allowed to get configmaps", Why.DENIED), "not allowed to get configmaps"),
        (Seen(()), "its ConfigMap cilium-config is neither there nor in kube-system"),
    ],
    ids=["refused", "elsewhere"],
)
def test_settings_that_could_not_be_read_leave_every_answer_open(
    configmaps: Seen[tuple[ConfigMap, ...]] | Unread, why: str
) -> None:
    """With enable-policy never all is open, with always all is closed: without the settings nobody knows."""
    agents = (agent("quay.io/cilium/cilium:v1.18.2"),)
    snapshot = ClusterSnapshot(source=SourceKind.LIVE, configmaps=configmaps, daemonsets=Seen(agents), pods=Seen(PODS))
    stack = read((cnp({"ingress": [{}]}),), (), World.of(snapshot))
    ((ref, said),) = ((str(one.ref), one.why) for one in stack.unread)
    assert ref == "configmap/kube-system/cilium-config"
    assert why in said
    whole = dataclasses.replace(stack, tiers=tiers_of(stack), unread=())
    assert (into(whole, "db"), out_to(whole, "db")) == (None, None)
    files = World.of(replace(snapshot, source=SourceKind.MANIFESTS, configmaps=Unread("not in files", Why.NOT_IN_FILES)))
    assert not read((cnp({"ingress": [{}]}),), (), files).unread


def test_settings_are_found_beside_the_agent() -> None:
    def config(namespace: str, **data: str) -> ConfigMap:
        meta = {"name": "cilium-config", "namespace": namespace}
        return msgspec.convert({"metadata": meta, "data": {key.replace("_", "-"): v for key, v in data.items()}}, ConfigMap)

    there = agent("quay.io/cilium/cilium:v1.19.2")
    there = replace(there, metadata=replace(there.metadata, namespace="cilium"))
    maps = (config("cilium", enable_policy="never"), config("copy", enable_policy="always"))
    snapshot = ClusterSnapshot(source=SourceKind.LIVE, configmaps=Seen(maps), daemonsets=Seen((there,)), pods=Seen(PODS))
    assert World.of(snapshot).configmaps == {"cilium-config": {"enable-policy": "never"}}
    # One that lies somewhere else is nobody's.
    other = World.of(replace(snapshot, configmaps=Seen(maps[1:])))
    assert isinstance(other.configmaps, Unread)


@pytest.mark.parametrize(("image", "answer"), [("v1.18.2", True), ("v1.19.0", False), ("latest", None)])
def test_what_depends_on_the_release_goes_by_the_agents_image(image: str, answer: bool | None) -> None:
    """Since 1.19 peers are of the own cluster, so that NotIn on the namespace no longer means the world."""
    maps = (msgspec.convert({"metadata": {"name": "cilium-config", "namespace": "kube-system"}}, ConfigMap),)
    agents = (agent(f"quay.io/cilium/cilium:{image}"),)
    seen = ClusterSnapshot(source=SourceKind.LIVE, configmaps=Seen(maps), daemonsets=Seen(agents), pods=Seen(PODS))
    world = World.of(seen)
    assert world.agents == {"cilium": image}
    peer = {"matchExpressions": [{"key": "k8s:io.kubernetes.pod.namespace", "operator": "NotIn", "values": ["b"]}]}
    assert into(read((cnp({"ingress": [{"fromEndpoints": [peer]}]}),), (), world), "203.0.113.9") is answer


def test_where_a_pods_own_node_has_to_be_let_in_that_is_said_once() -> None:
    only_policy = settings_of({"allow-localhost": "policy"})
    policy = cnp({"ingress": [{"fromEndpoints": [WEB]}]})
    [closed] = read_all(policy, settings=only_policy).closed
    assert (str(closed.ref), closed.place) == ("configmap/kube-system/cilium-config", "data.allow-localhost")
    # Nothing is closed where no policy isolates in ingress, or none is in force.
    assert not read_all(cnp({"egress": [{}]}), settings=only_policy).closed
    assert not read_all(policy, settings=dataclasses.replace(only_policy, is_audit_only=True)).closed
    assert not read_all(policy).closed


def test_blocks_match_nodes_only_where_they_are_set_to() -> None:
    policy = cnp({"ingress": [{"fromCIDR": ["10.0.200.0/24"]}]})
    block = networkpolicy(
        {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.200.0/24"}}]}]}
    )
    for objects, kubernetes in (((policy,), ()), ((), (block,))):
        assert into(read_all(*objects, kubernetes=kubernetes), "10.0.200.12") is False
        nodes = read_all(*objects, kubernetes=kubernetes, settings=Settings(cidrs_match_nodes=True))
        assert into(nodes, "10.0.200.12") is True
        assert into(nodes, "db") is False


def test_the_own_node_may_unless_it_is_denied_or_set_so() -> None:
    policy = cnp({"ingress": [{}]})
    assert read_all(policy).host_may
    assert into(read_all(policy), "10.0.200.11") is True
    assert into(read_all(policy), "10.0.200.12") is False
    assert into(read_all(policy, settings=settings_of({"allow-localhost": "policy"})), "10.0.200.11") is False
    denied = read_all(policy, cnp({"ingressDeny": [{"fromEntities": ["host"], "toPorts": [{"ports": [{"port": "80"}]}]}]}, "q"))
    assert not denied.host_may
    assert into(denied, "10.0.200.11") is False
    assert into(denied, "10.0.200.11", 81) is True


NOT_IN = {"matchExpressions": [{"key": "k8s:io.kubernetes.pod.namespace", "operator": "NotIn", "values": ["b"]}]}
ABSENT = {"matchExpressions": [{"key": "k8s:io.kubernetes.pod.namespace", "operator": "DoesNotExist"}]}


def test_negations_mean_more_than_pods_where_peers_are_of_any_cluster() -> None:
    any_cluster, unknown = Settings(local_cluster_only=False), Settings(local_cluster_only=None)
    for settings, outside in ((LOCAL, False), (any_cluster, True), (unknown, None)):
        stack = read_all(cnp({"ingress": [{"fromEndpoints": [NOT_IN]}]}), settings=settings)
        assert (into(stack, "db"), into(stack, "far")) == (True, False)
        assert into(stack, "8.8.8.8") is outside
        assert into(stack, "10.0.200.12") is outside
        stack = read_all(cnp({"ingress": [{"fromEndpoints": [ABSENT]}]}), settings=settings)
        assert (into(stack, "db"), into(stack, "8.8.8.8")) == (False, outside)
        selector = {"namespaceSelector": {"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["test"]}]}}
        policy = networkpolicy({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [selector]}]})
        stack = read_all(kubernetes=(policy,), settings=settings)
        assert (into(stack, "far"), into(stack, "8.8.8.8")) == (True, outside)


def test_the_name_of_the_cluster_is_the_one_that_is_set() -> None:
    peer = {"matchLabels": {"k8s:io.cilium.k8s.policy.cluster": "west"}}
    policy = cnp({"ingress": [{"fromEndpoints": [peer]}]})
    assert into(read_all(policy, settings=Settings(cluster="west")), "db") is True
    assert into(read_all(policy), "db") is False


OTHER = {"k8s:io.cilium.k8s.policy.cluster": "west", "app": "db"}
MESH = settings_of({"cluster-name": "east", "cluster-id": "3"}, "1.19.1")


def test_who_is_of_another_cluster_is_known_where_there_is_none() -> None:
    policy = cnp({"ingress": [{"fromEndpoints": [{"matchLabels": OTHER}, {"matchLabels": {"app": "db"}}]}]})
    alone, meshed = read_all(policy), read_all(policy, settings=MESH)
    for stack in (alone, meshed):
        assert (into(stack, "db"), into(stack, "far")) == (True, False)
    assert (into(alone, "8.8.8.8"), into(meshed, "8.8.8.8")) == (False, None)
    elsewhere = allowed(alone, WORLD, End(EndKind.ELSEWHERE), end("web"), "TCP", 80)
    assert elsewhere.ingress is True
    assert [("mesh" in note) for note in (*alone.notes, *meshed.notes)] == [True]


@pytest.mark.parametrize(
    ("expression", "means"),
    [
        ({"operator": "In", "values": ["west", "east"]}, None),
        ({"operator": "In", "values": ["east"]}, False),
        ({"operator": "NotIn", "values": ["west"]}, None),
        ({"operator": "Exists"}, None),
        ({"operator": "DoesNotExist"}, False),
    ],
)
def test_selectors_can_mean_pods_of_other_clusters(expression: Json, means: bool | None) -> None:
    peer = {"matchExpressions": [{"key": "io.cilium.k8s.policy.cluster", **expression}]}
    policy = cnp({"ingress": [{"fromEndpoints": [peer]}]})
    assert into(read_all(policy, settings=MESH), "8.8.8.8") is means
    named = "west" in expression.get("values", ()) and expression["operator"] == "In"
    alone = read_all(policy, settings=Settings(cluster="east"))
    assert allowed(alone, WORLD, End(EndKind.ELSEWHERE), end("web"), "TCP", 80).ingress is named


def test_peers_are_of_any_cluster_of_a_mesh_where_that_is_set() -> None:
    wide = settings_of({"cluster-id": "3", "policy-default-local-cluster": "false"}, "1.19.1")
    old = settings_of({"cluster-id": "3"}, "v1.17.2")
    alone = settings_of({"cluster-id": "0"}, "v1.17.2")
    policy = cnp({"ingress": [{"fromEndpoints": [{"matchLabels": {"app": "db"}}]}]})
    selector = {"podSelector": {"matchLabels": {"app": "db"}}}
    standard = networkpolicy({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [selector]}]})
    for settings, means in ((wide, None), (old, None), (alone, False), (MESH, False)):
        stacks = read_all(policy, settings=settings), read_all(kubernetes=(standard,), settings=settings)
        assert [into(stack, "8.8.8.8") for stack in stacks] == [means, means]
        assert [into(stack, "db") for stack in stacks] == [True, True]


def test_the_api_server_is_unknowable_until_its_addresses_are_known() -> None:
    policy = cnp({"egress": [{"toEntities": ["kube-apiserver"]}]})
    assert (out_to(read_all(policy), API), out_to(read_all(policy), "8.8.8.8")) == (True, False)
    unknown = read_all(policy, settings=Settings())
    assert out_to(unknown, API) is None
    assert out_to(unknown, "db") is False


@pytest.mark.parametrize(
    ("setting", "spec"),
    [
        (
            Settings(l7_proxy=False),
            {"ingress": [{"toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}], "rules": {"http": [{}]}}]}]},
        ),
        (Settings(icmp_rules=False), {"ingress": [{"icmps": [{"fields": [{"type": 8}]}]}]}),
    ],
)
def test_what_is_switched_off_refuses_the_policy(setting: Settings, spec: Json) -> None:
    assert [r.ref.name for r in read_all(cnp(spec), settings=setting).refused] == ["p"]
    assert not read_all(cnp(spec)).refused


def test_protocols_without_ports_are_unclear_where_they_are_switched_on() -> None:
    policy = cnp({"ingress": [{"toPorts": [{"ports": [{"protocol": "GRE"}]}]}]})
    assert [r.ref.name for r in read_all(policy).refused] == ["p"]
    assert [r.ref.name for r in read_all(policy, settings=settings_of({"enable-extended-ip-protocols": "true"})).unread] == ["p"]


# --- what no cluster tells, and what the API does ---------------------------------------------------------------------


def test_names_and_security_groups_cannot_be_known() -> None:
    names = read_all(cnp({"egress": [{"toFQDNs": [{"matchPattern": "*.example.com"}]}]}))
    groups = read_all(cnp({"egress": [{"toGroups": [{"aws": {"securityGroupsIds": ["sg-1"]}}]}]}))
    nodes = read_all(cnp({"egress": [{"toNodes": [{"matchLabels": {"x": "y"}}]}]}), settings=Settings(node_selectors=True))
    for stack in (names, groups):
        assert out_to(stack, "8.8.8.8") is None
        assert out_to(stack, "db") is False
    assert out_to(nodes, "10.0.200.12") is None
    assert (out_to(nodes, "8.8.8.8"), out_to(nodes, "10.0.200.11")) == (False, False)


@pytest.mark.parametrize(
    "service",
    [
        {"k8sService": {"serviceName": "db", "namespace": "a"}},
        {"k8sService": {"serviceName": "db"}},
        {"k8sServiceSelector": {"selector": {"matchLabels": {"tier": "back"}}}},
    ],
)
def test_services_mean_the_pods_behind_them(service: Json) -> None:
    stack = read_all(cnp({"egress": [{"toServices": [service]}]}))
    assert (out_to(stack, "db"), out_to(stack, "far"), out_to(stack, "8.8.8.8")) == (True, False, False)


def test_services_mean_pods_since_a_release() -> None:
    rule = {"toServices": [{"k8sService": {"serviceName": "db", "namespace": "a"}}]}
    policy = cnp({"egress": [rule]})
    for version, means in (("1.16.9", False), ("", None), ("v1.17.0", True)):
        assert out_to(read_all(policy, settings=settings_of({}, version)), "db") is means
    with_ports = cnp({"egress": [{**rule, "toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}]}]}]})
    assert [r.ref.name for r in read_all(with_ports, settings=settings_of({}, "1.16.9")).unread] == ["p"]
    now = read_all(with_ports, settings=settings_of({}, "1.17.0"))
    assert [ask(now, "web", "db", port=port).egress for port in (80, 81)] == [True, False]


def test_a_service_opens_every_port_of_its_pods() -> None:
    stack = read_all(cnp({"egress": [{"toServices": [{"k8sService": {"serviceName": "db", "namespace": "a"}}]}]}))
    assert [ask(stack, "web", "db", protocol, port).egress for protocol, port in (("TCP", 80), ("UDP", 53))] == [True, True]


@pytest.mark.parametrize(("version", "is_read"), [("1.16.4", False), ("", False), ("1.17.0", True)])
def test_ranges_of_ports_are_not_what_they_say_before_a_release(version: str, is_read: bool) -> None:
    ports = {"port": 8000, "endPort": 8010, "protocol": "TCP"}
    standard = networkpolicy({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [ports]}]})
    own = cnp({"ingress": [{"toPorts": [{"ports": [{**ports, "port": "8000"}]}]}]})
    found = read_all(own, kubernetes=(standard,), settings=settings_of({}, version))
    assert [r.ref.name for r in found.unread] == ([] if is_read else ["p", "np"])
    assert all("endPort" in r.place for r in found.unread)
    if is_read:
        assert ask(found, "db", "web", port=8010).ingress is True
    single = networkpolicy({"podSelector": {}, "ingress": [{"ports": [{**ports, "endPort": 8000}]}]})
    assert not read_all(kubernetes=(single,), settings=settings_of({}, version)).unread


def test_a_service_without_a_selector_has_endpoints_that_are_not_known_here() -> None:
    stack = read_all(cnp({"egress": [{"toServices": [{"k8sService": {"serviceName": "outside", "namespace": "a"}}]}]}))
    assert (out_to(stack, "8.8.8.8"), out_to(stack, "db")) == (None, False)


def test_types_of_icmp_have_names() -> None:
    stack = read_all(cnp({"ingress": [{"icmps": [{"fields": [{"type": "EchoRequest"}, {"type": "13"}]}]}]}))
    assert [ask(stack, "db", "web", "ICMP", kind * 256).ingress for kind in (8, 13, 3)] == [True, True, False]
    six = read_all(cnp({"ingress": [{"icmps": [{"fields": [{"type": "EchoRequest", "family": "IPv6"}]}]}]}))
    assert ask(six, "db", "web", "ICMPv6", 128 * 256).ingress is True
    assert ask(six, "db", "web", "ICMP", 8 * 256).ingress is False


def test_what_is_judged_further_stands_before_what_is_not() -> None:
    plain: Json = {"fromEndpoints": [{}]}
    stack = read_all(
        cnp({"ingress": [plain]}, "a"), cnp({"ingress": [plain, {**plain, "authentication": {"mode": "required"}}]}, "b")
    )
    policies = stack.tiers[-1].policies
    assert [p.ref.name for p in policies] == ["b", "a"]
    assert [r.place for r in policies[0].rules] == ["spec.ingress[1]", "spec.ingress[0]"]
    off = read_all(cnp({"ingress": [{**plain, "authentication": {"mode": "disabled"}}]}))
    assert not off.tiers[-1].policies[0].rules[0].judged_further


def test_a_subject_of_pods_without_labels_yet_takes_the_namespace_from_peers() -> None:
    subject = {"matchExpressions": [{"key": "reserved:init", "operator": "DoesNotExist"}]}
    policy = ccnp({"endpointSelector": subject, "ingress": [{"fromEndpoints": [{}]}]})
    assert into(read_all(policy, settings=Settings(local_cluster_only=False)), "8.8.8.8") is True
    assert into(read_all(policy), "8.8.8.8") is False


def test_cilium_has_ends_that_the_api_does_not_show() -> None:
    stack = read_all(cnp({"ingress": [{"fromEndpoints": [{"matchLabels": {"reserved:health": ""}}]}]}))
    health, gateway = (allowed(stack, WORLD, End(kind), end("web"), "TCP", 80) for kind in (EndKind.HEALTH, EndKind.GATEWAY))
    assert (health.ingress, gateway.ingress) == (True, False)


def test_a_policy_without_a_namespace_is_of_default() -> None:
    policy = cnp({"ingress": [{}]})
    del policy["metadata"]["namespace"]
    assert read_all(policy).tiers[-1].policies[0].ref.namespace == "default"


def test_the_dialect_is_read_from_a_world() -> None:
    found = foreign_policy(cnp({"ingress": [{"fromEndpoints": [{}]}]}), "cilium.io/v2", "CiliumNetworkPolicy")
    world = World(pods=PODS, namespaces=WORLD.namespaces, foreign_policies=(found,))
    stack = stack_of("cilium", world)
    assert stack.dialect == "cilium"
    assert (into(stack, "db"), into(stack, "far")) == (True, False)
