"""The table of permissions as documents: an IAM policy, and a ClusterRole with its binding."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from string import Template
from typing import Any

import msgspec

from eksnetpol.gateways.permits import CHANGING, MIGRATING, Permissions, RbacPermission, permissions_for
from eksnetpol.model.snapshot import Target

ROLE, MANAGER, MIGRATOR = "eksnetpol-read", "eksnetpol-manage", "eksnetpol-migrate"
SHIPPED = "preflight"
"""The command whose needs ``iam/preflight-read.json`` and ``templates/rbac/clusterrole-read.yaml`` hold."""

_RBAC = "rbac.authorization.k8s.io"
_BIND = "Bind it to the group your access entry names.\n"
_HEADER = f"# What `eksnetpol preflight` and `eksnetpol snapshot save` read. {_BIND}"
_MIGRATOR_HEADER = f"""\
# What `eksnetpol migrate run` does, and what going on with it or back on it takes. {_BIND.strip()}
# It reads all that leaves a cluster with another engine, drains nodes, applies policies, and takes away by exact name what the
# engine consists of; the run asks before. It reads no Secrets.
"""
_MANAGER_HEADER = f"""\
# What `eksnetpol enable`, `upgrade`, `disable`, `restore`, `apply`, `resume` and `rollback` do. {_BIND.strip()}
# `escalate` and `bind` let it write the rules that an agent needs into ClusterRole aws-node, and bind it, without having those
# rights itself: leave them out where the VPC CNI is a managed add-on, whose objects EKS writes.
"""


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
    return "On" + "".join("Everything" if r == "*" else _called(r.split(":", 5)[5]) for r in resources)


def _called(path: str) -> str:
    """Return the words of a resource's path, its placeholders and wildcards left out: ``AddonVpcCni``."""
    parts = [part for part in re.split(r"[/:]", path) if part != "*" and not part.startswith("$")]
    return "".join(word.capitalize() for part in parts for word in part.split("-"))


def cluster_role(permissions: Permissions, name: str = "", group: str = "") -> str:
    """Return a ClusterRole called *name* with the RBAC part of *permissions*, and its binding to *group*, as YAML text.

    What is wanted in one namespace alone is in a Role there, bound to the same group.
    """
    import yaml

    places = sorted({p.namespace for p in permissions.rbac} | {""})
    name = name or (MANAGER if len(places) > 1 else ROLE)
    subjects = [{"apiGroup": _RBAC, "kind": "Group", "name": group or name}]
    documents = [
        document
        for place in places
        for document in _role(name, place, subjects, _rules(p for p in permissions.rbac if p.namespace == place))
    ]
    text: str = yaml.dump_all(documents, Dumper=_plain(), sort_keys=False, width=120)
    header = _MIGRATOR_HEADER if name == MIGRATOR else _MANAGER_HEADER if len(places) > 1 else _HEADER
    return header + text


def _plain() -> Any:
    """Return a dumper that writes what is there twice twice: an anchor would puzzle whoever reads a role."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the same for all
            return True

    return Plain


def _role(name: str, namespace: str, subjects: list[Any], rules: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    kind = "Role" if namespace else "ClusterRole"
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    role = {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": meta, "rules": rules}
    binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": meta,
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": name},
        "subjects": subjects,
    }
    return role, binding


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
    permissions, managing, migrating = permissions_for(SHIPPED), permissions_for(*CHANGING), permissions_for(*MIGRATING)
    return {
        "iam/preflight-read.json": iam_policy(permissions),
        "iam/addon-manage.json": iam_policy(managing),
        "templates/rbac/clusterrole-migrate.yaml": cluster_role(migrating, MIGRATOR),
        "templates/rbac/clusterrole-read.yaml": cluster_role(permissions),
        "templates/rbac/clusterrole-manage.yaml": cluster_role(managing, MANAGER),
    }
