"""What keeps other people's words from acting: one escape for each language a report is written in.

Names and messages come from a cluster or from files of strangers. `visible` is for all languages: it shows what a terminal or
a reader would obey instead of display. The others add what their language needs on top of it, and take raw text.
"""

from __future__ import annotations

import html
import re
from typing import Any

_MARKDOWN = re.compile(r"[\\`*_\[\]<>#|~&$]")
_BLOCK_STARTS = re.compile(r"^(\s*\d*)([-+.)])")
_LINKED = re.compile(r"@|#|\bGH(?=-\d)|\bwww(?=\.)|\b[a-z][a-z+.-]*(?=://)|\b(?:mailto|xmpp)(?=:)", re.IGNORECASE)
_BACKTICKS = re.compile(r"`+")

# What the GitHub runner obeys in whatever a step prints: these names after two colons at the start of a line, and the older
# form anywhere (actions/runner, ActionCommand.cs). Other colons are left alone: IPv6 addresses are full of them.
_COMMANDS = re.compile(
    r"""::(?=(?:add-mask|add-matcher|remove-matcher|add-path|debug|error|warning|notice|group|endgroup|echo|set-env
    |set-output|save-state|stop-commands|internal-set-repo-path)\b)|\#\#(?=\[)""",
    re.IGNORECASE | re.VERBOSE,
)


def visible(text: str, *, keep: str = "", ascii_only: bool = False) -> str:
    r"""Return *text* with everything that is not seen as itself written out, e.g. ``\x1b`` or ``\u202e``.

    That is control characters, bidirectional and other invisible formats, unusual spaces, line separators, lone surrogates
    and unassigned code points; with *ascii_only*, everything beyond ASCII. Characters in *keep* stay. What a CI runner would
    take for a command in a log is broken up in the same way.
    """
    if not text.isprintable() or (ascii_only and not text.isascii()):
        text = "".join(c if c in keep or _is_plain(c, ascii_only) else _written_out(c) for c in text)
    return inert(text)


def inert(text: str) -> str:
    """Return *text* with its workflow commands broken up: ``::error::`` and ``##[error]`` are words, not orders."""
    if "::" not in text and "##[" not in text:
        return text
    return _COMMANDS.sub(lambda found: r"\x3a:" if found[0] == "::" else r"#\x23", text)


def one_line(text: str) -> str:
    """Return *text* on one line: lines are joined by a space, and the rest is `visible`."""
    return visible(" ".join(text.split()) if "\n" in text else text)


def encodable(text: str) -> str:
    """Return *text* with lone surrogates written out, all else as it is: what JSON and YAML cannot carry."""
    if text.isascii():
        return text
    return "".join(_written_out(c) if "\ud800" <= c <= "\udfff" else c for c in text)


def encodable_all(value: Any) -> Any:
    """Return *value*, made of what JSON has, with every text in it as `encodable` returns it; tuples become lists."""
    match value:
        case str():
            return encodable(value)
        case dict():
            return {encodable_all(key): encodable_all(item) for key, item in value.items()}
        case list() | tuple():
            return [encodable_all(item) for item in value]
        case _:
            return value


def markdown(text: str) -> str:
    """Return *text* for inline Markdown, as GitHub reads it: no markup, no mention, no reference, no bare link."""
    shown = _MARKDOWN.sub(r"\\\g<0>", one_line(text))
    # A comment splits what GitHub would turn into a mention, a reference or a link; a backslash does not.
    return _BLOCK_STARTS.sub(r"\1\\\2", _LINKED.sub(r"\g<0><!-- -->", shown))


def markdown_code(text: str, *, cell: bool = False) -> str:
    """Return *text* as a code span; *cell* where it stands in a table."""
    shown = one_line(text)
    if not shown.strip():
        return ""
    if cell:
        # A bar ends a cell even within a code span, and only in a table is the backslash before it not shown.
        shown = shown.replace("|", r"\|")
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(shown)), default=0))
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def markdown_block(text: str, language: str = "sh") -> str:
    """Return *text* as a fenced block that nothing in it can close."""
    shown = visible(text, keep="\n").strip("\n")
    fence = "`" * max(3, 1 + max((len(run) for run in _BACKTICKS.findall(shown)), default=0))
    return f"{fence}{language}\n{shown}\n{fence}"


def xml(text: str) -> str:
    """Return *text* for XML content: no markup, and no character that XML 1.0 forbids."""
    return html.escape(visible(text, keep="\n"), quote=False)


def xml_attribute(text: str) -> str:
    """Return *text* for the quotes of an XML attribute, in which line ends survive as references only."""
    return html.escape(visible(text, keep="\n"), quote=True).replace("\n", "&#10;")


def annotation(text: str) -> str:
    """Return *text* as the message of a GitHub workflow command.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands; the escapes are those of the toolkit's
    ``command.ts`` (actions/toolkit).
    """
    return visible(text, keep="\n").replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def annotation_property(text: str) -> str:
    """Return *text* as the value of a property of a GitHub workflow command."""
    return annotation(text).replace(":", "%3A").replace(",", "%2C")


def _is_plain(c: str, ascii_only: bool) -> bool:
    return c.isprintable() and (c.isascii() or not ascii_only)


def _written_out(c: str) -> str:
    digits = f"{ord(c):x}"
    mark, width = ("x", 2) if len(digits) <= 2 else ("u", 4) if len(digits) <= 4 else ("U", 8)  # noqa: PLR2004
    return f"\\{mark}{digits.zfill(width)}"
