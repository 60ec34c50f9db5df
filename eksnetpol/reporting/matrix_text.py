"""A matrix for the terminal: who takes what from whom, workload by workload, or by namespace where there are many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eksnetpol.policy.answers import Answer
from eksnetpol.policy.cells import Column, Places
from eksnetpol.policy.universe import indexes_of, set_of
from eksnetpol.reporting import policy_words as words
from eksnetpol.reporting.differences import cases
from eksnetpol.reporting.matrix_view import MatrixPage, in_words
from eksnetpol.reporting.view import plural

MANY = 60
"""So many destinations that differ are shown one by one; more are summed up by namespace, unless all is asked for."""


def write(page: MatrixPage, width: int, *, color: bool, verbose: bool) -> Iterator[str]:
    """Yield *page* as lines of at most *width* columns."""
    pairs = 0
    alike: Alike = {}
    for number, column in page.table.columns():
        pairs += sum((sources & page.workloads).bit_count() for sources in column.values())
        alike.setdefault((page.places[number].is_outside, page.spoken(number, column)), []).append(number)
    is_short = verbose or len(alike) <= MANY
    for parts in _one_by_one(page, alike, verbose=verbose) if is_short else _by_namespace(page, alike):
        yield words.lines(parts, width, ascii_only=not color)
    tail = [(0, _sum(page, pairs))]
    if not is_short:
        tail.append((0, "-v shows every workload; -o html is a page to filter, -o json has every pair"))
    tail += [(0, f"note: {note}") for note in page.notes]
    if page.compared is not None:
        tail += [(0, ""), *cases(page.compared, verbose=verbose)]
    yield words.lines(tail, width, ascii_only=not color)


Alike = dict[tuple[bool, frozenset[tuple[Answer, Places]]], list[int]]
"""Destinations that take the same from the same, outside and inside apart."""


def _one_by_one(page: MatrixPage, alike: Alike, *, verbose: bool) -> Iterator[list[tuple[int, str]]]:
    for (outside, column), numbers in alike.items():
        yield [*_rows(page, numbers, dict(column), outside=outside, verbose=verbose), (0, "")]


def _rows(
    page: MatrixPage, numbers: Sequence[int], column: Column, *, outside: bool, verbose: bool
) -> Iterator[tuple[int, str]]:
    many = len(numbers) > 1 and set_of(numbers) != page.workloads
    verb = ("are sent" if outside else "take") if many else ("is sent" if outside else "takes")
    place = page.places[numbers[0]]
    but = f" (but {', '.join(place.but)})" if place.but and len(numbers) == 1 else ""
    head = f"{page.who(set_of(numbers), everybody=verbose)}{but} {verb}"
    if not column:
        yield 0, f"{head} nothing"
        return
    yield 0, head
    for answer, sources in sorted(column.items(), key=lambda item: (-item[1].bit_count(), str(item[0].some))):
        what = "everything" if answer.every.is_everything else in_words(answer)
        yield 2, f"{what} from {page.who(sources, everybody=verbose)}"


def _by_namespace(page: MatrixPage, alike: Alike) -> Iterator[list[tuple[int, str]]]:
    sums: dict[str, dict[str, int]] = {name: {} for name in page.by_namespace}
    leaving: list[tuple[int, str]] = []
    for (outside, column), numbers in alike.items():
        together = 0
        for _, sources in column:
            together |= sources
        for number in numbers:
            if outside:
                who = f"{together.bit_count():,} of {page.workloads.bit_count():,} workloads"
                leaving.append((2, f"{page.places[number].title} from {who}"))
            else:
                _count(page, sums[page.places[number].namespace], together)
    for name, all_of in page.by_namespace.items():
        size = all_of.bit_count()
        yield [(0, f"{name} ({plural(size, 'workload')}) takes"), *_sources(page, sums[name], size), (0, "")]
    yield [(0, "Outside is sent something"), *leaving, (0, "")]


def _count(page: MatrixPage, mine: dict[str, int], sources: Places) -> None:
    for name, all_of in page.by_namespace.items():
        mine[name] = mine.get(name, 0) + (sources & all_of).bit_count()
    for i in indexes_of(sources & page.outside):
        mine[page.places[i].title] = mine.get(page.places[i].title, 0) + 1


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


def _sum(page: MatrixPage, pairs: int) -> str:
    workloads = page.workloads.bit_count()
    inside = f"{plural(workloads, 'workload')}, {plural(len(page.places) - workloads, 'block')} outside"
    return f"{inside}: something may flow between {pairs:,} of {workloads * len(page.places):,} pairs ({page.profile.semantics})"
