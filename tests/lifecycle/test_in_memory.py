"""The planners' own plans in memory: every fault at every call, and death at every moment of what `test_real_plans` leaves out.

Before a call is the moment after the one before it here, where nobody else acts in between. Without ``EKSNETPOL_TEST_ALL=1`` a
share of all calls is tried, another one each day.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any

import pytest

from eksnetpol.errors import (
    Bug,
    Busy,
    Conflict,
    EksNetpolError,
    Refused,
    StepFailed,
    TimedOut,
    TransientError,
    Unauthenticated,
    Unreachable,
)
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.model.plan import Plan
from eksnetpol.operations.runs import way_back
from eksnetpol.planning.options import UpgradeOptions
from eksnetpol.planning.upgrade import plan_upgrade
from eksnetpol.simulation.world import SimulatedCluster
from tests.execution.ends import events
from tests.execution.test_real_plans import SITUATIONS as BEGINNING
from tests.execution.test_real_plans import go, said
from tests.execution.trouble import CHANGES, Disk, Killed, Process
from tests.planning.clusters import look
from tests.planning.test_upgrade import SCHEMAS, of_eks, of_people

ALL = os.environ.get("EKSNETPOL_TEST_ALL", "") == "1"
SEED = int(os.environ.get("EKSNETPOL_TEST_SEED") or date.today().toordinal())  # noqa: DTZ011 - any day will do
SHARE = 1 if ALL else 60
"""One in so many calls meets each fault."""
DEATHS = 1 if ALL else 4
"""One in so many moments is died at."""
SETTLED = 300.0
JOURNAL = frozenset({"append", "save"})
Situation = Callable[[], tuple[SimulatedCluster, Plan]]


def upgrading(short: dict[str, Any], to: str) -> Situation:
    def begins() -> tuple[SimulatedCluster, Plan]:
        catalog()
        world = SimulatedCluster.of(look(short))
        return world, plan_upgrade(Lookup(world.snapshot()), UpgradeOptions(to=to), schemas=SCHEMAS)

    return begins


def going_back(on: str) -> Situation:
    def begins() -> tuple[SimulatedCluster, Plan]:
        world, plan = BEGINNING[on]()
        process = Process(world, Disk(), "there")
        go(plan, world, process)
        world.sleep(SETTLED)
        return world, way_back(plan, process.journal, world.now())

    return begins


FURTHER: dict[str, Situation] = {
    "upgrade an add-on": upgrading(of_eks(), "1.20"),
    "upgrade what people manage": upgrading(of_people(), "1.20"),
    "go back on enabling an add-on": going_back("enable an add-on"),
    "go back on enabling what people manage": going_back("enable what people manage"),
}
SITUATIONS = {**BEGINNING, **FURTHER}


@cache
def undisturbed(situation: str) -> tuple[tuple[str, ...], dict[str, str], int]:
    """Return what was done, call by call, what came of it, and how many updates of the add-on there are then."""
    world, plan = SITUATIONS[situation]()
    assert plan.steps
    assert not plan.refusals
    process = Process(world, Disk())
    go(plan, world, process)
    world.sleep(SETTLED)
    return tuple(process.moments), said(world), len(world.addon_updates("vpc-cni"))


def ended(world: SimulatedCluster) -> tuple[dict[str, str], int]:
    world.sleep(SETTLED)
    return said(world), len(world.addon_updates("vpc-cni"))


@pytest.mark.parametrize("situation", FURTHER)
def test_it_ends_the_same_wherever_its_process_died(situation: str) -> None:
    moments, *wanted = undisturbed(situation)
    for moment, name in list(enumerate(moments))[SEED % DEATHS :: DEATHS]:

        def dies(number: int, _name: str, moment: int = moment) -> None:
            if number == moment:
                raise Killed

        world, plan = SITUATIONS[situation]()
        disk = Disk()
        with pytest.raises(Killed):
            go(plan, world, Process(world, disk, after=dies))
        go(plan, world, Process(world, disk))
        assert ended(world) == tuple(wanted), f"killed after {name}, moment {moment} of {len(moments)}"
        assert events(disk)[-1] == "closed"


FAULTS: dict[str, tuple[str, Callable[[], EksNetpolError], frozenset[str]]] = {
    "429": ("before", lambda: TransientError("429: slow down"), frozenset()),
    "503": ("before", lambda: TransientError("503: overloaded"), frozenset()),
    "500 after acting": ("after", lambda: TransientError("500: internal error"), frozenset()),
    "no answer": ("before", lambda: Unreachable("timed out"), frozenset()),
    "answer lost after acting": ("after", lambda: Unreachable("the connection was reset"), frozenset()),
    "409": ("before", lambda: Conflict("409: it has changed"), frozenset({"apply", "patch", "replace"})),
    "busy": ("before", lambda: Busy("409: ResourceInUseException"), frozenset({"update_addon", "create_addon", "delete_addon"})),
    "expired": ("before", lambda: Unauthenticated("ExpiredToken"), frozenset()),
}
"""When, what, and which calls it may happen to; none means every one."""


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from-then-on"])
def test_a_fault_at_any_call_is_outlived_or_stopped_at(situation: str, lasting: bool) -> None:
    moments, *wanted = undisturbed(situation)
    tried = 0
    for offset, (fault, (when, make, only)) in enumerate(FAULTS.items()):
        for moment, name in enumerate(moments):
            if name in JOURNAL or (only and name not in only) or (moment + offset * 5 + SEED + lasting * 3) % SHARE:
                continue
            tried += 1
            where = f"{fault} {'from' if lasting else 'at'} {name}, moment {moment} (seed {SEED})"

            def goes_wrong(number: int, name: str, moment: int = moment, make: Any = make, only: Any = only) -> None:
                hit = number >= moment and (not only or name in only) if lasting else number == moment
                if hit and name not in JOURNAL:
                    raise make()

            world, plan = SITUATIONS[situation]()
            disk = Disk()
            error = None
            process = Process(world, disk, **{when: goes_wrong})  # type: ignore[arg-type]
            try:
                go(plan, world, process)
            except Bug:
                raise
            except (StepFailed, Refused) as stopped:
                error = stopped
            if error is not None:
                assert error.exit_code in {4, 5} or name == "replace", f"{where}: {error.exit_code} {error}"
                assert "eksnetpol resume r1" in str(error) or isinstance(error, Refused), where
                assert events(disk)[-1].startswith(("stopped", "failed")), where
                assert isinstance(error, TimedOut) or fault in {"409", "busy"}, f"{where}: {error}"
                go(plan, world, Process(world, disk))
            assert ended(world) == tuple(wanted), where
            assert events(disk)[-1] == "closed", where
            assert lasting or error is None, f"{where}: one fault is outlived: {error}"
    assert tried or not ALL


def test_calls_that_change_something_are_among_them() -> None:
    done = {name for situation in SITUATIONS for name in undisturbed(situation)[0]}
    assert done >= CHANGES - {"delete_addon", "evict"}
