from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.gateways import snapshot_file
from eksnetpol.model.snapshot import SCHEMA_VERSION, ClusterSnapshot, Seen, Target
from tests.benchmarks.generate import Size, generate
from tests.strategies import snapshots

SMALL = generate(Size(nodes=2, pods=40, services=3, policies=5))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(snapshots())
def test_what_is_decoded_is_what_was_encoded(snapshot: ClusterSnapshot) -> None:
    again = snapshot_file.decode(snapshot_file.encode(snapshot), "a")
    assert type(again) is ClusterSnapshot
    assert again == snapshot


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_a_file_gives_back_what_was_saved(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    snapshot_file.save(SMALL, path)
    assert path.read_bytes().startswith(b"\x1f\x8b") == name.endswith(".gz")
    assert snapshot_file.load(path) == SMALL


def test_the_envelope_comes_first() -> None:
    head = b'{"apiVersion":"eksnetpol.io/v1","kind":"ClusterSnapshot","schemaVersion":%d,"toolVersion":"' % SCHEMA_VERSION
    assert snapshot_file.encode(SMALL).startswith(head)
    assert snapshot_file.encode(ClusterSnapshot()).startswith(head)


def test_what_is_gzipped_is_told_by_its_bytes_not_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(gzip.compress(snapshot_file.encode(SMALL)) + gzip.compress(b"\n", mtime=0) + b"\0" * 512)
    assert snapshot_file.load(path) == SMALL


def test_equal_snapshots_make_equal_files(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        snapshot_file.save(SMALL, tmp_path / name)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_a_file_is_its_owners_alone_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("before", encoding="utf-8")
    path.chmod(0o644)
    snapshot_file.save(SMALL, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    snapshot_file.save(SMALL, tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert snapshot_file.load(tmp_path / "real.json") == SMALL


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text("before", encoding="utf-8")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"a\.json: the snapshot cannot be written there: No space left on device"):
        snapshot_file.save(SMALL, path)
    assert path.read_text(encoding="utf-8") == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("name", ["absent/a.json", "."])
def test_where_nothing_can_be_written_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be written there"):
        snapshot_file.save(SMALL, tmp_path / name)


def test_a_dash_is_stdout_and_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written))
    snapshot_file.save(SMALL, "-")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(written.getvalue())))
    assert snapshot_file.load("-") == SMALL


def document(**changed: Any) -> bytes:
    return msgspec.json.encode(
        {"apiVersion": "eksnetpol.io/v1", "kind": "ClusterSnapshot", "schemaVersion": SCHEMA_VERSION} | changed
    )


WHOLE = snapshot_file.encode(ClusterSnapshot(target=Target(cluster="prod"), server_version=Seen("v1.33.4")))
ZIPPED = gzip.compress(WHOLE, mtime=0)


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        (b"", "f", "this is empty"),
        (b" \n", "f", "this is empty"),
        (b"apiVersion: v1\nkind: List\n", "f:1", "this is not JSON: invalid character (column 1)"),
        (b'{"a": 1,\n "b": x}', "f:2", "this is not JSON: invalid character (column 7)"),
        (b'{"a": 1}\n{"b": 2}', "f:2", "trailing characters"),
        (b'{"kind":\n"\xff"}', "f:2", "this is not JSON"),
        (WHOLE[:-20], "f:1", "the JSON ends too early"),
        (b"[]", "f", "this is no eksnetpol.io/v1 ClusterSnapshot"),
        (b'{"apiVersion": 1}', "f", "this is no eksnetpol.io/v1 ClusterSnapshot"),
        (b'{"source": 3,\n x', "f:2", "this is not JSON"),
        (b"{}", "f", "this has no apiVersion and kind, expected eksnetpol.io/v1 ClusterSnapshot"),
        (b'{"apiVersion": "v1", "kind": "List", "items": []}', "f", "this is a v1 List, expected"),
        (b'{"apiVersion": "v1", "kind": "List", "items": []}', "f", "use --manifests for Kubernetes objects"),
        (b'{"apiVersion": "v1", "kind": "Pod", "source": 3}', "f", "this is a v1 Pod"),
        (document(kind="Report"), "f", "this is a eksnetpol.io/v1 Report"),
        (document(schemaVersion=0), "f", "schemaVersion is missing"),
        (document(nodes={"state": "seen", "value": [{"metadata": {}}, {"metadata": 3}]}), "f", "nodes.value[1].metadata: "),
        (document(nodes={"state": "guessed"}), "f", "nodes.state: invalid value 'guessed'"),
        (document(nodes={"value": []}), "f", "nodes: object missing required field `state`"),
        (
            document(pods={"state": "seen", "value": [{"metadata": {"labels": {"a": 1}}}]}),
            "f",
            "pods.value[0].metadata.labels: expected `str`, got `int`",
        ),
        (
            document(pods={"state": "seen", "value": [{"metadata": {}, "spec": {"containers": {}}}]}),
            "f",
            "pods.value[0].spec.containers: expected `array`, got `object`",
        ),
        (b'{"nodes":' + b"[" * 100_000, "f", "nested too deeply"),
        (ZIPPED[:-9], "f", "the gzip data ends too early"),
        (ZIPPED[:5], "f", "the gzip data ends too early"),
        (ZIPPED[:-8] + b"\0" * 8, "f", "the gzip data is damaged"),
        (ZIPPED + b"more", "f", "the gzip data is damaged"),
        (gzip.compress(b"\0" * 5_000_000, mtime=0), "f", "unfolds to more than 1,000,000 bytes"),
    ],
)
def test_what_is_no_snapshot_gets_one_line_with_its_place(tmp_path: Path, data: bytes, place: str, words: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(data)
    with pytest.raises(UnreadableInput) as raised:
        snapshot_file.load(path, limit=1_000_000)
    assert raised.value.place == str(path.with_name(place))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("changed", [{}, {"nodes": {"state": "seen", "value": "packed"}}])
def test_a_newer_snapshot_is_refused_not_misread(changed: dict[str, Any]) -> None:
    data = document(schemaVersion=SCHEMA_VERSION + 1, toolVersion="9.1.0", **changed)
    with pytest.raises(UnreadableInput) as raised:
        snapshot_file.decode(data, "f")
    assert f"written by eksnetpol 9.1.0 in schema version {SCHEMA_VERSION + 1}" in str(raised.value)
    assert "update eksnetpol" in str(raised.value)


def test_a_bomb_costs_no_more_than_the_limit(tmp_path: Path) -> None:
    squeezed = zlib.compressobj(9, wbits=31)
    path = tmp_path / "bomb.gz"
    path.write_bytes(b"".join(squeezed.compress(b" " * (1 << 20)) for _ in range(300)) + squeezed.flush())
    with pytest.raises(UnreadableInput, match="unfolds to more than 10 bytes"):
        snapshot_file.load(path, limit=10)


def test_a_file_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        snapshot_file.load(tmp_path / "absent.json")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        snapshot_file.load(tmp_path)
