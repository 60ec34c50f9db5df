"""Programs that run beside a test and never outlive it: not a failing test, not a killed interpreter."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE = 10.0
"""Seconds a program has to end by itself."""
TAIL = 3000
"""How much of a log an error shows, in characters."""


class NeverReady(Exception):
    """A program ended or did not get ready in time; the text holds the end of its log."""


@dataclass(slots=True)
class Running:
    """A program in a process group of its own, with a watchdog that ends the group when this interpreter is gone."""

    name: str
    process: subprocess.Popen[bytes]
    watchdog: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise `NeverReady` when the program has ended."""
        if self.process.poll() is not None:
            raise NeverReady(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """Return the end of the log."""
        return self.log.read_text(errors="replace")[-TAIL:]

    def stop(self, grace: float = GRACE) -> None:
        """End the program and all it started; calling it again does nothing."""
        _unregister(self)
        _signal(self.process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(grace)
        _signal(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.watchdog.kill()
        self.watchdog.wait()
        if self.watchdog.stdin is not None:
            self.watchdog.stdin.close()


_running: list[Running] = []


def start(name: str, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> Running:
    """Start a program with its output in *log*, its environment that of this process and *environment*."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    # The pipe's other end is held by this interpreter alone: reading ends when it does, even by SIGKILL.
    watchdog = subprocess.Popen(
        ["/bin/sh", "-c", 'read _; kill -s KILL -- "-$0" 2>/dev/null', str(process.pid)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    running = Running(name, process, watchdog, log)
    _running.append(running)
    return running


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return ports that nobody listens on now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = [socket.socket(family) for _ in range(count)]
    try:
        for one in held:
            one.bind((host, 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _unregister(running: Running) -> None:
    with suppress(ValueError):
        _running.remove(running)


@atexit.register
def stop_all() -> None:
    """End everything that still runs."""
    while _running:
        _running[-1].stop(0.5)
