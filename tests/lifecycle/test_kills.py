"""The real process is killed at every write to its journal and at every call in turn, and calls fail: the end is the same.

Positions come from a recording of the undisturbed run. ``EKSNETPOL_TEST_ALL=1`` tries all of them; without it there is a sample,
another one each day (``EKSNETPOL_TEST_SEED`` names the day, as a number).
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.lifecycle.cases import CASES, Case, Went, begun, generation, journal, run_folders, runs_for
from tests.lifecycle.cluster import Place, differing
from tests.testbed.proxy import Answer, Cut, Delay, Kill, Lost, Reset

pytestmark = pytest.mark.testbed

ALL = os.environ.get("EKSNETPOL_TEST_ALL", "") == "1"
SEED = int(os.environ.get("EKSNETPOL_TEST_SEED") or date.today().toordinal())  # noqa: DTZ011 - any day will do
LOG = os.environ.get("EKSNETPOL_TEST_LOG", "")
"""A file in which to write how it goes."""
KILLED = -9

_recorded: dict[str, Went] = {}


def record(place: Place, case: Case) -> Went:
    """Carry a change out without trouble, once."""
    if case.name in _recorded:
        return _recorded[case.name]
    first = begun(place, case.first)
    runs, before = runs_for(place, first), generation(place)
    known = run_folders(runs)
    done = place.run(*case.args, runs=runs)
    assert done.code == 0, done.err
    calls = len(place.script.calls)
    leases = [c.number for c in place.script.calls if "/leases" in c.path]
    place.settle()
    lines = journal(runs)
    (run,) = run_folders(runs) - known
    writes = writes_of(case, runs, run)
    _recorded[case.name] = Went(
        calls, leases[0], leases[-1], writes, len(lines), place.state(), generation(place) - before, kept(runs / run)
    )
    return _recorded[case.name]


def writes_of(case: Case, runs: Path, run: str) -> int:
    """Return how often a run wrote: lines, files, and for a rollback a line into the run that it took back."""
    files = [f for f in (runs / run).iterdir() if f.name not in {"journal.jsonl", "plan.json", "lock"}]
    return len(journal(runs, run)) - 1 + len(files) + (case.args[0] == "rollback")


def kept(run: Path) -> dict[str, int]:
    """Return the files of a run that hold objects, and how many each holds."""
    return {f.name: len(json.loads(f.read_text()).get("objects", ())) for f in run.glob("*.json") if f.name != "plan.json"}


Position = tuple[str, int, str]
"""``call`` or ``write``, its number from 1, and ``before``, ``after`` or (a write) ``torn``."""


PARTS = ("writes", "midway", "before", "after") if ALL else ("sample",)
"""All positions, in parts that several processes may share: writes, and calls while there is a run, before it and after it."""


def positions(went: Went, part: str) -> list[Position]:
    """Return every position of a part of a run."""
    if part == "writes":
        return [("write", n, how) for n in range(1, went.writes + 1) for how in ("before", "torn", "after")]
    first, last = {
        "before": (1, went.begins - 1),
        "midway": (went.begins, went.ends),
        "after": (went.ends + 1, went.calls),
    }[part]
    return [("call", n, how) for n in range(first, last + 1) for how in ("before", "after")]


def chosen(case: Case, went: Went, part: str) -> list[Position]:
    """Return the positions to try. A sample is of those at which there is a run: all looks are alike, and change nothing."""
    if part != "sample":
        return positions(went, part)
    return random.Random(f"{SEED} {case.name}").sample(positions(went, "writes") + positions(went, "midway"), 1)  # noqa: S311


def sampled() -> tuple[Case, ...]:
    """Return the changes of today: all, or two that come round."""
    return CASES if ALL else tuple(CASES[(SEED + n) % len(CASES)] for n in (0, 3))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("case", sampled(), ids=lambda c: c.name.replace(" ", "-"))
def test_a_killed_run_is_gone_on_with(place: Place, case: Case, part: str) -> None:
    went = record(place, case)
    tried = chosen(case, went, part)
    began = time.monotonic()
    killed, failed = 0, []
    for position in tried:
        try:
            killed += outlives(place, case, went, position)
        except AssertionError as error:
            failed.append(str(error)[:2000])
    told = (
        f"{case.name}, {part}: {went.calls} calls, {went.lines} lines; tried {len(tried)}, killed {killed}, failed {len(failed)}"
    )
    if LOG:
        with Path(LOG).open("a") as log:
            log.write(f"{told}, {time.monotonic() - began:.0f} s\n" + "".join(f"  {f}\n" for f in failed))
    assert not failed, "\n".join([told, *failed])
    assert killed, told


def outlives(place: Place, case: Case, went: Went, position: Position) -> bool:
    """Kill the process at *position*, go on, and hold the end to that of the undisturbed run; return whether it was killed."""
    what, number, how = position
    where = f"{case.name}, killed {how} {what} {number} (seed {SEED})"
    first = begun(place, case.first)
    runs, before, generation_before = runs_for(place, first), place.state(), generation(place)
    known = run_folders(runs)
    dies: Any = None
    if what == "write":
        dies = {"write": number, "how": how}
    else:
        place.script.at(number, Kill(after=how == "after"))
    done = place.run(*case.args, runs=runs, dies=dies)
    made = run_folders(runs) - known
    if done.code != KILLED:
        # Looks ask side by side, and a step that is true by the time it is looked at writes less: a run may be shorter than the
        # recorded one, and then it has ended as it should.
        assert done.code == 0, f"{where}: {done.code} {done.err}"
        assert what == "call" or writes_of(case, runs, *made) < number, f"{where}: {done.err}"
        return False
    if not made:
        # Without a run nothing was begun, and there is nothing to go on with.
        assert differing(place.state(), before) == [], where
        return True
    (run,) = made
    place.script.victim = None
    again = place.run("resume", run, runs=runs)
    assert again.code == 0, f"{where}: {again.code} {again.err}"
    place.settle()
    assert differing(place.state(), went.after) == [], where
    assert generation(place) - generation_before == went.rolled, f"{where}: the DaemonSet was changed again"
    lines = journal(runs, run)
    assert lines[0]["run"] == run
    assert lines[-1]["event"] == "closed", where
    done_steps = [line["step"] for line in lines[1:] if line["event"] == "succeeded"]
    assert len(done_steps) == len(set(done_steps)), f"{where}: a step was done twice"
    assert kept(runs / run) == went.kept, where
    for former in known:
        assert [line.get("event") for line in journal(runs, former)].count("rolled-back") == (case.args[0] == "rollback"), where
    return True


def test_the_tool_as_people_start_it_is_killed_in_the_middle_and_goes_on(place: Place) -> None:
    begun(place, "addon")
    runs = place.runs()
    process = place.start("enable", "--yes", runs=runs)
    deadline = time.monotonic() + 60
    while not any(line.get("event") == "acted" for line in journal(runs)):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert process.returncode == KILLED
    assert journal(runs)[-1]["event"] == "acted"
    again = place.start("resume", runs=runs)
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    place.settle()
    assert place.state()["updates"] == 1
    assert journal(runs)[-1]["event"] == "closed"


# --- faults -----------------------------------------------------------------------------------------------------------------

FAULTS: dict[str, Any] = {
    "429": Answer(429, retry_after=1, code="ThrottlingException"),
    "500": Answer(500, code="ServerException"),
    "503": Answer(503, code="ServiceUnavailableException"),
    "409": Answer(409, code="ResourceInUseException"),
    "expired": Answer(401, code="ExpiredTokenException"),
    "reset": Reset(),
    "lost": Lost(),
    "cut": Cut(),
    "timeout": Delay(2.5),
}
FOR_GOOD = "expired-for-good"
"""From then on: nobody signs in again."""
ENDS = {0: "it converged", 4: "failed", 5: "timed out"}


@pytest.mark.parametrize("fault", [*FAULTS, FOR_GOOD] if ALL else ["some"])
def test_a_fault_is_outlived_or_stopped_at(place: Place, fault: str) -> None:
    names = [*FAULTS, FOR_GOOD] if fault == "some" else [fault]
    every = [(name, case) for name in names for case in sampled()]
    chance = random.Random(f"{SEED} {fault}")  # noqa: S311 - no secret
    # As many positions of each change as can be tried in some minutes; all calls meet all faults in memory.
    tried = [one for one in every for _ in range(8)] if ALL else chance.sample(every, 2)
    ends: Counter[int] = Counter()
    failed = []
    for name, case in tried:
        went = record(place, case)
        try:
            ends[disturbed(place, case, went, name, chance.randint(1 if ALL else went.begins, went.ends))] += 1
        except AssertionError as error:
            failed.append(str(error)[:2000])
    told = f"fault {fault}: tried {len(tried)}, ended with {dict(ends)}, failed {len(failed)}"
    if LOG:
        with Path(LOG).open("a") as log:
            log.write(told + "\n" + "".join(f"  {f}\n" for f in failed))
    assert not failed, "\n".join([told, *failed])


def disturbed(place: Place, case: Case, went: Went, fault: str, number: int) -> int:
    """Let *fault* happen to a call, go on where that stopped the run, and hold the end to that of the undisturbed run."""
    where = f"{case.name}, {fault} at call {number} (seed {SEED})"
    first = begun(place, case.first)
    runs, before = runs_for(place, first), place.state()
    known = run_folders(runs)
    if fault == FOR_GOOD:
        place.script.when(lambda call: call.number >= number, FAULTS["expired"], times=100_000)
    else:
        place.script.at(number, FAULTS[fault])
    done = place.run(*case.args, "--request-timeout", "2s", runs=runs)
    assert "Traceback" not in done.err, where
    made = run_folders(runs) - known
    where += f": {done.code} {done.err}"
    if not made:
        # What could not be looked at is told, and nothing is begun on a guess.
        assert done.code in {3, 4, 5, 6}, where
        assert differing(place.state(), before) == [], where
        return done.code
    assert done.code in ENDS, where
    if done.code:
        place.script.begin()
        (run,) = made
        assert f"eksnetpol resume {run}" in done.err, where
        again = place.run("resume", run, runs=runs)
        assert again.code == 0, f"{where}; then {again.code} {again.err}"
    place.settle()
    assert differing(place.state(), went.after) == [], where
    assert journal(runs)[-1]["event"] == "closed", where
    return done.code
