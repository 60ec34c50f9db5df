"""The stage on which actors act on a real API server: whoever of `eksnetpol.simulation` is asked for, turned by one thread.

    with acting(plane) as stage:
        stage.add(tigera(stage))
        supply = stage.add(new_nodes(stage, ahead=3))

Actors are those of memory: the operators of `simulation.operators`, the supply of nodes and GitOps of `simulation.people`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any, Protocol, TypeVar

from eksnetpol.model.engine_kinds import CALICO_STORED, IP_POOL, OPERATOR_KINDS
from eksnetpol.model.kinds import (
    API_SERVICE,
    CONFIGMAP,
    DAEMONSET,
    DEFINITION,
    DEPLOYMENT,
    NODE,
    POD,
    VALIDATING_WEBHOOKS,
    Kind,
    ObjectRef,
)
from eksnetpol.simulation.operators import Operators
from eksnetpol.simulation.people import GitOps, NodeSupply
from tests.fields.server import Server
from tests.testbed.actors.feed import Feed
from tests.testbed.actors.ground import LiveGround, LivePods, LiveWorkloads, nodes_of
from tests.testbed.cluster import ControlPlane

EVERY = 0.1
WATCHED: tuple[Kind, ...] = (
    NODE, POD, DAEMONSET, DEPLOYMENT, CONFIGMAP, DEFINITION, API_SERVICE, VALIDATING_WEBHOOKS, IP_POOL,
    *OPERATOR_KINDS, *(kind for kind in CALICO_STORED if kind.name == "Tier"),
)  # fmt: skip


class Turning(Protocol):
    """Somebody who does what is to be done by now, in seconds."""

    def turn(self, now: float) -> None:
        """Do it."""


A = TypeVar("A", bound=Turning)


class Stage:
    """See `acting`. What actors know of the cluster: ``ground``, ``nodes``, ``pods``."""

    def __init__(self, plane: ControlPlane, kinds: Iterable[Kind]) -> None:
        self.plane = plane
        self.feed = Feed(plane, kinds)
        self.feed.synced()
        self._server = Server(plane)
        self.ground = LiveGround(self._server, self.feed)
        self.pods = LivePods(self.ground)
        self.ground.take()
        self.nodes = nodes_of(self.ground)
        self.workloads = LiveWorkloads(self.ground, self.pods.table)
        self._actors: list[Turning] = []
        self.coming: list[Callable[[], Turning]] = []
        """Those who are to come once all others have acted; for actors that let others act."""
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def add(self, actor: A) -> A:
        """Let somebody act from now on."""
        with self._lock:
            self._actors.append(actor)
        return actor

    def made(self, make: Callable[[], A]) -> A:
        """Let somebody act who looks around while being made."""
        with self._lock:
            self.ground.take()
            actor = make()
            self._actors.append(actor)
        return actor

    def remove(self, actor: Turning) -> None:
        """Let somebody act no more."""
        with self._lock:
            self._actors.remove(actor)

    def stop(self) -> None:
        """End it; raise what an actor raised."""
        self._over.set()
        self._thread.join(10.0)
        self.feed.stop()
        self._server.close()
        if self.errors:
            raise self.errors[0]
        assert not self.ground.refused, self.ground.refused[:3]

    def _play(self) -> None:
        while not self._over.wait(EVERY):
            with self._lock:
                try:
                    self.ground.take()
                    for actor in tuple(self._actors):
                        actor.turn(time.monotonic())
                    while self.coming:
                        self._actors.append(self.coming.pop()())
                except (OSError, HTTPException):
                    # The server is away, or slow: actors try again.
                    self._server.close()
                except Exception as error:  # noqa: BLE001 - it is raised when the stage ends
                    self.errors.append(error)
                    return


@contextmanager
def acting(plane: ControlPlane, *more: Kind) -> Iterator[Stage]:
    """Yield a stage on *plane*; *more* kinds are watched for actors who ask for them."""
    stage = Stage(plane, (*WATCHED, *more))
    try:
        yield stage
    finally:
        stage.stop()


class operating(Turning):  # noqa: N801 - it reads as what is done
    """The operators of `simulation.operators`: Tigera's, Calico's kube-controllers, Cilium's, whichever are there."""

    def __init__(self, stage: Stage) -> None:
        ground: Any = stage.ground
        workloads: Any = stage.workloads
        self.operators = Operators(ground, stage.pods.table, workloads)

    def turn(self, now: float) -> None:
        """Do what is to be done by now."""
        del now
        self.operators.turn()


def new_nodes(stage: Stage, **how: Any) -> NodeSupply:
    """Return people who bring new nodes and delete drained ones; *how*: see `simulation.people.NodeSupply`."""
    ground: Any = stage.ground
    return NodeSupply(ground, stage.nodes, stage.pods.table, **{"late": 1.0, "ready_in": 0.5, "deletes_in": 0.5, **how})


def git_ops(stage: Stage, refs: Iterable[ObjectRef], *, every: float = 1.0) -> GitOps:
    """Return a controller that puts objects back as they are now."""
    ground: Any = stage.ground
    return GitOps(ground, refs, every=every)
