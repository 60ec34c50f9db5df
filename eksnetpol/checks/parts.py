"""What checks of the VPC CNI begin with: its subjects by name, and leaving early where a part is not there."""

from __future__ import annotations

from eksnetpol.checks.declare import NotApplicable
from eksnetpol.facts.vpc_cni import CONFIGMAP, DAEMONSET, NAMESPACE, VpcCni
from eksnetpol.model.findings import Intent, Subject
from eksnetpol.model.kubernetes import Container

AWS_NODE = Subject("DaemonSet", DAEMONSET, NAMESPACE)
SWITCH = Subject("ConfigMap", CONFIGMAP, NAMESPACE)
VPC_CNI_ADDON = Subject("Addon", "vpc-cni")

ENFORCING = frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE})
"""Intents after which the cluster enforces, or may."""


def installed(vpc_cni: VpcCni | None) -> VpcCni:
    """Return the VPC CNI; raise `NotApplicable` where there is none."""
    if vpc_cni is None:
        raise NotApplicable("there is no DaemonSet kube-system/aws-node with a container aws-node")
    return vpc_cni


def agent_of(vpc_cni: VpcCni | None) -> Container:
    """Return the agent's container; raise `NotApplicable` where there is none."""
    agent = installed(vpc_cni).agent
    if agent is None:
        raise NotApplicable("aws-node has no network policy agent container")
    return agent
