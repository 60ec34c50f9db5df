"""What planning a change takes on top of the preflight on the same snapshot, and how long a rehearsal of it takes.

A command: ``python -m tests.benchmarks.bench_lifecycle [--rounds N]``. All are whole processes, from their start to their exit:
``enable --plan`` does the preflight, so beside ``preflight --for enable`` it shows what planning adds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from eksnetpol.gateways import snapshot_file
from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from tests.benchmarks.bench_preflight import LEAST, commands
from tests.benchmarks.generate import Size, generate
from tests.benchmarks.turns import Bound, head, ratios, say, say_runs, take_turns

MOST = Bound(1.10)
"""Times that preflight and plan may take what preflight takes."""

LONGEST = 10.0
"""Seconds that a rehearsal on so large a cluster may take, as a whole process."""

PLANS: Mapping[str, tuple[str, ...]] = {
    "enable": ("enable", "off"),
    "upgrade": ("upgrade", "on", "--to", "latest"),
    "disable": ("disable", "on"),
    "disable --keep-policies": ("disable", "on", "--keep-policies"),
}
"""The verb, on which of the two snapshots, and what is said beside it."""

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
    with collector_paused():
        on = generate(size)
        off = switched_off(on)
    with tempfile.TemporaryDirectory() as folder:
        files = {"on": str(Path(folder) / "on.json"), "off": str(Path(folder) / "off.json")}
        snapshot_file.save(on, files["on"])
        snapshot_file.save(off, files["off"])
        del on, off
        taken = take_turns(_commands(files), asked.rounds)
    head(f"plans beside preflight: {size}, {asked.rounds} rounds in turn")
    for name, words in PLANS.items():
        mine, base = taken[f"{name} --plan"], taken[f"preflight --for {words[0]}"]
        say(f"{name} --plan / preflight, cpu", ratios([r.cpu for r in mine], [r.cpu for r in base]), MOST)
    say(f"{REHEARSAL} / {LEAST}, cpu", ratios([r.cpu for r in taken[REHEARSAL]], [r.cpu for r in taken[LEAST]]))
    seconds = statistics.median(r.wall for r in taken[REHEARSAL])
    verdict = "within" if seconds <= LONGEST else "MISSED"
    sys.stdout.write(f"{REHEARSAL}: {seconds:.1f} s, <= {LONGEST:.0f} s  {verdict}\n")
    say_runs(taken)


def _commands(files: Mapping[str, str]) -> dict[str, list[str]]:
    tool, made = [sys.executable, "-m", "eksnetpol"], {LEAST: commands(files["off"])[LEAST]}
    for name, (verb, state, *more) in PLANS.items():
        file = files[state]
        made[f"preflight --for {verb}"] = [*tool, "preflight", "--for", verb, "--snapshot", file]
        made[f"{name} --plan"] = [*tool, verb, *more, "--plan", "--snapshot", file]
    made[REHEARSAL] = [*tool, "enable", "--snapshot", files["off"], "--simulate"]
    return made


if __name__ == "__main__":
    main()
