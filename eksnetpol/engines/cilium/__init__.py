"""Cilium, chained to the VPC CNI or as the whole CNI.

Signatures: DaemonSet ``cilium`` and ConfigMap ``cilium-config`` (cilium/cilium, Helm chart). ``cni-chaining-mode: aws-cni``
leaves the network to the VPC CNI. ``enable-policy: never`` and ``policy-audit-mode: "true"`` enforce nothing.
"""

from __future__ import annotations

from eksnetpol.engines.engine import Engine, Mode, Presence, Surroundings, presence

NAME, TITLE = "cilium", "Cilium"
GROUPS = ("cilium.io", "isovalent.com")


def detect(around: Surroundings) -> Presence | None:
    """Recognise Cilium by its agent; the operator alone is a partial install."""
    config = around.configmap("cilium-config")
    chaining = "" if config is None else config.get("cni-chaining-mode", "")
    mode = Mode.UNKNOWN if config is None else Mode.POLICY_ONLY if chaining == "aws-cni" else Mode.FULL_CNI
    off = config is not None and (config.get("enable-policy") == "never" or config.get("policy-audit-mode") == "true")
    crds = around.groups_under(*GROUPS)
    left_over = (f"{crds} CustomResourceDefinitions of cilium.io",) if crds else ()
    return presence(
        NAME,
        TITLE,
        around.daemonset("cilium"),
        mode,
        parts=(around.deployment("cilium-operator"),),
        left_over=left_over,
        enforces=not off,
    )


ENGINE = Engine(NAME, TITLE, GROUPS, detect)
