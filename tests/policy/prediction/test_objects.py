"""How entries are told apart, packed into objects and merged within them: one small test for each rule."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eksnetpol.gateways.pods import PodReducer, WirePod
from eksnetpol.model.kubernetes import Namespace, Service
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.prediction.predict import predict
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.world import World
from tests.policy.prediction.small import WEB, egress, ingress, opened, pod, policy, predicted, specs, tcp, world
from tests.policy.prediction.test_against_the_oracle import shape

RECORDED = Path(__file__).parents[2] / "data" / "policyendpoints"

# --- told apart -------------------------------------------------------------------------------------------------------


def test_entries_whose_words_run_together_are_taken_for_one_and_the_last_is_kept() -> None:
    block = {"ipBlock": {"cidr": "10.0.0.0/8"}}
    rules = [{"to": [block], "ports": [tcp(80, 81)]}, {"to": [block], "ports": [tcp(8081)]}]
    assert opened(world([], policy(egress=rules))) == {"10.0.0.0/8": "TCP 8081"}
    assert opened(world([], policy(egress=rules[::-1]))) == {"10.0.0.0/8": "TCP 80-81"}


def test_such_entries_of_different_addresses_both_stay() -> None:
    one, other = ({"ipBlock": {"cidr": cidr}} for cidr in ("10.0.0.0/8", "10.0.0.0/16"))
    rules = [{"to": [one], "ports": [tcp(80, 81)]}, {"to": [other], "ports": [tcp(8081)]}]
    assert opened(world([], policy(egress=rules))) == {"10.0.0.0/8": "TCP 80-81", "10.0.0.0/16": "TCP 8081"}


def test_the_order_of_ports_tells_entries_apart_until_they_are_merged() -> None:
    block = {"ipBlock": {"cidr": "10.0.0.0/8"}}
    rules = [{"to": [block], "ports": [tcp(80), tcp(81)]}, {"to": [block], "ports": [tcp(81), tcp(80)]}]
    one = world([], policy(egress=rules))
    assert [c.egress for c in predicted(one).counts()] == [2]
    assert opened(one) == {"10.0.0.0/8": "TCP 80, TCP 81"}


def test_two_peers_that_mean_one_pod_are_one_entry() -> None:
    one = world([pod("a", "10.0.0.1", app="web")], egress({"podSelector": {}}, {"podSelector": WEB}))
    assert [c.egress for c in predicted(one).counts()] == [1]


def test_two_pods_that_are_seen_with_one_address_are_one_entry() -> None:
    one = world([pod("a", "10.0.0.1"), pod("b", "10.0.0.1", app="web")], egress({"podSelector": {}}))
    assert [(c.pods, c.egress) for c in predicted(one).counts()] == [(2, 1)]
    assert opened(one) == {"10.0.0.1": "all"}


def test_two_rules_that_open_the_same_names_to_the_same_peers_are_noted() -> None:
    pods = [pod("a", "10.0.0.1", ports=["http=80", "admin=81"]), pod("b", "10.0.0.2", app="web")]
    rule = {"from": [{"podSelector": WEB}], "ports": [tcp("http"), tcp("admin")]}
    of = world(pods, policy(ingress=[rule, rule]), policy("apart", ingress=[rule, {**rule, "ports": [tcp("http")]}]))
    (note,) = predicted(of).notes
    assert (str(note.subject), note.left_out) == ("networkpolicy/shop/np", False)
    assert "entries may be there twice" in note.words


# --- packed -----------------------------------------------------------------------------------------------------------


def crowd(count: int) -> list[dict[str, Any]]:
    return [pod(f"p-{i}", f"10.0.{i >> 8}.{i & 255}") for i in range(count)]


@pytest.mark.parametrize(("pods", "objects"), [(0, 1), (1, 1), (200, 1), (201, 2), (400, 2), (401, 3)])
def test_each_list_fills_objects_of_200(pods: int, objects: int) -> None:
    one = world(crowd(pods), ingress({"podSelector": {}}))
    made = specs(one)
    assert len(made) == objects
    assert [c.objects for c in predicted(one).counts()] == [objects]
    lists = [[len(s.get(key, [])) for s in made] for key in ("ingress", "podSelectorEndpoints")]
    assert lists == [[min(200, max(0, pods - 200 * i)) for i in range(objects)]] * 2


def test_lists_share_objects() -> None:
    block = [{"ipBlock": {"cidr": f"10.{i}.0.0/16"}} for i in range(3)]
    one = policy(ingress=[{"from": block}], egress=[{"to": block[:1]}], podSelector=WEB)
    made = specs(world([], one), size=2)
    assert [(len(s.get("ingress", [])), len(s.get("egress", []))) for s in made] == [(2, 1), (1, 0)]


def test_every_object_bears_the_policy_whole() -> None:
    made = specs(world(crowd(3), policy(podSelector={"matchLabels": {"app": "api"}}, policyTypes=["Egress"])), size=1)
    assert len(made) == 3
    for spec in made:
        assert spec["podSelector"] == {"matchLabels": {"app": "api"}}
        assert spec["podIsolation"] == ["Egress"]
        assert spec["policyRef"] == {"name": "np", "namespace": "shop"}


def test_a_chunk_has_room_for_one_at_least() -> None:
    with pytest.raises(ValueError, match="one entry or more, not 0"):
        predict(world([]), Profile(), 0)


# --- merged -----------------------------------------------------------------------------------------------------------

RULES = [{"to": [{"podSelector": {}}], "ports": [tcp(80)]}, {"to": [{"podSelector": WEB}], "ports": [tcp(81), tcp(80)]}]
PODS = [pod("a", "10.0.0.1"), pod("b", "10.0.0.2", app="web")]


def test_entries_of_one_address_become_one_with_each_port_once() -> None:
    assert opened(world(PODS, policy(egress=RULES))) == {"10.0.0.1": "TCP 80", "10.0.0.2": "TCP 80, TCP 81"}


def test_all_ports_beside_some_stay_all_ports_since_1_1_3() -> None:
    one = world(PODS, policy(egress=[{"to": [{"podSelector": {}}]}, RULES[1]]))
    assert opened(one, release="1.1.3") == {"10.0.0.1": "all", "10.0.0.2": "all"}
    assert opened(one, release="1.1.2") == {"10.0.0.1": "all", "10.0.0.2": "TCP 80, TCP 81"}


def test_exceptions_keep_entries_apart_since_1_1_3() -> None:
    whole, holed = ({"ipBlock": {"cidr": "10.0.0.0/8", **more}} for more in ({}, {"except": ["10.1.0.0/16"]}))
    one = world([], policy(egress=[{"to": [holed], "ports": [tcp(80)]}, {"to": [whole], "ports": [tcp(53)]}]))
    assert Counter(map(shape, specs(one)[0]["egress"])) == Counter(
        map(
            shape,
            [
                {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"], "ports": [tcp(80)]},
                {"cidr": "10.0.0.0/8", "ports": [tcp(53)]},
            ],
        )
    )
    (only,) = specs(one, "1.1.2")[0]["egress"]
    assert shape(only) == shape({"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"], "ports": [tcp(80), tcp(53)]})


def test_exceptions_in_another_order_are_the_same() -> None:
    orders = (["10.1.0.0/16", "10.2.0.0/16"], ["10.2.0.0/16", "10.1.0.0/16"])
    blocks = [{"ipBlock": {"cidr": "10.0.0.0/8", "except": order}} for order in orders]
    one = world([], policy(egress=[{"to": [b], "ports": [tcp(80 + i)]} for i, b in enumerate(blocks)]))
    assert opened(one) == {"10.0.0.0/8": "TCP 80, TCP 81"}
    assert [c.egress for c in predicted(one).counts()] == [2]


def test_the_oldest_releases_merge_nothing() -> None:
    made = specs(world(PODS, policy(egress=RULES)), "1.0.6")[0]["egress"]
    assert Counter(e["cidr"] for e in made) == {"10.0.0.1": 1, "10.0.0.2": 2}


def test_two_peers_on_the_host_network_of_one_node_are_merged() -> None:
    pods = [pod("h", "10.0.9.9", host=True, ports=["http=80"]), pod("i", "10.0.9.9", host=True, app="web", ports=["http=81"])]
    one = world(pods, egress({"podSelector": {}}, ports=[tcp("http")]))
    assert opened(one) == {"10.0.9.9": "TCP 80, TCP 81"}


def test_nothing_is_merged_across_objects() -> None:
    one = world(PODS[1:], policy(egress=RULES))
    assert [[len(e["ports"]) for e in s["egress"]] for s in specs(one, size=1)] == [[1], [2]]


# --- the recording ----------------------------------------------------------------------------------------------------


def recorded(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((RECORDED / f"{name}.json").read_bytes())["items"]
    return found


def recorded_world() -> World:
    kinds: dict[str, list[dict[str, Any]]] = {}
    for item in recorded("cluster"):
        kinds.setdefault(item["kind"], []).append(item)
    reduce = PodReducer()
    pods = tuple(reduce(msgspec.json.decode(msgspec.json.encode(p), type=WirePod)) for p in kinds["Pod"])
    spaces, services, policies = (
        msgspec.convert(kinds[kind], list[of])  # type: ignore[valid-type]
        for kind, of in (("Namespace", Namespace), ("Service", Service), ("NetworkPolicy", NetworkPolicy))
    )
    return World(pods=pods, namespaces=tuple(spaces), services=tuple(services), network_policies=tuple(policies))


def as_recorded(item: dict[str, Any]) -> str:
    """An object without what the API server adds, and without the order of its lists."""
    meta, spec = item["metadata"], dict(item["spec"])
    for key in ("ingress", "egress"):
        if key in spec:
            spec[key] = sorted(shape(e) for e in spec[key])
    if "podSelectorEndpoints" in spec:
        spec["podSelectorEndpoints"] = sorted(json.dumps(p, sort_keys=True) for p in spec["podSelectorEndpoints"])
    kept = {key: meta[key] for key in ("generateName", "namespace", "ownerReferences")}
    return json.dumps([item["apiVersion"], item["kind"], kept, spec], sort_keys=True)


def test_what_the_real_controller_wrote_for_two_applications_is_predicted_to_the_letter() -> None:
    made = [json.loads(d) for d in predict(recorded_world(), Profile()).documents()]
    assert Counter(map(as_recorded, made)) == Counter(map(as_recorded, recorded("policyendpoints")))
    assert len(made) == 19


def test_the_typed_objects_say_what_the_documents_say() -> None:
    prediction = predict(recorded_world(), Profile())
    documents = [json.loads(d) for d in prediction.documents()]
    for made, document in zip(prediction.objects(), documents, strict=True):
        assert made.metadata.generate_name == document["metadata"]["generateName"]
        assert [e.cidr for e in made.spec.ingress] == [e["cidr"] for e in document["spec"].get("ingress", [])]
        assert [p.name for p in made.spec.pod_selector_endpoints] == [
            p["name"] for p in document["spec"].get("podSelectorEndpoints", [])
        ]


def test_entries_written_out_are_those_of_the_objects() -> None:
    prediction = predict(recorded_world(), Profile())
    for resolved in prediction.policies:
        (document,) = prediction.documents_of(resolved)
        for direction, key in ((Direction.INGRESS, "ingress"), (Direction.EGRESS, "egress")):
            want = {e["cidr"] for e in json.loads(document)["spec"].get(key, [])}
            assert {e.cidr for e in prediction.entries(resolved, direction)} == want
