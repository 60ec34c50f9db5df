"""Which pods a probe may be like: one with the labels of a workload must not become part of that workload.

A probe is the pod of a Job, which is its controller, so that no ReplicaSet adopts it. It is never ready (a readiness gate that
nobody opens, and a readiness probe that never succeeds), so that no Service sends it anything, but for one that publishes pods
that are not ready. A PodDisruptionBudget that counts in shares, or from above, looks up the scale of each pod's controller; a
Job has none, and the budget then allows no eviction as long as such a pod is there (kubernetes/kubernetes,
pkg/controller/disruption: getExpectedScale, failSafe).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eksnetpol.model.kubernetes import DisruptionBudget

BY_JOBS = frozenset({"job-name", "controller-uid", "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid"})
"""Labels that Kubernetes gives every pod of a Job."""


def blocked_budget(budgets: Iterable[DisruptionBudget], namespace: str, labels: Mapping[str, str]) -> str:
    """Return the name of a budget that a Job's pod with *labels* would keep from allowing any eviction; empty for none."""
    for budget in budgets:
        spec = budget.spec
        by_scale = spec.max_unavailable is not None or str(spec.min_available or "").endswith("%")
        if by_scale and budget.namespace == namespace and spec.selector is not None and spec.selector.matches(labels):
            return budget.metadata.name
    return ""


def publishing_service(services: Iterable[Mapping[str, Any]], labels: Mapping[str, str]) -> str:
    """Return the name of a Service, as the API shows it, that would send traffic to a pod with *labels* that is not ready."""
    for service in services:
        spec = service.get("spec") or {}
        selector = spec.get("selector") or {}
        if spec.get("publishNotReadyAddresses") and selector and selector.items() <= labels.items():
            return str(service["metadata"]["name"])
    return ""
