"""Where the switches of network policy are in the objects, and the conditions that hold when they are on."""

from __future__ import annotations

from eksnetpol.facts.agent_rights import ROLE
from eksnetpol.facts.vpc_cni import (
    AGENT_CONTAINERS,
    AGENT_FLAG,
    CNI_CONTAINER,
    CONFIGMAP,
    CONTROLLER_KEY,
    DAEMONSET,
    MODE_VARIABLE,
    NAMESPACE,
)
from eksnetpol.model import kinds
from eksnetpol.model.conditions import FlagIs, Holds, RolledOut
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.versions import Release

AWS_NODE = ObjectRef.to(kinds.DAEMONSET, DAEMONSET, NAMESPACE)
SETTINGS = ObjectRef.to(kinds.CONFIGMAP, CONFIGMAP, NAMESPACE)
AGENT_ROLE = ObjectRef.to(kinds.CLUSTER_ROLE, ROLE)

CONTROLLER_PATH = f".data.{CONTROLLER_KEY}"
RULES_PATH = ".rules"

NEEDS_MODE = Release(1, 2, 4)
"""The first agent that ends at once when it enforces and ipamd has no mode for it (aws/aws-network-policy-agent, main.go)."""

CRASHES_BEFORE = Release(1, 1, 5)
"""Agents before this one end again and again when they are switched off while PolicyEndpoints are left; those before the version
matrix's ``disable-with-endpoints`` still watch them (aws/aws-network-policy-agent#97, #380)."""


def args_path(container: str) -> str:
    """Return the path of a container's arguments."""
    return f'.spec.template.spec.containers[name="{container}"].args'


def variable_path(name: str, container: str = CNI_CONTAINER) -> str:
    """Return the path of a variable's value."""
    return f'.spec.template.spec.containers[name="{container}"].env[name="{name}"].value'


MODE_PATH = variable_path(MODE_VARIABLE)


def settings(value: str | None) -> Json:
    """Return the ConfigMap with the controller's key alone; None leaves it out."""
    head = {"apiVersion": SETTINGS.api_version, "kind": SETTINGS.kind}
    named = {**head, "metadata": {"name": SETTINGS.name, "namespace": SETTINGS.namespace}}
    return named if value is None else {**named, "data": {CONTROLLER_KEY: value}}


def aws_node(pod: Json | None = None) -> Json:
    """Return the DaemonSet with *pod*, a part of its pods' spec, alone."""
    head = {"apiVersion": AWS_NODE.api_version, "kind": AWS_NODE.kind}
    named = {**head, "metadata": {"name": AWS_NODE.name, "namespace": AWS_NODE.namespace}}
    return {**named, "spec": {"template": {"spec": pod}}} if pod else named


def agent_told(value: str) -> FlagIs:
    """Return the condition that the agent is told to enforce, or not to."""
    return FlagIs(AWS_NODE, AGENT_CONTAINERS, AGENT_FLAG, value)


def controller_told(value: str) -> Holds:
    """Return the condition that the controller is told to resolve policies, or not to."""
    return Holds(settings(value))


ROLLED = RolledOut(AWS_NODE)
