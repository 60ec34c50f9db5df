"""What only a process can show: signals, pipes, full disks, and what gets imported."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ended, environment

Process = Callable[..., Ended]
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: me, user: {{token: t}}}}]
"""
HEAVY = ("boto3", "botocore", "kubernetes", "rich", "jinja2", "msgspec", "yaml", "jsonschema", "asyncio", "urllib3")


def start(*args: str, cwd: Path, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "eksnetpol", *args],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=environment(),
    )


@pytest.mark.parametrize(
    "args",
    [("--help",), ("--version",), ("version",), ("completion", "bash"), ("preflight", "--help"), ("snapshot", "save", "-h"), ()],
    ids=" ".join,
)
def test_help_version_and_completion_import_nothing_heavy(args: tuple[str, ...], quiet_place: Path) -> None:
    code = (
        "import sys; from eksnetpol.cli.entry import run; run(sys.argv[1:]);"
        f"sys.stderr.write('LOADED:' + ','.join(m for m in {HEAVY!r} if m in sys.modules) + '.')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=quiet_place, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.stderr.endswith("LOADED:."), done.stderr


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("eksnetpol pre", ["preflight"]),
        ("eksnetpol snapshot s", ["save", "show"]),
        ("eksnetpol preflight --snap", ["--snapshot"]),
        ("eksnetpol preflight --for up", ["upgrade"]),
        ("eksnetpol preflight -o sa", ["sarif"]),
        ("eksnetpol checks explain kubernetes-version", ["kubernetes-version-supports-policy"]),
        ("eksnetpol preflight --skip nodes,switch", ["nodes,switches"]),
        ("eksnetpol checks list --family control", ["control_plane"]),
        ("eksnetpol permissions show snap", ["snapshot"]),
        ("eksnetpol permissions show snapshot ", ["save"]),
    ],
)
def test_words_are_completed_without_an_sdk(typed: str, completed: list[str], quiet_place: Path) -> None:
    words = typed.split(" ")
    code = (
        "import atexit, sys; from eksnetpol.cli.entry import main;"
        "atexit.register(lambda: sys.stderr.write(','.join(m for m in ('boto3', 'botocore', 'kubernetes') if m in sys.modules)));"
        "sys.argv = ['eksnetpol']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=quiet_place,
        env=environment(_EKSNETPOL_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD=str(len(words) - 1)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == completed


def test_contexts_and_profiles_are_completed_from_the_files(quiet_place: Path) -> None:
    (quiet_place / "config").write_text("contexts: [{name: shop-prod}, {name: shop-test}, {name: other}]", encoding="utf-8")
    (quiet_place / "broken").write_text("contexts: [{", encoding="utf-8")
    (quiet_place / "aws").write_text("[default]\n[profile shop-reader]\n[sso-session shop]\n", encoding="utf-8")

    def completed(*words: str) -> list[str]:
        variables = {"_EKSNETPOL_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        variables |= {"KUBECONFIG": f"absent{os.pathsep}broken{os.pathsep}config", "AWS_CONFIG_FILE": "aws"}
        done = subprocess.run(
            [sys.executable, "-m", "eksnetpol"],
            cwd=quiet_place, env=environment(**variables), capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stderr == ""
        return [line.partition(",")[2] for line in done.stdout.splitlines() if line]

    assert completed("eksnetpol", "preflight", "--context", "shop") == ["shop-prod", "shop-test"]
    assert completed("eksnetpol", "preflight", "--kubeconfig", "absent", "--context", "shop") == []
    assert completed("eksnetpol", "preflight", "--profile", "s") == ["shop-reader"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_calls_eksnetpol(process: Process, shell: str) -> None:
    ended = process("completion", shell)
    assert ended.code == 0
    assert f"_EKSNETPOL_COMPLETE={shell}_complete" in ended.out


def test_the_bash_script_is_bash(process: Process, quiet_place: Path) -> None:
    (quiet_place / "script").write_text(process("completion", "bash").out, encoding="utf-8")
    subprocess.run(["bash", "-n", "script"], cwd=quiet_place, check=True)


def test_ctrl_c_ends_with_a_sentence(quiet_place: Path) -> None:
    running = start("preflight", "--snapshot", "-", cwd=quiet_place)
    _wait_until_it_reads(running)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out, err) == (130, b"", b"eksnetpol: interrupted; nothing was changed\n")


def test_ctrl_c_does_not_wait_for_an_api_server_that_never_answers(quiet_place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (quiet_place / "config").write_text(KUBECONFIG.format(port=silent.getsockname()[1]), encoding="utf-8")
        running = start("preflight", "--kubeconfig", "config", cwd=quiet_place)
        silent.settimeout(20)
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=5)
    assert (running.returncode, err) == (130, b"eksnetpol: interrupted; nothing was changed\n")


def test_an_api_server_that_is_not_there_is_one_sentence(process: Process, quiet_place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    (quiet_place / "config").write_text(KUBECONFIG.format(port=port), encoding="utf-8")
    ended = process("preflight", "--kubeconfig", "config")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("eksnetpol: ")
    assert str(port) in ended.err
    assert ended.err.count("\n") == 1


def test_a_kill_leaves_the_old_report_and_nothing_beside_it(quiet_place: Path) -> None:
    (quiet_place / "report.json").write_text("before", encoding="utf-8")
    running = start("preflight", "--snapshot", "-", "-o", "json=report.json", cwd=quiet_place)
    _wait_until_it_reads(running)
    running.kill()
    running.communicate(timeout=20)
    assert running.returncode == -signal.SIGKILL
    assert [(p.name, p.read_text(encoding="utf-8")) for p in quiet_place.iterdir()] == [("report.json", "before")]


def _wait_until_it_reads(running: subprocess.Popen[bytes]) -> None:
    """Wait until the process sleeps in read(0, …)."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        call = Path(f"/proc/{running.pid}/wchan")
        if call.is_file() and "pipe" in call.read_text(encoding="ascii"):
            return
        time.sleep(0.05)
    # Where the kernel does not say what a process waits for, this is long enough.


@pytest.mark.parametrize("args", [("checks", "list", "-o", "json"), ("--help",), ("schema",)], ids=" ".join)
def test_a_reader_that_went_away_is_no_news(args: tuple[str, ...], quiet_place: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    running = start(*args, cwd=quiet_place, stdout=writing)
    os.close(writing)
    _, err = running.communicate(timeout=20)
    assert (running.returncode, err) == (141, b"")


@pytest.mark.parametrize("args", [("checks", "list"), ("--help",), ("version",)], ids=" ".join)
def test_a_full_disk_is_one_line(args: tuple[str, ...], quiet_place: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        running = start(*args, cwd=quiet_place, stdout=full.fileno())
        _, err = running.communicate(timeout=20)
    assert (running.returncode, err) == (2, b"eksnetpol: stdout: cannot be written: No space left on device\n")


def test_a_full_disk_under_a_file_is_one_line(process: Process, saved: str) -> None:
    ended = process("preflight", "--snapshot", saved, "-o", "json=/dev/full")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "eksnetpol: /dev/full: cannot be written: No space left on device\n"


def test_a_closed_stdout_is_one_line(quiet_place: Path) -> None:
    words = f"{sys.executable} -m eksnetpol checks list >&-"
    done = subprocess.run(["sh", "-c", words], cwd=quiet_place, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "eksnetpol: stdout: cannot be written: it is closed\n")


def test_a_terminal_of_ascii_gets_everything(process: Process, saved: str) -> None:
    ended = process("preflight", "--snapshot", saved, "--color", "always", PYTHONIOENCODING="ascii")
    assert ended.code == 3
    assert ended.out.isascii()


def test_it_is_a_kubectl_plugin(quiet_place: Path) -> None:
    words = ["/bin/kubectl-eks_netpol", "preflight", "--nonsense"]
    code = f"import sys; from eksnetpol.__main__ import main; sys.argv = {words!r}; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=quiet_place, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "`kubectl eks-netpol preflight --help`" in done.stderr
