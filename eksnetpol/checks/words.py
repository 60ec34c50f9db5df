"""Many objects in few words: what checks say of a thousand pods is one line per namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.universe import Classes, PodClass, Universe

FEW = 5


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 pod``, ``2 pods``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


counted = count
"""The same, by the name other checks know it by."""


def few(names: Iterable[str], most: int = FEW) -> tuple[str, ...]:
    """Return the first *most* different names, and how many are left unsaid."""
    distinct = tuple(dict.fromkeys(names))
    rest = len(distinct) - most
    return (*distinct[:most], f"and {rest} more") if rest > 0 else distinct


def listed(names: Iterable[str], most: int = FEW) -> str:
    """Return the first *most* different names in one text."""
    return ", ".join(few(names, most=most))


def owner_of(pod: Pod) -> Subject:
    """Return the workload of *pod* by the name people know it by: the Deployment of a ReplicaSet; the pod where it has none."""
    owners = pod.metadata.owner_references
    if not owners:
        return Subject("Pod", pod.name, pod.namespace)
    owner = next((o for o in owners if o.controller), owners[0])
    suffix = "-" + pod.labels.get("pod-template-hash", "")
    if owner.kind == "ReplicaSet" and len(suffix) > 1 and owner.name.endswith(suffix):
        return Subject("Deployment", owner.name.removesuffix(suffix), pod.namespace)
    return Subject(owner.kind, owner.name, pod.namespace)


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
