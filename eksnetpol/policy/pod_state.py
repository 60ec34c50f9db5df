"""What the node agent enforces on one pod: the maps of both directions together, or what holds without any policy.

All PolicyEndpoints that the agent keeps for a pod are one union. ``podIsolation`` is asked only where a direction has no rules at
all, so rules of a direction isolate it whatever ``policyTypes`` says, and as soon as one policy is known, a direction that no
policy speaks of is open, in strict mode too (aws/aws-network-policy-agent, controllers/policyendpoints_controller.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from eksnetpol.model.policies import PolicyEndpointSpec
from eksnetpol.model.versions import Release
from eksnetpol.policy.agent_map import AgentMap, Entry, Reading, address_of
from eksnetpol.policy.connections import EVERYTHING, Connections
from eksnetpol.policy.dataplane import compile_direction, entries_of
from eksnetpol.policy.profile import Mode
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.slots import always_through


class State(StrEnum):
    """What the agent's programs go by where a map has no answer."""

    POLICIES_APPLIED = "policies applied"
    DEFAULT_ALLOW = "default allow"
    DEFAULT_DENY = "default deny"


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one PolicyEndpoint gives to the pods it lists."""

    isolates: frozenset[Direction]
    ingress: tuple[Entry, ...]
    egress: tuple[Entry, ...]

    @classmethod
    def of(cls, spec: PolicyEndpointSpec, origin: object = None) -> Resolved:
        """Read the *spec* of a PolicyEndpoint; *origin* goes into its entries."""
        return cls(
            frozenset(d for d in Direction if d in spec.pod_isolation),
            tuple(entries_of(spec.ingress, origin)),
            tuple(entries_of(spec.egress, origin)),
        )


@dataclass(frozen=True)
class PodState:
    """What is enforced on one pod. ``ingress`` and ``egress`` are None without any policy; ``state`` then tells what holds."""

    version: int
    state: State
    ingress: AgentMap | None = None
    egress: AgentMap | None = None

    def map_of(self, direction: Direction) -> AgentMap | None:
        """Return the map of one direction."""
        return self.ingress if direction is Direction.INGRESS else self.egress

    def bounds(self, direction: Direction, ip: str) -> tuple[Connections, Connections]:
        """Return what surely passes in *direction* between the pod and *ip*, and what may pass."""
        compiled = self.map_of(direction)
        if compiled is not None:
            return compiled.bounds(ip)
        if self.state is State.DEFAULT_ALLOW or address_of(ip).version != self.version:
            return EVERYTHING, EVERYTHING
        return always_through(self.version), always_through(self.version)

    def verdict(self, direction: Direction, ip: str, protocol: str, port: int) -> bool | None:
        """Say whether a packet passes in *direction*; None where that is random."""
        sure, possible = self.bounds(direction, ip)
        if sure.allows(protocol, port):
            return True
        return None if possible.allows(protocol, port) else False

    def deciding(self, direction: Direction, ip: str) -> Reading:
        """Return which prefix decides; one without network where no map or no prefix does."""
        compiled = self.map_of(direction)
        return Reading(None) if compiled is None else compiled.deciding(ip)


def compile_pod(
    endpoints: Sequence[Resolved], *, node_ip: str | None, family: str, agent: Release, mode: Mode
) -> PodState:
    """Compile what the agent keeps for a pod. Without *endpoints* it is open, or in strict mode closed, to its node as well."""
    version = 6 if family == "ipv6" else 4
    if not endpoints:
        return PodState(version, State.DEFAULT_DENY if mode is Mode.STRICT else State.DEFAULT_ALLOW)
    isolates = frozenset(chain.from_iterable(e.isolates for e in endpoints))

    def side(entries: Iterable[Entry], direction: Direction) -> AgentMap:
        return compile_direction(
            entries, node_ip=node_ip, family=family, agent=agent, isolated=direction in isolates
        )

    return PodState(
        version,
        State.POLICIES_APPLIED,
        side(chain.from_iterable(e.ingress for e in endpoints), Direction.INGRESS),
        side(chain.from_iterable(e.egress for e in endpoints), Direction.EGRESS),
    )
