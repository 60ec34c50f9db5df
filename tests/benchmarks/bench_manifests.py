"""Reading 3,000 small YAML files (5 MB), and the whole of ``policy matrix`` from them, against PyYAML's C loader on them.

A command: ``python -m tests.benchmarks.bench_manifests``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.manifest_tree import write
from tests.benchmarks.turns import Bound, head, ratios, say, say_runs, take_turns

MOST = {"read_manifests": Bound(0.6), "policy matrix": Bound(0.9)}
# 1.2 s and 1.75 s, a twentieth of what the fastest public tool takes, where the loader takes 1.94 s.

LOADER = """\
import pathlib, sys, yaml
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
"""
READER = """\
import sys
from eksnetpol import read_manifests
read_manifests([sys.argv[1]], problems=print)
"""
OWN = "from eksnetpol.__main__ import main; main()"


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="manifests-") as name:
        size = write(Path(name), asked.apps)
        runs = take_turns(
            {
                "PyYAML's C loader": [sys.executable, "-c", LOADER, name],
                "read_manifests": [sys.executable, "-c", READER, name],
                "policy matrix": [sys.executable, "-c", OWN, "policy", "matrix", "--manifests", name, "-o", "json=/dev/null"],
            },
            asked.rounds,
        )
    base, *_ = runs.values()
    head(f"{3 * asked.apps:,} manifests, {size / 1e6:.1f} MB, {asked.rounds} rounds in turn")
    for what, bound in MOST.items():
        say(f"{what} / C loader, wall", ratios([r.wall for r in runs[what]], [r.wall for r in base]), bound)
        say(f"{what} / C loader, cpu", ratios([r.cpu for r in runs[what]], [r.cpu for r in base]), bound)
    say_runs(runs)


if __name__ == "__main__":
    main()
