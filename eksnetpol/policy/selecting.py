"""Which labels to select a workload by: few, lasting, and of no other workload where that can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from eksnetpol.model.kubernetes import Pod, Service
from eksnetpol.policy.answers import Atlas, Workload
from eksnetpol.policy.universe import Classes
from eksnetpol.policy.world import World

Labels = Mapping[str, str]

_OF_ONE_POD = frozenset({"statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"})
_OF_ONE_RELEASE = frozenset(
    {
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "controller-uid",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
    }
)
"""Labels that a controller puts on pods and changes with each roll-out, or with each pod."""

_FIRST = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component", "app", "k8s-app", "name")
_LAST = (
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
    "chart",
    "heritage",
    "version",
    "job-name",
    "batch.kubernetes.io/job-name",
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Labels to select by, and what else in the namespace they select. No labels at all select the whole namespace."""

    labels: Labels
    others: tuple[Workload, ...] = ()


@dataclass(frozen=True)
class Selecting:
    """Finds selections in one world. Looks at a namespace when it is first asked about it."""

    world: World
    atlas: Atlas
    _rows: dict[str, tuple[tuple[Workload, Labels], ...]] = field(default_factory=dict)
    _known: dict[Workload, Selection] = field(default_factory=dict)
    _services: dict[str, list[Service]] = field(default_factory=dict)

    def of(self, workload: Workload) -> Selection:
        """Return what to select *workload* by.

        Labels that its Services select by come first: the controller opens the address of a Service only where the labels of a
        peer are among those the Service selects by. Then those that are customary, and the fewest of all.
        """
        known = self._known.get(workload)
        if known is None:
            known = self._known[workload] = self._found(workload)
        return known

    def services_of(self, pods: Iterable[Pod]) -> list[Service]:
        """Return the Services with an address of their own that have all of *pods* behind them."""
        some = list(pods)
        return [s for s in self._services_in(some[0].namespace) if all(_has(p.labels, s.spec.selector) for p in some)]

    def behind(self, service: Service) -> Classes:
        """Return the classes with a pod that *service* selects; none for a Service without a selector."""
        answer = 0
        if service.spec.selector:
            for pod_class in self.atlas.universe.members(self.atlas.universe.in_namespace.get(service.namespace, 0)):
                if any(_has(pod.labels, service.spec.selector) for pod in pod_class.pods):
                    answer |= pod_class.bit
        return answer

    def pods_of(self, workload: Workload) -> list[Pod]:
        """Return the pods of *workload*."""
        return [p for c in self.atlas.universe.members(self.atlas.workloads[workload]) for p in c.pods]

    def _services_in(self, namespace: str) -> list[Service]:
        if not self._services:
            for service in self.world.services:
                if service.spec.selector and service.spec.cluster_ip not in {"", "None"}:
                    self._services.setdefault(service.namespace, []).append(service)
        return self._services.get(namespace, [])

    def _found(self, workload: Workload) -> Selection:
        pods = self.pods_of(workload)
        own = _common(pods)
        behind = [s.spec.selector for s in self.services_of(pods)]
        rank = _ranked(own, behind)
        rivals = [(w, labels) for w, labels in self._rows_in(workload.namespace) if w != workload]
        chosen: dict[str, str] = {}
        left = rivals
        for key in rank:
            kept = [(w, labels) for w, labels in left if labels.get(key) == own[key]]
            if len(kept) < len(left) or not chosen:
                chosen[key] = own[key]
                left = kept
            if not left:
                break
        for key in reversed(list(chosen)):
            fewer = {k: v for k, v in chosen.items() if k != key}
            if fewer and sum(_has(labels, fewer) for _, labels in rivals) == len(left):
                chosen = fewer
        return Selection(chosen, tuple(dict.fromkeys(w for w, _ in left)))

    def _rows_in(self, namespace: str) -> tuple[tuple[Workload, Labels], ...]:
        rows = self._rows.get(namespace)
        if rows is None:
            found: dict[tuple[Workload, bytes], Labels] = {}
            for pod_class in self.atlas.universe.members(self.atlas.universe.in_namespace.get(namespace, 0)):
                workload = self.atlas.workload_of[pod_class.index]
                for pod in pod_class.pods:
                    found.setdefault((workload, bytes(pod.metadata.labels)), pod.labels)
            rows = self._rows[namespace] = tuple((workload, labels) for (workload, _), labels in found.items())
        return rows


def _common(pods: Sequence[Pod]) -> dict[str, str]:
    passing = _OF_ONE_POD | _OF_ONE_RELEASE
    own = {k: v for k, v in pods[0].labels.items() if k not in passing}
    for pod in pods[1:]:
        own = {k: v for k, v in own.items() if pod.labels.get(k) == v}
    return own


def _ranked(own: Labels, behind: list[dict[str, str]]) -> list[str]:
    shared = [k for k in own if behind and all(k in selector for selector in behind)]
    some = [k for k in own if any(k in selector for selector in behind)]
    middle = sorted(k for k in own if k not in _FIRST and k not in _LAST)
    order = [*_by_custom(shared), *_by_custom(some), *_by_custom(own), *middle, *(k for k in _LAST if k in own)]
    return list(dict.fromkeys(k for k in order if k in own))


def _by_custom(keys: Iterable[str]) -> list[str]:
    given = list(keys)
    return [*(k for k in _FIRST if k in given), *(sorted(k for k in given if k not in _FIRST and k not in _LAST))]


def _has(labels: Labels, wanted: Labels) -> bool:
    return all(labels.get(k) == v for k, v in wanted.items())
