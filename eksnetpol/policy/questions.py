"""A question as people ask it, and its answer: may this one reach that one, on these ports, and who decided.

A port is a number, a range or the name of a port of the destination, each with ``/PROTOCOL`` where it is not TCP; a protocol
alone is all of it; nothing at all asks for everything that may flow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from eksnetpol.errors import UsageError
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.answers import Addresses, Answer, Decider, Decision, Engine, Party, Pods, Say, ServiceAddress, Side
from eksnetpol.policy.cidrs import NO_ADDRESSES, CidrSet
from eksnetpol.policy.connections import EVERYTHING, NOTHING, PROTOCOLS, TCP, UNIVERSE, WITH_PORTS, Connections
from eksnetpol.policy.outside import cut
from eksnetpol.policy.parties import Named
from eksnetpol.policy.ports import PortSet

ECHO = 8 << 8
"""An ICMP echo request, as a number of `Connections`."""

_LAST = 65535
_FEW, _FEW_BLOCKS = 64, 8
"""Parts of a block that are asked about one by one, and blocks that are named."""

_NUMBERS = re.compile(r"(\d+)(?:-(\d+))?")
_BY_LOWER = {p.lower(): p for p in PROTOCOLS}
_EXPECTED = "expected a number, a range such as 8000-8100 or the name of a port, each with /udp or /sctp where it is not TCP"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which connections a question is about.

    ``parts`` are destinations with what is asked of each: one, but for a port's name that means several numbers. ``text`` says
    it in words; ``notes`` what may surprise about it. ``port`` is the number where it is a single one.
    """

    text: str
    protocol: str
    parts: tuple[tuple[Party, PortSet], ...]
    notes: tuple[str, ...] = ()

    @property
    def port(self) -> int | None:
        """The only number, where there is one."""
        numbers = {n for _, ports in self.parts if len(ports) == 1 for n in ports}
        return next(iter(numbers)) if len(numbers) == 1 and all(len(p) == 1 for _, p in self.parts) else None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a question.

    ``allowed``: all that was asked for may flow between every pair; without a port: something may. ``partial``: only a part of
    it may, or only between some pairs. ``connections`` are all that may flow of what was asked for. ``decisions`` show the
    verdict on single ports: one that is denied before one that is allowed.
    """

    source: Named
    destination: Named
    asked: Asked | None
    allowed: bool
    partial: bool
    connections: Answer
    decisions: tuple[Decision, ...]
    details: tuple[str, ...] = ()
    """Where the answer is not the same everywhere, and can be told apart: which addresses may."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What may surprise about the question or its answer, each once."""
        said = (
            *self.details,
            *self.source.notes,
            *self.destination.notes,
            *(self.asked.notes if self.asked else ()),
            *(note for decision in self.decisions for note in decision.notes),
        )
        return tuple(dict.fromkeys(said))

    @property
    def settled(self) -> tuple[Decider, ...]:
        """What settled it, of the decision shown first: where it is denied, on the sides that do."""
        if not self.decisions:
            return ()
        first = self.decisions[0]
        return tuple(d for side in first.sides if first.allowed or not side.allowed for d in settling(side))


def asked(text: str | int | None, protocol: str | None, destination: Named, engine: Engine) -> Asked | None:
    """Return what *text* and *protocol* ask of *destination*; None where they ask for everything.

    Raises `UsageError` for what is no port, and for a name that the destination has not.
    """
    said = _protocol(protocol) if protocol else None
    if text is None:
        return _whole(said, destination) if said else None
    words, slash, tail = str(text).strip().partition("/")
    if slash:
        own = _protocol(tail)
        if said and own != said:
            raise UsageError(f"port {text!r} is of {own}, and the protocol is said to be {said}")
        said = own
    numbers = _NUMBERS.fullmatch(words)
    if numbers:
        return _numbered(words, int(numbers[1]), int(numbers[2] or numbers[1]), said or TCP, destination)
    whole = _BY_LOWER.get(words.lower()) if not slash and not protocol else None
    named = {} if whole and isinstance(destination.party, Addresses) else _named(words, said, destination, engine)
    if not named and whole:
        return _whole(whole, destination)
    if not named:
        raise UsageError(_unknown(words, destination, engine))
    return _meaning(words, named, destination)


def answer(engine: Engine, source: Named, destination: Named, wanted: Asked | None) -> Reply:
    """Return whether *source* may reach *destination*, and why. Raises `UsageError` where the source can send nothing."""
    if isinstance(source.party, ServiceAddress):
        raise UsageError(f"{source.title} sends nothing: a ClusterIP is only ever a destination; ask for the Service's pods")
    if isinstance(source.party, Addresses) and isinstance(destination.party, Addresses):
        raise UsageError(f"neither {source.title} nor {destination.title} is a pod, and policies are about pods alone")
    if wanted is None:
        found = _open(engine, source, destination)
    elif wanted.port is not None and len(wanted.parts) == 1:
        found = _single(engine, source, destination, wanted, wanted.port)
    else:
        found = _several(engine, source, destination, wanted)
    return replace(found, details=_which_addresses(engine, found)) if found.partial else found


def settling(side: Side) -> tuple[Decider, ...]:
    """Return what settled *side*: all that allow it, or the last that denies it, or all that isolate."""
    if side.allowed:
        return tuple(d for d in side.deciders if d.say is Say.ALLOWS)
    denying = tuple(d for d in side.deciders if d.say is Say.DENIES)
    return denying[-1:] or tuple(d for d in side.deciders if d.say is Say.ISOLATES)


# --- answers ----------------------------------------------------------------------------------------------------------


def _single(engine: Engine, source: Named, destination: Named, wanted: Asked, port: int) -> Reply:
    party = wanted.parts[0][0]
    decision = engine.decide(source.party, party, wanted.protocol, port)
    here = Connections.only(wanted.protocol, PortSet.of(port))
    found = Answer(here if decision.allowed else NOTHING, here if decision.allowed or decision.partial else NOTHING)
    return Reply(source, destination, wanted, decision.allowed, decision.partial, found, (decision,))


def _several(engine: Engine, source: Named, destination: Named, wanted: Asked) -> Reply:
    allowed, some, found = True, False, None
    denied: list[Decision] = []
    passed: list[Decision] = []
    for party, ports in wanted.parts:
        here = Connections.only(wanted.protocol, ports)
        flows = engine.connections(source.party, party)
        mine = Answer(flows.every & here, flows.some & here)
        found = mine if found is None else found | mine
        missing = here - mine.every
        some = some or bool(mine.some)
        allowed = allowed and not missing
        if missing:
            denied.append(engine.decide(source.party, party, wanted.protocol, shown_of(missing[wanted.protocol])))
        if mine.every:
            passed.append(engine.decide(source.party, party, wanted.protocol, shown_of(mine.every[wanted.protocol])))
    decisions = (*denied[:1], *passed[:1])
    return Reply(source, destination, wanted, allowed, some and not allowed, found or Answer(NOTHING, NOTHING), decisions)


def _open(engine: Engine, source: Named, destination: Named) -> Reply:
    flows = engine.connections(source.party, destination.party)
    whole = _askable(destination.party)
    decisions = [
        engine.decide(source.party, destination.party, *case)
        for case in (_case(whole - flows.every), _case(flows.every & whole))
        if case is not None
    ]
    return Reply(source, destination, None, bool(flows.every), not flows.is_uniform, flows, tuple(decisions))


def _which_addresses(engine: Engine, reply: Reply) -> tuple[str, ...]:
    """Return which addresses may and which may not, where one side is a block and they are few."""
    parties = (reply.source.party, reply.destination.party)
    block = next((p for p in parties if isinstance(p, Addresses)), None)
    network = None if block is None else parse_cidr(block.cidr)
    if block is None or network is None:
        return ()
    space = CidrSet.block(block.cidr, block.without)
    numbers = space.v4 if network.version == 4 else space.v6  # noqa: PLR2004 - the family
    parts = (atom.within(numbers) for atom in cut(engine.blocks(), network.version))
    inside = [part for part in parts if part is not None]
    if len(inside) > _FEW:
        return ()
    wanted = Connections({reply.asked.protocol: reply.asked.parts[0][1]}) if reply.asked else EVERYTHING
    every, some = NO_ADDRESSES, NO_ADDRESSES
    for atom in inside:
        one = Addresses(f"{atom.sample()}/{network.max_prefixlen}", "")
        source, destination = (one if p is block else p for p in parties)
        flows = engine.connections(source, destination)
        own = PortSet(atom.intervals)
        mine = CidrSet(v4=own) if network.version == 4 else CidrSet(v6=own)  # noqa: PLR2004 - the family
        if wanted <= flows.every:
            every = every | mine
        elif wanted & flows.some:
            some = some | mine
    return tuple(f"of {block.title}, {_blocks(found)} {verb}" for found, verb in ((every, "may"), (some, "may in part")) if found)


def _blocks(found: CidrSet) -> str:
    words = [str(c) for c in found.cidrs()]
    return ", ".join(words[:_FEW_BLOCKS]) + (f" and {len(words) - _FEW_BLOCKS} more" if len(words) > _FEW_BLOCKS else "")


def _askable(party: Party) -> Connections:
    """Return what can be asked of *party*: everything, or the ports of a Service."""
    if not isinstance(party, ServiceAddress):
        return EVERYTHING
    together = NOTHING
    for port in party.service.spec.ports:
        if port.protocol in WITH_PORTS:
            together = together | Connections.only(port.protocol, PortSet.of(port.port))
    return together


def _case(connections: Connections) -> tuple[str, int] | None:
    for protocol, numbers in connections.items():
        return protocol, shown_of(numbers)
    return None


def shown_of(numbers: PortSet) -> int:
    """Return one of *numbers* to show the verdict on; of many the one of HTTP, or that of an echo request."""
    return next((n for n in (80, ECHO) if len(numbers) > 1 and n in numbers), numbers.intervals[0][0])


# --- what is asked for ------------------------------------------------------------------------------------------------


def _protocol(text: str) -> str:
    found = _BY_LOWER.get(text.strip().lower())
    if found is None:
        raise UsageError(f"there is no protocol {text!r}; there are {', '.join(PROTOCOLS[:-1])}")
    return found


def _whole(protocol: str, destination: Named) -> Asked:
    numbers = UNIVERSE[protocol]
    if isinstance(destination.party, ServiceAddress):
        numbers = numbers & _askable(destination.party)[protocol]
        if not numbers:
            raise UsageError(f"{destination.title} has no {protocol} port; it has {_ports_of(destination.party)}")
    text = f"every {protocol} port" if protocol in WITH_PORTS else f"all of {protocol}"
    return Asked(text, protocol, ((destination.party, numbers),))


def _numbered(words: str, low: int, high: int, protocol: str, destination: Named) -> Asked:
    if protocol not in WITH_PORTS:
        raise UsageError(f"{protocol} has no ports; leave {words} out to ask for all of {protocol}")
    if not 1 <= low <= high <= _LAST:
        raise UsageError(f"{words} is no port; ports are from 1 to {_LAST}, and a range has the lower one first")
    return Asked(f"{protocol} {words}", protocol, ((destination.party, PortSet([(low, high)])),))


def _named(name: str, protocol: str | None, destination: Named, engine: Engine) -> dict[tuple[str, int], Party]:
    """Return what a name means at *destination*: protocol and number, each with the pods that mean it."""
    party = destination.party
    if isinstance(party, Addresses):
        raise UsageError(f"{name!r} is no number, and an address has no names of ports; {_EXPECTED}")
    found: dict[tuple[str, int], Party] = {}
    if isinstance(party, ServiceAddress):
        for port in party.service.spec.ports:
            if port.name == name and protocol in {None, port.protocol}:
                found[port.protocol, port.port] = party
        return found
    for meaning, part in _declared(party, engine):
        for (own, called), number in meaning.items():
            if called == name and protocol in {None, own}:
                known = found.get((own, number))
                found[own, number] = part if not isinstance(known, Pods) else _joined(known, part)
    return found


def _meaning(name: str, named: dict[tuple[str, int], Party], destination: Named) -> Asked:
    protocols = {protocol for protocol, _ in named}
    if len(protocols) > 1:
        choices = " or ".join(f"{name}/{protocol.lower()}" for protocol in sorted(protocols))
        raise UsageError(f"{destination.title} has the port {name} for several protocols; ask for {choices}")
    (protocol,) = protocols
    numbers = sorted({number for _, number in named})
    parts = tuple((party, PortSet.of(number)) for (_, number), party in sorted(named.items(), key=lambda item: item[0]))
    text = f"{protocol} {name} ({', '.join(map(str, numbers))})"
    notes = (f"the port {name} is {' and '.join(map(str, numbers))}, depending on the pod",) if len(numbers) > 1 else ()
    return Asked(text, protocol, parts, notes)


def _declared(party: Pods, engine: Engine) -> Iterator[tuple[dict[tuple[str, str], int], Pods]]:
    """Yield, for each class of *party*, what the names of its containers' ports mean; of equal names the first counts."""
    for pod_class in engine.atlas.universe.members(party.classes):
        sidecars = (c for c in pod_class.init_containers if c.restart_policy == "Always")
        meaning: dict[tuple[str, str], int] = {}
        for container in (*pod_class.containers, *sidecars):
            for port in container.ports:
                if port.name:
                    meaning.setdefault((port.protocol, port.name), port.container_port)
        mine = tuple(p for p in party.pods if engine.atlas.class_of.get((p.namespace, p.name)) == pod_class.index)
        yield meaning, replace(party, classes=pod_class.bit, pods=mine)


def _joined(one: Pods, other: Pods) -> Pods:
    return replace(one, classes=one.classes | other.classes, pods=(*one.pods, *other.pods))


def _unknown(name: str, destination: Named, engine: Engine) -> str:
    import difflib

    party = destination.party
    if isinstance(party, ServiceAddress):
        known = [p.name for p in party.service.spec.ports if p.name]
        has = f"its ports are {_ports_of(party)}"
    else:
        meanings = [meaning for meaning, _ in _declared(party, engine)] if isinstance(party, Pods) else []
        known = sorted({called for meaning in meanings for _, called in meaning})
        has = f"its ports are {', '.join(known)}" if known else "none of its ports has a name"
    if not known and not re.fullmatch(r"[a-z0-9-]+", name):
        return f"{name!r} is no port; {_EXPECTED}"
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else has
    return f"{destination.title} has no port named {name!r}; {hint}"


def _ports_of(party: ServiceAddress) -> str:
    ports: Iterable[str] = (f"{p.port}/{p.protocol}" + (f" ({p.name})" if p.name else "") for p in party.service.spec.ports)
    return ", ".join(ports) or "none"
