"""Plans and runs that show every part of their pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from eksnetpol.interfaces.acting import Entry
from eksnetpol.model.actions import Apply, Look, UpdateAddon
from eksnetpol.model.conditions import AddonIs, Holds, RolledOut
from eksnetpol.model.kinds import CONFIGMAP, DAEMONSET, ObjectRef
from eksnetpol.model.plan import FieldChange, Forecast, Isolation, Plan, Refusal, Rollout, Step, Undo, Verb, Way
from eksnetpol.model.runs import RunSummary
from eksnetpol.model.snapshot import Target

MADE = datetime(2026, 11, 27, 3, 7, tzinfo=UTC)
TARGET = Target(cluster="shop", region="eu-west-1", account="111122223333", arn="arn:aws:eks:eu-west-1:111122223333:cluster/shop")
AWS_NODE = ObjectRef.to(DAEMONSET, "aws-node", "kube-system")
VERSION = "v1.20.5-eksbuild.1"
ON, OFF = '{"enableNetworkPolicy":"true"}', "{}"
SWITCH = {
    "apiVersion": "v1",
    "kind": CONFIGMAP.name,
    "metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system"},
    "data": {"enable-network-policy-controller": "true"},
}

MANAGED = Plan(
    tool="9.9.9",
    made_at=MADE,
    target=TARGET,
    verb=Verb.ENABLE,
    way=Way.ADDON,
    release=VERSION,
    steps=(
        Step(
            id="update-addon",
            title=f"set enableNetworkPolicy in the configuration of vpc-cni {VERSION}",
            action=UpdateAddon(VERSION, ON, "PRESERVE"),
            until=AddonIs(VERSION, ON),
            undo=Undo("give the add-on its former configuration", UpdateAddon(VERSION, OFF, "PRESERVE"), AddonIs(VERSION, OFF)),
            disrupts="new pods on a node wait while its agent restarts",
        ),
        Step(id="controller-switch", title="the controller's switch is on", action=Look(), until=Holds(SWITCH)),
        Step(
            id="roll-out",
            title="every node runs the new template",
            action=Look(),
            until=RolledOut(AWS_NODE),
            one_way="pods restart",
        ),
    ),
    basis={"addon": "0123456789abcdef"},
    changes=(
        FieldChange("add-on vpc-cni", "enableNetworkPolicy", None, "true"),
        FieldChange("configmap/kube-system/amazon-vpc-cni", "switch", "false", "true", ("eks", "kubectl")),
        FieldChange("daemonset/kube-system/aws-node", "old", "many words " * 20, None),
    ),
    forecasts=(Forecast("daemonset/kube-system/aws-node", '.spec.x[name="WARM_IP_TARGET"].value', "kubectl-set", "5", None),),
    isolates=(
        Isolation("shop/Deployment/api", "ingress", 4, 4, 4, ("networkpolicy/shop/default-deny",)),
        Isolation("shop/Deployment/web", "egress", 3, 2, 0, tuple(f"networkpolicy/shop/p{n}" for n in range(5))),
        *(Isolation(f"bank/Deployment/d{n}", "ingress", 1, 1, 0) for n in range(9)),
    ),
    rollout=Rollout(nodes=100, at_once=10, seconds=320),
    facts=("the agent is v1.2.7",),
    warnings=("WARM_IP_TARGET was set by hand",),
    refusals=(Refusal("Helm owns aws-node", "--take-over"), Refusal("an update is in progress; wait until it has ended")),
    afterwards=("eksnetpol status --cluster shop says whether it is on",),
)
MANIFEST = Plan(
    tool="9.9.9",
    made_at=MADE,
    target=TARGET,
    verb=Verb.ENABLE,
    way=Way.MANIFEST,
    steps=(
        Step(
            id="controller-switch",
            title="switch the controller on",
            action=Apply(SWITCH),
            until=Holds(SWITCH),
            undo=Undo("switch it off", Apply(SWITCH), Holds(SWITCH)),
        ),
    ),
    rollout=Rollout(nodes=3, at_once=1, on_delete=True),
)
NOTHING = Plan(tool="9.9.9", made_at=MADE, target=TARGET, verb=Verb.UPGRADE, way=Way.ADDON, isolates=())
PLANS = {"managed": MANAGED, "manifest": MANIFEST, "nothing": NOTHING}

RUN = RunSummary(
    id="20261127-030744-enable-4f2a",
    verb=Verb.ENABLE,
    title="turn network policy on",
    target=TARGET,
    state="failed",
    started_at=MADE,
    ended_at=MADE + timedelta(minutes=2),
    done=1,
    steps=3,
    by="ada@desk",
    tool="9.9.9",
    undoes="20261126-010101-enable-0000",
    detail="the update failed",
)
BROKEN = RunSummary(id="20261101-000000-enable-aaaa", state="unreadable", problem="journal.jsonl:1: this is no journal of a run")
ENTRIES = (
    Entry(MADE, "opened", detail="3 steps", data={"plan": MANAGED.digest}),
    Entry(MADE + timedelta(seconds=1), "started", "update-addon"),
    Entry(MADE + timedelta(seconds=2), "acted", "update-addon", data={"update": "u-1"}),
    Entry(MADE + timedelta(minutes=2), "failed", "update-addon", "EKS says | ConfigurationConflict"),
)
