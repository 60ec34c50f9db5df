from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from eksnetpol.errors import UsageError
from eksnetpol.gateways import snapshot_file
from eksnetpol.gateways.states import read_state
from eksnetpol.model.snapshot import ClusterSnapshot, SourceKind, Target

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "no-ending"])
def test_a_snapshot_is_known_by_what_is_in_it(name: str) -> None:
    made = ClusterSnapshot(target=Target(cluster="shop"))
    snapshot_file.save(made, name)
    assert read_state(name) == made


def test_manifests_are_what_is_none(here: Path) -> None:
    (here / "n.yaml").write_text(NAMESPACE, encoding="utf-8")
    (here / "n.json").write_text('{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}', encoding="utf-8")
    for word in ("n.yaml", "n.json", "."):
        assert read_state(word).source is SourceKind.MANIFESTS


def test_a_file_goes_before_a_revision_of_its_name(here: Path) -> None:
    (here / "main:k8s").write_text(NAMESPACE, encoding="utf-8")
    assert read_state("main:k8s").source is SourceKind.MANIFESTS


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("nowhere", "nowhere: there is no such file or directory; expected a snapshot, manifests, or REVISION:PATH"),
        ("main:k8s", "main:k8s: "),
        ("cut.gz", "cut.gz"),
        ("other.gz", "other.gz"),
    ],
)
def test_what_is_no_state_is_told(here: Path, word: str, words: str) -> None:
    (here / "cut.gz").write_bytes(gzip.compress(snapshot_file.encode(ClusterSnapshot()))[:40])
    (here / "other.gz").write_bytes(gzip.compress(b"hello"))
    with pytest.raises(UsageError, match=words):
        read_state(word)
