"""Compare engine and oracles over night: ``make fuzz``, or ``python -m tests.policy.fuzz --cases 200000``.

One case is a cluster with its policies and one packet, looked at between all pods, some addresses and all Services; as many
processes as there are cores share them. What does not agree is counted, and the smallest cluster of each sort is printed. Ends
with 1 where anything did not agree.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import secrets
import sys
import time
from dataclasses import dataclass, field

from eksnetpol.model.versions import Release
from eksnetpol.policy.profile import NEWEST_AGENT, STANDARD, Mode, Profile, Semantics
from tests.policy.oracle.agree import compare, shown, sort_of
from tests.policy.oracle.strategies import PACKETS, draw

AGENTS = (NEWEST_AGENT, NEWEST_AGENT, NEWEST_AGENT, Release(1, 4, 1), Release(1, 3, 5), Release(1, 2, 3))
BATCH = 100
"""Clusters that a process takes at a time."""
LAST = 2**64


@dataclass
class Found:
    """What one or all processes saw. ``examples`` are the smallest clusters of some that did not agree, by sort of question."""

    clusters: int = 0
    verdicts: int = 0
    disagreed: int = 0
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, other: Found) -> None:
        """Count what another saw as well."""
        self.clusters += other.clusters
        self.verdicts += other.verdicts
        self.disagreed += other.disagreed
        for sort, example in other.examples.items():
            self.keep(sort, example)

    def keep(self, sort: str, example: str) -> None:
        """Keep *example* if it is the smallest of its sort."""
        if sort not in self.examples or len(example) < len(self.examples[sort]):
            self.examples[sort] = example


def run(task: tuple[int, int]) -> Found:
    """Compare so many clusters, drawn from a seed, half of them under each semantics."""
    count, number = task
    found = Found()
    chance = random.Random(number)  # noqa: S311 - nothing depends on nobody guessing it
    for _ in range(count):
        semantics, mode = chance.choice(list(STANDARD)), chance.choice(list(Mode))
        case = draw(chance.randrange(LAST), upstream=semantics is Semantics.KUBERNETES)
        profile = Profile(semantics, agent=chance.choice(AGENTS), mode=mode, family=case.family.name)
        tally = compare(case, profile)
        found.clusters += 1
        found.verdicts += tally.verdicts
        found.disagreed += bool(tally.disagreements)
        for sentence in tally.disagreements:
            sort = f"{semantics} {sort_of(sentence)}"
            if sort not in found.examples:
                found.keep(sort, shown(case, profile, sentence))
    return found


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000, help="how many clusters times packets (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one for each core)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the run that printed this seed")
    asked = parser.parse_args()
    first = secrets.randbelow(1 << 30) if asked.seed is None else asked.seed
    clusters = -(-asked.cases // PACKETS)
    rounds = -(-clusters // BATCH)
    started = time.monotonic()
    total = Found()
    with multiprocessing.get_context("spawn").Pool(asked.jobs) as pool:
        for found in pool.imap_unordered(run, [(BATCH, first + i) for i in range(rounds)]):
            total.add(found)
    for example in total.examples.values():
        sys.stdout.write(f"\n{example}\n")
    of_what = f"{total.clusters:,} clusters of {PACKETS} packets, {total.verdicts:,} verdicts"
    looked_at = f"{total.clusters * PACKETS:,} cases ({of_what})"
    disagreed = f"{total.disagreed * PACKETS:,} disagree in {total.disagreed:,} clusters"
    run_as = f"seed {first}, {asked.jobs} processes, {time.monotonic() - started:.0f} s"
    sys.stdout.write(f"fuzz: {looked_at}, {disagreed}; {run_as}\n")
    return 1 if total.disagreed else 0


if __name__ == "__main__":
    sys.exit(main())
