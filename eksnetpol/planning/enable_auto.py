"""Enabling on the nodes of EKS Auto Mode: their agent is built in and reads its setting from the NodeClass.

``DefaultAllow`` leaves pods open that no policy selects. ``DefaultDeny`` closes them from their first second on; that is never
set here, and what somebody has set stays. The controller's switch is the ConfigMap's key, one for all nodes of the cluster
(docs.aws.amazon.com/eks, "Use network policies with EKS Auto Mode").
"""

from __future__ import annotations

from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.owners import Owners
from eksnetpol.model import kinds
from eksnetpol.model.actions import Apply
from eksnetpol.model.conditions import Holds
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.kubernetes import CustomObject
from eksnetpol.model.plan import FieldChange, Step, Undo
from eksnetpol.planning import live, refusals
from eksnetpol.planning.draft import Draft, joined
from eksnetpol.planning.enable_agent import taken
from eksnetpol.planning.reading import need

OPEN = "DefaultAllow"
CLOSED = "DefaultDeny"
SETTING = ".spec.networkPolicy"


def node_classes(facts: Lookup) -> Draft:
    """Return how every NodeClass that says nothing of network policies comes to say `OPEN`. Raises as `need`."""
    found: tuple[CustomObject, ...] = need(facts, "node_classes")
    if not found:
        return Draft(warnings=("EKS Auto Mode is on, yet there is no NodeClass: set networkPolicy in the first one you make",))
    return joined([_node_class(facts, one) for one in found])


def _node_class(facts: Lookup, found: CustomObject) -> Draft:
    name, told = found.metadata.name, found.spec.get("networkPolicy")
    if told == CLOSED:
        what = f"NodeClass {name} says {CLOSED} and is left so: pods of its nodes start closed, until a policy opens them"
        return Draft(warnings=(what,))
    if told is not None:
        return Draft() if told == OPEN else Draft(warnings=(f"NodeClass {name} says networkPolicy {told}, and is left so",))
    ref = ObjectRef.to(kinds.NODE_CLASS, name)
    wanted, former = _object(found, OPEN), _object(found, None)
    step = Step(
        id=f"node-class-{name}",
        title=f"Let nodes of NodeClass {name} enforce policies: networkPolicy = {OPEN}",
        action=Apply(wanted, taken(live.as_object(found, kinds.NODE_CLASS), wanted), keeps=True),
        until=Holds(wanted),
        undo=Undo(
            title=f"Give NodeClass {name} its former setting back",
            action=Apply(former, keeps=True, drops=(SETTING,)),
            until=Holds(former, without=(SETTING,)),
        ),
        disrupts="EKS may replace nodes whose NodeClass has changed, each under its pods' disruption budgets",
    )
    owners: Owners = need(facts, "owners")
    change = FieldChange(str(ref), SETTING, None, OPEN)
    return Draft((step,), changes=(change,), refusals=tuple(refusals.foreign(owners, (str(ref),))))


def _object(found: CustomObject, told: str | None) -> Json:
    head = {"apiVersion": kinds.NODE_CLASS.api_version, "kind": kinds.NODE_CLASS.name, "metadata": {"name": found.metadata.name}}
    return head if told is None else {**head, "spec": {"networkPolicy": told}}
