"""Plans and runs that are already there: apply, resume, roll back, restore, list, show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.change import REFUSED, Doors, begun, confirm, doors_of, perform, refuse_unauthorised, show, taken_back
from eksnetpol.cli.config import Config, merge
from eksnetpol.cli.outputs import settle, write
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import Refused, UsageError

if TYPE_CHECKING:
    from eksnetpol.gateways.runs import RunFolder, Runs
    from eksnetpol.gateways.session import Connection
    from eksnetpol.model.plan import Plan
    from eksnetpol.model.snapshot import ClusterSnapshot


def _settled(ctx: click.Context) -> tuple[Config, Terminal] | None:
    """Return the settings of this run and how to speak; None where only the settings were asked for."""
    config = merge(ctx)
    if ctx.params["show_config"]:
        write(config.text())
        return None
    return config, config.terminal()


def _connected(config: Config, terminal: Terminal) -> Connection:
    from eksnetpol.cli.look import connect_live
    from eksnetpol.gateways.hands import refuse_strangers

    connection = connect_live(config.settings, terminal)
    refuse_strangers(connection)
    return connection


def _seen(connection: Connection, terminal: Terminal) -> ClusterSnapshot:
    from eksnetpol.cli.progress import watching
    from eksnetpol.gateways.collect import collect

    with watching(terminal, f"looking at {connection.target.title}") as observer:
        return collect(connection, observer)


def apply_plan(ctx: click.Context, file: str) -> int:
    """Carry out the plan in *file*; returns the exit code."""
    from eksnetpol.gateways.plan_file import read_plan
    from eksnetpol.gateways.runs import Runs
    from eksnetpol.operations.lifecycle import refuse_other_cluster, refuse_stale, standing

    settled = _settled(ctx)
    if settled is None:
        return 0
    config, terminal = settled
    outputs = settle(ctx.params["output"])
    plan = read_plan(file)
    connection = _connected(config, terminal)
    refuse_other_cluster(plan, connection.target, file)
    snapshot = _seen(connection, terminal)
    refuse_stale(plan, snapshot)
    show(plan, outputs, terminal)
    refused = standing(plan, {"--take-over"} if ctx.params["take_over"] else ())
    if refused:
        hint = f"; {refused[0].flag} goes on nevertheless" if refused[0].flag == "--take-over" else ""
        terminal.say(f"exit code {REFUSED}: refused: {refused[0].why}{hint}; nothing was changed")
        return REFUSED
    if not plan.steps:
        return 0
    return _started(ctx, Runs.at(ctx.params["state_dir"]), plan, connection, snapshot, terminal)


def _started(
    ctx: click.Context, runs: Runs, plan: Plan, connection: Connection, snapshot: ClusterSnapshot, terminal: Terminal
) -> int:
    refuse_unauthorised(plan, connection, Doors())
    confirm(plan, terminal, yes=ctx.params["yes"])
    run = begun(runs, plan, snapshot)
    try:
        return perform(plan, run, connection, terminal, wait=ctx.params["wait"], timeout=ctx.params["timeout"])
    finally:
        run.release()


def resume(ctx: click.Context, name: str | None) -> int:
    """Go on with a run; returns the exit code."""
    from eksnetpol.gateways.runs import Runs
    from eksnetpol.operations.lifecycle import refuse_other_cluster

    settled = _settled(ctx)
    if settled is None:
        return 0
    config, terminal = settled
    runs = Runs.at(ctx.params["state_dir"])
    named = runs.find(name) if name else None
    connection = _connected(config, terminal)
    run = named or _only_unfinished(runs, connection)
    plan = run.plan()
    refuse_other_cluster(plan, connection.target, f"run {run.run}")
    run.hold()
    try:
        state = next(r.state for r in runs.all() if r.id == run.run)
        if state in {"finished", "rolled back"} or any(e.event == "closed" for e in run.entries()):
            taken_back(run, plan, terminal)
            terminal.say(f"run {run.run} is {state if state != 'running' else 'finished'}; there is nothing to go on with")
            return 0
        by = _taken_back_by(runs, run.run)
        if by:
            raise Refused(f"run {run.run} is being taken back by run {by}; go on with that: eksnetpol resume {by}")
        doors = doors_of(plan, ctx.params["confirm"], ctx.params["until"])
        return perform(plan, run, connection, terminal, wait=ctx.params["wait"], timeout=ctx.params["timeout"], doors=doors)
    finally:
        run.release()


def _taken_back_by(runs: Runs, run: str) -> str:
    """Return the rollback of *run* that has begun to act, empty where there is none: what *run* did may be undone by now."""
    from eksnetpol.execution.progress import past_of

    return next((r.id for r in runs.all() if r.undoes == run and past_of(runs.find(r.id).entries()).touched), "")


def _only_unfinished(runs: Runs, connection: Connection) -> RunFolder:
    found = [r for r in runs.unfinished(connection.target) if r.state != "running" and not _taken_back_by(runs, r.id)]
    if len(found) == 1:
        return runs.find(found[0].id)
    title = connection.target.title
    if not found:
        raise UsageError(f"no run of {title} is unfinished in {runs.root}; `eksnetpol history` lists what there is")
    raise UsageError(f"several runs of {title} are unfinished: {', '.join(r.id for r in found)}; name one of them")


def roll_back(ctx: click.Context, name: str | None) -> int:
    """Take back what a run did; returns the exit code."""
    from eksnetpol.gateways.clock import SystemClock
    from eksnetpol.gateways.runs import Runs
    from eksnetpol.operations.lifecycle import refuse_other_cluster
    from eksnetpol.operations.runs import way_back

    settled = _settled(ctx)
    if settled is None:
        return 0
    config, terminal = settled
    outputs = settle(ctx.params["output"])
    runs = Runs.at(ctx.params["state_dir"])
    named = runs.find(name) if name else None
    connection = _connected(config, terminal)
    run = named or _newest(runs, connection)
    refuse_other_cluster(run.plan(), connection.target, f"run {run.run}")
    plan = way_back(run.plan(), run, SystemClock().now())
    code = _offered(ctx, plan, outputs, terminal)
    return _started(ctx, runs, plan, connection, _seen(connection, terminal), terminal) if code is None else code


def _newest(runs: Runs, connection: Connection) -> RunFolder:
    from eksnetpol.gateways.run_state import same_cluster

    for run in runs.all():
        if same_cluster(run.target, connection.target) and run.state not in {"rolled back", "unreadable"} and not run.undoes:
            return runs.find(run.id)
    raise UsageError(f"there is no run of {connection.target.title} in {runs.root} to go back on (see --state-dir)")


def _offered(ctx: click.Context, plan: Plan, outputs: Any, terminal: Terminal) -> int | None:
    """Show *plan*; return the exit code where that is all, else None."""
    from eksnetpol.operations.lifecycle import standing

    show(plan, outputs, terminal)
    refused = standing(plan, {"--partial"} if ctx.params.get("partial") else ())
    if refused:
        hint = f"; {refused[0].flag} goes on nevertheless" if refused[0].flag else ""
        terminal.say(f"exit code {REFUSED}: refused: {refused[0].why}{hint}; nothing was changed")
        return REFUSED
    if not plan.steps:
        return 0
    return 0 if ctx.params["plan_only"] else None


def restore(ctx: click.Context, name: str) -> int:
    """Put back what a run backed up; returns the exit code."""
    from msgspec.structs import replace

    from eksnetpol import __version__
    from eksnetpol.execution import backups
    from eksnetpol.gateways.clock import SystemClock
    from eksnetpol.gateways.hands import hands_of
    from eksnetpol.gateways.runs import Runs
    from eksnetpol.model.actions import BackUp
    from eksnetpol.model.fingerprints import digest_of_file
    from eksnetpol.operations.lifecycle import refuse_other_cluster
    from eksnetpol.operations.runs import present
    from eksnetpol.planning.restore import plan_restore

    settled = _settled(ctx)
    if settled is None:
        return 0
    config, terminal = settled
    outputs = settle(ctx.params["output"])
    runs = Runs.at(ctx.params["state_dir"])
    run = runs.find(name)
    kept = next((step.action for step in run.plan().steps if isinstance(step.action, BackUp)), None)
    data = run.load(kept.file) if kept else None
    if kept is None or data is None:
        raise UsageError(f"run {run.run} backed up nothing; `eksnetpol show {run.run}` tells what it did")
    connection = _connected(config, terminal)
    refuse_other_cluster(run.plan(), connection.target, f"the back-up of run {run.run}")
    file = backups.read(data, f"{run.folder / kept.file}")
    plan = replace(
        plan_restore(
            connection.target,
            run=run.run,
            file=kept.file,
            digest=digest_of_file(data),
            objects=file.by_ref.values(),
            present=present(hands_of(connection), file.refs),
        ),
        tool=__version__,
        made_at=SystemClock().now(),
    )
    code = _offered(ctx, plan, outputs, terminal)
    return _started(ctx, runs, plan, connection, _seen(connection, terminal), terminal) if code is None else code


def history(ctx: click.Context, of: str | None) -> int:
    """List the runs; returns the exit code."""
    from eksnetpol.gateways.runs import Runs
    from eksnetpol.reporting import run_list

    settled = _settled(ctx)
    if settled is None:
        return 0
    _, terminal = settled
    outputs = settle(ctx.params["output"])
    runs = Runs.at(ctx.params["state_dir"])
    found = [run for run in runs.all() if of is None or of in {run.target.cluster, run.target.title}]
    for output in outputs:
        write(run_list.render(found, output.format, str(runs.root), terminal.width), output.file)
    return 0


def show_run(ctx: click.Context, name: str) -> int:
    """Show one run; returns the exit code."""
    from eksnetpol.gateways.runs import Runs
    from eksnetpol.reporting import run_page

    settled = _settled(ctx)
    if settled is None:
        return 0
    _, terminal = settled
    outputs = settle(ctx.params["output"])
    runs = Runs.at(ctx.params["state_dir"])
    run = runs.find(name)
    summary = next(r for r in runs.all() if r.id == run.run)
    for output in outputs:
        verbose = terminal.verbose > 0
        write(run_page.render(summary, run.plan(), run.entries(), output.format, terminal.width, verbose=verbose), output.file)
    return 0


