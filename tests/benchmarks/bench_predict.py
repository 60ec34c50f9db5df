"""How long predicting takes: the objects of a middling cluster written, whole processes, and those of a large one counted.

A command: ``python -m tests.benchmarks.bench_predict``. The middling cluster has 2,000 pods, 400 Services and 1,530 policies that
become about 4,600 objects; the controller itself, in Go, was measured to take 39 seconds of processor time for such a one.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from eksnetpol.gateways import snapshot_file
from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model import policies as pol
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.policy.prediction.predict import predict
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.universe import build
from eksnetpol.policy.world import World
from tests.benchmarks.generate import Size, generate
from tests.benchmarks.turns import head, say_runs, take_turns

MOST_CPU = 2.0
"""Seconds of processor time for writing the objects of the middling cluster."""

MOST_COUNTING = 0.15
"""Seconds for resolving and counting those of the large one, once its pods are sorted into classes."""

PODS, SERVICES, POLICIES = 2_000, 400, 1_530
_APPS = 200


def main() -> None:
    """Print processor time and peak of writing, and the time of counting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--snapshot", help="count on this large one; else one is generated")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "middling.json")
        snapshot_file.save(middling(), file)
        ours = [sys.executable, "-m", "eksnetpol", "policy", "predict", "--snapshot", file]
        commands = {f"predict -o {f}": [*ours, "-o", f"{f}={os.devnull}"] for f in ("json", "text")}
        runs = take_turns(commands, asked.rounds)
    prediction = predict(World.of(middling()), Profile())
    objects = sum(c.objects for c in prediction.counts())
    head(f"predict on {PODS:,} pods, {SERVICES} Services, {POLICIES:,} policies: {objects:,} objects, {asked.rounds} rounds")
    say_runs(runs)
    for name, found in runs.items():
        cpu = statistics.median(run.cpu for run in found)
        sys.stdout.write(f"  {name}: {cpu:.2f} s of processor time (at most {MOST_CPU:g}) {_verdict(cpu <= MOST_CPU)}\n")
    _count(snapshot_file.load(asked.snapshot) if asked.snapshot else generate(Size()), asked.rounds)


def _count(snapshot: ClusterSnapshot, rounds: int) -> None:
    world = World.of(snapshot)
    sizes = f"{len(world.pods):,} pods, {len(world.network_policies):,} policies"
    head(f"counting on {sizes}, {rounds} rounds")
    taken: list[float] = []
    with collector_paused():
        for _ in range(rounds):
            universe = build(world.pods, world.namespaces)
            started = time.process_time()
            counts = predict(world, Profile(), universe=universe).counts()
            taken.append(time.process_time() - started)
    entries = sum(c.ingress + c.egress + c.pods for c in counts)
    sys.stdout.write(f"  {sum(c.objects for c in counts):,} objects with {entries:,} entries\n")
    least = min(taken)
    words = f"  {least:.3f} s at least, {statistics.median(taken):.3f} s in the middle (at most {MOST_COUNTING:g})"
    sys.stdout.write(f"{words} {_verdict(least <= MOST_COUNTING)}\n")


def _verdict(holds: bool) -> str:
    return "ok" if holds else "TOO MUCH"


# --- the middling cluster ---------------------------------------------------------------------------------------------


def middling() -> ClusterSnapshot:
    """Return a cluster of few namespaces whose policies have wide peers, so that most need three objects."""
    dice = random.Random(4)  # noqa: S311 - the same cluster every time is the point
    base = generate(Size(nodes=20, pods=200, services=10, policies=10))
    return replace(
        base,
        namespaces=Seen(tuple(k8s.Namespace(k8s.ObjectMeta(name=f"team-{i}", labels={"stage": f"s{i % 2}"})) for i in range(4))),
        pods=Seen(tuple(_pods())),
        services=Seen(tuple(_services())),
        network_policies=Seen(tuple(_policies(dice))),
        policy_endpoints=Seen(()),
    )


def _pods() -> Iterator[k8s.Pod]:
    for i in range(PODS):
        app = i % _APPS
        labels = f'{{"app":"app-{app}","tier":"t{app % 5}","zone":"z{i % 3}"}}'.encode()
        containers = f'[{{"name":"c","ports":[{{"name":"http","containerPort":{8080 + app % 3}}}]}}]'.encode()
        raw = (
            b'{"metadata":{"name":"app-%d-%d","namespace":"team-%d","labels":%b},"spec":{"containers":%b},'
            b'"status":{"phase":"Running","podIP":"10.0.%d.%d","hostIP":"10.42.0.%d"}}'
        ) % (app, i, app % 4, labels, containers, i >> 8, i & 255, i % 20)
        yield _DECODE(raw)


def _services() -> Iterator[k8s.Service]:
    for i in range(SERVICES):
        app = i % _APPS
        ports = (k8s.ServicePort(80, "http", "TCP", "http" if i % 2 else 8080 + app % 3),)
        spec = k8s.ServiceSpec(cluster_ip=f"172.20.{i >> 8}.{i & 255}", selector={"app": f"app-{app}"}, ports=ports)
        yield k8s.Service(k8s.ObjectMeta(name=f"service-{i}", namespace=f"team-{app % 4}"), spec)


def _policies(dice: random.Random) -> Iterator[pol.NetworkPolicy]:
    http, number = pol.PolicyPort("TCP", "http"), pol.PolicyPort("TCP", 8080)
    for i in range(POLICIES):
        app = i % _APPS
        wide = pol.PolicyPeer(namespace_selector=LabelSelector({"stage": f"s{dice.randrange(2)}"}))
        narrow = pol.PolicyPeer(LabelSelector({"tier": f"t{dice.randrange(5)}"}), LabelSelector())
        first = narrow if i % 50 else wide
        ingress = (pol.IngressRule((first,), (http, number)), pol.IngressRule((narrow,), (number,)))
        egress = (pol.EgressRule((narrow,), (http,)), pol.EgressRule((narrow,), (number,)))
        spec = pol.NetworkPolicySpec(LabelSelector({"app": f"app-{app}"}), ingress, egress, ("Ingress", "Egress"))
        yield pol.NetworkPolicy(k8s.ObjectMeta(name=f"policy-{i}", namespace=f"team-{app % 4}", uid=f"uid-{i}"), spec)


_DECODE = msgspec.json.Decoder(k8s.Pod).decode

if __name__ == "__main__":
    main()
