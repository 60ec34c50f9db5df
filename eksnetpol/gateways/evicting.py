"""The pods of a node, and how they are asked to go so that disruption budgets have their say (policy/v1, ``eviction``)."""

from __future__ import annotations

import re
from typing import Any

from eksnetpol.errors import Conflict, NotFound
from eksnetpol.gateways.kubernetes_http import ApiServer
from eksnetpol.gateways.kubernetes_lists import Resource, list_all
from eksnetpol.gateways.permits import MIGRATING, RbacPermission, needs, rbac
from eksnetpol.model.kinds import POD, Json, ObjectRef

SUBRESOURCE = "pods/eviction"
_OTHER_UID = re.compile(r"UID in (the )?precondition")


class EvictCalls:
    """What draining a node takes of one API server."""

    api: ApiServer

    @needs(rbac("list", POD.plural), commands=MIGRATING)
    def pods_on(self, node: str) -> tuple[Json, ...]:
        """Return the pods that are bound to a node, whatever their state: asked for by node, for a cluster has many."""
        found = list_all(self.api, Resource(POD.plural), dict, query={"fieldSelector": f"spec.nodeName={node}"})
        return tuple({"apiVersion": POD.api_version, "kind": POD.name, **one} for one in found)

    @needs(rbac("create", SUBRESOURCE), commands=MIGRATING)
    def evict(self, ref: ObjectRef, *, uid: str = "") -> None:
        """Evict a pod, only the one with *uid* where it is given. One that is gone, or another by then, is no error.

        Raises `errors.Busy`, which names the budget, where a disruption budget allows nothing now, and `errors.Rejected` where it
        never will: more than one budget selects the pod.
        """
        options: dict[str, Any] = {"preconditions": {"uid": uid}} if uid else {}
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            **({"deleteOptions": options} if options else {}),
        }
        needed = RbacPermission("create", SUBRESOURCE, namespace=ref.namespace)
        path = f"{Resource(POD.plural).path(ref.namespace, ref.name)}/eviction"
        try:
            self.api.change("POST", path, needed, body=body, repeatable=bool(uid))
        except NotFound:
            return
        except Conflict as error:
            if not uid or not _OTHER_UID.search(str(error)):
                raise
