"""The ways of speaking, by name. Each module has ``write(report, options) -> str`` and is imported when it is asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast

from eksnetpol.errors import UsageError
from eksnetpol.model.findings import Report
from eksnetpol.reporting.options import Options

Writer = Callable[[Report, Options], str]

FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "text": "text",
        "json": "json_v1",
        "yaml": "yaml",
        "markdown": "markdown",
        "junit": "junit",
        "sarif": "sarif",
        "github": "github",
        "html": "html",
    }
)
"""Module of this package that writes each format."""


def writer(name: str) -> Writer:
    """Return the writer of format *name*; raise `UsageError` when there is none."""
    if name not in FORMATS:
        close = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(f"there is no output format {name!r}{hint} (there are {', '.join(FORMATS)})")
    return cast("Writer", importlib.import_module(f"eksnetpol.reporting.{FORMATS[name]}").write)


def render(report: Report, name: str, *, width: int = 80, color: bool = False, verbose: bool = False) -> str:
    """Return *report* in format *name*, ending in one newline; raise `UsageError` when there is no such format.

    *width* (columns) and *color* concern the text format only: pass False where the output is no terminal, or does not want it.
    """
    return writer(name)(report, Options(width, color, verbose))
