"""Asking what we may, before anything is tried: IAM by simulation, the API server by reviews of ourselves."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from eksnetpol.errors import Denied, EksNetpolError
from eksnetpol.gateways.permit_documents import Place
from eksnetpol.gateways.permits import IamPermission, Permissions, RbacPermission
from eksnetpol.gateways.session import Connection
from eksnetpol.interfaces import AwsGateway, KubernetesGateway

_ASSUMED = re.compile(r"arn:([a-z-]+):sts::(\d{12}):assumed-role/([^/]+)/.+")
_ROOT = re.compile(r"arn:[a-z-]+:iam::\d{12}:root")


class PermissionAnswer(msgspec.Struct, frozen=True):
    """Whether we have a permission; ``allowed`` is None where that could not be found out, and ``reason`` says why."""

    permission: IamPermission | RbacPermission
    allowed: bool | None
    reason: str = ""


def check_permissions(connection: Connection, permissions: Permissions) -> tuple[PermissionAnswer, ...]:
    """Return an answer for each of *permissions*, in their order."""
    return (*_iam_answers(connection, permissions.iam), *_rbac_answers(connection, permissions.rbac))


def principal_of(caller_arn: str) -> str:
    """Return the ARN that IAM simulates for a caller: the role for an assumed role, else the caller itself.

    The path of a role is not in the ARN of its session; roles of IAM Identity Center are known to live under
    ``/aws-reserved/sso.amazonaws.com/``, all others are taken to have none.
    """
    found = _ASSUMED.fullmatch(caller_arn)
    if not found:
        return caller_arn
    path = "aws-reserved/sso.amazonaws.com/" if found[3].startswith("AWSReservedSSO_") else ""
    return f"arn:{found[1]}:iam::{found[2]}:role/{path}{found[3]}"


# --- IAM --------------------------------------------------------------------------------------------------------------


def _iam_answers(connection: Connection, wanted: tuple[IamPermission, ...]) -> tuple[PermissionAnswer, ...]:
    if not wanted:
        return ()
    if connection.aws is None:
        return _unknown(wanted, connection.aws_problem.reason if connection.aws_problem else "AWS was not asked")
    try:
        caller = connection.aws.caller().arn
        if _ROOT.fullmatch(caller):
            return tuple(PermissionAnswer(p, allowed=True, reason="the account's root may do everything") for p in wanted)
        place = Place.of(connection.target)
        return tuple(_iam_answer(connection.aws, principal_of(caller), p, place) for p in wanted)
    except Denied as error:
        return _unknown(wanted, f"IAM would have to be asked, and that needs {error.permission}: {error}")
    except EksNetpolError as error:
        return _unknown(wanted, str(error))


def _iam_answer(aws: AwsGateway, principal: str, permission: IamPermission, place: Place) -> PermissionAnswer:
    (answer,) = aws.simulate(principal, (permission.action,), tuple(map(place.fill, permission.resources)))
    why = "" if answer.allowed else f"IAM's simulation says that {principal} may not"
    return PermissionAnswer(permission, answer.allowed, why)


# --- RBAC -------------------------------------------------------------------------------------------------------------


def _rbac_answers(connection: Connection, wanted: tuple[RbacPermission, ...]) -> tuple[PermissionAnswer, ...]:
    problem = connection.kubernetes_problem
    if connection.kubernetes is None:
        return _unknown(wanted, problem.reason if problem else "the API server was not asked")
    return tuple(_rbac_answer(connection.kubernetes, p) for p in wanted)


def _rbac_answer(kubernetes: KubernetesGateway, wanted: RbacPermission) -> PermissionAnswer:
    try:
        missing = tuple(
            name
            for name in wanted.names or ("",)
            if not kubernetes.may(
                wanted.verb, wanted.resource, group=wanted.group, name=name, path=wanted.path, namespace=wanted.namespace
            )
        )
    except EksNetpolError as error:
        return PermissionAnswer(wanted, None, str(error))
    names = ", ".join(filter(None, missing))
    why = (f"not on {names}" if names else "no RBAC rule grants it") if missing else ""
    return PermissionAnswer(wanted, not missing, why)


def _unknown(wanted: Iterable[IamPermission | RbacPermission], reason: str) -> tuple[PermissionAnswer, ...]:
    return tuple(PermissionAnswer(permission, None, reason) for permission in wanted)
