"""The command line against a real API server: who may read, who may not, and a snapshot that answers as the cluster did."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ended
from tests.testbed.cluster import ControlPlane, User

pytestmark = pytest.mark.testbed

Process = Callable[..., Ended]
ROLE = Path(__file__).parents[2] / "templates" / "rbac" / "clusterrole-read.yaml"
READER = User("reader", ("eksnetpol-read",))
NOBODY = User("nobody", ())


@pytest.fixture
def reader(control_plane: ControlPlane) -> str:
    control_plane.apply(ROLE)
    return str(control_plane.kubeconfig(READER))


def test_who_holds_the_shipped_role_misses_nothing(process: Process, reader: str) -> None:
    ended = process("permissions", "check", "--kubeconfig", reader, "-o", "json")
    counts = json.loads(ended.out)["counts"]
    assert (ended.code, counts["missing"]) == (3, 0), ended.out
    assert counts["granted"] > 0


def test_who_holds_nothing_is_told_what_is_missing(process: Process, control_plane: ControlPlane) -> None:
    ended = process("permissions", "check", "--kubeconfig", str(control_plane.kubeconfig(NOBODY)))
    assert ended.code == 1
    assert "\nmissing: no RBAC rule grants it\n" in ended.out
    assert "\n  list nodes\n" in ended.out
    assert "`eksnetpol permissions show preflight`" in ended.out


def test_a_snapshot_answers_as_the_cluster_did(process: Process, reader: str) -> None:
    def results(ended: Ended) -> list[tuple[str, str]]:
        assert ended.code == 1, ended.err
        return [(r["id"], r["outcome"]) for r in json.loads(ended.out)["results"]]

    assert process("snapshot", "save", "here.json.gz", "--kubeconfig", reader).code == 0
    live = results(process("preflight", "--kubeconfig", reader, "-o", "json"))
    assert results(process("preflight", "--snapshot", "here.json.gz", "-o", "json")) == live


def test_progress_is_a_line_for_each_section_where_it_is_asked_for(process: Process, reader: str) -> None:
    ended = process("preflight", "--kubeconfig", reader, "-v", "-o", "json=report.json")
    assert ended.out == ""
    assert re.search(r"^eksnetpol: namespaces: \d+$", ended.err, re.MULTILINE)
    assert "not read: as before" in ended.err
    assert "eksnetpol: namespaces" not in process("preflight", "--kubeconfig", reader).err
