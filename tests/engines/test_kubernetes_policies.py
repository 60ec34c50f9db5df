"""NetworkPolicies and upstream policies as stacks: beside the specification read slowly, the sets, and Calico's own code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from eksnetpol.engines import upstream
from eksnetpol.engines.kubernetes_policies import stack_policy, stack_tier
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.kubernetes import Namespace, Node, Pod
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Addresses, Engine, Pods
from eksnetpol.policy.difference import difference
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.engine import engine_for
from eksnetpol.policy.stacks.formulas import NOBODY
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World
from tests.policy.oracle.agree import Tally, _Comparison
from tests.policy.oracle.kubernetes import Kubernetes
from tests.policy.oracle.strategies import Case, cases
from tests.policy.test_verdicts_of_calico import CASES, packet, party, world

OFTEN = settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
KUBERNETES = Profile(Semantics.KUBERNETES)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_network_policies_are_decided_as_calico_decides_them(case: dict[str, Any]) -> None:
    made = world(case)
    engine = engine_for(made, KUBERNETES, Stack("kubernetes", (stack_tier(made.network_policies, made),)))
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        # What a pod sends to itself never leaves it; Calico was asked all the same.
        if query["from"] != query["to"]:
            decision = engine.decide(party(engine, query["from"]), party(engine, query["to"]), *packet(query))
            assert decision.allowed == verdict["allowed"], query


@OFTEN
@given(cases(upstream=True))
def test_all_of_it_is_what_the_specification_says(case: Case) -> None:
    made = replace(case.world, application_policies=(), cluster_policies=())
    profile = Profile(Semantics.KUBERNETES, family=case.family.name)
    stack = upstream.read(made.admin_policies, made.network_policies, made)
    engine = engine_for(made, profile, stack)
    tally = Tally()
    comparison = _Comparison(case, engine, Kubernetes(made, case.family.name), tally)
    for part in (comparison.pairs, comparison.matrix, comparison.outside, comparison.addresses):
        part()
    assert tally.verdicts > 0
    assert tally.disagreements == []
    sets = build_engine(made, profile)
    assert [str(c) for c in difference(sets, engine).changes] == []


# --- a small cluster for what is said in one way alone ----------------------------------------------------------------


def as_type(raw: list[dict[str, Any]], kind: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(raw), type=tuple[kind, ...])


def pod(name: str, address: str, *, host: bool = False) -> dict[str, Any]:
    node, at = ("one", "10.0.0.250") if address.startswith("10.0.0.") else ("two", "10.0.1.250")
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
        "spec": {"containers": [{"name": "c"}], "nodeName": node, "hostNetwork": host},
        "status": {"podIP": address, "hostIP": at, "phase": "Running"},
    }


def node(name: str, zone: str, address: str) -> dict[str, Any]:
    status = {"addresses": [{"type": "InternalIP", "address": address}]}
    return {"metadata": {"name": name, "labels": {"zone": zone}}, "status": status}


PODS = [pod("web", "10.0.0.1"), pod("db", "10.0.1.1"), pod("agent", "10.0.1.250", host=True)]
NODES = [node("one", "a", "10.0.0.250"), node("two", "b", "10.0.1.250")]
WORLD = World(
    pods=as_type(PODS, Pod), nodes=as_type(NODES, Node), namespaces=as_type([{"metadata": {"name": "shop"}}], Namespace)
)


def admin(name: str, priority: int = 5, kind: str = "AdminNetworkPolicy", **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, "spec": {"priority": priority, "subject": {"namespaces": {}}, **spec}}


def may(raw: list[dict[str, Any]], source: str, destination: str, world: World = WORLD) -> tuple[bool, bool]:
    """Whether a connection surely is allowed, and whether it perhaps is."""
    engine = engine_for(world, KUBERNETES, upstream.read(as_type(raw, AdminPolicy), (), world))
    answer = engine.connections(place(engine, source), place(engine, destination))
    return answer.every.allows("TCP", 80), answer.some.allows("TCP", 80)


def place(engine: Engine, text: str) -> Pods | Addresses:
    if text[0].isdigit():
        return Addresses(text, text)
    return Pods(1 << engine.atlas.class_of["shop", text], text)


def to(action: str, *peers: dict[str, Any]) -> dict[str, Any]:
    return {"action": action, "to": list(peers)}


def test_nodes_are_meant_by_their_addresses() -> None:
    raw = [admin("a", egress=[to("Deny", {"nodes": {"matchLabels": {"zone": "b"}}})])]
    assert may(raw, "web", "10.0.1.250") == (False, False)
    assert may(raw, "web", "agent") == (False, False)
    assert may(raw, "web", "10.0.0.250") == (True, True)
    assert may(raw, "web", "db") == (True, True)
    unknown = replace(WORLD, nodes=())
    assert may(raw, "web", "10.0.1.250", unknown) == (False, True)


def test_a_domain_name_is_anybody_perhaps_and_an_unknown_peer_opens_nothing() -> None:
    deny = to("Deny", {"networks": ["0.0.0.0/0"]})
    assert may([admin("a", egress=[to("Allow", {"domainNames": ["example.org"]}), deny])], "web", "192.0.2.1") == (False, True)
    assert may([admin("a", egress=[to("Allow", {"newThing": {}}), deny])], "web", "192.0.2.1") == (False, False)
    assert may([admin("a", egress=[to("Deny", {"newThing": {}})])], "web", "192.0.2.1") == (False, True)
    assert may([admin("a", egress=[{"action": "Deny", "to": []}])], "web", "192.0.2.1") == (True, True)


def test_of_equal_priority_either_may_be_asked_first() -> None:
    to_db, everywhere = {"pods": {"podSelector": {"matchLabels": {"app": "db"}}}}, {"networks": ["0.0.0.0/0"]}
    allow, deny = admin("a", egress=[to("Allow", to_db)]), admin("b", egress=[to("Deny", everywhere)])
    assert may([allow, deny], "web", "db") == (False, True)
    assert may([allow, deny], "web", "192.0.2.1") == (False, False)
    assert may([admin("a", priority=4, egress=allow["spec"]["egress"]), deny], "web", "db") == (True, True)
    apart = admin("b", egress=[to("Deny", {"pods": {"podSelector": {"matchLabels": {"app": "agent"}}}})])
    assert may([allow, apart], "web", "db") == (True, True)


def test_equal_priority_leaves_open_no_more_than_what_both_speak_of() -> None:
    to_db, everywhere = {"pods": {"podSelector": {"matchLabels": {"app": "db"}}}}, {"networks": ["0.0.0.0/0"]}
    first = admin("a", egress=[to("Allow", to_db), to("Deny", everywhere)])
    rival = admin("b", egress=[to("Allow", {"networks": ["192.0.2.0/24"]})])
    # The rival says nothing of db: that the first policy is perhaps not asked first must not uncover its second rule.
    assert may([first, rival], "web", "db") == (True, True)
    assert may([first, rival], "web", "192.0.2.1") == (False, True)
    assert may([first, rival], "web", "198.51.100.1") == (False, False)
    # Nor does it where the rival holds for other pods.
    others = admin("b", subject={"pods": {"podSelector": {"matchLabels": {"app": "db"}}}}, egress=[to("Deny", everywhere)])
    assert may([first, others], "web", "db") == (True, True)
    assert may([first, others], "db", "web") == (False, False)


def test_baseline_is_asked_last() -> None:
    base = admin("default", 0, "BaselineAdminNetworkPolicy", tier="Baseline", egress=[to("Deny", {"networks": ["0.0.0.0/0"]})])
    assert may([base], "web", "db") == (False, False)
    assert may([base, admin("a", egress=[to("Pass", {"namespaces": {}})])], "web", "db") == (False, False)
    assert may([base, admin("a", egress=[to("Allow", {"namespaces": {}})])], "web", "db") == (True, True)


def test_a_policy_keeps_its_labels_and_says_where_its_rules_are() -> None:
    raw = {
        "metadata": {"name": "p", "namespace": "shop", "labels": {"team": "x"}},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "ingress": [{}], "egress": [{"to": [{}]}, {}]},
    }
    policy = stack_policy(msgspec.convert(raw, NetworkPolicy), WORLD)
    assert (policy.labels, policy.isolates) == ({"team": "x"}, frozenset({Direction.EGRESS}))
    assert [r.place for r in policy.rules] == ["spec.egress[0]", "spec.egress[1]"]
    assert policy.rules[0].peer == NOBODY
