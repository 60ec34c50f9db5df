"""Something goes wrong at every moment in turn: the run gets there, or stops in a way that is gone on with. None is picked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eksnetpol.errors import (
    Conflict,
    Denied,
    EksNetpolError,
    JournalError,
    Refused,
    Rejected,
    StepFailed,
    TimedOut,
    TransientError,
    Unauthenticated,
    Unreachable,
)
from tests.execution import plans
from tests.execution.ends import events, go, state_of
from tests.execution.test_interruptions import undisturbed
from tests.execution.trouble import CHANGES, Disk, Heard, Process

FAULTS: dict[str, Callable[[], EksNetpolError]] = {
    "throttled": lambda: TransientError("429"),
    "reset": lambda: Unreachable("the connection broke"),
    "expired": lambda: Unauthenticated("the credentials expired"),
    "changed-meanwhile": lambda: Conflict("409: the object has been modified"),
    "denied": lambda: Denied("not allowed (403)", permission="patch daemonsets"),
    "rejected": lambda: Rejected("a webhook refuses it"),
}
PASSING = ("throttled", "reset", "expired")
JOURNAL = {"append", "save"}


def once(moment: int, fault: Callable[[], EksNetpolError]) -> Callable[[int, str], None]:
    def goes_wrong(number: int, _name: str) -> None:
        if number == moment:
            raise fault()

    return goes_wrong


@pytest.mark.parametrize(("fault", "when"), [*((fault, "before") for fault in sorted(FAULTS)), ("reset", "after")])
def test_one_fault_at_any_call_is_outlived_or_stopped_at(fault: str, when: str) -> None:
    world = plans.cluster()
    plan = plans.everything(world)
    moments, wanted = undisturbed(plan, world)
    for moment, name in enumerate(moments):
        if name in JOURNAL or (fault == "changed-meanwhile" and name not in {"apply", "patch", "replace"}):
            continue
        where = f"{fault} {when} {name}, moment {moment}"
        world, disk = plans.cluster(), Disk()
        error = None
        try:
            go(plan, world, Process(world, disk, **{when: once(moment, FAULTS[fault])}))  # type: ignore[arg-type]
        except EksNetpolError as stopped:
            error = stopped
        if fault in PASSING:
            assert error is None, where
        elif error is not None:
            # Before the first step nothing was done, and what was in the way is told as it is.
            first = moment < moments.index("describe_addon") and not any(e.event == "started" for e in disk.entries)
            assert isinstance(error, StepFailed | Refused) or first, where
            assert error.exit_code in {4, 5, 6} or first, where
            assert disk.entries[-1].event in {"failed", "stopped"}, where
        if error is not None:
            go(plan, world, Process(world, disk))
        world.settle()
        assert state_of(world) == wanted, where
        assert events(disk)[-1] == "closed"


@pytest.mark.parametrize("fault", ["throttled", "expired"])
def test_what_does_not_pass_stops_the_run_and_loses_nothing(fault: str) -> None:
    world = plans.cluster()
    plan = plans.everything(world)
    moments, wanted = undisturbed(plan, world)
    for moment, name in enumerate(moments[:-2]):
        if name in JOURNAL:
            continue

        found = FAULTS[fault]()

        def broken(number: int, name: str, moment: int = moment, found: EksNetpolError = found) -> None:
            if number >= moment and name not in JOURNAL:
                raise found

        where = f"{fault} from {name} on, moment {moment}"
        world, disk, heard = plans.cluster(), Disk(), Heard()
        with pytest.raises(TimedOut, match="eksnetpol resume r1") as stopped:
            go(plan, world, Process(world, disk, before=broken), heard)
        assert stopped.value.exit_code == 5
        assert events(disk)[-1].startswith("stopped"), where
        assert any("tried again" in line for line in heard.lines), where
        assert world.time < 1800, "patience has an end, also for credentials"
        go(plan, world, Process(world, disk))
        world.settle()
        assert state_of(world) == wanted, where


def test_a_full_disk_stops_before_the_change_that_could_not_be_written_down() -> None:
    world = plans.cluster()
    plan = plans.everything(world)
    moments, wanted = undisturbed(plan, world)
    for moment, name in enumerate(moments):
        if name not in JOURNAL:
            continue
        world, disk = plans.cluster(), Disk()

        def full(number: int, name: str, moment: int = moment) -> None:
            if number >= moment and name in JOURNAL:
                raise JournalError("no space left on device")

        process = Process(world, disk, before=full)
        with pytest.raises(JournalError):
            go(plan, world, process)
        after = [one for one in process.moments[moment:] if one in CHANGES]
        assert set(after) <= {"replace"}, f"after {name} at {moment} only the Lease is given back: {after}"
        go(plan, world, Process(world, disk))
        world.settle()
        assert state_of(world) == wanted, f"{name} at {moment}"
