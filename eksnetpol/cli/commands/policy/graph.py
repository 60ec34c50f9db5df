"""``eksnetpol policy graph``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.config import merge
from eksnetpol.cli.options import option
from eksnetpol.cli.outputs import settle, write
from eksnetpol.cli.policy_options import ENVIRONMENT, EXITS, GREEDY, ending, inputs, meaning


@click.command(
    "graph",
    cls=Command,
    greedy=GREEDY,
    short_help="Draw who may talk to whom.",
    exits=(code for code in EXITS if code != 1),
    examples=(
        ("a picture", "eksnetpol policy graph --manifests k8s/ -o svg=graph.svg"),
        ("for a page that GitHub shows", "eksnetpol policy graph --manifests k8s/ -o mermaid"),
        ("a large cluster from afar", "eksnetpol policy graph --context shop --by namespace -o svg=g.svg"),
    ),
    environment=ENVIRONMENT,
)
@option(
    "--by",
    group="Drawing",
    type=click.Choice(("workload", "namespace")),
    default="workload",
    show_default=True,
    help="What a node is.",
)
@inputs
@meaning
@ending("dot", "svg", "mermaid")
@click.pass_context
def command(ctx: click.Context, /, by: str, **_flags: Any) -> int:
    """Draw who may talk to whom: workloads in a box for each namespace, the outside in round ones.

    Where every workload may send a destination the same, one arrow from `every workload` stands for all. Dashed arrows hold only
    for some pods. SVG needs Graphviz' `dot` on the PATH.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = settle(ctx.params["output"], "dot")

    from eksnetpol.cli.policy_look import look
    from eksnetpol.gateways import graphviz
    from eksnetpol.gateways.collector_pause import collector_paused
    from eksnetpol.operations.policies import page_of
    from eksnetpol.reporting import graph_dot, graph_mermaid

    if any(o.format == "svg" for o in outputs):
        graphviz.must_be_there()
    found = look(config, terminal, whole=True)
    with collector_paused():
        page = page_of(found.world, found.profile, found.title)
        for place in outputs:
            if place.format == "mermaid":
                text = "".join(graph_mermaid.write(page, by_namespace=by == "namespace"))
                if text.count("-->") + text.count("-.->") > graph_mermaid.MOST_EDGES and by == "workload":
                    terminal.say(f"Mermaid draws at most {graph_mermaid.MOST_EDGES} arrows, and these are more: --by namespace")
            else:
                text = "".join(graph_dot.write(page, by_namespace=by == "namespace"))
                text = graphviz.draw(text) if place.format == "svg" else text
            write(text, place.file)
    return 0
