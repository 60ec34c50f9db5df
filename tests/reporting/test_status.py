"""A status as people and programs see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from msgspec.structs import replace

from eksnetpol.facts.headline import Verdict
from eksnetpol.gateways.snapshot_file import load
from eksnetpol.model.plan import Verb
from eksnetpol.model.runs import RunSummary
from eksnetpol.model.snapshot import ClusterSnapshot, Target, Unread, Why
from eksnetpol.operations.status import exit_code, status
from eksnetpol.reporting import status_json, status_text, status_view
from eksnetpol.reporting.status_view import Standing
from tests.checks.cases import snapshot

Golden = Callable[[str, str], None]
CLUSTERS = Path(__file__).parents[2] / "demo" / "clusters"
SHOP = Target("shop", "eu-west-1", "111122223333", "arn:aws:eks:eu-west-1:111122223333:cluster/shop")
NODES = [f"ip-10-0-0-{n}" for n in range(12)]
RUN = RunSummary(
    "20261127-030744-enable-4f2a", Verb.ENABLE, state="stopped", started_at=datetime(2026, 11, 27, 3, 7, 44, tzinfo=UTC)
)

ROLLING = replace(
    snapshot(
        {
            "cluster": {"name": "shop", "version": "1.33", "platformVersion": "eks.18"},
            "aws_node": {"desired": 12, "updated": 5, "ready": 10},
            "switch": "true",
            "nodes": [*({"name": name} for name in NODES), {"name": "fargate-a", "compute": "fargate"}],
            "agent_pods": [
                {"node": NODES[0]},
                *({"node": name, "ready": False, "waiting": "CrashLoopBackOff"} for name in NODES[1:]),
            ],
            "addon": {
                "addonName": "vpc-cni",
                "addonVersion": "v1.20.5-eksbuild.1",
                "status": "DEGRADED",
                "configurationValues": '{"enableNetworkPolicy":"true","nodeAgent":{"logLevel":"error"}}',
                "health": {"issues": [{"code": "InsufficientNumberOfReplicas", "message": "11 of 12 are not ready"}]},
            },
            "addon_updates": [
                {
                    "id": "0e1f",
                    "status": "InProgress",
                    "type": "AddonUpdate",
                    "createdAt": "2026-05-31T23:58:00Z",
                    "params": [
                        {"type": "AddonVersion", "value": "v1.21.1-eksbuild.7"},
                        {"type": "ConfigurationValues", "value": "{}"},
                    ],
                }
            ],
            "crds": ["policyendpoints.networking.k8s.aws"],
            "network_policies": [{"name": "a"}],
            "policy_endpoints": {"unread": "policyendpoints is forbidden"},
        }
    ),
    target=SHOP,
)
BLIND = replace(
    snapshot({"aws_node": {}}), configmaps=Unread("configmaps is forbidden", Why.DENIED, "get configmaps"), target=SHOP
)
LOOKS: dict[str, ClusterSnapshot] = {
    "rolling": ROLLING,
    "unknown": BLIND,
    **{name: load(str(CLUSTERS / f"{name}.json.gz")) for name in ("dormant", "mixed", "old", "ready")},
}


def standing(name: str) -> Standing:
    return status(LOOKS[name], (RUN,) if name == "rolling" else ())


@pytest.mark.parametrize("name", LOOKS)
def test_a_status_on_the_terminal(name: str, golden: Golden) -> None:
    said = status_text.text(standing(name), 100, color=False)
    assert said.isascii()
    assert max(map(len, said.splitlines())) <= 100
    golden(f"status/status.{name}.txt", said)


@pytest.mark.parametrize("name", LOOKS)
def test_a_status_for_programs_is_what_its_schema_says(name: str) -> None:
    found = standing(name)
    text = status_json.write_json(found, exit_code(found), "9.9.9")
    read = json.loads(text)
    jsonschema.Draft202012Validator(status_json.schema()).validate(read)
    assert read["verdict"] == found.status.headline.verdict
    assert yaml.safe_load(status_json.write_yaml(found, exit_code(found), "9.9.9")) == read
    assert json.loads(status_json.write_json(found, exit_code(found), "9.9.9", compact=True)) == read


def test_the_json_of_a_status(golden: Golden) -> None:
    found = standing("rolling")
    golden("status/status.rolling.json", status_json.write_json(found, exit_code(found, detailed=True), "9.9.9"))


def test_what_is_null_is_explained() -> None:
    read: dict[str, Any] = status_json.document(standing("unknown"), 3, "9.9.9")
    assert read["switches"] == {"controller": None, "agent": None, "controllerValue": None}
    reasons = {u["member"]: u["reason"] for u in read["unknown"]}
    assert reasons["switches"] == "configmaps is forbidden"
    assert {
        "section": "configmaps",
        "why": "denied",
        "reason": "configmaps is forbidden",
        "permission": "get configmaps",
    } in read["unread"]


@pytest.mark.parametrize(
    ("name", "plain", "detailed"), [("ready", 0, 0), ("dormant", 0, 0), ("rolling", 0, 7), ("unknown", 3, 3)]
)
def test_exit_codes(name: str, plain: int, detailed: int) -> None:
    found = standing(name)
    assert (exit_code(found), exit_code(found, detailed=True)) == (plain, detailed)


def test_every_node_is_named_where_that_is_wanted() -> None:
    found = standing("rolling")
    assert "and 1 more" in status_text.text(found, 200, color=False)
    whole = status_text.text(found, 200, color=False, verbose=True)
    assert all(name in whole for name in NODES[1:])


def test_a_line_for_a_change_and_none_for_none() -> None:
    before, after = standing("dormant"), standing("ready")
    line = status_view.change_line(before, after)
    assert line.startswith("2026-11-24T01:27:25Z on: both switches are on; aws-node has its current template on 4 of 4 nodes")
    later = replace(LOOKS["ready"], taken_at=datetime(2026, 11, 25, tzinfo=UTC))
    assert status_view.change_line(after, status(later)) == ""
    assert status_view.change_line(None, before).partition(" ")[2].startswith("off: both switches are off")


def test_verdicts_have_signs_that_need_no_colour() -> None:
    assert set(status_view.SIGNS) == set(Verdict)
    assert all(sign.isascii() and len(sign) == 1 for sign in status_view.SIGNS.values())
