"""The run ledger: nothing written is lost, nothing half-written is believed, and one process at a time works on a run."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eksnetpol.errors import JournalError, Refused, UnreadableInput, UsageError
from eksnetpol.gateways.clock import SystemClock
from eksnetpol.gateways.run_folder import JOURNAL, PLAN, RunFolder
from eksnetpol.gateways.run_state import same_cluster
from eksnetpol.gateways.runs import Runs, new_run_id
from eksnetpol.interfaces.acting import Entry, Event
from eksnetpol.model.actions import Look
from eksnetpol.model.conditions import AddonGone
from eksnetpol.model.fingerprints import digest_of_file
from eksnetpol.model.plan import Plan, Step, Verb
from eksnetpol.model.snapshot import Target

NOW = datetime(2026, 11, 27, 3, 7, 44, tzinfo=UTC)
SHOP = Target(cluster="shop", region="eu-west-1", arn="arn:aws:eks:eu-west-1:111122223333:cluster/shop")
RUN = "20261127-030744-enable-4f2a"


def plan(*steps: str, target: Target = SHOP, **more: str) -> Plan:
    return Plan(verb=Verb.ENABLE, target=target, steps=tuple(Step(s, f"Do {s}", Look(), AddonGone()) for s in steps), **more)  # type: ignore[arg-type]


def entry(event: Event, step: str = "", detail: str = "", **data: str) -> Entry:
    return Entry(NOW, event, step, detail, dict(data))


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs.at(str(tmp_path / "state" / "runs"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- where and what ------------------------------------------------------------------------------------------------


def test_where_runs_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert Runs.at(None).root == tmp_path / ".local/state/eksnetpol/runs"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    assert Runs.at("").root == tmp_path / ".local/state/eksnetpol/runs"
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert Runs.at(None).root == Path("/var/state/eksnetpol/runs")
    assert Runs.at("/elsewhere").root == Path("/elsewhere")


def test_an_id_says_when_and_what_for() -> None:
    made = {new_run_id(Verb.ENABLE, NOW + timedelta(seconds=n)) for n in range(3)}
    assert [i[:22] for i in sorted(made)] == [f"20261127-03074{n}-enable" for n in (4, 5, 6)]
    assert SystemClock().now().tzinfo is UTC


def test_a_run_is_for_its_owner_alone(runs: Runs) -> None:
    run = runs.start(plan("a"), RUN)
    run.append(entry("opened"))
    run.save("before.json.gz", b"x")
    assert {mode(p) for p in (runs.root, runs.root.parent, run.folder)} == {0o700}
    assert {p.name: mode(p) for p in run.folder.iterdir()} == dict.fromkeys((JOURNAL, PLAN, "lock", "before.json.gz"), 0o600)


def test_what_is_written_is_read(runs: Runs) -> None:
    made = plan("a", "b")
    run = runs.start(made, RUN)
    lines = (entry("opened"), entry("started", "a"), entry("acted", "a", "said so", update="u-1"))
    for line in lines:
        run.append(line)
    again = runs.find(RUN)
    assert again.run == RUN
    assert (again.plan(), again.entries()) == (made, lines)
    header = json.loads((run.folder / JOURNAL).read_text().splitlines()[0])
    assert header["plan"] == made.digest
    assert "@" in header["by"]


def test_files_of_a_run_and_of_its_neighbours(runs: Runs) -> None:
    first, second = runs.start(plan("a"), RUN), runs.start(plan("b"), RUN.replace("4f2a", "0000"))
    assert first.save("policies.json", b"one") == digest_of_file(b"one")
    assert first.save("policies.json", b"two") == digest_of_file(b"two")
    assert first.load("policies.json") == second.load("policies.json", run=RUN) == b"two"
    assert second.load("policies.json") is None
    assert second.load("policies.json", run="no-such-run") is None


@pytest.mark.parametrize("name", ["../escaped", "/etc/passwd", ".hidden", "", "a/b", JOURNAL, PLAN, "lock"])
def test_names_stay_inside_their_folder(runs: Runs, name: str) -> None:
    run = runs.start(plan("a"), RUN)
    with pytest.raises(JournalError):
        run.save(name, b"x")
    if name not in {JOURNAL, PLAN, "lock"}:
        with pytest.raises(JournalError):
            run.load(name)
        if name:
            with pytest.raises(JournalError):
                run.load("policies.json", run=name)


# --- what was cut off ----------------------------------------------------------------------------------------------


LINES = [entry("opened"), entry("started", "a"), entry("acted", "a", "größer", update="u-1"), entry("succeeded", "a")]


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(0, 400))
def test_a_journal_cut_anywhere_has_its_whole_lines_and_goes_on(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    runs = Runs.at(str(tmp_path_factory.mktemp("runs")))
    run = runs.start(plan("a"), RUN)
    begin = (run.folder / JOURNAL).stat().st_size
    for line in LINES:
        run.append(line)
    run.release()
    path = run.folder / JOURNAL
    data = path.read_bytes()
    end = min(begin + cut, len(data))
    path.write_bytes(data[:end])
    whole = data[begin:end].count(b"\n")
    again = runs.find(RUN)
    assert again.entries() == tuple(LINES[:whole])
    again.append(entry("resumed"))
    again.append(entry("closed"))
    again.release()
    assert runs.find(RUN).entries() == (*LINES[:whole], entry("resumed"), entry("closed"))


def test_a_broken_line_in_the_middle_is_not_passed_over(runs: Runs) -> None:
    run = runs.start(plan("a"), RUN)
    for line in LINES:
        run.append(line)
    path = run.folder / JOURNAL
    path.write_bytes(path.read_bytes().replace(b'"acted"', b'"acted'))
    with pytest.raises(UnreadableInput) as caught:
        runs.find(RUN).entries()
    assert f"{path}:4" in str(caught.value)
    (summary,) = runs.all()
    assert summary.state == "unreadable"
    assert f"{path}:4" in summary.problem


# --- whose journal it is ---------------------------------------------------------------------------------------------


def test_a_journal_of_another_format_is_refused(runs: Runs) -> None:
    path = runs.start(plan("a"), RUN).folder / JOURNAL
    path.write_text(path.read_text().replace('"journal":1', '"journal":2'))
    with pytest.raises(UnreadableInput) as caught:
        runs.find(RUN)
    assert "format 2" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_plan_that_was_replaced_is_refused(runs: Runs) -> None:
    run, other = runs.start(plan("a"), RUN), runs.start(plan("b"), RUN.replace("4f2a", "0000"))
    (run.folder / PLAN).write_bytes((other.folder / PLAN).read_bytes())
    with pytest.raises(UnreadableInput) as caught:
        runs.find(RUN)
    assert "not the plan that run" in str(caught.value)


def test_a_journal_in_another_folder_is_refused(runs: Runs) -> None:
    run = runs.start(plan("a"), RUN)
    run.folder.rename(runs.root / "another")
    with pytest.raises(UnreadableInput) as caught:
        runs.find("another")
    assert RUN in str(caught.value)


@pytest.mark.parametrize("text", ["", "no journal\n", "{}\n", "[1]\n"])
def test_what_is_no_journal_is_refused(runs: Runs, text: str) -> None:
    (runs.start(plan("a"), RUN).folder / JOURNAL).write_text(text)
    with pytest.raises(UnreadableInput):
        runs.find(RUN)
    assert [r.state for r in runs.all()] == ["unreadable"]


# --- finding -----------------------------------------------------------------------------------------------------------


def test_a_run_is_found_by_the_beginning_of_its_id(runs: Runs) -> None:
    for run_id in ("20261127-030744-enable-4f2a", "20261127-040000-disable-0001", "20261128-000000-upgrade-0002"):
        runs.start(plan("a"), run_id).release()
    assert runs.find("20261128").run == "20261128-000000-upgrade-0002"
    with pytest.raises(UsageError) as caught:
        runs.find("20261127")
    assert "20261127-040000-disable-0001, 20261127-030744-enable-4f2a" in str(caught.value)
    with pytest.raises(UsageError) as caught:
        runs.find("2025")
    assert "there is no run '2025'" in str(caught.value)
    assert "20261128-000000-upgrade-0002" in str(caught.value)
    with pytest.raises(UsageError) as caught:
        Runs.at(str(runs.root / "none")).find("2026")
    assert "there are no runs" in str(caught.value)


def test_an_id_is_taken_once(runs: Runs) -> None:
    runs.start(plan("a"), RUN)
    with pytest.raises(JournalError):
        runs.start(plan("b"), RUN)
    assert runs.find(RUN).plan() == plan("a")


def test_what_a_killed_start_left_behind_is_no_run(runs: Runs) -> None:
    left = runs.root / f".new-{RUN}"
    left.mkdir(parents=True)
    (left / PLAN).write_text("half")
    assert runs.all() == ()
    assert runs.start(plan("a"), RUN).plan() == plan("a")


# --- how far it came -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "state", "done"),
    [
        ([], "stopped", 0),
        ([("opened", ""), ("started", "a")], "stopped", 0),
        ([("opened", ""), ("succeeded", "a"), ("stopped", "b")], "stopped", 1),
        ([("opened", ""), ("succeeded", "a"), ("failed", "b")], "failed", 1),
        ([("opened", ""), ("failed", "a"), ("resumed", ""), ("succeeded", "a")], "stopped", 1),
        ([("opened", ""), ("succeeded", "a"), ("succeeded", "b"), ("closed", "")], "finished", 2),
        ([("opened", ""), ("succeeded", "a"), ("closed", ""), ("rolled-back", "")], "rolled back", 1),
    ],
)
def test_the_state_of_a_run(runs: Runs, events: list[tuple[Event, str]], state: str, done: int) -> None:
    run = runs.start(plan("a", "b"), RUN)
    for event, step in events:
        run.append(entry(event, step, f"{event} it"))
    held = "running" if state in {"stopped", "failed"} else state
    assert [r.state for r in runs.all()] == [held]
    run.release()
    (summary,) = runs.all()
    assert (summary.id, summary.state, summary.done, summary.steps, summary.verb) == (RUN, state, done, 2, Verb.ENABLE)
    assert (summary.ended_at is None) == (state == "stopped")
    assert summary.started_at == NOW
    assert summary.target == SHOP
    assert bool(runs.unfinished(SHOP)) == (state in {"stopped", "failed"})
    assert runs.unfinished(replace(SHOP, arn=SHOP.arn.replace("shop", "other"))) == ()


def test_the_newest_comes_first(runs: Runs) -> None:
    for run_id in ("20261127-030744-enable-4f2a", "20261128-000000-upgrade-0002", "20261127-040000-disable-0001"):
        runs.start(plan("a"), run_id).release()
    assert [r.id[:15] for r in runs.all()] == ["20261128-000000", "20261127-040000", "20261127-030744"]


def test_which_cluster_a_run_was_on() -> None:
    assert same_cluster(SHOP, replace(SHOP, cluster="alias"))
    assert not same_cluster(SHOP, replace(SHOP, arn=SHOP.arn.replace("111122223333", "999")))
    assert same_cluster(Target(server="https://a/"), Target(server="https://a", context="b"))
    assert not same_cluster(Target(server="https://a"), Target(server="https://b"))
    assert same_cluster(Target(cluster="shop", region="r"), Target(cluster="shop", region="r", server="https://a"))
    assert not same_cluster(Target(), Target())


# --- one process at a time -----------------------------------------------------------------------------------------------


def python(code: str, *args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


HOLDER = """
    import sys
    from eksnetpol.gateways.runs import Runs
    run = Runs.at(sys.argv[1]).find(sys.argv[2])
    run.hold()
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_is_gone(runs: Runs) -> None:
    runs.start(plan("a"), RUN).release()
    with python(HOLDER, runs.root, RUN) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert [r.state for r in runs.all()] == ["running"]
        run = runs.find(RUN)
        for act in (run.hold, lambda: run.append(entry("resumed")), lambda: run.save("x.json", b"")):
            with pytest.raises(Refused) as caught:
                act()
            assert f"process {other.pid}" in str(caught.value)
            assert caught.value.exit_code == 6
        assert run.entries() == ()
        other.send_signal(signal.SIGKILL)
        other.wait()
        run.append(entry("resumed"))
    assert [e.event for e in runs.find(RUN).entries()] == ["resumed"]


def test_two_runs_in_one_process_do_not_share_a_lock(runs: Runs) -> None:
    run = runs.start(plan("a"), RUN)
    run.hold()
    with pytest.raises(Refused):
        runs.find(RUN).hold()
    run.release()
    run.release()
    again = runs.find(RUN)
    again.hold()
    assert again.is_held()


WRITER = """
    import sys
    from datetime import datetime, UTC
    from eksnetpol.gateways.runs import Runs
    from eksnetpol.interfaces.acting import Entry
    run = Runs.at(sys.argv[1]).find(sys.argv[2])
    for number in range(1_000_000):
        run.append(Entry(datetime.now(UTC), "acted", f"step-{number}", "x" * 200))
        print(number, flush=True)
"""


def test_a_kill_loses_no_line_that_was_acknowledged(runs: Runs) -> None:
    runs.start(plan("a"), RUN).release()
    said = -1
    for _ in range(3):
        with python(WRITER, runs.root, RUN) as writer:
            assert writer.stdout is not None
            for number in range(40):
                said = int(writer.stdout.readline())
                assert said == number
            writer.kill()
        found = [e.step for e in runs.find(RUN).entries()]
        last = max(place for place, step in enumerate(found) if step == "step-0")
        assert found[last:] == [f"step-{n}" for n in range(len(found) - last)]
        assert len(found) - last >= 40


# --- where nothing can be written ----------------------------------------------------------------------------------------

FULL = """
    import resource, sys
    from datetime import datetime, UTC
    from eksnetpol.errors import JournalError
    from eksnetpol.gateways.runs import Runs
    from eksnetpol.interfaces.acting import Entry
    run = Runs.at(sys.argv[1]).find(sys.argv[2])
    run.hold()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    written = 0
    try:
        while True:
            run.append(Entry(datetime.now(UTC), "acted", f"step-{written}", "x" * 100))
            written += 1
    except JournalError as error:
        print(written, error, sep="|")
    try:
        run.save("before.json", b"x" * 5000)
    except JournalError as error:
        print("saved", error, sep="|")
"""


def test_a_disk_that_is_full_midway_leaves_whole_lines(runs: Runs) -> None:
    """The kernel refuses to let a file grow: what a full disk does, half a line included."""
    runs.start(plan("a"), RUN).release()
    with python(FULL, runs.root, RUN) as writer:
        assert writer.stdout is not None
        first, second = (line.strip().partition("|") for line in writer.stdout.read().splitlines())
    assert int(first[0]) > 1
    assert "File too large" in first[2]
    assert f"resume {RUN}" in first[2]
    assert second[0] == "saved"
    run = runs.find(RUN)
    assert [e.step for e in run.entries()] == [f"step-{n}" for n in range(int(first[0]))]
    assert (run.folder / JOURNAL).read_bytes().endswith(b"\n")
    assert sorted(p.name for p in run.folder.iterdir()) == [JOURNAL, "lock", PLAN]


def test_no_room_stops_before_anything_is_written(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(JournalError) as caught:
        runs.start(plan("a"), RUN)
    assert "only 1,000 bytes are free" in str(caught.value)
    assert "nothing was changed" in str(caught.value)
    assert list(runs.root.iterdir()) == []


def test_a_root_that_is_no_folder_stops_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        with pytest.raises(JournalError) as caught:
            Runs.at(str(tmp_path / place)).start(plan("a"), RUN)
        assert "nothing was changed" in str(caught.value)
        assert "--state-dir" in str(caught.value)
        assert caught.value.exit_code == 2


def test_a_file_system_that_is_read_only_stops_it() -> None:
    with pytest.raises(JournalError) as caught:
        Runs.at("/proc/eksnetpol").start(plan("a"), RUN)
    assert "a run cannot be kept there" in str(caught.value)


def test_a_journal_that_went_away_is_not_written_anew(runs: Runs) -> None:
    run = runs.start(plan("a"), RUN)
    (run.folder / JOURNAL).unlink()
    with pytest.raises(JournalError):
        RunFolder.append(run, entry("opened"))
    assert not (run.folder / JOURNAL).exists()
