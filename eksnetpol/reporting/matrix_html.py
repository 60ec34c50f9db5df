"""A matrix as one self-contained page: a heat map to filter. No request leaves it, as for the report (`reporting.html`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from eksnetpol.assets.locate import root
from eksnetpol.policy.answers import Answer
from eksnetpol.policy.cells import NONE, Column
from eksnetpol.policy.connections import WITH_PORTS, Connections
from eksnetpol.policy.universe import indexes_of, key_of
from eksnetpol.reporting.differences import cases
from eksnetpol.reporting.html import content_policy, environment
from eksnetpol.reporting.matrix_view import MatrixPage, in_words
from eksnetpol.reporting.view import plural

_MOST = 1 << 16
"""Different answers that the page can number."""


def write(page: MatrixPage) -> Iterator[str]:
    """Yield *page* as HTML."""
    template, style, script = _parts()
    workloads = page.workloads.bit_count()
    notes = [*page.notes, *(line for indent, line in cases(page.compared) if not indent)] if page.compared else page.notes
    # What is JSON here is inside of a script element: nothing in it may look like its end.
    data = json.dumps(_data(page), separators=(",", ":")).replace("<", "\\u003c")
    text = template.render(
        policy=content_policy(style, script),
        style=Markup(style),  # noqa: S704 - ours, from the package
        script=Markup(script),  # noqa: S704 - ours, from the package
        data=Markup(data),  # noqa: S704 - made here, without any <
        heading=f"Who may reach whom{f' in {page.title}' if page.title else ''}",
        circumstances=f"{plural(workloads, 'workload')}, {len(page.places) - workloads} outside; {page.profile.semantics}",
        notes=notes,
    )
    yield text.rstrip() + "\n"


@lru_cache(maxsize=1)
def _parts() -> tuple[Template, str, str]:
    folder = root("templates") / "report"
    names = ("matrix.html.j2", "report.css", "matrix.css", "matrix.js")
    page, base, style, script = ((folder / name).read_text(encoding="utf-8") for name in names)
    return environment().from_string(page), base + style, script


def _data(page: MatrixPage) -> dict[str, Any]:
    """Return what the script draws: equal columns once, each as pairs of an answer's number and how many sources have it."""
    spaces = list(page.by_namespace)
    number = {name: i for i, name in enumerate(spaces)}
    order = [i for members in page.by_namespace.values() for i in indexes_of(members)]
    order += [i for i, p in enumerate(page.places) if p.is_outside]
    at = {old: new for new, old in enumerate(order)}
    answers: dict[Answer, int] = {NONE: 0}
    known: dict[tuple[tuple[int, bytes], ...], int] = {}
    runs: list[list[int]] = []
    columns = [0] * len(order)
    for destination, column in page.table.columns():
        for answer in column:
            if len(answers) < _MOST:
                answers.setdefault(answer, len(answers))
        key = tuple((answers[a], key_of(sources)) for a, sources in column.items())
        if key not in known:
            known[key] = len(runs)
            runs.append(_runs(column, answers, at, len(order)))
        columns[at[destination]] = known[key]
    shown = (page.places[i] for i in order)
    places = [[p.title, number.get(p.namespace, -1), ", ".join(p.but), p.is_alone] for p in shown]
    return {
        "namespaces": spaces,
        "places": places,
        "answers": [_answer(a) for a in answers],
        "runs": runs,
        "columns": columns,
    }


def _runs(column: Column, answers: dict[Answer, int], at: dict[int, int], size: int) -> list[int]:
    found = {at[i]: answers[answer] for answer, sources in column.items() for i in indexes_of(sources)}
    done: list[int] = []
    last = 0
    for i in sorted(found):
        if i > last:
            _run(done, 0, i - last)
        _run(done, found[i], 1)
        last = i + 1
    if last < size:
        _run(done, 0, size - last)
    return done


def _run(done: list[int], answer: int, count: int) -> None:
    if done and done[-2] == answer:
        done[-1] += count
    else:
        done += [answer, count]


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "text": in_words(answer) if answer.some else "nothing",
        "none": not answer.some,
        "all": answer.every.is_everything,
        "partial": not answer.is_uniform,
        "every": _ports(answer.every),
        "some": _ports(answer.some),
    }


def _ports(connections: Connections) -> dict[str, list[list[int]]]:
    return {p: [list(i) for i in s.intervals] for p, s in connections.items() if p in WITH_PORTS}
