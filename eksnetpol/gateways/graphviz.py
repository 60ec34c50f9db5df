"""Graphviz' ``dot``, where it is installed: DOT in, a picture out."""

from __future__ import annotations

import shutil
import subprocess

from eksnetpol.errors import EksNetpolError, UsageError

PATIENCE = 120.0
"""Seconds. A graph that takes longer is too large to be looked at."""

MISSING = (
    "SVG is drawn by Graphviz, and there is no program `dot` on the PATH; install graphviz, or take -o dot or -o mermaid, "
    "which need nothing"
)


def must_be_there() -> str:
    """Return the program ``dot``; raise `UsageError` where it is not installed."""
    program = shutil.which("dot")
    if program is None:
        raise UsageError(MISSING)
    return program


def draw(text: str, form: str = "svg", patience: float = PATIENCE) -> str:
    """Return the graph of *text*, in DOT, as *form*.

    Raises `UsageError` where Graphviz is not installed, and `EksNetpolError` where it fails or takes too long.
    """
    program = must_be_there()
    try:
        done = subprocess.run(  # noqa: S603 - the program that the person installed, and a format of ours
            [program, f"-T{form}"], input=text, capture_output=True, text=True, timeout=patience, check=False, encoding="utf-8"
        )
    except subprocess.TimeoutExpired:
        message = f"dot did not draw the graph within {patience:.0f} s; collapse it with --by namespace, or take -o dot"
        raise EksNetpolError(message) from None
    except OSError as error:
        raise UsageError(f"{program}: cannot be started: {error.strerror}") from error
    if done.returncode:
        raise EksNetpolError(f"dot could not draw the graph: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout
