"""Who owns the fields of ``aws-node`` and of its ConfigMap: what an add-on update that overwrites would take away.

Server-side apply records owners per field (``metadata.managedFields``). EKS writes as manager ``eks``; a field that only others
own was set by somebody else (docs.aws.amazon.com/eks, "Determine fields you can customize for Amazon EKS add-ons").
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eksnetpol.facts.configuration import ADDRESS_FLAGS, AGENT_FLAGS
from eksnetpol.facts.declare import fact
from eksnetpol.facts.vpc_cni import (
    AGENT_CONTAINERS,
    AGENT_FLAG,
    CNI_CONTAINER,
    CONFIGMAP,
    CONTROLLER_KEY,
    NAMESPACE,
    VpcCni,
)
from eksnetpol.model.kubernetes import ConfigMap, ManagedField
from eksnetpol.model.snapshot import Unread, Why

ADDON_MANAGER = "eks"

STOCK_FLAGS: Mapping[str, str] = {
    "enable-cloudwatch-logs": "false",
    "enable-policy-event-logs": "false",
    "log-file": "/var/log/aws-routed-eni/network-policy-agent.log",
    "metrics-bind-addr": ":8162",
    "health-probe-bind-addr": ":8163",
    "conntrack-cache-cleanup-period": "300",
    "conntrack-cache-table-size": "524288",
    "log-level": "debug",
}
"""The agent's arguments as the manifests ship them (aws/amazon-vpc-cni-k8s, config/master/aws-k8s-cni.yaml). The switch and the
family are left out: the one is what enabling sets, the other EKS sets itself."""

STOCK_VARIABLES: Mapping[str, str] = {
    "ADDITIONAL_ENI_TAGS": "{}",
    "AWS_VPC_CNI_NODE_PORT_SUPPORT": "true",
    "AWS_VPC_ENI_MTU": "9001",
    "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": "false",
    "AWS_VPC_K8S_CNI_EXTERNALSNAT": "false",
    "AWS_VPC_K8S_CNI_LOGLEVEL": "DEBUG",
    "AWS_VPC_K8S_CNI_LOG_FILE": "/host/var/log/aws-routed-eni/ipamd.log",
    "AWS_VPC_K8S_CNI_RANDOMIZESNAT": "prng",
    "AWS_VPC_K8S_CNI_VETHPREFIX": "eni",
    "AWS_VPC_K8S_PLUGIN_LOG_FILE": "/var/log/aws-routed-eni/plugin.log",
    "AWS_VPC_K8S_PLUGIN_LOG_LEVEL": "DEBUG",
    "DISABLE_INTROSPECTION": "false",
    "DISABLE_METRICS": "false",
    "DISABLE_NETWORK_RESOURCE_PROVISIONING": "false",
    "ENABLE_IMDS_ONLY_MODE": "false",
    "ENABLE_MULTI_NIC": "false",
    "ENABLE_POD_ENI": "false",
    "ENABLE_PREFIX_DELEGATION": "false",
    "ENABLE_SUBNET_DISCOVERY": "true",
    "NETWORK_POLICY_ENFORCING_MODE": "standard",
    "WARM_ENI_TARGET": "1",
    "WARM_PREFIX_TARGET": "1",
}
"""The CNI's variables as the manifests ship them: with these values an update that overwrites changes nothing."""

OWN_VARIABLES = frozenset({"ENABLE_IPv4", "ENABLE_IPv6", "MY_NODE_NAME", "MY_POD_NAME", "VPC_CNI_VERSION"})
"""Variables that every release or EKS sets by itself, whatever their value."""

STOCK_DATA: Mapping[str, str] = {
    "enable-windows-ipam": "false",
    "enable-windows-prefix-delegation": "false",
    "warm-prefix-target": "0",
    "warm-ip-target": "1",
    "minimum-ip-target": "3",
    "branch-eni-cooldown": "60",
}
"""The ConfigMap's keys as the manifests ship them."""

DEFAULTED = frozenset(
    {
        "f:apiVersion",
        "f:dnsPolicy",
        "f:failureThreshold",
        "f:hostPort",
        "f:periodSeconds",
        "f:protocol",
        "f:resources",
        "f:restartPolicy",
        "f:schedulerName",
        "f:securityContext",
        "f:serviceAccount",
        "f:successThreshold",
        "f:terminationMessagePath",
        "f:terminationMessagePolicy",
        "f:type",
    }
)
"""Fields the API server fills in and no manifest says. Whoever created the DaemonSet without server-side apply is recorded as
their owner; after EKS has adopted it they are nobody's custom setting, and overwriting leaves them as they are."""

CONFIGMAP_VALUES: Mapping[str, str] = {"enable-windows-ipam": "enableWindowsIpam"}
"""Key in the ConfigMap -> key in the configuration values."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CustomField:
    """A field that only others than EKS own. ``path`` is its key in the configuration values where it has one."""

    name: str
    managers: tuple[str, ...]
    path: str = ""
    value: str | None = None
    flag: str = ""

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value}"


@dataclass(frozen=True, slots=True)
class Ownership:
    """Custom fields of the DaemonSet's pods and of the ConfigMap."""

    aws_node: tuple[CustomField, ...]
    configmap: tuple[CustomField, ...] | Unread


@fact
def ownership(vpc_cni: VpcCni | None, configmaps: tuple[ConfigMap, ...] | Unread) -> Ownership | Unread:
    """What somebody other than EKS set. Unread where the API server recorded no owners, or the look did not keep them."""
    if vpc_cni is None:
        return Unread("there is no aws-node DaemonSet", Why.ABSENT)
    owners = _owners(vpc_cni.workload.metadata.managed_fields)
    if owners is None:
        return Unread("who owns the fields of aws-node is not recorded in what was read", Why.UNREADABLE)
    return Ownership(tuple(_of_aws_node(vpc_cni, _custom(owners))), _of_configmap(configmaps))


def _owners(fields: Iterable[ManagedField]) -> dict[Path, set[str]] | None:
    """Return who owns each leaf, None where nothing is recorded. A status belongs to controllers and is left out."""
    recorded = [f for f in fields if f.fields_v1 is not None and f.subresource != "status"]
    if not recorded:
        return None
    owners: dict[Path, set[str]] = {}
    for entry in recorded:
        for path in _leaves(entry.fields_v1 or {}):
            owners.setdefault(path, set()).add(entry.manager)
    return owners


def _leaves(fields: Mapping[str, Any], above: Path = ()) -> Iterator[Path]:
    for key, below in fields.items():
        if key == ".":
            continue
        if isinstance(below, Mapping) and any(k != "." for k in below):
            yield from _leaves(below, (*above, key))
        else:
            yield (*above, key)


def _custom(owners: Mapping[Path, set[str]]) -> dict[Path, tuple[str, ...]]:
    return {path: tuple(sorted(who)) for path, who in owners.items() if ADDON_MANAGER not in who}


def _of_aws_node(cni: VpcCni, custom: Mapping[Path, tuple[str, ...]]) -> Iterator[CustomField]:
    inside = ("f:spec", "f:template", "f:spec")
    seen: set[str] = set()
    for path, managers in sorted(custom.items()):
        if path[: len(inside)] != inside:
            continue
        rest = path[len(inside) :]
        container = _named(rest[1]) if len(rest) > 1 and rest[0] == "f:containers" else ""
        if container in AGENT_CONTAINERS and rest[2:] == ("f:args",):
            yield from _flags(cni, managers)
        elif container == CNI_CONTAINER and len(rest) > 3 and rest[2] == "f:env":  # noqa: PLR2004 - container, env, name
            name = _named(rest[3])
            value = cni.env.get(name)
            stock = name in OWN_VARIABLES or (value is not None and STOCK_VARIABLES.get(name) == value)
            if name not in seen and not stock:
                seen.add(name)
                yield CustomField(name, managers, f"env.{name}", value)
        elif rest[-1] not in DEFAULTED:
            yield CustomField(".".join(_plain(part) for part in rest), managers)


def _flags(cni: VpcCni, managers: tuple[str, ...]) -> Iterator[CustomField]:
    keys = {flag: path for path, flag in AGENT_FLAGS.items()}
    for flag, value in cni.args.items():
        if flag in {AGENT_FLAG, "enable-ipv6"} or STOCK_FLAGS.get(flag) == value:
            continue
        plain = value.removeprefix(":") if flag in ADDRESS_FLAGS else value
        yield CustomField(f"--{flag}", managers, keys.get(flag, ""), plain, flag)


def _of_configmap(configmaps: tuple[ConfigMap, ...] | Unread) -> tuple[CustomField, ...] | Unread:
    if isinstance(configmaps, Unread):
        return configmaps
    key = (NAMESPACE, CONFIGMAP)
    found = next((c for c in configmaps if (c.metadata.namespace, c.metadata.name) == key), None)
    if found is None:
        return ()
    owners = _owners(found.metadata.managed_fields)
    if owners is None:
        return Unread("who owns the fields of the ConfigMap amazon-vpc-cni is not recorded in what was read", Why.UNREADABLE)
    custom = (
        (_plain(path[1]), managers)
        for path, managers in sorted(_custom(owners).items())
        if path[0] == "f:data" and len(path) > 1
    )
    return tuple(
        CustomField(name, managers, CONFIGMAP_VALUES.get(name, ""))
        for name, managers in custom
        if name != CONTROLLER_KEY and (name not in STOCK_DATA or found.data.get(name) != STOCK_DATA[name])
    )


def _named(part: str) -> str:
    """Return the name in a key of a list: ``k:{"name":"aws-node"}``; empty where it goes by something else."""
    if not part.startswith("k:"):
        return ""
    try:
        key = json.loads(part.removeprefix("k:"))
    except ValueError:
        return ""
    return str(key.get("name", "")) if isinstance(key, dict) else ""


def _plain(part: str) -> str:
    return _named(part) or part.removeprefix("f:")
