"""Whole plans to enable, as JSON, for the main ways: what people review, save and apply later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.gateways import snapshot_file
from eksnetpol.model.plan import Plan, Way
from eksnetpol.planning.enable import plan_enable
from eksnetpol.planning.options import EnableOptions
from tests.planning.clusters import adoptable, ids, planned, self_managed
from tests.planning.test_enable_addon import by_hand

DEMO = Path(__file__).parents[2] / "demo" / "clusters"
Golden = Callable[[str, str], None]

SHORT: dict[str, Any] = {
    "addon-changed-by-hand": lambda: planned(by_hand()),
    "manifest": lambda: planned(self_managed()),
    "manifest-bare": lambda: planned(
        self_managed(agent="v1.4.0", crds=[], cluster_roles=[{"name": "aws-node"}], aws_node={"cni": "v1.22.4", "agent": None})
    ),
    "helm": lambda: planned(
        self_managed(aws_node={"annotations": {"meta.helm.sh/release-name": "cni"}, "args": {}}, switch=None)
    ),
    "adopted": lambda: planned(adoptable(), adopt=True),
}


def written(plan: Plan) -> str:
    text = msgspec.json.format(msgspec.json.encode(plan, order="deterministic"), indent=2).decode() + "\n"
    assert msgspec.json.decode(text, type=Plan) == plan
    return text


@pytest.mark.parametrize("name", SHORT)
def test_plans_stay_as_they_were_reviewed(name: str, golden: Golden) -> None:
    golden(f"planning/{name}.json", written(SHORT[name]()))


RECORDED = {
    "ready": (Way.ADDON, [], 0),
    "mixed": (Way.ADDON, [], 0),
    "old": (Way.MANIFEST, [], 1),
    "retail-store-calico": (Way.MANIFEST, ["controller-switch", "agent", "roll-out"], 0),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_clusters_are_planned_for(name: str) -> None:
    catalog()
    plan = plan_enable(Lookup(snapshot_file.load(DEMO / f"{name}.json.gz")), EnableOptions())
    assert (plan.way, ids(plan), len(plan.refusals)) == RECORDED[name]
    if plan.steps:
        assert plan.isolates, "its policies are enforced by another engine today, and by the VPC CNI then"
