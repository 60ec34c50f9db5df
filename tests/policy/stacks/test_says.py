"""What the engine over a stack says beside yes and no: who had a say, and what an answer depends on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Namespace, Node, Pod, Service
from eksnetpol.policy.answers import Addresses, Decision, Engine, Party, Pods, Say, ServiceAddress
from eksnetpol.policy.connections import EVERYTHING, Connections
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.engine import StackEngine, engine_for
from eksnetpol.policy.stacks.formulas import (
    EVERYBODY,
    EndKind,
    Formula,
    Is,
    Label,
    OnNode,
    SameNamespace,
    Scope,
    Test,
    Unknowable,
    Within,
)
from eksnetpol.policy.stacks.rules import Does, PortName, Refused, Stack, StackPolicy, StackRule, StackTier
from eksnetpol.policy.world import World
from tests.policy.stacks.formulas import network

INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS
HTTP = Connections.only("TCP", PortSet.of(80))


def pod(namespace: str, name: str, address: str, node: str, **more: Any) -> dict[str, Any]:
    owner = name.rpartition("-")[0]
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": owner},
            "ownerReferences": [{"kind": "StatefulSet", "name": owner, "uid": owner, "controller": True}],
        },
        "spec": {
            "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": more.get("http", 80)}]}],
            "hostNetwork": more.get("host", False),
        },
        "status": {"phase": "Running", "podIP": address, "hostIP": node},
    }


PODS = [
    pod("shop", "web-0", "10.0.0.1", "10.0.0.250"),
    pod("shop", "web-1", "10.0.0.2", "10.0.1.250"),
    pod("shop", "api-0", "10.0.0.3", "10.0.0.250"),
    pod("bank", "api-0", "10.0.1.3", "10.0.1.250"),
    pod("shop", "agent-0", "10.0.0.250", "10.0.0.250", host=True),
    pod("shop", "new-0", "", ""),
]
SERVICE = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"clusterIP": "10.100.0.1", "selector": {"app": "web"}, "ports": [{"port": 8080, "targetPort": "http"}]},
}
WORLD = World(
    pods=msgspec.json.decode(msgspec.json.encode(PODS), type=tuple[Pod, ...]),
    namespaces=msgspec.convert([{"metadata": {"name": n}} for n in ("shop", "bank")], tuple[Namespace, ...]),
    services=msgspec.convert([SERVICE], tuple[Service, ...]),
    nodes=msgspec.convert(
        [
            {"metadata": {"name": n}, "status": {"addresses": [{"type": "InternalIP", "address": n}]}}
            for n in ("10.0.0.250", "10.0.1.250")
        ],
        tuple[Node, ...],
    ),
    family="ipv4",
)


def app(name: str) -> Formula:
    return Label(Scope.POD, "app", Test.IN, frozenset({name}))


def rule(direction: Direction, does: Does, peer: Formula = EVERYBODY, **more: Any) -> StackRule:
    return StackRule(direction, does, peer=peer, **{"place": f"spec.{direction.lower()}[0]", **more})


def policy(name: str, subject: Formula, *rules: StackRule, isolates: tuple[Direction, ...] = ()) -> StackPolicy:
    return StackPolicy(Subject("Policy", name), subject, frozenset(isolates), rules)


def tier(*policies: StackPolicy, name: str = "first", otherwise: Does | None = Does.DENY) -> StackTier:
    return StackTier(name, policies, otherwise)


def engine(*tiers: StackTier, **more: Any) -> StackEngine:
    return engine_for(WORLD, Profile(Semantics.CALICO), Stack("calico", tiers, **more))


def party(asked: Engine, text: str) -> Party:
    if text.startswith("svc:"):
        return ServiceAddress(WORLD.services[0], text)
    namespace, slash, name = text.partition("/")
    if not slash:
        return Addresses(text, text)
    index = asked.atlas.class_of[namespace, name]
    return Pods(1 << index, text, tuple(p for p in asked.atlas.universe.classes[index].pods if p.name == name))


def decide(asked: Engine, source: str, destination: str, protocol: str = "TCP", port: int = 80) -> Decision:
    return asked.decide(party(asked, source), party(asked, destination), protocol, port)


def words(decision: Decision) -> list[str]:
    return [d.words for d in decision.deciders]


def test_tiers_are_asked_in_turn_and_each_says_its_name() -> None:
    asked = engine(
        tier(policy("a", app("web"), rule(INGRESS, Does.PASS, app("api"))), name="security", otherwise=Does.DENY),
        tier(
            policy("b", app("web"), rule(INGRESS, Does.ALLOW, app("api"), connections=HTTP), isolates=(INGRESS,)), name="default"
        ),
    )
    allowed = decide(asked, "shop/api-0", "shop/web-0")
    assert allowed.allowed
    assert words(allowed) == [
        "policy/a spec.ingress[0] (security tier) leaves it to the next tier",
        "policy/b spec.ingress[0] (default tier) allows it",
    ]
    denied = decide(asked, "shop/api-0", "shop/web-0", port=81)
    assert not denied.allowed
    assert words(denied)[1:] == ["policy/b (default tier) isolates the pod in ingress, and no rule of it matches"]
    assert [d.say for d in denied.deciders] == [Say.PASSES, Say.ISOLATES]
    assert denied.sides[1].isolated
    assert not denied.sides[0].isolated


def test_a_tier_that_holds_for_a_pod_ends_as_it_says() -> None:
    holds_for_web = policy("a", app("web"), isolates=(EGRESS,))
    assert not decide(engine(tier(holds_for_web)), "shop/web-0", "shop/api-0").allowed
    assert decide(engine(tier(holds_for_web, otherwise=Does.PASS)), "shop/web-0", "shop/api-0").allowed
    then = tier(policy("b", app("web"), rule(EGRESS, Does.DENY)), name="second")
    assert not decide(engine(tier(holds_for_web, otherwise=Does.PASS), then), "shop/web-0", "shop/api-0").allowed
    ends = decide(engine(tier(holds_for_web, otherwise=Does.ALLOW), then), "shop/web-0", "shop/api-0")
    assert ends.allowed
    assert words(ends) == ["policy/a (first tier) holds for the pod in egress, it has no rule, and the tier then allows"]


def test_the_own_node_may_where_the_stack_says_so() -> None:
    closed = tier(policy("a", EVERYBODY, isolates=(INGRESS,)))
    asked = engine(closed)
    own = decide(asked, "shop/agent-0", "shop/web-0")
    assert own.allowed
    assert words(own) == [
        "shop/agent-0 is on the host network, where no policy is enforced",
        "shop/agent-0 is the address of shop/web-0's own node, which always may",
    ]
    assert not decide(asked, "shop/agent-0", "shop/web-1").allowed
    assert decide(asked, "10.0.1.250", "shop/web-1").allowed
    assert not decide(engine(closed, host_may=False), "shop/agent-0", "shop/web-0").allowed
    web, agent = (asked.atlas.workloads[w] for w in asked.atlas.workloads if w.name in {"web", "agent"})
    answer = asked.matrix().between(agent, web)
    assert (answer.every, answer.some) == (Connections(), EVERYTHING)


def test_a_class_that_is_partly_on_a_node_is_not_surely_let_there() -> None:
    asked = engine(tier(policy("a", app("web"), rule(EGRESS, Does.DENY, OnNode()))))
    web = asked.atlas.class_of["shop", "web-0"]
    assert web == asked.atlas.class_of["shop", "web-1"]
    assert not any(classes >> web & 1 for _, classes in asked.outside(EGRESS, "10.0.0.250"))
    assert any(classes >> web & 1 for _, classes in asked.outside(EGRESS, "10.0.0.251"))
    assert not decide(asked, "shop/web-0", "10.0.0.250").allowed
    assert decide(asked, "shop/web-1", "10.0.0.250").allowed
    both = asked.decide(Pods(1 << web, "web"), Addresses("10.0.0.250", "node"), "TCP", 80)
    assert (both.allowed, both.partial) == (False, True)


def test_blocks_that_hold_a_node_are_cut_there() -> None:
    asked = engine(tier(policy("a", app("web"), rule(EGRESS, Does.DENY, Is(frozenset({EndKind.NODE}))))))
    answer = asked.connections(party(asked, "shop/web-0"), Addresses("10.0.0.0/24", "block"))
    assert (answer.every, answer.some) == (Connections(), EVERYTHING)


UNCERTAIN = {
    "a domain name": (
        rule(EGRESS, Does.ALLOW, Unknowable("the addresses of example.org")),
        "whether policy/a spec.egress[0] means 192.0.2.1 depends on the addresses of example.org, which the cluster cannot tell",
    ),
    "source ports": (
        rule(EGRESS, Does.ALLOW, source_ports=PortSet([(1024, 2047)])),
        "policy/a spec.egress[0] speaks of connections from the ports 1024-2047 alone",
    ),
    "a deny of requests": (
        rule(EGRESS, Does.DENY, judged_further=("HTTP requests",)),
        "policy/a spec.egress[0] judges HTTP requests before it denies anything",
    ),
}


@pytest.mark.parametrize("name", UNCERTAIN)
def test_what_nobody_can_know_is_partial_and_says_why(name: str) -> None:
    one, note = UNCERTAIN[name]
    isolates = (EGRESS,) if one.does is Does.ALLOW else ()
    asked = engine(tier(policy("a", app("web"), one, isolates=isolates)))
    found = decide(asked, "shop/web-0", "192.0.2.1")
    assert (found.allowed, found.partial) == (False, True)
    assert note in found.notes
    assert any("perhaps" in w for w in words(found))
    answer = asked.connections(party(asked, "shop/web-0"), party(asked, "192.0.2.1"))
    assert not answer.every.allows("TCP", 80)
    assert answer.some.allows("TCP", 80)


def test_what_is_judged_further_is_allowed_and_said() -> None:
    asked = engine(
        tier(policy("a", app("web"), rule(INGRESS, Does.ALLOW, judged_further=("HTTP requests",)), isolates=(INGRESS,)))
    )
    found = decide(asked, "shop/api-0", "shop/web-0")
    assert found.allowed
    assert found.notes == ("policy/a spec.ingress[0] lets it through here, and then judges HTTP requests",)


def test_no_answer_is_certain_that_an_unread_policy_could_change() -> None:
    odd = Refused(Subject("NetworkPolicy", "odd", "shop"), "unknown field spec.twist", "spec.twist")
    asked = engine(unread=(odd,))
    found = decide(asked, "shop/api-0", "shop/web-0")
    assert (found.allowed, found.partial) == (False, True)
    assert found.notes == ("no answer is certain: what networkpolicy/shop/odd says: unknown field spec.twist",)
    assert words(found) == ["nobody can tell what networkpolicy/shop/odd says: unknown field spec.twist"] * 2
    assert decide(asked, "bank/api-0", "192.0.2.1").allowed
    assert any("networkpolicy/shop/odd is not understood" in note for note in asked.notes)
    wide = engine(unread=(Refused(Subject("GlobalNetworkSet", "odd"), "unknown field"),))
    assert decide(wide, "bank/api-0", "192.0.2.1").partial


def test_a_refused_policy_changes_nothing_and_is_said() -> None:
    asked = engine(refused=(Refused(Subject("NetworkPolicy", "bad", "shop"), "nets has host bits"),), notes=("as of today",))
    assert decide(asked, "shop/api-0", "shop/web-0").allowed
    assert asked.notes == ("as of today", "networkpolicy/shop/bad is not in force: nets has host bits")


def test_an_address_that_is_not_known_is_in_no_block_and_said() -> None:
    block = Within(frozenset({network("10.0.0.0/8")}))
    asked = engine(tier(policy("a", app("web"), rule(EGRESS, Does.ALLOW, block), isolates=(EGRESS,))))
    assert decide(asked, "shop/web-0", "shop/api-0").allowed
    found = decide(asked, "shop/web-0", "shop/new-0")
    assert not found.allowed
    assert found.notes == ("the address of shop/new-0 is not known: only blocks of all addresses are taken to hold it",)


def test_names_of_ports_are_those_of_the_destination() -> None:
    other = pod("bank", "api-0", "10.0.1.3", "10.0.1.250", http=8080)
    world = replace(WORLD, pods=msgspec.json.decode(msgspec.json.encode([*PODS[:3], other]), type=tuple[Pod, ...]))
    named: dict[str, Any] = {"connections": Connections(), "names": (PortName("http"),)}
    stack = Stack("calico", (tier(policy("a", app("web"), rule(EGRESS, Does.ALLOW, **named), isolates=(EGRESS,))),))
    asked = engine_for(world, Profile(Semantics.CALICO), stack)
    assert decide(asked, "shop/web-0", "shop/api-0", port=80).allowed
    assert not decide(asked, "shop/web-0", "bank/api-0", port=80).allowed
    assert decide(asked, "shop/web-0", "bank/api-0", port=8080).allowed
    assert not decide(asked, "shop/web-0", "192.0.2.1", port=80).allowed


def test_services_are_judged_behind_their_address() -> None:
    to_web = rule(EGRESS, Does.ALLOW, app("web"), connections=HTTP)
    asked = engine(tier(policy("a", app("api"), to_web, isolates=(EGRESS,))))
    assert decide(asked, "shop/api-0", "svc:shop/web", port=8080).allowed
    assert asked.connections(party(asked, "shop/api-0"), party(asked, "svc:shop/web")).every == Connections.only(
        "TCP", PortSet.of(8080)
    )
    api, agent = (1 << asked.atlas.class_of["shop", name] for name in ("api-0", "agent-0"))
    through = asked.to_service(WORLD.services[0])
    assert [c.allows("TCP", 8080) for c, classes in through if classes & api] == [True]
    assert [c for c, classes in through if classes & agent] == [EVERYTHING]
    shut = engine(tier(policy("a", app("api"), isolates=(EGRESS,))))
    assert [c.allows("TCP", 8080) for c, classes in shut.to_service(WORLD.services[0]) if classes & api] == [False]


def test_same_namespace_is_that_of_the_subject() -> None:
    asked = engine(tier(policy("a", EVERYBODY, rule(INGRESS, Does.ALLOW, SameNamespace()), isolates=(INGRESS,))))
    assert decide(asked, "shop/api-0", "shop/web-0").allowed
    assert not decide(asked, "bank/api-0", "shop/web-0").allowed
    assert asked.isolated(INGRESS) == asked.atlas.universe.everything & ~asked.atlas.universe.on_host_network
    assert asked.isolated(EGRESS) == 0


def test_no_address_is_no_address() -> None:
    with pytest.raises(ValueError, match="'nonsense' is no address"):
        engine().outside(INGRESS, "nonsense")
    assert engine(
        tier(policy("a", EVERYBODY, rule(INGRESS, Does.ALLOW, Within(frozenset({network("10.0.0.0/8")})))))
    ).blocks() == ("10.0.0.0/8",)
