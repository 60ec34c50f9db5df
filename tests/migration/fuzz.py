"""Hold translations to the plain source semantics over night: a part of ``make fuzz``, or ``python -m tests.migration.fuzz``.

One case is a cluster with policies of another engine, made up from a number; the number also says which engine's. Readers and the
engine over stacks have to answer as the plain source, and the translation to keep its promise: today, and what it promises for
all pods that could ever be in another world too. Every disagreement is shown at once, as small as it gets, with the number that
brings it back: ``--first NUMBER --cases 1``. A run that was ended goes on from the number that it printed last. Ends with 1 where
anything disagreed, or took too long to be told.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from tests.migration.promise import MAKERS, Cluster
from tests.migration.tomorrow import broken

BATCH = 20
"""So many cases a process takes at a time."""
COMPARED = 16
"""One case of so many is compared before and after even where the translator's reasoning alone named all differences."""
SOME = 4
"""One case of so many is held to what it promises for other worlds too, which takes twice as long as all else; another to what
flows through Services, and one is translated into ClusterNetworkPolicies as well."""
PATIENCE = 60
"""Seconds after which a case is given up."""
SHOWN = 3
"""So many disagreements of one sort are shown as small as they get; of others only the number."""

Fails = Callable[[Cluster], list[str]]


class TookTooLongError(Exception):
    """A case was not done in time."""


class Seen(NamedTuple):
    """What came of a case: which of the laws failed, or "" for none."""

    number: int
    dialect: str
    law: str
    text: str = ""

    @property
    def sort(self) -> str:
        """Whose policies, and what is wrong with them."""
        return f"{self.dialect} {self.law}"


def dialect_of(number: int) -> str:
    """Return whose policies the case of a number has: all take turns."""
    return list(MAKERS)[number % len(MAKERS)]


def laws(number: int) -> Mapping[str, Fails]:
    """Return what has to hold of the case of a number."""
    turn = number // len(MAKERS)
    found: dict[str, Fails] = {
        "reading": Cluster.readers,
        "promise": partial(Cluster.promise, compare=turn % COMPARED == 0),
    }
    if turn % SOME == 1:
        found["tomorrow"] = partial(broken, number=number)
    if turn % SOME == 2:
        found["services"] = Cluster.through_services
    if turn % SOME == 3:
        found["cluster policies"] = _with_cluster_policies
    return found


def _with_cluster_policies(case: Cluster) -> list[str]:
    return replace(case, cluster_policies=True).promise(compare=False)


def look(number: int) -> Iterator[Seen]:
    """Yield what disagrees in the case of a number."""
    dialect = dialect_of(number)
    case = MAKERS[dialect](number)
    for law, fails in laws(number).items():
        found = _tried(fails)(case)
        if found:
            yield Seen(number, dialect, law, found[0])


def run(numbers: range) -> tuple[int, list[Seen]]:
    """Look at the cases of some numbers; return how many there were, and what disagreed."""
    found: list[Seen] = []
    for number in numbers:
        signal.signal(signal.SIGALRM, _give_up)
        signal.alarm(PATIENCE)
        try:
            found += look(number)
        except TookTooLongError:
            found.append(Seen(number, dialect_of(number), "too slow", f"not done within {PATIENCE} s"))
        finally:
            signal.alarm(0)
    return len(numbers), found


def _give_up(*_: object) -> None:
    raise TookTooLongError


def _tried(fails: Fails) -> Fails:
    """Return a law that a crash breaks, too."""

    def tried(case: Cluster) -> list[str]:
        try:
            return fails(case)
        except TookTooLongError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a disagreement
            return [f"{type(error).__name__}: {error}"]

    return tried


def smallest(case: Cluster, fails: Fails) -> Cluster:
    """Leave out objects and rules, one at a time, for as long as it still fails."""
    done = False
    while not done:
        done = True
        for left in _lesser(case):
            if fails(left):
                case, done = left, False
                break
    return case


def _lesser(case: Cluster) -> Iterator[Cluster]:
    for number, one in enumerate(case.objects):
        if one["kind"] == "Tier" and any(o.get("spec", {}).get("tier") == one["metadata"]["name"] for o in case.objects):
            continue
        before, behind = case.objects[:number], case.objects[number + 1 :]
        yield case.with_objects([*before, *behind])
        spec = one.get("spec", {})
        for section in ("ingress", "egress", "ingressDeny", "egressDeny"):
            rules: list[Any] = spec.get(section) or []
            for at in range(len(rules) if len(rules) > 1 else 0):
                changed = {**one, "spec": {**spec, section: [*rules[:at], *rules[at + 1 :]]}}
                yield case.with_objects([*before, changed, *behind])


def shown(case: Cluster, fails: Fails) -> str:
    """Return what disagreed, and on what."""
    rest = ({"namespaces": case.cluster["namespaces"]}, *({key: case.cluster.get(key)} for key in ("nodes", "services")))
    lines = [*fails(case)[:3], *map(json.dumps, (*case.objects, *case.cluster["pods"], *rest))]
    return "\n  ".join(lines)


def _explained(seen: Seen) -> str:
    """Return the words for a disagreement, made as small as it gets."""
    head = f"{seen.sort}, python -m tests.migration.fuzz --first {seen.number} --cases 1"
    if seen.law not in laws(seen.number):
        return f"{head}: {seen.text}"
    fails = _tried(laws(seen.number)[seen.law])
    return f"{head}: {shown(smallest(MAKERS[seen.dialect](seen.number), fails), fails)}"


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="how many clusters (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one for each core)")
    parser.add_argument("--first", type=int, default=None, help="the number of the first case (default: any)")
    parser.add_argument(
        "--progress", type=float, default=60.0, help="seconds between two lines of progress (default: %(default)g)"
    )
    asked = parser.parse_args()
    first = secrets.randbelow(1 << 40) if asked.first is None else asked.first
    last = first + asked.cases
    batches = [range(at, min(at + BATCH, last)) for at in range(first, last, BATCH)]
    started = told = time.monotonic()
    done, sorts = 0, Counter[str]()
    with multiprocessing.get_context("spawn").Pool(asked.jobs) as pool:
        for count, found in pool.imap(run, batches):
            done += count
            for seen in found:
                sorts[seen.sort] += 1
                _say(_explained(seen) if sorts[seen.sort] <= SHOWN else f"{seen.sort}: {seen.number}")
            now = time.monotonic()
            if now - told >= asked.progress:
                told = now
                speed = f"{done / (now - started):.1f}/s, {sum(sorts.values())} disagreements"
                _say(f"{done:,} of {asked.cases:,} cases, {speed}; next: --first {first + done}")
    taken = time.monotonic() - started
    each = ", ".join(f"{sort}: {count}" for sort, count in sorted(sorts.items())) or "none"
    speed = f"{done / taken:.1f}/s in {asked.jobs} processes, {taken:.0f} s"
    _say(f"fuzz of translations: {done:,} cases from {first}, {', '.join(MAKERS)} in turn, {speed}; disagreements: {each}")
    return 1 if sorts else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
