"""Plans for tests: steps of every kind, and a world they are for."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from eksnetpol.model import eks
from eksnetpol.model.actions import (
    Apply,
    BackUp,
    Create,
    CreateAddon,
    Delete,
    DeleteAddon,
    Look,
    ObjectId,
    Restore,
    StripFinalizer,
    Taking,
    UpdateAddon,
)
from eksnetpol.model.conditions import (
    Absent,
    AddonGone,
    AddonIs,
    All,
    BackedUp,
    Established,
    FlagIs,
    Holds,
    NoneLeft,
    Restored,
    RolledOut,
    Unfinalized,
)
from eksnetpol.model.kinds import DEFINITION, NETWORK_POLICY, ObjectRef
from eksnetpol.model.plan import Plan, Step, Undo, Verb
from tests.execution.small_world import AWS_NODE, FINALIZER, SWITCH, Fate, SmallWorld, configmap, daemonset, policy

OLD, NEW = "v1.20.0-eksbuild.1", "v1.20.5-eksbuild.1"
OFF, ON = '{"enableNetworkPolicy": "false"}', '{"enableNetworkPolicy":"true"}'
KEY = "enable-network-policy-controller"
ARGS = '.spec.template.spec.containers[name="aws-eks-nodeagent"].args'
NAMES = ("a", "b", "c", "d", "e")


def cluster(nodes: int = 2, fate: Fate | None = None) -> SmallWorld:
    """A cluster whose aws-node somebody applied with kubectl, with policies, and an add-on that EKS knows of."""
    world = _at_rest(nodes).copy()
    world.fate = fate or Fate()
    return world


@lru_cache
def _at_rest(nodes: int) -> SmallWorld:
    world = SmallWorld(nodes)
    world.api.apply(daemonset(), manager="kubectl")
    world.api.apply(configmap(**{KEY: "false", "warm-ip-target": "1"}), manager="eks")
    for name in NAMES:
        world.api.create(policy(name), manager="kubectl")
    world.addon = eks.Addon("vpc-cni", OLD, "ACTIVE", configuration_values=OFF)
    world.settle()
    world.all_rolled()
    return world


def ids(world: SmallWorld, names: tuple[str, ...] = NAMES) -> tuple[ObjectId, ...]:
    refs = [ObjectRef.to(NETWORK_POLICY, name, "shop") for name in names]
    return tuple(ObjectId(ref, live["metadata"]["uid"]) for ref in refs if (live := world.api.get(ref)))


def agent(switch: str) -> dict[str, Any]:
    """The DaemonSet's one field that is ours: the agent's arguments."""
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "aws-node", "namespace": "kube-system"},
        "spec": {
            "template": {"spec": {"containers": [{"name": "aws-eks-nodeagent", "args": [f"--enable-network-policy={switch}"]}]}}
        },
    }


def definition(name: str = "things") -> dict[str, Any]:
    return {
        "apiVersion": DEFINITION.api_version,
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{name}.testbed.example.org"},
        "spec": {
            "group": "testbed.example.org",
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": name},
            "versions": [{"name": "v1", "served": True, "storage": True}],
        },
    }


def switched(value: str) -> dict[str, Any]:
    return configmap(**{KEY: value})


def back_up(world: SmallWorld) -> Step:
    return Step("back-up", "Keep the policies", BackUp(ids(world), "policies.json"), BackedUp("policies.json", ids(world)))


def switch_controller() -> Step:
    return Step(
        "switch-controller",
        "Switch the controller on",
        Apply(switched("true"), (Taking(f".data.{KEY}", "eks"),)),
        Holds(switched("true")),
        undo=Undo("Switch it off", Apply(switched("false")), Holds(switched("false"))),
    )


def switch_agent() -> Step:
    return Step(
        "switch-agent",
        "Switch the agents on",
        Apply(agent("true"), (Taking(ARGS, "kubectl"), Taking(ARGS, "eks"))),
        All((Holds(agent("true")), RolledOut(AWS_NODE))),
        undo=Undo("Switch them off", Apply(agent("false")), All((Holds(agent("false")), RolledOut(AWS_NODE)))),
    )


def define() -> Step:
    made = definition()
    name = made["metadata"]["name"]
    ref = ObjectRef.of(made)
    return Step(
        "define",
        "Make a definition",
        Create(made),
        Established(name),
        undo=Undo("Delete it", Delete((ObjectId(ref),)), Absent((ObjectId(ref),))),
    )


def update(version: str = NEW, values: str = ON, *, patience: float = 900.0) -> Step:
    return Step(
        "update-addon",
        f"Update the add-on to {version}",
        UpdateAddon(version, values, "NONE"),
        AddonIs(version, values),
        patience=patience,
        undo=Undo("Go back", UpdateAddon(OLD, OFF, "OVERWRITE"), AddonIs(OLD, OFF)),
    )


def look() -> Step:
    flag = FlagIs(AWS_NODE, ("aws-eks-nodeagent",), "enable-network-policy", "true")
    return Step("look", "Look whether it is on", Look(), All((flag, RolledOut(AWS_NODE))))


def strip(world: SmallWorld, names: tuple[str, ...] = ("a", "b")) -> Step:
    return Step(
        "strip", "Free the policies", StripFinalizer(ids(world, names), FINALIZER), Unfinalized(ids(world, names), FINALIZER)
    )


def delete(world: SmallWorld) -> Step:
    return Step(
        "delete",
        "Delete the policies",
        Delete(ids(world), ("policyendpoints.networking.k8s.aws",)),
        All((Absent(ids(world)), NoneLeft(("policyendpoints.networking.k8s.aws",)))),
        undo=Undo("Put them back", Restore("policies.json"), Restored("policies.json")),
    )


def restore() -> Step:
    return Step("restore", "Put the policies back", Restore("policies.json"), Restored("policies.json"))


def release_addon() -> Step:
    return Step("release-addon", "Let EKS manage it no longer", DeleteAddon(), AddonGone())


def adopt() -> Step:
    return Step("adopt", "Let EKS manage it", CreateAddon(NEW, ON, "OVERWRITE"), AddonIs(NEW, ON), patience=900.0)


def everything(world: SmallWorld) -> Plan:
    """Every kind of action and of condition in one plan."""
    steps = (
        back_up(world), switch_controller(), switch_agent(), define(), update(), look(), strip(world), delete(world), restore(),
        release_addon(), adopt(),
    )  # fmt: skip
    return Plan(verb=Verb.ENABLE, title="Do everything", steps=steps)


def plan_of(*steps: Step) -> Plan:
    return Plan(verb=Verb.ENABLE, title="Test", steps=steps)


__all__ = ["SWITCH"]
