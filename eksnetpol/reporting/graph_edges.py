"""A matrix as a graph: nodes are workloads or namespaces, and blocks outside; edges are what may flow.

A destination that every workload may send the same gets one edge from *everyone* instead of one from each, and likewise from
*anywhere* outside, so that the picture shows where policies say something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eksnetpol.policy.answers import Answer
from eksnetpol.policy.cells import Place
from eksnetpol.policy.universe import indexes_of
from eksnetpol.reporting.matrix_view import MatrixPage, in_words

EVERYONE, ANYWHERE = "everyone", "anywhere"


@dataclass(frozen=True, slots=True)
class Node:
    """Something that sends or takes. ``namespace`` is the group it is drawn in, empty for the outside and everyone."""

    title: str
    label: str
    namespace: str = ""
    is_outside: bool = False


CROWDS = {
    EVERYONE: Node(EVERYONE, "every workload", is_outside=True),
    ANYWHERE: Node(ANYWHERE, "anywhere outside", is_outside=True),
}
"""Nodes that stand for many; they are drawn where an edge begins at one."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What flows from one node to another. ``partial``: only some pods, or only some workloads of a namespace."""

    source: Node
    destination: Node
    label: str
    partial: bool = False


def nodes(page: MatrixPage, *, by_namespace: bool) -> Iterator[Node]:
    """Yield all nodes but `CROWDS`, namespace by namespace, the outside last."""
    if by_namespace:
        yield from (Node(name, name) for name in page.by_namespace)
    else:
        for members in page.by_namespace.values():
            yield from (_node(page.places[i]) for i in indexes_of(members))
    yield from (_node(p) for p in page.places if p.is_outside)


def edges(page: MatrixPage, *, by_namespace: bool) -> Iterator[Edge]:
    """Yield all edges, destination by destination."""
    yield from _by_namespace(page) if by_namespace else _by_workload(page)


def _node(place: Place) -> Node:
    label = place.title.partition("/")[2] if place.workload is not None else place.title
    return Node(place.title, label, place.namespace, place.is_outside)


def _by_workload(page: MatrixPage) -> Iterator[Edge]:
    for number, column in page.table.columns():
        destination = _node(page.places[number])
        for answer, sources in column.items():
            rest = sources
            for crowd, group in ((EVERYONE, page.workloads), (ANYWHERE, page.outside)):
                if not group & ~sources & ~(1 << number) and group.bit_count() > 2:  # noqa: PLR2004 - a crowd
                    yield Edge(CROWDS[crowd], destination, in_words(answer), not answer.is_uniform)
                    rest &= ~group
            for i in indexes_of(rest):
                if i != number:
                    yield Edge(_node(page.places[i]), destination, in_words(answer), not answer.is_uniform)


def _by_namespace(page: MatrixPage) -> Iterator[Edge]:
    groups = {i: Node(name, name) for name, members in page.by_namespace.items() for i in indexes_of(members)}
    groups |= {i: _node(p) for i, p in enumerate(page.places) if p.is_outside}
    sizes = {name: members.bit_count() for name, members in page.by_namespace.items()}
    found: dict[tuple[Node, Node], tuple[Answer, int]] = {}
    for number, column in page.table.columns():
        for answer, sources in column.items():
            for name, members in page.by_namespace.items():
                count = (sources & members).bit_count()
                if count:
                    _add(found, (Node(name, name), groups[number]), answer, count)
            for i in indexes_of(sources & ~page.workloads):
                _add(found, (groups[i], groups[number]), answer, 1)
    for (source, destination), (answer, count) in found.items():
        whole = sizes.get(source.title, 1) * sizes.get(destination.title, 1)
        every = answer.is_uniform and count == whole
        label = str(answer.some) if every or len(str(answer.some)) < _LONGEST else f"{str(answer.some)[:_LONGEST]}..."
        if source == destination and every and answer.every.is_everything:
            continue
        yield Edge(source, destination, label if every else f"{label} ({count:,} of {whole:,} pairs)", not every)


_LONGEST = 40


def _add(found: dict[tuple[Node, Node], tuple[Answer, int]], key: tuple[Node, Node], answer: Answer, count: int) -> None:
    known = found.get(key)
    found[key] = (answer if known is None else known[0] | answer, count + (0 if known is None else known[1]))
