"""One line on stderr: what every run that goes wrong ends with."""

from __future__ import annotations

import sys


def complain(text: str) -> None:
    """Print *text* on stderr, after the tool's name; further lines are indented. A terminal gets it cut at words."""
    from eksnetpol.reporting.escape import visible

    if sys.stderr is None:
        return
    first, *more = visible(text, keep="\n").strip().split("\n")
    lines = [f"eksnetpol: {first}", *(f"  {line}".rstrip() for line in more)]
    if sys.stderr.isatty():
        lines = [part for line in lines for part in _cut(line)]
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


def _cut(line: str) -> list[str]:
    import shutil
    import textwrap

    width = shutil.get_terminal_size().columns
    if len(line) <= width:
        return [line]
    return textwrap.wrap(line, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
