"""Whether anything may flow after a translation that could not before: over all pods, labels, addresses and ports there could be.

Both sides are stacks, written down as one formula for a solver (z3, the extra ``prove``). NetworkPolicies are taken as their
specification has them. Left aside, because they are no matter of policies: nodes and pods on the host network, ClusterIPs, and
the time until an agent has caught up. What nobody can know is counted as a denial before, so that nothing is proved that is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from eksnetpol.errors import EksNetpolError
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.policy.addresses import Network, parse_cidr
from eksnetpol.policy.connections import EVERYTHING, PROTOCOLS, UNIVERSE, WITH_PORTS, Connections, in_words
from eksnetpol.policy.ports import EVERY_PORT, PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.clauses import NAME_LABEL
from eksnetpol.policy.stacks.ends import End
from eksnetpol.policy.stacks.formulas import EndKind, Formula, Scope
from eksnetpol.policy.stacks.rules import Does, Stack, StackPolicy, StackRule, StackTier
from eksnetpol.policy.world import World
from eksnetpol.proof.ends import Side, Solving, Vocabulary
from eksnetpol.proof.target import target_stack

SECONDS = 30.0
"""How long the solver may take."""

ASIDE = (
    "nodes and pods on the host network are left aside",
    "ClusterIPs of Services are left aside: a connection is judged at the pods behind them",
    "policies count as programmed: what flows until an agent has caught up is left aside",
)


class NoSolverError(EksNetpolError):
    """The solver is not installed."""


@dataclass(frozen=True, slots=True)
class Proved:
    """There is no such connection. ``notes`` say for what this holds."""

    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counterexample:
    """One connection that flows afterwards and may not before (``wider``), or the other way round.

    ``ports`` are those that the destination has names for, by protocol and name. ``doubt``: whether it flows before depends on
    what nobody can know.
    """

    source: End
    destination: End
    protocol: str
    port: int
    source_port: int
    wider: bool
    ports: dict[tuple[str, str], int] = field(default_factory=dict)
    doubt: bool = False

    def __str__(self) -> str:
        what = "would flow, and does not flow before" if self.wider else "flows before, and would not"
        if self.doubt:
            what = "would flow, and nobody can know whether it does before"
        return f"{_shown(self.source)} to {_shown(self.destination)}, {in_words(self.protocol, self.port)}: {what}"


@dataclass(frozen=True, slots=True)
class Unsettled:
    """The solver did not find out in time."""

    why: str


Outcome = Proved | Counterexample | Unsettled


def prove(
    stack: Stack,
    policies: Iterable[NetworkPolicy],
    world: World,
    *,
    cluster_policies: Iterable[ClusterNetworkPolicy] = (),
    wider: bool = True,
    future_namespaces: bool = False,
    vpc: Iterable[str] = (),
    seconds: float = SECONDS,
) -> Outcome:
    """Say whether *policies*, with *cluster_policies*, ever let through what *stack* does not (*wider*), or not what it does.

    Namespaces are those of *world* with their labels of today, and with *future_namespaces* any. Pods have addresses of *vpc*
    where that is given. Raises `NoSolverError` without z3.
    """
    z3 = _solver()
    target = target_stack(policies, cluster_policies, world)
    words = Vocabulary({name: {NAME_LABEL: name} | dict(labels) for name, labels in world.namespace_labels.items()})
    for one in (stack, target):
        words.learn(_formulas(one))
    solving = Solving(z3, words, 6 if world.family == "ipv6" else 4, future=future_namespaces)
    wire = _Wire(z3, solving)
    before, doubtful = _Meaning(z3, wire, stack).flows(), bool(stack.unread)
    after = _Meaning(z3, wire, target).flows()
    solver = z3.Solver()
    solver.set("timeout", int(seconds * 1000))
    solver.add(*wire.world([n for n in map(parse_cidr, vpc) if n is not None], _cluster_ips(world)))
    # What nobody can know may be so or so before: the solver picks what makes a counterexample, and nothing is proved too much.
    solver.add(after, z3.Not(before)) if wider else solver.add(before, z3.Not(after))
    solver.add(*solving.must)
    answer = solver.check()
    if answer == z3.unsat:
        return Proved((*ASIDE, *(() if future_namespaces else ("namespaces are those of today, with their labels",))))
    if answer == z3.unknown:
        return Unsettled(f"the solver gave up after {seconds:g} s: {solver.reason_unknown()}")
    return wire.shown(solver.model(), wider=wider, doubt=wider and (doubtful or bool(solving.doubts)))


def _cluster_ips(world: World) -> list[Network]:
    found = (parse_cidr(service.spec.cluster_ip) for service in world.services)
    return [network for network in found if network is not None]


def _formulas(stack: Stack) -> Iterator[Formula]:
    for tier in stack.tiers:
        for policy in tier.policies:
            yield policy.subject
            for rule in policy.rules:
                yield from (rule.peer, rule.local)


def _solver() -> ModuleType:
    try:
        import z3
    except ImportError:
        raise NoSolverError(
            "a proof over all pods needs the solver z3, which is not installed: pip install 'eksnetpol[prove]'"
        ) from None
    return z3  # type: ignore[no-any-return]


class _Wire:
    """Any connection."""

    def __init__(self, z3: ModuleType, solving: Solving) -> None:
        self.z3, self.solving = z3, solving
        self.source, self.destination = Side(solving, "source"), Side(solving, "destination")
        self.protocol = solving.number("protocol", len(PROTOCOLS))
        self.port, self.source_port = z3.BitVec("port", 16), z3.BitVec("source port", 16)
        self.named: dict[tuple[str, str], tuple[Any, Any]] = {}

    def is_protocol(self, protocol: str) -> Any:
        return self.protocol == PROTOCOLS.index(protocol)

    def has_ports(self) -> Any:
        return self.z3.Or([self.is_protocol(p) for p in WITH_PORTS])

    def world(self, vpc: list[Network], services: list[Network]) -> list[Any]:
        """Return what is true of any two ends: one is a pod, addresses differ, numbers are such as the protocol has.

        Pods have addresses of *vpc*, where that is not empty; nobody has one of *services*.
        """
        z3, ends = self.z3, (self.source, self.destination)
        found = [z3.Or(ends[0].is_pod, ends[1].is_pod), ends[0].address != ends[1].address]
        found += [z3.Implies(self.is_protocol(p), self.among(UNIVERSE[p], self.port)) for p in PROTOCOLS]
        found.append(self.among(EVERY_PORT, self.source_port))
        found += [z3.Implies(end.is_pod, end.within(vpc)) for end in ends if vpc]
        found += [z3.Not(end.within(services)) for end in ends if services]
        same = z3.And(ends[0].is_pod, ends[1].is_pod, ends[0].space == ends[1].space, ends[0].account == ends[1].account)
        mine, others = (end.labels[Scope.ACCOUNT] for end in ends)
        found += [z3.Implies(same, v.unknown == others[k].unknown) for k, v in mine.items()]
        found += [z3.Implies(same, v.text == others[k].text) for k, v in mine.items() if v.text is not None]
        return found

    def among(self, ports: PortSet, unknown: Any) -> Any:
        z3 = self.z3
        return z3.Or([z3.And(z3.UGE(unknown, low), z3.ULE(unknown, high)) for low, high in ports.intervals])

    def spoken(self, connections: Connections) -> Any:
        if connections == EVERYTHING:
            return self.z3.BoolVal(val=True)
        return self.z3.Or(
            [self.z3.And(self.is_protocol(p), self.among(ports, self.port)) for p, ports in connections.items() if ports]
        )

    def name(self, name: str, protocol: str) -> Any:
        """Whether the destination is a pod with a port of that name, and this is it."""
        key = (protocol, name)
        if key not in self.named:
            self.named[key] = (self.z3.Bool(f"has {protocol} {name}"), self.z3.BitVec(f"port {protocol} {name}", 16))
        is_there, number = self.named[key]
        return self.z3.And(self.destination.is_pod, is_there, self.is_protocol(protocol), self.port == number)

    def shown(self, model: Any, *, wider: bool, doubt: bool) -> Counterexample:
        def of(unknown: Any) -> int:
            return int(model.eval(unknown, model_completion=True).as_long())

        has = {key: bool(model.eval(there, model_completion=True)) for key, (there, _) in self.named.items()}
        ends = self.source.read(model), self.destination.read(model)
        is_pod = ends[1].kind is EndKind.POD
        ports = {key: of(number) for key, (_, number) in self.named.items() if is_pod and has[key]}
        return Counterexample(*ends, PROTOCOLS[of(self.protocol)], of(self.port), of(self.source_port), wider, ports, doubt)


class _Meaning:
    """What a stack says of any connection."""

    def __init__(self, z3: ModuleType, wire: _Wire, stack: Stack) -> None:
        self.z3, self.wire, self.stack = z3, wire, stack

    def flows(self) -> Any:
        """Whether both sides let it pass."""
        ends = self.wire.source, self.wire.destination
        return self.z3.And(self._side(Direction.EGRESS, *ends), self._side(Direction.INGRESS, *reversed(ends)))

    def _side(self, direction: Direction, me: Side, other: Side) -> Any:
        z3 = self.z3
        answer: Any = z3.BoolVal(val=True)
        for tier in reversed(self.stack.tiers):
            answer = self._tier(tier, direction, me, other, answer)
        for one in self.stack.unread:
            # Where it is says whom a policy is for; a set, a group or settings may be about any pod.
            own = one.ref.namespace if one.ref.kind.partition(".")[0].endswith("NetworkPolicy") else ""
            here = me._in(lambda name, own=own: own in {"", name})  # noqa: SLF001
            answer = z3.If(here, self.wire.solving.doubt((one, direction)), answer)
        return z3.Or(z3.Not(me.is_pod), answer)

    def _tier(self, tier: StackTier, direction: Direction, me: Side, other: Side, later: Any) -> Any:
        z3 = self.z3
        isolating = [me.means(p.subject, other) for p in tier.policies if direction in p.isolates]
        answer = later
        if isolating and tier.otherwise in {Does.ALLOW, Does.DENY}:
            answer = z3.If(z3.Or(isolating), z3.BoolVal(val=tier.otherwise is Does.ALLOW), later)
        for policy in reversed(tier.policies):
            answer = self._policy(policy, direction, me, other, answer, later)
        return answer

    def _policy(self, policy: StackPolicy, direction: Direction, me: Side, other: Side, answer: Any, later: Any) -> Any:
        z3 = self.z3
        rules = [rule for rule in policy.rules if rule.direction is direction]
        if not rules:
            return answer
        said, untouched = {Does.ALLOW: z3.BoolVal(val=True), Does.DENY: z3.BoolVal(val=False), Does.PASS: later}, answer
        for rule in reversed(rules):
            answer = z3.If(self._matches(rule, me, other), said[rule.does], answer)
        return z3.If(me.means(policy.subject, other), answer, untouched)

    def _matches(self, rule: StackRule, me: Side, other: Side) -> Any:
        z3, wire = self.z3, self.wire
        names = [wire.name(n.name, p) for n in rule.names for p in WITH_PORTS if n.protocol in {"", p}]
        parts = [other.means(rule.peer, me), me.means(rule.local, other), z3.Or(wire.spoken(rule.connections), *names)]
        if rule.source_ports != EVERY_PORT:
            parts += [wire.has_ports(), wire.among(rule.source_ports, wire.source_port)]
        if rule.judged_further and rule.does is not Does.ALLOW:
            parts.append(wire.solving.doubt(("judged further", rule)))
        return z3.And(parts)


def _shown(end: End) -> str:
    if end.kind is EndKind.OUTSIDE:
        return end.address
    labels = ",".join(f"{key}={value}" for key, value in sorted(end.labels.items())) or "no label that matters"
    return f"a pod of {end.namespace} with {labels} at {end.address}"
