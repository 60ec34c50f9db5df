"""Probes reach pods of an ambient mesh."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import NotApplicable, check
from eksnetpol.checks.words import count
from eksnetpol.facts.mesh import PROBES_FROM, AmbientMesh
from eksnetpol.model.findings import Evidence, Finding, Severity

AMBIENT = "https://istio.io/latest/docs/ambient/usage/networkpolicy/"


@check(
    title="policies let probes of pods in an ambient mesh in",
    severity=Severity.WARNING,
    docs=AMBIENT,
    sources=(AMBIENT, "istio/istio#52742", "istio/istio#59778"),
)
def ambient_mesh_probes_are_allowed(ambient_mesh: AmbientMesh, ip_family: str) -> Iterator[Finding | Evidence]:
    """
    Istio's ambient mode gives kubelet probes the source address 169.254.7.127 (IPv6: fd16:9254:7127:1337:ffff:ffff:ffff:ffff), so
    that the mesh can tell them. It is not the node's address, which alone is always let in: an isolated pod with network probes
    needs a rule for it, or it never becomes ready.
    """
    address = PROBES_FROM.get(ip_family, PROBES_FROM["ipv4"])
    if not ambient_mesh.members:
        raise NotApplicable("no pod is in an ambient mesh")
    yield Evidence(f"{count(ambient_mesh.pods, 'pod')} of the mesh isolated")
    for group in ambient_mesh.without_probes(ip_family):
        yield Finding(
            subject=group.workload,
            message=f"no policy lets {address} in, from which the mesh sends the probes of {count(group.pods, 'pod')}",
            remedy=f"Allow ingress from ipBlock {address} on the probes' ports.",
            command=f"kubectl get networkpolicy -n {group.workload.namespace}",
        )
