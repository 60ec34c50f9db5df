"""No tool deletes the definitions at its next synchronisation."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CNI_README, check
from eksnetpol.facts.tracking import trackers
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject
from eksnetpol.model.kubernetes import CustomResourceDefinition
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release

GROUP = "networking.k8s.aws"
WITHOUT_DEFINITION = Release(1, 22, 4)
"""The first chart that leaves the definition to the EKS control plane."""


@check(
    title="no tool prunes the definitions of AWS's policy kinds",
    severity=Severity.BLOCKER,
    docs=CNI_README,
    sources=("aws/amazon-vpc-cni-k8s#3623", "aws/amazon-vpc-cni-k8s#3625"),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def definitions_survive_the_next_sync(
    crds: tuple[CustomResourceDefinition, ...], cni_release: Release | Unread
) -> Iterator[Finding | Evidence]:
    """
    The chart aws-vpc-cni carried the definition of PolicyEndpoint up to v1.22.3 and leaves it out from v1.22.4 on. Where Argo CD,
    Flux or Helm track the object, moving to such a chart makes them delete it, and every PolicyEndpoint with it, unless it is
    marked to be kept. Once the newer chart is in place the danger is smaller, but the next prune may still take it.
    """
    past = isinstance(cni_release, Release) and cni_release.base >= WITHOUT_DEFINITION
    for crd in crds:
        if crd.spec.group != GROUP:
            continue
        labels, notes = crd.metadata.labels, crd.metadata.annotations
        found = next(trackers(labels, notes), None)
        tracked = None if found is None or found.kept else (found.tool, f"{found.key}={found.value}")
        yield Evidence(f"{crd.name}: {tracked[0] if tracked else 'not tracked'}")
        if tracked is None:
            continue
        tool, keep = tracked
        yield Finding(
            subject=Subject("CustomResourceDefinition", crd.name),
            message=f"{tool} tracks {crd.name} and would delete it with a chart from {WITHOUT_DEFINITION} on, which lacks it",
            remedy="Mark the object to be kept, in its source as well as in the cluster, before the chart is updated.",
            command=f"kubectl annotate customresourcedefinition {crd.name} {keep} --overwrite",
            severity=Severity.WARNING if past else None,
        )
