"""How long preflight takes on a large snapshot, against decoding the same bytes alone: whole processes.

A command: ``python -m tests.benchmarks.bench_preflight [--snapshot FILE]``. There are two baselines: msgspec as it is, and with
Python's cyclic collector off, which is the least that decoding takes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.generate import Size
from tests.benchmarks.turns import Bound, Run, head, ratios, say, say_runs, take_turns

MOST_TIME = Bound(2.0)
"""Times that preflight may take what decoding takes."""

MOST_MEMORY = 1536
"""MiB that preflight may have at its peak."""

PLAIN, LEAST = "msgspec as it is", "msgspec, collector off"
_GC_OFF = "import gc, sys, msgspec; gc.disable(); msgspec.json.decode(open(sys.argv[1], 'rb').read())"
_AS_IT_IS = "import sys, msgspec; msgspec.json.decode(open(sys.argv[1], 'rb').read())"
_LOAD = "import sys; from eksnetpol.gateways.snapshot_file import load; load(sys.argv[1])"


def commands(file: str) -> dict[str, list[str]]:
    """Return what is measured, by name."""
    python = sys.executable
    ours = [python, "-m", "eksnetpol", "preflight", "--snapshot", file]
    return {
        PLAIN: [python, "-c", _AS_IT_IS, file],
        LEAST: [python, "-c", _GC_OFF, file],
        "snapshot_file.load": [python, "-c", _LOAD, file],
        "preflight -o json": [*ours, "-o", f"json={os.devnull}"],
        "preflight -o text": [*ours, "-o", "text"],
    }


def main() -> None:
    """Print ratios, with what they may be, and peaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--snapshot", help="measure on this file; else one is generated")
    for name in Size.__dataclass_fields__:
        parser.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = asked.snapshot or str(Path(folder) / "large.json")
        if not asked.snapshot:
            _generate(Size(asked.nodes, asked.pods, asked.services, asked.policies), file)
        runs = take_turns(commands(file), asked.rounds)
        _report(runs, asked.rounds, Path(file).stat().st_size)


def _generate(size: Size, file: str) -> None:
    # In a process of its own: what is started later would count this one's memory as its peak.
    words = [f"--{name}={getattr(size, name)}" for name in Size.__dataclass_fields__]
    subprocess.run([sys.executable, "-m", "tests.benchmarks.generate", file, *words], check=True)


def _report(runs: Mapping[str, Sequence[Run]], rounds: int, size: int) -> None:
    head(f"preflight of {size / 2**20:,.0f} MiB of JSON, {rounds} rounds in turn")
    for name in ("preflight -o json", "preflight -o text"):
        for base in (PLAIN, LEAST):
            say(f"{name} / {base}, wall", ratios([r.wall for r in runs[name]], [r.wall for r in runs[base]]), MOST_TIME)
            say(f"{name} / {base}, cpu", ratios([r.cpu for r in runs[name]], [r.cpu for r in runs[base]]), MOST_TIME)
    peak = max(r.peak for name in ("preflight -o json", "preflight -o text") for r in runs[name])
    verdict = "within" if peak <= MOST_MEMORY else "MISSED"
    sys.stdout.write(f"peak memory: {peak:.0f} MiB, <= {MOST_MEMORY} MiB  {verdict}\n")
    say_runs(runs)


if __name__ == "__main__":
    main()
