"""What an engine answers with, and what every engine can be asked: values and one Protocol.

An engine thinks in *classes* of its own universe (`Atlas`): pods that neither selectors, nor blocks, nor names can tell apart. A
set of classes is an integer, bit *i* for class *i*. A *partition* says for all classes at once what they have: pairs of
`Connections` and the classes that have exactly these; classes that are in no pair have nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Pod, Service
from eksnetpol.policy.connections import NOTHING, Connections
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, Universe
from eksnetpol.policy.world import World

Partition = tuple[tuple[Connections, Classes], ...]


@dataclass(frozen=True, slots=True, order=True)
class Workload:
    """What people call a group of pods: ``shop/Deployment/web``. A pod that nothing owns is its own workload."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.kind}/{self.name}"


@dataclass(frozen=True)
class Atlas:
    """The pods of an engine, as classes, and which workload each class belongs to.

    ``universe.classes`` are finer than those of `universe.build` where blocks or names tell pods apart, and coarser where no
    selector asks for what differs. Finished pods are not in it.
    """

    universe: Universe
    workload_of: tuple[Workload, ...]
    """By class index."""
    workloads: Mapping[Workload, Classes]
    """Every workload with its classes, in the order their pods were read."""
    class_of: Mapping[tuple[str, str], int]
    """Class index by namespace and name of a pod."""


# --- parties ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pods:
    """One side of a question: all pods of some classes (*title* says which in words), or of these only *pods*."""

    classes: Classes
    title: str
    pods: tuple[Pod, ...] = ()


@dataclass(frozen=True, slots=True)
class Addresses:
    """One side of a question: every address of a block but those of *without*; a single address is a /32 or /128."""

    cidr: str
    title: str
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """One side of a question: the ClusterIP of a Service, asked for by Service port."""

    service: Service
    title: str


Party = Pods | Addresses | ServiceAddress


# --- answers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What may flow between two parties: what *every* pair of them has, and what *some* pair has."""

    every: Connections
    some: Connections

    @property
    def is_uniform(self) -> bool:
        """True when all pairs have the same."""
        return self.every == self.some

    def __or__(self, other: Answer) -> Answer:
        """Return what two groups of pairs have together."""
        return Answer(self.every & other.every, self.some | other.some)


class Say(StrEnum):
    """What a rule or policy said about one connection."""

    ALLOWS = "allows"
    DENIES = "denies"
    PASSES = "passes"
    ISOLATES = "isolates"
    """It selects the pod, and none of its rules matches."""


@dataclass(frozen=True, slots=True)
class Decider:
    """One policy or rule that had a say. ``subject`` is None for what no policy says: defaults, the node, strict mode.

    ``place`` is where it stands in its policy, e.g. ``ingress[0]`` or ``egress[2].to[1]``; empty for a policy as a whole.
    """

    say: Say
    direction: Direction
    words: str
    subject: Subject | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One direction's verdict on one connection. ``isolated`` False: nothing polices this side, so all passes.

    ``deciders`` are in the order in which they are asked; the last one that allows or denies settled it.
    """

    direction: Direction
    allowed: bool
    isolated: bool
    deciders: tuple[Decider, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one protocol and port between two parties.

    ``allowed``: every pair may. ``partial``: some pairs may and some may not. ``sides`` are egress, then ingress, of the pair
    named by *source* and *destination*: one that may not, where there is one. ``notes`` say what the answer depends on.
    """

    allowed: bool
    partial: bool
    protocol: str
    port: int
    source: str
    destination: str
    sides: tuple[Side, ...]
    notes: tuple[str, ...] = ()

    @property
    def deciders(self) -> tuple[Decider, ...]:
        """All that had a say."""
        return tuple(d for side in self.sides for d in side.deciders)


@dataclass(frozen=True)
class Matrix:
    """What every pod may send to every pod: for each destination class, the partition of all source classes.

    ``columns[d]`` holds what all pairs of pods of the two classes have, ``partly[d]`` what only some of them have besides (a node
    and its own pods; empty for most). Pods reach themselves always, and that is not counted.
    """

    atlas: Atlas
    columns: Sequence[Partition]
    partly: Mapping[int, Partition] = field(default_factory=dict)

    def cell(self, source: Workload, destination: Workload) -> Answer:
        """Return what the pods of one workload may send to those of another."""
        workloads = self.atlas.workloads
        return self.between(workloads[source], workloads[destination])

    def between(self, sources: Classes, destinations: Classes) -> Answer:
        """Return what pods of *sources* may send to pods of *destinations*."""
        every: Connections | None = None
        some = NOTHING
        for d in self.atlas.universe.members(destinations):
            left = sources
            for connections, classes in self.columns[d.index]:
                if classes & left:
                    every = connections if every is None else every & connections
                    some = some | connections
                    left &= ~classes
            if left:
                every = NOTHING
            for connections, classes in self.partly.get(d.index, ()):
                if classes & sources:
                    some = some | connections
        return Answer(every or NOTHING, some)

    def rows(self) -> Iterator[tuple[Workload, Workload, Answer]]:
        """Yield every pair of workloads between which something may flow, destination by destination."""
        workloads = self.atlas.workloads
        for destination, there in workloads.items():
            held = 0
            for d in self.atlas.universe.members(there):
                for _, classes in (*self.columns[d.index], *self.partly.get(d.index, ())):
                    held |= classes
            sources = dict.fromkeys(self.atlas.workload_of[c.index] for c in self.atlas.universe.members(held))
            for source in sources:
                answer = self.between(workloads[source], there)
                if answer.some:
                    yield source, destination, answer


class Engine(Protocol):
    """Answers questions under one profile. Built once for a world; every question after that is cheap."""

    @property
    def world(self) -> World:
        """What it thinks about."""

    @property
    def profile(self) -> Profile:
        """Under which meaning."""

    @property
    def atlas(self) -> Atlas:
        """Its pods."""

    def isolated(self, direction: Direction) -> Classes:
        """Return the classes that take or send only what is allowed."""

    def matrix(self) -> Matrix:
        """Return all pairs of pods, worked out in sets."""

    def outside(self, direction: Direction, address: str) -> Partition:
        """Return what every class has with one *address* that is no pod's: what it may send there, or take from there."""

    def blocks(self) -> tuple[str, ...]:
        """Return the different CIDRs that the policies name, excepts included, narrowest last: where answers may change."""

    def to_service(self, service: Service) -> Partition:
        """Return what the egress side of every class lets through to a Service, in ports of the Service."""

    def connections(self, source: Party, destination: Party) -> Answer:
        """Return all that may flow from *source* to *destination*; to a `ServiceAddress` in ports of the Service."""

    def decide(self, source: Party, destination: Party, protocol: str, port: int) -> Decision:
        """Return the verdict on one protocol and port, and who had a say."""
