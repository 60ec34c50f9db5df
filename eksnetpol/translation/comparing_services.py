"""What flows through the addresses of Services, before and after: the agent judges egress there, other engines look behind.

A peer's labels open the ClusterIP of every Service whose *selector* fits them, a block that of every Service in it; what a rule
says of the pods behind is not asked. So a pod that must not be reached may be reached through a Service, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from eksnetpol.model.kubernetes import Pod, Service
from eksnetpol.policy import backends
from eksnetpol.policy.answers import Decision, Pods, ServiceAddress
from eksnetpol.policy.connections import WITH_PORTS
from eksnetpol.policy.engine import SetEngine
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.engine import StackEngine
from eksnetpol.policy.universe import Classes, PodClass

MOST = 3_000_000
"""So many rules are asked about Services, all together; beyond, Services are left out, by name and namespace the last."""

_SHOWN = 40
"""Pairs of one Service that are looked into; they name rules, and few rules speak of one Service."""


@dataclass
class Through:
    """Compares the ways to Services. ``left_out`` is how many were not looked at."""

    before: StackEngine
    after: SetEngine
    made_up: frozenset[tuple[str, str]] = frozenset()
    """Pods that nobody has, by namespace and name: a Service leads to those of today."""
    left_out: int = 0
    _mapped: dict[Classes, Classes] = field(default_factory=dict)
    _allowed: dict[tuple[int, str, int], Classes] = field(default_factory=dict)

    def changes(self) -> Iterator[tuple[Decision, Decision]]:
        """Yield the verdicts of both on ways to a pod behind a Service, one of them through its address, that differ."""
        services = [s for s in self.after.world.services if s.spec.selector and backends.has_address(s)]
        services.sort(key=lambda s: (s.namespace, s.name))
        held = self._held()
        if not held:
            return
        most = MOST // (len(self.after.grants.rules) + 1) + 1
        self.left_out = max(0, len(services) - most)
        for service in services[:most]:
            yield from self._of(service, held)

    def _held(self) -> Classes:
        """Return the classes that send only what is allowed: all others reach every address."""
        found = self.after.grants.isolated(Direction.EGRESS)
        for rule in (*self.after.tiers.admin.rules, *self.after.tiers.baseline.rules):
            found |= rule.subjects if rule.direction is Direction.EGRESS else 0
        return found

    def _of(self, service: Service, held: Classes) -> Iterator[tuple[Decision, Decision]]:
        behind = list(self.before.chart.universe.members(backends.behind(service, self.before.chart)))
        entering = self.after.to_service(service) if behind else ()
        shown = 0
        for port in service.spec.ports:
            if port.protocol not in WITH_PORTS:
                continue
            into = 0
            for connections, classes in entering:
                into |= classes & held if connections.allows(port.protocol, port.port) else 0
            some, others = self._as_before(into), self._as_before(held & ~into)
            for one in behind:
                number = backends.target(port, one.index, self.before.chart)
                if number is None:
                    continue
                allowed = self._sources(one.index, port.protocol, number)
                for source in self.before.chart.universe.members((some & ~allowed) | (others & allowed)):
                    found = self._shown(source, service, one, port.port, port.protocol, number)
                    if found is not None:
                        yield found
                    shown += 1
                    if shown >= _SHOWN:
                        return

    # --- one way ------------------------------------------------------------------------------------------------------

    def _shown(
        self, source: PodClass, service: Service, behind: PodClass, port: int, protocol: str, number: int
    ) -> tuple[Decision, Decision] | None:
        pods = self._two(source, behind)
        if pods is None:
            return None
        title = f"service/{service.namespace}/{service.name}"
        was = self.before.decide(_pod(self.before, pods[0]), _pod(self.before, pods[1]), protocol, number)
        ends = _pod(self.after, pods[0]), _pod(self.after, pods[1])
        through = self.after.decide(ends[0], ServiceAddress(service, title), protocol, port).sides
        arriving = self.after.decide(*ends, protocol, number).sides
        if not through or len(arriving) != len(was.sides):
            return None
        sides = (through[0], arriving[1])
        now = replace(was, allowed=all(side.allowed for side in sides), sides=sides, port=port)
        if now.allowed is was.allowed:
            return None
        destination = f"{title} ({was.destination})"
        return replace(was, destination=destination, port=port), replace(now, destination=destination)

    def _two(self, source: PodClass, destination: PodClass) -> tuple[Pod, Pod] | None:
        """Return a pod of each class, and not one pod twice, nor one beside the node of the other."""
        mine, theirs = (
            [pod for pod in (one.pods[0], one.pods[-1]) if (pod.namespace, pod.name) not in self.made_up]
            for one in (source, destination)
        )
        for one in mine:
            for other in theirs:
                near = one.status.host_ip == other.status.host_ip and (one.spec.host_network or other.spec.host_network)
                if one is not other and not near:
                    return one, other
        return None

    def _sources(self, index: int, protocol: str, number: int) -> Classes:
        """Return the classes of the engine before that reach a port of a class there."""
        key = (index, protocol, number)
        if key not in self._allowed:
            found = 0
            for connections, classes in self.before.columns.column(index):
                found |= classes if connections.allows(protocol, number) else 0
            self._allowed[key] = found
        return self._allowed[key]

    def _as_before(self, classes: Classes) -> Classes:
        """Return classes of the engine after as those of the one before: all that have a pod of theirs."""
        known = self._mapped.get(classes)
        if known is None:
            known = 0
            for one in self.after.chart.universe.members(classes):
                for pod in one.pods:
                    known |= 1 << self.before.atlas.class_of[pod.namespace, pod.name]
            self._mapped[classes] = known
        return known


def _pod(engine: StackEngine | SetEngine, pod: Pod) -> Pods:
    return Pods(1 << engine.atlas.class_of[pod.namespace, pod.name], f"{pod.namespace}/{pod.name}", (pod,))
