"""What planning a change takes on top of the preflight on the same snapshot, and how long a rehearsal of it takes.

A command: ``python -m tests.benchmarks.bench_lifecycle [--rounds N]``. Preflight alone, and preflight with the plan, are timed by
turns in one process; the rehearsal is a whole process, from its start to its exit, beside decoding the same bytes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from eksnetpol.facts.declare import catalog
from eksnetpol.gateways import snapshot_file
from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.model.findings import Intent
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.operations.lifecycle import Options, prepare
from eksnetpol.operations.preflight import preflight
from eksnetpol.planning.options import DisableOptions, EnableOptions, UpgradeOptions
from tests.benchmarks.bench_preflight import LEAST, commands
from tests.benchmarks.generate import Size, generate
from tests.benchmarks.turns import Bound, head, ratios, say, say_runs, take_turns

MOST = Bound(1.10)
"""Times that preflight and plan may take what preflight takes."""

LONGEST = 10.0
"""Seconds that a rehearsal on so large a cluster may take, as a whole process."""

REHEARSAL = "enable --simulate"
FLAG, KEY = "--enable-network-policy=", "enable-network-policy-controller"


def switched_off(snapshot: ClusterSnapshot) -> ClusterSnapshot:
    """Return the cluster with both switches off, an add-on that was never told of them, and no PolicyEndpoints."""
    daemonsets, configmaps, addon = snapshot.daemonsets, snapshot.configmaps, snapshot.addon
    assert isinstance(daemonsets, Seen)
    assert isinstance(configmaps, Seen)
    assert isinstance(addon, Seen)
    assert addon.value is not None
    text = snapshot_file.encode(replace(snapshot, **dict.fromkeys(("pods", "network_policies"), Seen(()))))
    off = snapshot_file.decode(text.replace(f"{FLAG}true".encode(), f"{FLAG}false".encode()), "the ground")
    return replace(
        snapshot,
        daemonsets=off.daemonsets,
        configmaps=Seen(tuple(replace(c, data=c.data | {KEY: "false"}) if KEY in c.data else c for c in configmaps.value)),
        addon=Seen(replace(addon.value, configuration_values="{}")),
        policy_endpoints=Seen(()),
    )


def main() -> None:
    """Print ratios, with what they may be, and seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    for name in Size.__dataclass_fields__:
        parser.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    asked = parser.parse_args()
    size = Size(asked.nodes, asked.pods, asked.services, asked.policies)
    catalog()
    with collector_paused():
        on = generate(size)
        off = switched_off(on)
    head(f"a plan beside preflight: {size}, {asked.rounds} rounds in turn")
    for name, snapshot, wanted in (
        ("enable", off, EnableOptions()),
        ("upgrade --to latest", on, UpgradeOptions(to="latest")),
        ("disable", on, DisableOptions()),
        ("disable --keep-policies", on, DisableOptions(keep_policies=True)),
    ):
        _beside(name, snapshot, wanted, asked.rounds)
    _rehearsed(off, asked.rounds)


def _beside(name: str, snapshot: ClusterSnapshot, wanted: Options, rounds: int) -> None:
    intent = Intent(name.partition(" ")[0])
    alone: list[float] = []
    planned: list[float] = []
    for number in range(rounds + 1):
        with collector_paused():
            first = _seconds(lambda: preflight(snapshot, Settings(), intent))
            second = _seconds(lambda: prepare(snapshot, wanted))
        if number:
            alone.append(first)
            planned.append(second)
    say(f"preflight and plan / preflight, {name}", ratios(planned, alone), MOST)


def _seconds(do: Callable[[], object]) -> float:
    began = time.process_time()
    do()
    return time.process_time() - began


def _rehearsed(snapshot: ClusterSnapshot, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "off.json")
        snapshot_file.save(snapshot, file)
        ours = [sys.executable, "-m", "eksnetpol", "enable", "--snapshot", file, "--simulate"]
        taken = take_turns({LEAST: commands(file)[LEAST], REHEARSAL: ours}, rounds)
    head("a rehearsal, as a whole process")
    say(f"{REHEARSAL} / {LEAST}, cpu", ratios([r.cpu for r in taken[REHEARSAL]], [r.cpu for r in taken[LEAST]]))
    seconds = statistics.median(r.wall for r in taken[REHEARSAL])
    verdict = "within" if seconds <= LONGEST else "MISSED"
    sys.stdout.write(f"{REHEARSAL}: {seconds:.1f} s, <= {LONGEST:.0f} s  {verdict}\n")
    say_runs(taken)


if __name__ == "__main__":
    main()
