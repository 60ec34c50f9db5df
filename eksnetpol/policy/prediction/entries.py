"""Entries of a policy as a whole, so that predicted and live ones can be compared: ports together by block, in no order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from eksnetpol.model.policies import EndpointInfo, PolicyEndpoint
from eksnetpol.policy.prediction.pack import Entry, Merging, Packer
from eksnetpol.policy.prediction.ports import Port
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


class Wanted(NamedTuple):
    """What is predicted for a block, and what else may come out: any of *more* ports, or, where *optional*, nothing."""

    opened: Opened
    more: frozenset[tuple[str, int, int]] = frozenset()
    optional: bool = False


def possible(prediction: Prediction, resolved: Resolved, direction: Direction) -> Mapping[Key, Wanted]:
    """Return what *resolved* opens in a direction, with what is left to chance, by what entries are merged by."""
    packer = prediction.packer(resolved)
    wanted = {key: Wanted(opened) for key, opened in _together(prediction.entries(resolved, direction), packer).items()}
    for doubt in prediction.doubts(resolved):
        if direction is not Direction.EGRESS:
            break
        key = key_of(Entry(doubt.address), packer)
        keys = [k for k in wanted if k[0] == doubt.address] or [key]
        ports = frozenset(_numbered(p) for answer in doubt.answers if answer for p in answer)
        for k in keys:
            known = wanted.get(k)
            if known is None:
                wanted[k] = Wanted(Opened(doubt.address, "", "", (), frozenset()), ports, optional=True)
            else:
                wanted[k] = known._replace(more=known.more | ports, optional=known.optional or None in doubt.answers)
    return wanted


def live_entries(endpoints: Sequence[PolicyEndpoint], direction: Direction, packer: Packer) -> Mapping[Key, Opened]:
    """Return what live objects of one policy open in a direction."""
    lists = ((e.spec.ingress if direction is Direction.INGRESS else e.spec.egress) for e in endpoints)
    return _together((_entry(info) for infos in lists for info in infos), packer)


def differences(wanted: Mapping[Key, Wanted], have: Mapping[Key, Opened]) -> tuple[list[Opened], list[Opened]]:
    """Return what of *wanted* is not there, and what is there that is not wanted."""
    missing = [w.opened for key, w in wanted.items() if key not in have and not w.optional]
    extra = [o for key, o in have.items() if key not in wanted]
    for key, want in wanted.items():
        found = have.get(key)
        if found is None or found.ports == want.opened.ports:
            continue
        if want.more and found.ports is not None and found.ports <= want.more | (want.opened.ports or frozenset()):
            continue
        missing.append(want.opened)
        extra.append(found)
    return missing, extra


def key_of(entry: Entry, packer: Packer) -> Key:
    """Return what entries of a policy are compared by: CIDR, domain, action, and exceptions where the release heeds them."""
    head = (entry.cidr, entry.domain, entry.action)
    return head if packer.merging in {Merging.BY_CIDR, Merging.BY_ACTION} else (*head, *sorted(entry.excepts))


def _together(entries: Iterable[Entry], packer: Packer) -> dict[Key, Opened]:
    by_key: dict[Key, list[Entry]] = {}
    for entry in entries:
        by_key.setdefault(key_of(entry, packer), []).append(entry)
    loses_all = packer.merging in {Merging.BY_CIDR, Merging.BY_ACTION}
    found: dict[Key, Opened] = {}
    for key, alike in by_key.items():
        one = alike[0]
        ports: Ports = frozenset(_numbered(p) for e in alike for p in e.ports)
        # Where all ports are lost beside some, whether they are depends on the object an entry came to lie in.
        if not ports or (not loses_all and any(not e.ports for e in alike)):
            ports = None
        found[key] = Opened(one.cidr, one.domain, one.action, tuple(sorted(one.excepts)), ports)
    return found


def _entry(info: EndpointInfo) -> Entry:
    return Entry(info.cidr, info.except_, tuple(_ports(info)), info.domain_name, info.action)


def _ports(info: EndpointInfo) -> Iterator[Port]:
    for port in info.ports:
        yield port.protocol, port.port if isinstance(port.port, int) else None, port.end_port


def _numbered(port: Port) -> tuple[str, int, int]:
    protocol, number, end = port
    return protocol or "TCP", number or 0, end or 0
