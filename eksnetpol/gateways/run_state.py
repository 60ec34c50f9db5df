"""What a journal says of its run: how far it came, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from eksnetpol.gateways.run_folder import Header
from eksnetpol.interfaces.acting import Entry
from eksnetpol.model.plan import Plan
from eksnetpol.model.runs import RunSummary, State
from eksnetpol.model.snapshot import Target

_NEVER = datetime.fromtimestamp(0, UTC)


def summary_of(header: Header, plan: Plan, entries: Sequence[Entry], *, held: bool) -> RunSummary:
    """Return what *entries* say of the run of *plan*; *held* tells whether a process works on it now."""
    last = entries[-1] if entries else None
    state = _state(entries, held=held)
    done = {e.step for e in entries if e.event == "succeeded"} & {step.id for step in plan.steps}
    return RunSummary(
        id=header.run,
        verb=plan.verb,
        title=plan.title,
        target=plan.target,
        state=state,
        started_at=entries[0].at if entries else _begun(header.run),
        ended_at=last.at if last and state in {"finished", "failed", "rolled back"} else None,
        done=len(done),
        steps=len(plan.steps),
        by=header.by,
        tool=header.tool,
        undoes=plan.undoes,
        detail=last.detail if last else "",
    )


def _state(entries: Sequence[Entry], *, held: bool) -> State:
    if any(e.event == "rolled-back" for e in entries):
        return "rolled back"
    # What a rollback writes into it aside, the last word counts: a run that failed may have gone on since.
    last = entries[-1].event if entries else "opened"
    if last == "closed":
        return "finished"
    if held:
        return "running"
    return "failed" if last == "failed" else "stopped"


def _begun(run: str) -> datetime:
    """Return the time that a run's id begins with."""
    try:
        return datetime.strptime(run[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return _NEVER


def same_cluster(one: Target, other: Target) -> bool:
    """Return whether two targets are one cluster, by the surest thing that both know: ARN, API server, name and region."""
    if one.arn and other.arn:
        return one.arn == other.arn
    if one.server and other.server:
        return one.server.rstrip("/") == other.server.rstrip("/")
    return bool(one.cluster) and (one.cluster, one.region) == (other.cluster, other.region)
