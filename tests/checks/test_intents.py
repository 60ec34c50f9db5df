"""What a change would repair is no reason against that change."""

from __future__ import annotations

from pathlib import Path

import pytest

from eksnetpol.gateways import snapshot_file
from eksnetpol.model.findings import Intent, Verdict
from eksnetpol.operations.preflight import preflight

CLUSTERS = Path(__file__).parents[2] / "demo" / "clusters"


@pytest.mark.parametrize("intent", [Intent.ENABLE, Intent.MIGRATE])
def test_an_old_cluster_cannot_have_policies(intent: Intent) -> None:
    assert preflight(snapshot_file.load(CLUSTERS / "old.json.gz"), intent=intent).verdict is Verdict.BLOCKED


@pytest.mark.parametrize("intent", [Intent.UPGRADE, Intent.DISABLE])
def test_an_old_cluster_can_be_upgraded_and_has_nothing_to_disable(intent: Intent) -> None:
    assert preflight(snapshot_file.load(CLUSTERS / "old.json.gz"), intent=intent).verdict is Verdict.READY
