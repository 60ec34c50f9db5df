"""Compare engine and oracles over night: ``make fuzz``, or ``python -m tests.policy.fuzz --cases 200000``.

One case is a cluster with its policies and one packet, looked at between all pods, some addresses and all Services; as many
processes as there are cores share them. What does not agree is counted, and the smallest cluster of each sort is printed. Ends
with 1 where anything did not agree.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import secrets
import sys
import time
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from eksnetpol.model.versions import Release
from eksnetpol.policy.profile import NEWEST_AGENT, Mode, Profile, Semantics
from tests.policy.oracle.agree import compare, written
from tests.policy.oracle.strategies import Case, cases

PACKETS = 8
AGENTS = (NEWEST_AGENT, NEWEST_AGENT, NEWEST_AGENT, Release(1, 4, 1), Release(1, 3, 5), Release(1, 2, 3))
BATCH = 250
"""Clusters for each round: hypothesis varies what it has drawn, so that many short rounds see more than one long one."""


@dataclass
class Found:
    """What one or all processes saw. ``smallest`` is one sentence and cluster for each sort of question."""

    clusters: int = 0
    verdicts: int = 0
    disagreed: int = 0
    smallest: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, other: Found) -> None:
        """Count what another saw as well."""
        self.clusters += other.clusters
        self.verdicts += other.verdicts
        self.disagreed += other.disagreed
        for sort, (sentence, cluster) in other.smallest.items():
            self.keep(sort, sentence, cluster)

    def keep(self, sort: str, sentence: str, cluster: str) -> None:
        """Keep *cluster* if it is the smallest of its sort."""
        if sort not in self.smallest or len(cluster) < len(self.smallest[sort][1]):
            self.smallest[sort] = (sentence, cluster)


def run(task: tuple[int, int]) -> Found:
    """Compare so many clusters, drawn from a seed, half of them under each semantics."""
    count, number = task
    found = Found()

    @seed(number)
    @settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(cases(upstream=number % 2 == 0), st.sampled_from(list(Mode)), st.sampled_from(AGENTS))
    def check(case: Case, mode: Mode, agent: Release) -> None:
        semantics = Semantics.KUBERNETES if number % 2 == 0 else Semantics.VPC_CNI
        profile = Profile(semantics, agent=agent, mode=mode, family=case.family.name)
        tally = compare(case, profile)
        found.clusters += 1
        found.verdicts += tally.verdicts
        found.disagreed += bool(tally.disagreements)
        for sentence in tally.disagreements:
            title = f"{semantics}, {mode}, agent {agent}: {sentence}"
            found.keep(f"{semantics} {sentence.split()[0]}", title, written(case))

    check()
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
    for sentence, cluster in total.smallest.values():
        sys.stdout.write(f"\n{sentence}\n{cluster}\n")
    of_what = f"{total.clusters:,} clusters of {PACKETS} packets, {total.verdicts:,} verdicts"
    looked_at = f"{total.clusters * PACKETS:,} cases ({of_what})"
    disagreed = f"{total.disagreed * PACKETS:,} disagree in {total.disagreed:,} clusters"
    run_as = f"seed {first}, {asked.jobs} processes, {time.monotonic() - started:.0f} s"
    sys.stdout.write(f"fuzz: {looked_at}, {disagreed}; {run_as}\n")
    return 1 if total.disagreed else 0


if __name__ == "__main__":
    sys.exit(main())
