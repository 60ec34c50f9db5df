"""Disruption budgets of a simulated cluster, counted as its controller does, and what they say of an eviction.

The rules are those of kube-controller-manager (``pkg/controller/disruption``) and of the eviction handler (``pkg/registry/core/
pod/storage/eviction.go``): shares are rounded up; pods that are pending, ending or finished may always go; so may one that is not
ready, while the budget has what it wants of healthy ones (or always, under ``AlwaysAllow``); two budgets on one pod are an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from eksnetpol.errors import Busy, Rejected
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.kinds import DISRUPTION_BUDGET, Json, ObjectRef
from eksnetpol.model.objects.pods import labels_of
from eksnetpol.simulation.api_server import Change
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.pods import LIVE, Owner, Phase, PodTable, SimPod

_ALWAYS = frozenset({Phase.PENDING, Phase.STARTING, Phase.ENDING, Phase.SUCCEEDED, Phase.FAILED})


@dataclass(slots=True, eq=False)
class Budget:
    """One budget and its counts. ``healthy`` pods are ready; ``owners`` are the controllers of those it selects."""

    struct: k8s.DisruptionBudget
    healthy: int
    owners: dict[Owner | None, int]

    def __str__(self) -> str:
        return f"{self.struct.namespace}/{self.struct.name}"


class Budgets:
    """All budgets. *scale* returns how many pods a controller wants, *table* has the pods."""

    def __init__(self, ground: Ground, table: PodTable, scale: Callable[[Owner], int]) -> None:
        self._ground = ground
        self._table = table
        self._scale = scale
        self._spaces: dict[str, dict[str, Budget]] = {}
        self._matches: dict[tuple[str, bytes], tuple[Budget, ...]] = {}
        self._stale: dict[tuple[str, str], None] = {}
        for found in ground.known(DISRUPTION_BUDGET):
            self._take(found)
        ground.api.after_change.append(self._noticed)
        table.listeners.append(self._counted)

    def allow(self, pod: SimPod) -> None:
        """Raise `errors.Busy` where a budget does not let *pod* be evicted now, `errors.Rejected` where two are asked."""
        if pod.phase in _ALWAYS:
            return
        budgets = self._of(pod)
        if len(budgets) > 1:
            named = " and ".join(map(str, budgets))
            raise Rejected(
                f"pod {pod.namespace}/{pod.name} has more than one PodDisruptionBudget ({named}), which the eviction subresource "
                "does not support"
            )
        for budget in budgets:
            desired = self._desired(budget)
            if pod.phase is not Phase.READY and (
                budget.struct.spec.unhealthy_pod_eviction_policy == "AlwaysAllow" or budget.healthy >= desired > 0
            ):
                continue
            if self._allowed(budget) <= 0:
                raise Busy(
                    "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget "
                    f"{budget.struct.name} needs {desired} healthy pods and has {budget.healthy} currently"
                )

    def refresh(self) -> None:
        """Write into the status of each budget what is counted now."""
        stale, self._stale = self._stale, {}
        for namespace, name in stale:
            budget = self._spaces.get(namespace, {}).get(name)
            live = self._ground.get(ObjectRef.to(DISRUPTION_BUDGET, name, namespace))
            if budget is None or live is None:
                continue
            status = {
                **live.get("status", {}),
                "disruptionsAllowed": self._allowed(budget),
                "currentHealthy": budget.healthy,
                "desiredHealthy": self._desired(budget),
                "expectedPods": self._expected(budget),
            }
            if status != live.get("status"):
                self._ground.put({**live, "status": status})

    # --- counting ---

    def _allowed(self, budget: Budget) -> int:
        return max(0, budget.healthy - self._desired(budget)) if self._expected(budget) > 0 else 0

    def _desired(self, budget: Budget) -> int:
        spec, expected = budget.struct.spec, self._expected(budget)
        if spec.max_unavailable is not None:
            return max(0, expected - scaled(spec.max_unavailable, expected))
        return scaled(spec.min_available, expected)

    def _expected(self, budget: Budget) -> int:
        return sum(self._scale(owner) if owner is not None else count for owner, count in budget.owners.items() if count)

    def _of(self, pod: SimPod) -> tuple[Budget, ...]:
        key = (pod.namespace, pod.labels)
        if key not in self._matches:
            space = self._spaces.get(pod.namespace, {})
            labels = labels_of(pod.labels) if space else {}
            self._matches[key] = tuple(
                b for b in space.values() if b.struct.spec.selector is not None and b.struct.spec.selector.matches(labels)
            )
        return self._matches[key]

    def _take(self, found: Json) -> None:
        struct = msgspec.convert(found, k8s.DisruptionBudget, strict=False)
        budget = Budget(struct, 0, {})
        self._spaces.setdefault(struct.namespace, {})[struct.name] = budget
        self._matches.clear()
        for pod in self._table.in_namespace(struct.namespace):
            if budget in self._of(pod) and pod.phase in LIVE:
                budget.owners[pod.owner] = budget.owners.get(pod.owner, 0) + 1
                budget.healthy += pod.phase is Phase.READY

    def _counted(self, pod: SimPod, before: Phase | None) -> None:
        there, was = self._table.is_there(pod) and pod.phase in LIVE, before in LIVE
        ready, was_ready = there and pod.phase is Phase.READY, before is Phase.READY
        if there == was and ready == was_ready:
            return
        for budget in self._of(pod):
            budget.owners[pod.owner] = budget.owners.get(pod.owner, 0) + there - was
            budget.healthy += ready - was_ready
            self._stale[budget.struct.namespace, budget.struct.name] = None

    def _noticed(self, change: Change) -> None:
        if change.ref.kind != DISRUPTION_BUDGET.name:
            return
        if change.after is None:
            self._spaces.get(change.ref.namespace, {}).pop(change.ref.name, None)
            self._matches.clear()
        elif change.before is None or change.before.get("spec") != change.after.get("spec"):
            self._take(change.after)
            self._stale[change.ref.namespace, change.ref.name] = None


def scaled(told: int | str | None, of: int) -> int:
    """Return a number, or a share of *of* rounded up: what a budget says."""
    text = str(told if told is not None else 0).strip()
    number = text.removesuffix("%")
    if not number.isdecimal():
        return 0
    return math.ceil(of * int(number) / 100) if text.endswith("%") else int(number)
