"""Policies are of kinds that the VPC CNI reads."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import LIMIT, LINT_ALONE, check
from eksnetpol.checks.places import show
from eksnetpol.checks.words import count, some
from eksnetpol.engines.catalog import catalog
from eksnetpol.engines.engine import Life, Presence
from eksnetpol.model.admin_policies import GROUP, AdminPolicy
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.kubernetes import KindCount
from eksnetpol.model.snapshot import SourceKind, Unread

REMEDY = "Convert what is meant into NetworkPolicies, or into ClusterNetworkPolicies of networking.k8s.aws."


@check(
    title="every policy is of a kind that the VPC CNI reads",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=("aws/amazon-vpc-cni-k8s#2391", LIMIT),
    intents=LINT_ALONE,
    about="objects",
)
def policies_are_of_kinds_that_are_read(
    foreign_kinds: tuple[KindCount, ...],
    admin_policies: tuple[AdminPolicy, ...] | Unread,
    engines: tuple[Presence, ...] | Unread,
    source: SourceKind,
) -> Iterator[Finding | Evidence]:
    """
    The VPC CNI reads NetworkPolicies, and the kinds of networking.k8s.aws. Policies of Calico, Cilium and other engines, and
    those of policy.networking.k8s.io, can be applied where their definitions are, and do nothing. In a cluster those kinds are
    left out that an engine which runs there reads; files do not tell which cluster they are for.
    """
    running = () if isinstance(engines, Unread) or source is SourceKind.MANIFESTS else engines
    live = {p.name for p in running if p.life is Life.LIVE}
    read = {group for e in catalog() if e.name in live for group in e.groups} | ({GROUP} if live else set())
    yield Evidence(f"{count(sum(k.count for k in foreign_kinds), 'object')} of other kinds")
    known = not isinstance(admin_policies, Unread)
    for kind in foreign_kinds:
        if not kind.count or (known and kind.group == GROUP) or any(f".{kind.group}".endswith(f".{g}") for g in read):
            continue
        yield Finding(
            subject=Subject("CustomResourceDefinition", f"{kind.plural}.{kind.group}"),
            message=f"{count(kind.count, 'object')} of kind {kind.kind} ({kind.group}): the VPC CNI does not read them",
            remedy=REMEDY,
            command=f"kubectl get {kind.plural}.{kind.group} -A -o yaml",
            evidence=some(kind.examples),
        )
    for policy in () if isinstance(admin_policies, Unread) or GROUP in read else admin_policies:
        subject = Subject(policy.title, policy.name)
        yield Finding(
            subject=subject,
            message=f"is of group {GROUP}, which the VPC CNI does not read",
            remedy=REMEDY,
            command=show(subject),
        )
