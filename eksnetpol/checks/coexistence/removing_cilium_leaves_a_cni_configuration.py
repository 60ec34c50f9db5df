"""Cilium leaves other CNI configuration alone, so that a node keeps one when it goes."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import NotApplicable, check
from eksnetpol.engines.engine import Life
from eksnetpol.facts.rivals import Ground, Rival
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import ConfigMap

KEY = "cni-exclusive"


@check(
    title="nodes keep a CNI configuration when Cilium is removed",
    severity=Severity.BLOCKER,
    docs="https://github.com/cilium/cilium/pull/23159",
    sources=("cilium/cilium#23159",),
    intents=frozenset({Intent.MIGRATE}),
)
def removing_cilium_leaves_a_cni_configuration(
    rivals: tuple[Rival, ...], configmaps: tuple[ConfigMap, ...]
) -> Iterator[Finding | Unknown | Evidence]:
    """
    With cni-exclusive, which is the default, Cilium renames every other file in /etc/cni/net.d to *.cilium_bak, the VPC CNI's own
    among them. When Cilium goes, the node has no CNI configuration at all and becomes NotReady. A Cilium that keeps to hybrid
    nodes is their only CNI and stays.
    """
    found = next((r for r in rivals if r.presence.name == "cilium" and r.presence.life is not Life.RESIDUE), None)
    if found is None:
        raise NotApplicable("Cilium is not there")
    if found.ground is Ground.APART:
        raise NotApplicable("Cilium keeps to hybrid nodes, and must stay there")
    config = next((c for c in configmaps if c.metadata.name == "cilium-config"), None)
    if config is None:
        yield Unknown(Subject("ConfigMap", "cilium-config"), "it was not found, so cni-exclusive is not known")
        return
    value = config.data.get(KEY, "")
    yield Evidence(f"{KEY} is {value or 'unset'}")
    if value.lower() != "false":
        yield Finding(
            subject=Subject("ConfigMap", "cilium-config", config.metadata.namespace),
            message=f"{KEY} is {value or 'unset, which means true'}: Cilium hides the VPC CNI's configuration from the kubelet",
            remedy="Set cni.exclusive=false, let Cilium roll out, see 10-aws.conflist come back; replace nodes as you remove it.",
            command="helm upgrade cilium cilium/cilium -n kube-system --reuse-values --set cni.exclusive=false",
        )
