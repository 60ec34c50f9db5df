"""How long it takes to rehearse a migration off Calico on clusters of growing size, and whether cost grows with nodes at most.

A command: ``python -m tests.benchmarks.bench_rehearsal [--nodes N]``. Twenty pods a node, the same number of Calico policies at
every size, node by node in place in batches of a twentieth. Each size is a process of its own, in turn; planning is part of it,
making up the cluster is not, but its memory counts.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

import msgspec
from msgspec.structs import replace

from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.migration.planning.migrate import plan_migration
from eksnetpol.migration.planning.options import MigrateOptions
from eksnetpol.model.foreign import ForeignPolicy, foreign_policy
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.operations.migration import source_of, translated
from eksnetpol.operations.rehearsal import rehearse_migration
from eksnetpol.policy.profile import Profile
from tests.benchmarks.bench_lifecycle import switched_off
from tests.benchmarks.generate import Size, generate
from tests.benchmarks.turns import Bound, Run, head, ratios, say, say_runs
from tests.simulation.engine_clusters import calico_by_operator

LONGEST = 60.0
"""Seconds that the largest may take."""

MOST_MEMORY = 1536
"""MiB that a process may have at its peak."""

LINEAR = Bound(1.25)
"""Times that a node may cost in a cluster twice as large: beyond, cost grows faster than nodes do."""

PODS = 20
POLICIES = 300


def cluster(nodes: int) -> ClusterSnapshot:
    """Return a cluster of so many nodes that Calico polices, with the VPC CNI's own policies off."""
    with collector_paused():
        found = switched_off(generate(Size(nodes, PODS * nodes, max(10, nodes // 2), 0)))
        found = calico_by_operator(replace(found, network_policies=Seen(()), policy_endpoints=Seen(())))
        pods = found.pods
        assert isinstance(pods, Seen)
        return replace(found, foreign_policies=Seen(tuple(_policies(found, POLICIES))))


def _policies(found: ClusterSnapshot, count: int) -> list[ForeignPolicy]:
    """Return one policy for each of some workloads: its neighbours in the namespace, its team, or an office may come in."""
    pods = found.pods
    assert isinstance(pods, Seen)
    by_app = {(p.namespace, name): p for p in pods.value if (name := p.labels.get("app.kubernetes.io/instance", ""))}
    apps = sorted(by_app)
    made = []
    for number in range(min(count, len(apps))):
        namespace, name = apps[number * len(apps) // min(count, len(apps))]
        sources: tuple[dict[str, Any], ...] = (
            {"selector": f"app.kubernetes.io/instance == '{apps[number * 7 % len(apps)][1]}'"},
            {"namespaceSelector": "has(kubernetes.io/metadata.name)", "selector": "has(team)"},
            {"nets": [f"192.0.2.{number % 256}/32"]},
        )
        rule = {"action": "Allow", "protocol": "TCP", "source": sources[number % 3], "destination": {"ports": [8080, 9090]}}
        selector = f"app.kubernetes.io/instance == '{name}'"
        spec = {"selector": selector, "tier": "default", "order": 100, "types": ["Ingress"], "ingress": [rule]}
        meta = {"name": f"default.p-{number}", "namespace": namespace, "uid": f"source-{number}"}
        made.append(foreign_policy({"metadata": meta, "spec": spec}, "crd.projectcalico.org/v1", "NetworkPolicy"))
    return made


def inside(nodes: int) -> None:
    """Rehearse on one size, in this process, and say how long it took and what memory it had at its peak, in MiB."""
    catalog()
    snapshot = cluster(nodes)
    started, cpu = time.perf_counter(), time.process_time()
    source = source_of(snapshot)
    translation = translated(source)
    options = MigrateOptions(cleaner_image="example.com/cleaner:1")
    plan = plan_migration(Lookup(snapshot), translation, options)
    planned = time.perf_counter() - started
    brought = [msgspec.convert(output.manifest, NetworkPolicy) for output in translation.outputs]
    done = rehearse_migration(plan, snapshot, source, brought, profile=Profile(family="ipv4"))
    wall, used = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said = {"wall": wall, "cpu": used, "peak": peak, "planned": planned, "steps": done.steps, "looks": done.looks}
    json.dump(said | {"well": done.went_well, "error": done.error, "violations": len(done.violations)}, sys.stdout)


def main() -> None:
    """Print what a node costs in clusters of growing size, with what it may, and seconds and memory of the largest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1_000, help="of the largest cluster")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inside", type=int, default=0, help="rehearse on so many nodes, in this process")
    asked = parser.parse_args()
    if asked.inside:
        inside(asked.inside)
        return
    sizes = (asked.nodes // 4, asked.nodes // 2, asked.nodes)
    runs: dict[str, list[Run]] = {f"{size:,} nodes": [] for size in sizes}
    last: dict[str, Any] = {}
    for _ in range(asked.rounds):
        for size in sizes:
            last = _run(size)
            runs[f"{size:,} nodes"].append(Run(last["wall"], last["cpu"], last["peak"]))
    head(f"rehearsing: {sizes[-1]:,} nodes, {PODS * sizes[-1]:,} pods, {last['steps']:,} steps, {last['looks']:,} looks")
    for smaller, larger in pairwise(sizes):
        few, many = ([r.cpu / size for r in runs[f"{size:,} nodes"]] for size in (smaller, larger))
        say(f"a node's share at {larger:,} / at {smaller:,}, cpu", ratios(many, few), LINEAR)
    largest = runs[f"{sizes[-1]:,} nodes"]
    seconds, peak = statistics.median(r.wall for r in largest), max(r.peak for r in largest)
    sys.stdout.write(f"wall: {seconds:.1f} s, <= {LONGEST:.0f} s  {'within' if seconds <= LONGEST else 'MISSED'}\n")
    sys.stdout.write(f"peak memory: {peak:.0f} MiB, <= {MOST_MEMORY} MiB  {'within' if peak <= MOST_MEMORY else 'MISSED'}\n")
    if not last["well"]:
        sys.stdout.write(f"it did not go well: {last['error'] or str(last['violations']) + ' violations'}\n")
    say_runs(runs)


def _run(nodes: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_rehearsal", f"--inside={nodes}"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


if __name__ == "__main__":
    main()
