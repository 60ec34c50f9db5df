"""Random waivers over random clusters: what was taken on is what the rules that were waived let through, and nothing else.

The plain look (`test_exposure_of_random_runs`) finds each packet that flows in the end and did not; whether a waived policy is
about its ends is asked of the policies as they are written.
"""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from eksnetpol.migration import exposure as exposures
from eksnetpol.migration.exposure import Exposure
from eksnetpol.migration.rules import Rules
from eksnetpol.migration.waived import TakenOn, waived
from eksnetpol.model.enforcement import Enforcement, NodeState, Scene
from eksnetpol.policy.stacks.ends import end_of_pod, holds
from eksnetpol.translation import Options, Translation, Verdict, translate
from eksnetpol.translation.comparing import objects
from eksnetpol.translation.values import Waiver
from tests.migration.promise import PROFILE
from tests.migration.test_exposure_of_random_runs import NODES, Run

Pair = tuple[str, str]
TELLING = (42, 65, 197, 311, 324, 337)
"""Numbers of clusters in which something flows too much in the end."""


def translated(run: Run, names: frozenset[str]) -> Translation:
    """Return what the policies of *run* become, with some of them waived."""
    waivers = tuple(Waiver(name) for name in sorted(names))
    options = Options(profile=PROFILE, vpc=("10.0.0.0/16",), waivers=waivers)
    return translate(run.case.stack, run.case.world, options)


def too_much(run: Run, done: Translation) -> set[Pair]:
    """Return the pairs between which something flows in the end that did not before, and was not taken on."""
    world = run.world()
    made, _ = objects(done.outputs)
    end = Rules.of(world).after(made)
    taken = waived(done, run.case.stack, world)
    accepted = TakenOn(end, taken) if taken is not None else None
    ours = {(p.namespace, p.name) for p in made}
    followed = Exposure(world, "calico", PROFILE, run.on, ours=ours, coming=[end], accepted=accepted)
    followed.learn(end)
    nodes = {
        name: NodeState(name, Enforcement.ABSENT, Enforcement.LIVE, pods=sum(w == name for w in run.where.values()))
        for name in NODES
    }
    flows = followed.see(Scene(0.0, nodes, frozenset(NODES), 0, 0, {}, 0)).flows
    return {(flow.source, flow.destination) for flow in flows}


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), number=st.one_of(st.sampled_from(TELLING), st.integers(0, 400)))
def test_only_what_is_waived_is_taken_on(data: st.DataObject, number: int) -> None:
    run = Run.of(number)
    bare = translated(run, frozenset())
    looser = sorted({str(j.ref) for j in bare.judged if j.verdict is Verdict.LOOSER})
    assume(looser)
    some = frozenset(data.draw(st.sets(st.sampled_from(looser)), "waived"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exposures, "SHOWN", 10_000)
        nothing = too_much(run, bare)
        left = too_much(run, translated(run, some))
        rest = too_much(run, translated(run, frozenset(looser)))
    assert rest <= left <= nothing
    assert rest == set()
    assert nothing or number not in TELLING
    if not some:
        assert left == nothing
    for flow in nothing - left:
        assert any(_is_about(run, flow, name) for name in some), (flow, some)


def _is_about(run: Run, flow: Pair, name: str) -> bool:
    """Say whether a policy of that name holds for one of the pods."""
    stack = run.case.stack
    policies = [policy for tier in stack.tiers for policy in tier.policies if str(policy.ref) == name]
    assert policies, name
    pods = [pod for pod in run.world().pods if f"{pod.namespace}/Job/{pod.name}" in flow]
    return any(holds(policy.subject, end_of_pod(run.world(), pod)) for policy, pod in product(policies, pods))
