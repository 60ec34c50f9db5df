"""Nodes are of instance types on which the agent is known to work."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eksnetpol.checks.declare import AGENT_README, check
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import Node

GRAVITON5 = re.compile(r"[mcr]9g[a-z]*\.")
INSTANCE_TYPE = "node.kubernetes.io/instance-type"


@check(
    title="the agent is known to work on the nodes' hardware",
    severity=Severity.WARNING,
    docs=AGENT_README,
    sources=("aws/aws-network-policy-agent#686",),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def hardware_is_known_to_work(node_kinds: NodeKinds) -> Iterator[Finding | Unknown | Evidence]:
    """
    On Graviton5 instances (m9g, c9g, r9g and their variants) the agent was reported to fail with ENOMEM as it creates its maps,
    without trying again: pods there stay without rules until it is restarted. No release is known to fix it.
    """
    by_type: dict[str, list[Node]] = {}
    for node in node_kinds.linux_ec2:
        by_type.setdefault(node.metadata.labels.get(INSTANCE_TYPE, ""), []).append(node)
    yield Evidence(count(len(by_type), "instance type"))
    for instance_type, nodes in by_type.items():
        if not instance_type:
            yield Unknown(Subject("Node", nodes[0].name), f"{count(len(nodes), 'node')} bear no label {INSTANCE_TYPE}")
        elif GRAVITON5.match(instance_type):
            yield Finding(
                subject=Subject("InstanceType", instance_type),
                message=f"{count(len(nodes), 'node')} of type {instance_type}: the agent may fail to create its maps",
                remedy="Try one such node first: 'cannot allocate memory' in its agent's log means to restart aws-node there.",
                command=f"kubectl get nodes -l {INSTANCE_TYPE}={instance_type}",
                evidence=(listed((n.name for n in nodes), 5),),
            )
