"""Every benchmark of this folder, one after the other: ``make bench``. It is no test: it ends with 0 whatever it measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.testbed.build import MissingComponent, components

HERE = Path(__file__).parent
NEEDS_CONTROL_PLANE = {"bench_collect"}


def main() -> None:
    """Run each ``bench_*.py`` in a process of its own, those first that need nothing."""
    names = sorted((p.stem for p in HERE.glob("bench_*.py")), key=lambda n: (n in NEEDS_CONTROL_PLANE, n))
    for name in names:
        if name in NEEDS_CONTROL_PLANE and not _has_control_plane():
            sys.stdout.write(f"\n{name} needs the control plane of the tests: `make testbed` builds it\n")
            continue
        sys.stdout.flush()
        done = subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=False)
        if done.returncode:
            sys.stdout.write(f"{name} ended with {done.returncode}\n")


def _has_control_plane() -> bool:
    try:
        components()
    except MissingComponent:
        return False
    return True


if __name__ == "__main__":
    main()
