"""Malformed policies are refused for the fields that the API server names; `test_refusals.py` asks the real one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.versions import KubernetesVersion
from eksnetpol.policy.validation import STRICT_CIDRS, flaws, validate
from eksnetpol.policy.validation_kinds import KINDS
from eksnetpol.policy.validation_shapes import misshapen, type_of
from eksnetpol.policy.validation_words import Block, label_value_fault, read_block
from tests.policy.refused import REFUSED, TAKEN, Refused

OLDER = KubernetesVersion(1, 35)


def fields(policy: dict[str, Any], server: KubernetesVersion | None = None) -> set[str]:
    return {flaw.field for flaw in flaws(policy["apiVersion"].partition("/")[0], policy["kind"], policy, server)}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_the_fields_are_named(case: Refused) -> None:
    assert fields(case.policy, STRICT_CIDRS) == case.by(strict=True)
    assert fields(case.policy, OLDER) == fields(case.policy) == case.by(strict=False)


@pytest.mark.parametrize("policy", TAKEN.values(), ids=list(TAKEN))
def test_what_is_right_passes(policy: dict[str, Any]) -> None:
    assert fields(policy, STRICT_CIDRS) == set()


DECODED = [
    case
    for name, case in REFUSED.items()
    # What is decoded has no members that nobody knows, and of annotations only those that are read.
    if case.policy["kind"] == "NetworkPolicy"
    and "unknown m" not in name
    and name not in {"annotations", "peer with unknown member"}
]


@pytest.mark.parametrize("case", DECODED)
def test_a_policy_that_decodes_is_judged_as_its_text_is(case: Refused) -> None:
    try:
        policy = msgspec.convert(case.policy, NetworkPolicy)
    except msgspec.ValidationError:
        return
    for server, strict in ((OLDER, False), (STRICT_CIDRS, True)):
        assert {problem.field for problem in validate(policy, server)} == case.by(strict=strict)


def test_problems_say_whose_they_are() -> None:
    policy = msgspec.convert(REFUSED["range upside down"].policy, NetworkPolicy)
    (problem,) = validate(policy)
    assert str(problem) == "networkpolicy/a: spec.egress[1].ports[0].endPort: 10 is below port, which is 20"


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("port in quotes", "'80' is a text of digits, which no port is called; write the number without quotes"),
        ("unknown metadata", "there is no such field here; did you mean annotations?"),
        ("number for a label", "a: expected a text, found the number 1; put it in quotes"),
        ("host bits of ipv6", "'fd00::1/64' has bits set beyond its length; expected fd00::/64"),
        (
            "cidr without a length",
            "'10.0.0.0' is no CIDR; expected one such as 10.9.8.0/24 or 2001:db8::/64, with its length",
        ),
    ],
)
def test_messages_say_what_to_do(case: str, message: str) -> None:
    policy = REFUSED[case].policy
    (flaw,) = flaws("networking.k8s.io", "NetworkPolicy", policy, STRICT_CIDRS)
    assert flaw.message == message


def test_selectors_that_custom_definitions_do_not_look_into_are_named_all_the_same() -> None:
    selector = {"matchExpressions": [{"key": "a", "operator": "Equals"}]}
    policy = {
        "apiVersion": "networking.k8s.aws/v1alpha1",
        "kind": "ClusterNetworkPolicy",
        "metadata": {"name": "a"},
        "spec": {"tier": "Admin", "priority": 1, "subject": {"namespaces": selector}},
    }
    assert fields(policy) == {"spec.subject.namespaces.matchExpressions[0].operator"}


# --- laws -------------------------------------------------------------------------------------------------------------

networks = st.ip_addresses().flatmap(
    lambda a: st.integers(0, 32 if a.version == 4 else 128).map(lambda bits: (int(a), bits, a.version == 4, f"{a}/{bits}"))
)


@given(networks)
def test_every_network_is_read_as_it_is(network: tuple[int, int, bool, str]) -> None:
    address, bits, is_v4, text = network
    host = (32 if is_v4 else 128) - bits
    block = read_block(text)
    assert block == Block(address >> host << host, bits, is_v4, block.fault if block else "")
    assert block is not None
    assert bool(block.fault) == (address >> host << host != address or (not is_v4 and address >> 32 == 0xFFFF))


@given(networks, networks)
def test_a_block_holds_another_as_sets_do(outer: tuple[int, int, bool, str], inner: tuple[int, int, bool, str]) -> None:
    a, b = read_block(outer[3]), read_block(inner[3])
    assert a is not None
    assert b is not None
    host = (32 if outer[2] else 128) - outer[1]
    if not any(not v4 and number >> 32 == 0xFFFF for number, _, v4, _ in (outer, inner)):
        assert a.holds(b) == (outer[2] == inner[2] and b.address >> host == outer[0] >> host)


@given(st.text(max_size=8))
def test_anything_that_is_no_network_is_none_and_no_crash(text: str) -> None:
    block = read_block(text)
    assert block is None or "/" in text
    assert isinstance(label_value_fault(text), str)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "spec",
                    "ingress",
                    "egress",
                    "from",
                    "to",
                    "ports",
                    "port",
                    "podSelector",
                    "matchLabels",
                    "subject",
                    "pods",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    json_values,
    st.sampled_from(sorted({(c.policy["apiVersion"].partition("/")[0], c.policy["kind"]) for c in REFUSED.values()})),
)
def test_no_value_makes_it_stumble(value: Any, kind: tuple[str, str]) -> None:
    found = flaws(*kind, {"metadata": {"name": "a"}, "spec": value})
    assert all(flaw.field.startswith("spec") and flaw.message for flaw in found)


SHAPE = KINDS["networking.k8s.io", "NetworkPolicy"]
FITTING = type_of(SHAPE)


@given(json_values)
def test_the_quick_look_sees_a_fault_exactly_where_the_slow_one_does(value: Any) -> None:
    for policy in (value, {"metadata": {}, "spec": value}, {"spec": {"podSelector": {}, "ingress": [{"from": value}]}}):
        try:
            msgspec.convert(policy, FITTING)
        except msgspec.ValidationError:
            fits = False
        else:
            fits = True
        assert fits == (not list(misshapen(policy, SHAPE)))
