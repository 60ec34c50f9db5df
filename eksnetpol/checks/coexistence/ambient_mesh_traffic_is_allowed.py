"""Pods of an ambient mesh can be reached through it."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import NotApplicable, check
from eksnetpol.checks.words import count
from eksnetpol.facts.mesh import HBONE, AmbientMesh
from eksnetpol.model.findings import Evidence, Finding, Severity

AMBIENT = "https://istio.io/latest/docs/ambient/usage/networkpolicy/"


@check(
    title="policies let the ambient mesh's traffic in",
    severity=Severity.BLOCKER,
    docs=AMBIENT,
    sources=(AMBIENT, "istio/istio#56484", "istio/istio#52742"),
)
def ambient_mesh_traffic_is_allowed(ambient_mesh: AmbientMesh) -> Iterator[Finding | Evidence]:
    """
    In Istio's ambient mode pods speak to each other through a tunnel on TCP port 15008. A pod whose ingress is isolated and whose
    policies do not open that port cannot be reached from the mesh, whatever other ports they open.
    """
    if not ambient_mesh.members:
        raise NotApplicable("no pod is in an ambient mesh")
    yield Evidence(f"{count(ambient_mesh.pods, 'pod')} of the mesh isolated")
    for group in ambient_mesh.without_tunnel:
        yield Finding(
            subject=group.workload,
            message=f"no policy lets TCP {HBONE} in, through which the mesh reaches {count(group.pods, 'pod')}",
            remedy=f"Allow ingress on TCP {HBONE} from the pods of the mesh.",
            command=f"kubectl get networkpolicy -n {group.workload.namespace}",
        )
