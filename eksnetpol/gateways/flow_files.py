"""Flow logs from files, directories and stdin: compressed or not, read as a stream, each file in the format it has.

Lines are handed on block by block, so that what a file holds never has to fit into memory.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Protocol

from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.gateways.flow_formats import agent, calico, conntrack, hubble, vpc
from eksnetpol.model.flows import Columns, FileReport, Flow, Format, Malformed, Record

_BLOCK = 1 << 17
"""Bytes that are read at once: what is made of them is to stay in the processor's cache. 1 MiB takes three times as long."""
_LONGEST = 1 << 24
"""Bytes of a line. What is longer is no log of ours, and is thrown away as it comes."""
_LONGEST_REASON = 120
_LOOKED_AT = 4000
"""Lines at the beginning of a file by which its format is told; an agent's log can go on for long before its first verdict."""

_GZIP = b"\x1f\x8b"
_GZIP_HEADER = 31
"""What zlib calls: with gzip's header, and the largest window."""
_OTHERS = {
    b"PAR1": "Parquet, which is not read; have the flow log delivered as text, or convert it",
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"BZh": "compressed by bzip2; give it as `bzcat FILE | … -`",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; give it as `zstdcat FILE | … -`",
    b"\xfd7zXZ": "compressed by xz; give it as `xzcat FILE | … -`",
}

_PARSERS: dict[Format, Callable[[str], Iterator[Flow]]] = {
    Format.AGENT: agent.flows,
    Format.HUBBLE: hubble.flows,
    Format.CALICO: calico.flows,
    Format.CONNTRACK: conntrack.flows,
}
_SIGNS: tuple[tuple[Format, Callable[[str], bool]], ...] = (
    (Format.VPC, vpc.looks_like),
    (Format.HUBBLE, hubble.looks_like),
    (Format.CALICO, calico.looks_like),
    (Format.AGENT, agent.looks_like),
    (Format.CONNTRACK, conntrack.looks_like),
)


class Sink(Protocol):
    """Takes what was read."""

    def records(
        self, records: Sequence[Record], columns: Columns, numbers: Sequence[int], bad: Callable[[Malformed], None]
    ) -> None:
        """Take records of VPC Flow Logs, with the number of the line of each; *bad* is told of those that make no sense."""

    def flow(self, flow: Flow) -> None:
        """Take a flow; raise `ValueError` where it makes no sense."""


def read_flows(
    paths: Sequence[str], sink: Sink, stdin: BinaryIO | None = None, chosen: Format | None = None, fields: str = ""
) -> list[FileReport]:
    """Read all flows of *paths* into *sink*: files, directories with all files below them, ``-`` for *stdin*.

    *chosen* is their format; None lets each file tell its own. *fields* are the fields of a custom format of VPC Flow Logs, for
    files without a header. Raises `UsageError` for a path that cannot be opened or fields that do not do, and `UnreadableInput`
    for a file whose format cannot be told or is not read. Lines that cannot be read are counted; a compressed file that ends too
    early counts as far as it goes, with a note.
    """
    if not paths:
        raise UsageError("no flow logs were given; name files or directories, or - for stdin")
    layout = _layout(fields)
    return [_read(name, file, sink, chosen, layout) for name, file in _opened(paths, stdin)]


def _layout(fields: str) -> vpc.Layout | None:
    names = fields.replace(",", " ").split()
    if not names:
        return None
    try:
        return vpc.Layout(names)
    except ValueError as error:
        raise UsageError(f"--fields: {error}") from error


def _opened(paths: Sequence[str], stdin: BinaryIO | None) -> Iterator[tuple[str, BinaryIO]]:
    for path in paths:
        if path == "-":
            if stdin is None:
                raise UsageError("- stands for stdin, and there is none")
            yield "stdin", stdin
            continue
        names = _below(path) if Path(path).is_dir() else [path]
        if not names:
            raise UnreadableInput(path, "there is no file in this directory")
        for name in names:
            try:
                file = Path(name).open("rb")  # noqa: SIM115 - closed below, when its reader is done
            except FileNotFoundError:
                raise UsageError(f"{name}: there is no such file or directory") from None
            except OSError as error:
                raise UsageError(f"{name}: cannot be read: {error.strerror}") from error
            with file:
                yield name, file


def _below(top: str) -> list[str]:
    found = []
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        found += [str(Path(folder, name)) for name in sorted(files) if not name.startswith(".")]
    return found


def _read(name: str, file: BinaryIO, sink: Sink, chosen: Format | None, layout: vpc.Layout | None) -> FileReport:
    report = FileReport(name, chosen or Format.VPC)
    number = 1
    reader: vpc.Reader | None = None
    for lines in _blocks(name, file, report):
        if number == 1:
            report.format = chosen or (Format.VPC if layout else _told(name, lines))
            reader = vpc.Reader(layout) if report.format is Format.VPC else None
        if reader is not None:
            _hand_on_records(name, reader, lines, number, sink, report)
        else:
            _hand_on(_PARSERS[report.format], lines, number, sink, report)
        number += len(lines)
    report.lines = number - 1
    if not report.lines:
        report.notes.append("is empty")
    elif reader is not None and not reader.layout.own_addresses:
        report.notes.append(
            "has no pkt-srcaddr and pkt-dstaddr: pods appear with the address of their network interface, "
            "and only those that have its first address can be told; add both fields to the flow log"
        )
    return report


def _told(name: str, lines: Sequence[str]) -> Format:
    for line in lines[:_LOOKED_AT]:
        for kind, looks_like in _SIGNS:
            if looks_like(line):
                return kind
    raise UnreadableInput(
        name, f"no flow log that is known ({', '.join(Format)}); say which with --format, and its fields with --fields"
    )


def _hand_on_records(
    name: str, reader: vpc.Reader, lines: list[str], number: int, sink: Sink, report: FileReport
) -> None:
    try:
        records, numbers = reader.records(lines, number, report.bad)
    except ValueError as error:
        raise UnreadableInput(f"{name}:1", f"no header that can be used: {error}") from error
    sink.records(records, reader.layout.columns, numbers, report.bad)


def _hand_on(
    parse: Callable[[str], Iterator[Flow]], lines: Sequence[str], number: int, sink: Sink, report: FileReport
) -> None:
    for at, line in enumerate(lines, number):
        try:
            for flow in parse(line) if line and not line.isspace() else ():
                sink.flow(flow)
        except (ValueError, TypeError, OverflowError, OSError) as error:
            # Times far outside of the calendar are an OverflowError or an OSError of the platform.
            report.bad(Malformed(at, _short(str(error))))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


# --- bytes ------------------------------------------------------------------------------------------------------------


def _blocks(name: str, file: BinaryIO, report: FileReport) -> Iterator[list[str]]:
    """Yield the lines of *file*, some thousands at a time, without their ends."""
    rest = b""
    too_long = False
    for data in _chunks(name, file, report):
        head, newline, tail = data.rpartition(b"\n")
        if not newline:
            rest += tail
        else:
            # What is left of a line that was too long stands for it, so that those after it keep their numbers.
            text = head.partition(b"\n")[2] if too_long else rest + head
            yield ([""] if too_long else []) + (text.decode("utf-8", "replace").split("\n") if text or not too_long else [])
            rest, too_long = tail, False
        if len(rest) > _LONGEST:
            rest = b""
            if not too_long:
                report.bad(Malformed(0, f"a line of more than {_LONGEST >> 10:,} KiB"))
            too_long = True
    if rest and not too_long:
        yield [rest.decode("utf-8", "replace")]


def _chunks(name: str, file: BinaryIO, report: FileReport) -> Iterator[bytes]:
    try:
        first = file.read(_BLOCK)
        for magic, words in _OTHERS.items():
            if first.startswith(magic):
                raise UnreadableInput(name, f"is {words}")
        read = chain((first,), iter(partial(file.read, _BLOCK), b""))
        yield from _inflated(read) if first.startswith(_GZIP) else read
    except (EOFError, zlib.error) as error:
        report.notes.append(f"ends in the middle or is damaged ({error}); what came before counts")
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}") from error


def _inflated(read: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what *read* is the compressed form of, at most a block at a time; the file may be several put together."""
    inflate = zlib.decompressobj(_GZIP_HEADER)
    for data in read:
        left = data
        while left:
            if inflate.eof:
                left = left.lstrip(b"\0")
                if not left:
                    break
                inflate = zlib.decompressobj(_GZIP_HEADER)
            out = inflate.decompress(left, _BLOCK)
            if out:
                yield out
            left = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    out = inflate.flush()
    if out:
        yield out
    if not inflate.eof:
        raise EOFError("the end is missing")
