"""Nothing is cut off when policies come into force."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eksnetpol.checks.declare import CONFIGURE, check
from eksnetpol.checks.words import count, few
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.vpc_cni import Switches
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject
from eksnetpol.model.kubernetes import Pod
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.owners import owner_of
from eksnetpol.policy.universe import PodClass

UNPOLICED = {"fargate", "windows", "hybrid"}
"""Kinds of nodes where the VPC CNI enforces nothing, so that nothing is cut."""


@check(
    title="no running pod becomes isolated at once",
    severity=Severity.WARNING,
    docs=CONFIGURE,
    sources=("aws/aws-network-policy-agent#175", "aws/aws-network-policy-agent#204", "aws/aws-network-policy-agent#345"),
    intents=frozenset({Intent.ENABLE, Intent.MIGRATE}),
)
def connections_survive_enabling(
    switches: Switches, isolation: Isolation, node_kinds: NodeKinds | Unread
) -> Iterator[Finding | Evidence]:
    """
    Every policy there is comes into force the moment enforcement is on. Connections older than that are new to the agent: those
    that no policy allows are cut, and allowed ones may stall until they are made anew. Connection pools and long streams feel it.
    Pods that do not run yet, templates in files among them, have no connections to lose.
    """
    yield Evidence(f"controller {switches.controller}, agent {switches.agent}")
    if switches.both_on:
        return
    unserved = {} if isinstance(node_kinds, Unread) else node_kinds.unserved
    away = {name for name, kind in unserved.items() if kind in UNPOLICED}
    running: dict[str, list[tuple[Pod, int]]] = {}
    for member in isolation.universe.members(isolation.either):
        if here := _running(member, away):
            running.setdefault(member.namespace, []).append((here[0], len(here)))
    for namespace, found in running.items():
        pods, owners = sum(number for _, number in found), list(dict.fromkeys(owner_of(one) for one, _ in found))
        becomes = "becomes" if pods == 1 else "become"
        yield Finding(
            subject=Subject("Namespace", namespace),
            message=(
                f"{count(pods, 'running pod')} of {count(len(owners), 'workload')} {becomes} isolated: established connections "
                "may be cut"
            ),
            remedy="Enable in a quiet hour, and restart what does not connect again by itself.",
            command=f"kubectl get networkpolicies -n {namespace}",
            evidence=few(str(o) for o in owners),
        )


def _running(member: PodClass, away: Iterable[str]) -> list[Pod]:
    return [p for p in member.pods if p.status.phase == "Running" and p.spec.node_name not in away]
