"""What the engine takes on clusters made for it, in a process of its own: prints seconds as JSON.

A command for benchmarks. ``scale`` makes a cluster, with every pod there *times* times beside its mates, and times the engine;
``decide`` times single questions on a snapshot; ``fold`` times the engine on a small cluster beside the plain fold over pairs.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from eksnetpol.gateways.snapshot_file import load
from eksnetpol.model.kubernetes import Pod
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.policy.answers import Pods
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.prediction.predict import predict
from eksnetpol.policy.profile import Profile, Semantics
from eksnetpol.policy.universe import build
from eksnetpol.policy.world import World
from tests.benchmarks.generate import Size, generate
from tests.policy.oracle.kubernetes import Kubernetes
from tests.policy.oracle.plain import Packet

T = TypeVar("T")

ROUNDS = 5
QUESTIONS = 2_000
FOLDED = 20_000
PORTS = (8080, 3000, 5432, 6379, 443, 9102)


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds of processor time that *work* takes, and what it returns: others on the machine do not count."""
    begun = time.process_time()
    done = work()
    return time.process_time() - begun, done


def median(work: Callable[[], object]) -> float:
    """Return the median of several runs, after one that does not count."""
    return statistics.median([timed(work)[0] for _ in range(ROUNDS + 1)][1:])


def scale(size: Size, times: int) -> dict[str, float]:
    """Return what the engine takes on a cluster of *size* whose pods are there *times* times."""
    snapshot = crowded(generate(size), times)
    world = World.of(snapshot)
    base = build(world.pods, world.namespaces)

    def think() -> None:
        matrix = build_engine(world, Profile(), base=base).matrix()
        assert len(matrix.columns)

    def count() -> None:
        assert predict(world, Profile(), universe=base).counts()

    return {
        "universe": median(lambda: build(world.pods, world.namespaces)),
        "engine and matrix": median(think),
        "counts": median(count),
        "pods": len(world.pods),
    }


def crowded(snapshot: ClusterSnapshot, times: int) -> ClusterSnapshot:
    """Return *snapshot* with each pod *times* times, under names and addresses of their own."""
    assert isinstance(snapshot.pods, Seen)
    everyone = list(snapshot.pods.value)
    for again in range(1, times):
        everyone += [_mate(pod, again) for pod in snapshot.pods.value]
    everyone.sort(key=lambda p: (p.namespace, p.name))
    return replace(snapshot, pods=Seen(tuple(everyone)))


def _mate(pod: Pod, again: int) -> Pod:
    owner, _, own = pod.name.rpartition("-")
    name = f"{owner}-{int(own) + 1000 * again}" if own.isdigit() else f"{owner}-{own}{'aeiou'[again]}"
    labels = bytes(pod.metadata.labels).replace(f'"{pod.name}"'.encode(), f'"{name}"'.encode())
    # A block of the VPC that no policy speaks of, as the first pods' is.
    first, second, rest = pod.status.pod_ip.split(".", 2)
    address = pod.status.pod_ip if pod.spec.host_network else f"{first}.{int(second) + 16 * again}.{rest}"
    metadata = replace(pod.metadata, name=name, uid="", labels=msgspec.Raw(labels))
    return replace(pod, metadata=metadata, status=replace(pod.status, pod_ip=address))


def decide(file: str) -> dict[str, float]:
    """Return what single questions take on the snapshot in *file*, in seconds, once it is decoded."""
    world = World.of(load(file))
    dice = random.Random(1)  # noqa: S311 - the same questions every time are the point
    building, engine = timed(lambda: build_engine(world, Profile()))
    classes = engine.atlas.universe.classes
    everyone = [Pods(c.bit, c.example.name, (c.example,)) for c in classes]

    def ask() -> None:
        engine.decide(dice.choice(everyone), dice.choice(everyone), "TCP", dice.choice(PORTS))

    first = timed(ask)[0]
    taken = sorted(timed(ask)[0] for _ in range(QUESTIONS))
    return {
        "build": building,
        "first": first,
        "median": statistics.median(taken),
        "mean": statistics.fmean(taken),
        "ninety-nine of a hundred": taken[len(taken) * 99 // 100],
    }


def fold(workloads: int, policies: int) -> dict[str, float]:
    """Return what all pairs take: to the engine, and to the plain fold, which is asked one packet for each of some pairs.

    A whole matrix would take the fold as many packets for a pair as there are ports to tell apart; one is what it takes at least.
    """
    world = World.of(alone(generate(Size(nodes=50, pods=22 * workloads, services=100, policies=policies)), workloads))
    profile = Profile(semantics=Semantics.KUBERNETES)
    plain = Kubernetes(world, "ipv4")
    places = plain.cluster.pods()
    dice = random.Random(1)  # noqa: S311 - the same pairs every time are the point
    pairs = [(dice.choice(places), dice.choice(places)) for _ in range(FOLDED)]
    packet = Packet("TCP", 8080)

    def walk() -> None:
        for source, destination in pairs:
            plain.flows(source, destination, packet)

    engine = median(lambda: build_engine(world, profile).matrix().columns[0])
    return {
        "engine": engine,
        "fold": timed(walk)[0] * len(places) ** 2 / FOLDED,
        "workloads": len(places),
        "policies": len(world.network_policies),
    }


def alone(snapshot: ClusterSnapshot, workloads: int) -> ClusterSnapshot:
    """Return *snapshot* with one pod of each of so many workloads."""
    assert isinstance(snapshot.pods, Seen)
    return replace(snapshot, pods=Seen(tuple(_firsts(snapshot.pods.value, workloads))))


def _firsts(pods: tuple[Pod, ...], most: int) -> Iterator[Pod]:
    seen: set[tuple[str, str]] = set()
    for pod in pods:
        owner = (pod.namespace, pod.metadata.owner_references[0].name)
        if owner not in seen and len(seen) < most:
            seen.add(owner)
            yield pod


def main() -> None:
    """Measure what the command asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("scale", "decide", "fold"))
    parser.add_argument("--snapshot", default="")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--workloads", type=int, default=1_000)
    for name in Size.__dataclass_fields__:
        parser.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    asked = parser.parse_args()
    # What is made lasts to the end; walking a large cluster for cycles would be in every figure.
    gc.disable()
    match asked.what:
        case "scale":
            found = scale(Size(asked.nodes, asked.pods, asked.services, asked.policies), asked.times)
        case "decide":
            found = decide(asked.snapshot)
        case _:
            found = fold(asked.workloads, asked.policies)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
