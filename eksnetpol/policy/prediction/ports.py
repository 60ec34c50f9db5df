"""Ports as the controller turns them from a rule's into an entry's (pkg/resolvers/endpoints.go, pkg/k8s/pod_utils.go)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from eksnetpol.model.kubernetes import Container
from eksnetpol.model.policies import PolicyPort
from eksnetpol.policy.declared import DeclaredPorts
from eksnetpol.policy.universe import Classes

Port = tuple[str, int | None, int | None]
"""Protocol, port and endPort of an entry; without a port, all of the protocol. The protocol is empty where none is written."""

PortList = tuple[Port, ...]
"""The ports of an entry; none are everything."""

Partition = tuple[tuple[PortList, Classes], ...]
"""Which classes get which ports; classes in none of them get no entry."""

EVERYTHING: PortList = ()


class ControllerStops(Exception):
    """The controller's process would end here: it follows a pointer that is nil."""


@lru_cache(maxsize=1 << 14)
def plain(ports: tuple[PolicyPort, ...]) -> PortList:
    """Return *ports* for peers that are no pods: named ones are dropped, and ``endPort`` without a port is.

    A rule that has ports and keeps none opens nothing there.
    """
    found = ((p.protocol, p.port, None if p.port is None else p.end_port) for p in ports if not isinstance(p.port, str))
    return tuple(found)


def has_names(ports: Iterable[PolicyPort]) -> bool:
    """Say whether any of *ports* is a name."""
    return any(isinstance(p.port, str) for p in ports)


def lacks_protocol(ports: Iterable[PolicyPort], *, with_port: bool = False) -> bool:
    """Say whether any of *ports*, or any *with_port*, has no protocol of its own."""
    return any(not p.says_protocol and (p.port is not None or not with_port) for p in ports)


def on_pods(ports: tuple[PolicyPort, ...], pods: Classes, declared: DeclaredPorts) -> Partition:
    """Return what *ports* are on each of *pods*: names are looked up on every pod, and what one has not is dropped for it."""
    parts: list[tuple[PortList, Classes]] = [((), pods)]
    for port in ports:
        protocol = port.protocol if port.says_protocol or port.port is not None else ""
        if not isinstance(port.port, str):
            own = ((protocol, port.port, port.end_port),)
            parts = [(have + own, classes) for have, classes in parts]
            continue
        after: list[tuple[PortList, Classes]] = []
        for have, classes in parts:
            rest = classes
            for number, here in declared.meanings(port.protocol, port.port, classes).items():
                after.append(((*have, (protocol, number, port.end_port)), here))
                rest &= ~here
            if rest:
                after.append((have, rest))
        parts = after
    if not ports:
        return tuple(parts)
    return tuple((have, classes) for have, classes in parts if have)


def united(ports: tuple[PolicyPort, ...], pods: Classes, declared: DeclaredPorts) -> PortList:
    """Return what *ports* are on any of *pods*, each once: what ingress opens for all of them alike."""
    if not pods:
        return ()
    found: dict[Port, None] = {}
    for port in ports:
        protocol = port.protocol if port.says_protocol or port.port is not None else ""
        if not isinstance(port.port, str):
            found[protocol, port.port, port.end_port] = None
            continue
        for number in declared.meanings(port.protocol, port.port, pods):
            found[protocol, number, port.end_port] = None
    return tuple(found)


def look_up(containers: Iterable[Container], port: int | str, protocol: str) -> tuple[int, str] | None:
    """Return number and name of the first declared port that is *port*; a number that none declares is itself, without a name."""
    for container in containers:
        for declared in container.ports:
            if declared.protocol == protocol and port == (declared.name if isinstance(port, str) else declared.container_port):
                return declared.container_port, declared.name
    return None if isinstance(port, str) else (port, "")


@lru_cache(maxsize=1 << 14)
def text_of(ports: PortList) -> str:
    """Return the part of an entry's key that its ports make: one after the other, without anything between."""
    words = (f"{protocol}{'' if port is None else port}{'' if end is None else end}" for protocol, port, end in ports)
    return "".join(words)
