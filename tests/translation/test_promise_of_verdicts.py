"""The promise, query by query, against what Calico's own code answered: nothing more flows, and what does not is named."""

from __future__ import annotations

from typing import Any

import pytest

from eksnetpol.model.findings import Subject
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Profile
from eksnetpol.translation import Options, Translation, Verdict, translate
from eksnetpol.translation.comparing import after
from tests.engines.test_calico_verdicts import CASES, packet, party, said, stack, world

PROFILE = Profile(family="ipv4")
NAMED = {Verdict.STRICTER, Verdict.NONE, Verdict.LOOSER}


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: CASES[n]["name"])
def test_nothing_more_flows_and_what_does_not_is_named(number: int) -> None:
    case = CASES[number]
    mine = world(case)
    found = translate(stack(case, mine), mine, Options(profile=PROFILE, vpc=("10.0.0.0/16",)))
    target = build_engine(after(mine, found.outputs), PROFILE)
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        decision = target.decide(party(target, query["from"]), party(target, query["to"]), *packet(query))
        if decision.allowed and not verdict["allowed"]:
            assert any(j.verdict is Verdict.LOOSER for j in found.judged), (query, verdict, decision)
        if verdict["allowed"] and not decision.allowed:
            refs = deciding(verdict)
            assert any(j.verdict in NAMED and (not refs or j.ref in refs) for j in found.judged), (query, verdict, decision)


def deciding(verdict: dict[str, Any]) -> set[Subject]:
    """Return the policies whose rules let a connection through."""
    found = (said(verdict.get(f"{side}_by")) for side in ("egress", "ingress"))
    return {one.policy for one in found if one is not None and one.policy is not None}


def widening(found: Translation) -> list[str]:
    return [f"{j.ref} {j.place}: {j.reason} {j.witness}" for j in found.judged if j.verdict is Verdict.LOOSER]
