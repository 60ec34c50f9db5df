"""No policies of another engine are left that nobody enforces."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import LIMIT, check
from eksnetpol.checks.words import count, listed
from eksnetpol.engines.catalog import catalog
from eksnetpol.engines.engine import Life, Presence
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject
from eksnetpol.model.kubernetes import KindCount

UPSTREAM = "policy.networking.k8s.io"
"""Kinds that several engines implement, and the VPC CNI does not: its own are in group networking.k8s.aws."""


@check(
    title="no policies of another engine remain that nobody enforces",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=("aws/amazon-vpc-cni-k8s#2391", "projectcalico/calico#7835"),
    intents=frozenset({Intent.ENABLE, Intent.MIGRATE}),
)
def no_objects_of_former_engines_remain(
    engines: tuple[Presence, ...], foreign_kinds: tuple[KindCount, ...]
) -> Iterator[Finding | Evidence]:
    """
    Definitions and objects outlive the engine they were for. A policy of a kind that no running engine reads looks like
    protection and is none; the VPC CNI reads neither other engines' kinds nor those of policy.networking.k8s.io. Convert what is
    still meant, delete the rest, and keep a copy.
    """
    live = {p.name for p in engines if p.life is Life.LIVE}
    yield Evidence(f"{count(sum(k.count for k in foreign_kinds), 'object')} of other engines' kinds")
    for kind in foreign_kinds:
        if not kind.count or _is_read(kind.group, live):
            continue
        yield Finding(
            subject=Subject("CustomResourceDefinition", f"{kind.plural}.{kind.group}"),
            message=f"{count(kind.count, 'object')} of kind {kind.kind} ({kind.group}) are read by no running engine",
            remedy="Convert what is still meant into NetworkPolicies, save the rest to a file, then delete it.",
            command=f"kubectl get {kind.plural}.{kind.group} -A -o yaml",
            evidence=(listed(kind.examples),) if kind.examples else (),
        )


def _is_read(group: str, live: set[str]) -> bool:
    if group == UPSTREAM:
        return bool(live)
    return any(e.name in live and any(group == g or group.endswith(f".{g}") for g in e.groups) for e in catalog())
