"""Migrations die on the way and are gone on with; `deaths` says how, and dies at every moment over night."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.execution.ends import events
from tests.execution.test_interruptions import dies_at
from tests.execution.trouble import Killed
from tests.migration.planning.deaths import Deaths
from tests.migration.planning.lives import Life, planned
from tests.migration.towns import ENGINES

STRIDE = 4
"""One moment of so many; which ones changes from day to day."""
TODAY = dt.datetime.now(tz=dt.UTC).toordinal()


@pytest.mark.parametrize("engine", ENGINES)
def test_whoever_dies_is_gone_on_with_and_nothing_is_open_or_lost_meanwhile(engine: str) -> None:
    deaths = Deaths(engine, picks=lambda number: number % STRIDE == TODAY % STRIDE).go()
    assert deaths.wrong == []
    assert deaths.died > 70
    assert deaths.moments > 250
    missed = {step.id for step in planned(engine).steps} - deaths.steps.keys()
    assert not missed, "in every step somebody dies"


@pytest.mark.parametrize("engine", ENGINES)
def test_processes_that_die_again_and_again_get_there_with_nothing_open_or_lost(engine: str) -> None:
    whole = Life(engine)
    whole.go()
    life, lived = Life(engine), 0
    while events(life.disk)[-1:] != ["closed"]:
        try:
            life.go(**{("after", "before")[lived % 2]: dies_at(31 + lived // 4)})  # type: ignore[arg-type]
        except Killed:
            lived += 1
        assert lived < 400
        assert life.lost() == []
    assert lived > 10
    assert life.ending() == whole.ending()
    assert life.violations == whole.violations == ()
