"""What is said for the whole cluster: ClusterNetworkPolicies before and after NetworkPolicies, where they say it exactly."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eksnetpol.engines.calico.read import read as read_calico
from eksnetpol.engines.cilium.read import read as read_cilium
from eksnetpol.engines.upstream import read as read_upstream
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.kubernetes import Namespace, Service
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World
from eksnetpol.translation import Options, Translation, Verdict, translate
from eksnetpol.translation.emit import KUSTOMIZATION, files
from tests.testbed.cluster import ControlPlane
from tests.translation.tiered import PROFILE, VPC, differences, tiered

Json = dict[str, Any]

CRD = Path(__file__).parent.parent / "data" / "crds" / "networking.k8s.aws" / "clusternetworkpolicies.yaml"
ALLOWED = Options(vpc=VPC, cluster_policies=True)


def world(**more: Any) -> World:
    spaces = [{"metadata": {"name": n, "labels": {"kubernetes.io/metadata.name": n}}} for n in ("shop", "bank")]
    return World(namespaces=msgspec.convert(spaces, tuple[Namespace, ...]), family="ipv4", **more)


def calico(*rules: Json, name: str = "deny", direction: str = "Ingress", mine: World | None = None, **spec: Any) -> Stack:
    mine = mine or world()
    meta = {"name": name}
    body = {"selector": "all()", "types": [direction], direction.lower(): list(rules)} | spec
    policy = {"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": meta, "spec": body}
    return read_calico([policy], mine.network_policies, mine)


def upstream(*policies: Json, mine: World | None = None) -> Stack:
    mine = mine or world()
    return read_upstream(msgspec.convert(list(policies), tuple[AdminPolicy, ...]), mine.network_policies, mine)


def admin(name: str, rules: list[Json], *, direction: str = "ingress", tier: str = "Admin", **spec: Any) -> Json:
    whole = {"tier": tier, "priority": 5, "subject": {"namespaces": {}}, direction: rules} | spec
    return {"kind": "ClusterNetworkPolicy", "metadata": {"name": name}, "spec": whole}


def ns(name: str) -> Json:
    return {"namespaces": {"matchLabels": {"team": name}}}


def said(stack: Stack, mine: World | None = None, options: Options = ALLOWED) -> tuple[Translation, list[Json]]:
    found = translate(stack, mine or world(), options)
    return found, [dict(o.manifest["spec"]) for o in found.outputs if o.is_cluster_wide]


def verdicts(found: Translation) -> dict[tuple[str, str], Verdict]:
    return {(str(j.ref), j.place): j.verdict for j in found.judged}


# --- what becomes of constructs ---------------------------------------------------------------------------------------


def test_a_denial_of_all_namespaces_is_one_object_and_holds_for_those_to_come() -> None:
    stack = calico({"action": "Deny", "source": {"selector": "app == 'bad'"}})
    found, [spec] = said(stack)
    assert spec == {
        "tier": "Admin",
        "priority": 110,
        "subject": {"namespaces": {}},
        "ingress": [
            {
                "action": "Deny",
                "name": "globalnetworkpolicy/deny spec.ingress[0]",
                "from": [{"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "bad"}}}}],
            }
        ],
    }
    told = verdicts(found)
    assert told["globalnetworkpolicy/deny", "spec.ingress[0]"] is Verdict.EXACT
    # What no rule allows is denied, too: that takes a NetworkPolicy in every namespace.
    assert told["globalnetworkpolicy/deny", ""] is Verdict.EXACT_NOW
    assert [o.ref.namespace for o in found.outputs if not o.is_cluster_wide] == ["bank", "shop"]


def test_nobody_asked_for_it() -> None:
    found, written = said(calico({"action": "Deny", "source": {"selector": "app == 'bad'"}}), options=Options(vpc=VPC))
    assert written == []
    assert {j.verdict for j in found.judged} == {Verdict.EXACT_NOW}


def test_what_stays_is_masked_as_before() -> None:
    own = {"metadata": {"name": "open", "namespace": "shop"}, "spec": {"podSelector": {}, "ingress": [{}]}}
    mine = world(network_policies=msgspec.convert([own], tuple[NetworkPolicy, ...]))
    stack = calico({"action": "Deny", "source": {"selector": "app == 'bad'"}}, mine=mine, order=10)
    assert Verdict.LOOSER in set(verdicts(translate(stack, mine, Options(vpc=VPC))).values())
    found, written = said(stack, mine)
    assert [spec["tier"] for spec in written] == ["Admin"]
    assert Verdict.LOOSER not in set(verdicts(found).values())
    assert not found.refused


def test_rules_keep_their_order_and_denials_of_namespaces_their_exceptions() -> None:
    rules = [
        {"action": "Pass", "from": [{"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "probe"}}}}]},
        {"action": "Accept", "from": [ns("mesh")], "protocols": [{"tcp": {"destinationPort": {"number": 443}}}]},
        {"action": "Deny", "from": [{"namespaces": {}}]},
    ]
    found, written = said(upstream(admin("base", rules)))
    by_action = {spec["ingress"][0]["action"]: spec for spec in written}
    assert {action: spec["priority"] for action, spec in by_action.items()} == {"Pass": 110, "Accept": 120, "Deny": 130}
    assert by_action["Accept"]["ingress"][0]["ports"] == [{"portNumber": {"protocol": "TCP", "port": 443}}]
    assert set(verdicts(found).values()) == {Verdict.EXACT}
    assert len(found.outputs) == 3


def test_egress_to_pods_is_denied_where_they_are_since_a_service_would_lead_around_it() -> None:
    vault = {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "vault"}}}}
    rules = [
        {"action": "Accept", "to": [ns("dns")], "protocols": [{"tcp": {"destinationPort": {"number": 53}}}]},
        {"action": "Deny", "to": [vault], "protocols": [{"tcp": {}}]},
    ]
    found, written = said(upstream(admin("out", rules, direction="egress", subject=ns("web"))))
    assert all(set(spec) == {"tier", "priority", "subject", "ingress"} for spec in written)
    assert all(rule["from"] == [ns("web")] and rule["action"] == "Deny" for spec in written for rule in spec["ingress"])
    # Of the pods that are DNS too, all but that port; of the others, everything.
    others = {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["dns"]}]}
    assert [(spec["subject"]["pods"], spec["ingress"][0]["ports"]) for spec in written] == [
        ({**vault["pods"], "namespaceSelector": others}, [tcp(1, 65535)]),
        (vault["pods"], [tcp(1, 52), tcp(54, 65535)]),
    ]
    assert verdicts(found)["clusternetworkpolicy.policy.networking.k8s.io/out", "spec.egress[1]"] is Verdict.EXACT


def tcp(start: int, end: int) -> Json:
    return {"portRange": {"protocol": "TCP", "start": start, "end": end}}


def test_egress_to_addresses_beyond_the_vpc_is_egress() -> None:
    mine = world()
    peer = {"nets": ["203.0.113.0/24", "198.51.100.7/32"]}
    stack = calico({"action": "Deny", "destination": peer}, direction="Egress", mine=mine)
    _, [spec] = said(stack, mine)
    assert [rule["to"] for rule in spec["egress"]] == [[{"networks": ["198.51.100.7/32", "203.0.113.0/24"]}]]


@pytest.mark.parametrize(
    ("direction", "rule"),
    [
        # Named ports end the controller, and ingress knows pods alone.
        (
            "Ingress",
            {"action": "Deny", "protocol": "TCP", "destination": {"ports": ["http"]}, "source": {"selector": "a == 'b'"}},
        ),
        ("Ingress", {"action": "Deny", "source": {"nets": ["203.0.113.0/24"]}}),
        ("Ingress", {"action": "Deny"}),
        # Addresses of pods and Services: egress is judged before the one becomes the other.
        ("Egress", {"action": "Deny", "destination": {"nets": ["10.0.0.0/8"]}}),
        ("Egress", {"action": "Deny", "destination": {"nets": ["172.20.0.0/16"]}}),
        # Neither ICMP alone nor what only values of today say.
        ("Ingress", {"action": "Deny", "protocol": "ICMP", "source": {"selector": "a == 'b'"}}),
        ("Ingress", {"action": "Deny", "source": {"selector": "a contains 'b'"}}),
    ],
)
def test_what_cannot_be_said_exactly_is_left_to_networkpolicies(direction: str, rule: Json) -> None:
    service = {"metadata": {"name": "s", "namespace": "shop"}, "spec": {"clusterIP": "172.20.0.10"}}
    mine = world(services=msgspec.convert([service], tuple[Service, ...]))
    found, written = said(calico(rule, direction=direction, mine=mine), mine)
    assert written == []
    assert found.outputs


def test_everything_denied_to_everywhere_is_every_address() -> None:
    _, [spec] = said(calico({"action": "Deny"}, direction="Egress", selector="quarantine == 'yes'"))
    assert spec["egress"][0]["to"] == [{"networks": ["0.0.0.0/0"]}]
    assert "ports" not in spec["egress"][0]


def test_denials_of_cilium_hold_before_everything_else() -> None:
    mine = world()
    body = {"endpointSelector": {}, "ingressDeny": [{"fromEndpoints": [{"matchLabels": {"app": "bad"}}]}]}
    policy = {"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy", "metadata": {"name": "deny"}, "spec": body}
    found, [spec] = said(read_cilium([policy], (), mine), mine)
    assert spec["ingress"][0]["action"] == "Deny"
    [peer] = spec["ingress"][0]["from"]
    assert peer == {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "bad"}}}}
    assert verdicts(found)["ciliumclusterwidenetworkpolicy/deny", "spec.ingressDeny[0]"] is Verdict.EXACT


BEHIND = admin("base", [{"action": "Deny", "from": [ns("lab")]}], tier="Baseline", subject=ns("web"))


def test_what_comes_behind_networkpolicies_is_the_baseline_tier() -> None:
    found, [spec] = said(upstream(BEHIND))
    assert (spec["tier"], spec["subject"]) == ("Baseline", ns("web"))
    assert set(verdicts(found).values()) == {Verdict.EXACT}


@pytest.mark.parametrize(
    ("types", "tiers"), [(["Ingress"], ["Baseline"]), (["Egress"], []), (["Ingress", "Egress"], ["Baseline"])]
)
def test_the_agent_does_not_ask_the_baseline_where_a_networkpolicy_of_the_other_direction_is(
    types: list[str], tiers: list[str]
) -> None:
    own = {"metadata": {"name": "own", "namespace": "shop"}, "spec": {"podSelector": {}, "policyTypes": types}}
    mine = world(network_policies=msgspec.convert([own], tuple[NetworkPolicy, ...]))
    found, written = said(upstream(BEHIND, mine=mine), mine)
    assert [spec["tier"] for spec in written] == tiers
    assert Verdict.LOOSER not in set(verdicts(found).values())


def test_more_than_the_agent_holds_for_an_address_is_not_said() -> None:
    denied = [{"action": "Deny", "protocol": "TCP", "source": {"selector": f"k{n} == 'x'"}} for n in range(40)]
    found, written = said(calico(*denied))
    assert sum(len(spec["ingress"][0]["ports"]) for spec in written) == 24
    assert Verdict.LOOSER not in set(verdicts(found).values())


def test_there_are_priorities_for_deep_orders() -> None:
    rules: list[Json] = [
        {"action": ("Deny", "Accept")[n % 2], "from": [ns(f"t{n // 2}"), ns(f"t{n // 2 + 1}")], "protocols": [{"tcp": {}}]}
        for n in range(10)
    ]
    _, written = said(upstream(admin("deep", rules)))
    numbers = [spec["priority"] for spec in written]
    assert numbers
    assert all(0 <= n <= 1000 for n in numbers)


def test_names_are_free_and_stay() -> None:
    stack = calico({"action": "Deny", "source": {"selector": "app == 'bad'"}})
    first = next(o.ref.name for o in said(stack)[0].outputs if o.is_cluster_wide)
    assert first == next(o.ref.name for o in said(stack)[0].outputs if o.is_cluster_wide)
    written = files(said(stack)[0])
    assert f"cluster/{first}.yaml" in written
    assert f"cluster/{first}.yaml" in written[KUSTOMIZATION]


def test_beside_those_of_others_none_is_written() -> None:
    spec = {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}}
    own = msgspec.convert([{"metadata": {"name": "theirs"}, "spec": spec}], tuple[ClusterNetworkPolicy, ...])
    mine = world(cluster_policies=own)
    found, written = said(calico({"action": "Deny", "source": {"selector": "app == 'bad'"}}, mine=mine), mine)
    assert written == []
    assert any("theirs" in note for note in found.notes)


# --- laws -------------------------------------------------------------------------------------------------------------

BLOCK = 75


@pytest.mark.parametrize("start", range(0, 300, BLOCK))
def test_cluster_wide_and_namespaced_together_let_through_what_the_tiers_did(start: int) -> None:
    seen: Counter[str] = Counter()
    for number in range(start, start + BLOCK):
        mine, stack = tiered(number)
        found = translate(stack, mine, Options(profile=PROFILE, vpc=VPC, compare=False, cluster_policies=True))
        told = {j.verdict for j in found.judged}
        different = dict(differences(mine, stack, found.outputs))
        assert "more" not in different or Verdict.LOOSER in told, (number, different)
        assert "less" not in different or told & {Verdict.STRICTER, Verdict.NONE, Verdict.LOOSER}, (number, different)
        for one in (o.manifest["spec"] for o in found.outputs if o.is_cluster_wide):
            seen[f"{one['tier']} {[*one.get('ingress', ()), *one.get('egress', ())][0]['action']}"] += 1
    assert {"Admin Deny", "Admin Accept", "Admin Pass", "Baseline Deny"} <= set(seen)


# --- the real thing ---------------------------------------------------------------------------------------------------


@pytest.fixture
def with_kind(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """A control plane that knows the kind, for as long as a test lasts."""
    name = "crd/clusternetworkpolicies.networking.k8s.aws"
    control_plane.apply(CRD)
    control_plane.did("wait", "--for=condition=Established", name, "--timeout=30s")
    yield control_plane
    control_plane.did("delete", name)


@pytest.mark.testbed
def test_the_api_server_takes_them_all(with_kind: ControlPlane) -> None:
    allowed = Options(profile=PROFILE, vpc=VPC, compare=False, cluster_policies=True)
    made = [translate(stack, mine, allowed).outputs for mine, stack in map(tiered, range(60))]
    objects = [dict(output.manifest) for outputs in made for output in outputs if output.is_cluster_wide]
    # The same name comes again from one cluster to the next.
    named = {f"n{at}": one | {"metadata": one["metadata"] | {"name": f"n{at}"}} for at, one in enumerate(objects)}
    whole = {"apiVersion": "v1", "kind": "List", "items": list(named.values())}
    with_kind.did("create", "--validate=strict", "-f", "-", stdin=json.dumps(whole))
    taken = with_kind.get("clusternetworkpolicies.networking.k8s.aws")["items"]
    assert len(named) > 100
    assert {one["metadata"]["name"]: one["spec"] for one in taken} == {name: one["spec"] for name, one in named.items()}
