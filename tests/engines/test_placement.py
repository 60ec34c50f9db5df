"""Where an agent may run is judged as the scheduler judges it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from eksnetpol.engines.placement import admits, is_confined
from eksnetpol.model.kubernetes import Workload

HYBRID = {"kubernetes.io/os": "linux", "eks.amazonaws.com/compute-type": "hybrid"}
EC2 = {"kubernetes.io/os": "linux"}


def workload(selector: dict[str, str] | None = None, *terms: Any) -> Workload:
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}
    spec = {"nodeSelector": selector or {}, "affinity": affinity if terms else {}}
    return msgspec.convert({"metadata": {"name": "agent"}, "spec": {"template": {"spec": spec}}}, Workload)


def asks(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


COMPUTE = "eks.amazonaws.com/compute-type"


@pytest.mark.parametrize(
    ("agent", "on_ec2", "on_hybrid"),
    [
        (workload(), True, True),
        (workload({"kubernetes.io/os": "linux"}), True, True),
        (workload({COMPUTE: "hybrid"}), False, True),
        (workload(None, asks(COMPUTE, "In", "hybrid")), False, True),
        (workload(None, asks(COMPUTE, "NotIn", "hybrid")), True, False),
        (workload(None, asks(COMPUTE, "Exists")), False, True),
        (workload(None, asks(COMPUTE, "DoesNotExist")), True, False),
        (workload(None, asks(COMPUTE, "In", "hybrid"), asks("kubernetes.io/os", "In", "linux")), True, True),
        (workload(None, {}), False, False),
        (workload(None, {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}), True, True),
        (workload(None, {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}), False, False),
    ],
)
def test_an_agent_runs_where_it_asks_to(agent: Workload, on_ec2: bool, on_hybrid: bool) -> None:
    assert (admits(agent, EC2, "a"), admits(agent, HYBRID, "a")) == (on_ec2, on_hybrid)


@pytest.mark.parametrize(
    ("operator", "value", "holds"), [("Gt", "5", True), ("Gt", "6", False), ("Lt", "7", True), ("Lt", "x", False)]
)
def test_numbers_compare(operator: str, value: str, holds: bool) -> None:
    assert admits(workload(None, asks("size", operator, value)), {"size": "6"}) is holds


def test_asking_for_linux_is_no_confinement() -> None:
    assert not is_confined(workload({"kubernetes.io/os": "linux"}))
    assert is_confined(workload({"team": "a"}))
    assert is_confined(workload(None, asks(COMPUTE, "In", "hybrid")))
