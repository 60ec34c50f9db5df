"""Digests of objects: what means nothing changes none, what somebody said changes them."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.model.fingerprints import digest_of_objects, digests_of
from eksnetpol.model.foreign import foreign_policy
from eksnetpol.model.policies import NetworkPolicy

Json = dict[str, Any]

STANDARD: Json = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"team": "a"}, "uid": "1", "resourceVersion": "7"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "web"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 80}]}],
    },
}
CALICO: Json = {
    "apiVersion": "crd.projectcalico.org/v1",
    "kind": "GlobalNetworkSet",
    "metadata": {"name": "offices", "labels": {"role": "office"}, "annotations": {"a": "b"}},
    "spec": {"nets": ["192.0.2.0/24"]},
}


def without_meaning(found: Json, number: int) -> Json:
    """The same object with one thing changed that says nothing."""
    other = copy.deepcopy(found)
    meta = other["metadata"]
    match number:
        case 0:
            meta["uid"] = "another"
        case 1:
            meta["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
        case 2:
            meta["finalizers"] = ["networking.k8s.aws/resources"]
        case 3:
            meta["managedFields"] = [{"manager": "kubectl"}]
        case 4:
            other["status"] = {"conditions": []}
        case _:
            meta["resourceVersion"], meta["generation"] = "99", 5
    return other


@given(st.permutations([STANDARD, CALICO]), st.integers(0, 5), st.integers(0, 5))
def test_order_and_books_mean_nothing(order: list[Json], first: int, second: int) -> None:
    changed = [without_meaning(found, number) for found, number in zip(order, (first, second), strict=True)]
    assert digest_of_objects(changed) == digest_of_objects([STANDARD, CALICO])


@pytest.mark.parametrize(
    "change",
    [
        lambda o: o["spec"]["ingress"][0]["ports"][0].update(port=81),
        lambda o: o["spec"]["ingress"].append({}),
        lambda o: o["spec"]["podSelector"].clear(),
        lambda o: o["metadata"].update(name="other"),
        lambda o: o["metadata"].update(namespace="other"),
        lambda o: o["metadata"]["labels"].update(team="b"),
        lambda o: o["metadata"].pop("labels"),
    ],
)
def test_what_somebody_said_changes_it(change: Any) -> None:
    other = copy.deepcopy(STANDARD)
    change(other)
    assert digest_of_objects([other]) != digest_of_objects([STANDARD])
    assert digest_of_objects([STANDARD, CALICO]) != digest_of_objects([STANDARD])


def test_a_look_and_the_api_server_give_the_same() -> None:
    seen = msgspec.json.decode(msgspec.json.encode(msgspec.convert(STANDARD, NetworkPolicy)))
    assert digest_of_objects([{**seen, "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}]) == digest_of_objects(
        [STANDARD]
    )
    kept = foreign_policy(CALICO, CALICO["apiVersion"], CALICO["kind"]).body
    assert digest_of_objects([kept]) == digest_of_objects([CALICO])


def test_kinds_of_one_name_are_told_apart_by_their_group() -> None:
    calico = {**CALICO, "kind": "NetworkPolicy", "metadata": {"name": "web", "namespace": "shop"}}
    assert set(digests_of([STANDARD, calico])) == {
        "networkpolicy.networking.k8s.io/shop/web",
        "networkpolicy.crd.projectcalico.org/shop/web",
    }
