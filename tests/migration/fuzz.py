"""Hold translations to the plain source semantics over night: a part of ``make fuzz``, or ``python -m tests.migration.fuzz``.

One case is a cluster with another engine's policies and one packet, between all pods and some addresses. Readers and the engine
over stacks have to answer as the plain source, and the translation to keep its promise: today, and what it promises for all pods
that could ever be in another world too. Ends with 1 where anything did not.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import secrets
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.migration.promise import MAKERS, Cluster
from tests.migration.random_calico import PACKETS
from tests.migration.tomorrow import broken

BATCH = 50
Seen = tuple[int, dict[str, str]]


def run(task: tuple[int, int]) -> Seen:
    """Look at so many clusters drawn from a seed; return how many disagreed, and the smallest one of each sort."""
    count, seed = task
    chance = random.Random(seed)  # noqa: S311 - nothing depends on nobody guessing it
    wrong, examples = 0, dict[str, str]()
    for _ in range(count):
        dialect, number = chance.choice(list(MAKERS)), chance.randrange(1 << 48)
        laws: dict[str, Callable[[Cluster], list[str]]] = {
            "reading": Cluster.readers,
            "promise": Cluster.promise,
            "tomorrow": partial(broken, number=number),
        }
        for what, fails in laws.items():
            case = MAKERS[dialect](number)
            found = fails(case)
            if found:
                wrong += 1
                text = shown(smallest(case, fails), fails)
                known = examples.get(f"{dialect} {what}")
                if known is None or len(text) < len(known):
                    examples[f"{dialect} {what}"] = f"{dialect} {number}, {what}: {text}"
    return wrong, examples


def smallest(case: Cluster, fails: Callable[[Cluster], list[str]]) -> Cluster:
    """Leave out pods, objects and rules, one at a time, for as long as it still fails."""
    done = False
    while not done:
        done = True
        for left in _lesser(case):
            if fails(left):
                case, done = left, False
                break
    return case


def _lesser(case: Cluster) -> list[Cluster]:
    found = []
    for number, one in enumerate(case.objects):
        if one["kind"] == "Tier" and any(o.get("spec", {}).get("tier") == one["metadata"]["name"] for o in case.objects):
            continue
        found.append(case.with_objects([*case.objects[:number], *case.objects[number + 1 :]]))
        spec = case.objects[number].get("spec", {})
        for section in ("ingress", "egress"):
            rules: list[Any] = spec.get(section) or []
            for at in range(len(rules) if len(rules) > 1 else 0):
                changed = {**case.objects[number], "spec": {**spec, section: [*rules[:at], *rules[at + 1 :]]}}
                found.append(case.with_objects([*case.objects[:number], changed, *case.objects[number + 1 :]]))
    return found


def shown(case: Cluster, fails: Callable[[Cluster], list[str]]) -> str:
    """Return what disagreed, and on what."""
    lines = [*fails(case)[:3], *map(json.dumps, case.objects), *(json.dumps(p) for p in case.cluster["pods"])]
    return "\n  ".join([*lines, json.dumps(case.cluster["namespaces"])])


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="how many clusters times packets (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one for each core)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the run that printed this seed")
    asked = parser.parse_args()
    first = secrets.randbelow(1 << 30) if asked.seed is None else asked.seed
    rounds = -(-asked.cases // (len(PACKETS) * BATCH))
    started, wrong, examples = time.monotonic(), 0, dict[str, str]()
    with multiprocessing.get_context("spawn").Pool(asked.jobs) as pool:
        for more, shown_now in pool.imap_unordered(run, [(BATCH, first + i) for i in range(rounds)]):
            wrong += more
            examples = shown_now | examples
    for example in examples.values():
        sys.stdout.write(f"\n{example}\n")
    clusters, taken = rounds * BATCH, time.monotonic() - started
    sys.stdout.write(
        f"fuzz of translations: {clusters * len(PACKETS):,} cases ({clusters:,} clusters of {len(PACKETS)} packets), "
        f"{wrong:,} clusters disagree; seed {first}, {asked.jobs} processes, {taken:.0f} s\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
