"""Stacks of tiers of policies of rules: what policies of any dialect say, in the order in which they are asked.

Asked about one direction of a pod: tier after tier; in a tier the policies that hold for the pod and direction, in their order;
in a policy its rules of that direction, in theirs. ALLOW and DENY settle a connection; PASS goes on with the next tier; a rule
that does not match goes on with the next one. What no rule of a tier settles is settled by the tier's ``otherwise`` where at
least one of its policies isolates the pod in that direction, else it goes on. What no tier settles is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from eksnetpol.model.findings import Subject
from eksnetpol.policy.connections import EVERYTHING, Connections
from eksnetpol.policy.ports import EVERY_PORT, PortSet
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.formulas import EVERYBODY, Formula


class Does(StrEnum):
    """What a rule does with what it matches."""

    ALLOW = "allow"
    DENY = "deny"
    PASS = "pass"


@dataclass(frozen=True, slots=True)
class PortName:
    """A port by the name that the destination pod gives it; ``protocol`` empty means TCP, UDP and SCTP alike."""

    name: str
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class StackRule:
    """One rule. It matches a connection where *peer* means the other end, *local* the pod itself, and the ports fit.

    ``connections`` and ``names`` are alternatives. ``source_ports`` are of TCP, UDP and SCTP. ``judged_further`` says what is
    looked at beyond addresses and ports (HTTP, a DNS name, authentication), empty for nothing: what the rule matches here may
    still be refused there. ``place`` is where it is written: ``spec.ingress[2]``. ``today`` says what of it was looked up in the
    cluster and may be otherwise tomorrow: addresses of network sets, pods behind Services.
    """

    direction: Direction
    does: Does
    peer: Formula = EVERYBODY
    local: Formula = EVERYBODY
    connections: Connections = EVERYTHING
    names: tuple[PortName, ...] = ()
    source_ports: PortSet = EVERY_PORT
    judged_further: tuple[str, ...] = ()
    place: str = ""
    today: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StackPolicy:
    """One policy of any dialect. ``subject`` says for which pods it holds; ``isolates`` in which directions it isolates them.

    A policy that isolates in no direction holds for those of its rules alone. ``today`` is of its subject what it is of a rule.
    """

    ref: Subject
    subject: Formula
    isolates: frozenset[Direction]
    rules: tuple[StackRule, ...]
    labels: dict[str, str] = field(default_factory=dict)
    today: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StackTier:
    """Policies in the order in which they are asked. ``otherwise`` None: what no rule settles goes on to the next tier."""

    name: str
    policies: tuple[StackPolicy, ...]
    otherwise: Does | None = Does.DENY


@dataclass(frozen=True, slots=True)
class Refused:
    """An object that the engine itself does not take: it is not in force. ``place`` is the field, ``why`` the reason."""

    ref: Subject
    why: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything that is in force in one direction of thought: an engine's tiers, in order.

    ``host_may``: what comes from the node a pod runs on is never judged. Pods on the host network are never subjects.
    ``beside`` are objects in force that are about nodes and no pods, with what is lost when the engine goes; ``closed`` are
    settings that keep something closed, whatever policies say, that nothing keeps closed when it goes.
    ``refused`` are objects that are not in force; ``unread`` are those that this tool does not understand, so that no answer that
    they could change is certain: an unknown field refuses the whole policy. ``notes`` say what an answer depends on.
    """

    dialect: str
    tiers: tuple[StackTier, ...]
    host_may: bool = True
    refused: tuple[Refused, ...] = ()
    unread: tuple[Refused, ...] = ()
    beside: tuple[Refused, ...] = ()
    closed: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()
