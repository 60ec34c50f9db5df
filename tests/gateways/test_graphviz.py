from __future__ import annotations

from pathlib import Path

import pytest

from eksnetpol.errors import EksNetpolError, UsageError
from eksnetpol.gateways import graphviz


def program(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dot = folder / "dot"
    dot.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_dot_goes_in_and_a_picture_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, 'echo "$1 of"; cat', monkeypatch)
    assert graphviz.draw("digraph {}") == "-Tsvg of\ndigraph {}"


def test_a_missing_program_is_told_with_what_works_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no program `dot` on the PATH; install graphviz, or take -o dot or -o mermaid"):
        graphviz.draw("digraph {}")


def test_what_dot_complains_of_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "echo 'syntax error in line 1' >&2; exit 1", monkeypatch)
    with pytest.raises(EksNetpolError, match="dot could not draw the graph: syntax error in line 1"):
        graphviz.draw("{")


def test_a_graph_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "exec sleep 5", monkeypatch)
    with pytest.raises(EksNetpolError, match="did not draw the graph within 0 s; collapse it with --by namespace"):
        graphviz.draw("digraph {}", patience=0.05)
