"""Whether the pods of a workload may run on a node, as the scheduler judges node selector and required node affinity.

Taints are left out: agents of network engines tolerate them all, or they would leave nodes without a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eksnetpol.model.kubernetes import Node, Workload


def is_confined(workload: Workload) -> bool:
    """Say whether *workload* asks for anything of a node at all but Linux."""
    spec = workload.spec.template.spec
    return bool({k: v for k, v in spec.node_selector.items() if k != "kubernetes.io/os"} or _terms(spec.affinity))


def may_run_on(workload: Workload, node: Node) -> bool:
    """Say whether *node* satisfies what *workload* asks for."""
    return admits(workload, node.metadata.labels, node.name)


def admits(workload: Workload, labels: Mapping[str, str], name: str = "") -> bool:
    """Say whether a node with *labels* satisfies the node selector and the required node affinity of *workload*.

    Terms of an affinity are alternatives; what one term asks must hold together, and a term that asks nothing holds nowhere.
    """
    spec = workload.spec.template.spec
    return suits(spec.node_selector, spec.affinity, labels, name)


def suits(selector: Mapping[str, str], affinity: Mapping[str, Any], labels: Mapping[str, str], name: str = "") -> bool:
    """Say whether a node with *labels*, called *name*, is what a pod's node selector and required node affinity ask for."""
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    terms = _terms(affinity)
    return not terms or any(_term_holds(term, labels, name) for term in terms)


def _terms(affinity: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    node = affinity.get("nodeAffinity") or {}
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return required.get("nodeSelectorTerms") or []


def _term_holds(term: Mapping[str, Any], labels: Mapping[str, str], name: str) -> bool:
    expressions = term.get("matchExpressions") or []
    fields = term.get("matchFields") or []
    if not expressions and not fields:
        return False
    return all(_holds(e, labels) for e in expressions) and all(_holds(f, {"metadata.name": name}) for f in fields)


def _holds(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = requirement.get("key", ""), requirement.get("values") or []
    value = labels.get(key)
    match requirement.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case operator:
            return _compares(str(operator), value, values)


def _compares(operator: str, value: str | None, values: list[str]) -> bool:
    try:
        given, bound = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return given > bound if operator == "Gt" else operator == "Lt" and given < bound
