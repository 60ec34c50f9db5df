"""The name under which the node agent keeps a pod's rules.

The agent keys its eBPF programs by the pod's name without what follows the last dash (dots written as underscores) and the
namespace, so pods that share that prefix on a node share one set of rules. From agent v1.4.0 the two parts are joined by ``@``;
before, by ``-``, so that ``a-b`` in ``c`` and ``a`` in ``b-c`` were one (aws/aws-network-policy-agent#576).
"""

from __future__ import annotations

from eksnetpol.model.versions import Release

SEPARATED_SINCE = Release(1, 4, 0)
"""The agent release that made the identity unambiguous across namespaces."""


def prefix_of(pod_name: str) -> str:
    """Return the part of *pod_name* that counts: all before the last dash, or all of it where there is none."""
    head, dash, _ = pod_name.rpartition("-")
    return (head if dash else pod_name).replace(".", "_")


def identity_of(pod_name: str, namespace: str, agent: Release | None) -> str:
    """Return the identity of a pod as *agent* builds it; an unknown agent is taken for a current one."""
    separator = "-" if agent is not None and agent.base < SEPARATED_SINCE else "@"
    return f"{prefix_of(pod_name)}{separator}{namespace}"
