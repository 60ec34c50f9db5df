"""A rehearsal as one self-contained page: who enforces on how many nodes, drawn over the time it takes. It runs no script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Template
from markupsafe import Markup

from eksnetpol.assets.locate import root
from eksnetpol.migration.timeline import Beat, Rehearsal
from eksnetpol.migration.watching import Census
from eksnetpol.reporting import rehearsal_view as view
from eksnetpol.reporting.html import content_policy, environment

WIDTH, HEIGHT = 1000.0, 120.0
"""Of the picture, in its own units."""

BANDS = ("old", "both", "new", "frozen", "nobody")
WORDS = {
    "old": "the old engine",
    "both": "both engines",
    "new": "the VPC CNI",
    "frozen": "frozen rules alone",
    "nobody": "nobody",
}
_MOST = 400
"""Steps that are listed; a page of thousands is read by nobody."""
_THIN = 1.5
"""No step is drawn narrower than this, though it took no time."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a step's column: nodes that are enforced on in one way. ``x`` and ``y`` are of its upper left corner."""

    band: str
    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a phase begins."""

    x: float
    name: str


def write(done: Rehearsal) -> str:
    """Return *done* as HTML."""
    template, style = _parts()
    bars, marks = _picture(done)
    page = template.render(
        policy=content_policy(style, ""),
        style=Markup(style),  # noqa: S704 - ours, from the package
        outcome=view.outcome(done),
        headline=view.headline(done),
        title=done.title,
        target=done.target.title,
        bars=bars,
        marks=marks,
        width=WIDTH,
        height=HEIGHT,
        bands=[(band, WORDS[band]) for band in BANDS if any(bar.band == band for bar in bars)],
        columns=view.COLUMNS,
        rows=[row.cells for row in view.rows(done)],
        sections=list(view.sections(done, everything=True)),
        steps=[row.cells for row in view.steps(done)][:_MOST],
        more=max(0, len(done.beats) - _MOST),
        total=view.clock(done.seconds),
    )
    return page.rstrip() + "\n"


@lru_cache(maxsize=1)
def _parts() -> tuple[Template, str]:
    folder = root("templates") / "report"
    page, base, style = (
        (folder / name).read_text(encoding="utf-8") for name in ("rehearsal.html.j2", "report.css", "rehearsal.css")
    )
    return environment().from_string(page), base + style


def _picture(done: Rehearsal) -> tuple[list[Bar], list[Mark]]:
    """Return the columns of all steps, as wide as they took, and where phases begin. Steps of no time still have some width."""
    thin = min(_THIN, WIDTH / (2 * max(1, len(done.beats))))
    scale = (WIDTH - thin * len(done.beats)) / done.seconds if done.seconds else 0.0
    bars: list[Bar] = []
    marks: list[Mark] = []
    x, phase = 0.0, ""
    for beat in done.beats:
        if beat.phase != phase:
            marks.append(Mark(round(x, 1), beat.phase))
            phase = beat.phase
        width = thin + beat.seconds * scale
        bars += _column(beat, x, width)
        x += width
    return bars, marks


def _column(beat: Beat, x: float, width: float) -> Iterator[Bar]:
    counted: Census = beat.after
    worst = max(beat.frozen, counted.frozen)
    total = counted.nodes or 1
    y = 0.0
    for band in BANDS:
        count = getattr(counted, band)
        if count:
            height = HEIGHT * count / total
            says = f"{beat.step}, at {view.clock(beat.began)}: {WORDS[band]} on {count:,} of {total:,} nodes"
            yield Bar(band, round(x, 2), round(y, 2), round(width, 2), round(height, 2), says)
            y += height
    if worst > counted.frozen:
        says = f"{beat.step}: meanwhile up to {worst:,} nodes with frozen rules alone"
        yield Bar("frozen", round(x, 2), HEIGHT - 4, round(width, 2), 4, says)
