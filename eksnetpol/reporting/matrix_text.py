"""A matrix for the terminal: who takes what from whom, workload by workload, or by namespace where there are many."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.policy.cells import Column, Place
from eksnetpol.policy.universe import indexes_of
from eksnetpol.reporting import policy_words as words
from eksnetpol.reporting.differences import cases
from eksnetpol.reporting.matrix_view import MatrixPage, in_words
from eksnetpol.reporting.view import plural

MANY = 60
"""So many workloads are shown one by one; more are summed up by namespace, unless all is asked for."""


def write(page: MatrixPage, width: int, *, color: bool, verbose: bool) -> Iterator[str]:
    """Yield *page* as lines of at most *width* columns."""
    one_by_one = verbose or page.workloads.bit_count() <= MANY
    for parts in _one_by_one(page, verbose=verbose) if one_by_one else _by_namespace(page):
        yield words.lines(parts, width, ascii_only=not color)
    tail = [(0, f"note: {note}") for note in page.notes]
    if page.compared is not None:
        tail += [(0, ""), *cases(page.compared, verbose=verbose)]
    if tail:
        yield words.lines(tail, width, ascii_only=not color)


def _one_by_one(page: MatrixPage, *, verbose: bool) -> Iterator[list[tuple[int, str]]]:
    pairs = 0
    outside: list[tuple[int, str]] = []
    for number, column in page.table.columns():
        place = page.places[number]
        pairs += _pairs(page, column)
        if place.is_outside:
            outside += _rows(page, place, column, verbose=verbose)
        else:
            yield [*_rows(page, place, column, verbose=verbose), (0, "")]
    if outside:
        yield [*outside, (0, "")]
    yield [(0, _sum(page, pairs))]


def _rows(page: MatrixPage, place: Place, column: Column, *, verbose: bool) -> list[tuple[int, str]]:
    verb = "is sent" if place.is_outside else "takes"
    but = f" (but {', '.join(place.but)})" if place.but else ""
    if not column:
        return [(0, f"{place.title}{but} {verb} nothing")]
    ordered = sorted(column.items(), key=lambda item: -item[1].bit_count())
    return [
        (0, f"{place.title}{but} {verb}"),
        *((2, f"{in_words(answer)} from {page.who(sources, everybody=verbose)}") for answer, sources in ordered),
    ]


def _by_namespace(page: MatrixPage) -> Iterator[list[tuple[int, str]]]:
    pairs = 0
    sums: dict[str, dict[str, int]] = {name: {} for name in page.by_namespace}
    leaving: list[tuple[int, str]] = []
    for number, column in page.table.columns():
        place = page.places[number]
        pairs += _pairs(page, column)
        together = 0
        for sources in column.values():
            together |= sources
        if place.is_outside:
            leaving.append((2, f"{place.title} from {together.bit_count():,} of {page.workloads.bit_count():,} workloads"))
            continue
        mine = sums[place.namespace]
        for name, all_of in page.by_namespace.items():
            mine[name] = mine.get(name, 0) + (together & all_of).bit_count()
        for i in indexes_of(together & ~page.workloads):
            mine[page.places[i].title] = mine.get(page.places[i].title, 0) + 1
    for name, all_of in page.by_namespace.items():
        size = all_of.bit_count()
        yield [(0, f"{name} ({plural(size, 'workload')}) takes"), *_sources(page, sums[name], size), (0, "")]
    yield [(0, "Outside is sent something"), *leaving, (0, "")]
    yield [(0, _sum(page, pairs)), (0, "-v shows every workload; -o html is a page to filter, -o json has every pair")]


def _sources(page: MatrixPage, counts: dict[str, int], size: int) -> Iterator[tuple[int, str]]:
    some = False
    for name, count in counts.items():
        whole = size * (page.by_namespace[name].bit_count() if name in page.by_namespace else 1)
        if count:
            some = True
            how = "all" if count == whole else f"{count:,} of {whole:,} pairs"
            yield 2, f"from {name}: {how}"
    if not some:
        yield 2, "nothing"


def _pairs(page: MatrixPage, column: Column) -> int:
    return sum((sources & page.workloads).bit_count() for sources in column.values())


def _sum(page: MatrixPage, pairs: int) -> str:
    workloads = page.workloads.bit_count()
    inside = f"{plural(workloads, 'workload')}, {plural(len(page.places) - workloads, 'block')} outside"
    return f"{inside}: something may flow between {pairs:,} of {workloads * len(page.places):,} pairs ({page.profile.semantics})"
