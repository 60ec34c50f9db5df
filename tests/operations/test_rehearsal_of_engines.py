"""The real plan for each engine, rehearsed on the shop: it goes well, and a plan with a step swapped or dropped is caught."""

from __future__ import annotations

from functools import cache

import pytest
from msgspec.structs import replace

from eksnetpol.migration.timeline import Rehearsal
from eksnetpol.migration.watching import Census
from eksnetpol.model.actions import Look
from eksnetpol.model.conditions import All, Soaked
from eksnetpol.model.plan import Plan, Step
from eksnetpol.operations.rehearsal import ASKED, SUPPLIED, rehearse_migration
from eksnetpol.policy.profile import Profile
from tests.migration.towns import ENGINES, Town, town

IN_PLACE = ("calico_by_operator", "calico_by_manifest", "kube_router")


@cache
def there(engine: str) -> Town:
    """Return the shop under an engine."""
    return town(engine)


def rehearsed(engine: str, plan: Plan | None = None) -> Rehearsal:
    """Return how a plan goes for an engine, its own where none is given."""
    mine = there(engine)
    return rehearse_migration(
        plan or mine.plan(), mine.snapshot, mine.source, mine.brought, profile=Profile(family="ipv4"), ebpf=mine.ebpf
    )


def broken(done: Rehearsal) -> set[tuple[str, str]]:
    """Return which invariant was broken in which step."""
    return {(v.invariant.value, v.step) for v in done.violations}


def without(plan: Plan, *words: str) -> Plan:
    """Return *plan* without steps whose ids end in one of *words*."""
    return replace(plan, steps=tuple(step for step in plan.steps if not step.id.endswith(words)))


def sooner(plan: Plan, word: str, before: str) -> Plan:
    """Return *plan* with the steps that begin with *word* put before the first that begins with *before*."""
    moved = [step for step in plan.steps if step.id.startswith(word)]
    rest = [step for step in plan.steps if not step.id.startswith(word)]
    at = next(i for i, step in enumerate(rest) if step.id.startswith(before))
    return replace(plan, steps=(*rest[:at], *moved, *rest[at:]))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_plan_for_each_engine_goes_well(engine: str) -> None:
    done = rehearsed(engine)
    assert (done.error, done.violations) == ("", ())
    assert (done.beginning, done.end) == (Census(old=3), Census(new=3))
    assert len(done.beats) == done.steps > 40
    assert {beat.ending for beat in done.beats} == {"done", "true already"}


def test_while_cilium_is_left_pods_without_it_are_strangers_to_it() -> None:
    done = rehearsed("cilium")
    narrower = {beat.step: beat.lost for beat in done.beats if beat.narrower}
    assert narrower["roll/node-b/evict"] == (("shop/StatefulSet/web", "shop/StatefulSet/db", "TCP 5432"),)
    assert done.beats[-1].narrower == 0
    assert {SUPPLIED, ASKED} <= set(done.notes)


@pytest.mark.parametrize("engine", IN_PLACE)
def test_the_agent_is_not_switched_on(engine: str) -> None:
    plan = without(there(engine).plan(), "enable/agent", "enable/roll-out", "enforces", "/enforced", "/proved")
    done = rehearsed(engine, plan)
    assert {("I1", "roll/node-a/clean"), ("I1", "roll/node-a/cleaned")} & broken(done), broken(done)


def test_the_translations_are_not_applied() -> None:
    plan = there("calico_by_operator").plan()
    done = rehearsed(
        "calico_by_operator", replace(plan, steps=tuple(s for s in plan.steps if not s.id.startswith("apply/")))
    )
    assert {v.invariant.value for v in done.violations} == {"I3"}


def test_ciliums_nodes_get_the_vpc_cnis_agent_while_cilium_is_there() -> None:
    # Without the update strategy that keeps the new template off nodes that are there.
    done = rehearsed("cilium", without(there("cilium").plan(), "enable/by-node"))
    assert "I2" in {v.invariant.value for v in done.violations}, broken(done)


def test_cilium_is_not_kept_off_new_nodes() -> None:
    done = rehearsed("cilium", without(there("cilium").plan(), "exclude"))
    assert "I2" in {v.invariant.value for v in done.violations}, broken(done)


@pytest.mark.parametrize("engine", ["calico_by_operator", "calico_by_manifest", "cilium"])
def test_sources_go_before_the_nodes_have(engine: str) -> None:
    done = rehearsed(engine, sooner(there(engine).plan(), "left-overs/policies", "roll/batch-2"))
    assert ("I4", "left-overs/policies") in broken(done), broken(done)


def test_nobody_soaks() -> None:
    plan = there("calico_by_manifest").plan(soak=0.0)

    def at_once(step: Step) -> Step:
        if isinstance(step.until, Soaked):
            return replace(step, until=All(()))
        if isinstance(step.until, All):
            return replace(step, until=All(tuple(c for c in step.until.conditions if not isinstance(c, Soaked))))
        return step

    done = rehearsed("calico_by_manifest", replace(plan, steps=tuple(map(at_once, plan.steps))))
    assert ("I4", "left-overs/policies") in broken(done), broken(done)


def test_the_operator_goes_before_its_agents() -> None:
    done = rehearsed("calico_by_operator", sooner(there("calico_by_operator").plan(), "uninstall/operator", "roll/batch-2"))
    assert ("I6", "uninstall/operator") in broken(done), broken(done)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_change_of_the_real_plan_has_its_way_back(engine: str) -> None:
    plan = there(engine).plan()
    stripped = tuple(replace(step, undo=None, one_way="", door="") for step in plan.steps)
    done = rehearsed(engine, replace(plan, steps=stripped))
    lacking = {v.step for v in done.violations if v.invariant.value == "I5"}
    acting = {step.id for step in plan.steps if not isinstance(step.action, Look)}
    assert lacking
    assert lacking <= acting
