"""Proofs with ClusterNetworkPolicies: what is found is shown to be so, and what is proved is tried out on everything small."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from eksnetpol.policy.stacks.formulas import EndKind
from eksnetpol.proof import Counterexample, Proved, prove
from eksnetpol.proof.target import target_stack
from eksnetpol.translation import Options, translate
from eksnetpol.translation.comparing import after
from tests.migration.promise import MAKERS
from tests.policy.stacks.plain import allowed
from tests.proof.test_symbolic import small
from tests.translation.tiered import PROFILE, VPC, tiered

pytest.importorskip("z3")

NUMBERS = range(24)


def test_the_outcome_is_so() -> None:
    outcomes = set()
    for number in NUMBERS:
        world, stack = tiered(number)
        made = translate(stack, world, Options(profile=PROFILE, vpc=VPC, compare=False, cluster_policies=True))
        later = after(world, made.outputs)
        target = target_stack(later.network_policies, later.cluster_policies, world)
        found = prove(stack, later.network_policies, world, cluster_policies=later.cluster_policies, vpc=VPC)
        outcomes.add(type(found))
        if isinstance(found, Counterexample):
            connection = (found.source, found.destination, found.protocol, found.port, found.source_port)
            assert allowed(target, world, *connection, names=found.ports).allowed is True, str(found)
            assert allowed(stack, world, *connection, names=found.ports).allowed is not True, str(found)
            continue
        ends = list(small(replace(MAKERS["upstream"](number), objects=[])))[number % 3 :: 3]
        for source, destination in product(ends, repeat=2):
            if source is not destination and EndKind.POD in {source.kind, destination.kind}:
                connection = (source, destination, "TCP", 80, 40000)
                if allowed(target, world, *connection, names={}).allowed:
                    assert allowed(stack, world, *connection, names={}).allowed, (number, connection)
    assert Proved in outcomes


def test_without_them_something_flows_that_did_not() -> None:
    outcomes = set()
    for number in NUMBERS:
        world, stack = tiered(number)
        made = translate(stack, world, Options(profile=PROFILE, vpc=VPC, compare=False, cluster_policies=True))
        later = after(world, made.outputs)
        outcomes.add(type(prove(stack, later.network_policies, world, vpc=VPC)) if later.cluster_policies else None)
    assert Counterexample in outcomes
