"""Engines that are only recognised, so that nobody enables a second one beside them: Kube-OVN, Romana, kube-network-policies.

Their signatures are their DaemonSets' names; what they do on a node is not known well enough here to say more.
"""

from __future__ import annotations

from eksnetpol.engines.engine import Engine, Mode, Presence, Surroundings, presence

_AGENTS = ("kube-ovn-cni", "ovs-ovn", "romana-agent", "kube-network-policies")


def detect(around: Surroundings) -> Presence | None:
    """Recognise any of them by its agent."""
    agent = around.daemonset(*_AGENTS)
    crds = around.groups_under("kubeovn.io")
    left_over = (f"{crds} CustomResourceDefinitions of kubeovn.io",) if crds else ()
    title = agent.name if agent is not None else "Kube-OVN"
    return presence("others", title, agent, Mode.UNKNOWN, left_over=left_over)


ENGINE = Engine("others", "other engines", ("kubeovn.io",), detect)
