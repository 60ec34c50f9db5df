"""A quiet place to run commands in: an empty folder, no kubeconfig, no variables of ours; and a small snapshot."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eksnetpol.cli.entry import run
from eksnetpol.gateways import snapshot_file
from eksnetpol.model import eks
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Target, Unread, Why

LOOKED = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def quiet_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.startswith(("EKSNETPOL_", "AWS_")) or name in {"KUBECONFIG", "NO_COLOR", "FORCE_COLOR", "COLUMNS"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command in this process."""

    def call(*args: str) -> Ended:
        code = run(args)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return call


@pytest.fixture
def process(quiet_place: Path) -> Callable[..., Ended]:
    """Run a command as a process of its own."""

    def call(*args: str, stdin: str = "", **env: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "eksnetpol", *args],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=quiet_place,
            env=environment(**env),
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return call


def environment(**more: str) -> dict[str, str]:
    """The environment of this process, with the checkout on the path."""
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": root, **more}


def snapshot(version: str = "1.33") -> ClusterSnapshot:
    """A look at a cluster that could read little."""
    return ClusterSnapshot(
        taken_at=LOOKED,
        target=Target(cluster="shop", region="eu-west-1", account="111122223333"),
        cluster=Seen(eks.Cluster(name="shop", version=version, platform_version="eks.18")),
        server_version=Seen(f"v{version}.4-eks-ba24e9c"),
        nodes=Unread("nodes is forbidden: cannot list resource", Why.DENIED, "list nodes"),
    )


@pytest.fixture
def saved(quiet_place: Path) -> str:
    """The file of a snapshot of a cluster of today."""
    return _save(snapshot(), quiet_place / "shop.json.gz")


@pytest.fixture
def old(quiet_place: Path) -> str:
    """The file of a snapshot of a cluster that is too old."""
    return _save(snapshot("1.24"), quiet_place / "old.json")


def _save(value: ClusterSnapshot, path: Path) -> str:
    snapshot_file.save(value, path)
    return path.name
