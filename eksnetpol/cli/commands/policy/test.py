"""``eksnetpol policy test``."""

from __future__ import annotations

from typing import Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.config import merge
from eksnetpol.cli.outputs import STDOUT, settle, write
from eksnetpol.cli.policy_options import ENVIRONMENT, EXITS, GREEDY, comparison, ending, inputs, meaning
from eksnetpol.errors import UsageError


@click.command(
    "test",
    cls=Command,
    greedy=GREEDY,
    short_help="Hold policies to what is expected of them, in a pipeline.",
    exits=EXITS,
    exit_words={0: "every case is as expected", 1: "a case is not"},
    examples=(
        ("before a change is merged", "eksnetpol policy test policies.test.yaml --manifests k8s/"),
        ("for a pipeline to show", "eksnetpol policy test t.yaml --manifests k8s/ -o text -o junit=t.xml"),
        ("against the cluster as it is", "eksnetpol policy test t.yaml --context shop"),
    ),
    environment=ENVIRONMENT,
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@inputs
@meaning
@comparison
@ending("text", "json", "junit")
@click.pass_context
def command(ctx: click.Context, /, files: tuple[str, ...], **_flags: Any) -> int:
    """Hold policies to the cases in each FILE (- for stdin): YAML lists of mappings, read strictly.

    A case has name, from, to and allow (true or false), and may have port and protocol (TCP). from and to are as in `eksnetpol
    policy reach`, or namespace and labels for a pod that does not exist yet. `allow: true` holds when all of it may flow between
    every pair of pods, `allow: false` when nothing of it may between any; without port it is all of the protocol.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = settle(ctx.params["output"])

    from eksnetpol.cli.policy_look import look
    from eksnetpol.gateways.case_files import read_cases
    from eksnetpol.gateways.collector_pause import collector_paused
    from eksnetpol.gateways.rule_places import RulePlaces
    from eksnetpol.operations.policies import check, other_meaning
    from eksnetpol.reporting import policy_cases

    with collector_paused():
        cases = read_cases(files)
        if not cases:
            raise UsageError(f"{', '.join(files)}: there is no case in it")
        found = look(config, terminal, whole=True)
        outcomes = check(cases, found.world, found.profile)
        other = None
        if config.settings.policy.compare_semantics:
            profile = other_meaning(found.profile)
            other = (profile, check(cases, found.world, profile))
        page = policy_cases.CasesPage(outcomes, found.profile, other)
        place_of = RulePlaces(found.world.origins).of
        for output in sorted(outputs, key=lambda o: o.file == STDOUT):
            if output.format == "json":
                text = policy_cases.json(page, place_of)
            elif output.format == "junit":
                text = policy_cases.junit(page, place_of)
            else:
                color = terminal.colored if output.file == STDOUT else terminal.color == "always"
                text = policy_cases.text(page, place_of, terminal.width, color=color)
            write(text, output.file)
    return 0 if all(outcome.passed for outcome in outcomes) else 1
