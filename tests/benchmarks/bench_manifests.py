"""How long the matrix of a repository of manifests takes: thousands of small YAML files, whole processes.

A command: ``python -m tests.benchmarks.bench_manifests [--apps 1000]``. The best of the public tools that answer the same
question needed 35 seconds for such a tree on a machine with two cores; the bounds are 1/20 of that for the whole process and
1/300 for the engine alone. These two are no ratios of one run, so that they hold for such a machine only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.manifest_tree import write
from tests.benchmarks.turns import Bound, Run, head, ratios, say, say_runs, take_turns

BEST_PUBLIC_TOOL = 35.0
"""Seconds."""

MOST_WHOLE = Bound(BEST_PUBLIC_TOOL / 20)
MOST_ALONE = Bound(BEST_PUBLIC_TOOL / 300)

MATRIX, READ, BYTES = "policy matrix -o json", "reading alone", "opening every file"
_READ = """
import sys
from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.gateways.manifest_files import read_manifests
with collector_paused():
    read_manifests([sys.argv[1]], None, lambda note: None)
"""
_OPEN = """
import pathlib, sys
sum(len(p.read_bytes()) for p in pathlib.Path(sys.argv[1]).rglob("*.yaml"))
"""
_ALONE = """
import gc, json, statistics, sys, time
gc.disable()
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.world import World
world = World.of(read_manifests([sys.argv[1]], None, lambda note: None))
taken = []
for _ in range(6):
    begun = time.perf_counter()
    matrix = build_engine(world, Profile()).matrix()
    taken.append(time.perf_counter() - begun)
print(json.dumps({"first": taken[0], "median": statistics.median(taken[1:]), "workloads": len(matrix.atlas.workloads)}))
"""


def commands(folder: str) -> dict[str, list[str]]:
    """Return the whole processes that are measured, by name."""
    python = sys.executable
    return {
        BYTES: [python, "-c", _OPEN, folder],
        READ: [python, "-c", _READ, folder],
        MATRIX: [python, "-m", "eksnetpol", "policy", "matrix", "--manifests", folder, "-o", f"json={os.devnull}"],
    }


def main() -> None:
    """Print the ratios, and seconds beside their bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--apps", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="manifests-") as folder:
        size = write(Path(folder), asked.apps)
        files = sum(1 for _ in Path(folder).rglob("*.yaml"))
        runs = take_turns(commands(folder), asked.rounds)
        done = subprocess.run([sys.executable, "-c", _ALONE, folder], check=True, capture_output=True, text=True)
        _report(runs, json.loads(done.stdout), f"{size / 1e6:.1f} MB in {files:,} files, {asked.rounds} rounds in turn")


def _report(runs: Mapping[str, Sequence[Run]], alone: Mapping[str, float], title: str) -> None:
    whole, read = runs[MATRIX], runs[READ]
    head(f"manifests: {title}")
    say(f"{MATRIX} / {READ}, wall", ratios([r.wall for r in whole], [r.wall for r in read]))
    say(f"{MATRIX} / {READ}, cpu", ratios([r.cpu for r in whole], [r.cpu for r in read]))
    say(f"engine alone / {READ}, wall", [alone["median"] / statistics.median([r.wall for r in read])])
    head("seconds, on two cores")
    say(f"{MATRIX}, whole process, wall", [r.wall for r in whole], MOST_WHOLE)
    say(f"{MATRIX}, whole process, cpu", [r.cpu for r in whole], MOST_WHOLE)
    say(f"engine alone, {alone['workloads']:,.0f} workloads", [alone["median"]], MOST_ALONE)
    say("engine alone, the first time", [alone["first"]], MOST_ALONE)
    say_runs(runs)


if __name__ == "__main__":
    main()
