"""The clock of real runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from eksnetpol.gateways import clock
from eksnetpol.gateways.clock import SystemClock


def test_it_counts_what_the_machine_slept_where_the_system_tells() -> None:
    counting = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    before = time.clock_gettime(counting)
    told = SystemClock().monotonic()
    assert before <= told <= time.clock_gettime(counting)


def test_it_counts_elsewhere_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_COUNTING", None)
    before = time.monotonic()
    assert before <= SystemClock().monotonic() <= time.monotonic()


def test_it_waits_as_long_as_it_is_told_and_knows_the_hour() -> None:
    here = SystemClock()
    before = here.monotonic()
    here.sleep(0.02)
    here.sleep(-1)
    assert 0.02 <= here.monotonic() - before < 5
    assert abs((here.now() - datetime.now(UTC)).total_seconds()) < 5
