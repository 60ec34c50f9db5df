"""What a run is told beyond the question itself: what fails it, what is left out, what is accepted, where to look.

The same names hold in ``eksnetpol.toml``, with dashes. Which of a flag, a variable and the file wins is the command line's to
say, by merging them in that order (`Settings.merged`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

import msgspec

from eksnetpol.errors import UsageError
from eksnetpol.model.findings import Intent, Severity

FailOn = Literal["blocker", "warning", "advice", "never"]


class _Table(msgspec.Struct, frozen=True, rename="kebab", omit_defaults=True, forbid_unknown_fields=True):
    """A table of the file: its keys have dashes, and a key that means nothing is an error."""


class WaiverSetting(_Table, frozen=True):
    """A finding that is accepted: of *check*, about every subject that the glob *object* fits, e.g. ``networkpolicy/shop/*``.

    ``expires`` is the last day it holds.
    """

    check: str
    object: str
    reason: str
    expires: date | None = None
    owner: str | None = None


class MigrationWaiverSetting(_Table, frozen=True):
    """What leaving another engine changes, and somebody takes on by name: either a *policy* or a *loss*.

    A policy is named as `migrate translate` names it (``globalnetworkpolicy/web``), and lets more through afterwards; a loss is
    named as `migrate assess` names it (``wireguard``), and goes with the engine. ``expires`` is the last day it holds.
    """

    owner: str
    expires: date
    reason: str
    policy: str = ""
    loss: str = ""


class TargetSettings(_Table, frozen=True):
    """Which cluster, and how to get there, where no flag says otherwise."""

    cluster: str | None = None
    region: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    endpoint_url: str | None = None
    ca_bundle: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    as_user: str | None = msgspec.field(default=None, name="as")
    as_group: tuple[str, ...] | None = None
    request_timeout: Annotated[float, msgspec.Meta(gt=0, description="seconds")] | None = None


class PolicySettings(_Table, frozen=True):
    """How the commands of ``eksnetpol policy`` ask. None means: as the cluster has it, else the newest, standard and IPv4.

    ``diff_fail_on`` is what makes ``policy diff`` end with 1.
    """

    semantics: Literal["kubernetes", "vpc-cni", "calico", "cilium", "antrea"] = "vpc-cni"
    controller_version: str | None = None
    agent_version: str | None = None
    mode: Literal["standard", "strict"] | None = None
    ip_family: Literal["ipv4", "ipv6"] | None = None
    strict_input: bool = False
    compare_semantics: bool = False
    diff_fail_on: Literal["widened", "narrowed", "any", "never"] = "never"


class Settings(_Table, frozen=True):
    """All settings of a run, with what holds where nothing is said.

    ``select``, ``skip`` and ``ignore`` are globs of check ids or families; ``severity`` is by check id. ``fail_on_unknown`` None
    means: for clusters and snapshots of them, but not for files, which cannot know most of a cluster. ``outputs`` are what
    ``-o`` takes: ``text``, ``sarif=out.sarif``. ``snapshot``, ``manifests`` and ``baseline`` are files; those that the file of
    settings names are relative to its own folder. ``any_file`` lets manifests that are named be something else altogether.
    """

    fail_on: FailOn = "blocker"
    fail_on_unknown: bool | None = None
    select: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: dict[str, Severity] = msgspec.field(default_factory=dict)
    waivers: tuple[WaiverSetting, ...] = ()
    migration_waivers: tuple[MigrationWaiverSetting, ...] = ()
    target: TargetSettings = TargetSettings()
    policy: PolicySettings = PolicySettings()
    outputs: tuple[str, ...] = ()
    intent: Intent = msgspec.field(default=Intent.ENABLE, name="for")
    snapshot: str | None = None
    manifests: tuple[str, ...] = ()
    any_file: bool = False
    baseline: str | None = None
    exit_zero: bool = False
    color: Literal["auto", "always", "never"] = "auto"
    width: Annotated[int, msgspec.Meta(ge=20, le=1000)] | None = None
    verbose: int = 0
    quiet: bool = False
    no_input: bool = False

    def merged(self, over: Mapping[str, Any]) -> Self:
        """Return these settings with those of *over* put in their place.

        *over* has the names of this struct (``target`` and ``policy`` are mappings); None and empty collections there mean *not
        given*, as with flags, and texts are read as what the setting is (``"true"``, ``"a,b"``), as with variables. What is
        given replaces; only ``target``, ``policy`` and ``severity`` are merged name by name. Raises `UsageError` for a name or a
        value that means nothing.
        """
        unknown = sorted(set(over) - set(self.__struct_fields__))
        if unknown:
            raise UsageError(f"there is no setting {unknown[0]!r}")
        changed: dict[str, Any] = {}
        for name, value in over.items():
            if value is None or (isinstance(value, Mapping | tuple | list) and not value):
                continue
            own = getattr(self, name)
            if name == "severity":
                changed[name] = {**own, **_read(dict(value), dict[str, Severity], name)}
            elif isinstance(own, TargetSettings | PolicySettings):
                given = {key.replace("_", "-"): part for key, part in value.items() if part is not None}
                table = _read(given, type(own), name)
                changed[name] = msgspec.structs.replace(own, **_by_field(table, given))
            else:
                if isinstance(own, tuple) and isinstance(value, str):
                    value = [part.strip() for part in value.split(",") if part.strip()]  # noqa: PLW2901 - read anew
                changed[name] = _read(value, _TYPES[name], name)
        return msgspec.structs.replace(self, **changed)


_TYPES: Mapping[str, Any] = {info.name: info.type for info in msgspec.structs.fields(Settings)}


def _by_field(table: TargetSettings | PolicySettings, given: Mapping[str, Any]) -> dict[str, Any]:
    pairs = zip(table.__struct_fields__, table.__struct_encode_fields__, strict=True)
    return {name: getattr(table, name) for name, key in pairs if key in given}


def _read(value: Any, kind: Any, name: str) -> Any:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name.replace('_', '-')}: {error}") from None
