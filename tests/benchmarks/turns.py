"""Whole processes in turn, and what one takes beside another: the machine's own ups and downs befall both of a pair alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

SETTLED = (0, 1, 3, 6)
"""Exit codes of a run that came to its end, whatever it found or refused."""


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds by the clock, seconds of processor time, and peak memory in MiB of a whole process."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True, slots=True)
class Bound:
    """At most (or, with *least*, at least) *times* the baseline."""

    times: float
    least: bool = False

    def holds(self, ratio: float) -> bool:
        """Say whether *ratio* is within it."""
        return ratio >= self.times if self.least else ratio <= self.times

    def __str__(self) -> str:
        return f"{'>=' if self.least else '<='} {self.times:g}"


@contextmanager
def installed() -> Iterator[Mapping[str, str]]:
    """Give an environment in which Python keeps compiled modules, as it does for an installed package; a folder of its own."""
    with TemporaryDirectory(prefix="bench-") as folder:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        yield environment | {"PYTHONPYCACHEPREFIX": folder}


def measure(command: Sequence[str], environment: Mapping[str, str]) -> Run:
    """Run *command* from its start to its exit; raise `RuntimeError` where it did not settle."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in SETTLED:
        message = f"{' '.join(command)} ended with {process.returncode}"
        raise RuntimeError(message)
    return Run(taken, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def take_turns(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[Run]]:
    """Run all of *commands* in turn, *rounds* times after one round that does not count."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    with installed() as environment:
        for number in range(rounds + 1):
            for name, command in commands.items():
                run = measure(command, environment)
                if number:
                    runs[name].append(run)
    return runs


def ratios(taken: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Return what was taken as multiples of the baseline, pair by pair."""
    return [mine / base for mine, base in zip(taken, baseline, strict=True)]


def say(name: str, found: Sequence[float], bound: Bound | None = None) -> None:
    """Write the median, least and greatest of some ratios, and the bound beside them."""
    median = statistics.median(found)
    verdict = "" if bound is None else f"   {bound!s:>7}  {'within' if bound.holds(median) else 'MISSED'}"
    sys.stdout.write(f"{name:52}{median:7.2f}{min(found):7.2f}{max(found):7.2f}{verdict}\n")


def head(title: str) -> None:
    """Write what the columns of `say` are."""
    sys.stdout.write(f"\n{title}\n{'ratio':52}{'median':>7}{'min':>7}{'max':>7}     bound\n")


def say_runs(runs: Mapping[str, Sequence[Run]]) -> None:
    """Write the medians that the ratios come from."""
    sys.stdout.write(f"\n{'':52}{'wall':>9}{'cpu':>9}{'peak':>10}\n")
    for name, each in runs.items():
        wall, cpu = (statistics.median(values) for values in ([r.wall for r in each], [r.cpu for r in each]))
        sys.stdout.write(f"{name:52}{wall:8.3f}s{cpu:8.3f}s{max(r.peak for r in each):6.0f} MiB\n")
