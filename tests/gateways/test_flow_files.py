"""Files of flows: compressed, cut off, of no known format, from stdin; and what is no flow log at all."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.gateways import flow_files
from eksnetpol.gateways.flow_files import read_flows
from eksnetpol.model.flows import Columns, Flow, Format, Malformed, Record
from tests.gateways.test_flow_formats import AGENT_LINES, FELIX, RECORD, TRACKED, hubble_event


class Taken:
    """A sink that keeps what it takes."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, str]] = []
        self.flows: list[Flow] = []

    def records(
        self, records: Sequence[Record], columns: Columns, numbers: Sequence[int], bad: Callable[[Malformed], None]
    ) -> None:
        """Take records."""
        assert callable(bad)
        self.taken += [(number, record[columns.source]) for record, number in zip(records, numbers, strict=True)]

    def flow(self, flow: Flow) -> None:
        """Take a flow."""
        self.flows.append(flow)


def encoded(event: object) -> str:
    import json

    return json.dumps(event)


SAMPLES = {
    Format.VPC: RECORD,
    Format.AGENT: AGENT_LINES["from v1.2.2"],
    Format.HUBBLE: encoded(hubble_event()),
    Format.CALICO: encoded(FELIX),
    Format.CONNTRACK: TRACKED,
}


@pytest.mark.parametrize("kind", list(Format))
@pytest.mark.parametrize("packed", [False, True])
def test_each_file_tells_its_format_compressed_or_not_whatever_its_name(tmp_path: Path, kind: Format, packed: bool) -> None:
    text = f"{SAMPLES[kind]}\n{SAMPLES[kind]}\r\n".encode()
    file = tmp_path / "log"
    # Two members in one file, as `cat a.gz b.gz` makes them.
    file.write_bytes(gzip.compress(text) + gzip.compress(text) if packed else text + text)
    sink = Taken()
    (report,) = read_flows([str(file)], sink)
    assert (report.format, report.lines, report.malformed) == (kind, 4, 0)
    assert len(sink.taken) + len(sink.flows) == 4
    (piped,) = read_flows(["-"], Taken(), io.BytesIO(file.read_bytes()), chosen=kind)
    assert (piped.name, piped.lines) == ("stdin", 4)


def test_what_was_cut_off_counts_as_far_as_it_goes(tmp_path: Path) -> None:
    lines = "".join(f"{RECORD.replace('139', str(n % 200))}\n" for n in range(5000)).encode()
    file = tmp_path / "cut.gz"
    file.write_bytes(gzip.compress(lines)[:-200])
    sink = Taken()
    (report,) = read_flows([str(file)], sink)
    assert 0 < len(sink.taken) < 5000
    assert any("ends in the middle" in note for note in report.notes)


def test_lines_keep_their_numbers_over_blocks_and_beside_malformed_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_files, "_BLOCK", 64)
    file = tmp_path / "vpc.log"
    file.write_text("".join(f"{RECORD}\n" if n % 3 else "broken line\n" for n in range(1, 31)))
    sink = Taken()
    (report,) = read_flows([str(file)], sink, chosen=Format.VPC)
    assert [number for number, _ in sink.taken] == [n for n in range(1, 31) if n % 3]
    assert report.malformed == 10
    assert [e.line for e in report.examples] == [3, 6, 9, 12, 15]


def test_a_line_without_an_end_is_thrown_away_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_files, "_LONGEST", 1 << 18)
    file = tmp_path / "vpc.log"
    file.write_bytes(RECORD.encode() + b"\n" + b"x" * (1 << 20) + b"\n" + RECORD.encode() + b"\n")
    sink = Taken()
    (report,) = read_flows([str(file)], sink)
    assert [number for number, _ in sink.taken] == [1, 3]
    assert "a line of more than" in report.examples[0].reason


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PAR1..", "Parquet"),
        (b"PK\x03\x04..", "zip"),
        (b"hello\nworld\n", "no flow log that is known"),
        (b"\0\1\2" * 99, "--format"),
    ],
)
def test_what_is_no_flow_log_is_refused_in_one_line(tmp_path: Path, data: bytes, words: str) -> None:
    file = tmp_path / "x"
    file.write_bytes(data)
    with pytest.raises(UnreadableInput, match=words):
        read_flows([str(file)], Taken())


def test_directories_are_read_whole_and_what_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.log").write_text(RECORD)
    (tmp_path / "1.log").write_text(f"{RECORD}\n")
    assert [Path(r.name).name for r in read_flows([str(tmp_path)], Taken())] == ["1.log", "2.log"]
    with pytest.raises(UsageError, match="no such file"):
        read_flows([str(tmp_path / "none")], Taken())
    with pytest.raises(UsageError, match="--fields: the fields srcport"):
        read_flows([str(tmp_path)], Taken(), fields="${srcaddr} ${dstaddr} ${dstport} ${protocol}")
    (tmp_path / "bad.log").write_text("srcaddr srcport\n1 2\n")
    with pytest.raises(UnreadableInput, match=r"bad\.log:1: no header that can be used"):
        read_flows([str(tmp_path / "bad.log")], Taken())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(max_size=30) | st.sampled_from([s.encode() for s in SAMPLES.values()]), max_size=8), st.booleans())
def test_no_file_whatever_ends_in_a_traceback(tmp_path: Path, parts: list[bytes], packed: bool) -> None:
    data = b"\n".join(parts)
    file = tmp_path / "any"
    file.write_bytes(gzip.compress(data)[: len(data)] if packed else data)
    for chosen in (None, *Format):
        try:
            (report,) = read_flows([str(file)], Taken(), chosen=chosen)
        except UnreadableInput:
            continue
        assert report.malformed <= report.lines
