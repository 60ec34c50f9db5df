"""Nodes and namespaces."""

from __future__ import annotations

from datetime import datetime

import msgspec

from eksnetpol.model.objects.metadata import ApiObject, Named


class NodeInfo(ApiObject, frozen=True):
    """What the kubelet says of its machine."""

    kernel_version: str = ""
    os_image: str = ""
    kubelet_version: str = ""
    operating_system: str = ""
    architecture: str = ""


class Condition(ApiObject, frozen=True):
    """A condition of any object."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None


class NodeAddress(ApiObject, frozen=True):
    """An address of a node; ``type`` is InternalIP, ExternalIP, Hostname, …"""

    type: str = ""
    address: str = ""


class Taint(ApiObject, frozen=True):
    """What keeps pods off a node that do not tolerate it; ``effect`` is NoSchedule, PreferNoSchedule or NoExecute."""

    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(ApiObject, frozen=True):
    """``provider_id`` ends in the EC2 instance id: ``aws:///us-west-2a/i-0123``."""

    provider_id: str = msgspec.field(default="", name="providerID")
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeStatus(ApiObject, frozen=True):
    """What the node is and can hold."""

    node_info: NodeInfo = NodeInfo()
    allocatable: dict[str, str] = msgspec.field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()


class Node(Named, frozen=True):
    """A node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class NamespaceStatus(ApiObject, frozen=True):
    """``Active`` or ``Terminating``, with the conditions that say what a termination waits for."""

    phase: str = ""
    conditions: tuple[Condition, ...] = ()


class NamespaceSpec(ApiObject, frozen=True):
    """Finalizers that hold a terminating namespace."""

    finalizers: tuple[str, ...] = ()


class Namespace(Named, frozen=True):
    """A namespace."""

    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()
