"""Where preflight spends its time on a snapshot: milliseconds for each fact and each check.

A command: ``python -m tests.benchmarks.profile_checks SNAPSHOT``. What a fact takes is its own work, without the facts it asks
for; a check is asked when all its facts are there. Nothing is traced, so that the figures are those of a plain run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from eksnetpol.checks.catalog import catalog
from eksnetpol.checks.choose import choose
from eksnetpol.checks.judge import judge
from eksnetpol.checks.run import Answer, run
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.declare import catalog as facts
from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.gateways.snapshot_file import load
from eksnetpol.model.findings import Intent
from eksnetpol.model.settings import Settings
from eksnetpol.reporting.formats import render


class Clock:
    """Milliseconds by name, in the order things were first done."""

    def __init__(self) -> None:
        self.taken: dict[str, float] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Add what happens inside to *name*."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.taken[name] = self.taken.get(name, 0.0) + (time.perf_counter() - begun) * 1e3

    def write(self, title: str, least: float) -> None:
        """Write all that took at least *least* milliseconds, the longest first, and the sum of everything."""
        sys.stdout.write(f"{title:52}{sum(self.taken.values()):9.1f} ms\n")
        for name, spent in sorted(self.taken.items(), key=lambda pair: -pair[1]):
            if spent >= least:
                sys.stdout.write(f"  {name:50}{spent:9.1f}\n")
        sys.stdout.write("\n")


def work_out(lookup: Lookup, name: str, clock: Clock) -> None:
    """Work out fact *name* after all that it asks for, so that its time is its own."""
    if name in clock.taken:
        return
    for wanted in facts()[name].inputs:
        if wanted.name in facts():
            work_out(lookup, wanted.name, clock)
    with clock.of(name):
        lookup.get(name)


def main(words: list[str] | None = None) -> None:
    """Print what each part takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("snapshot")
    parser.add_argument("--least", type=float, default=1.0, help="milliseconds from which something is listed")
    parser.add_argument("--for", dest="intent", choices=[i.value for i in Intent], default=Intent.ENABLE.value)
    asked = parser.parse_args(words)
    parts, of_facts, of_checks = Clock(), Clock(), Clock()
    intent, settings = Intent(asked.intent), Settings()
    with parts.of("importing checks and facts"):
        to_run, left_out = choose(catalog(), settings, intent)
    with parts.of("loading the snapshot"):
        snapshot = load(asked.snapshot)
    # The command does the same.
    with collector_paused():
        lookup = Lookup(snapshot)
        answers: list[Answer] = []
        for check in to_run:
            for wanted in check.inputs:
                if wanted.name in facts():
                    work_out(lookup, wanted.name, of_facts)
            with of_checks.of(check.id):
                answers += run((check,), snapshot, lookup)
        with parts.of("judging"):
            report = judge((*answers, *left_out), settings, snapshot, intent=intent)
        for name in ("json", "text"):
            with parts.of(f"rendering {name}"):
                render(report, name, width=80, color=False, verbose=False)
    parts.write("parts", 0)
    of_facts.write("facts", asked.least)
    of_checks.write("checks", asked.least)


if __name__ == "__main__":
    main()
