"""Label selectors as the API takes them in a query: ``app=web,tier!=back,env in (a,b),!draft``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from eksnetpol.errors import Rejected

Test = Callable[[Mapping[str, str]], bool]

_PART = re.compile(r"\s*(?:(!)\s*([^\s,!=()]+)|([^\s,!=()]+)\s*(?:(==|=|!=)\s*([^\s,()]*)|(in|notin)\s*\(([^()]*)\))?)\s*(?:,|$)")


def selecting(selector: str) -> Test:
    """Return what tells whether labels are selected; raise `errors.Rejected` for what is no selector."""
    tests: list[Test] = []
    at = 0
    while at < len(selector):
        part = _PART.match(selector, at)
        if part is None:
            raise Rejected(f"unable to parse the label selector {selector!r} from character {at + 1}")
        tests.append(_test(*part.groups()))
        at = part.end()
    return lambda labels: all(test(labels) for test in tests)


def _test(no: str | None, absent: str, name: str, sign: str | None, value: str, word: str | None, values: str) -> Test:
    if no:
        return lambda labels: absent not in labels
    if sign in {"=", "=="}:
        return lambda labels: labels.get(name) == value
    if sign == "!=":
        return lambda labels: labels.get(name) != value
    if word is None:
        return lambda labels: name in labels
    among = frozenset(one.strip() for one in values.split(","))
    # As with !=, an object without the label is not one of those.
    return (lambda labels: labels.get(name) in among) if word == "in" else (lambda labels: labels.get(name) not in among)
