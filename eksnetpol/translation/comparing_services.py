"""What flows through the addresses of Services, before and after: the agent judges egress there, other engines look behind.

A peer's labels open the ClusterIP of every Service whose *selector* fits them, a block that of every Service in it; what a rule
says of the pods behind is not asked. So a pod that must not be reached may be reached through a Service, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from eksnetpol.model.kubernetes import Pod, Service, ServicePort
from eksnetpol.policy import backends
from eksnetpol.policy.answers import Decision, Pods, ServiceAddress
from eksnetpol.policy.connections import WITH_PORTS
from eksnetpol.policy.engine import SetEngine
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.engine import StackEngine
from eksnetpol.policy.universe import Classes, PodClass, indexes_of, set_of

_GAINED, _LOST, _OF_ONE = 600, 100, 8
"""So many ways are looked into that are there only after, and only before, and so many of one Service: they name rules."""


@dataclass
class Through:
    """Compares the ways to Services."""

    before: StackEngine
    after: SetEngine
    made_up: frozenset[tuple[str, str]] = frozenset()
    """Pods that nobody has, by namespace and name: a Service leads to those of today."""
    _mapped: dict[Classes, Classes] = field(default_factory=dict)
    _allowed: dict[tuple[int, str, int], Classes] = field(default_factory=dict)

    def changes(self) -> Iterator[tuple[Decision, Decision]]:
        """Yield the verdicts of both on ways to a pod behind a Service, one of them through its address, that differ."""
        services = [s for s in self.after.world.services if s.spec.selector and backends.has_address(s)]
        services.sort(key=lambda s: (s.namespace, s.name))
        held = self._held()
        if not held:
            return
        left = {True: _GAINED, False: _LOST}
        for service in services:
            yield from self._of(service, held, left)

    def _held(self) -> Classes:
        """Return the classes that send only what is allowed: all others reach every address."""
        found = self.after.grants.isolated(Direction.EGRESS)
        for rule in (*self.after.tiers.admin.rules, *self.after.tiers.baseline.rules):
            found |= rule.subjects if rule.direction is Direction.EGRESS else 0
        return found

    def _of(self, service: Service, held: Classes, left: dict[bool, int]) -> Iterator[tuple[Decision, Decision]]:
        own = dict.fromkeys(left, _OF_ONE)
        for more, sources, behind, port, number in self._differing(service, held):
            for source in self.before.chart.universe.members(sources):
                if not own[more] or not left[more]:
                    break
                own[more] -= 1
                left[more] -= 1
                found = self._shown(source, service, behind, port.port, port.protocol, number)
                if found is not None:
                    yield found

    def _differing(self, service: Service, held: Classes) -> Iterator[tuple[bool, Classes, PodClass, ServicePort, int]]:
        """Yield classes that may reach a port of a class behind a Service only after (True), or only before."""
        behind = list(self.before.chart.universe.members(backends.behind(service, self.before.chart)))
        entering = self.after.to_service(service) if behind else ()
        for port in (port for port in service.spec.ports if port.protocol in WITH_PORTS):
            into = 0
            for connections, classes in entering:
                into |= classes & held if connections.allows(port.protocol, port.port) else 0
            some = self._as_before(into)
            others = self._as_before(held) & ~some
            for one in behind:
                number = backends.target(port, one.index, self.before.chart)
                if number is not None:
                    allowed = self._sources(one.index, port.protocol, number)
                    yield True, some & ~allowed, one, port, number
                    yield False, others & allowed, one, port, number

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
        if self._is_one_to_one:
            return classes
        known = self._mapped.get(classes)
        if known is None:
            known = self._mapped[classes] = set_of(at for index in indexes_of(classes) for at in self._of_class[index])
        return known

    @cached_property
    def _is_one_to_one(self) -> bool:
        """Whether both engines have the same classes, in the same order."""
        return all(own == (at,) for at, own in enumerate(self._of_class))

    @cached_property
    def _of_class(self) -> list[tuple[int, ...]]:
        """By class of the engine after, the classes of the one before that have a pod of it."""
        class_of = self.before.atlas.class_of
        classes = self.after.chart.universe.classes
        return [tuple(dict.fromkeys(class_of[pod.namespace, pod.name] for pod in one.pods)) for one in classes]


def _pod(engine: StackEngine | SetEngine, pod: Pod) -> Pods:
    return Pods(1 << engine.atlas.class_of[pod.namespace, pod.name], f"{pod.namespace}/{pod.name}", (pod,))
