"""A graph as Mermaid, which GitHub and GitLab draw in Markdown (https://mermaid.js.org/syntax/flowchart.html)."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.reporting.escape import visible
from eksnetpol.reporting.graph_edges import CROWDS, edges, nodes
from eksnetpol.reporting.matrix_view import MatrixPage

MOST_EDGES = 500
"""Mermaid draws no more, unless it is told to."""


def write(page: MatrixPage, *, by_namespace: bool = False) -> Iterator[str]:
    """Yield *page* as a flow chart, workloads in a box for each namespace; dotted edges hold only for some."""
    yield "flowchart LR\n"
    names: dict[str, str] = {}
    group = None
    for node in nodes(page, by_namespace=by_namespace):
        if node.namespace != group:
            yield "  end\n" if group else ""
            group = node.namespace
            if group:
                yield f"  subgraph g{len(names)}[{_quoted(group)}]\n"
        names[node.title] = f"n{len(names)}"
        left, right = ("([", "])") if node.is_outside else ("[", "]")
        yield f"{'    ' if group else '  '}{names[node.title]}{left}{_quoted(node.label)}{right}\n"
    yield "  end\n" if group else ""
    for edge in edges(page, by_namespace=by_namespace):
        if edge.source.title in CROWDS and edge.source.title not in names:
            names[edge.source.title] = f"n{len(names)}"
            yield f"  {names[edge.source.title]}([{_quoted(edge.source.label)}])\n"
        arrow = "-.->" if edge.partial else "-->"
        yield f"  {names[edge.source.title]} {arrow}|{_quoted(edge.label)}| {names[edge.destination.title]}\n"


def _quoted(text: str) -> str:
    # Mermaid's own escapes: what is in quotes is text, but for quotes and what would begin an entity or a tag.
    escaped = visible(text)
    for sign, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;")):
        escaped = escaped.replace(sign, entity)
    return f'"{escaped}"'
