"""Policies made to come to as much as they can: translating them ends, and is stricter where it cannot be whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from eksnetpol.engines.antrea.read import read as read_antrea
from eksnetpol.engines.calico.read import read as read_calico
from eksnetpol.engines.cilium.read import read as read_cilium
from eksnetpol.engines.cilium.settings import Settings
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World
from eksnetpol.translation import Options, Translation, Verdict, effort, translate
from tests.migration.clusters import world
from tests.policy.oracle.strategies import decoded

Json = dict[str, Any]
OPTIONS = Options(profile=Profile(family="ipv4"), vpc=("10.0.0.0/8",))

LONG = 60
"""Seconds of the processor after which it counts as endless: ten times what the longest takes."""


def cluster(*policies: Json) -> World:
    pods = [
        {
            "namespace": f"ns{i % 2}",
            "name": f"p{i}",
            "ip": f"10.0.0.{i + 1}",
            "labels": {f"k{j}": f"v{(i * 7 + j * 3) % 4}" for j in range(4)},
            "node": "n0",
            "ports": [],
            "serviceAccount": "default",
        }
        for i in range(12)
    ]
    spaces = [{"name": f"ns{i}", "labels": {"kubernetes.io/metadata.name": f"ns{i}"}} for i in range(2)]
    made = world({"namespaces": spaces, "pods": pods}, {"n0": "172.16.0.1"})
    return replace(made, network_policies=decoded(list(policies), NetworkPolicy))


def calico(*rules: Json, name: str = "w", **spec: Any) -> Json:
    whole = {"types": ["Ingress"], "ingress": list(rules), **spec}
    return {"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": {"name": name}, "spec": whole}


def deny(selector: str, **more: Any) -> Json:
    return {"action": "Deny", "source": {"selector": selector}, **more}


def cilium(spec: Json) -> Json:
    meta = {"name": "w", "namespace": "ns0"}
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": meta, "spec": spec}


def tcp(*ports: int | str, **more: Any) -> Json:
    return {"protocol": "TCP", "destination": {"ports": list(ports), **more}}


def labels(n: int) -> list[Json]:
    """Denials by two labels each, before everything is let through."""
    return [calico(*(deny(f"a{i} == 'x' && b{i} != 'y'") for i in range(n)), {"action": "Allow"})]


def ports(n: int) -> list[Json]:
    """Denials of other ports by other labels."""
    return [calico(*(deny(f"a{i} == 'x' && c{i} == 'z'", **tcp(1000 + i)) for i in range(n)), {"action": "Allow"})]


def subjects(n: int) -> list[Json]:
    """Denials for other pods each, of other ports from other peers."""
    rules = (deny(f"a{i} == 'x'", **tcp(1000 + i, selector=f"l{i} == 'q' && m{i} == 'r'")) for i in range(n))
    return [calico(*rules, {"action": "Allow"})]


def policies(n: int) -> list[Json]:
    """Policies whose pods overlap, each with a denial and an allowance."""
    return [
        calico(
            deny(f"a{i} == 'x'", **tcp(i + 1)),
            {"action": "Allow", "source": {"selector": f"has(g{i})"}},
            name=f"p{i}",
            order=i,
            selector=f"k{i % 4} != 'v{i}' && (has(m{i}) || n{i} == 'y')",
        )
        for i in range(n)
    ]


def tiers(n: int) -> list[Json]:
    """Tiers that pass on a part of what they see."""
    tier = {"apiVersion": "projectcalico.org/v3", "kind": "Tier"}
    head = [tier | {"metadata": {"name": f"t{i}"}, "spec": {"order": i}} for i in range(n)]
    passed = {"action": "Pass"}
    passing: list[Json] = [passed | {"protocol": "TCP"}, passed | {"source": {"selector": "c == 'x' || d != 'y'"}}]
    rules = [
        calico(deny(f"a{i} == 'x' && b{i} != 'y'"), *passing, name=f"t{i}.p", tier=f"t{i}", selector=f"has(x{i})")
        for i in range(n)
    ]
    return [*head, *rules, calico({"action": "Allow"})]


def denied_labels(n: int) -> list[Json]:
    """Cilium's denials by labels."""
    peers = [{"matchLabels": {f"a{i}": "x"}, "matchExpressions": [{"key": f"b{i}", "operator": "Exists"}]} for i in range(n)]
    spec = {
        "endpointSelector": {},
        "ingress": [{"fromEntities": ["all"]}],
        "ingressDeny": [{"fromEndpoints": [peer]} for peer in peers],
    }
    return [cilium(spec)]


def denied_blocks(n: int) -> list[Json]:
    """Cilium's denials of other ports to other blocks with holes."""
    blocks = [{"cidr": f"192.{i}.0.0/16", "except": [f"192.{i}.{j}.0/24" for j in range(5)]} for i in range(n)]
    denied = [
        {"toCIDRSet": [block], "toPorts": [{"ports": [{"port": str(1000 + i), "protocol": "TCP"}]}]}
        for i, block in enumerate(blocks)
    ]
    spec = {"endpointSelector": {}, "egress": [{"toEntities": ["all"]}], "egressDeny": denied}
    return [cilium(spec)]


def drops(n: int) -> list[Json]:
    """Antrea's drops by labels and by block, of other ports, and something passed on."""
    rules = [
        {
            "action": "Drop",
            "from": [
                {"podSelector": {"matchLabels": {f"a{i}": "x"}, "matchExpressions": [{"key": f"b{i}", "operator": "Exists"}]}},
                {"ipBlock": {"cidr": f"10.0.{i}.0/24"}},
            ],
            "ports": [{"protocol": "TCP", "port": 1000 + i}],
        }
        for i in range(n)
    ]
    passed = {"action": "Pass", "from": [{"podSelector": {"matchLabels": {"z": "z"}}}]}
    spec = {
        "priority": 5,
        "tier": "application",
        "appliedTo": [{"podSelector": {"matchLabels": {"k0": "v0"}}}],
        "ingress": [*rules, passed],
    }
    return [{"apiVersion": "crd.antrea.io/v1beta1", "kind": "ClusterNetworkPolicy", "metadata": {"name": "w"}, "spec": spec}]


STANDARD: Json = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "kept", "namespace": "ns0"},
    "spec": {
        "podSelector": {},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"k1": "v1"}}}], "ports": [{"port": 80}]}, {}],
    },
}

Reader = Callable[[list[Json], World], Stack]


def antrea_of(found: list[Json], mine: World) -> Stack:
    return read_antrea(found, mine.network_policies, mine)


def calico_of(found: list[Json], mine: World) -> Stack:
    return read_calico(found, mine.network_policies, mine)


def cilium_of(found: list[Json], mine: World) -> Stack:
    return read_cilium(found, mine.network_policies, mine, settings=Settings(api_servers=frozenset()))


CASES: dict[str, tuple[Reader, Callable[[int], list[Json]]]] = {
    "Calico, labels": (calico_of, labels),
    "Calico, ports": (calico_of, ports),
    "Calico, subjects": (calico_of, subjects),
    "Calico, policies": (calico_of, policies),
    "Calico, tiers": (calico_of, tiers),
    "Cilium, labels": (cilium_of, denied_labels),
    "Cilium, blocks": (cilium_of, denied_blocks),
    "Antrea, drops": (antrea_of, drops),
}


def translated(name: str, size: int, *standard: Json) -> Translation:
    reader, make = CASES[name]
    mine = cluster(*standard)
    stack = reader(make(size), mine)
    assert not stack.refused
    assert not stack.unread
    return translate(stack, mine, OPTIONS)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A twentieth of the effort that there is, so that it runs out in a twentieth of the time."""
    monkeypatch.setattr(effort, "_TOTAL", effort._TOTAL // 20)  # noqa: SLF001 - what there is
    started = time.process_time()
    yield
    assert time.process_time() - started < LONG


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("name", CASES)
def test_it_ends_and_what_is_left_out_is_named_and_shown(name: str) -> None:
    made = translated(name, 16)
    assert {j.verdict for j in made.judged} <= {Verdict.EXACT, Verdict.EXACT_NOW, Verdict.STRICTER, Verdict.NONE}
    worse = [j for j in made.judged if j.place and j.verdict in {Verdict.STRICTER, Verdict.NONE}]
    assert worse
    assert all(j.reasons for j in worse)
    assert any(j.witness is not None and j.witness.allowed_before for j in made.judged)


@pytest.mark.usefixtures("little")
def test_a_policy_that_stays_is_called_looser_where_it_takes_too_long_to_tell() -> None:
    stays = [j for j in translated("Antrea, drops", 16, STANDARD).judged if j.ref.name == "kept" and j.place]
    assert stays
    assert all(j.kept for j in stays)
    assert {j.verdict for j in stays} == {Verdict.LOOSER}


@pytest.mark.parametrize("name", ["Calico, ports", "Cilium, blocks"])
def test_denials_of_other_ports_each_are_rules_and_not_their_combinations(name: str) -> None:
    (made,) = translated(name, 8).outputs[:1]
    spec = made.manifest["spec"]
    assert len([*spec.get("ingress", ()), *spec.get("egress", ())]) <= 8 + 2
