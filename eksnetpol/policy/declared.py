"""Ports that containers declare, by number and by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from eksnetpol.model.kubernetes import Container
from eksnetpol.policy.universe import Classes, Universe, key_of, set_of


@dataclass(frozen=True, slots=True)
class DeclaredPorts:
    """``numbered``: the classes that declare a number; ``named``: what a name means to which classes.

    Only ordinary containers count, and of several ports with one name the first: so the controller looks them up
    (aws/amazon-network-policy-controller-k8s, pkg/k8s/pod_utils.go). Keys are (protocol, number) and (protocol, name).
    """

    numbered: Mapping[tuple[str, int], Classes]
    named: Mapping[tuple[str, str], Mapping[int, Classes]]
    _known: dict[tuple[str, str, bytes], Mapping[int, Classes]] = field(default_factory=dict, compare=False, repr=False)

    def declaring(self, protocol: str, number: int) -> Classes:
        """Return the classes that declare a number."""
        return self.numbered.get((protocol, number), 0)

    def meanings(self, protocol: str, name: str, within: Classes) -> Mapping[int, Classes]:
        """Return the numbers a name has in *within*, with the classes of each; a class without the name is in none."""
        # Several questions ask the same of the same rules.
        key = (protocol, name, key_of(within))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = dict(_among(self.named.get((protocol, name), {}), within))
        return known


def _among(meanings: Mapping[int, Classes], within: Classes) -> Iterator[tuple[int, Classes]]:
    # A name has one number in a class, so each class that is found is out of the search.
    for number, classes in meanings.items():
        here = classes & within
        if here:
            yield number, here
            within ^= here
            if not within:
                return


def index_ports(universe: Universe) -> DeclaredPorts:
    """Index the ports that the containers of *universe* declare; the second time it is the same index."""
    known = universe.memo.get("declared ports")
    if known is None:
        known = universe.memo["declared ports"] = _index(universe)
    return known


def _index(universe: Universe) -> DeclaredPorts:
    alike: dict[int, tuple[tuple[Container, ...], list[int]]] = {}
    for pod_class in universe.classes:
        # Equal containers are decoded once and shared, so that their identity groups the classes of a workload.
        alike.setdefault(id(pod_class.containers), (pod_class.containers, []))[1].append(pod_class.index)
    numbered: dict[tuple[str, int], list[int]] = {}
    named: dict[tuple[str, str], dict[int, list[int]]] = {}
    for containers, indexes in alike.values():
        numbers: dict[tuple[str, int], None] = {}
        names: dict[tuple[str, str], int] = {}
        for container in containers:
            for port in container.ports:
                numbers[port.protocol, port.container_port] = None
                if port.name:
                    names.setdefault((port.protocol, port.name), port.container_port)
        for key in numbers:
            numbered.setdefault(key, []).extend(indexes)
        for name, number in names.items():
            named.setdefault(name, {}).setdefault(number, []).extend(indexes)
    return DeclaredPorts(
        numbered={key: set_of(indexes) for key, indexes in numbered.items()},
        named={name: {n: set_of(i) for n, i in found.items()} for name, found in named.items()},
    )
