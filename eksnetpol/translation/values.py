"""What a translation is made with and what comes of it: verdicts, per rule and per policy, and objects to apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from eksnetpol.model.findings import Subject
from eksnetpol.policy.connections import in_words
from eksnetpol.policy.profile import Profile

FLAG = "--waive"
"""The flag of the command line by which something is taken on."""


Tell = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is; 0 where that is not known."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


class Verdict(StrEnum):
    """How what is translated compares to its source, from best to worst.

    *exact*: the same for all pods and namespaces that there could ever be. *exact-now*: the same for those of today. *stricter*:
    less flows. *looser*: something flows that did not. *none*: nothing of it can be said in the target.
    """

    EXACT = "exact"
    EXACT_NOW = "exact-now"
    STRICTER = "stricter"
    NONE = "none"
    LOOSER = "looser"

    @property
    def rank(self) -> int:
        """Its place among verdicts: the higher, the worse."""
        return list(Verdict).index(self)


@dataclass(frozen=True, slots=True)
class Witness:
    """One connection that shows a difference, as people name its ends. ``allowed_before`` False: it is one too many."""

    source: str
    destination: str
    protocol: str
    port: int
    allowed_before: bool

    def __str__(self) -> str:
        was = "flowed, and will not" if self.allowed_before else "was denied, and will flow"
        return f"{self.source} to {self.destination}, {in_words(self.protocol, self.port)}: {was}"


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one rule, or where ``place`` is empty on a policy as a whole.

    ``reasons`` say what is lost or only true today. ``kept`` is true of a NetworkPolicy that stays as it is: the target has it
    already. ``itself`` is true of a policy that is looser by what it isolates, whatever its rules are.
    """

    ref: Subject
    place: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    witness: Witness | None = None
    kept: bool = False
    itself: bool = False

    @property
    def reason(self) -> str:
        """All reasons in one line; empty where nothing is to be said."""
        return "; ".join(self.reasons)


@dataclass(frozen=True, slots=True)
class Output:
    """An object to apply, whole and without status; ``origins`` are the source policies it speaks for."""

    manifest: Mapping[str, Any]
    origins: tuple[Subject, ...]

    @property
    def ref(self) -> Subject:
        """By which name people know it."""
        meta = self.manifest["metadata"]
        return Subject(self.manifest["kind"], meta["name"], meta.get("namespace", ""))

    @property
    def is_cluster_wide(self) -> bool:
        """True for a ClusterNetworkPolicy, False for a NetworkPolicy."""
        return not self.ref.namespace


@dataclass(frozen=True, slots=True)
class Waiver:
    """Somebody takes on what a policy or rule (``place`` empty: all of them) will let through more than before.

    ``what`` is a policy as it is shown (``globalnetworkpolicy/name``).
    """

    what: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Somebody takes on *what*: who, until which day (itself included), and why.

    ``what`` is a policy as a report names it (``globalnetworkpolicy/web``), or where ``is_loss`` what goes with an engine, by the
    name that an assessment has for it (``wireguard``). ``from_file``: it stands in ``eksnetpol.toml``.
    """

    what: str
    owner: str
    until: date
    reason: str
    is_loss: bool = False
    from_file: bool = False

    @property
    def waiver(self) -> Waiver:
        """What a translation is told."""
        return Waiver(self.what)

    @property
    def words(self) -> str:
        """By whom, until when and why."""
        return f"taken on by {self.owner} until {self.until}: {self.reason}"

    @property
    def place(self) -> str:
        """Where it is said."""
        return f"the waiver of {self.what} by {self.owner}" if self.from_file else f"{FLAG} {self.what}"


@dataclass(frozen=True, slots=True)
class Options:
    """How to translate.

    ``vpc``: CIDRs that pods get their addresses from; empty where they are not known, and then private blocks and those around
    the pods of today count as such. ``cluster_policies``: ClusterNetworkPolicies may be written too. ``kept``: NetworkPolicies
    that stay in the cluster as they are. ``digests`` are of source policies, for annotations. ``clauses`` and ``boxes`` cap how
    far one selector, and the rules of one namespace and direction, may grow.
    """

    vpc: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    cluster_policies: bool = False
    kept: frozenset[Subject] | None = None
    digests: Mapping[Subject, str] = field(default_factory=dict)
    profile: Profile = Profile()
    clauses: int = 48
    boxes: int = 600
    compare: bool = True

    def waives(self, ref: Subject, place: str) -> bool:
        """Say whether somebody takes on what this rule widens."""
        return any(w.what == str(ref) and w.place in {"", place} for w in self.waivers)


@dataclass(frozen=True, slots=True)
class Translation:
    """Objects to apply, and what is to be said of every source rule and policy.

    ``refused`` are verdicts that stand in the way: what would widen and nobody waived, and what was not understood. ``notes``
    hold for everything: in which ways the target differs whatever is written. ``accepted`` is what would widen, and somebody has
    taken on.
    """

    outputs: tuple[Output, ...] = ()
    judged: tuple[Judged, ...] = ()
    refused: tuple[Judged, ...] = ()
    notes: tuple[str, ...] = ()
    accepted: tuple[Accepted, ...] = ()

    @property
    def worst(self) -> Verdict:
        """The worst verdict of all; EXACT of nothing."""
        return max((j.verdict for j in self.judged), key=lambda v: v.rank, default=Verdict.EXACT)
