"""What a person may say of a change beyond which change it is."""

from __future__ import annotations

import msgspec

from eksnetpol.model.actions import Resolve


class EnableOptions(msgspec.Struct, frozen=True):
    """``adopt`` lets EKS manage a VPC CNI that it does not manage today. ``resolve`` None leaves the choice to the plan.

    ``values`` are further settings by their dotted path in the add-on's configuration: ``{"nodeAgent.logLevel": "info"}``.
    """

    adopt: bool = False
    resolve: Resolve | None = None
    values: dict[str, str] = msgspec.field(default_factory=dict)


class UpgradeOptions(msgspec.Struct, frozen=True):
    """``to`` is a version (``v1.20.5-eksbuild.1``, ``1.20.5``, ``1.20``), ``latest`` or ``recommended``."""

    to: str = "recommended"
    resolve: Resolve | None = None


class DisableOptions(msgspec.Struct, frozen=True):
    """``keep_policies`` leaves the policies in place, for another engine, and frees them of the controller's finalizers."""

    keep_policies: bool = False
    resolve: Resolve | None = None
