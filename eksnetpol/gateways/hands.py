"""The hands that act on a real cluster, and the guard in front of them: no stranger is changed by mistake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from eksnetpol.errors import Denied, EksNetpolError, Refused, Unreachable, UsageError
from eksnetpol.gateways.aws import Aws
from eksnetpol.gateways.eks_changes import EksChanges
from eksnetpol.gateways.evicting import EvictCalls
from eksnetpol.gateways.kubernetes import KubernetesApi
from eksnetpol.gateways.kubernetes_http import ApiServer
from eksnetpol.gateways.objects import ObjectCalls
from eksnetpol.gateways.session import Connection
from eksnetpol.gateways.watching import WatchCalls
from eksnetpol.model import eks
from eksnetpol.model.actions import CreateAddon, DeleteAddon, UpdateAddon
from eksnetpol.model.kinds import Json, Kind, ObjectRef
from eksnetpol.model.plan import Plan
from eksnetpol.model.snapshot import Seen, Unread, Why


def refuse_strangers(connection: Connection, plan: Plan | None = None) -> None:
    """Raise `Refused` where *connection* is not known to lead to one cluster, the one that is meant.

    That the kubeconfig given beside a cluster's name belongs to it is held by `session.connect`. Here: whoever is at the other
    end of an unverified connection could be anybody, and where AWS and an API server are both open they must be known to be the
    same cluster. A *plan* that changes the managed add-on wants both.
    """
    if connection.kubernetes is not None and not connection.verified:
        raise Refused(
            f"the kubeconfig does not verify the certificate of {connection.target.server} (insecure-skip-tls-verify), so "
            "nothing shows which cluster would be changed; use a context with a certificate authority, or leave out "
            "--kubeconfig and --context and name the cluster: --cluster NAME --region REGION"
        )
    if connection.aws is not None and connection.kubernetes is not None and not isinstance(connection.cluster, Seen):
        raise Refused(
            f"nothing shows that the API server {connection.target.server} is cluster {connection.target.cluster} of EKS: "
            f"{connection.cluster.reason}; eksnetpol permissions show enable names what is needed"
        )
    if plan is None or not _changes_addon(plan):
        return
    for door, problem in (("AWS", connection.aws_problem), ("the API server", connection.kubernetes_problem)):
        if problem is not None:
            raise Refused(
                f"the managed add-on is changed only while its objects can be seen as well, and {door} cannot be asked: "
                f"{problem.reason}"
            )


def _changes_addon(plan: Plan) -> bool:
    return any(isinstance(step.action, CreateAddon | UpdateAddon | DeleteAddon) for step in plan.steps)


def hands_of(connection: Connection, *, run: str = "") -> RealHands:
    """Return the hands for *connection*; *run* is named to AWS and to the API server with every call.

    A door that could not be opened raises its reason as soon as something is asked of it.
    """
    return RealHands(connection, run)


class _Objects(ObjectCalls, EvictCalls, WatchCalls):
    """One API server, acted upon."""

    def __init__(self, api: ApiServer) -> None:
        self.api = api


class _Addons(EksChanges):
    """Add-ons of one account and region, acted upon."""

    def __init__(self, aws: Aws) -> None:
        self.door = aws.door


class RealHands:
    """A real cluster, as `interfaces.acting.Hands`."""

    def __init__(self, connection: Connection, run: str = "") -> None:
        self._connection = connection
        self._cluster = connection.target.cluster
        kubernetes, aws = connection.kubernetes, connection.aws
        self._there = _Objects(kubernetes.api) if isinstance(kubernetes, KubernetesApi) else None
        self._eks = _Addons(aws) if isinstance(aws, Aws) else None
        if run:
            self.name(run)

    def name(self, run: str) -> None:
        """Say with every call from now on that it is part of *run*."""
        if self._there is not None:
            self._there.api.run = run
        if self._eks is not None:
            self._eks.door.run = run

    # --- the API server ---

    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object, None where there is none or its kind is not served."""
        return self._objects.get(ref)

    def objects(self, kind: Kind, *, namespace: str = "", selector: str = "") -> tuple[Json, ...]:
        """Return the objects of a kind; none where the kind is not served."""
        return self._objects.objects(kind, namespace=namespace, selector=selector)

    def pods_on(self, node: str) -> tuple[Json, ...]:
        """Return the pods that are bound to a node, whatever their state: asked for by node, for a cluster has many."""
        return self._objects.pods_on(node)

    def create(self, obj: Json, *, dry_run: bool = False) -> Json:
        """Create an object; raise `errors.Exists` where there is one of that name."""
        return self._objects.create(obj, dry_run=dry_run)

    def apply(self, obj: Json, *, force: bool = False, dry_run: bool = False) -> Json:
        """Apply server-side as `MANAGER`; raise `errors.Conflict` with its fields where others own them and not *force*."""
        return self._objects.apply(obj, force=force, dry_run=dry_run)

    def patch(self, ref: ObjectRef, operations: list[Json], *, dry_run: bool = False) -> Json:
        """Do a JSON patch; raise `errors.Conflict` where one of its tests fails, `errors.NotFound` without object."""
        return self._objects.patch(ref, operations, dry_run=dry_run)

    def replace(self, obj: Json) -> Json:
        """Put *obj* in the place of the one with the same resourceVersion; raise `errors.Conflict` where that has changed."""
        return self._objects.replace(obj)

    def delete(self, ref: ObjectRef, *, uid: str = "", dry_run: bool = False) -> None:
        """Delete an object, only the one with *uid* where it is given. One that is not there, or another by then, is no error."""
        self._objects.delete(ref, uid=uid, dry_run=dry_run)

    def evict(self, ref: ObjectRef, *, uid: str = "") -> None:
        """Evict a pod, only the one with *uid* where it is given. One that is gone, or another by then, is no error."""
        self._objects.evict(ref, uid=uid)

    def watch(self, ref: ObjectRef, *, since: str = "", seconds: float = 5.0) -> Iterator[Json | None]:
        """Yield the object whenever it changes, for at most *seconds*; None when it goes. *since* is a resourceVersion."""
        return self._objects.watch(ref, since=since, seconds=seconds)

    # --- EKS ---

    def describe_addon(self, name: str) -> eks.Addon | None:
        """Return the add-on, None where EKS manages none."""
        return self._addons.describe_addon(self._cluster, name)

    def addon_updates(self, name: str) -> tuple[eks.Update, ...]:
        """Return the updates of an add-on that EKS remembers, the newest first."""
        return self._addons.addon_updates(self._cluster, name)

    def describe_update(self, name: str, update: str) -> eks.Update:
        """Return one update of an add-on."""
        return self._addons.describe_update(self._cluster, name, update)

    def update_addon(self, wanted: UpdateAddon, *, token: str) -> eks.Update:
        """Start an update; the same *token* again starts nothing and returns the same update."""
        return self._addons.update_addon(self._cluster, wanted, token)

    def create_addon(self, wanted: CreateAddon, *, token: str) -> eks.Addon:
        """Start creating the add-on; raise `errors.Exists` where there is one."""
        return self._addons.create_addon(self._cluster, wanted, token)

    def delete_addon(self, name: str, *, preserve: bool) -> None:
        """Start deleting the add-on; one that is not there is no error."""
        self._addons.delete_addon(self._cluster, name, preserve=preserve)

    @property
    def _objects(self) -> _Objects:
        return self._there or _closed(self._connection.kubernetes_problem, "the API server")

    @property
    def _addons(self) -> _Addons:
        return self._eks or _closed(self._connection.aws_problem, "AWS")


def _closed(problem: Unread | None, door: str) -> NoReturn:
    reason = problem.reason if problem else f"{door} was not asked"
    if problem is not None and problem.why is Why.DENIED:
        raise Denied(reason, permission=problem.permission)
    if problem is not None and problem.why is Why.UNREACHABLE:
        raise Unreachable(reason)
    if problem is None or problem.why is Why.NOT_ASKED:
        raise UsageError(reason)
    raise EksNetpolError(reason)
