"""The table through which the code calls: which permission each verb of a gateway uses, and for which command.

`needs` declares it beside the verb. The doors (`aws_door`, `kubernetes_http`) refuse a call that nothing declares, so what
`permissions_for` prints is what is really asked for: neither more nor less.

Which IAM actions take which resources is from the Service Authorization Reference, e.g.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from eksnetpol.errors import Bug

F = TypeVar("F", bound=Callable[..., Any])

CHANGING = ("enable", "upgrade", "disable", "restore", "apply", "resume", "rollback")
"""Commands that change a cluster. Each of them looks at it before, and once more afterwards."""

MIGRATING = ("migrate run", "migrate cleanup")
"""Commands that lead a cluster off another engine. Whoever resumes or goes back on such a run needs what it needed."""

POLICY_CHANGING = ("disable", "restore", "apply", "resume", "rollback", *MIGRATING)
"""Commands that may take policies away or put them back: `apply` and `resume` carry out plans of `disable` as well."""

FORESEEING = tuple(
    f"migrate {name}" for name in ("assess", "translate", "prove", "rehearse", "runbook", "status", "verify")
)
"""Commands that say what leaving another engine means, how it goes and where it stands, and change nothing."""

READING = ("preflight", "snapshot save", "render", *FORESEEING, *CHANGING, *MIGRATING)
"""Commands that look at all there is of a live cluster."""

LOOKING = (*READING, "status")
"""Those, and the one that looks at no more than tells what is on: what each verb of the gateways that it calls declares."""

ASKING = ("permissions check",)
"""Commands that only ask what they may."""

CLUSTER = "arn:${Partition}:eks:${Region}:${Account}:cluster/${Cluster}"
ADDON = "arn:${Partition}:eks:${Region}:${Account}:addon/${Cluster}/*"
VPC_CNI = "arn:${Partition}:eks:${Region}:${Account}:addon/${Cluster}/vpc-cni/*"
NODEGROUP = "arn:${Partition}:eks:${Region}:${Account}:nodegroup/${Cluster}/*"
FARGATE_PROFILE = "arn:${Partition}:eks:${Region}:${Account}:fargateprofile/${Cluster}/*"
POD_IDENTITY = "arn:${Partition}:eks:${Region}:${Account}:podidentityassociation/${Cluster}/*"
ROLES = "arn:${Partition}:iam::${Account}:role/*"
USERS = "arn:${Partition}:iam::${Account}:user/*"
LOG_GROUPS = "arn:${Partition}:logs:${Region}:${Account}:log-group:*"
ANYTHING = "*"

_MODULES = (
    "eks", "eks_changes", "ec2", "iam", "logs", "sts",
    "kubernetes", "kubernetes_custom", "kubernetes_access", "objects", "evicting", "watching",
)  # fmt: skip


class IamPermission(msgspec.Struct, frozen=True, order=True):
    """An IAM action and the resources it is wanted on; ``*`` where the action knows no resources."""

    action: str
    resources: tuple[str, ...] = (ANYTHING,)

    def __str__(self) -> str:
        return self.action


class RbacPermission(msgspec.Struct, frozen=True, order=True):
    """A verb on a resource, only on the objects called ``names`` where there are any, or a verb on a ``path``.

    With ``namespace`` it is wanted in that namespace alone.
    """

    verb: str
    resource: str = ""
    group: str = ""
    names: tuple[str, ...] = ()
    path: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"{self.verb} {self.path}"
        return f"{self.verb} {self.resource}.{self.group}" if self.group else f"{self.verb} {self.resource}"


class Permissions(msgspec.Struct, frozen=True):
    """What a command needs, sorted."""

    iam: tuple[IamPermission, ...] = ()
    rbac: tuple[RbacPermission, ...] = ()


class Need(msgspec.Struct, frozen=True):
    """One verb of a gateway: what it needs, and which commands call it."""

    verb: str
    permissions: tuple[IamPermission | RbacPermission, ...]
    commands: tuple[str, ...]


_TABLE: dict[tuple[str, tuple[str, ...]], Need] = {}


def iam(action: str, *resources: str) -> IamPermission:
    """Return the permission for an IAM action, on *resources* or on everything."""
    return IamPermission(action, resources or (ANYTHING,))


def rbac(
    verb: str, resource: str = "", group: str = "", names: tuple[str, ...] = (), path: str = "", *, namespace: str = ""
) -> RbacPermission:
    """Return the permission for a verb of RBAC."""
    return RbacPermission(verb, resource, group, names, path, namespace)


def needs(*permissions: IamPermission | RbacPermission, commands: tuple[str, ...] = READING) -> Callable[[F], F]:
    """Declare what the decorated verb uses; several times where different commands use different parts of it."""

    def declare(function: F) -> F:
        name = f"{function.__module__}.{function.__qualname__}"
        _TABLE[name, commands] = Need(name, permissions, commands)
        return function

    return declare


@lru_cache(maxsize=1)
def table() -> tuple[Need, ...]:
    """Return every declaration, having imported every gateway."""
    for module in _MODULES:
        importlib.import_module(f"eksnetpol.gateways.{module}")
    return tuple(_TABLE[name] for name in sorted(_TABLE))


def commands() -> tuple[str, ...]:
    """Return the commands that need anything."""
    return tuple(sorted({command for need in table() for command in need.commands}))


def permissions_for(*names: str) -> Permissions:
    """Return what the commands *names* need; raise `KeyError` for a command that needs nothing or is none."""
    unknown = set(names) - set(commands())
    if unknown:
        raise KeyError(min(unknown))
    wanted = {p for need in table() if set(names) & set(need.commands) for p in need.permissions}
    rbac_wanted = {p for p in wanted if isinstance(p, RbacPermission)}
    return Permissions(
        tuple(sorted(p for p in wanted if isinstance(p, IamPermission))),
        tuple(sorted(p for p in rbac_wanted if not _has_more(rbac_wanted, p))),
    )


def _has_more(wanted: set[RbacPermission], one: RbacPermission) -> bool:
    """Return whether *one*, which has names or a namespace, is among *wanted* without them too."""
    return any(replace(one, names=names, namespace="") in wanted - {one} for names in {one.names, ()})


@lru_cache(maxsize=1)
def _declared() -> tuple[frozenset[str], frozenset[tuple[str, str, str]]]:
    permissions = [p for need in table() for p in need.permissions]
    return (
        frozenset(p.action for p in permissions if isinstance(p, IamPermission)),
        frozenset((p.verb, p.group, p.path or p.resource) for p in permissions if isinstance(p, RbacPermission)),
    )


def iam_is_declared(action: str) -> None:
    """Raise `Bug` when no verb declares *action*."""
    if action not in _declared()[0]:
        raise Bug(f"{action} is about to be called, but no gateway declares it")


def rbac_is_declared(permission: RbacPermission) -> None:
    """Raise `Bug` when no verb declares *permission*, names aside."""
    asked = (permission.verb, permission.group, permission.path or permission.resource)
    anything = (permission.verb, permission.group, "*")
    if asked not in _declared()[1] and anything not in _declared()[1]:
        raise Bug(f"{permission} is about to be asked of the API server, but no gateway declares it")
