"""Migrations are gone back on, from the end of each phase and after a death in any step, while the watch looks on."""

from __future__ import annotations

import pytest

from tests.execution.ends import events
from tests.execution.trouble import Killed
from tests.migration.planning.deaths import Deaths
from tests.migration.planning.lives import Life, planned
from tests.migration.planning.test_deaths import TODAY
from tests.migration.towns import ENGINES

STRIDE = 12
"""One moment of so many, beside one of each step; which ones changes from day to day."""
PHASES = [(engine, phase) for engine in ENGINES for phase in dict.fromkeys(step.phase for step in planned(engine).steps)]
DRAINED = [("cilium", phase) for phase in ("6 exit", "7 uninstall", "8 left-overs", "9 close")]
"""Where nodes have been drained, there is no way back but in part."""


@pytest.mark.parametrize(("engine", "phase"), [one for one in PHASES if one not in DRAINED])
def test_from_the_end_of_a_phase_all_is_as_it_was(engine: str, phase: str) -> None:
    life = Life(engine)
    life.go(until=phase)
    back = life.back()
    assert back.refusals == ()
    assert list(life.unlike_at_first()) == []
    assert life.people.watch.violations == [], "neither on the way there nor on the way back"


@pytest.mark.parametrize(("engine", "phase"), DRAINED)
def test_from_drained_nodes_nobody_goes_back_unasked(engine: str, phase: str) -> None:
    life = Life(engine)
    life.go(until=phase)
    stops = life.way_back().refusals
    assert {stop.flag for stop in stops} == {"--partial"}
    assert {f"roll/{node}/evict" for node in ("node-a", "node-b", "node-c")} <= {stop.why.partition(" ")[0] for stop in stops}


def test_new_nodes_go_again_before_the_agents_are_switched_off_there() -> None:
    life = Life("cilium")
    first = next(step.id for step in life.plan.steps if step.id.endswith("/cordon"))

    def dies(_number: int, name: str) -> None:
        if name == "append" and events(life.disk)[-1] == f"succeeded {first}":
            raise Killed

    with pytest.raises(Killed):
        life.go(after=dies)
    assert life.standing()["absent", "live", True] > 0, "new nodes are there"
    ids = [step.id for step in life.back().steps]
    assert ids.index("back-roll/batch-1/new-nodes") < ids.index("back-enable/agent")
    assert list(life.unlike_at_first()) == []
    assert life.people.watch.violations == []


@pytest.mark.parametrize("engine", ENGINES)
def test_after_a_death_in_any_step_all_is_as_it_was(engine: str) -> None:
    deaths = Deaths(engine, picks=lambda number: number % STRIDE == TODAY % STRIDE, back=True).go()
    assert deaths.wrong == []
    assert {step.id for step in planned(engine).steps} <= deaths.steps.keys()
