"""Pods that may come: the labels that workloads give theirs, whether any runs now or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eksnetpol.facts.declare import fact
from eksnetpol.model.kubernetes import Workload
from eksnetpol.model.selectors import LabelSelector
from eksnetpol.model.snapshot import Unread


@dataclass(frozen=True, slots=True)
class Templates:
    """Labels of the pod templates of each namespace."""

    by_namespace: Mapping[str, tuple[Mapping[str, str], ...]]

    def any(self, namespaces: Iterable[str], selector: LabelSelector | None) -> bool:
        """Say whether some workload of *namespaces* makes pods that *selector* means; None means all of them."""
        labels = (labels for namespace in namespaces for labels in self.by_namespace.get(namespace, ()))
        return any(selector is None or selector.matches(own) for own in labels)


@fact
def templates(
    deployments: tuple[Workload, ...] | Unread,
    statefulsets: tuple[Workload, ...] | Unread,
    daemonsets: tuple[Workload, ...] | Unread,
    jobs: tuple[Workload, ...] | Unread,
    cronjobs: tuple[Workload, ...] | Unread,
) -> Templates:
    """Templates of all workloads that could be read: a CronJob between two runs, a Deployment scaled to nothing."""
    found: dict[str, list[Mapping[str, str]]] = {}
    for section in (deployments, statefulsets, daemonsets, jobs, cronjobs):
        for workload in () if isinstance(section, Unread) else section:
            found.setdefault(workload.metadata.namespace, []).append(workload.spec.template.metadata.labels)
    return Templates({namespace: tuple(labels) for namespace, labels in found.items()})
