"""How long ``--help`` and ``--version`` take, against importing click alone: whole processes.

A command: ``python -m tests.benchmarks.bench_startup``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from tests.benchmarks.turns import Bound, head, ratios, say, say_runs, take_turns

MOST = Bound(1.5)
CLICK = "import click"
OWN = "from eksnetpol.__main__ import main; main()"
SDKS = ("boto3", "botocore", "kubernetes")


def imported(word: str) -> list[str]:
    """Return the SDKs that ``eksnetpol`` *word* imports."""
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", OWN, word], capture_output=True, text=True, check=True)
    names = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    return sorted(names.intersection(SDKS))


def main() -> None:
    """Print the ratios, and what is imported that should not be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    asked = parser.parse_args()
    words = ("--help", "--version")
    commands = {f"eksnetpol {word}": [sys.executable, "-c", OWN, word] for word in words}
    runs = take_turns({"python -c 'import click'": [sys.executable, "-c", CLICK], **commands}, asked.rounds)
    base = next(iter(runs.values()))
    head(f"start-up, {asked.rounds} rounds in turn")
    for name in commands:
        say(f"{name} / import click, wall", ratios([r.wall for r in runs[name]], [r.wall for r in base]), MOST)
        say(f"{name} / import click, cpu", ratios([r.cpu for r in runs[name]], [r.cpu for r in base]), MOST)
    say_runs(runs)
    for word in words:
        sys.stdout.write(f"SDKs imported by {word}: {', '.join(imported(word)) or 'none'}\n")


if __name__ == "__main__":
    main()
