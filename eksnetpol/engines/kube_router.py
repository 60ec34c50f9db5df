"""kube-router (cloudnativelabs/kube-router). With ``--run-firewall`` alone it polices the VPC CNI's pods."""

from __future__ import annotations

from eksnetpol.engines.engine import Engine, Mode, Presence, Surroundings, presence
from eksnetpol.model.kubernetes import Workload


def detect(around: Surroundings) -> Presence | None:
    """Recognise kube-router by its DaemonSet, and what it does by its flags, which are all on by default."""
    agent = around.daemonset("kube-router")
    if agent is None:
        return None
    mode = Mode.FULL_CNI if _flag(agent, "run-router") else Mode.POLICY_ONLY
    return presence("kube-router", "kube-router", agent, mode, enforces=_flag(agent, "run-firewall"))


def _flag(agent: Workload, name: str) -> bool:
    for container in agent.containers:
        for arg in container.args:
            key, _, value = arg.lstrip("-").partition("=")
            if key == name:
                return value.lower() != "false"
    return True


ENGINE = Engine("kube-router", "kube-router", (), detect)
