"""How a change of the ``aws-node`` DaemonSet gets to the nodes."""

from __future__ import annotations

import math

from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.kubernetes import RollingUpdate
from eksnetpol.model.plan import Rollout
from eksnetpol.planning.reading import known

SECONDS_A_TURN = 20.0
"""About how long one turn takes: ten seconds of grace (aws-node's own), then containers start and get ready. An estimate."""

SHIPPED = "10%"
"""``maxUnavailable`` of every upstream manifest, for looks that did not keep it."""

LEAST_PATIENCE = 600.0


def rollout(facts: Lookup) -> Rollout | None:
    """Return how the DaemonSet rolls when its template changes; None where there is none, or it was not read."""
    cni: VpcCni | None = known(facts, "vpc_cni")
    if cni is None:
        return None
    nodes = cni.workload.status.desired_number_scheduled
    strategy = cni.workload.spec.update_strategy
    if strategy.type == "OnDelete":
        return Rollout(nodes, 0, on_delete=True)
    at_once = at_a_time(strategy.rolling_update, nodes)
    return Rollout(nodes, at_once, math.ceil(nodes / at_once) * SECONDS_A_TURN)


def at_a_time(strategy: RollingUpdate | None, nodes: int) -> int:
    """Return how many of *nodes* are without a ready pod at once, at least one.

    The DaemonSet controller rounds shares up, both of ``maxUnavailable`` and of ``maxSurge`` (kubernetes/kubernetes,
    pkg/controller/daemon/util).
    """
    told = strategy or RollingUpdate()
    surge = _count(told.max_surge, nodes)
    unavailable = _count(told.max_unavailable, nodes) if told.max_unavailable is not None else 0
    if not surge and told.max_unavailable is None:
        unavailable = _count(SHIPPED, nodes)
    return max(1, surge, unavailable)


def patience(of: Rollout | None) -> float:
    """Return how many seconds to wait for a roll-out before it counts as stuck: three times what it should take."""
    if of is None or of.seconds is None:
        return LEAST_PATIENCE
    return max(LEAST_PATIENCE, of.seconds * 3)


def _count(told: int | str | None, nodes: int) -> int:
    if told is None:
        return 0
    text = str(told).strip()
    number = text.removesuffix("%")
    if not number.isdecimal():
        return 0
    return math.ceil(nodes * int(number) / 100) if text.endswith("%") else int(number)
