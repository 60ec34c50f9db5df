"""Antrea (antrea-io/antrea). On EKS its mode is ``trafficEncapMode: networkPolicyOnly``, which still moves each pod's link."""

from __future__ import annotations

import re

from eksnetpol.engines.engine import Engine, Mode, Presence, Surroundings, presence

GROUPS = ("antrea.io",)

_ENCAP_MODE = re.compile(r"^\s*trafficEncapMode:\s*\"?(\w+)", re.MULTILINE)
"""The setting as it stands, and not the comments above it, which name every mode."""


def detect(around: Surroundings) -> Presence | None:
    """Recognise Antrea by its agent; its ConfigMap's name carries a suffix, so the mode is read where it can be."""
    config = next((c.data for c in around.configmaps if c.metadata.name.startswith("antrea-config")), None)
    text = "" if config is None else config.get("antrea-agent.conf", "")
    mode = Mode.UNKNOWN
    if text:
        found = _ENCAP_MODE.search(text)
        mode = Mode.POLICY_ONLY if found and found[1] == "networkPolicyOnly" else Mode.FULL_CNI
    crds = around.groups_under(*GROUPS)
    left_over = (f"{crds} CustomResourceDefinitions of antrea.io",) if crds else ()
    parts = (around.deployment("antrea-controller"),)
    return presence("antrea", "Antrea", around.daemonset("antrea-agent"), mode, parts=parts, left_over=left_over)


ENGINE = Engine("antrea", "Antrea", GROUPS, detect)
