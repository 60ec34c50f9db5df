"""The agent's ports on the node, and who else claims a port there.

The agent is on the host network, so each of its ports is a port of the node (docs.aws.amazon.com/eks, "Configure your cluster for
Kubernetes network policies"; aws/amazon-vpc-cni-k8s#2540).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eksnetpol.assets.releases import Matrix
from eksnetpol.facts.declare import fact
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.vpc_cni import DAEMONSET, NAMESPACE, VpcCni
from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Container, Workload
from eksnetpol.model.snapshot import Unread, Why
from eksnetpol.model.versions import Release
from eksnetpol.policy.universe import PodClass, Universe

METRICS, HEALTH = "metrics-bind-addr", "health-probe-bind-addr"
DEFAULTS = {METRICS: 8162, HEALTH: 8163}
EARLY_DEFAULTS = {METRICS: 8080, HEALTH: 8081}
"""What the binary takes without flags, from v1.0.4 on and before."""

_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]*\]|[^:\s]*):(\d{1,5})")
_HIGHEST = 65535


@dataclass(frozen=True, slots=True)
class AgentPorts:
    """Port by flag; ``broken`` are flags whose text is no address, with that text. A port that is switched off is in neither."""

    ports: dict[str, int]
    broken: dict[str, str]


@fact
def agent_ports(vpc_cni: VpcCni | None, agent_release: Release | Unread, releases: Matrix) -> AgentPorts | Unread:
    """Where the agent listens: what its flags say, else the default of its release."""
    if vpc_cni is None or vpc_cni.agent is None:
        return Unread("aws-node has no network policy agent container", Why.ABSENT)
    ports: dict[str, int] = {}
    broken: dict[str, str] = {}
    for flag, late in DEFAULTS.items():
        text = vpc_cni.args.get(flag)
        if text is None:
            if isinstance(agent_release, Unread):
                why = f"--{flag} is not set, and its default depends on the release: {agent_release.reason}"
                return Unread(why, agent_release.why)
            moved = releases.feature["own-default-ports"].agent
            ports[flag] = EARLY_DEFAULTS[flag] if moved is not None and agent_release.base < moved else late
            continue
        found = _ADDRESS.fullmatch(text)
        if found and 0 < int(found[1]) <= _HIGHEST:
            ports[flag] = int(found[1])
        elif text != "0" and not (found and int(found[1]) == 0):
            broken[flag] = text
    return AgentPorts(ports, broken)


@dataclass(frozen=True, slots=True)
class Claim:
    """A workload that claims ports of the nodes it runs on. ``on_host`` are ports of host network pods: they are bound."""

    workload: Subject
    on_host: frozenset[int]
    forwarded: frozenset[int]
    pods: int
    nodes: tuple[str, ...]

    @property
    def ports(self) -> frozenset[int]:
        """All of them."""
        return self.on_host | self.forwarded


@dataclass(frozen=True, slots=True)
class HostPorts:
    """Claims on TCP ports of nodes that ``aws-node`` runs on, its own left out; ``pods`` is why they are not all known."""

    claims: tuple[Claim, ...]
    pods: Unread | None = None

    def on(self, *ports: int) -> Iterator[tuple[int, Claim]]:
        """Yield each of *ports* with each claim on it."""
        for claim in self.claims:
            for port in ports:
                if port in claim.ports:
                    yield port, claim


@fact
def host_ports(
    daemonsets: tuple[Workload, ...], universe: Universe | Unread, node_kinds: NodeKinds | Unread
) -> HostPorts:
    """Who claims ports of the nodes. Pods tell; where they are unread, DaemonSets tell of themselves alone."""
    if isinstance(universe, Unread):
        return HostPorts(tuple(_of_workloads(daemonsets)), universe)
    unserved = {} if isinstance(node_kinds, Unread) else node_kinds.unserved
    return HostPorts(tuple(_of_classes(universe, unserved)))


def _of_classes(universe: Universe, unserved: dict[str, str]) -> Iterator[Claim]:
    for member in universe.members(universe.everything & ~universe.terminal):
        on_host, forwarded = _claimed(member.containers, host_network=member.host_network)
        if not (on_host or forwarded) or _is_own(member):
            continue
        nodes = tuple(dict.fromkeys(n for p in member.pods if (n := p.spec.node_name) and n not in unserved))
        if nodes:
            yield Claim(_workload(member), on_host, forwarded, len(member.pods), nodes)


def _of_workloads(workloads: Iterable[Workload]) -> Iterator[Claim]:
    for workload in workloads:
        spec = workload.spec.template.spec
        on_host, forwarded = _claimed(spec.containers, host_network=spec.host_network)
        if (workload.namespace, workload.name) != (NAMESPACE, DAEMONSET) and (on_host or forwarded):
            subject = Subject("DaemonSet", workload.name, workload.namespace)
            yield Claim(subject, on_host, forwarded, workload.status.desired_number_scheduled, ())


def _claimed(containers: Iterable[Container], *, host_network: bool) -> tuple[frozenset[int], frozenset[int]]:
    ports = [p for c in containers for p in c.ports if p.protocol == "TCP"]
    if host_network:
        return frozenset(p.container_port for p in ports), frozenset()
    return frozenset(), frozenset(p.host_port for p in ports if p.host_port)


def _is_own(member: PodClass) -> bool:
    owners = member.example.metadata.owner_references
    return member.namespace == NAMESPACE and any((o.kind, o.name) == ("DaemonSet", DAEMONSET) for o in owners)


def _workload(member: PodClass) -> Subject:
    owner = next((o for o in member.example.metadata.owner_references if o.controller), None)
    if owner is None:
        return Subject("Pod", member.example.name, member.namespace)
    return Subject(owner.kind, owner.name, member.namespace)
