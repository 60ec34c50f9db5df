from __future__ import annotations

import pytest

from eksnetpol.checks.control_plane.running_releases_are_not_known_bad import running_releases_are_not_known_bad
from eksnetpol.checks.run import run
from eksnetpol.model.findings import Severity
from tests.checks.cases import Case, assert_case, cases, snapshot


@pytest.mark.parametrize("case", cases(__file__), ids=str)
def test_running_releases_are_not_known_bad(case: Case) -> None:
    assert_case(running_releases_are_not_known_bad, case)


@pytest.mark.parametrize("agent", ["v1.2.4", "v1.2.5"])
@pytest.mark.parametrize(("family", "severity"), [("ipv4", Severity.WARNING), ("ipv6", Severity.BLOCKER)])
def test_agents_that_cut_egress_on_ipv6_are_blockers_there_alone(agent: str, family: str, severity: Severity) -> None:
    network = {"name": "prod", "kubernetesNetworkConfig": {"ipFamily": family}}
    short = {"aws_node": {"cni": "v1.20.1", "agent": agent}, "cluster": network}
    (answer,) = run([running_releases_are_not_known_bad], snapshot(short))
    said = {f.severity for f in answer.findings if "cuts all egress" in f.message}
    assert said == {severity}
    assert not answer.unknowns
