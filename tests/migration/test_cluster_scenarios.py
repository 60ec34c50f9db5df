"""Constructs that become ClusterNetworkPolicies where these are allowed, one folder each: source, objects, verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from eksnetpol.policy.profile import Profile
from eksnetpol.translation import Options, translate
from tests.engines import test_calico_verdicts as calico
from tests.engines import test_cilium_verdicts as cilium

SCENARIOS = Path(__file__).parent / "scenarios-cluster-policies"
CASES = {f"calico-{c['name']}": (calico, c) for c in calico.CASES} | {f"cilium-{c['id']}": (cilium, c) for c in cilium.CASES}
CONSTRUCTS = (
    "calico-k8s-np-order-1000-after-gnp-999-deny",
    "calico-upstream-cnp-admin-deny",
    "calico-upstream-cnp-admin-accept-overrides-np",
    "calico-upstream-cnp-baseline-deny-only-without-np",
    "cilium-deny-beats-k8s-np",
)


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_what_comes_of_a_construct(name: str, request: pytest.FixtureRequest) -> None:
    of, case = CASES[name]
    mine = of.world(case)
    options = Options(profile=Profile(family="ipv4"), vpc=("10.0.0.0/16",), cluster_policies=True)
    found = translate(of.stack(case, mine), mine, options)
    assert any(output.is_cluster_wide for output in found.outputs)
    verdicts = [{"policy": str(j.ref), "place": j.place, "verdict": j.verdict.value, "reason": j.reason} for j in found.judged]
    texts = {
        "source.yaml": yaml.safe_dump_all(case["policies"], sort_keys=False, width=120),
        "expected.yaml": yaml.safe_dump_all([dict(o.manifest) for o in found.outputs], sort_keys=False, width=120),
        "verdicts.yaml": yaml.safe_dump(verdicts, sort_keys=False, width=120),
    }
    for file, text in texts.items():
        path = SCENARIOS / name / file
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        assert text == path.read_bytes().decode(), f"{path}: --update-golden writes it"
