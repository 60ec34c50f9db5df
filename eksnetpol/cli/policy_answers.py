"""What ``policy reach`` and ``policy explain`` do alike: look, ask, answer."""

from __future__ import annotations

import click

from eksnetpol.cli.config import merge
from eksnetpol.cli.outputs import STDOUT, settle, write


def run(ctx: click.Context, source: str, destination: str, port: str | None, *, explained: bool = False) -> int:
    """Answer whether *source* may reach *destination*, and return the exit code."""
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = settle(ctx.params["output"])

    from eksnetpol.cli.policy_look import look
    from eksnetpol.gateways.rule_places import RulePlaces
    from eksnetpol.operations.engine import engine_of
    from eksnetpol.operations.policies import other_meaning, reach, suggestions, with_all
    from eksnetpol.reporting import policy_reach
    from eksnetpol.reporting.policy_reach import Page

    found = look(config, terminal, whole=True)
    engine = engine_of(found.world, found.profile)
    reply = reach(engine, source, destination, port)
    other = None
    if config.settings.policy.compare_semantics:
        profile = other_meaning(found.profile)
        other = (profile, reach(engine_of(found.world, profile), source, destination, port))
    missing = suggestions(engine, reply) if explained else ()
    then = with_all(engine, reply, missing) if any(s.policy for s in missing) else None
    page = Page(reply, found.profile, other, explained, missing, then)
    place_of = RulePlaces(found.world.origins).of
    for output in sorted(outputs, key=lambda o: o.file == STDOUT):
        color = terminal.colored if output.file == STDOUT else terminal.color == "always"
        if output.format == "json":
            text = policy_reach.json(page, place_of)
        elif output.format == "yaml":
            text = policy_reach.manifests(page)
        else:
            text = policy_reach.text(page, place_of, terminal.width, color=color)
        write(text, output.file)
    return 0 if reply.allowed and not reply.partial else 1
