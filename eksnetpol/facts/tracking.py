"""Who tracks an object and would delete it, or write it again, at the next synchronisation: read from labels and annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ARGO_OPTIONS = "argocd.argoproj.io/sync-options"
FLUX_PRUNE = "kustomize.toolkit.fluxcd.io/prune"
HELM_POLICY = "helm.sh/resource-policy"


@dataclass(frozen=True, slots=True)
class Tracker:
    """A tool that tracks an object. ``kept`` says that it leaves the object alone when its source no longer has it.

    ``key`` and ``value`` are the annotation that tells it to.
    """

    tool: str
    key: str
    value: str
    kept: bool

    @property
    def restores(self) -> bool:
        """True where the tool writes an object again that somebody deleted: Helm does so only at its next upgrade."""
        return self.tool != "Helm"


def trackers(labels: Mapping[str, str], notes: Mapping[str, str]) -> Iterator[Tracker]:
    """Yield who tracks an object with *labels* and annotations *notes*; a chart that Argo CD renders can have two."""
    if "argocd.argoproj.io/tracking-id" in notes or "argocd.argoproj.io/instance" in {*labels, *notes}:
        options = [o.strip() for o in notes.get(ARGO_OPTIONS, "").split(",") if o.strip()]
        kept = "Prune=false" in options
        # Its options are one list in one text: those that are there stay.
        yield Tracker("Argo CD", ARGO_OPTIONS, ",".join([o for o in options if o != "Prune=true"] + ["Prune=false"]), kept)
    if "kustomize.toolkit.fluxcd.io/name" in labels:
        yield Tracker("Flux", FLUX_PRUNE, "disabled", "disabled" in {labels.get(FLUX_PRUNE), notes.get(FLUX_PRUNE)})
    if "meta.helm.sh/release-name" in notes or "helm.toolkit.fluxcd.io/name" in labels:
        yield Tracker("Helm", HELM_POLICY, "keep", notes.get(HELM_POLICY) == "keep")
