"""The engine against the oracles: random clusters and policies, every pair and place, packet by packet.

One case is a cluster with its policies and one packet, looked at between all pods, some addresses and all Services. The nightly
run (``make fuzz``) does the same for many more.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eksnetpol.model.versions import Release
from eksnetpol.policy.profile import NEWEST_AGENT, Mode, Profile, Semantics
from tests.policy.oracle.agree import compare, shown
from tests.policy.oracle.strategies import PACKETS, Case, cases

FOR_EACH = 5_000 // PACKETS // 4 + 1
"""Clusters for each of four tests, which together look at 5,000 cases."""

PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
"""Without shrinking: `shown` does that."""

unhurried = settings(max_examples=FOR_EACH, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))


def agree(case: Case, profile: Profile) -> None:
    assert len(case.packets) == PACKETS
    tally = compare(case, profile)
    assert tally.verdicts > 0
    if tally.disagreements:
        pytest.fail(shown(case, profile, tally.disagreements[0]), pytrace=False)


@unhurried
@given(cases(upstream=True))
def test_kubernetes_semantics_are_those_of_the_specification(case: Case) -> None:
    agree(case, Profile(Semantics.KUBERNETES, family=case.family.name))


@pytest.mark.parametrize("mode", Mode)
def test_vpc_cni_semantics_are_those_of_controller_and_agent(mode: Mode) -> None:
    @unhurried
    @given(cases())
    def check(case: Case) -> None:
        agree(case, Profile(Semantics.VPC_CNI, mode=mode, family=case.family.name))

    check()


@unhurried
@given(cases(), st.sampled_from([Release(1, 2, 3), Release(1, 3, 5), Release(1, 4, 1), NEWEST_AGENT]))
def test_older_agents_are_what_they_were(case: Case, agent: Release) -> None:
    agree(case, Profile(Semantics.VPC_CNI, agent=agent, family=case.family.name))
