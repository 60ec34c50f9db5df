"""Entries of a policy as a whole, so that predicted and live ones can be compared: ports together by block, in no order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from eksnetpol.model.policies import EndpointInfo, PolicyEndpoint
from eksnetpol.policy.prediction.pack import Merging, Packer
from eksnetpol.policy.prediction.ports import Port, PortList
from eksnetpol.policy.prediction.predict import Prediction, Resolved
from eksnetpol.policy.rules import Direction

Ports = frozenset[tuple[str, int, int]] | None
"""All ports of a block together, what is not written being 0; None is every port."""

Key = tuple[str, ...]


class Opened(NamedTuple):
    """A block, address or domain, and the ports that all entries for it have together."""

    cidr: str
    domain: str
    action: str
    excepts: tuple[str, ...]
    ports: Ports

    def __str__(self) -> str:
        holes = f" except {', '.join(self.excepts)}" if self.excepts else ""
        action = f"{self.action} " if self.action else ""
        if self.ports is None:
            return f"{action}{self.cidr or self.domain}{holes} on all ports"
        words = sorted(f"{p}{f' {n}' if n else ''}{f'-{e}' if e else ''}" for p, n, e in self.ports)
        return f"{action}{self.cidr or self.domain}{holes} on {', '.join(words)}"


class Doubt(NamedTuple):
    """What else may come out for a block than what is predicted: any of *more* ports, or, where *optional*, nothing."""

    more: frozenset[tuple[str, int, int]]
    optional: bool


Table = dict[Key, tuple[tuple[str, ...], Ports]]
"""Exceptions and ports by CIDR, domain, action, and exceptions once more where the release heeds them."""


def predicted_entries(prediction: Prediction, resolved: Resolved, direction: Direction) -> Table:
    """Return what *resolved* opens in a direction."""
    packer = prediction.packer(resolved)
    entries = prediction.entries(resolved, direction)
    return _together(((e.cidr, e.domain, e.action, e.excepts, _port_set(e.ports)) for e in entries), packer)


def doubts(prediction: Prediction, resolved: Resolved, direction: Direction, wanted: Table) -> Mapping[Key, Doubt]:
    """Return what is left to chance of *wanted*."""
    found: dict[Key, Doubt] = {}
    for doubt in prediction.doubts(resolved) if direction is Direction.EGRESS else ():
        ports = frozenset(_numbered(p) for answer in doubt.answers if answer for p in answer)
        keys = [k for k in wanted if k[0] == doubt.address]
        # Where the predicted answer is no entry, any other is as good.
        for key in keys or [(doubt.address, "", action) for action in ("", "Accept", "Deny", "Pass")]:
            known = found.get(key, Doubt(frozenset(), optional=False))
            found[key] = Doubt(known.more | ports, known.optional or None in doubt.answers)
    return found


def live_entries(endpoints: Sequence[PolicyEndpoint], direction: Direction, packer: Packer) -> Table:
    """Return what live objects of one policy open in a direction."""
    lists = ((e.spec.ingress if direction is Direction.INGRESS else e.spec.egress) for e in endpoints)
    return _together(((i.cidr, i.domain_name, i.action, i.except_, _ports_of(i)) for infos in lists for i in infos), packer)


def differences(wanted: Table, have: Table, unsure: Mapping[Key, Doubt]) -> tuple[list[Opened], list[Opened]]:
    """Return what of *wanted* is not there, and what is there that is not wanted."""
    missing: list[Opened] = []
    extra: list[Opened] = []
    for key, (excepts, ports) in wanted.items():
        found = have.get(key)
        doubt = unsure.get(key)
        if found is None:
            if doubt is None or not doubt.optional:
                missing.append(_opened(key, (excepts, ports)))
        elif found[1] != ports and not (doubt and found[1] is not None and found[1] <= doubt.more | (ports or frozenset())):
            missing.append(_opened(key, (excepts, ports)))
            extra.append(_opened(key, found))
    for key, (excepts, ports) in have.items():
        if key not in wanted:
            doubt = unsure.get(key)
            if doubt is None or ports is None or not ports <= doubt.more:
                extra.append(_opened(key, (excepts, ports)))
    return missing, extra


def _opened(key: Key, said: tuple[tuple[str, ...], Ports]) -> Opened:
    excepts, ports = said
    return Opened(key[0], key[1], key[2], tuple(sorted(excepts)), ports)


def _together(entries: Iterable[tuple[str, str, str, tuple[str, ...], Ports]], packer: Packer) -> Table:
    # Where all ports are lost beside some, whether they are depends on the object an entry came to lie in.
    loses_all = packer.merging in {Merging.BY_CIDR, Merging.BY_ACTION}
    found: Table = {}
    for cidr, domain, action, excepts, ports in entries:
        key: Key = (cidr, domain, action, *sorted(excepts)) if excepts and not loses_all else (cidr, domain, action)
        known = found.get(key)
        if known is None:
            found[key] = (excepts, ports)
        elif known[1] != ports:
            found[key] = (known[0], _united(known[1], ports, loses_all=loses_all))
    return found


def _united(one: Ports, other: Ports, *, loses_all: bool) -> Ports:
    if one is None or other is None:
        return (one or other) if loses_all else None
    return one | other


@lru_cache(maxsize=1 << 14)
def _port_set(ports: PortList) -> Ports:
    return frozenset(map(_numbered, ports)) if ports else None


def _ports_of(info: EndpointInfo) -> Ports:
    if not info.ports:
        return None
    ports = [(p.protocol, p.port if isinstance(p.port, int) else None, p.end_port) for p in info.ports]
    return _port_set(tuple(ports))


def _numbered(port: Port) -> tuple[str, int, int]:
    protocol, number, end = port
    return protocol or "TCP", number or 0, end or 0
