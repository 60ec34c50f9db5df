"""VPC Flow Logs as text: the default format and custom ones, as Amazon S3 and CloudWatch Logs deliver them.

A file in S3 begins with a header that names the fields; lines of CloudWatch Logs have none, and exports put a timestamp before
them. In the default format the address of a network interface stands for all of its pods; only ``pkt-srcaddr`` and
``pkt-dstaddr`` are the pods' own (VPC user guide, flow log records).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from eksnetpol.model.flows import Columns, Malformed

DEFAULT = (
    "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start",
    "end", "action", "log-status",
)  # fmt: skip
"""The fields of version 2, the default format."""

_NEEDED = ("srcport", "dstport", "protocol")
_TIMESTAMP = re.compile(r"^\d{4}-\d\d-\d\dT\S+ +")
_STATUSES = frozenset({"OK", "NODATA", "SKIPDATA"})
_LONGEST_SHOWN = 60


class Layout:
    """Where the fields are. ``own_addresses`` is True where pods stand in the log with their own addresses."""

    def __init__(self, fields: Sequence[str]) -> None:
        """Take field names as a header has them; raise `ValueError` where some are missing that nothing can be told without."""
        place = {name.strip("${}").replace("_", "-"): at for at, name in enumerate(fields)}
        self.own_addresses = "pkt-srcaddr" in place and "pkt-dstaddr" in place
        self.has_flags = "tcp-flags" in place
        self.fields = len(fields)
        source = place.get("pkt-srcaddr", place.get("srcaddr"))
        destination = place.get("pkt-dstaddr", place.get("dstaddr"))
        missing = [n for n in _NEEDED if n not in place]
        missing += [n for n, at in (("srcaddr", source), ("dstaddr", destination)) if at is None]
        if missing:
            message = f"the fields {', '.join(missing)} are missing"
            raise ValueError(message)
        # A field that is not there is read where something stands that is no number, and no status.
        none = place.get("action", source)
        others = (place.get(n, none) for n in ("tcp-flags", "action", "bytes", "start", "end", "log-status"))
        self.columns = Columns(source or 0, destination or 0, *(place[n] for n in _NEEDED), *(at or 0 for at in others))


def header(line: str) -> Layout | None:
    """Return the layout that *line* names, None where it is no header."""
    fields = line.split()
    names = {f.strip("${}").replace("_", "-") for f in fields}
    return Layout(fields) if "srcport" in names and names & {"srcaddr", "pkt-srcaddr"} else None


def looks_like(line: str) -> bool:
    """Say whether *line* is a header or a record of the default format."""
    fields = line.split()
    if "srcaddr" in line and "srcport" in line:
        return True
    if _TIMESTAMP.match(line):
        fields = fields[1:]
    return len(fields) == len(DEFAULT) and fields[0].isdigit() and fields[-1] in _STATUSES


class Reader:
    """Reads the lines of one file, block by block."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or Layout(DEFAULT)
        self._given = layout is not None
        self._stamped = False

    def records(
        self, lines: list[str], number: int, bad: Callable[[Malformed], None]
    ) -> tuple[list[list[str]], Sequence[int]]:
        """Return the records in *lines*, of which the first is line *number*, and the number of the line of each.

        *bad* is told of lines that have too few fields.
        """
        if number == 1:
            lines = self._begin(lines)
        if not self._stamped:
            # All but a few blocks go this way, without a step of Python for each line.
            rows = list(map(str.split, lines))
            if min(map(len, rows), default=0) >= self.layout.fields:
                return rows, range(number, number + len(rows))
        rows, numbers = [], []
        for at, line in enumerate(lines, number):
            fields = (_TIMESTAMP.sub("", line) if self._stamped else line).split()
            if len(fields) >= self.layout.fields and header(line) is None:
                rows.append(fields)
                numbers.append(at)
            elif fields and header(line) is None:
                shown = line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}…"
                bad(Malformed(at, f"{len(fields)} fields where {self.layout.fields} were expected: {shown}"))
        return rows, numbers

    def _begin(self, lines: list[str]) -> list[str]:
        first = lines[0].lstrip("\ufeff") if lines else ""
        named = header(first)
        if named is not None:
            if not self._given:
                self.layout = named
            # An empty line in its place keeps the numbers right.
            return ["", *lines[1:]]
        self._stamped = bool(_TIMESTAMP.match(first))
        return lines
