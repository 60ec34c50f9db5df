"""Plans as every language of `eksnetpol render` is asked to write them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from eksnetpol.model import eks
from eksnetpol.model.actions import (
    Apply,
    BackUp,
    Create,
    CreateAddon,
    Delete,
    Look,
    ObjectId,
    StripFinalizer,
    Taking,
    UpdateAddon,
)
from eksnetpol.model.conditions import AddonIs, BackedUp, Established, Holds, NoneLeft, RolledOut, Unfinalized
from eksnetpol.model.kinds import CLUSTER_ROLE, DEFINITION, NETWORK_POLICY, POLICY_ENDPOINT, ObjectRef
from eksnetpol.model.plan import Plan, Refusal, Step, Undo, Verb, Way
from eksnetpol.reporting.render.order import HelmRelease, Order
from tests.reporting.plan_samples import AWS_NODE, MADE, MANAGED, ON, SWITCH, TARGET, VERSION

ROLE = "arn:aws:iam::111122223333:role/vpc-cni"
MERGED = '{"enableNetworkPolicy":"true","env":{"WARM_IP_TARGET":"5"},"nodeAgent":{"logLevel":"info"}}'
FINALIZER = "networking.k8s.aws/resources"
ENDPOINTS = "policyendpoints.networking.k8s.aws"


def addon(values: str = "{}", *, associations: tuple[str, ...] = ()) -> eks.Addon:
    """The add-on as it is before."""
    return eks.Addon("vpc-cni", VERSION, "ACTIVE", configuration_values=values, pod_identity_associations=associations)


def updating(values: str, version: str = VERSION, *, role: str = "", resolve: Any = "PRESERVE", number: int = 1) -> Step:
    """One update of the add-on."""
    return Step(
        id=f"update-addon-{number}",
        title=f"Give the add-on vpc-cni {version} its configuration",
        action=UpdateAddon(version, values, resolve, role),
        until=AddonIs(version, values, role),
    )


ROLLING = Step(id="roll-out", title="Wait until aws-node has rolled out on 100 nodes", action=Look(), until=RolledOut(AWS_NODE))
SWITCHED_OFF = {**SWITCH, "data": {"enable-network-policy-controller": "false"}}
POLICIES = tuple(
    ObjectId(ObjectRef.to(NETWORK_POLICY, name, namespace), f"uid-{name}")
    for namespace, name in (("shop", "allow-api"), ("shop", "default-deny"), ("bank", "it's mine"))
)
AGENT = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "aws-node", "namespace": "kube-system"},
    "spec": {
        "template": {
            "spec": {
                "containers": [{"name": "aws-eks-nodeagent", "args": ["--enable-ipv6=false", "--enable-network-policy=true"]}]
            }
        }
    },
}
RULES = {
    "apiVersion": CLUSTER_ROLE.api_version,
    "kind": CLUSTER_ROLE.name,
    "metadata": {"name": "aws-node"},
    "rules": [{"apiGroups": ["networking.k8s.aws"], "resources": ["policyendpoints"], "verbs": ["get", "list", "watch"]}],
}
CRD = {
    "apiVersion": DEFINITION.api_version,
    "kind": DEFINITION.name,
    "metadata": {"name": ENDPOINTS},
    "spec": {"group": "networking.k8s.aws", "scope": "Namespaced"},
}


def plan(*steps: Step, verb: Verb = Verb.ENABLE, way: Way = Way.ADDON, **more: Any) -> Plan:
    """A plan of *steps* for the sample cluster."""
    titles = {
        Verb.ENABLE: "Enable network policies on shop",
        Verb.UPGRADE: "Upgrade the VPC CNI of shop",
        Verb.DISABLE: "Disable",
    }
    return Plan(tool="9.9.9", made_at=MADE, target=TARGET, verb=verb, way=way, title=titles[verb], steps=steps, **more)


def _step(name: str, title: str, action: Any, until: Any) -> Step:
    return Step(id=name, title=title, action=action, until=until, undo=Undo("back", Look(), Holds(SWITCH)))


MANIFEST_STEPS = (
    _step("definition", f"Create the definition {ENDPOINTS}", Create(CRD), Established(ENDPOINTS)),
    _step(
        "permissions", "Let aws-node read PolicyEndpoints", Apply(RULES, (Taking(".rules", "kubectl"),), keeps=True), Holds(RULES)
    ),
    _step("controller-switch", "Switch the controller on", Apply(SWITCH, keeps=True), Holds(SWITCH)),
    _step("agent", "Let the network policy agent enforce", Apply(AGENT, keeps=True), Holds(AGENT)),
    ROLLING,
)

ORDERS: dict[str, Order] = {
    "enable": Order(
        replace(
            MANAGED, steps=(updating(MERGED, role=ROLE), *MANAGED.steps[1:]), refusals=(Refusal("Terraform", "--take-over"),)
        ),
        addon('{"env":{"WARM_IP_TARGET":"5"}}', associations=("arn:aws:eks:eu-west-1:1:podidentityassociation/shop/a-1",)),
    ),
    "adopt": Order(
        plan(
            Step(
                id="create-addon",
                title=f"Let EKS manage vpc-cni {VERSION}",
                action=CreateAddon(
                    VERSION, ON, "OVERWRITE", pod_identity_role=ROLE, tags={"team": "net", "cost centre": "4,2=x"}
                ),
                until=AddonIs(VERSION, ON),
            ),
            ROLLING,
        )
    ),
    "ladder": Order(
        plan(
            updating(ON, "v1.19.6-eksbuild.7", number=1),
            updating(ON, "v1.20.5-eksbuild.1", number=2),
            updating(ON, "v1.21.1-eksbuild.7", number=3),
            verb=Verb.UPGRADE,
        ),
        addon(ON),
    ),
    "disable": Order(
        plan(
            _step("back-up", "Back up 3 policies", BackUp(POLICIES, "policies.yaml"), BackedUp("policies.yaml", POLICIES)),
            _step("policies", "Delete 3 policies", Delete(POLICIES), NoneLeft((str(NETWORK_POLICY),))),
            _step(
                "endpoints",
                "See that the controller has taken back its endpoints",
                Delete((), (str(POLICY_ENDPOINT),)),
                NoneLeft((ENDPOINTS,)),
            ),
            updating('{"enableNetworkPolicy":"false"}', resolve="OVERWRITE"),
            ROLLING,
            _step(
                "finalizers", "Free what is left", StripFinalizer(POLICIES[:1], FINALIZER), Unfinalized(POLICIES[:1], FINALIZER)
            ),
            verb=Verb.DISABLE,
            afterwards=("recycle the nodes",),
        ),
        addon(ON),
    ),
}
"""Orders for an add-on, by name."""

BY_HAND = Order(plan(*MANIFEST_STEPS, way=Way.MANIFEST))
OF_HELM = Order(
    plan(*MANIFEST_STEPS, way=Way.HELM),
    helm=HelmRelease("cni", "kube-system", "v1.20.5"),
    values={"nodeAgent.logLevel": "info", "nodeAgent.metricsBindAddr": "9162"},
    needs_agent=True,
    family="ipv6",
)
HELM_UPGRADE = Order(
    plan(*MANIFEST_STEPS[:1], verb=Verb.UPGRADE, way=Way.HELM, release="v1.21.1"),
    helm=HelmRelease("cni", "kube-system", "v1.20.5"),
)
