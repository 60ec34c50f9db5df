"""What a simulation of enforcement found, as a value, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.model.snapshot import SourceKind, Target, UnreadSection
from eksnetpol.policy.dormant import Dormancy
from eksnetpol.policy.needs import Flow, Verdict
from eksnetpol.policy.profile import Mode, Profile, Semantics
from eksnetpol.policy.remedies import Remedy

_DECISIVE = frozenset(
    {"pods", "namespaces", "services", "network_policies", "application_policies", "cluster_policies"}
)
"""Sections that nothing can be told without."""


class Enforcing(StrEnum):
    """Whether the policies are enforced already."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class FailOn(StrEnum):
    """What ends with exit code 1: something essential lost, anybody isolated, or nothing at all."""

    LOST = "lost"
    ISOLATED = "isolated"
    NEVER = "never"


@dataclass(frozen=True)
class Simulation:
    """What would happen, as far as *unread* sections let it be told."""

    target: Target
    source: SourceKind
    profile: Profile
    enforcing: Enforcing
    dormancy: Dormancy
    flows: tuple[Flow, ...]
    remedies: tuple[Remedy, ...]
    notes: tuple[str, ...] = ()
    unread: tuple[UnreadSection, ...] = ()

    @property
    def is_strict(self) -> bool:
        """True where pods without policies are closed."""
        return self.profile.mode is Mode.STRICT and self.profile.semantics is Semantics.VPC_CNI

    @property
    def is_undetermined(self) -> bool:
        """True when something counts that could not be told."""
        return any(s.name in _DECISIVE for s in self.unread) or any(f.classes(Verdict.UNKNOWN) for f in self.flows)

    def exit_code(self, fail_on: FailOn, *, fail_on_unknown: bool) -> int:
        """Return 1 for what *fail_on* names, 3 for what could not be told, else 0."""
        lost = any(f.classes(Verdict.LOSES, Verdict.PARTLY) for f in self.flows)
        closed = self.dormancy.either or (self.is_strict and self.dormancy.uncovered)
        if (fail_on is not FailOn.NEVER and lost) or (fail_on is FailOn.ISOLATED and closed):
            return 1
        return 3 if fail_on_unknown and self.is_undetermined else 0
