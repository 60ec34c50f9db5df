"""How long it takes to translate another engine's policies and to compare before and after, against the matrix of the same input.

A command: ``python -m tests.benchmarks.bench_translation [--policies N]``. Everything is measured in processes of their own, in
turn; once with ingress policies alone, and once with a Service for each workload and egress rules that lead to these. *matrix*:
reading the policies, the engine over their stack, all pairs. *translate and prove*: reading them, writing NetworkPolicies with a
verdict on every rule, and laying both engines over each other for the pods of today and planned ones.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

from eksnetpol.engines.calico.read import read
from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.stacks.engine import engine_for
from eksnetpol.translation import Options, translate
from tests.benchmarks.turns import Bound, Run, head, ratios, say, say_runs
from tests.migration.clusters import world

MOST_TIME = Bound(3.0)
"""Times that translating and proving may take what the matrix takes."""

MOST_MEMORY = 1536
"""MiB that a process may have at its peak."""

MATRIX, WHOLE = "read, matrix", "read, translate and prove"


def cluster(workloads: int) -> dict[str, Any]:
    """Return a cluster of so many workloads of one pod each, forty to a namespace."""
    spaces = [f"team-{n}" for n in range(-(-workloads // 40))]
    pods = [
        {
            "namespace": spaces[number // 40],
            "name": f"app-{number}-0",
            "ip": f"10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}",
            "labels": {"app": f"app-{number}", "tier": ("front", "middle", "back")[number % 3]},
            "node": f"n{number % 100}",
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "serviceAccount": "default",
        }
        for number in range(workloads)
    ]
    labelled = [
        {"name": s, "labels": {"kubernetes.io/metadata.name": s, "env": ("prod", "dev")[n % 2]}} for n, s in enumerate(spaces)
    ]
    return {"namespaces": labelled, "serviceAccounts": [], "pods": pods}


def services(workloads: int) -> list[dict[str, Any]]:
    """Return a Service for each workload, at a port of its own."""
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    return [
        {
            "name": f"app-{number}",
            "namespace": f"team-{number // 40}",
            "clusterIP": f"172.20.{number // 250}.{number % 250 + 1}",
            "selector": {"app": f"app-{number}"},
            "ports": ports,
        }
        for number in range(workloads)
    ]


def policies(count: int, workloads: int, *, egress: bool = False) -> list[dict[str, Any]]:
    """Return so many of Calico's policies: one for a workload, allowances by label, some blocks, some denials before them.

    With *egress* they also say where their workloads may speak to: one other, names, and some of them all but a tier.
    """
    found = [_policy(number, number % workloads) for number in range(count)]
    if egress:
        for number, one in enumerate(found):
            one["spec"] |= {"types": ["Ingress", "Egress"], "egress": _out(number, number % workloads)}
    return found


def _out(number: int, workload: int) -> list[dict[str, Any]]:
    near = f"app == 'app-{workload - workload % 40 + (number * 3) % 40}'"
    rules: list[dict[str, Any]] = [
        {"action": "Allow", "protocol": "TCP", "destination": {"selector": near, "ports": [8080]}},
        {"action": "Allow", "protocol": "UDP", "destination": {"namespaceSelector": "env == 'dev'", "ports": [53]}},
    ]
    if number % 13 == 0:
        rules.append({"action": "Allow", "protocol": "TCP", "destination": {"selector": "tier != 'back'"}})
    if number % 17 == 0:
        rules.append({"action": "Allow", "protocol": "TCP", "destination": {"namespaceSelector": "all()", "ports": [8080]}})
    return rules


def _policy(number: int, workload: int) -> dict[str, Any]:
    rules: list[dict[str, Any]] = [
        {
            "action": "Allow",
            "protocol": "TCP",
            "source": {"selector": f"app == 'app-{workload - workload % 40 + (number * 7) % 40}'"},
            "destination": {"ports": [8080, "9000:9010"]},
        }
    ]
    if number % 5 == 0:
        rules.insert(0, {"action": "Deny", "source": {"selector": "tier == 'back'"}})
    if number % 7 == 0:
        rules.append({"action": "Allow", "protocol": "TCP", "source": {"nets": ["192.0.2.0/24"]}})
    if number % 11 == 0:
        rules.append({"action": "Allow", "source": {"namespaceSelector": "env == 'prod'", "selector": "tier != 'back'"}})
    spec = {"selector": f"app == 'app-{workload}'", "order": 100 + number % 3, "types": ["Ingress"], "ingress": rules}
    meta = {"name": f"p-{number}", "namespace": f"team-{workload // 40}"}
    return {"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def inside(part: str, count: int, workloads: int, *, with_services: bool) -> None:
    """Do one part, in this process, and say how long it took and what memory it had at its peak, in MiB."""
    made = cluster(workloads) | ({"services": services(workloads)} if with_services else {})
    mine = world(made, {f"n{n}": f"172.16.0.{n + 1}" for n in range(100)})
    written = policies(count, workloads, egress=with_services)
    started, cpu = time.perf_counter(), time.process_time()
    outputs = 0
    # As the commands do, both of them: what is made lasts to the end.
    with collector_paused():
        stack = read(written, (), mine)
        if part == MATRIX:
            engine_for(mine, Profile(Semantics.KUBERNETES, family="ipv4"), stack).matrix()
        else:
            outputs = len(translate(stack, mine, Options(profile=Profile(family="ipv4"), vpc=("10.0.0.0/8",))).outputs)
    wall, used = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump({"wall": wall, "cpu": used, "peak": peak, "outputs": outputs}, sys.stdout)


def main() -> None:
    """Print ratios, with what they may be, and peaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--policies", type=int, default=5_000)
    parser.add_argument("--workloads", type=int, default=5_000)
    parser.add_argument("--inside", choices=(MATRIX, WHOLE), help="do one part alone, in this process")
    parser.add_argument("--services", action="store_true", help="with a Service for each workload, where one part is done alone")
    asked = parser.parse_args()
    if asked.inside:
        inside(asked.inside, asked.policies, asked.workloads, with_services=asked.services)
        return
    for with_services in (False, True):
        _measure(asked.rounds, asked.policies, asked.workloads, with_services=with_services)


def _measure(rounds: int, count: int, workloads: int, *, with_services: bool) -> None:
    runs: dict[str, list[Run]] = {MATRIX: [], WHOLE: []}
    outputs = 0
    for _ in range(rounds):
        for part, own in runs.items():
            found = _run(part, count, workloads, with_services=with_services)
            own.append(Run(found["wall"], found["cpu"], found["peak"]))
            outputs = max(outputs, found["outputs"])
    beside = f", with egress to {workloads:,} Services," if with_services else ""
    head(f"{count:,} Calico policies over {workloads:,} workloads{beside} become {outputs:,} NetworkPolicies")
    say(f"{WHOLE} / {MATRIX}, wall", ratios([r.wall for r in runs[WHOLE]], [r.wall for r in runs[MATRIX]]), MOST_TIME)
    say(f"{WHOLE} / {MATRIX}, cpu", ratios([r.cpu for r in runs[WHOLE]], [r.cpu for r in runs[MATRIX]]), MOST_TIME)
    peak = max(r.peak for r in runs[WHOLE])
    sys.stdout.write(f"peak memory: {peak:.0f} MiB, <= {MOST_MEMORY} MiB  {'within' if peak <= MOST_MEMORY else 'MISSED'}\n")
    say_runs(runs)


def _run(part: str, count: int, workloads: int, *, with_services: bool) -> dict[str, Any]:
    words = [f"--policies={count}", f"--workloads={workloads}", f"--inside={part}"]
    words += ["--services"] if with_services else []
    command = [sys.executable, "-m", "tests.benchmarks.bench_translation", *words]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


if __name__ == "__main__":
    main()
