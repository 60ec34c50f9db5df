"""The two ends of a connection, as engines see them: a pod of some class, or an address."""

from __future__ import annotations

from dataclasses import dataclass

from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.atlas import UNKNOWN


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection. ``index`` is a pod's class, None for an address that is no pod's; ``address`` may be unknown."""

    title: str
    index: int | None = None
    pod: Pod | None = None
    address: int = UNKNOWN
    version: int = 4

    @property
    def peer_address(self) -> int | None:
        """Its address where it is known."""
        return None if self.address == UNKNOWN else self.address


def end_of(pod: Pod, index: int, version: int) -> End:
    """Return a pod as one end; *version* is the family of an address that is not known yet."""
    network = parse_cidr(pod.status.pod_ip) if pod.status.pod_ip else None
    title = f"{pod.namespace}/{pod.name}"
    if network is None:
        return End(title, index, pod, version=version)
    return End(title, index, pod, int(network.network_address), network.version)
