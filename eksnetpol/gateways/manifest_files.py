"""A snapshot made of files: manifests, kustomize output, rendered charts, and what `kubectl get -o json` prints.

Files name what they name and say nothing of the rest: no section is complete, and those without any object are unread.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
from msgspec.structs import replace

from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.gateways.collector_pause import collector_paused
from eksnetpol.gateways.kubernetes_custom import EXAMPLES
from eksnetpol.gateways.manifest_kinds import foreign_plural, reading_of
from eksnetpol.gateways.manifest_objects import Found, Tell, objects, problem_of
from eksnetpol.gateways.manifest_pods import SUFFIXES, Pods
from eksnetpol.gateways.yaml_reader import forget
from eksnetpol.model.admin_policies import GROUP as ADMIN_GROUP
from eksnetpol.model.admin_policies import title_of
from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import EndpointSlice, KindCount
from eksnetpol.model.problems import Problem
from eksnetpol.model.snapshot import SECTIONS, ClusterSnapshot, Origin, Seen, SourceKind, Unread, Why
from eksnetpol.policy.validation import flaws, is_validated

_ENDINGS = (".yaml", ".yml", ".json")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_NAMED_IN_NOTES = 5

Note = Callable[[str], None]


def read_manifests(
    paths: Sequence[str],
    stdin: BinaryIO | None = None,
    note: Note = lambda _: None,
    *,
    any_file: bool = False,
    problems: Tell | None = None,
) -> ClusterSnapshot:
    """Return what the objects in *paths* amount to: files, directories with all below them, ``-`` for *stdin*.

    *note* is told what was left out: files of a directory that hold no objects, and kinds that nobody reads. Raises
    `UnreadableInput` with file and line for what is broken or of a wrong type, for an input without any document and for a
    directory without any object; `UsageError` for a path that does not exist. With *any_file* a file that is named may be
    something else altogether, as those in a directory may.

    With *problems* what is broken, of a wrong type, or a policy that the API server would refuse is left out, and *problems* is
    told of each fault; `UnreadableInput` then remains for an input that holds nothing at all.
    """
    if not paths:
        raise UsageError("no manifests were given; name files or directories, or - for stdin")
    gathered = Gathered(note, problems)
    try:
        with collector_paused():
            for path in paths:
                for found in _objects(path, stdin, gathered, any_file):
                    gathered.add(found)
    finally:
        forget()
    return gathered.snapshot()


# --- files ------------------------------------------------------------------------------------------------------------


class Tree(NamedTuple):
    """Folders with files: those of the disk, or of a revision."""

    walk: Callable[[str], Iterator[tuple[str, list[str], list[str]]]]
    """Yields folder, names of folders in it and names of files in it, as `os.walk` does; it honours what is taken away."""
    join: Callable[[str, str], str]
    """What to call what is in a folder."""
    read: Callable[[str], bytes]
    """Returns what a file holds."""


def _objects(path: str, stdin: BinaryIO | None, gathered: Gathered, any_file: bool) -> Iterator[Found]:
    if path == "-":
        if stdin is None:
            raise UsageError("- stands for stdin, and there is none")
        yield from objects(stdin.read(), "stdin", tell=gathered.tell) or ()
    elif Path(path).is_dir():
        yield from below(path, _DISK, gathered)
    else:
        found = objects(_read(path), path, any_file=any_file, tell=gathered.tell)
        if found is None:
            gathered.note(f"{path}: no Kubernetes objects, left out")
        yield from found or ()


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - thousands of small files: a Path for each costs as much again
            return file.read()
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file or directory") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def below(top: str, tree: Tree, gathered: Gathered) -> Iterator[Found]:
    """Yield the objects in all files below *top* of *tree*; *gathered* is told what is left out.

    Raises as `read_manifests` does.
    """
    any_found = False
    files = _Files()
    empty: list[str] = []
    before = gathered.told
    for path in files.below(top, tree):
        found = objects(tree.read(path), path, any_file=True, tell=gathered.tell)
        if found is None:
            empty.append(path)
        else:
            any_found = any_found or bool(found)
            yield from found
    for paths, words in (
        (empty, "no Kubernetes objects, left out"),
        (files.charts, "a chart's templates, left out; give the output of `helm template`"),
        (files.kustomizations, "left out, as is what it would change; give the output of `kustomize build`"),
    ):
        if paths:
            gathered.note(f"{_some(paths)}: {words}")
    if not any_found and gathered.told == before:
        raise UnreadableInput(top, "no Kubernetes objects are here; expected *.yaml, *.yml or *.json below it")


class _Files:
    """Walks through directories, and keeps what it passes by: templates of charts, and kustomizations."""

    def __init__(self) -> None:
        self.charts: list[str] = []
        self.kustomizations: list[str] = []

    def below(self, top: str, tree: Tree) -> Iterator[str]:
        """Yield the files below *top* that may hold objects, in order; hidden ones are not looked at."""
        for folder, folders, files in tree.walk(top):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            is_chart = "Chart.yaml" in files
            if is_chart and "templates" in folders:
                folders.remove("templates")
                self.charts.append(tree.join(folder, "templates"))
            for name in sorted(files):
                path = tree.join(folder, name)
                if name in _KUSTOMIZATIONS:
                    self.kustomizations.append(path)
                elif is_chart and (name == "Chart.yaml" or name.startswith("values")):
                    continue
                elif name.endswith(_ENDINGS) and not name.startswith("."):
                    yield path


def _unreadable(error: OSError) -> None:
    raise UsageError(f"{error.filename}: cannot be read: {error.strerror}") from error


# The path as it was given, ./ included.
_DISK = Tree(lambda top: os.walk(top, onerror=_unreadable), os.path.join, _read)


def _some(names: Iterable[str]) -> str:
    ordered = list(names)
    more = len(ordered) - _NAMED_IN_NOTES
    return ", ".join(ordered[:_NAMED_IN_NOTES]) + (f" and {more} more" if more > 0 else "")


# --- the snapshot -----------------------------------------------------------------------------------------------------


class Gathered:
    """Objects by section, each once: of two with the same name the later counts, as when they are applied in order.

    *note* is told what was left out; *problems*, where there is any, of everything that is malformed (see `read_manifests`).
    """

    def __init__(self, note: Note, problems: Tell | None = None) -> None:
        self.note = note
        self.told = 0
        """How many problems there were so far."""
        self._problems = problems
        self._sections: dict[str, dict[tuple[str, str, str], Any]] = {}
        self._pods = Pods()
        self._origins: dict[str, Origin] = {}
        self._less_exactly: dict[str, Origin] = {}
        self._foreign: dict[tuple[str, str, str], list[str]] = {}
        self._unread: Counter[str] = Counter()
        self._again: list[str] = []

    @property
    def tell(self) -> Tell | None:
        """Who is to be told of problems; None where they are to be raised."""
        return None if self._problems is None else self._tell

    def add(self, found: Found) -> None:
        """Take an object."""
        if self._problems is None:
            self._add(found)
            return
        subject = _subject(found)
        if is_validated(found.group, found.kind):
            faults = flaws(found.group, found.kind, msgspec.json.decode(found.data))
            for fault in faults:
                self._tell(Problem(found.place(fault.steps), fault.message, subject, fault.field))
            if faults:
                return
        try:
            self._add(found)
        except UnreadableInput as error:
            problem = problem_of(error)
            self._tell(replace(problem, message=problem.message.removeprefix(f"{found.title}: "), subject=subject))

    def _tell(self, problem: Problem) -> None:
        self.told += 1
        if self._problems is not None:
            self._problems(problem)

    def _add(self, found: Found) -> None:
        reading = reading_of(found)
        plural = foreign_plural(found)
        if (found.group, found.kind) == ("", "Pod"):
            pod = self._pods.add(found)
            self._came(found, Subject("Pod", pod.name, pod.namespace))
        elif reading is not None:
            thing = reading.read(found)
            if thing is None:
                self._unread[found.kind] += 1
            else:
                meta = thing.metadata
                section = self._sections.setdefault(reading.section, {})
                if reading.section == "foreign_policies":
                    section[f"{found.kind}.{found.group}", meta.namespace, meta.name] = thing
                    self._came_from_another_engine(found, meta.name, meta.namespace)
                else:
                    section[found.kind, meta.namespace, meta.name] = thing
                    self._came(found, Subject(_title(found), meta.name, meta.namespace))
        elif not plural and (found.group, found.kind) not in SUFFIXES:
            self._unread[found.kind] += 1
        if plural:
            names = self._foreign.setdefault((found.group, found.kind, plural), [])
            names.append("/".join(p for p in (found.namespace, found.name) if p))
        if (found.group, found.kind) in SUFFIXES:
            made = self._pods.add_template(found)
            if made is not None:
                subject = str(Subject("Pod", made.name, made.namespace))
                self._origins[subject] = Origin(found.file, found.line)

    def snapshot(self) -> ClusterSnapshot:
        """Return everything gathered; what is in no file is unread."""
        if self._unread:
            kinds = (f"{kind} ({count})" for kind, count in sorted(self._unread.items()))
            self.note(f"objects that nothing here reads: {_some(kinds)}")
        if self._again:
            self.note(f"there more than once, so that the last counts: {_some(self._again)}")
        counts = tuple(
            KindCount(group, kind, plural, len(names), tuple(names[:EXAMPLES]))
            for (group, kind, plural), names in sorted(self._foreign.items())
        )
        values: dict[str, tuple[Any, ...]] = {name: tuple(kept.values()) for name, kept in self._sections.items()}
        values["api_server_endpoints"] = tuple(filter(_is_of_api_server, values.get("endpoint_slices", ())))
        values |= {"pods": self._pods.all(), "agent_pods": self._pods.agents(), "foreign_kinds": counts}
        sections: dict[str, Any] = {
            name: Seen(values[name], complete=False)
            if values.get(name)
            else Unread(f"{name.replace('_', ' ')}: not in the files given", Why.NOT_IN_FILES)
            for name in SECTIONS
        }
        origins = {**self._less_exactly, **self._origins}
        return ClusterSnapshot(taken_at=datetime.now(UTC), source=SourceKind.MANIFESTS, origins=origins, **sections)

    def _came(self, found: Found, subject: Subject) -> None:
        origin = Origin(found.file, found.line)
        before = self._origins.get(str(subject))
        if before is not None and before != origin:
            self._again.append(f"{subject} ({before.file}:{before.line} and {origin.file}:{origin.line})")
        self._origins[str(subject)] = origin


    def _came_from_another_engine(self, found: Found, name: str, namespace: str) -> None:
        """Take note of a policy by kind and group: engines have kinds of one name, and so has Kubernetes.

        Readers call it by its kind, too, or by the group that Calico and Antrea give it in documents.
        """
        self._came(found, Subject(f"{found.kind}.{found.group}", name, namespace))
        for title in (f"{found.kind}.{found.group.removeprefix('crd.')}", found.kind):
            self._less_exactly.setdefault(str(Subject(title, name, namespace)), Origin(found.file, found.line))


def _is_of_api_server(one: EndpointSlice) -> bool:
    return (one.metadata.namespace, one.metadata.name) == ("default", "kubernetes")


def _title(found: Found) -> str:
    return title_of(found.kind) if found.group == ADMIN_GROUP else found.kind


def _subject(found: Found) -> Subject:
    name = found.name or "(without a name)"
    reading = reading_of(found)
    namespaced = (reading is None and found.kind != "Namespace") or (reading is not None and reading.namespaced)
    return Subject(_title(found), name, (found.namespace or "default") if namespaced else "")
