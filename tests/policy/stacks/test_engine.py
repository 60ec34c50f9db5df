"""The engine over a stack: standard policies against the oracle and `SetEngine`, and what only stacks can say."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.stacks.engine import engine_for
from tests.policy.oracle.agree import Tally, _Comparison
from tests.policy.oracle.kubernetes import Kubernetes
from tests.policy.oracle.strategies import Case, cases
from tests.policy.stacks.reading import stack

PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


def often(count: int) -> settings:
    return settings(max_examples=count, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))


@often(60)
@given(cases(upstream=True))
def test_standard_policies_as_a_stack_are_what_the_specification_says(case: Case) -> None:
    engine = engine_for(case.world, Profile(Semantics.KUBERNETES, family=case.family.name), stack(case.world))
    tally = Tally()
    comparison = _Comparison(case, engine, Kubernetes(case.world, case.family.name), tally)
    for part in (comparison.pairs, comparison.matrix, comparison.outside, comparison.addresses, comparison.services):
        part()
    assert tally.verdicts > 0
    if tally.disagreements:
        pytest.fail(f"cluster {case.number}: {tally.disagreements[:5]}", pytrace=False)
