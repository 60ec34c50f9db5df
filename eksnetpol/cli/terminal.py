"""What is said beside the document: on stderr, with nothing in it that a terminal would obey."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import Any

from eksnetpol.cli.complain import complain

NARROW = 80


@dataclass(frozen=True, slots=True)
class Terminal:
    """How the person wants to be spoken to."""

    verbose: int = 0
    quiet: bool = False
    color: str = "auto"
    columns: int | None = None
    no_input: bool = False

    @classmethod
    def of(cls, flags: dict[str, Any]) -> Terminal:
        """Return it, taking the general options out of *flags*."""
        flags.pop("debug")
        return cls(
            verbose=flags.pop("verbose"),
            quiet=flags.pop("quiet"),
            color=flags.pop("color"),
            columns=flags.pop("width"),
            no_input=flags.pop("no_input"),
        )

    @property
    def colored(self) -> bool:
        """Whether stdout is to be coloured. https://no-color.org, and CLICOLOR_FORCE as others read it."""
        if self.color != "auto":
            return self.color == "always"
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return bool(os.environ.get("CLICOLOR_FORCE") or os.environ.get("FORCE_COLOR")) or _is_terminal(sys.stdout)

    @property
    def width(self) -> int:
        """Columns of text."""
        return self.columns or shutil.get_terminal_size((NARROW, 24)).columns

    @property
    def animated(self) -> bool:
        """Whether progress may move: stderr is a terminal that can."""
        calm = self.quiet or self.color == "never" or os.environ.get("TERM") == "dumb" or bool(os.environ.get("CI"))
        return not calm and _is_terminal(sys.stderr)

    def say(self, text: str, *, level: int = 0) -> None:
        """Print a line on stderr, unless quiet; *level* is the number of ``-v`` it takes."""
        if not self.quiet and self.verbose >= level:
            complain(text)


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()
