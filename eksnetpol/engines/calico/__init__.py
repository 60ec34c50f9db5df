"""Project Calico, by operator, Helm or manifest; Calico Enterprise and Cloud included.

Signatures: tigera/operator and projectcalico/calico manifests; docs.tigera.io. Policy-only installs leave the network to the
VPC CNI: ``CALICO_NETWORKING_BACKEND=none`` or ``Installation.spec.cni.type: AmazonVPC``.
"""

from __future__ import annotations

from eksnetpol.engines.engine import Engine, Mode, Presence, Surroundings, env_of, presence

NAME, TITLE = "calico", "Calico"
GROUPS = ("projectcalico.org", "tigera.io")


def detect(around: Surroundings) -> Presence | None:
    """Recognise Calico by its agent ``calico-node``; the operator or typha alone is a partial install."""
    agent = around.daemonset("calico-node")
    if agent is None and around.daemonset("canal") is not None:
        # Canal is Calico's policies under another name: its definitions and controllers are in use, and `canal` speaks of it.
        return None
    parts = (
        around.deployment("tigera-operator"),
        around.deployment("calico-typha"),
        around.deployment("calico-kube-controllers"),
        around.deployment("calico-apiserver"),
    )
    crds = around.groups_under(*GROUPS)
    left_over = (f"{crds} CustomResourceDefinitions of projectcalico.org or tigera.io",) if crds else ()
    return presence(NAME, TITLE, agent, _mode(around), parts=parts, left_over=left_over)


def _mode(around: Surroundings) -> Mode:
    for setting in around.settings:
        if setting.kind == "Installation":
            cni = setting.spec.get("cni")
            kind = cni.get("type") if isinstance(cni, dict) else None
            if kind:
                return Mode.POLICY_ONLY if kind == "AmazonVPC" else Mode.FULL_CNI
    agent = around.daemonset("calico-node")
    if agent is None:
        return Mode.UNKNOWN
    env = env_of(agent, "calico-node")
    backend = env.get("CALICO_NETWORKING_BACKEND") or (around.configmap("calico-config") or {}).get("calico_backend")
    if backend == "none" or env.get("CALICO_MANAGE_CNI") == "false":
        return Mode.POLICY_ONLY
    if "FELIX_INTERFACEPREFIX" in env and "eni" in env["FELIX_INTERFACEPREFIX"].split(","):
        return Mode.POLICY_ONLY
    return Mode.FULL_CNI if backend else Mode.UNKNOWN


ENGINE = Engine(NAME, TITLE, GROUPS, detect)
