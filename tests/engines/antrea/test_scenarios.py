"""Each construct of Antrea's in a small cluster, with what becomes of one connection; and what Antrea refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from eksnetpol.engines.antrea.read import BASELINE, OWN_TIERS, read
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.kubernetes import Namespace, Node, Pod, Service
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.answers import Addresses, Engine, Pods
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.stacks.engine import StackEngine, engine_for
from eksnetpol.policy.world import World
from tests.engines.antrea.drawing import one

Json = dict[str, Any]


def made(raw: list[Json], kind: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(raw), type=tuple[kind, ...])


def pod(name: str, address: str, *, account: str = "", host: bool = False) -> Json:
    namespace, _, own = name.partition("/")
    ports = [{"name": "http", "containerPort": 80, "protocol": "TCP"}]
    spec = {"containers": [{"name": "c", "ports": ports}], "nodeName": "n1", "serviceAccountName": account, "hostNetwork": host}
    status = {"podIP": address, "hostIP": "10.0.0.250", "phase": "Running"}
    return {"metadata": {"name": own, "namespace": namespace, "labels": {"app": own}}, "spec": spec, "status": status}


PODS = [
    pod("shop/web", "10.0.0.1", account="front"),
    pod("shop/db", "10.0.0.2"),
    pod("bank/web", "10.0.1.1"),
    pod("bank/db", "10.0.1.2"),
    pod("park/web", "10.0.2.1"),
    pod("shop/agent", "10.0.0.250", host=True),
]
NAMESPACES = [
    {"metadata": {"name": name, "labels": labels}} for name, labels in {"shop": {"team": "a"}, "bank": {"team": "a"}}.items()
]
NAMESPACES.append({"metadata": {"name": "park", "labels": {}}})
SERVICE = {
    "metadata": {"name": "db", "namespace": "shop"},
    "spec": {"clusterIP": "10.100.0.1", "selector": {"app": "db"}, "ports": [{"port": 5432, "targetPort": "http"}]},
}
NODES = [
    {"metadata": {"name": f"n{i}", "labels": {"role": role}}, "status": {"addresses": [{"address": f"10.0.0.25{i - 1}"}]}}
    for i, role in ((1, "worker"), (2, "edge"))
]
WORLD = World(
    pods=made(PODS, Pod),
    namespaces=made(NAMESPACES, Namespace),
    services=made([SERVICE], Service),
    nodes=made(NODES, Node),
    family="ipv4",
)
ALL: Json = {"podSelector": {}}


def app(name: str) -> Json:
    return {"podSelector": {"matchLabels": {"app": name}}}


def policy(*rules: Json, name: str = "p", namespace: str = "", **more: Any) -> Json:
    """A policy for all pods, of one direction: that in which its rules have peers."""
    outward = any("to" in rule or "toServices" in rule for rule in rules)
    applied = {} if any("appliedTo" in rule for rule in rules) else {"appliedTo": [ALL]}
    spec = {"priority": 5, **applied, "egress" if outward else "ingress": list(rules), **more}
    return one("NetworkPolicy" if namespace else "ClusterNetworkPolicy", name, spec, namespace)


def engine(*objects: Json, world: World = WORLD) -> StackEngine:
    stack = read(objects, world.network_policies, world)
    assert stack.refused + stack.unread == ()
    return engine_for(world, Profile(Semantics.ANTREA), stack)


def place(asked: Engine, text: str) -> Pods | Addresses:
    if text[0].isdigit():
        return Addresses(text, text)
    namespace, _, name = text.partition("/")
    index = asked.atlas.class_of[namespace, name]
    return Pods(1 << index, text, tuple(p for p in asked.atlas.universe.classes[index].pods if p.name == name))


def fate(asked: Engine, source: str, destination: str, protocol: str = "TCP", port: int = 80) -> str:
    answer = asked.connections(place(asked, source), place(asked, destination))
    sure, perhaps = (found.allows(protocol, port) for found in (answer.every, answer.some))
    return "may" if sure else "perhaps" if perhaps else "may not"


def rule(action: str, *peers: Json, outward: bool = False, **more: Any) -> Json:
    found = {"action": action, **more}
    return {**found, "to" if outward else "from": list(peers)} if peers or outward else found


def out(action: str, *peers: Json, **more: Any) -> Json:
    return rule(action, *peers, outward=True, **more)


BLOCK = {"ipBlock": {"cidr": "10.0.0.0/24", "except": ["10.0.0.2/32"]}}
NOT_PROD = {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}}

SCENARIOS: dict[str, tuple[list[Json], dict[tuple[Any, ...], str]]] = {
    "an allow alone isolates nobody": (
        [policy(rule("Allow", app("web")))],
        {("shop/db", "bank/web"): "may", ("192.0.2.1", "bank/web"): "may"},
    ),
    "drop and reject are the same to what may flow": (
        [policy(rule("Drop", app("web")), rule("Reject", app("db")))],
        {("shop/web", "bank/web"): "may not", ("shop/db", "bank/web"): "may not", ("192.0.2.1", "bank/web"): "may"},
    ),
    "the first rule that matches": (
        [policy(rule("Allow", app("web"), ports=[{"port": 80}]), rule("Drop"))],
        {("shop/web", "bank/web"): "may", ("shop/web", "bank/web", "TCP", 81): "may not", ("shop/db", "bank/web"): "may not"},
    ),
    "tiers before priorities": (
        [policy(rule("Drop"), name="a", tier="emergency", priority=900), policy(rule("Allow"), name="b", priority=1)],
        {("shop/web", "bank/web"): "may not"},
    ),
    "a tier of one's own, and one that is named by its former name": (
        [
            one("Tier", "own", {"priority": 40}),
            policy(rule("Allow"), name="a", tier="own"),
            policy(rule("Drop"), name="b", tier="Emergency"),
        ],
        {("shop/web", "bank/web"): "may"},
    ),
    "priorities may be fractions": (
        [policy(rule("Drop"), name="a", priority=1.5), policy(rule("Allow"), name="b", priority=1.25)],
        {("shop/web", "bank/web"): "may"},
    ),
    "pass leaves all tiers of Antrea's aside but the last": (
        [
            policy(rule("Pass", app("web")), name="a", tier="emergency"),
            policy(rule("Drop"), name="b"),
            policy(rule("Drop", app("web"), ports=[{"port": 81}]), name="c", tier="baseline"),
        ],
        {("shop/web", "bank/web"): "may", ("shop/web", "bank/web", "TCP", 81): "may not", ("shop/db", "bank/web"): "may not"},
    ),
    "its own node always may": (
        [policy(rule("Drop"))],
        {("shop/agent", "shop/web"): "may", ("10.0.0.251", "shop/web"): "may not"},
    ),
    "pods on the host network are in no group of pods": (
        [policy(out("Drop", ALL, {"namespaceSelector": {}}))],
        {("shop/web", "shop/agent"): "may", ("shop/web", "shop/db"): "may not"},
    ),
    "blocks hold pods, and have exceptions": (
        [policy(out("Drop", BLOCK))],
        {("bank/web", "shop/web"): "may not", ("bank/web", "shop/db"): "may", ("bank/web", "10.0.0.77"): "may not"},
    ),
    "applied by rule": (
        [policy(rule("Drop", app("web"), appliedTo=[app("db")]), rule("Drop", app("db"), appliedTo=[app("web")]))],
        {("shop/web", "bank/db"): "may not", ("shop/web", "bank/web"): "may", ("shop/db", "bank/web"): "may not"},
    ),
    "a policy of a namespace means pods of its own": (
        [policy(rule("Drop", app("web")), namespace="shop")],
        {("shop/web", "shop/db"): "may not", ("bank/web", "shop/db"): "may", ("bank/web", "bank/db"): "may"},
    ),
    "a selector of namespaces means all there": (
        [policy(rule("Drop", NOT_PROD), namespace="shop")],
        {("park/web", "shop/db"): "may not", ("bank/web", "shop/db"): "may"},
    ),
    "the own namespace": (
        [policy(rule("Allow", {"namespaces": {"match": "Self"}}), rule("Drop", {"namespaceSelector": {}}))],
        {("shop/web", "shop/db"): "may", ("bank/web", "shop/db"): "may not", ("192.0.2.1", "shop/db"): "may"},
    ),
    "namespaces alike, and none where one lacks the label": (
        [policy(rule("Drop", {"namespaces": {"sameLabels": ["team"]}}))],
        {("shop/web", "bank/db"): "may not", ("park/web", "bank/db"): "may", ("park/web", "park/web"): "may"},
    ),
    "service accounts": (
        [policy(rule("Drop", {"serviceAccount": {"name": "front", "namespace": "shop"}}))],
        {("shop/web", "bank/db"): "may not", ("shop/db", "bank/db"): "may"},
    ),
    "groups, inlined, and those in them": (
        [
            one("ClusterGroup", "webs", app("web")),
            one("ClusterGroup", "blocks", {"ipBlocks": [{"cidr": "192.0.2.0/24"}]}),
            one("ClusterGroup", "behind", {"serviceReference": {"name": "db", "namespace": "shop"}}),
            one("ClusterGroup", "all", {"childGroups": ["blocks", "behind"]}),
            policy(rule("Drop", {"group": "all"}), appliedTo=[{"group": "webs"}, {"group": "blocks"}]),
        ],
        {
            ("192.0.2.1", "bank/web"): "may not",
            ("shop/db", "bank/web"): "may not",
            ("bank/db", "bank/web"): "may",
            ("192.0.2.1", "bank/db"): "may",
        },
    ),
    "a group that is not there": ([policy(rule("Drop", {"group": "gone"}))], {("shop/web", "bank/web"): "perhaps"}),
    "a Group that is not there holds for pods of its namespace alone": (
        [policy(rule("Drop"), namespace="shop", appliedTo=[{"group": "gone"}])],
        {("bank/web", "shop/db"): "perhaps", ("shop/db", "bank/web"): "may"},
    ),
    "a Service that is not there has pods of its namespace alone": (
        [
            one("ClusterGroup", "behind", {"serviceReference": {"name": "gone", "namespace": "shop"}}),
            policy(rule("Drop", {"group": "behind"})),
        ],
        {("shop/web", "bank/web"): "perhaps", ("bank/web", "shop/db"): "may"},
    ),
    "a Group of the own namespace": (
        [one("Group", "webs", app("web"), "shop"), policy(rule("Drop", {"group": "webs"}), namespace="shop")],
        {("shop/web", "shop/db"): "may not", ("bank/web", "shop/db"): "may"},
    ),
    "nodes by label": (
        [policy(out("Drop", {"nodeSelector": {"matchLabels": {"role": "edge"}}}))],
        {("shop/web", "10.0.0.251"): "may not", ("shop/web", "10.0.0.250"): "may"},
    ),
    "names of domains are anybody, perhaps": (
        [policy(out("Allow", {"fqdn": "*.example.org"}), out("Drop"))],
        {("shop/web", "192.0.2.1"): "perhaps"},
    ),
    "Services are told apart from their pods by nobody": (
        [policy({"action": "Drop", "toServices": [{"name": "db", "namespace": "shop"}]})],
        {("bank/web", "shop/db"): "perhaps", ("bank/web", "shop/db", "TCP", 81): "may", ("bank/web", "bank/db"): "may"},
    ),
    "node ports of a Service": (
        [policy(rule("Drop", BLOCK), appliedTo=[{"service": {"name": "db", "namespace": "shop"}}])],
        {("10.0.0.77", "shop/db"): "perhaps", ("192.0.2.1", "shop/db"): "may", ("10.0.0.77", "bank/db"): "may"},
    ),
    "what nodes refuse": (
        [policy(rule("Drop"), appliedTo=[{"nodeSelector": {}}])],
        {("shop/web", "shop/agent"): "may", ("shop/db", "shop/web"): "may"},
    ),
    "external entities": (
        [policy(rule("Drop", {"externalEntitySelector": {}}), namespace="shop")],
        {("192.0.2.1", "shop/web"): "perhaps", ("bank/web", "shop/web"): "may"},
    ),
    "other clusters": (
        [policy(rule("Allow", {**app("db"), "scope": "ClusterSet"}), rule("Drop"))],
        {("shop/db", "bank/web"): "may", ("192.0.2.1", "bank/web"): "perhaps"},
    ),
    "HTTP is judged further": (
        [policy(rule("Allow", app("web"), l7Protocols=[{"http": {"method": "GET"}}]), rule("Drop"))],
        {("shop/web", "bank/db"): "may", ("shop/db", "bank/db"): "may not"},
    ),
    "source ports": (
        [policy(rule("Drop", app("web"), ports=[{"port": 80, "sourcePort": 1024, "sourceEndPort": 2000}, {"port": 443}]))],
        {
            ("shop/web", "bank/db"): "perhaps",
            ("shop/web", "bank/db", "TCP", 443): "may not",
            ("shop/web", "bank/db", "TCP", 81): "may",
        },
    ),
    "names and ranges of ports": (
        [policy(rule("Drop", ports=[{"port": "http"}, {"protocol": "UDP", "port": 53, "endPort": 60}, {"protocol": "SCTP"}]))],
        {
            ("shop/web", "bank/db"): "may not",
            ("shop/web", "bank/db", "UDP", 60): "may not",
            ("shop/web", "bank/db", "UDP", 61): "may",
            ("shop/web", "bank/db", "SCTP", 9): "may not",
            ("shop/web", "bank/db", "ICMP", 0): "may",
        },
    ),
    "ICMP": (
        [policy(rule("Drop", protocols=[{"icmp": {"icmpType": 8, "icmpCode": 0}}]))],
        {
            ("shop/web", "bank/db", "ICMP", 2048): "may not",
            ("shop/web", "bank/db", "ICMP", 0): "may",
            ("shop/web", "bank/db"): "may",
        },
    ),
    "IGMP": (
        [policy(rule("Drop", protocols=[{"igmp": {}}]))],
        {("192.0.2.1", "bank/db", "OTHER", 2): "may not", ("192.0.2.1", "bank/db", "OTHER", 47): "may"},
    ),
    "equal priority, and both speak of it": (
        [policy(rule("Allow", app("web")), name="a"), policy(rule("Drop", {"namespaceSelector": {}}), name="b")],
        {("shop/web", "bank/db"): "perhaps", ("shop/db", "bank/web"): "may not"},
    ),
    "equal priority, in step": (
        [policy(rule("Allow", app("db")), rule("Drop"), name="a"), policy(rule("Allow", app("web")), name="b")],
        {("shop/web", "bank/db"): "may", ("shop/db", "bank/web"): "may", ("192.0.2.1", "bank/web"): "may not"},
    ),
}


@pytest.mark.parametrize("title", SCENARIOS)
def test_what_becomes_of_a_connection(title: str) -> None:
    objects, expected = SCENARIOS[title]
    asked = engine(*objects)
    assert {question: fate(asked, *question) for question in expected} == expected


def test_network_policies_stand_between() -> None:
    isolating = [{"metadata": {"name": "own", "namespace": "shop"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}]
    world = replace(WORLD, network_policies=made(isolating, NetworkPolicy))
    base = policy(rule("Allow"), name="base", tier="baseline")
    assert fate(engine(base, world=world), "bank/web", "shop/db") == "may not"
    assert fate(engine(policy(rule("Allow", app("web"))), world=world), "bank/web", "shop/db") == "may"
    assert fate(engine(policy(rule("Pass"), rule("Allow")), world=world), "bank/web", "shop/db") == "may not"


# --- what is not in force ---------------------------------------------------------------------------------------------

GOOD = {"priority": 5, "appliedTo": [ALL]}
DROP = {"action": "Drop"}
NAMED = {"action": "Drop", "name": "same"}

REFUSED: dict[str, tuple[Json, str]] = {
    "spec.appliedTo: appliedTo stands neither here nor in a rule": ({"priority": 5, "ingress": [DROP]}, "ClusterNetworkPolicy"),
    "spec.appliedTo: appliedTo stands in spec.ingress[0] too": (
        {**GOOD, "ingress": [{**DROP, "appliedTo": [ALL]}]},
        "ClusterNetworkPolicy",
    ),
    "spec: appliedTo stands in some rules and not in others": (
        {"priority": 5, "ingress": [{**DROP, "appliedTo": [ALL]}, DROP]},
        "ClusterNetworkPolicy",
    ),
    "spec: two rules have the name same": ({**GOOD, "ingress": [NAMED], "egress": [NAMED]}, "NetworkPolicy"),
    "spec.ingress[0].action: Pass is no action of the baseline tier": (
        {**GOOD, "tier": "baseline", "ingress": [{"action": "Pass"}]},
        "ClusterNetworkPolicy",
    ),
    "spec.ingress[0].from[0]: group cannot stand beside podSelector": (
        {**GOOD, "ingress": [{**DROP, "from": [{**ALL, "group": "g"}]}]},
        "ClusterNetworkPolicy",
    ),
    "spec.ingress[0].from[0]: namespaces cannot stand beside namespaceSelector": (
        {**GOOD, "ingress": [{**DROP, "from": [{"namespaceSelector": {}, "namespaces": {"match": "Self"}}]}]},
        "ClusterNetworkPolicy",
    ),
    "spec.egress[0]: toServices cannot stand beside to, ports or protocols": (
        {**GOOD, "egress": [{**DROP, "toServices": [{"name": "a", "namespace": "b"}], "to": [ALL]}]},
        "ClusterNetworkPolicy",
    ),
    "spec.ingress[0].ports[0]: endPort 1 is below port 2": (
        {**GOOD, "ingress": [{**DROP, "ports": [{"port": 2, "endPort": 1}]}]},
        "NetworkPolicy",
    ),
    "spec.ingress[0].ports[0]: endPort cannot stand beside a name": (
        {**GOOD, "ingress": [{**DROP, "ports": [{"port": "http", "endPort": 1}]}]},
        "NetworkPolicy",
    ),
    "spec.ingress[0]: l7Protocols knows no action Drop": (
        {**GOOD, "ingress": [{**DROP, "l7Protocols": [{"http": {}}]}]},
        "NetworkPolicy",
    ),
    "spec.ingress[0]: http is judged on TCP alone": (
        {**GOOD, "ingress": [{"action": "Allow", "ports": [{"protocol": "UDP"}], "l7Protocols": [{"http": {}}]}]},
        "NetworkPolicy",
    ),
    "spec.ingress[0]: igmp knows no action Reject": (
        {**GOOD, "ingress": [{"action": "Reject", "protocols": [{"igmp": {}}]}]},
        "ClusterNetworkPolicy",
    ),
    "spec.appliedTo: a Service cannot stand beside others": (
        {**GOOD, "appliedTo": [ALL, {"service": {"name": "a", "namespace": "b"}}]},
        "ClusterNetworkPolicy",
    ),
    "spec.ingress[0].from[0]: what holds for a Service speaks of an ipBlock alone": (
        {"priority": 5, "appliedTo": [{"service": {"name": "a", "namespace": "b"}}], "ingress": [{**DROP, "from": [ALL]}]},
        "ClusterNetworkPolicy",
    ),
    "spec.appliedTo[0]: the Group far has pods of other namespaces": ({**GOOD, "appliedTo": [{"group": "far"}]}, "NetworkPolicy"),
}
UNREAD: dict[str, tuple[Json, str]] = {
    "spec.tier: the tier gone is not among the objects": ({**GOOD, "tier": "gone"}, "ClusterNetworkPolicy"),
    "spec.ingress[0].from[0]: says nothing of whom it means": ({**GOOD, "ingress": [{**DROP, "from": [{}]}]}, "NetworkPolicy"),
    "spec.ingress[0].from[0]: what podSelector means beside ipBlock is not known": (
        {**GOOD, "ingress": [{**DROP, "from": [{**ALL, **BLOCK}]}]},
        "NetworkPolicy",
    ),
    "spec.ingress[0].from[0].ipBlock: '10.0.0.0/99' is no CIDR": (
        {**GOOD, "ingress": [{**DROP, "from": [{"ipBlock": {"cidr": "10.0.0.0/99"}}]}]},
        "NetworkPolicy",
    ),
    "spec.egress[0]: what an empty list of toServices means is not known": (
        {**GOOD, "egress": [{**DROP, "toServices": []}]},
        "NetworkPolicy",
    ),
    "spec.ingress[0].ports[0]: what sourceEndPort means without sourcePort is not known": (
        {**GOOD, "ingress": [{**DROP, "ports": [{"sourceEndPort": 1}]}]},
        "NetworkPolicy",
    ),
    "spec.ingress[0]: what `namespaces` means beside a group in appliedTo is not known": (
        {"priority": 5, "appliedTo": [{"group": "g"}], "ingress": [{**DROP, "from": [{"namespaces": {"match": "Self"}}]}]},
        "ClusterNetworkPolicy",
    ),
}


@pytest.mark.parametrize("said", [*REFUSED, *UNREAD])
def test_what_is_not_in_force_and_what_is_not_read(said: str) -> None:
    spec, kind = (REFUSED | UNREAD)[said]
    far = one("Group", "far", {"namespaceSelector": {}}, "shop")
    stack = read([far, one(kind, "x", spec, "shop" if kind == "NetworkPolicy" else "")], (), WORLD)
    mine, others = (stack.refused, stack.unread) if said in REFUSED else (stack.unread, stack.refused)
    assert [f"{r.place}: {r.why}" for r in mine] == [said]
    assert others == ()
    assert [t.policies for t in stack.tiers] == [(), (), ()]


def test_tiers_and_groups_that_are_none() -> None:
    stack = read(
        [
            one("Tier", "late", {"priority": 251}),
            one("Tier", "same", {"priority": 50}),
            one("Tier", "emergency", {"priority": 50}),
            one("Tier", "application", {"priority": 10}),
            one("ClusterGroup", "two", {"podSelector": {}, "ipBlocks": [{"cidr": "10.0.0.0/8"}]}),
            one("ClusterGroup", "none", {}),
            one("Group", "nodes", {"nodeSelector": {}}, "shop"),
        ],
        (),
        WORLD,
    )
    assert [(r.ref.name, r.why) for r in stack.refused] == [
        ("late", "251 is reserved, or another tier's"),
        ("same", "50 is reserved, or another tier's"),
        ("two", "ipBlocks and podSelector cannot stand together"),
    ]
    assert [(r.ref.name, r.why) for r in stack.unread] == [
        ("application", "application is Antrea's own tier, of priority 250"),
        ("none", "says nothing of whom it means"),
        ("nodes", "unknown field nodeSelector in a Group"),
    ]


def test_the_stack_says_what_answers_depend_on() -> None:
    world = replace(WORLD, admin_policies=made([{"kind": "AdminNetworkPolicy", "metadata": {"name": "a"}}], AdminPolicy))
    on_nodes = policy(rule("Drop", {"nodeSelector": {}}), appliedTo=[{"nodeSelector": {}}])
    beyond = policy(rule("Drop"), name="vm", namespace="shop", appliedTo=[{"externalEntitySelector": {}}])
    stack = read([on_nodes, beyond], (), world)
    assert stack.notes == (
        "clusternetworkpolicy.crd.antrea.io/p holds for nodes: what they refuse is not looked at",
        "a nodeSelector also means the address of Antrea's own gateway on a node, which the API does not tell",
        "networkpolicy.crd.antrea.io/shop/vm holds for machines outside the cluster: what they refuse is not looked at",
        "policies of policy.networking.k8s.io are left out: Antrea enforces them behind a feature gate alone",
    )
    assert (stack.dialect, [t.name for t in stack.tiers]) == ("antrea", [OWN_TIERS, "", BASELINE])


def test_a_policy_that_is_not_read_makes_its_namespace_uncertain() -> None:
    bad = policy({**DROP, "twist": 1}, namespace="shop")
    stack = read([bad], (), WORLD)
    asked = engine_for(WORLD, Profile(Semantics.ANTREA), stack)
    assert fate(asked, "bank/web", "shop/db") == "perhaps"
    assert fate(asked, "bank/web", "bank/db") == "may"
