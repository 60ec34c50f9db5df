"""What is on in one cluster, from one look that reads no more than it needs. Changes nothing."""

from __future__ import annotations

from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.headline import Verdict
from eksnetpol.facts.status import SECTIONS, status_of
from eksnetpol.model.runs import RunSummary
from eksnetpol.model.snapshot import ClusterSnapshot, unread_sections
from eksnetpol.reporting.status_view import Standing

KNOWN, UNDETERMINED, PENDING = 0, 3, 7


def status(snapshot: ClusterSnapshot, runs: tuple[RunSummary, ...] = ()) -> Standing:
    """Return what is on in the cluster of *snapshot*; *runs* are those of this tool that have not ended there."""
    unread = tuple(s for s in unread_sections(snapshot) if s.name in SECTIONS)
    return Standing(status_of(Lookup(snapshot)), snapshot.target, snapshot.source, snapshot.taken_at, unread, runs)


def exit_code(standing: Standing, *, detailed: bool = False) -> int:
    """Return 3 where it could not be told; with *detailed* 7 where something is pending: half on, rolling, drifted; else 0."""
    verdict = standing.status.headline.verdict
    if verdict is Verdict.UNKNOWN:
        return UNDETERMINED
    return PENDING if detailed and not verdict.is_settled else KNOWN
