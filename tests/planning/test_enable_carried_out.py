"""Plans to enable, carried out in memory: they end well, planning again finds nothing to do, and the way back leads back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eksnetpol.facts.addon_document import read_schema, violations
from eksnetpol.facts.configuration import parse_values
from eksnetpol.facts.declare import Lookup
from eksnetpol.interfaces.acting import SilentWatcher
from eksnetpol.model.actions import CreateAddon, UpdateAddon
from eksnetpol.model.eks import AddonSchema
from eksnetpol.model.plan import Plan
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.operations.runs import MemoryJournal, perform, way_back
from eksnetpol.planning.enable import plan_enable
from eksnetpol.planning.options import EnableOptions
from eksnetpol.simulation.world import SimulatedCluster
from tests.planning.clusters import (
    ARGS,
    OFF,
    SWITCH,
    addon,
    adoptable,
    definition,
    look,
    managed,
    owned,
    schema,
    self_managed,
    variable,
)
from tests.planning.test_plan_parts import DOCUMENTS

Json = dict[str, Any]
SCHEMAS = {v: AddonSchema(v, schema(v)["configurationSchema"]) for v in ("v1.20.5-eksbuild.1", "v1.20.5-eksbuild.3")}
AUTO = {"name": "prod", "version": "1.31", "status": "ACTIVE", "computeConfig": {"enabled": True}}
CLASSES: Json = {
    "node_classes": [{"kind": "NodeClass", "name": "default"}],
    "crds": [
        definition("policyendpoints.networking.k8s.aws", "PolicyEndpoint"),
        definition("nodeclasses.eks.amazonaws.com", "NodeClass", "v1"),
    ],
}
COUNTED: Json = {"cluster_policies": [], "policy_endpoints": [], "cluster_policy_endpoints": []}
CONFIG = "enable-network-policy-controller"


def planned(snapshot: ClusterSnapshot, **options: Any) -> Plan:
    return plan_enable(Lookup(snapshot), EnableOptions(**options), schemas=SCHEMAS)


def carried_out(plan: Plan, snapshot: ClusterSnapshot) -> tuple[ClusterSnapshot, ClusterSnapshot]:
    """Return the cluster after *plan*, and after going back on it."""
    world = SimulatedCluster.of(snapshot)
    journal = MemoryJournal("there")
    perform(plan, world, journal, world, SilentWatcher())
    after = world.snapshot()
    perform(way_back(plan, journal, world.now()), world, MemoryJournal("back"), world, SilentWatcher())
    return after, world.snapshot()


def switches(snapshot: ClusterSnapshot) -> tuple[bool, bool]:
    found = Lookup(snapshot).get("switches")
    assert isinstance(found, Seen)
    return found.value.controller.value == "on", found.value.agent.value == "on"


HAND = [owned("kubectl-edit", ARGS, variable("WARM_IP_TARGET"))]
SITUATIONS: dict[str, tuple[Json, Json]] = {
    "an add-on that is off": (managed('{"env":{"WARM_IP_TARGET":"5"}}'), {}),
    "an add-on whose configuration is YAML": (managed("env:\n  WARM_IP_TARGET: '5'\n"), {}),
    "an add-on that eks would refuse as it is stored": (managed('{"enableNetworkPolicy": false}'), {}),
    "an add-on changed by hand": (
        managed("{}") | {"aws_node": {"args": OFF, "env": {"WARM_IP_TARGET": "7"}, "managers": HAND}}, {},
    ),
    "an add-on that was told and never did": (managed('{"enableNetworkPolicy":"true"}'), {}),
    "an add-on with a setting of a person's own": (managed(), {"values": {"nodeAgent.logLevel": "info"}}),
    "a manifest that is off": (self_managed(), {}),
    "a manifest without definitions and permissions": (
        self_managed(crds=[], cluster_roles=[{"name": "aws-node", "rules": []}]), {},
    ),
    "a manifest without an agent": (self_managed(aws_node={"cni": "v1.20.5", "agent": None}), {}),
    "a manifest without a ConfigMap": ({k: v for k, v in self_managed(configmaps=[]).items() if k != "switch"}, {}),
    "a manifest without a mode": (self_managed(aws_node={"args": OFF, "env": {"NETWORK_POLICY_ENFORCING_MODE": None}}), {}),
    "a manifest to be adopted": (adoptable(), {"adopt": True}),
    "auto mode alone": (
        self_managed(cluster=AUTO, aws_node=None, nodes=[], **CLASSES), {},
    ),
    "auto mode beside an add-on": (managed(cluster=AUTO, **CLASSES), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_plan_ends_well_and_planning_again_finds_nothing_to_do(name: str) -> None:
    short, options = SITUATIONS[name]
    before = look(COUNTED | short)
    plan = planned(before, **options)
    assert plan.steps
    assert not plan.refusals
    after, back = carried_out(plan, before)
    assert switches(after)[0]
    if isinstance(after.addon, Seen) and after.addon.value is not None:
        after = replace(after, addon_schema=Seen(SCHEMAS[after.addon.value.addon_version]))
    again = planned(after, **{k: v for k, v in options.items() if k != "adopt"})
    assert not again.steps, [s.title for s in again.steps]
    assert not switches(back)[0]
    assert not switches(back)[1]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    stored=DOCUMENTS,
    controller=st.sampled_from(["true", "false", "True", None]),
    flag=st.sampled_from(["--enable-network-policy=false", "--enable-network-policy=true", "--enable-network-policy", None]),
    by_hand=st.booleans(),
    spaced=st.booleans(),
)
def test_whatever_an_addon_was_told_and_is_only_the_wanted_keys_change(
    stored: Json, controller: str | None, flag: str | None, by_hand: bool, spaced: bool
) -> None:
    manager = "kubectl-edit" if by_hand else "eks"
    args = {"enable-network-policy": None} if flag is None else {"enable-network-policy": flag.partition("=")[2] or "true"}
    data = {} if controller is None else {CONFIG: controller}
    config = {"data": data, "managers": [owned(manager, SWITCH)] if data else []}
    text = json.dumps(stored, indent=1 if spaced else None)
    short = managed(addon=addon(text), aws_node={"args": args, "managers": [owned(manager, ARGS)]}, configmaps=[config])
    before = look(COUNTED | short)
    plan = planned(before)
    assert not plan.refusals, plan.refusals
    told = read_schema(schema()["configurationSchema"])
    for step in plan.steps:
        if isinstance(step.action, UpdateAddon | CreateAddon):
            document = parse_values(step.action.configuration_values)
            assert not list(violations(document, told))
            assert document["enableNetworkPolicy"] == "true"
    if not plan.steps:
        assert switches(before) == (True, True)
        assert stored.get("enableNetworkPolicy") == "true"
        return
    after, back = carried_out(plan, before)
    assert switches(after) == (True, True)
    assert not planned(after).steps
    was_on = switches(before)
    assert switches(back) == was_on or not all(was_on)
