"""A plan: what is to be done to one cluster, step by step, each with the condition that proves it and the way back.

A plan is a value. It can be printed, saved, compared, rehearsed, carried out later, resumed and reversed; the cluster learns of
it only through `execution/`. What a step does is in `actions`, what it makes true in `conditions`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

import msgspec

from eksnetpol.model.actions import Action, PlanValue
from eksnetpol.model.conditions import Condition
from eksnetpol.model.fingerprints import digest_of
from eksnetpol.model.snapshot import Target

FORMAT = "eksnetpol.io/v1"


class Undo(PlanValue, frozen=True):
    """The way back from one step, decided while the old state was in view; ``until`` proves it."""

    title: str
    action: Action
    until: Condition


class Step(PlanValue, frozen=True):
    """One thing to do. ``id`` is unique in its plan and says what it is: ``switch-controller``.

    ``patience`` is how many seconds ``until`` may take. Without ``undo`` there is nothing to take back, unless ``one_way`` says
    why it cannot be. ``disrupts`` says what people may notice meanwhile, empty for nothing.
    """

    id: str
    title: str
    action: Action
    until: Condition
    patience: float = 300.0
    undo: Undo | None = None
    one_way: str = ""
    disrupts: str = ""
    phase: str = ""
    """Of a migration: the phase it belongs to, e.g. ``6 exit``."""
    door: str = ""
    """Not empty: one goes through here one way only. The run stops before it until people have confirmed it by this name."""


class Verb(StrEnum):
    """What a plan is for."""

    ENABLE = "enable"
    UPGRADE = "upgrade"
    DISABLE = "disable"
    RESTORE = "restore"
    ROLLBACK = "rollback"
    MIGRATE = "migrate"


class Way(StrEnum):
    """By which way ``aws-node`` is changed here. They must not be mixed."""

    ADDON = "managed add-on"
    HELM = "Helm release"
    MANIFEST = "self-managed manifest"
    AUTO_MODE = "EKS Auto Mode"


class FieldChange(PlanValue, frozen=True):
    """One field and what becomes of it. ``where`` is ``add-on vpc-cni`` or `str` of an `ObjectRef`; None is *not there*.

    ``owners`` are the managers that own the live field today.
    """

    where: str
    path: str
    before: str | None
    after: str | None
    owners: tuple[str, ...] = ()


class Forecast(PlanValue, frozen=True):
    """A field that EKS would write and somebody else owns, and what comes of it in each mode of resolving conflicts.

    ``live`` is what is there, ``told`` what the add-on's new configuration or its release says.
    """

    where: str
    path: str
    owner: str
    live: str | None
    told: str | None


class Isolation(PlanValue, frozen=True):
    """What enforcement does to a workload's pods: they become isolated in a direction, *closed* where nothing is let through."""

    workload: str
    direction: Literal["ingress", "egress"]
    pods: int
    isolated: int
    closed: int
    policies: tuple[str, ...] = ()


class Rollout(PlanValue, frozen=True):
    """How the DaemonSet rolls: on how many nodes, how many at once, about how long. Seconds None is *not known*."""

    nodes: int
    at_once: int
    seconds: float | None = None
    on_delete: bool = False
    """True when nothing rolls by itself (update strategy OnDelete)."""


class Refusal(PlanValue, frozen=True):
    """Why this plan is not carried out unless the person says ``flag``; an empty flag is never overridden."""

    why: str
    flag: str = ""


class Plan(PlanValue, frozen=True, kw_only=True, omit_defaults=False):
    """What is to be done to one cluster. No steps: nothing is left to do.

    ``basis`` maps what the plan was made from to a digest of it, e.g. ``daemonset/kube-system/aws-node``: a plan whose basis has
    changed is stale. ``release`` is the CNI's version afterwards where it is known. ``facts`` are short lines worth knowing
    before saying yes, ``afterwards`` what is left for people to do.
    """

    api_version: str = FORMAT
    kind: str = "Plan"
    tool: str = ""
    made_at: datetime = datetime.fromtimestamp(0, UTC)
    target: Target = Target()
    verb: Verb
    way: Way | None = None
    title: str = ""
    release: str = ""
    steps: tuple[Step, ...] = ()
    basis: dict[str, str] = msgspec.field(default_factory=dict)
    changes: tuple[FieldChange, ...] = ()
    forecasts: tuple[Forecast, ...] = ()
    isolates: tuple[Isolation, ...] | None = None
    """None where it could not be told."""
    rollout: Rollout | None = None
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    afterwards: tuple[str, ...] = ()
    undoes: str = ""
    """The run a rollback goes back on."""

    @property
    def digest(self) -> str:
        """Sixteen hex digits that stand for all of it but when and by what it was made."""
        bare = msgspec.structs.replace(self, made_at=datetime.fromtimestamp(0, UTC), tool="")
        # Read back as from a file, where a whole number of seconds has become a fraction's kind.
        return digest_of(msgspec.to_builtins(msgspec.json.decode(msgspec.json.encode(bare), type=Plan)))
