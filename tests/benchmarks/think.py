"""All that there is to think about a snapshot's policies, in one process: every pair, every lint, every predicted object counted.

A command for benchmarks: ``python -m tests.benchmarks.think SNAPSHOT`` prints what it found, and with ``--clock`` what each part
took. ``--only load`` ends once the snapshot is decoded. Predicted objects are counted, not made.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.gateways.snapshot_file import load
from eksnetpol.model.snapshot import ClusterSnapshot, Unread
from eksnetpol.operations.lint import lint
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.prediction.predict import predict
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.universe import build
from eksnetpol.policy.world import World


@dataclass
class Clock:
    """Seconds of processor time by name."""

    taken: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Take the time of what happens inside."""
        begun = time.process_time()
        yield
        self.taken[name] = time.process_time() - begun


def think(snapshot: ClusterSnapshot, clock: Clock, *, lints: bool = True) -> dict[str, int]:
    """Return how much there was to think about."""
    world, facts = World.of(snapshot), Lookup(snapshot)
    catalog()
    with clock.of("universe"):
        universe = facts.get("universe")
        base = build(world.pods, world.namespaces) if isinstance(universe, Unread) else universe.value
    with clock.of("engine"):
        engine = build_engine(world, Profile(), base=base)
    with clock.of("matrix"):
        pairs = sum(len(column) for column in engine.matrix().columns)
    with clock.of("predicted objects counted"):
        objects = sum(count.objects for count in predict(world, Profile(), universe=base).counts())
    found = {"partitions": pairs, "objects": objects}
    if lints:
        with clock.of("lints"):
            found["lints"] = len(lint(snapshot, lookup=facts).results)
    return found


def main() -> None:
    """Think about the snapshot that the command names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("snapshot")
    parser.add_argument("--only", choices=("load",))
    parser.add_argument("--clock", action="store_true")
    asked = parser.parse_args()
    clock = Clock()
    with collector_paused():
        with clock.of("load"):
            snapshot = load(asked.snapshot)
        found = {} if asked.only else think(snapshot, clock)
        sys.stdout.write(json.dumps({"found": found, "seconds": clock.taken} if asked.clock else found) + "\n")


if __name__ == "__main__":
    main()
