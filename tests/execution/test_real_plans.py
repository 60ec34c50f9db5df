"""The planners' own plans on the cluster in memory that is a part of the product: a process dies at every moment in turn."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.model import kinds
from eksnetpol.model.eks import AddonSchema
from eksnetpol.model.plan import Plan
from eksnetpol.planning.disable import plan_disable
from eksnetpol.planning.enable import plan_enable
from eksnetpol.planning.options import DisableOptions, EnableOptions
from eksnetpol.simulation.world import SimulatedCluster
from tests.execution.ends import HOLDER, events
from tests.execution.trouble import Disk, Heard, Killed, Process
from tests.planning.clusters import VERSION, adoptable, look, managed, schema, self_managed
from tests.planning.test_disable import of_eks, of_people, settled

Situation = Callable[[], tuple[SimulatedCluster, Plan]]
SCHEMAS = {version: AddonSchema(version, schema(version)["configurationSchema"]) for version in ("v1.20.5-eksbuild.3", VERSION)}


def enabling(short: dict[str, Any], *, adopt: bool = False) -> Situation:
    def begins() -> tuple[SimulatedCluster, Plan]:
        catalog()
        world = SimulatedCluster.of(
            look({"policy_endpoints": [], "cluster_policy_endpoints": [], "cluster_policies": []} | short)
        )
        return world, plan_enable(Lookup(world.snapshot()), EnableOptions(adopt=adopt), schemas=SCHEMAS)

    return begins


def disabling(short: dict[str, Any], *, keep: bool = False) -> Situation:
    def begins() -> tuple[SimulatedCluster, Plan]:
        catalog()
        world = settled(short)
        return world, plan_disable(Lookup(world.snapshot()), DisableOptions(keep_policies=keep))

    return begins


SITUATIONS: dict[str, Situation] = {
    "enable an add-on": enabling(managed('{"env":{"WARM_IP_TARGET":"5"}}')),
    "enable what people manage": enabling(self_managed()),
    "adopt": enabling(adoptable(), adopt=True),
    "disable an add-on": disabling(of_eks()),
    "disable what people manage": disabling(of_people()),
    "disable and keep the policies": disabling(of_people(), keep=True),
}
KEPT = (kinds.DAEMONSET, kinds.CONFIGMAP, kinds.NETWORK_POLICY, kinds.POLICY_ENDPOINT, kinds.CLUSTER_ROLE, kinds.DEFINITION)


def said(world: SimulatedCluster) -> dict[str, str]:
    """What is there, without what names one object of that content among others: uids, times, versions."""
    found: dict[str, str] = {"add-on": re.sub(r"datetime\([^)]*\)|timezone\([^)]*\)", "", repr(_addon(world)))}
    for kind in KEPT:
        for live in world.objects(kind):
            meta = {key: live["metadata"].get(key) for key in ("labels", "annotations", "finalizers")}
            rest = {key: value for key, value in live.items() if key not in {"metadata", "status"}}
            name = (
                re.sub(r"-[a-z0-9]{5}$", "", live["metadata"]["name"])
                if kind is kinds.POLICY_ENDPOINT
                else live["metadata"]["name"]
            )
            found[f"{kind}/{live['metadata'].get('namespace', '')}/{name}"] = repr((meta, rest))
    return found


def _addon(world: SimulatedCluster) -> Any:
    addon = world.describe_addon("vpc-cni")
    return None if addon is None else (addon.addon_version, addon.status, addon.configuration_values, addon.health)


def go(plan: Plan, world: SimulatedCluster, process: Process) -> None:
    from eksnetpol.execution.executor import carry_out

    carry_out(plan, process.hands, process.journal, world, Heard(), holder=HOLDER)


@cache
def undisturbed(situation: str) -> tuple[tuple[str, ...], dict[str, str]]:
    world, plan = SITUATIONS[situation]()
    assert plan.steps
    assert not plan.refusals
    process = Process(world, Disk())
    go(plan, world, process)
    world.sleep(300)
    return tuple(process.moments), said(world)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_plan_ends_the_same_wherever_its_process_died(situation: str) -> None:
    moments, wanted = undisturbed(situation)
    begun, _ = SITUATIONS[situation]()
    assert said(begun) != wanted
    for moment, name in enumerate(moments):

        def dies(number: int, _name: str, moment: int = moment) -> None:
            if number == moment:
                raise Killed

        world, plan = SITUATIONS[situation]()
        disk = Disk()
        with pytest.raises(Killed):
            go(plan, world, Process(world, disk, after=dies))
        go(plan, world, Process(world, disk))
        world.sleep(300)
        assert said(world) == wanted, f"killed after {name}, moment {moment} of {len(moments)}"
        assert events(disk)[-1] == "closed"
