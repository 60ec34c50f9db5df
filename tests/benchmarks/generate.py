"""Large clusters that look like real ones: a given number of nodes, pods, Services and NetworkPolicies, always the same.

A command: ``python -m tests.benchmarks.generate big.json.gz --nodes 5000 --pods 100000``.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from eksnetpol.gateways import snapshot_file
from eksnetpol.model import eks
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model import policies as pol
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from tests.benchmarks import crowd, ground, rulebook

T = TypeVar("T", k8s.Pod, k8s.Service, pol.NetworkPolicy)


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each."""

    nodes: int = 5_000
    pods: int = 100_000
    services: int = 5_000
    policies: int = 10_000


def generate(size: Size, seed: int = 1) -> ClusterSnapshot:
    """Return a healthy cluster of *size*: both switches on, the agent ready on every node, policies in every namespace.

    The pods of DaemonSets are among *size*'s, unless they would be more than half of them.
    """
    dice = random.Random(seed)  # noqa: S311 - the same cluster every time is the point
    base = ground.ready()
    names = [f"{team}-{stage}" for team in crowd.TEAMS for stage in crowd.STAGES][: max(1, min(48, size.pods // 20))]
    system = list(ground.system_pods(size.nodes)) if 4 * size.nodes <= size.pods else []
    apps = list(crowd.apps(dice, size.pods - len(system), names))
    of_apps = list(crowd.pods(dice, apps, size.nodes))
    workloads = [crowd.workload(app) for app in apps]
    policies = tuple(rulebook.policies(dice, size.policies, apps))
    own = ground.kept(base.services)[: size.services]
    vpc = ground.seen(base.vpc)
    blocks = [f"10.{i}.0.0/16" for i in (42, *range(64, 65 + (size.pods >> 16)))]
    subnets = tuple(eks.Subnet(f"subnet-{i:017x}", block, vpc.vpc_id) for i, block in enumerate(blocks))
    return replace(
        base,
        taken_at=crowd.TAKEN,
        vpc=Seen(replace(vpc, cidrs=tuple(blocks))),
        subnets=Seen(subnets),
        instances=Seen(tuple(ground.instances(size.nodes))),
        pod_identities=Seen(tuple(crowd.associations(apps))),
        nodes=Seen(tuple(ground.nodes(size.nodes))),
        namespaces=Seen((*(n for n in ground.seen(base.namespaces) if n.name != "boutique"), *map(_namespace, names))),
        pods=Seen(_in_order([*system, *of_apps])),
        agent_pods=Seen(tuple(ground.agent_pods(size.nodes))),
        daemonsets=Seen(tuple(ground.daemonsets(size.nodes))),
        deployments=Seen((*ground.kept(base.deployments), *(w for w in workloads if w.kind == "Deployment"))),
        statefulsets=Seen(tuple(w for w in workloads if w.kind == "StatefulSet")),
        jobs=Seen(tuple(w for w in workloads if w.kind == "Job")),
        service_accounts=Seen((*ground.kept(base.service_accounts), *crowd.accounts(apps))),
        services=Seen(_in_order([*own, *crowd.services(size.services - len(own), apps)])),
        network_policies=Seen(_in_order(policies)),
        policy_endpoints=Seen(tuple(rulebook.endpoints(policies, _endpoints(apps, of_apps)))),
    )


def _in_order(things: Iterable[T]) -> tuple[T, ...]:
    """Sort *things* as an API server lists them."""
    return tuple(sorted(things, key=lambda thing: (thing.metadata.namespace, thing.metadata.name)))


def _endpoints(apps: list[crowd.App], pods: list[k8s.Pod]) -> dict[str, list[pol.PodEndpoint]]:
    found: dict[str, list[pol.PodEndpoint]] = {}
    rest = iter(pods)
    for app in apps:
        own = (next(rest) for _ in range(app.replicas))
        found[f"{app.namespace}/{app.name}"] = [
            pol.PodEndpoint(p.name, p.namespace, p.status.pod_ip, p.status.host_ip) for p in own
        ]
    return found


def _namespace(name: str) -> k8s.Namespace:
    team, stage = name.split("-")
    labels = {"kubernetes.io/metadata.name": name, "team": team, "stage": stage}
    return k8s.Namespace(k8s.ObjectMeta(name=name, labels=labels), status=k8s.NamespaceStatus(phase="Active"))


def main() -> None:
    """Write a cluster of the size asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="where to write the snapshot; gzipped when it ends in .gz")
    for name in Size.__dataclass_fields__:
        parser.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    size = Size(asked.nodes, asked.pods, asked.services, asked.policies)
    snapshot_file.save(generate(size, asked.seed), asked.file)
    sys.stderr.write(f"{asked.file}: {size}\n")


if __name__ == "__main__":
    main()
