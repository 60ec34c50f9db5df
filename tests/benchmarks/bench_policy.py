"""How long it takes to think about a large cluster's policies, against reading the cluster: all pairs, lints, predicted objects.

A command: ``python -m tests.benchmarks.bench_policy [--snapshot FILE]``. Whole processes are measured against decoding the same
bytes, with ours and with msgspec alone; what grows with pods and with policies, one question, and the plain fold over pairs are
measured inside a process each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.generate import Size
from tests.benchmarks.turns import Bound, Run, head, ratios, say, say_runs, take_turns

MOST_TIME = Bound(1.25)
"""Times that reading and thinking together may take what reading takes."""

MOST_MEMORY = 1536
"""MiB that a process may have at its peak."""

MOST_FOR_PODS, MOST_FOR_POLICIES = Bound(1.2), Bound(2.0)
"""Times that the engine may take with twice the pods at as many workloads, and with twice the policies."""

MOST_FOR_A_QUESTION = Bound(1.0)
"""Milliseconds that a single question may take."""

LEAST_OVER_FOLD = Bound(50, least=True)
"""Times that the plain fold over pairs takes what the engine takes, at least."""

PLAIN, LEAST, LOAD, THINK = "msgspec as it is", "msgspec, collector off", "snapshot_file.load", "load, matrix, lints, counts"
_AS_IT_IS = "import sys, msgspec; msgspec.json.decode(open(sys.argv[1], 'rb').read())"
_GC_OFF = f"import gc; gc.disable(); {_AS_IT_IS}"


def commands(file: str) -> dict[str, list[str]]:
    """Return the whole processes that are measured, by name."""
    python = sys.executable
    thinking = [python, "-m", "tests.benchmarks.think", file]
    return {
        PLAIN: [python, "-c", _AS_IT_IS, file],
        LEAST: [python, "-c", _GC_OFF, file],
        LOAD: [*thinking, "--only", "load"],
        THINK: thinking,
    }


def main() -> None:
    """Print ratios, with what they may be, and peaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--snapshot", help="measure on this file; else one is generated")
    for name in Size.__dataclass_fields__:
        parser.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    asked = parser.parse_args()
    size = Size(asked.nodes, asked.pods, asked.services, asked.policies)
    with tempfile.TemporaryDirectory() as folder:
        file = asked.snapshot or str(Path(folder) / "large.json")
        if not asked.snapshot:
            subprocess.run([sys.executable, "-m", "tests.benchmarks.generate", file, *_words(size)], check=True)
        _whole(take_turns(commands(file), asked.rounds), asked.rounds, Path(file).stat().st_size)
        _parts(file)
        _question(file)
    _growth(size)
    _fold()


def _words(size: Size) -> list[str]:
    return [f"--{name}={getattr(size, name)}" for name in Size.__dataclass_fields__]


def _whole(runs: Mapping[str, Sequence[Run]], rounds: int, size: int) -> None:
    head(f"thinking about {size / 2**20:,.0f} MiB of JSON, {rounds} rounds in turn")
    for base in (LOAD, PLAIN, LEAST):
        say(f"{THINK} / {base}, wall", ratios([r.wall for r in runs[THINK]], [r.wall for r in runs[base]]), MOST_TIME)
        say(f"{THINK} / {base}, cpu", ratios([r.cpu for r in runs[THINK]], [r.cpu for r in runs[base]]), MOST_TIME)
    peak = max(r.peak for r in runs[THINK])
    verdict = "within" if peak <= MOST_MEMORY else "MISSED"
    sys.stdout.write(f"peak memory: {peak:.0f} MiB, <= {MOST_MEMORY} MiB  {verdict}\n")
    say_runs(runs)


def _parts(file: str) -> None:
    said = _inside("tests.benchmarks.think", file, "--clock")
    sys.stdout.write("\nprocessor time of each part, in one process\n")
    for name, seconds in said["seconds"].items():
        sys.stdout.write(f"  {name:50}{seconds * 1e3:9.1f} ms\n")


def _question(file: str) -> None:
    found = _inside("tests.benchmarks.engine_times", "decide", "--snapshot", file)
    head("one question to a decoded snapshot, in milliseconds of processor time")
    for name in ("median", "mean"):
        say(name, [found[name] * 1e3], MOST_FOR_A_QUESTION)
    say("ninety-nine of a hundred", [found["ninety-nine of a hundred"] * 1e3])
    built, first = (found[name] * 1e3 for name in ("build", "first"))
    sys.stdout.write(f"building the engine {built:.0f} ms, the first question {first:.0f} ms: it indexes rules\n")


def _growth(size: Size) -> None:
    half = Size(size.nodes, size.pods // 2, size.services, size.policies)
    few = Size(size.nodes, size.pods, size.services, size.policies // 2)
    one, two = (_inside("tests.benchmarks.engine_times", "scale", *_words(half), f"--times={n}") for n in (1, 2))
    head(f"{two['pods']:,.0f} pods beside {one['pods']:,.0f}, of as many workloads")
    _grown(one, two, MOST_FOR_PODS)
    less, more = (_inside("tests.benchmarks.engine_times", "scale", *_words(s)) for s in (few, size))
    head(f"{size.policies:,} policies beside {few.policies:,}")
    _grown(less, more, MOST_FOR_POLICIES)


def _grown(one: Mapping[str, float], two: Mapping[str, float], bound: Bound) -> None:
    for name, parts in (
        ("engine, matrix and counts", ("engine and matrix", "counts")),
        ("with the universe of pods", ("universe", "engine and matrix", "counts")),
    ):
        say(name, [sum(two[p] for p in parts) / sum(one[p] for p in parts)], bound)
    for name in ("universe", "engine and matrix", "counts"):
        sys.stdout.write(f"  {name:50}{one[name] * 1e3:9.1f} ms{two[name] * 1e3:9.1f} ms\n")


def _fold() -> None:
    found = _inside("tests.benchmarks.engine_times", "fold", "--policies=1000")
    head(f"all pairs of {found['workloads']:,.0f} workloads under {found['policies']:,.0f} policies")
    say("plain fold, one packet a pair / engine and matrix", [found["fold"] / found["engine"]], LEAST_OVER_FOLD)


def _inside(module: str, *words: str) -> Any:
    # In a process of its own: what another one left in memory would slow it down.
    done = subprocess.run([sys.executable, "-m", module, *words], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
