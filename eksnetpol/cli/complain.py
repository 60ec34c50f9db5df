"""One line on stderr: what every run that goes wrong ends with."""

from __future__ import annotations

import sys


def complain(text: str) -> None:
    """Print *text* on stderr, after the tool's name; further lines are indented."""
    from eksnetpol.reporting.escape import visible

    if sys.stderr is None:
        return
    lines = visible(text, keep="\n").strip().split("\n")
    sys.stderr.write("\n".join([f"eksnetpol: {lines[0]}", *(f"  {line}".rstrip() for line in lines[1:])]) + "\n")
    sys.stderr.flush()
