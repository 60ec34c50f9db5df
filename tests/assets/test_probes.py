"""The Job of a probe, and what it runs: by a real shell against real sockets, with bash and with stand-ins for two kinds of nc.

What the stand-ins print, and which options they know, is as netcat-openbsd 1.219 and BusyBox v1.35.0 (Debian bookworm) do it.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eksnetpol.assets.probes import PROBES, probe_job, script
from eksnetpol.migration.probing.results import Result, read
from eksnetpol.model.kinds import JOB, ObjectRef

NC = '''\
#!{python}
"""Connects as nc does: {kind}."""
import socket, sys
args = sys.argv[1:]
if {small} and any(a in ("-n", "-z", "-v") for a in args):
    print("nc: invalid option -- 'n'", "Usage: nc [-iN] [-wN] [-l] [-p PORT]", "\\t-w SEC\\tConnect timeout", file=sys.stderr)
    sys.exit(1)
wait, host, port = float(args[args.index("-w") + 1]), args[-2], int(args[-1])
try:
    there = socket.create_connection((host, port), timeout=wait)
except TimeoutError:
    sys.exit("nc: timed out" if {small} else f"nc: connect to {{host}} port {{port}} (tcp) timed out: Operation now in progress")
except OSError as error:
    remote = "nc: can't connect to remote host (" + host + "): "
    sys.exit((remote if {small} else f"nc: connect to {{host}} port {{port}} (tcp) failed: ") + error.strerror)
if {small}:
    there.settimeout(60)
    there.recv(1)
'''
WITH = ("sleep", "date", "tee")


@pytest.fixture
def ports() -> Iterator[dict[str, int]]:
    """A port that listens, one that nobody has, and one that answers nothing, for its queue is full."""
    listening, gone, full = (socket.socket() for _ in range(3))
    for one in (listening, gone, full):
        one.bind(("127.0.0.1", 0))
    listening.listen(8)
    full.listen(0)
    found = {name: s.getsockname()[1] for name, s in (("open", listening), ("closed", gone), ("hole", full))}
    gone.close()
    queued = []
    for _ in range(4):
        one = socket.socket()
        one.settimeout(0.0)
        one.connect_ex(("127.0.0.1", found["hole"]))
        queued.append(one)
    yield found
    for one in (listening, full, *queued):
        one.close()


def ran(tmp_path: Path, how: str, lines: list[str], **times: int) -> tuple[dict[int, Result], str]:
    tools = tmp_path / "bin"
    tools.mkdir()
    names = (*WITH, "timeout", *(("bash",) if how == "bash" else ()))
    for name in names:
        where = next(p for folder in ("/usr/bin", "/bin") if (p := Path(folder, name)).exists())
        (tools / name).symlink_to(where)
    if how.startswith("nc"):
        (tools / "nc").write_text(NC.format(python=sys.executable, kind=how, small=how == "nc of busybox"))
        (tools / "nc").chmod(0o755)
    out = tmp_path / "results"
    text = script(**{"settle": 0, "wait": 1, "pause": 0, "tries": 2, **times})
    env = {"PATH": str(tools), "PROBE_RESULTS": str(out)}
    done = subprocess.run(
        ["/bin/sh", "-c", text, "probe", *lines], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    return read(out.read_text()), done.stdout


@pytest.mark.parametrize("how", ["bash", "nc of openbsd", "nc of busybox"])
def test_open_refused_and_silent_are_told_apart(how: str, ports: dict[str, int], tmp_path: Path) -> None:
    lines = [
        f"0 127.0.0.1 {ports['open']} open", f"1 127.0.0.1 {ports['closed']} open",
        f"2 127.0.0.1 {ports['hole']} closed", f"7 127.0.0.1 {ports['open']} closed",
    ]  # fmt: skip
    found, said = ran(tmp_path, how, lines, tries=1)
    assert found == {0: Result.OPEN, 1: Result.REFUSED, 2: Result.SILENT, 7: Result.OPEN}
    assert [line for line in said.splitlines() if "=" in line] == ["0=open", "1=refused", "2=silent", "7=open"]


def test_an_image_without_tools_says_so_and_nothing_else(ports: dict[str, int], tmp_path: Path) -> None:
    found, said = ran(tmp_path, "nothing", [f"0 127.0.0.1 {ports['open']} open", f"1 127.0.0.1 {ports['hole']} closed"])
    assert found == {0: Result.BROKEN, 1: Result.BROKEN}, "what could not be tried is no denial"
    assert "neither nc nor bash is in this image" in said


def test_what_is_not_as_expected_is_tried_again(ports: dict[str, int], tmp_path: Path) -> None:
    """Policies reach a new pod after a while: the port opens while the probe waits."""
    text = NC.format(python=sys.executable, kind="late", small=False)
    counted = f"import socket, sys, pathlib\ncount = pathlib.Path({str(tmp_path / 'count')!r})"
    late = text.replace("import socket, sys", counted).replace(
        "try:", "tried = len(count.read_text()) if count.exists() else 0\ncount.write_text('x' * (tried + 1))\n"
        f"port = port if tried < 2 else {ports['open']}\ntry:", 1
    )  # fmt: skip
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in WITH:
        (tools / name).symlink_to(next(p for folder in ("/usr/bin", "/bin") if (p := Path(folder, name)).exists()))
    (tools / "nc").write_text(late)
    (tools / "nc").chmod(0o755)
    out = tmp_path / "results"
    env = {"PATH": str(tools), "PROBE_RESULTS": str(out)}
    command = ["/bin/sh", "-c", script(0, 1, 0, 3), "probe", f"0 127.0.0.1 {ports['hole']} open"]
    subprocess.run(command, env=env, capture_output=True, timeout=60, check=True)
    assert (read(out.read_text()), (tmp_path / "count").read_text()) == ({0: Result.OPEN}, "xxx")


def job(**said: Any) -> dict[str, Any]:
    wanted = {"labels": {"app": "web"}, "image": "example.org/probe@sha256:0f", "lines": [(3, "10.0.0.7", 5432, False)]} | said
    return probe_job(ObjectRef.to(JOB, "eksnetpol-probe-0a1b2c", "shop"), **wanted)


def test_a_probe_is_nobodys_endpoint_and_fits_restricted_pod_security() -> None:
    spec = job(node="node-1")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["readinessGates"], "a pod that is ready would get users' traffic"
    assert container["readinessProbe"]["initialDelaySeconds"] >= job()["spec"]["activeDeadlineSeconds"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["restartPolicy"] == "Never"
    # kubernetes.io, "Pod Security Standards", profile Restricted
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostNetwork", "hostPID", "hostIPC", "volumes"} & spec.keys()
    assert container["args"] == ["3 10.0.0.7 5432 closed"]


def test_a_probes_pod_has_the_labels_that_policies_ask_for_and_no_others_that_they_might() -> None:
    found = job()
    name = "eksnetpol-probe-0a1b2c"
    assert found["spec"]["template"]["metadata"]["labels"] == {"app": "web", PROBES: name, "sidecar.istio.io/inject": "false"}
    assert found["metadata"]["labels"][PROBES] == name
    assert "nodeName" not in found["spec"]["template"]["spec"]
    pinned = job(node="node-1")["spec"]["template"]["spec"]
    assert (pinned["nodeName"], pinned["tolerations"]) == ("node-1", [{"operator": "Exists"}])


def test_results_of_the_most_tries_fit_a_termination_message() -> None:
    assert len("".join(f"{number}={Result.UNREACHABLE}\n" for number in range(200))) <= 4096
