"""How long preflight takes on a large snapshot, against decoding the same bytes alone.

A command: ``python -m tests.benchmarks.bench_preflight``. Each process is started anew; they are run in turn, so that what else
the machine does befalls all. Ratios are of the medians, to msgspec with the cyclic collector off: the least that decoding takes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.generate import Size

MOST_TIME = 2.0
"""Times that preflight may take what decoding takes."""

MOST_MEMORY = 1536
"""MiB that preflight may have at its peak."""

_GC_OFF = "import gc, sys, msgspec; gc.disable(); msgspec.json.decode(open(sys.argv[1], 'rb').read())"
_AS_IT_IS = "import sys, msgspec; msgspec.json.decode(open(sys.argv[1], 'rb').read())"
_LOAD = "import sys; from eksnetpol.gateways.snapshot_file import load; load(sys.argv[1])"
_SETTLED = (0, 1, 3)


def commands(file: str) -> dict[str, list[str]]:
    """Return what is measured, by name; the first is what the others are compared with."""
    python = sys.executable
    return {
        "msgspec, collector off": [python, "-c", _GC_OFF, file],
        "msgspec as it is": [python, "-c", _AS_IT_IS, file],
        "snapshot_file.load": [python, "-c", _LOAD, file],
        "eksnetpol preflight": [python, "-m", "eksnetpol", "preflight", "--snapshot", file, "-o", f"json={os.devnull}"],
    }


def measure(command: Sequence[str]) -> tuple[float, float]:
    """Run *command*, and return its seconds and its peak memory in MiB; raise `RuntimeError` where it did not settle."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in _SETTLED:
        message = f"{' '.join(command)} ended with {process.returncode}"
        raise RuntimeError(message)
    return taken, usage.ru_maxrss / 1024


def main() -> None:
    """Print seconds, ratios and peaks; end with 1 where preflight takes more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    for name in Size.__dataclass_fields__:
        parser.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    asked = parser.parse_args()
    size = Size(asked.nodes, asked.pods, asked.services, asked.policies)
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "large.json")
        _generate(size, file)
        over = _report(commands(file), asked.rounds, Path(file).stat().st_size)
    sys.exit(1 if over else 0)


def _generate(size: Size, file: str) -> None:
    # In a process of its own: what is started later would count this one's memory as its peak.
    words = [f"--{name}={getattr(size, name)}" for name in Size.__dataclass_fields__]
    subprocess.run([sys.executable, "-m", "tests.benchmarks.generate", file, *words], check=True)


def _report(what: dict[str, list[str]], rounds: int, size: int) -> bool:
    taken: dict[str, list[float]] = {name: [] for name in what}
    peaks: dict[str, float] = dict.fromkeys(what, 0.0)
    for _ in range(rounds):
        for name, command in what.items():
            seconds, peak = measure(command)
            taken[name].append(seconds)
            peaks[name] = max(peaks[name], peak)
    base = statistics.median(taken[next(iter(what))])
    sys.stdout.write(f"{size / 2**20:,.0f} MiB of JSON, {rounds} rounds in turn\n\n")
    sys.stdout.write(f"{'':28}{'median':>9}{'least':>9}{'ratio':>8}{'peak':>12}\n")
    for name, times in taken.items():
        median = statistics.median(times)
        row = f"{name:28}{median:8.2f}s{min(times):8.2f}s{median / base:8.2f}{peaks[name]:8.0f} MiB\n"
        sys.stdout.write(row)
    last = list(what)[-1]
    ratio = statistics.median(taken[last]) / base
    over = ratio > MOST_TIME or peaks[last] > MOST_MEMORY
    verdict = "too much" if over else "within"
    sys.stdout.write(f"\n{verdict}: at most {MOST_TIME} times and {MOST_MEMORY} MiB\n")
    return over


if __name__ == "__main__":
    main()
