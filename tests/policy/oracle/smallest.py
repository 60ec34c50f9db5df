"""Make a cluster on which engine and oracle do not agree as small as it can be without agreeing."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.policy.oracle.strategies import Case

NEEDED = frozenset(
    (
        *("metadata", "spec", "status", "name", "namespace", "podIP", "hostIP", "phase", "hostNetwork", "clusterIP"),
        *("action", "cidr", "key", "operator", "from", "to", "tier", "subject", "priority", "kind", "protocol", "port"),
    )
)
"""Members without which an object is another one, or none."""


def smallest(case: Case, disagrees: Callable[[Case], bool]) -> Case:
    """Take out of *case* whatever can be taken out so that it still *disagrees*."""
    found = case
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for objects in list(_smaller(found.objects)):
            tried = replace(found, objects=objects)
            if _holds(tried, disagrees):
                found, is_smaller = tried, True
                break
    return found


def _holds(case: Case, disagrees: Callable[[Case], bool]) -> bool:
    try:
        return disagrees(case)
    except (ValueError, IndexError, KeyError, StopIteration):
        # What is left is no cluster any more.
        return False


def _smaller(value: Any) -> Iterator[Any]:
    """Yield *value* without one of its parts, largest parts first."""
    if isinstance(value, list):
        for at in range(len(value)):
            yield value[:at] + value[at + 1 :]
        for at, member in enumerate(value):
            for less in _smaller(member):
                yield [*value[:at], less, *value[at + 1 :]]
    elif isinstance(value, dict):
        for key in value:
            if key not in NEEDED and not isinstance(value[key], list):
                yield {k: copy.copy(v) for k, v in value.items() if k != key}
        for key, member in value.items():
            for less in _smaller(member):
                yield {**value, key: less}
