"""The parts every plan is made of: roll-out, basis, merged documents, flags."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from eksnetpol.facts.addon_document import read_schema, violations
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.vpc_cni import flags_of
from eksnetpol.model.conditions import FlagIs
from eksnetpol.model.eks import AddonSchema
from eksnetpol.model.kubernetes import RollingUpdate
from eksnetpol.model.plan import Rollout, Verb
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.planning import places
from eksnetpol.planning.basis import basis
from eksnetpol.planning.merge import changed_leaves, has_key, merged, schema_for
from eksnetpol.planning.patching import flipped, spelled, tells
from eksnetpol.planning.rollout import at_a_time, patience, rollout
from tests.planning.clusters import facts_of, look, managed, schema, self_managed

Json = dict[str, Any]
SCHEMA = read_schema(schema()["configurationSchema"])


# --- roll-out -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "nodes", "at_once"),
    [
        (RollingUpdate("10%"), 15, 2),
        (RollingUpdate("10%"), 5, 1),
        (RollingUpdate(3), 100, 3),
        (RollingUpdate(0, "25%"), 10, 3),
        (RollingUpdate(0, 0), 10, 1),
        (RollingUpdate("1%"), 0, 1),
        (None, 5000, 500),
    ],
)
def test_shares_are_rounded_up_and_never_to_nothing(strategy: RollingUpdate | None, nodes: int, at_once: int) -> None:
    assert at_a_time(strategy, nodes) == at_once


def with_strategy(**strategy: Any) -> Lookup:
    return facts_of(self_managed(aws_node={"desired": 20, "spec": {"updateStrategy": strategy}}))


def test_a_rollout_is_estimated_in_turns() -> None:
    found = rollout(with_strategy(type="RollingUpdate", rollingUpdate={"maxUnavailable": "10%"}))
    assert found == Rollout(nodes=20, at_once=2, seconds=200.0)
    assert patience(found) == 600.0
    assert patience(Rollout(5000, 50, 2000.0)) == 6000.0


def test_with_on_delete_nothing_rolls_by_itself() -> None:
    assert rollout(with_strategy(type="OnDelete")) == Rollout(20, 0, None, on_delete=True)


# --- basis --------------------------------------------------------------------------------------------------------------


def changed(short: Json, **sections: Any) -> set[str]:
    """Return what of the basis moves when sections change."""
    before, after = basis(facts_of(short), Verb.ENABLE), basis(facts_of(short | sections), Verb.ENABLE)
    return {name for name in before | after if before.get(name) != after.get(name)}


def test_a_plan_is_stale_when_what_it_was_made_from_has_moved() -> None:
    short = managed(node_classes=[{"name": "default", "kind": "NodeClass"}])
    node = short["aws_node"]
    assert changed(short, aws_node={**node, "env": {"WARM_IP_TARGET": "1"}}) == {"daemonset/kube-system/aws-node"}
    assert changed(short, configmaps=[]) == {"configmap/kube-system/amazon-vpc-cni"}
    assert changed(short, addon={**short["addon"], "configurationValues": "{}"}) == {"add-on vpc-cni"}
    assert changed(short, addon=None) == {"add-on vpc-cni"}
    assert changed(short, cluster_roles=[{"name": "aws-node", "rules": []}]) == {"clusterrole/aws-node"}
    assert changed(short, crds=[]) == {"definitions"}
    assert changed(short, node_classes=[{"name": "default", "spec": {"networkPolicy": "DefaultDeny"}}]) == {"nodeclass/default"}
    assert changed(short, cluster={**short["cluster"], "version": "1.32"}) == {"cluster"}


def test_a_roll_out_that_goes_on_makes_no_plan_stale() -> None:
    short = managed()
    assert not changed(short, aws_node={**short["aws_node"], "updated": 1, "ready": 0, "observed": 2})
    assert not changed(short, addon={**short["addon"], "status": "UPDATING"})
    assert not changed(
        short, nodes=[{"name": "node-b", "ready": False}], pods=[{"name": "new"}], network_policies=[{"name": "p"}]
    )


def test_disabling_stands_on_the_policies_and_upgrading_on_what_is_offered() -> None:
    short = managed(network_policies=[{"name": "a", "uid": "1"}], addon_releases=[{"addonVersion": "v1.20.5-eksbuild.1"}])
    other = short | {"network_policies": [{"name": "a", "uid": "2"}], "addon_releases": [{"addonVersion": "v1.21.1-eksbuild.1"}]}
    for verb, moved in ((Verb.ENABLE, set()), (Verb.DISABLE, {"policies"}), (Verb.UPGRADE, {"add-on versions on offer"})):
        before, after = basis(facts_of(short), verb), basis(facts_of(other), verb)
        assert {name for name in before if before[name] != after[name]} == moved


def test_a_basis_survives_being_saved() -> None:
    from eksnetpol.gateways.snapshot_file import decode, encode

    found: ClusterSnapshot = look(managed())
    again = decode(encode(found), "here")
    assert basis(Lookup(found), Verb.UPGRADE) == basis(Lookup(again), Verb.UPGRADE)


def test_an_unread_section_is_no_basis() -> None:
    snapshot = look(managed())
    assert isinstance(snapshot.crds, Seen)
    assert "definitions" not in basis(Lookup(replace(snapshot, crds=ClusterSnapshot().crds)), Verb.ENABLE)


# --- merging ------------------------------------------------------------------------------------------------------------


def test_keys_are_found_through_references() -> None:
    assert has_key(SCHEMA, "enableNetworkPolicy")
    assert has_key(SCHEMA, "nodeAgent.logLevel")
    assert not has_key(SCHEMA, "env.VPC_ID")
    assert not has_key(SCHEMA, "nothing.at.all")
    assert not has_key({"$ref": "#/definitions/A", "definitions": {"A": {"$ref": "#/definitions/A"}}}, "x")
    assert not has_key({"$ref": "https://example.com/elsewhere"}, "x")


def test_a_schema_is_only_that_of_its_version() -> None:
    found = AddonSchema("v1", "{}")
    assert schema_for(found, "v1") == {}
    assert schema_for(found, "v2") is None
    assert schema_for(None, "v1") is None


TEXTS = st.sampled_from(["true", "false", "5", "x", ""])
ENV = st.sampled_from(["WARM_IP_TARGET", "ENABLE_POD_ENI", "MAX_ENI"])
VALUES = st.one_of(TEXTS, st.booleans(), st.integers(0, 9))
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "enableNetworkPolicy": VALUES,
        "env": st.dictionaries(ENV, VALUES, max_size=2),
        "nodeAgent": st.dictionaries(st.sampled_from(["enableCloudWatchLogs", "logLevel"]), VALUES, max_size=2),
        "livenessProbeTimeoutSeconds": st.integers(1, 60),
        "WARM_IP_TARGET": VALUES,
        "logLevel": TEXTS,
    },
)


@given(
    DOCUMENTS, st.dictionaries(st.sampled_from(["enableNetworkPolicy", "env.MAX_ENI", "nodeAgent.logLevel"]), TEXTS, max_size=3)
)
def test_a_merged_document_is_the_stored_one_with_the_wanted_keys(stored: Json, wanted: dict[str, str]) -> None:
    before = json.dumps(stored)
    found = merged(stored, wanted, SCHEMA)
    assert json.dumps(stored) == before, "what is stored stays as it is"
    assert not list(violations(found.document, SCHEMA)), "every mistake here is one that can be put right"
    assert not found.refused
    differing = changed_leaves(stored, found.document)
    if not found.is_corrected:
        assert differing.keys() <= wanted.keys()
    again = merged(found.document, wanted, SCHEMA)
    assert again.document == found.document
    assert not again.is_corrected
    for path, value in wanted.items():
        assert dict(_leaves(found.document))[path] == value


def _leaves(document: Json, above: str = "") -> Any:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


# --- flags --------------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        ["--log-level=info"],
        ["--log-level", "info"],
        ["--enable-ipv6=false"],
        ["--enable-network-policy", "false"],
        ["--enable-network-policy=false"],
        ["-enable-network-policy=1"],
        ["--v", "2"],
        ["stray"],
    ]
)
ARGS = st.lists(WORDS, max_size=6).map(lambda words: [word for some in words for word in some])


@given(ARGS, st.sampled_from(["true", "false"]))
def test_flipping_a_switch_touches_no_other_flag(args: list[str], value: str) -> None:
    found = flipped(args, "enable-network-policy", value)
    before, after = flags_of(tuple(args)), flags_of(tuple(found))
    assert after.pop("enable-network-policy") == value
    before.pop("enable-network-policy", None)
    assert after == before
    assert flipped(found, "enable-network-policy", value) == found
    assert spelled(found, "enable-network-policy") == f"--enable-network-policy={value}"


def test_a_flags_condition_is_read_as_the_agent_reads_it() -> None:
    def node(*args: str) -> Json:
        return places.aws_node({"containers": [{"name": "aws-eks-nodeagent", "args": list(args)}]})

    on, off = places.agent_told("true"), places.agent_told("false")
    assert tells(node("--enable-network-policy=T"), on)
    assert tells(node("--enable-network-policy"), on)
    assert tells(node("--log-level=info"), off), "a switch that is not there is off"
    assert tells(node(), off)
    assert not tells(node("--enable-network-policy=false"), on)
    assert not tells(None, off)
    level = FlagIs(places.AWS_NODE, ("aws-eks-nodeagent",), "log-level", "info")
    assert tells(node("--log-level", "info"), level)
    assert not tells(node(), level)
