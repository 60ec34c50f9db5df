"""The API server reaches the webhooks and aggregated APIs it depends on."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.places import show_policies
from eksnetpol.checks.words import count, few, listed, workloads
from eksnetpol.facts.control_plane import Backend, ControlPlane
from eksnetpol.facts.services import ServedPort
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.reach import Blocks, reach
from eksnetpol.policy.universe import Classes


@check(
    title="the API server reaches its webhooks and aggregated APIs",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=("aws/amazon-vpc-cni-k8s#2967", "aws/amazon-vpc-cni-k8s#2928", "kubernetes-sigs/kubebuilder#5906"),
    intents=ENFORCING,
)
def control_plane_reaches_its_backends(
    control_plane: ControlPlane,
    served_ports: tuple[ServedPort, ...],
    isolation: Isolation,
    ingress_blocks: Blocks,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Webhooks and aggregated APIs are called by the control plane, from its network interfaces in the cluster's subnets: no
    selector means it. A pod that serves one and whose ingress is isolated needs an ipBlock for these addresses, on the
    container's port. Without it writes are refused or unchecked, and autoscaling by metrics stops.
    """
    served = {(s.service.namespace, s.service.name, s.port.port): s for s in served_ports}
    yield Evidence(f"{count(len(control_plane.backends), 'Service')} called by the control plane")
    for backend in control_plane.backends:
        front = served.get((backend.namespace, backend.name, backend.port))
        if front is None or not front.backends & isolation.ingress:
            continue
        if not control_plane.addresses:
            yield Unknown(backend.subject, f"whether the control plane reaches it: {control_plane.doubt}")
            continue
        closed, ports = _closed(front, isolation, ingress_blocks, control_plane)
        if closed:
            yield _finding(backend, front, closed, ports, isolation, control_plane)


def _closed(
    front: ServedPort, isolation: Isolation, blocks: Blocks, control_plane: ControlPlane
) -> tuple[Classes, tuple[int, ...]]:
    closed, ports = 0, []
    for number, classes in front.targets.items():
        shut = 0
        for address in control_plane.addresses:
            shut |= reach(blocks, isolation, address, "TCP", number).refused
        if shut & classes:
            closed |= shut & classes
            ports.append(number)
    return closed, tuple(ports)


def _finding(
    backend: Backend,
    front: ServedPort,
    closed: Classes,
    ports: tuple[int, ...],
    isolation: Isolation,
    control_plane: ControlPlane,
) -> Finding:
    universe = isolation.universe
    members = tuple(universe.members(closed))
    names = (p.name for c in members for p in isolation.policies_of(c, "Ingress"))
    where = listed(map(str, ports))
    return Finding(
        subject=backend.subject,
        message=(
            f"{listed(backend.users, 3)}: the API server cannot reach {count(universe.count_pods(closed), 'pod')} behind it on "
            f"TCP port {where}, closed by {listed(names)}"
        ),
        remedy=f"Allow ingress on TCP port {where} from ipBlocks of {control_plane.words}.",
        command=show_policies(front.service.namespace),
        evidence=few(str(w) for w in workloads(members)),
    )
