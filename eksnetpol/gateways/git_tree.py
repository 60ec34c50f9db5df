"""Manifests as a Git revision has them, read from the object store of the repository around: the work tree is left alone.

What is meant is written as Git writes it, ``REVISION:PATH``: ``main:k8s``, ``HEAD~1:deploy/``, ``v1.2.0:``. The path is below the
top of the repository, unless it begins with ``./``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from eksnetpol.errors import UsageError
from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.gateways.manifest_files import Gathered, Tree, below
from eksnetpol.gateways.manifest_objects import Tell, objects
from eksnetpol.gateways.yaml_reader import forget
from eksnetpol.model.snapshot import ClusterSnapshot

_FILE, _EXECUTABLE, _LINK = "100644", "100755", "120000"


def is_revision(spec: str) -> bool:
    """Say whether *spec* is written as ``REVISION:PATH``. Whether there is such a file or such a revision is not asked."""
    revision, colon, _ = _parted(spec)
    return bool(colon) and bool(revision) and not revision.startswith("-") and revision.isprintable()


def read_revision(
    spec: str,
    note: Callable[[str], None] = lambda _: None,
    *,
    problems: Tell | None = None,
    folder: str | Path | None = None,
) -> ClusterSnapshot:
    """Return what the objects of *spec* amount to, ``REVISION:PATH`` with the path of a directory or of a file.

    Files are read as `manifest_files.read_manifests` reads them, with *note* and *problems* as there, and are called
    ``REVISION:PATH``. *folder* is where the repository is, the current directory where none is given. Raises `UsageError` when
    there is no git, no repository, no such revision or nothing at that path.
    """
    git = _Git(spec, folder)
    revision, _, path = _parted(spec)
    tree = git.answer("rev-parse", "--verify", "--quiet", f"{revision}^{{tree}}")
    if not tree:
        raise UsageError(f"{spec}: {git.no_revision(revision)}")
    where = "./" if path == "." else path.rstrip("/")
    found = git.answer("rev-parse", "--verify", "--quiet", f"{tree}:{where}")
    kind = found and git.answer("cat-file", "-t", found)
    if kind not in {"tree", "blob"}:
        raise UsageError(f"{spec}: there is no such file or directory in {revision}")
    gathered = Gathered(note, problems)
    title = f"{revision}:{'' if where == './' else where}"
    try:
        with collector_paused(), git.objects() as read:
            if kind == "blob":
                for thing in objects(read(found), title, tell=gathered.tell) or ():
                    gathered.add(thing)
            else:
                for thing in below(title, _tree(title, git.listing(found), read, note), gathered):
                    gathered.add(thing)
    finally:
        forget()
    return gathered.snapshot()


def _parted(spec: str) -> tuple[str, str, str]:
    """Cut *spec* at the first colon that is in no braces: ``HEAD^{/fix: it}:k8s`` is about a commit that says *fix: it*."""
    depth = 0
    for at, letter in enumerate(spec):
        depth += (letter == "{") - (letter == "}")
        if letter == ":" and depth <= 0:
            return spec[:at], ":", spec[at + 1 :]
    return spec, "", ""


def _tree(
    title: str, listing: Iterator[tuple[str, str, str]], read: Callable[[str], bytes], note: Callable[[str], None]
) -> Tree:
    """Return the files of a *listing* as a tree whose top is called *title*."""
    folders: dict[str, tuple[list[str], list[str]]] = {title: ([], [])}
    names: dict[str, str] = {}

    def join(folder: str, name: str) -> str:
        return f"{folder}{name}" if folder.endswith(":") else f"{folder}/{name}"

    links = []
    for mode, name, path in listing:
        *above, last = path.split("/")
        folder = title
        for part in above:
            inner = join(folder, part)
            if inner not in folders:
                folders[inner] = ([], [])
                folders[folder][0].append(part)
            folder = inner
        if mode in {_FILE, _EXECUTABLE}:
            folders[folder][1].append(last)
            names[join(folder, last)] = name
        elif mode == _LINK and last.endswith((".yaml", ".yml", ".json")):
            links.append(join(folder, last))
    if links:
        note(f"{', '.join(links[:5])}{' and more' if links[5:] else ''}: symbolic links, left out")

    def walk(folder: str) -> Iterator[tuple[str, list[str], list[str]]]:
        inside, files = folders[folder]
        yield folder, inside, files
        for part in inside:
            yield from walk(join(folder, part))

    return Tree(walk, join, lambda path: read(names[path]))


class _Git:
    """The git program, for one repository. *spec* is what to call in errors what is read."""

    def __init__(self, spec: str, folder: str | Path | None) -> None:
        self._spec = spec
        self._folder = folder
        if self._run("rev-parse", "--git-dir").returncode:
            raise UsageError(f"{spec}: {self._why()}")

    def answer(self, *words: str) -> str:
        """Return what git prints, an empty text where it fails."""
        done = self._run(*words)
        return "" if done.returncode else done.stdout.decode(errors="surrogateescape").strip()

    def no_revision(self, revision: str) -> str:
        """Say that there is no such revision, and what may help."""
        words = f"there is no revision {revision} in this Git repository"
        if self.answer("rev-parse", "--is-shallow-repository") == "true":
            return f"{words}, which has only its newest commits; fetch the others (`git fetch --unshallow`, or fetch-depth: 0)"
        return words

    def listing(self, tree: str) -> Iterator[tuple[str, str, str]]:
        """Yield mode, name of the object and path of each file below *tree*, in the order of their paths."""
        done = self._run("ls-tree", "-r", "-z", "--full-tree", tree)
        for line in done.stdout.decode(errors="surrogateescape").split("\0"):
            if line:
                head, _, path = line.partition("\t")
                mode, _, name = head.split(" ")
                yield mode, name, path

    @contextmanager
    def objects(self) -> Iterator[Callable[[str], bytes]]:
        """Return what reads files by the name of their object, all through one process."""
        with subprocess.Popen(
            ["git", "cat-file", "--batch"],  # noqa: S607 - the person's own git
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            source, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)

            def read(name: str) -> bytes:
                source.write(f"{name}\n".encode())
                source.flush()
                head = answers.readline().split()
                if len(head) != 3 or not head[2].isdigit():  # noqa: PLR2004 - name, type, size
                    raise UsageError(f"{self._spec}: git cannot read the object {name}; `git fsck` tells more")
                data = answers.read(int(head[2]))
                answers.read(1)
                return data

            yield read

    def _run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(["git", *words], cwd=self._folder, capture_output=True, check=False)  # noqa: S603, S607 - the person's own git
        except FileNotFoundError:
            raise UsageError(f"{self._spec}: a revision is read through git, and there is no git here") from None
        except OSError as error:
            raise UsageError(f"{self._spec}: git cannot be started: {error.strerror}") from error

    def _why(self) -> str:
        said = self._run("rev-parse", "--git-dir").stderr.decode(errors="replace").strip().splitlines()
        if not said or "not a git repository" in said[0]:
            return "there is no such file, and this is no Git repository that could have a revision of that name"
        return said[0].removeprefix("fatal: ")
