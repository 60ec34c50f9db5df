"""What pods need of the traffic that nobody writes down: the values that say it, and what every kind of need is judged with.

Every answer is worked out for all classes at once: a `Flow` is one need, its `Part`s say which classes keep it, lose it, or keep
it in part. What was not read gives *unknown*, never *keeps*.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.model.kubernetes import Service
from eksnetpol.policy.addresses import family_of
from eksnetpol.policy.answers import Engine
from eksnetpol.policy.asking import Asking, Reached, Wanted
from eksnetpol.policy.profile import Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.surroundings import Credentials, Surroundings, credentials
from eksnetpol.policy.universe import Classes, set_of


class Kind(StrEnum):
    """What is needed."""

    DNS = "dns"
    NODE_LOCAL_DNS = "node-local-dns"
    UPSTREAM_DNS = "upstream-dns"
    API_SERVER = "api-server"
    IMDS = "imds"
    POD_IDENTITY = "pod-identity"
    STS = "sts"
    WEBHOOK = "webhook"
    AGGREGATED_API = "aggregated-api"
    LOAD_BALANCER = "load-balancer"
    NODE_PORT = "node-port"
    PROBES = "probes"
    METRICS = "metrics"


class Verdict(StrEnum):
    """What becomes of it, the worst first."""

    LOSES = "loses"
    PARTLY = "partly"
    UNKNOWN = "unknown"
    KEEPS = "keeps"

    @property
    def is_loss(self) -> bool:
        """True when something that is needed would not get through."""
        return self in {Verdict.LOSES, Verdict.PARTLY}


Pairs = tuple[tuple[str, str], ...]
"""Labels to match, as pairs."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom a rule is to name: a block, or pods by the labels of their namespace (None: the policy's own) and their own."""

    cidr: str = ""
    namespace: Pairs | None = None
    pods: Pairs | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """The rule that would keep a flow. ``caution`` says what more it opens, or what it does not."""

    direction: Direction
    peers: tuple[Peer, ...]
    ports: Wanted
    caution: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Classes with one verdict, and why. ``opening`` is for the classes *of* (these themselves where it is None)."""

    verdict: Verdict
    classes: Classes
    reason: str
    opening: Opening | None = None
    of: Classes | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """One need of some pods. ``title`` names it, ``target`` what is at the other end. ``is_sure`` False: they may not need it."""

    kind: Kind
    direction: Direction
    title: str
    target: str
    parts: tuple[Part, ...]
    is_sure: bool = True

    def classes(self, *verdicts: Verdict) -> Classes:
        """Return the classes with one of *verdicts*."""
        answer = 0
        for part in self.parts:
            if part.verdict in verdicts:
                answer |= part.classes
        return answer


@dataclass(frozen=True)
class Judging:
    """What it takes to judge flows. ``isolated`` and ``uncovered`` are among the pods *counted*; the latter no policy holds for.

    ``assumed`` is True where the cluster's DNS was not read, and is taken to be as EKS installs it.
    """

    engine: Engine
    around: Surroundings
    asking: Asking
    isolated: dict[Direction, Classes]
    counted: Classes
    uncovered: Classes
    credentials: Credentials
    assumed: bool = False

    @property
    def family(self) -> str:
        """``ipv4`` or ``ipv6``."""
        return self.engine.profile.family or "ipv4"

    @property
    def is_agent(self) -> bool:
        """True where the answer is what the VPC CNI does."""
        return self.engine.profile.semantics is Semantics.VPC_CNI

    def blocks(self, direction: Direction, cidrs: tuple[str, ...], classes: Classes) -> tuple[Peer, ...]:
        """Return the peers that are *cidrs*, for *classes*: with what other rules except of them, which would stay closed."""
        holes = self.asking.holes(direction, cidrs, classes) if self.is_agent else ()
        return tuple(Peer(c) for c in dict.fromkeys((*cidrs, *holes)))

    def host(self, address: str) -> Peer:
        """Return the peer that is one address."""
        return Peer(f"{address.partition('/')[0]}/{128 if family_of(address) == 'ipv6' else 32}")


def judging(
    engine: Engine, around: Surroundings, counted: Classes, uncovered: Classes = 0, *, assumed: bool = False
) -> Judging:
    """Return what it takes to judge the flows of the pods *counted*."""
    isolated = {d: engine.isolated(d) & counted for d in Direction}
    who = credentials(engine.atlas.universe, around)
    return Judging(engine, around, Asking(engine), isolated, counted, uncovered, who, assumed)


def parts_of(
    needing: Classes, found: Reached, opening: Opening | None, words: str, partly: str = "", doubt: str = ""
) -> tuple[Part, ...]:
    """Return *needing* by what was *found*. *words* end the sentences that say what is lost or kept.

    *partly* says what is missing to those that have some of it; without it, some is as good as nothing. *doubt* says of which the
    answer is not known, and why.
    """
    kept = found.all & needing
    unsure = found.unsure & needing & ~kept
    some = found.some & needing & ~kept & ~unsure if partly else 0
    parts = (
        Part(Verdict.LOSES, needing & ~kept & ~unsure & ~some, f"no rule lets them {words}", opening),
        Part(Verdict.PARTLY, some, partly, opening),
        Part(Verdict.UNKNOWN, unsure, doubt or f"whether rules let them {words} depends on unknown addresses", opening),
        Part(Verdict.KEEPS, kept, f"rules let them {words}"),
    )
    return tuple(p for p in parts if p.classes)


def behind(judge: Judging, service: Service) -> Classes:
    """Return the classes that a Service selects; none for one without selector."""
    universe = judge.engine.atlas.universe
    within = universe.in_namespace.get(service.namespace, 0) if service.spec.selector else 0
    for key, value in service.spec.selector.items():
        within &= universe.with_label(key, value)
    return within


@dataclass(frozen=True, slots=True)
class Target:
    """Where a port of a Service leads: the number that some of the pods behind it listen on."""

    protocol: str
    port: int
    number: int
    classes: Classes


def targets(judge: Judging, service: Service, backends: Classes, wanted: Wanted) -> Iterator[Target]:
    """Yield where each of *wanted*, which are ports of *service*, leads among *backends*."""
    for protocol, port in wanted:
        offer = next((p for p in service.spec.ports if (p.protocol, p.port) == (protocol, port)), None)
        to = port if offer is None or offer.target_port is None else offer.target_port
        if isinstance(to, int):
            yield Target(protocol, port, to, backends)
            continue
        found: dict[int, list[int]] = {}
        for c in judge.engine.atlas.universe.members(backends):
            declared = (p for x in c.containers for p in x.ports if (p.name, p.protocol) == (to, protocol))
            first = next(declared, None)
            if first is not None:
                found.setdefault(first.container_port, []).append(c.index)
        for number, indexes in found.items():
            yield Target(protocol, port, number, set_of(indexes))


def words_of(wanted: Wanted) -> str:
    """Return ``UDP and TCP 53``, or ``TCP 80, TCP 443``."""
    numbers = {number for _, number in wanted}
    if len(numbers) == 1:
        return f"{' and '.join(dict.fromkeys(p for p, _ in wanted))} {numbers.pop()}"
    return ", ".join(f"{protocol} {number}" for protocol, number in wanted)


def bare(address: str) -> str:
    """Return *address* without its prefix length."""
    return address.partition("/")[0]
