"""Many objects in few words: what checks say of a thousand pods is one line per namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eksnetpol.model.findings import Subject
from eksnetpol.policy.owners import owner_of
from eksnetpol.policy.universe import Classes, PodClass, Universe

FEW = 5


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 pod``, ``2 pods``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def few(names: Iterable[str], most: int = FEW) -> tuple[str, ...]:
    """Return the first *most* different names, and how many are left unsaid."""
    distinct = tuple(dict.fromkeys(names))
    rest = len(distinct) - most
    return (*distinct[:most], f"and {rest} more") if rest > 0 else distinct


def listed(names: Iterable[str], most: int = FEW) -> str:
    """Return the first *most* different names in one text."""
    return ", ".join(few(names, most=most))


def some(names: Iterable[str], most: int = FEW) -> tuple[str, ...]:
    """Return the first *most* different names, and whether there are others; what comes after these is not even made."""
    found: dict[str, None] = {}
    for name in names:
        if name not in found and len(found) == most:
            return (*found, "and others")
        found[name] = None
    return tuple(found)


def examples(universe: Universe, classes: Classes) -> tuple[str, ...]:
    """Return the first few workloads of *classes*."""
    return some(str(owner_of(c.example)) for c in universe.members(classes))


def workloads(classes: Iterable[PodClass]) -> tuple[Subject, ...]:
    """Return the different workloads of *classes*, in their order."""
    return tuple(dict.fromkeys(owner_of(c.example) for c in classes))


@dataclass(frozen=True, slots=True)
class Group:
    """Classes of one namespace: how many pods they are, and of which workloads."""

    namespace: str
    classes: tuple[PodClass, ...]
    pods: int

    @property
    def subject(self) -> Subject:
        """The namespace, as findings name it."""
        return Subject("Namespace", self.namespace)

    @property
    def workloads(self) -> tuple[Subject, ...]:
        """The workloads."""
        return workloads(self.classes)

    @property
    def evidence(self) -> tuple[str, ...]:
        """The first few workloads, by name."""
        return few(str(w) for w in self.workloads)


def by_namespace(universe: Universe, classes: Classes) -> Iterator[Group]:
    """Sort *classes* by namespace; namespaces in the order their pods were read."""
    for namespace, within in universe.in_namespace.items():
        if within & classes:
            members = tuple(universe.members(within & classes))
            yield Group(namespace, members, sum(len(c.pods) for c in members))
