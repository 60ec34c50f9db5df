"""What the configuration says of checks and findings."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from eksnetpol.model.findings import Severity


class WaiverSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding that is accepted: the check's id, a glob over subjects such as ``networkpolicy/shop/*``, and why."""

    check: str
    reason: str
    object: str = "*"
    expires: date | None = None
    owner: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``fail_on_unknown`` None means: except for files, which cannot know."""

    fail_on: Literal["blocker", "warning", "advice", "never"] = "blocker"
    fail_on_unknown: bool | None = None
    select: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: dict[str, Severity] = msgspec.field(default_factory=dict)
    waivers: tuple[WaiverSetting, ...] = ()
