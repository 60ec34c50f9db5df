"""Pods in Istio's ambient mode that policies isolate, and what of the mesh reaches them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eksnetpol.facts.coverage import Group, by_owner
from eksnetpol.facts.declare import fact
from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Namespace, Workload
from eksnetpol.model.policies import IngressRule, PolicyPort
from eksnetpol.model.snapshot import SourceKind, Unread
from eksnetpol.policy.addresses import covers
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.universe import Classes, PodClass, set_of

HBONE = 15008
"""The port of the mesh's tunnel."""

PROBES_FROM: Mapping[str, str] = {
    "ipv4": "169.254.7.127/32",
    "ipv6": "fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128",
}
"""The source address that ambient mode gives kubelet probes, by family."""

_LABEL = "istio.io/dataplane-mode"


@dataclass(frozen=True, slots=True)
class AmbientMesh:
    """``members`` are classes in the mesh, ``isolated`` those of them whose ingress a policy isolates."""

    isolation: Isolation
    members: Classes
    isolated: Classes

    @property
    def pods(self) -> int:
        """How many pods of the mesh are isolated."""
        return self.isolation.universe.count_pods(self.isolated)

    @property
    def without_tunnel(self) -> tuple[Group, ...]:
        """Workloads of the mesh whose policies do not let the tunnel in."""
        return self._fold(self.isolated & ~self._let_in(lambda rule: _opens(rule.ports, HBONE)))

    def without_probes(self, family: str) -> tuple[Group, ...]:
        """Workloads of the mesh that have network probes and whose policies do not let these in."""
        address = PROBES_FROM.get(family, PROBES_FROM["ipv4"])
        probed = set_of(c.index for c in self.isolation.universe.members(self.isolated) if _is_probed(c))
        return self._fold(probed & ~self._let_in(lambda rule: _admits(rule, address)))

    def _let_in(self, does: Callable[[IngressRule], bool]) -> Classes:
        found = 0
        for subjects in self.isolation.subjects:
            if subjects.policy.isolates_ingress and any(does(rule) for rule in subjects.policy.spec.ingress):
                found |= subjects.selected
        return found

    def _fold(self, classes: Classes) -> tuple[Group, ...]:
        pods: dict[Subject, int] = {}
        for member in self.isolation.universe.members(classes):
            for workload, members in by_owner(member.pods).items():
                pods[workload] = pods.get(workload, 0) + len(members)
        return tuple(Group(workload, pods[workload], (), ()) for workload in sorted(pods))


@fact
def ambient_mesh(
    isolation: Isolation,
    namespaces: tuple[Namespace, ...],
    daemonsets: tuple[Workload, ...] | Unread,
    source: SourceKind,
) -> AmbientMesh:
    """Who is in the ambient mesh: by the namespace's label, or by the pod's own, which wins. Without ztunnel nobody is."""
    gone = not isinstance(daemonsets, Unread) and not any(d.name == "ztunnel" for d in daemonsets)
    if gone and source is not SourceKind.MANIFESTS:
        return AmbientMesh(isolation, 0, 0)
    meshed = {n.name for n in namespaces if n.metadata.labels.get(_LABEL) == "ambient"}
    members = set_of(
        c.index
        for c in isolation.universe.classes
        if c.labels.get(_LABEL, "ambient" if c.namespace in meshed else "none") == "ambient"
    )
    return AmbientMesh(isolation, members, members & isolation.ingress)


def _opens(ports: tuple[PolicyPort, ...], number: int) -> bool:
    return not ports or any(p.protocol == "TCP" and _holds(p, number) for p in ports)


def _holds(port: PolicyPort, number: int) -> bool:
    if port.port is None:
        return True
    return isinstance(port.port, int) and port.port <= number <= (port.end_port or port.port)


def _admits(rule: IngressRule, address: str) -> bool:
    blocks = (p.ip_block for p in rule.peers if p.ip_block is not None)
    return not rule.peers or any(covers(b.cidr, address) and not any(covers(e, address) for e in b.except_) for b in blocks)


def _is_probed(member: PodClass) -> bool:
    return any(probe.crosses_network for container in member.containers for probe in container.probes)
