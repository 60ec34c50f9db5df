"""Where a change begins: clusters in memory in which upstream's own manifest of a release is what is there, whole."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable

from eksnetpol.assets.addon_objects import managed_objects
from eksnetpol.assets.images import registry_of
from eksnetpol.assets.manifests import definition as whole
from eksnetpol.fields.apply import applied, written
from eksnetpol.model import kinds
from eksnetpol.model.actions import UpdateAddon
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.versions import Release
from eksnetpol.planning.places import AGENT_ROLE, AWS_NODE, SETTINGS
from eksnetpol.simulation.world import SimulatedCluster
from tests import builders
from tests.planning.clusters import CLUSTER, addon, definition, look, schema, self_managed
from tests.planning.manifests import NOW, manifest
from tests.planning.test_disable import POLICED, POLICIES
from tests.planning.test_upgrade import RELEASES

AGENT = "aws-eks-nodeagent"
AUTO: Json = {**CLUSTER, "computeConfig": {"enabled": True}}
HELM = {"meta.helm.sh/release-name": "cni", "meta.helm.sh/release-namespace": "kube-system"}
REGISTRY = registry_of("eu-west-1")
Edit = Callable[[dict[str, Json]], None]


def cluster(
    way: str = "manifest",
    release: str = "v1.20.5",
    *,
    values: str = "",
    on: bool = False,
    edits: Iterable[Edit] = (),
    auto: bool = False,
    policed: bool = True,
) -> SimulatedCluster:
    """Return a cluster whose VPC CNI is *release* as its manifest has it, run for long enough for everybody to be at rest.

    *way* is ``manifest``, ``helm``, ``addon`` or ``none`` (no DaemonSet). *values* is the add-on's configuration. *edits* are
    done to the objects by somebody with kubectl. *on* switches both on before. *auto* makes it a cluster of EKS Auto Mode too.
    """
    world = SimulatedCluster.of(look(_sections(way, release, values, auto=auto)))
    for obj in _of_the_control_plane():
        world.apply(obj)
    if way == "addon":
        _of_eks(world, release, values, on=on)
    elif way != "none":
        _of_people(world, release, on=on, helm=way == "helm")
    edit(world, *edits)
    for one in POLICIES if policed else ():
        world.create(policy(one))
    world.sleep(900)
    return world


def _sections(way: str, release: str, values: str, *, auto: bool) -> Json:
    objects = ("crds", "cluster_roles", "configmaps", "service_accounts", "cluster_role_bindings")
    empty = (*objects, "pod_identities", "network_policies")
    short = self_managed(**POLICED | dict.fromkeys(empty, ()) | {"aws_node": None, "addon_releases": RELEASES})
    del short["switch"]
    if auto:
        short |= {"cluster": AUTO, "node_classes": [{"kind": "NodeClass", "name": "default"}]}
        short |= {"crds": [definition("nodeclasses.eks.amazonaws.com", "NodeClass", "v1")]}
    if way == "addon":
        version = f"{release}-eksbuild.1"
        short |= {"addon": addon(values, version), "addon_schema": schema(version)}
    return short


def _of_eks(world: SimulatedCluster, release: str, values: str, *, on: bool) -> None:
    version = f"{release}-eksbuild.1"
    wanted = json.dumps({**json.loads(values or "{}"), "enableNetworkPolicy": "true"}) if on else values
    for obj in managed_objects(Release.parse(version), json.loads(wanted or "{}"), family="ipv4", registry=REGISTRY):
        world.ground.put(applied(world.get(ObjectRef.of(obj)), obj, manager="eks", force=True, now=NOW))
    if on:
        world.update_addon(UpdateAddon(version, wanted, "OVERWRITE"), token="first")  # noqa: S106 - no secret
        world.sleep(900)


def _of_people(world: SimulatedCluster, release: str, *, on: bool, helm: bool) -> None:
    objects = manifest(release)
    if on:
        switched(objects)
    for obj in objects.values():
        if helm:
            obj["metadata"].setdefault("annotations", {}).update(HELM)
        before = world.get(ObjectRef.of(obj))
        world.ground.put(written(before, obj, manager="helm" if helm else "kubectl", now=NOW))


def _of_the_control_plane() -> list[Json]:
    plurals = ("policyendpoints", "clusterpolicyendpoints", "applicationnetworkpolicies", "clusternetworkpolicies")
    return [whole(f"{plural}.networking.k8s.aws") for plural in plurals]


def policies(world: SimulatedCluster) -> list[ObjectRef]:
    """Return which policies there are."""
    return [ObjectRef.of(found) for found in world.objects(kinds.NETWORK_POLICY)]


def policy(short: Json) -> Json:
    """Return a NetworkPolicy in the API's form."""
    whole = builders.policy(dict(short))
    whole["metadata"] = {k: v for k, v in whole["metadata"].items() if k not in {"uid", "creationTimestamp"}}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", **whole}


def edit(world: SimulatedCluster, *edits: Edit) -> None:
    """Let somebody with kubectl edit the objects of the VPC CNI."""
    for change in edits:
        before = {ref.kind: found for ref in (AWS_NODE, SETTINGS, AGENT_ROLE) if (found := world.get(ref)) is not None}
        after = copy.deepcopy(before)
        change(after)
        for kind, found in before.items():
            if kind not in after:
                world.delete(ObjectRef.of(found))
            elif after[kind] != found:
                world.ground.put(written(found, after[kind], manager="kubectl-edit", now=NOW))


# --- edits -----------------------------------------------------------------------------------------------------------------


def containers(objects: dict[str, Json]) -> dict[str, Json]:
    """Return the containers of ``aws-node`` by name, to be changed."""
    return {c["name"]: c for c in objects["DaemonSet"]["spec"]["template"]["spec"]["containers"]}


def switched(objects: dict[str, Json]) -> None:
    """Switch both on in a manifest."""
    for obj in objects.values():
        if obj["kind"] == "ConfigMap":
            obj["data"]["enable-network-policy-controller"] = "true"
        if obj["kind"] == "DaemonSet":
            agent = containers({"DaemonSet": obj})[AGENT]
            agent["args"] = [a.replace("--enable-network-policy=false", "--enable-network-policy=true") for a in agent["args"]]


def no_agent(objects: dict[str, Json]) -> None:
    """Take out the agent, its volume, its mode and its permissions, as the manifest of a release before it."""
    spec = objects["DaemonSet"]["spec"]["template"]["spec"]
    spec["containers"] = [c for c in spec["containers"] if c["name"] != AGENT]
    spec["volumes"] = [v for v in spec["volumes"] if v["name"] != "bpf-pin-path"]
    for one in spec["containers"]:
        one["env"] = [e for e in one["env"] if e["name"] != "NETWORK_POLICY_ENFORCING_MODE"]
    role = objects["ClusterRole"]
    role["rules"] = [r for r in role["rules"] if "networking.k8s.aws" not in json.dumps(r)]


def no_settings(objects: dict[str, Json]) -> None:
    """Take the ConfigMap away."""
    objects.pop("ConfigMap", None)


def no_key(objects: dict[str, Json]) -> None:
    """Take the switch out of the ConfigMap."""
    if "ConfigMap" in objects:
        objects["ConfigMap"].get("data", {}).pop("enable-network-policy-controller", None)


def key(value: str) -> Edit:
    """Spell the controller's switch so."""

    def change(objects: dict[str, Json]) -> None:
        if "ConfigMap" in objects:
            objects["ConfigMap"].setdefault("data", {})["enable-network-policy-controller"] = value

    return change


def flag(spelled: tuple[str, ...]) -> Edit:
    """Spell the agent's switch so: as these arguments, where it stands."""

    def change(objects: dict[str, Json]) -> None:
        agent = containers(objects).get(AGENT)
        if agent is not None:
            at = next((n for n, a in enumerate(agent["args"]) if a.lstrip("-").startswith("enable-network-policy")), 0)
            rest = [a for a in agent["args"] if not a.lstrip("-").startswith("enable-network-policy")]
            agent["args"] = [*rest[:at], *spelled, *rest[at:]]

    return change


def variable(name: str, value: str | None) -> Edit:
    """Give the plug-in a variable, or take it away."""

    def change(objects: dict[str, Json]) -> None:
        env = containers(objects)["aws-node"]["env"]
        env[:] = [e for e in env if e["name"] != name]
        if value is not None:
            env.append({"name": name, "value": value})

    return change


def argument(text: str) -> Edit:
    """Give the agent another flag."""

    def change(objects: dict[str, Json]) -> None:
        if AGENT in containers(objects):
            name = text.partition("=")[0]
            agent = containers(objects)[AGENT]
            agent["args"] = [*(a for a in agent["args"] if a.partition("=")[0] != name), text]

    return change

