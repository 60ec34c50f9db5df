"""A graph in the DOT language of Graphviz (https://graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.reporting.escape import visible
from eksnetpol.reporting.graph_edges import CROWDS, Node, edges, nodes
from eksnetpol.reporting.matrix_view import MatrixPage


def write(page: MatrixPage, *, by_namespace: bool = False) -> Iterator[str]:
    """Yield *page* as DOT, workloads in a box for each namespace; dashed edges hold only for some."""
    yield "digraph policy {\n  rankdir=LR;\n"
    yield '  node [shape=box, fontname="Helvetica"];\n  edge [fontname="Helvetica", fontsize=10];\n'
    group = None
    number = 0
    for node in nodes(page, by_namespace=by_namespace):
        if node.namespace != group:
            yield "  }\n" if group else ""
            group = node.namespace
            if group:
                yield f"  subgraph cluster_{number} {{\n    label={_quoted(group)};\n"
                number += 1
        yield f"{'    ' if group else '  '}{_declared(node)}\n"
    yield "  }\n" if group else ""
    drawn: set[str] = set()
    for edge in edges(page, by_namespace=by_namespace):
        if edge.source.title in CROWDS and edge.source.title not in drawn:
            drawn.add(edge.source.title)
            yield f"  {_declared(edge.source)}\n"
        style = ", style=dashed" if edge.partial else ""
        yield f"  {_quoted(edge.source.title)} -> {_quoted(edge.destination.title)} [label={_quoted(edge.label)}{style}];\n"
    yield "}\n"


def _declared(node: Node) -> str:
    shape = ", shape=ellipse" if node.is_outside else ""
    return f"{_quoted(node.title)} [label={_quoted(node.label)}{shape}];"


def _quoted(text: str) -> str:
    escaped = visible(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
