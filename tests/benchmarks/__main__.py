"""Every benchmark of this folder, one after the other: ``make bench``. Ends with 1 where one of them ended with an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run each ``bench_*.py`` in a process of its own, and return 1 if any took more than it may."""
    worst = 0
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        sys.stdout.write(f"\n== {path.stem.removeprefix('bench_')}\n")
        sys.stdout.flush()
        done = subprocess.run([sys.executable, "-m", f"tests.benchmarks.{path.stem}"], check=False)
        worst = max(worst, 1 if done.returncode else 0)
    return worst


if __name__ == "__main__":
    sys.exit(main())
