"""The configuration schema of the managed ``vpc-cni`` add-on, as EKS publishes it by version (DescribeAddonConfiguration).

JSON Schema draft-06 whose every object is closed. Which release added a key is known for some keys only; those of unknown age are
left out, so a rehearsal can refuse a key that the real add-on would take, never take one that it would refuse. Sources: the AWS
CLI's documentation of ``describe-addon-configuration`` (v1.15.1), aws/amazon-vpc-cni-k8s#3059 (v1.18.5),
aws/aws-network-policy-agent#443 (``logLevel``).
"""

from __future__ import annotations

from typing import Any

from eksnetpol.model.versions import Release

Json = dict[str, Any]

_BOOLEAN = {"type": "string", "format": "boolean"}
_INTEGER = {"type": "string", "format": "integer"}
CONFIGURABLE_ENV = frozenset(
    {
        "ADDITIONAL_ENI_TAGS",
        "ANNOTATE_POD_IP",
        "AWS_EC2_ENDPOINT",
        "AWS_EXTERNAL_SERVICE_CIDRS",
        "AWS_MANAGE_ENIS_NON_SCHEDULABLE",
        "AWS_VPC_CNI_NODE_PORT_SUPPORT",
        "AWS_VPC_ENI_MTU",
        "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG",
        "AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS",
        "AWS_VPC_K8S_CNI_EXTERNALSNAT",
        "AWS_VPC_K8S_CNI_LOGLEVEL",
        "AWS_VPC_K8S_CNI_LOG_FILE",
        "AWS_VPC_K8S_CNI_RANDOMIZESNAT",
        "AWS_VPC_K8S_CNI_VETHPREFIX",
        "AWS_VPC_K8S_PLUGIN_LOG_FILE",
        "AWS_VPC_K8S_PLUGIN_LOG_LEVEL",
        "CLUSTER_ENDPOINT",
        "DISABLE_INTROSPECTION",
        "DISABLE_LEAKED_ENI_CLEANUP",
        "DISABLE_METRICS",
        "DISABLE_NETWORK_RESOURCE_PROVISIONING",
        "DISABLE_POD_V6",
        "ENABLE_BANDWIDTH_PLUGIN",
        "ENABLE_POD_ENI",
        "ENABLE_PREFIX_DELEGATION",
        "ENABLE_V4_EGRESS",
        "ENABLE_V6_EGRESS",
        "ENI_CONFIG_ANNOTATION_DEF",
        "ENI_CONFIG_LABEL_DEF",
        "INTROSPECTION_BIND_ADDRESS",
        "IP_COOLDOWN_PERIOD",
        "MAX_ENI",
        "MINIMUM_IP_TARGET",
        "POD_SECURITY_GROUP_ENFORCING_MODE",
        "WARM_ENI_TARGET",
        "WARM_IP_TARGET",
        "WARM_PREFIX_TARGET",
    }
)
"""Variables of the CNI that the add-on's configuration has had since its first schema."""


def _closed(properties: Json) -> Json:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def configuration_schema(release: Release) -> Json:
    """Return the schema of *release*, with the keys that release is known to have."""
    base = release.base
    env: Json = {name: {"type": "string"} for name in sorted(CONFIGURABLE_ENV)}
    agent: Json = {"enableCloudWatchLogs": _BOOLEAN}
    if base >= Release(1, 15, 1):
        agent |= {"enablePolicyEventLogs": _BOOLEAN, "healthProbeBindAddr": _INTEGER, "metricsBindAddr": _INTEGER}
    if base >= Release(1, 18, 5):
        env |= {
            "ENABLE_SUBNET_DISCOVERY": {"type": "string"},
            "POD_MTU": {"type": "string"},
            "NETWORK_POLICY_ENFORCING_MODE": {"type": "string", "enum": ["standard", "strict"]},
        }
    if base >= Release(1, 19, 6):
        agent["logLevel"] = {"type": "string"}
    quantities = _closed({"cpu": {"type": "string"}, "memory": {"type": "string"}})
    subnet = _closed({"id": {"type": "string"}, "securityGroups": {"type": "array", "items": {"type": "string"}}})
    properties: Json = {
        "affinity": {"type": ["object", "null"]},
        "enableWindowsIpam": _BOOLEAN,
        "eniConfig": _closed(
            {
                "create": {"type": "boolean"},
                "region": {"type": "string"},
                "subnets": {"type": "object", "additionalProperties": subnet},
            }
        ),
        "env": _closed(env),
        "init": _closed({"env": _closed({n: {"type": "string"} for n in ("DISABLE_TCP_EARLY_DEMUX", "ENABLE_V6_EGRESS")})}),
        "livenessProbeTimeoutSeconds": {"type": "integer"},
        "readinessProbeTimeoutSeconds": {"type": "integer"},
        "resources": _closed({"limits": quantities, "requests": quantities}),
        "tolerations": {"type": "array", "items": {"type": "object"}},
    }
    if base >= Release(1, 14, 0):
        properties |= {"enableNetworkPolicy": _BOOLEAN, "nodeAgent": _closed(agent)}
    return {
        "$schema": "http://json-schema.org/draft-06/schema#",
        "$ref": "#/definitions/VpcCni",
        "definitions": {"VpcCni": {**_closed(properties), "title": "VpcCni"}},
    }
