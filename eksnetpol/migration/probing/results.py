"""What probes found: what was tried where, what came of it, and what that says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from eksnetpol.model.actions import ObjectId


class Result(StrEnum):
    """What came of one try. *refused*: somebody answered that nobody listens; *silent*: nothing came within seconds."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "silent"
    UNREACHABLE = "unreachable"
    BROKEN = "broken"


class Tried(msgspec.Struct, frozen=True):
    """One try as it was made: ``at`` is the address, ``left_out`` says why it was not made, empty where it was."""

    source: str
    target: str
    at: str
    port: int
    allowed: bool
    job: int
    control: int = -1
    counts: bool = True
    left_out: str = ""

    def __str__(self) -> str:
        at = f" ({self.at})" if self.at else ""
        return f"{self.source} to {self.target}{at}, TCP {self.port}"


class ProbeFile(msgspec.Struct, frozen=True):
    """The run's file of a gate. ``jobs`` have an empty uid where none was made; `Tried.job` is a place among them."""

    gate: str
    jobs: tuple[ObjectId, ...]
    tries: tuple[Tried, ...]


def file_of(gate: str) -> str:
    """Return the name of the run's file of *gate*."""
    return f"probe-{gate}.json"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What results say. ``through`` got through and must not, ``failed`` must and did not; of ``unclear`` nothing is known."""

    works: int = 0
    denied: int = 0
    through: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """All of it in a few words."""
        found = f"connections that work as they should: {self.works}; that are denied as they should be: {self.denied}"
        return f"{found}; that say nothing: {len(self.unclear)}, such as {self.unclear[0]}" if self.unclear else found


def judge(tries: tuple[Tried, ...], results: Mapping[int, Result], *, rejects: bool = False) -> Verdict:
    """Return what *results*, by the place of the try, say of *tries*.

    A pod that refuses a connection was reached by it, unless with *rejects* an engine is there that refuses in its name. What is
    denied counts only where its control works. What was tried and has no result has failed.
    """
    reached = {Result.OPEN} if rejects else {Result.OPEN, Result.REFUSED}
    works = denied = 0
    through, failed, unclear = [], [], []
    for number, one in enumerate(tries):
        result = results.get(number, Result.BROKEN)
        if one.left_out:
            unclear.append(f"{one}: {one.left_out}")
        elif one.allowed:
            if result in reached:
                works += 1
            elif result is Result.REFUSED:
                unclear.append(f"{one}: refused, by who should listen there or by an engine")
            elif one.counts:
                failed.append(f"{one}: {_SAID[result]}")
        elif result in reached:
            through.append(str(one))
        elif result is Result.BROKEN:
            unclear.append(f"{one}: {_SAID[result]}")
        elif one.control >= 0 and not tries[one.control].left_out and results.get(one.control) in reached:
            denied += 1
        else:
            unclear.append(f"{one}: {_SAID[result]}, and so was its control")
    return Verdict(works, denied, tuple(through), tuple(failed), tuple(unclear))


_SAID: Mapping[Result, str] = {
    Result.OPEN: "open",
    Result.REFUSED: "refused",
    Result.SILENT: "no answer",
    Result.UNREACHABLE: "unreachable",
    Result.BROKEN: "the probe gave no result",
}


def read(message: str) -> dict[int, Result]:
    """Return the results that a probe's pod left behind: lines ``number=result``. What is none of them is passed over."""
    found: dict[int, Result] = {}
    for line in message.splitlines():
        number, _, result = line.partition("=")
        if number.isdecimal() and result in set(Result):
            found[int(number)] = Result(result)
    return found
