"""What a rehearsal says, in the order in which people want to know it; text, Markdown and the page are made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eksnetpol.migration.invariants import Violation
from eksnetpol.migration.timeline import Beat, Phase, Rehearsal
from eksnetpol.migration.watching import Census
from eksnetpol.reporting.plan_view import duration
from eksnetpol.reporting.view import plural

SHOWN = 12
"""So many of a kind are shown where nobody asked for all."""

COLUMNS = ("phase", "begins", "takes", "steps", "enforcing before", "and after", "flows too much", "too little")


@dataclass(frozen=True, slots=True)
class Row:
    """A phase, or a step of it, as people read it."""

    name: str
    begins: str
    takes: str
    steps: str
    before: str
    after: str
    wider: str
    narrower: str

    @property
    def cells(self) -> tuple[str, ...]:
        """All of it, in the order of `COLUMNS`."""
        return (self.name, self.begins, self.takes, self.steps, self.before, self.after, self.wider, self.narrower)


def headline(done: Rehearsal) -> str:
    """Return how it went, in one sentence."""
    stands = plural(len(done.refusals), "thing stands", "things stand")
    return f"{_went(done)}; {stands} in the way of running it" if done.refusals else _went(done)


def _went(done: Rehearsal) -> str:
    how_long = f"{plural(done.steps, 'step')} in {duration(done.seconds)}"
    looked = f"looked at {done.looks:,} times"
    if done.went_well:
        return f"WELL: {done.title}: {how_long}, and all that must hold did, {looked}"
    broken = ", ".join(sorted({v.invariant.value for v in done.violations}))
    if done.error:
        where = f"in step {len(done.beats)} of {done.steps}, after {duration(done.seconds)}"
        return f"STOPPED: {done.title}: {where}; {f'{broken} did not hold' if broken else 'until then all that must hold did'}"
    return f"BROKEN: {done.title}: {how_long}, and {broken} did not hold, {looked}"


def outcome(done: Rehearsal) -> str:
    """Return how it went, in one word."""
    return "well" if done.went_well else "stopped" if done.error else "broken"


def clock(seconds: float) -> str:
    """Return a time from the beginning: ``0:47``, ``1:02:30``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def census(counted: Census) -> str:
    """Return who enforces on how many nodes: ``3 old``, ``2 both, 1 new``."""
    counts = (
        (counted.old, "old"),
        (counted.both, "both"),
        (counted.new, "new"),
        (counted.frozen, "frozen"),
        (counted.nobody, "nobody"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in counts if count) or "no node"


def rows(done: Rehearsal) -> Iterator[Row]:
    """Yield the phases."""
    for phase in done.phases:
        yield _row(phase.name, phase, f"{phase.beats:,}")


def steps(done: Rehearsal) -> Iterator[Row]:
    """Yield the steps."""
    for beat in done.beats:
        yield _row(beat.step, beat, "" if beat.ending == "done" else beat.ending)


def _row(name: str, one: Phase | Beat, said: str) -> Row:
    return Row(
        name=name,
        begins=clock(one.began),
        takes=duration(one.seconds),
        steps=said,
        before=census(one.before),
        after=census(one.after),
        wider=_pairs(one.wider),
        narrower=_pairs(one.narrower, one.cut_off),
    )


def _pairs(count: int, cut_off: int = 0) -> str:
    said = [plural(count, "pair")] if count else []
    said += [f"{plural(cut_off, 'pod')} cut off"] if cut_off else []
    return ", ".join(said) or "-"


def sections(done: Rehearsal, *, everything: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Yield what is to be said beside the timeline: titles with lines, those that have any."""
    found = (
        ("Why it stopped", [done.error] if done.error else []),
        ("What stands in the way of running it", list(done.refusals)),
        ("What did not hold", _cut([violation(v) for v in done.violations], everything=everything)),
        ("What flowed and did not before", _flows(done)),
        ("What does not flow any more", lost(done)),
        ("What people may notice", [f"{p.name}: {words}" for p in done.phases for words in p.disrupts]),
        ("One-way doors", list(_doors(done))),
        ("The way back", list(_ways_back(done))),
        ("Notes", list(done.notes)),
    )
    return ((title, lines) for title, lines in found if lines)


def violation(one: Violation) -> str:
    """Return what did not hold, when and where."""
    where = f" on {', '.join(one.nodes)}" if one.nodes else ""
    step = f" in {one.step}" if one.step else " before the first step"
    return f"{one.invariant.value} at {clock(one.at)}{step}{where}: {one.words} ({one.invariant.asks})"


def _cut(lines: list[str], *, everything: bool) -> list[str]:
    more = 0 if everything else len(lines) - SHOWN
    return lines if more <= 0 else [*lines[:SHOWN], f"and {more} more; -v shows all, as -o json does"]


def _flows(done: Rehearsal) -> list[str]:
    worst = max(done.beats, key=lambda beat: beat.wider, default=None)
    if worst is None or not worst.wider:
        return []
    more = worst.wider - len(worst.flows)
    rest = [f"and {plural(more, 'pair')} more, all in {worst.step}"] if more > 0 else []
    return [*worst.flows, *rest]


def lost(done: Rehearsal) -> list[str]:
    """Return what does not flow any more at the worst moment, in words, with some examples."""
    worst = max(done.beats, key=lambda beat: beat.narrower, default=None)
    if worst is None or not worst.narrower:
        return []
    lines = [f"{source} to {destination}: {what}, as of {worst.step}" for source, destination, what in worst.lost]
    more = worst.narrower - len(worst.lost)
    return [*lines, f"and {plural(more, 'pair')} more"] if more > 0 else lines


def _doors(done: Rehearsal) -> Iterator[str]:
    for door in dict.fromkeys(beat.door for beat in done.beats if beat.door):
        own = [beat for beat in done.beats if beat.door == door]
        more = f", and {plural(len(own) - 1, 'step')} after it" if len(own) > 1 else ""
        yield f"{door}, before {own[0].step} ({own[0].title}){more}: {own[0].one_way}"


def _ways_back(done: Rehearsal) -> Iterator[str]:
    for phase in done.phases:
        own = [beat for beat in done.beats if beat.phase == phase.name]
        ways = list(dict.fromkeys(beat.way_back for beat in reversed(own) if beat.way_back))
        closed = [beat.one_way for beat in own if beat.one_way and not beat.way_back]
        if ways:
            more = f", and {len(ways) - 1} more, last first" if len(ways) > 1 else ""
            yield f"from {phase.name}: {ways[0]}{more}"
        elif closed:
            yield f"from {phase.name}: none by itself: {closed[0]}"
