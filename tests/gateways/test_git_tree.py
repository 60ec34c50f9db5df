"""A revision is read as the work tree it came from would be, and the work tree of today is left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.gateways.git_tree import is_revision, read_revision
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.gateways.states import read_state
from eksnetpol.model.problems import Problem
from eksnetpol.model.snapshot import ClusterSnapshot, Origin, Seen
from tests.benchmarks.manifest_tree import write

POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: %s, namespace: shop}
spec: {podSelector: {}}
"""


def git(folder: Path, *words: str) -> str:
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_CONFIG_GLOBAL": os.devnull}
    identity |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}
    done = subprocess.run(["git", *words], cwd=folder, env=os.environ | identity, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, message: str = "change") -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose first commit has one policy below ``k8s``, and whose second has another."""
    folder = tmp_path / "repository"
    (folder / "k8s" / "deep").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "k8s" / "a.yaml").write_text(POLICY % "first")
    (folder / "README.md").write_text("kind: of\n")
    commit(folder)
    (folder / "k8s" / "a.yaml").unlink()
    (folder / "k8s" / "deep" / "b.yaml").write_text(POLICY % "second")
    commit(folder, "fix: policies")
    return folder


def names(snapshot: ClusterSnapshot) -> list[str]:
    seen = snapshot.network_policies
    return [policy.name for policy in seen.value] if isinstance(seen, Seen) else []


@pytest.mark.parametrize(
    ("spec", "found", "file"),
    [
        ("HEAD~1:k8s", "first", "HEAD~1:k8s/a.yaml"),
        ("HEAD:k8s/", "second", "HEAD:k8s/deep/b.yaml"),
        ("main:k8s/deep/b.yaml", "second", "main:k8s/deep/b.yaml"),
        ("main:", "second", "main:k8s/deep/b.yaml"),
        ("main:.", "second", "main:k8s/deep/b.yaml"),
        ("main:./k8s/deep", "second", "main:./k8s/deep/b.yaml"),
        ("HEAD^{/fix: policies}:k8s", "second", "HEAD^{/fix: policies}:k8s/deep/b.yaml"),
    ],
)
def test_a_revision_is_named_as_git_names_it(repository: Path, spec: str, found: str, file: str) -> None:
    snapshot = read_revision(spec, folder=repository)
    assert names(snapshot) == [found]
    assert snapshot.origins[f"networkpolicy/shop/{found}"] == Origin(file, 1)


def test_a_path_from_below_may_begin_here(repository: Path) -> None:
    assert names(read_revision("HEAD:./deep", folder=repository / "k8s")) == ["second"]
    assert names(read_revision("HEAD:k8s", folder=repository / "k8s")) == ["second"]


def test_the_work_tree_is_neither_read_nor_changed(repository: Path) -> None:
    (repository / "k8s" / "deep" / "b.yaml").write_text("{{ not yet }}\n")
    (repository / "k8s" / "new.yaml").write_text(POLICY % "new")
    before = git(repository, "status", "--porcelain")
    assert names(read_revision("HEAD:k8s", folder=repository)) == ["second"]
    assert git(repository, "status", "--porcelain") == before


def test_it_is_read_as_the_same_files_on_disk(tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    write(folder, apps=30)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "a.yaml").write_text(POLICY % "hidden")
    (folder / "chart" / "templates").mkdir(parents=True)
    (folder / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: chart\n")
    (folder / "chart" / "templates" / "a.yaml").write_text("kind: {{ template }}\n")
    (folder / "kustomization.yaml").write_text("kind: Kustomization\nresources: [a.yaml]\n")
    (folder / "notes.yaml").write_text("a: 1\n")
    (folder / "team-00" / "ünï code.yaml").write_text(POLICY % "unicode")
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    there: list[str] = []
    here: list[str] = []
    revision = read_revision("main:", there.append, folder=folder)
    disk = read_manifests([str(folder)], note=here.append)
    assert there == [note.replace(f"{folder}/", "main:") for note in here]
    origins = {name: Origin(o.file.replace(f"{folder}/", "main:"), o.line) for name, o in disk.origins.items()}
    assert revision.origins == origins
    assert replace(revision, origins={}) == replace(disk, origins={}, taken_at=revision.taken_at)


def test_what_is_malformed_is_told_with_its_place(repository: Path) -> None:
    bad = (POLICY % "bad").replace("{podSelector: {}}", "\n  podSelector: {}\n  policyTypes: [In]")
    (repository / "k8s" / "bad.yaml").write_text(bad)
    commit(repository)
    told: list[Problem] = []
    assert names(read_revision("HEAD:k8s", problems=told.append, folder=repository)) == ["second"]
    assert [str(p) for p in told] == [
        "HEAD:k8s/bad.yaml:6: networkpolicy/shop/bad: spec.policyTypes[0]: 'In' is none of Ingress, Egress"
    ]


def test_symbolic_links_are_left_out_and_said(repository: Path) -> None:
    (repository / "k8s" / "link.yaml").symlink_to("deep/b.yaml")
    commit(repository)
    said: list[str] = []
    assert names(read_revision("HEAD:k8s", said.append, folder=repository)) == ["second"]
    assert said == ["HEAD:k8s/link.yaml: symbolic links, left out"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("v9:k8s", "v9:k8s: there is no revision v9 in this Git repository"),
        ("HEAD:charts", "HEAD:charts: there is no such file or directory in HEAD"),
        ("HEAD~9:k8s", "HEAD~9:k8s: there is no revision HEAD~9 in this Git repository"),
    ],
)
def test_what_is_not_there_is_named(repository: Path, spec: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        read_revision(spec, folder=repository)
    assert str(error.value) == message


def test_a_directory_without_objects_is_refused_as_on_disk(repository: Path) -> None:
    (repository / "empty").mkdir()
    (repository / "empty" / "a.txt").write_text("a")
    commit(repository)
    with pytest.raises(UnreadableInput, match=r"^HEAD:empty: no Kubernetes objects are here"):
        read_revision("HEAD:empty", folder=repository)


def test_outside_of_a_repository_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="main:k8s: there is no such file, and this is no Git repository"):
        read_revision("main:k8s", folder=tmp_path)


def test_without_git_it_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(UsageError, match="main:k8s: a revision is read through git, and there is no git here"):
        read_revision("main:k8s", folder=repository)


def test_a_shallow_clone_says_what_helps(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
    with pytest.raises(UsageError, match="only its newest commits; fetch the others"):
        read_revision("HEAD~1:k8s", folder=tmp_path / "shallow")


@pytest.mark.parametrize("spec", ["main:k8s", "HEAD~1:", "a/b:c", "v1.2:./x", "HEAD^{/a: b}:k8s"])
def test_these_are_written_as_revisions(spec: str) -> None:
    assert is_revision(spec)


@pytest.mark.parametrize("spec", ["k8s", "-", ":k8s", "--output=x:y", "", "a\n:b"])
def test_these_are_not(spec: str) -> None:
    assert not is_revision(spec)


def test_a_file_of_that_name_goes_before_a_revision(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    assert names(read_state("HEAD~1:k8s")) == ["first"]
    shutil.copytree("k8s", "HEAD~1:k8s")
    assert names(read_state("HEAD~1:k8s")) == ["second"]
