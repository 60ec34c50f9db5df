"""``eksnetpol status``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.change_options import ENVIRONMENT, state_dir
from eksnetpol.cli.config import Config, configuration, merge
from eksnetpol.cli.options import Duration, general, option, sources, target
from eksnetpol.cli.outputs import STDOUT, Output, output_option, settle, write
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import UsageError

if TYPE_CHECKING:
    from eksnetpol.model.snapshot import ClusterSnapshot
    from eksnetpol.reporting.status_view import Standing

PAUSE = 5.0
"""Seconds between two looks of --watch."""

WHOLE = 12
"""So many looks at the few sections that move, and then one at all of them."""

UNTIL = ("on", "off", "settled")
_TIMED_OUT = 5


@click.command(
    "status",
    cls=Command,
    greedy=("--manifests",),
    short_help="Say what is on: the two switches, every node, every version.",
    exits=(0, 2, 3, 6, 70, 130),
    exit_words={
        0: "told, whatever it is; with --detailed-exitcode: on or off, and nothing pending",
        3: "it could not be told whether network policy is on",
        5: "--until was not reached within --timeout",
        7: "with --detailed-exitcode: half on, rolling or drifted",
    },
    examples=(
        ("a live cluster", "eksnetpol status --cluster shop --region eu-west-1"),
        ("in a pipeline: 7 when something is pending", "eksnetpol status --cluster shop --detailed-exitcode -o json"),
        ("follow a roll-out to its end", "eksnetpol status --cluster shop --until settled --timeout 20m"),
        ("what a snapshot says", "eksnetpol status --snapshot shop.json.gz"),
    ),
    environment=ENVIRONMENT,
)
@sources
@target
@option(
    "--detailed-exitcode",
    group="Verdict",
    is_flag=True,
    help="End with 7 where it is half on, rolling or drifted.",
)
@option("--watch", group="Watch", is_flag=True, help="Look again every 5 s: repaint on a terminal, else a line for each change.")
@option("--until", group="Watch", type=click.Choice(UNTIL), help="Watch until it is so; settled is on or off, nothing pending.")
@option("--timeout", group="Watch", type=Duration(), metavar="TIME", help="Watch no longer than this, e.g. 90s or 20m.")
@output_option("text", "json", "yaml")
@state_dir
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Say whether network policy is on, and what that is made of.

    One headline (on, off, half on, rolling, drifted or unknown), then the two switches, the agent and its mode, who installs the
    VPC CNI, versions, the roll-out node by node, EKS Auto Mode, AWS's own kinds, policies, what the add-on was told and is not
    so, what EKS has at work, and runs of eksnetpol that have not ended. Changes nothing and reads no more than this takes.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0

    from eksnetpol.cli.look import source

    params = ctx.params
    outputs = settle(params["output"])
    watch = params["watch"] or params["until"] is not None
    live = source(config) == "a live cluster"
    if watch and not live:
        flag = "--watch" if params["watch"] else "--until"
        raise UsageError(f"{flag} looks at a live cluster again and again, and files do not change; leave it out")
    if params["timeout"] is not None and not watch:
        raise UsageError("--timeout bounds --watch and --until; give one of them")
    run = _Run(config, terminal, outputs, params)
    if watch:
        return run.watch()
    return run.once() if live else run.of_files()


class _Run:
    """One call of the command."""

    def __init__(self, config: Config, terminal: Terminal, outputs: tuple[Output, ...], params: dict[str, Any]) -> None:
        self.config, self.terminal = config, terminal
        self.outputs = sorted(outputs, key=lambda o: o.file == STDOUT)
        self.detailed: bool = params["detailed_exitcode"]
        self.until: str | None = params["until"]
        self.timeout: float | None = params["timeout"]
        self.state_dir: str | None = params["state_dir"]
        self._said: Standing | None = None

    def of_files(self) -> int:
        """Say what a snapshot or manifests tell."""
        from eksnetpol.cli.look import look

        return self._end(self._standing(look(self.config, self.terminal, "eksnetpol status"), runs=False))

    def once(self) -> int:
        """Look once at the live cluster."""
        return self._end(self._standing(self._look(self._connect())))

    def watch(self) -> int:
        """Look until it is as is wanted, time is up, or somebody stops it."""
        connection = self._connect()
        ends = None if self.timeout is None else time.monotonic() + self.timeout
        snapshot = self._look(connection)
        looks = 0
        while True:
            standing = self._standing(snapshot)
            self._repaint(standing)
            if self._is_reached(standing):
                return self._code(standing)
            left = PAUSE if ends is None else min(PAUSE, ends - time.monotonic())
            if left <= 0:
                return self._time_is_up(standing)
            time.sleep(left)
            looks += 1
            snapshot = self._look_again(connection, snapshot, whole=looks % WHOLE == 0)

    def _time_is_up(self, standing: Standing) -> int:
        if self.until is None:
            return self._code(standing)
        verdict = standing.status.headline.verdict
        waited = f"--until {self.until} was not reached within {self.timeout:.0f} s"
        self.terminal.say(f"exit code {_TIMED_OUT}: {waited}; it is {verdict}")
        return _TIMED_OUT

    def _connect(self) -> Any:
        from eksnetpol.cli.look import NOTHING_GIVEN, connect_live

        return connect_live(self.config.settings, self.terminal, NOTHING_GIVEN.format(command="eksnetpol status"))

    def _look(self, connection: Any) -> ClusterSnapshot:
        from eksnetpol.cli.progress import watching
        from eksnetpol.facts.status import SECTIONS
        from eksnetpol.gateways.collect import collect

        with watching(self.terminal, f"looking at {connection.target.title}") as observer:
            return collect(connection, observer, sections=SECTIONS)

    def _look_again(self, connection: Any, before: ClusterSnapshot, *, whole: bool) -> ClusterSnapshot:
        """Read what moves, and all of it where that has moved: lists of nodes and pods are large."""
        from msgspec.structs import replace

        from eksnetpol.facts.status import MOVING, SECTIONS
        from eksnetpol.gateways.collect import collect
        from eksnetpol.interfaces import SilentObserver

        moving = collect(connection, SilentObserver(), sections=MOVING)
        read = {name: getattr(moving, name) for name in MOVING}
        if whole or any(_essence(read[name]) != _essence(getattr(before, name)) for name in MOVING):
            return collect(connection, SilentObserver(), sections=SECTIONS)
        return replace(before, taken_at=moving.taken_at, **read)

    def _standing(self, snapshot: ClusterSnapshot, *, runs: bool = True) -> Standing:
        from eksnetpol.gateways.runs import Runs
        from eksnetpol.operations.status import status

        return status(snapshot, Runs.at(self.state_dir).unfinished(snapshot.target) if runs else ())

    def _is_reached(self, standing: Standing) -> bool:
        verdict = standing.status.headline.verdict
        return verdict.is_settled if self.until == "settled" else verdict.value == self.until

    def _code(self, standing: Standing) -> int:
        from eksnetpol.operations.status import exit_code

        return exit_code(standing, detailed=self.detailed)

    def _end(self, standing: Standing) -> int:
        for output in self.outputs:
            write(self._text(standing, output), output.file)
        code = self._code(standing)
        if code:
            self.terminal.say(f"exit code {code}: {'; '.join(standing.status.headline.why)}")
        return code

    def _repaint(self, standing: Standing) -> None:
        """Show *standing* if it says anything new: over the page before on a terminal, else in a line."""
        from eksnetpol.reporting.status_view import change_line

        line = change_line(self._said, standing)
        for output in self.outputs:
            here = output.file == STDOUT
            if here and output.format == "text":
                if _repaints(self.terminal):
                    write(f"\x1b[H\x1b[2J{self._text(standing, output)}")
                elif line:
                    from eksnetpol.reporting.escape import visible

                    write(f"{visible(line, ascii_only=not self.terminal.colored)}\n")
            elif line:
                between = "---\n" if here and output.format == "yaml" else ""
                write(between + self._text(standing, output, line=here), output.file)
        self._said = standing if line else self._said

    def _text(self, standing: Standing, output: Output, *, line: bool = False) -> str:
        from eksnetpol import __version__
        from eksnetpol.reporting import status_json, status_text

        here = output.file == STDOUT
        match output.format:
            case "json":
                return status_json.write_json(standing, self._code(standing), __version__, compact=line)
            case "yaml":
                return status_json.write_yaml(standing, self._code(standing), __version__)
            case _:
                color = self.terminal.colored if here else self.terminal.color == "always"
                return status_text.text(standing, self.terminal.width, color=color, verbose=self.terminal.verbose > 0)


def _essence(section: Any) -> Any:
    """Return what of a section is of interest: of DaemonSets only ``aws-node``."""
    from eksnetpol.facts.vpc_cni import DAEMONSET
    from eksnetpol.model.kubernetes import Workload

    value = getattr(section, "value", section)
    if isinstance(value, tuple) and any(isinstance(v, Workload) for v in value):
        return tuple(v for v in value if v.name == DAEMONSET)
    return value


def _repaints(terminal: Terminal) -> bool:
    return terminal.color != "never" and terminal.animated and sys.stdout is not None and sys.stdout.isatty()
