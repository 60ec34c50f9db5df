"""The table of permissions as documents: an IAM policy, and a ClusterRole with its binding."""

from __future__ import annotations

import json
from collections.abc import Iterable
from string import Template
from typing import Any

import msgspec

from eksnetpol.gateways.permits import Permissions, RbacPermission, permissions_for
from eksnetpol.model.snapshot import Target

ROLE = "eksnetpol-read"
SHIPPED = "preflight"
"""The command whose needs ``iam/preflight-read.json`` and ``templates/rbac/clusterrole-read.yaml`` hold."""

_HEADER = "# What `eksnetpol preflight` and `eksnetpol snapshot save` read. Bind it to the group your access entry names.\n"


class Place(msgspec.Struct, frozen=True):
    """What the placeholders of a policy stand for; one that is empty stays as it is."""

    partition: str = ""
    region: str = ""
    account: str = ""
    cluster: str = ""

    @classmethod
    def of(cls, target: Target) -> Place:
        """Return the place of *target*, as far as it is known."""
        partition = target.arn.split(":")[1] if target.arn.count(":") > 1 else partition_of(target.region)
        return cls(partition, target.region, target.account, target.cluster)

    def fill(self, text: str) -> str:
        """Return *text* with its placeholders filled."""
        values = {name.capitalize(): getattr(self, name) for name in self.__struct_fields__}
        return Template(text).safe_substitute({name: value for name, value in values.items() if value})


def partition_of(region: str) -> str:
    """Return the AWS partition a region is in, empty for no region."""
    if not region:
        return ""
    names = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}
    return next((name for prefix, name in names.items() if region.startswith(prefix)), "aws")


def iam_policy(permissions: Permissions, place: Place | None = None) -> str:
    """Return the least IAM policy with *permissions* as JSON text; actions with the same resources share a statement."""
    at = place or Place()
    by_resources: dict[tuple[str, ...], list[str]] = {}
    for permission in permissions.iam:
        by_resources.setdefault(permission.resources, []).append(permission.action)
    statements = [
        {
            "Sid": _sid(resources),
            "Effect": "Allow",
            "Action": sorted(actions),
            "Resource": [at.fill(r) for r in resources] if len(resources) > 1 else at.fill(resources[0]),
        }
        for resources, actions in sorted(by_resources.items())
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"


def _sid(resources: tuple[str, ...]) -> str:
    kinds = [r.split(":", 5)[5].split("/")[0].split(":")[0] if r != "*" else "everything" for r in resources]
    return "On" + "".join("".join(word.capitalize() for word in kind.split("-")) for kind in kinds)


def cluster_role(permissions: Permissions, name: str = ROLE, group: str = "") -> str:
    """Return a ClusterRole called *name* with the RBAC part of *permissions*, and its binding to *group*, as YAML text."""
    import yaml

    documents = [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": _rules(permissions.rbac),
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group or name}],
        },
    ]
    text: str = yaml.safe_dump_all(documents, sort_keys=False, width=120)
    return _HEADER + text


def _rules(permissions: Iterable[RbacPermission]) -> list[dict[str, Any]]:
    """Return one rule per group, verbs and names, with all resources that have them."""
    verbs: dict[tuple[str, str, tuple[str, ...], str], set[str]] = {}
    for p in permissions:
        verbs.setdefault((p.group, p.resource, p.names, p.path), set()).add(p.verb)
    resources: dict[tuple[str, tuple[str, ...], tuple[str, ...], str], list[str]] = {}
    for (group, resource, names, path), found in verbs.items():
        resources.setdefault((group, names, tuple(sorted(found)), path), []).append(resource)
    return [
        {"nonResourceURLs": [path], "verbs": list(found)}
        if path
        else {
            "apiGroups": [group],
            "resources": sorted(plurals),
            **({"resourceNames": list(names)} if names else {}),
            "verbs": list(found),
        }
        for (group, names, found, path), plurals in sorted(resources.items())
    ]


def shipped_documents() -> dict[str, str]:
    """Return the shipped documents by path; a test holds the files to them."""
    permissions = permissions_for(SHIPPED)
    return {
        "iam/preflight-read.json": iam_policy(permissions),
        "templates/rbac/clusterrole-read.yaml": cluster_role(permissions),
    }
