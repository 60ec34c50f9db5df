"""Commands, cut so that they fit a width and can still be pasted as they are."""

from __future__ import annotations

from collections.abc import Iterator

_HANG = "  "
_SINGLE_BREAK = "'\\"
_NARROWEST = 8


def fold(command: str, width: int, indent: int = 0) -> tuple[str, ...]:
    r"""Return *command* as lines of at most *width* columns (8 at least), which the shell reads as the same words.

    Lines start at column *indent* and end in ``\`` where they were cut: between words if that is possible, within a word
    otherwise; then the next line starts at the margin, because blanks there would end the word.
    """
    width = max(width, _NARROWEST)
    lead = " " * indent if width - indent >= _NARROWEST else ""
    return tuple(line for given in command.split("\n") for line in _fold_line(given, width, lead))


def _fold_line(given: str, width: int, lead: str) -> Iterator[str]:
    if len(lead) + len(given) <= width:
        yield lead + given
        return
    line = ""
    for gap, word in _words(given):
        if not line:
            line = lead + gap + word
        elif len(line) + len(gap) + len(word) <= width - 2:
            line += gap + word
        else:
            yield from _cut(line + " \\", width)
            line = lead + _HANG + word
    yield from _cut(line, width)


def _words(text: str) -> Iterator[tuple[str, str]]:
    """Yield the blanks before each word and the word as it is written, quotes included."""
    gap, word, quote, at = "", "", "", 0
    while at < len(text):
        c = text[at]
        if c == " " and not quote:
            if word:
                yield gap, word
                gap, word = "", ""
            gap += c
        elif c == "\\" and quote != "'":
            word += text[at : at + 2]
            at += 1
        else:
            if not quote and c in "'\"":
                quote = c
            elif c == quote:
                quote = ""
            word += c
        at += 1
    if gap or word:
        yield gap, word


def _cut(line: str, width: int) -> Iterator[str]:
    """Yield *line*, a piece of a command that is too long to stay whole, in pieces of at most *width*."""
    quote = ""
    while len(line) > width:
        at, quote = _last_place(line, width, quote)
        if quote == "'":
            yield line[:at] + _SINGLE_BREAK
            line, quote = "'" + line[at:], ""
        else:
            yield line[:at] + "\\"
            line = line[at:]
    yield line


def _last_place(line: str, width: int, quote: str) -> tuple[int, str]:
    """Return the last place before which *line*, which starts within *quote*, may be cut, and the quote it stands in."""
    best, at = (1, quote), 0
    while at < len(line):
        room = 2 if quote == "'" else 1
        if 0 < at <= width - room:
            best = (at, quote)
        elif at > width:
            break
        c = line[at]
        if c == "\\" and quote != "'":
            at += 1
        elif not quote and c in "'\"":
            quote = c
        elif c == quote:
            quote = ""
        at += 1
    return best
