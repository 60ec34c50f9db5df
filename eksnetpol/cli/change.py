"""From flags to a change: look, plan, show, ask, carry out, say how to go on. Shared by every command that changes a cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.change_progress import telling
from eksnetpol.cli.config import Config, merge
from eksnetpol.cli.outputs import STDOUT, Output, settle, write
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import EksNetpolError, Refused, StepFailed, TimedOut, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from eksnetpol.gateways.runs import RunFolder, Runs
    from eksnetpol.gateways.session import Connection
    from eksnetpol.interfaces.acting import Clock, Watcher
    from eksnetpol.model.plan import Plan
    from eksnetpol.model.snapshot import ClusterSnapshot
    from eksnetpol.operations.lifecycle import Options

FAILED, REFUSED, PENDING = 4, 6, 7
BEFORE, AFTER = "before.json.gz", "after.json.gz"


def change(ctx: click.Context, wanted: Options) -> int:
    """Plan the change that *wanted* means, and carry it out as far as the flags say. Returns the exit code."""
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0

    def planned(connection: Connection | None, snapshot: ClusterSnapshot) -> Planned:
        from eksnetpol.operations.lifecycle import prepare

        schemas = schemas_for(connection, snapshot, wanted)
        return Planned(prepare(snapshot, wanted, config.settings, schemas=schemas).plan)

    return carried(Flags(ctx.params), config, terminal, planned)


@dataclass(frozen=True)
class Planned:
    """A plan. ``lifted`` are flags of refusals that the person has given; ``simulate`` carries it out in memory its own way."""

    plan: Plan
    lifted: frozenset[str] = frozenset()
    simulate: Callable[[], int] | None = None


class Flags:
    """The flags of a change, held against each other."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.outputs = settle(params["output"])
        self.simulate: bool = params.get("simulate", False)
        self.server: bool = params.get("dry_run") == "server"
        self.only_plan: bool = params.get("plan_only", False) or params.get("dry_run") == "client"
        self.out: str | None = params.get("out")
        self.yes: bool = params["yes"]
        self.wait: bool = params.get("wait", True)
        self.timeout: float | None = params.get("timeout")
        self.detailed: bool = params.get("detailed_exitcode", False)
        self.state_dir: str | None = params.get("state_dir")
        self.confirmed: tuple[str, ...] = tuple(params.get("confirm") or ())
        self.until: str = params.get("until") or ""
        self.allowed = {"--take-over"} if params.get("take_over") else set()
        ways = {"--simulate": self.simulate, "--dry-run": self.server, "--plan": self.only_plan}
        ends = [name for name, on in ways.items() if on]
        if len(ends) > 1:
            raise UsageError(f"{' and '.join(ends)} each end the command in another way; give one of them")
        if self.detailed and not self.only_plan:
            raise UsageError("--detailed-exitcode belongs to --plan: without it the changes are made, and none are pending")


@dataclass(frozen=True)
class Doors:
    """How far a run goes: through which one-way doors, and until the end of which phase; empty for all of them."""

    confirmed: tuple[str, ...] = ()
    until: str = ""


def doors_of(plan: Plan, confirmed: Iterable[str], until: str) -> Doors:
    """Return how far a run of *plan* goes; raise `UsageError` for a door or a phase that it does not have.

    A phase may be said by its number or its name: ``6``, ``exit``, ``6 exit``.
    """
    from eksnetpol.migration.planning.phases import PHASES

    wanted = tuple(confirmed)
    doors = list(dict.fromkeys(step.door for step in plan.steps if step.door))
    for door in wanted:
        if door not in doors:
            there = f"its doors are {', '.join(doors)}" if doors else "it has none"
            raise UsageError(f"--confirm {door}: this plan has no one-way door of that name; {there}")
    if not until:
        return Doors(wanted)
    if not any(step.phase for step in plan.steps):
        raise UsageError(f"--until {until}: only migrations have phases, and this plan is for {plan.verb.value}")
    meant = [phase for phase in PHASES if until.strip().lower() in {phase, *phase.split(" ", 1)}]
    if not meant:
        raise UsageError(f"--until {until}: there is no such phase; write one of {', '.join(PHASES)}")
    return Doors(wanted, meant[0])


def carried(
    flags: Flags, config: Config, terminal: Terminal, planned: Callable[[Connection | None, ClusterSnapshot], Planned]
) -> int:
    """Look, show what *planned* makes of it, and carry that out as far as the flags say. Returns the exit code."""
    from eksnetpol.cli.look import source
    from eksnetpol.gateways.collector_pause import collector_paused
    from eksnetpol.operations.lifecycle import standing

    place = source(config)
    if place == "--manifests":
        raise UsageError("files of manifests are no cluster that could be changed; give --cluster, --context or --snapshot")
    connection, snapshot = _look(config, terminal, live=place == "a live cluster")
    with collector_paused():
        made = planned(connection, snapshot)
        plan = made.plan
        show(plan, flags.outputs, terminal)
    if flags.out:
        from eksnetpol.gateways.plan_file import write_plan

        write_plan(plan, flags.out)
        terminal.say(f"the plan is in {flags.out}; `eksnetpol apply {flags.out}` carries it out")
    refused = standing(plan, flags.allowed | made.lifted)
    if refused and not flags.simulate:
        flag = next((r.flag for r in refused if r.flag), "")
        hint = f"; {flag} goes on nevertheless" if len(refused) == 1 and flag else ""
        terminal.say(f"exit code {REFUSED}: refused: {refused[0].why}{hint}; nothing was changed")
        return REFUSED
    if not plan.steps:
        return 0
    if flags.simulate:
        return made.simulate() if made.simulate is not None else simulate(plan, snapshot, terminal)
    if flags.only_plan or connection is None:
        if connection is None and not flags.only_plan:
            terminal.say("a snapshot cannot be changed: this is the plan alone; --simulate carries it out in memory")
        return PENDING if flags.detailed else 0
    return _act(flags, terminal, connection, plan, snapshot)


def _look(config: Config, terminal: Terminal, *, live: bool) -> tuple[Connection | None, ClusterSnapshot]:
    from eksnetpol.cli.look import NO_CLUSTER, connect_live, look
    from eksnetpol.cli.progress import watching
    from eksnetpol.gateways.collect import collect

    if not live:
        return None, look(config, terminal)
    connection = connect_live(config.settings, terminal, NO_CLUSTER)
    with watching(terminal, f"looking at {connection.target.title}") as observer:
        return connection, collect(connection, observer)


def schemas_for(connection: Connection | None, snapshot: ClusterSnapshot, wanted: Options) -> dict[str, Any]:
    """Return the configuration schemas of the add-on versions that *wanted* leads through; none without a way to ask."""
    from eksnetpol.planning.options import EnableOptions, UpgradeOptions

    adopts = isinstance(wanted, EnableOptions) and wanted.adopt
    if connection is None or connection.aws is None or not (adopts or isinstance(wanted, UpgradeOptions)):
        return {}
    from eksnetpol.facts.declare import Lookup, catalog
    from eksnetpol.planning.adopt import version_to_adopt
    from eksnetpol.planning.versions import versions_on_the_way

    catalog()
    facts = Lookup(snapshot)
    ahead = versions_on_the_way(facts, wanted) if isinstance(wanted, UpgradeOptions) else (version_to_adopt(facts),)
    found = {version: connection.aws.addon_schema("vpc-cni", version) for version in ahead if version}
    return {version: schema for version, schema in found.items() if schema is not None}


def show(plan: Plan, outputs: tuple[Output, ...], terminal: Terminal) -> None:
    """Write *plan* to each of *outputs*, stdout last."""
    for output in sorted(outputs, key=lambda o: o.file == STDOUT):
        color = terminal.colored if output.file == STDOUT else terminal.color == "always"
        write(_rendered(plan, output.format, terminal, color=color), output.file)


def _rendered(plan: Plan, form: str, terminal: Terminal, *, color: bool) -> str:
    from eksnetpol.reporting import plan_json, plan_markdown, plan_text

    verbose = terminal.verbose > 0
    match form:
        case "json":
            return plan_json.json(plan)
        case "yaml":
            return plan_json.yaml(plan)
        case "markdown":
            return plan_markdown.markdown(plan, verbose=verbose)
        case _:
            return plan_text.text(plan, terminal.width, color=color, verbose=verbose)


def simulate(plan: Plan, snapshot: ClusterSnapshot, terminal: Terminal) -> int:
    """Carry *plan* out in memory and say how it went; returns the exit code that it would end with."""
    from eksnetpol.operations.runs import rehearse
    from eksnetpol.reporting.plan_view import duration

    @contextmanager
    def watching(clock: Clock) -> Iterator[Watcher]:
        with telling(terminal, clock=clock.now) as watcher:
            yield watcher

    terminal.say(f"rehearsing in memory, on a copy of {snapshot.target.title}; the cluster itself is not touched")
    done = rehearse(plan, snapshot, watching)
    if done.error is not None:
        why = done.error.why if isinstance(done.error, StepFailed) else done.error
        terminal.say(f"the rehearsal ended after {duration(done.seconds)} of the cluster's time: {why}")
        return done.error.exit_code
    terminal.say(f"the rehearsal ended well after {duration(done.seconds)} of the cluster's time; nothing was changed")
    return 0


def _act(
    flags: Flags, terminal: Terminal, connection: Connection, plan: Plan, snapshot: ClusterSnapshot
) -> int:
    from eksnetpol.gateways.hands import refuse_strangers
    from eksnetpol.gateways.runs import Runs

    refuse_strangers(connection, plan)
    doors = doors_of(plan, flags.confirmed, flags.until)
    if flags.server:
        return _dry_run(plan, connection, terminal)
    runs = Runs.at(flags.state_dir)
    for left in runs.unfinished(plan.target):
        terminal.say(f"note: run {left.id} of this cluster is unfinished; `eksnetpol resume {left.id}` goes on with it")
    refuse_unauthorised(plan, connection, doors)
    confirm(plan, terminal, yes=flags.yes)
    run = begun(runs, plan, snapshot)
    try:
        return perform(plan, run, connection, terminal, wait=flags.wait, timeout=flags.timeout, doors=doors)
    finally:
        run.release()


def refuse_unauthorised(plan: Plan, connection: Connection, doors: Doors) -> None:
    """Raise `Denied` where a new run of *plan*, a migration, would come to a write on its way that is not granted."""
    from eksnetpol.model.plan import Verb
    from eksnetpol.operations.rights import refuse_without_rights

    if plan.verb is Verb.MIGRATE:
        refuse_without_rights(connection.kubernetes, plan, doors.confirmed, doors.until)


def begun(runs: Runs, plan: Plan, snapshot: ClusterSnapshot) -> RunFolder:
    """Return a new run of *plan*, on the disk, with the look at the cluster that it was made from."""
    from eksnetpol.gateways.clock import SystemClock
    from eksnetpol.gateways.runs import new_run_id
    from eksnetpol.gateways.snapshot_file import encode

    run = runs.start(plan, new_run_id(plan.verb, SystemClock().now()))
    run.save(BEFORE, encode(snapshot))
    return run


def _dry_run(plan: Plan, connection: Connection, terminal: Terminal) -> int:
    from eksnetpol.execution.server_dry_run import Answer, dry_run
    from eksnetpol.gateways.hands import hands_of
    from eksnetpol.interfaces.acting import SilentWatcher

    answers = dry_run(plan, hands_of(connection), SilentWatcher())
    for answer in answers:
        terminal.say(f"{answer.step}: {answer.answer}: {answer.words}")
    refused = sum(answer.answer is Answer.REFUSED for answer in answers)
    said = f"{refused} of {len(answers)} steps would be refused" if refused else "no step would be refused"
    terminal.say(f"dry run: {said}; nothing was changed")
    return FAILED if refused else 0


def confirm(plan: Plan, terminal: Terminal, *, yes: bool) -> None:
    """Ask whether *plan* is to be carried out; raise `UsageError` where nobody can be asked, `click.Abort` for a no.

    What deletes or cannot be taken back wants the cluster's name.
    """
    from eksnetpol.operations.runs import is_disruptive

    if yes:
        return
    if terminal.no_input or sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("nobody can be asked here whether to go on; give --yes, or --plan to see the plan alone")
    if is_disruptive(plan):
        name = plan.target.title
        answer = click.prompt(f"Type {name} to carry this out", default="", show_default=False, err=True)
        if answer.strip() != name:
            raise Refused(f"{answer.strip()!r} is not {name!r}; nothing was changed")
        return
    click.confirm("Carry this out?", default=False, abort=True, err=True)


def perform(
    plan: Plan,
    run: RunFolder,
    connection: Connection,
    terminal: Terminal,
    *,
    wait: bool = True,
    timeout: float | None = None,
    doors: Doors | None = None,
) -> int:
    """Carry *plan* out under *run*, or go on with it, telling *terminal*; returns the exit code."""
    from eksnetpol.gateways.clock import SystemClock
    from eksnetpol.gateways.hands import hands_of
    from eksnetpol.operations import runs as operations

    terminal.say(f"run {run.run}")
    doors = doors or Doors()
    try:
        with telling(terminal) as watcher:
            hands = hands_of(connection, run=run.run)
            operations.perform(
                plan, hands, run, SystemClock(), watcher,
                wait=wait, timeout=timeout, confirmed=doors.confirmed, until=doors.until,
            )  # fmt: skip
    except KeyboardInterrupt as interrupt:
        # Between two steps, or while a line was written: whoever is told else knows of no run.
        raise TimedOut(
            f"interrupted; what was done is in the journal of the run: `eksnetpol resume {run.run}` goes on, `eksnetpol rollback "
            f"{run.run}` goes back"
        ) from interrupt
    except StepFailed:
        # Its words end with the way on and the way back.
        raise
    except EksNetpolError:
        terminal.say(f"`eksnetpol resume {run.run}` goes on; `eksnetpol rollback {run.run}` goes back")
        raise
    if run.entries()[-1].event != "closed":
        if doors.until:
            ways = f"`eksnetpol resume {run.run}` goes on, `eksnetpol rollback {run.run}` goes back"
            terminal.say(f"done up to phase {doors.until}; {ways}")
            return 0
        terminal.say(f"everything was accepted and not waited for; `eksnetpol resume {run.run}` waits and proves it")
        return 0
    taken_back(run, plan, terminal)
    _look_again(run, connection, terminal)
    terminal.say(f"done; `eksnetpol rollback {run.run}` goes back, `eksnetpol show {run.run}` tells what was done")
    for line in plan.afterwards:
        terminal.say(f"next: {line}")
    return 0


def taken_back(run: RunFolder, plan: Plan, terminal: Terminal) -> None:
    """Write into the journal of the run that *plan*, carried out by *run*, went back on that it was, so that nobody resumes it.

    Nothing is written where that is there already. That it could not be written is told: the cluster is what it is to be.
    """
    from eksnetpol.gateways.clock import SystemClock
    from eksnetpol.gateways.runs import Runs
    from eksnetpol.interfaces.acting import Entry

    if not plan.undoes:
        return
    try:
        undone = Runs(run.folder.parent).find(plan.undoes)
        if any(entry.event == "rolled-back" for entry in undone.entries()):
            return
        try:
            undone.append(Entry(at=SystemClock().now(), event="rolled-back", detail=f"by run {run.run}", data={"run": run.run}))
        finally:
            undone.release()
    except EksNetpolError as error:
        terminal.say(f"note: run {plan.undoes} could not be told that it was taken back: {error}")


def _look_again(run: RunFolder, connection: Connection, terminal: Terminal) -> None:
    """Keep a look at the cluster as it is after the run, where one can be had: the change itself is done either way."""
    from eksnetpol.cli.progress import watching
    from eksnetpol.gateways.collect import collect
    from eksnetpol.gateways.snapshot_file import encode

    try:
        with watching(terminal, f"looking at {connection.target.title} again") as observer:
            run.save(AFTER, encode(collect(connection, observer)))
    except (EksNetpolError, KeyboardInterrupt) as error:
        terminal.say(f"note: a look at the cluster afterwards could not be kept: {str(error) or 'interrupted'}")
