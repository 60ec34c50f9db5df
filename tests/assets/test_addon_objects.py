"""What EKS is expected to write: every key of the add-on's configuration ends up in a field, and in the right one."""

from __future__ import annotations

from itertools import product
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.assets.addon_objects import UNTOLD, managed_objects
from eksnetpol.assets.addon_settings import Settings
from eksnetpol.assets.history import known_releases
from eksnetpol.assets.manifests import AGENT, CNI, INIT, Install, vpc_cni_objects
from eksnetpol.errors import UsageError
from eksnetpol.model.versions import Release
from eksnetpol.simulation.configuration_schema import configuration_schema
from tests.assets.upstream import by_name, container, enabled, of_kind, plain, upstream

V = Release.parse
Json = dict[str, Any]


def build(release: Release) -> Release:
    return Release(release.major, release.minor, release.patch, build=1)


def retagged(objects: list[Json], release: Release) -> list[Json]:
    """Return a manifest's objects with the images an add-on build has."""
    for one in (daemonset := of_kind(objects, "DaemonSet"))["spec"]["template"]["spec"]["containers"]:
        one["image"] += "-eksbuild.1"
    container(daemonset, INIT)["image"] += "-eksbuild.1"
    assert container(daemonset, CNI)["image"].endswith(f":{release}")
    return objects


@pytest.mark.parametrize("on", [False, True])
@pytest.mark.parametrize("release", [V("1.14.1"), V("1.20.5"), V("1.23.0")], ids=str)
def test_with_no_further_settings_it_is_the_manifest(release: Release, on: bool) -> None:
    expected = enabled(upstream(release)) if on else list(upstream(release))
    forecast = managed_objects(build(release), {"enableNetworkPolicy": "true"} if on else {})
    assert plain(forecast) == plain(retagged(expected, build(release)))


def test_what_cannot_be_forecast_is_named() -> None:
    daemonset = of_kind(managed_objects(V("v1.21.1-eksbuild.7"), {}), "DaemonSet")
    assert UNTOLD == ('.spec.template.spec.containers[name="aws-eks-nodeagent"].image',)
    assert container(daemonset, CNI)["image"].endswith("/amazon-k8s-cni:v1.21.1-eksbuild.7")
    assert container(daemonset, AGENT)["image"].endswith("/amazon/aws-network-policy-agent:v1.3.1-eksbuild.1")


def test_a_release_nobody_knows_yet_is_taken_to_be_like_the_last() -> None:
    forecast = managed_objects(V("v1.24.0-eksbuild.1"), {})
    assert container(of_kind(forecast, "DaemonSet"), CNI)["env"] != []
    with pytest.raises(UsageError, match=r"VPC CNI v1\.12\.6-eksbuild\.2 has no network policy agent"):
        managed_objects(V("v1.12.6-eksbuild.2"), {})


def test_zones_may_be_named_whole_or_by_their_letter() -> None:
    def names(*zones: str) -> list[str]:
        subnets = {zone: {"id": f"subnet-{zone}", "securityGroups": ["sg-1"]} for zone in zones}
        document = {"eniConfig": {"create": True, "region": "us-west-2", "subnets": subnets}}
        return [o["metadata"]["name"] for o in managed_objects(V("v1.23.0-eksbuild.1"), document) if o["kind"] == "ENIConfig"]

    assert names("us-west-2a", "us-west-2b") == names("a", "b") == ["us-west-2a", "us-west-2b"]


@pytest.mark.parametrize(
    "document",
    [
        {"env": ["A=b"]},
        {"env": {"A": None}},
        {"eniConfig": {"create": "true", "subnets": ["a"]}},
        {"eniConfig": {"create": True, "subnets": {"a": "subnet-1", "b": {}}}},
        {"resources": "small"},
        {"tolerations": None, "affinity": None},
        {"nodeAgent": {"metricsBindAddr": ":8162"}},
        {"livenessProbeTimeoutSeconds": "soon"},
        {"someday": {"there": "is"}},
    ],
    ids=str,
)
def test_a_document_that_makes_no_sense_does_no_harm(document: Json) -> None:
    assert of_kind(managed_objects(V("v1.23.0-eksbuild.1"), document), "DaemonSet")["metadata"]["name"] == "aws-node"


# --- every key of the schema ----------------------------------------------------------------------------------------------------

BOOLEAN = st.sampled_from(["true", "false"])
WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
PORT = st.integers(1024, 65535).map(str)
AFFINITY: st.SearchStrategy[Json] = st.fixed_dictionaries({"nodeAffinity": st.just({"preferredDuringScheduling": []})})
TOLERATION = st.fixed_dictionaries({"key": WORD, "operator": st.just("Exists")})
ZONES = st.dictionaries(
    WORD, st.fixed_dictionaries({"id": WORD}, optional={"securityGroups": st.lists(WORD, max_size=2)}), max_size=2
)


def value_of(path: str, schema: Json) -> st.SearchStrategy[Any]:
    """Values that *schema*, that of the key at *path*, allows."""
    by_path = {"affinity": AFFINITY, "tolerations": st.lists(TOLERATION, max_size=2), "eniConfig.subnets": ZONES}
    if path in by_path:
        return by_path[path]
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "properties" in schema:
        inner = {k: value_of(f"{path}.{k}" if path else k, s) for k, s in schema["properties"].items()}
        return st.fixed_dictionaries({}, optional=inner)
    by_format = {"boolean": BOOLEAN, "integer": PORT}
    by_type = {"string": WORD, "integer": st.integers(1, 60), "boolean": st.booleans()}
    return by_format.get(schema.get("format", ""), by_type[schema["type"]])


def documents() -> st.SearchStrategy[tuple[Release, Json]]:
    def of(release: Release) -> st.SearchStrategy[tuple[Release, Json]]:
        schema = configuration_schema(release)["definitions"]["VpcCni"]
        return value_of("", schema).map(lambda document: (release, document))

    return st.sampled_from(known_releases()).map(build).flatmap(of)


def seen_in(objects: dict[tuple[str, str], Json]) -> dict[str, list[Any]]:
    """Where a person would look for each setting, by its path: an oracle that knows every key by name."""
    config = objects["ConfigMap", "amazon-vpc-cni"]["data"]
    spec = objects["DaemonSet", "aws-node"]["spec"]["template"]["spec"]
    cni, init, agent = (container(objects["DaemonSet", "aws-node"], name) for name in (CNI, INIT, AGENT))
    args = dict(a.removeprefix("--").split("=", 1) for a in agent["args"])
    found = {
        "enableNetworkPolicy": [args["enable-network-policy"], config["enable-network-policy-controller"]],
        "enableWindowsIpam": [config["enable-windows-ipam"]],
        "tolerations": [spec["tolerations"]],
        "affinity": [spec["affinity"]],
        "livenessProbeTimeoutSeconds": [cni["livenessProbe"]["timeoutSeconds"]],
        "readinessProbeTimeoutSeconds": [cni["readinessProbe"]["timeoutSeconds"]],
        "nodeAgent.enableCloudWatchLogs": [args["enable-cloudwatch-logs"]],
        "nodeAgent.enablePolicyEventLogs": [args.get("enable-policy-event-logs")],
        "nodeAgent.metricsBindAddr": [args.get("metrics-bind-addr", "").removeprefix(":")],
        "nodeAgent.healthProbeBindAddr": [args.get("health-probe-bind-addr", "").removeprefix(":")],
        "nodeAgent.logLevel": [args.get("log-level")],
    }
    found |= {f"env.{e['name']}": [e.get("value")] for e in cni["env"]}
    found |= {f"init.env.{e['name']}": [e.get("value")] for e in init["env"]}
    for kind, resource in product(("limits", "requests"), ("cpu", "memory")):
        found[f"resources.{kind}.{resource}"] = [c["resources"].get(kind, {}).get(resource) for c in (cni, init, agent)]
    return found


@settings(max_examples=150, deadline=None)
@given(documents())
def test_every_key_of_the_configuration_is_seen_in_the_field_it_is_for(case: tuple[Release, Json]) -> None:
    release, document = case
    jsonschema.Draft6Validator(configuration_schema(release)).validate(document)
    made = managed_objects(release, document)
    assert Settings(document).unknown() == ()
    seen = seen_in(by_name(made))
    for path, value in leaves(document):
        if not path.startswith("eniConfig."):
            assert [v for v in seen[path] if v != value] == [], path
    zones = document.get("eniConfig", {})
    wanted = zones.get("subnets", {}) if zones.get("create") else {}
    written = [o["spec"] for o in made if o["kind"] == "ENIConfig"]
    assert [s["subnet"] for s in written] == [z["id"] for z in wanted.values()]
    assert [s.get("securityGroups", []) for s in written] == [z.get("securityGroups", []) for z in wanted.values()]


@settings(max_examples=60, deadline=None)
@given(documents())
def test_nothing_but_what_was_set_differs_from_the_manifest(case: tuple[Release, Json]) -> None:
    release, document = case
    bare, made = (by_name(managed_objects(release, values)) for values in ({}, document))
    changed = {key for key in bare if bare[key] != made[key]}
    expected = {("DaemonSet", "aws-node")} if document else set()
    if {"enableNetworkPolicy", "enableWindowsIpam"} & set(document):
        expected.add(("ConfigMap", "amazon-vpc-cni"))
    if "ANNOTATE_POD_IP" in document.get("env", {}):
        expected.add(("ClusterRole", "aws-node"))
    assert changed <= expected
    agents = [container(objects["DaemonSet", "aws-node"], AGENT)["args"] for objects in (bare, made)]
    touched = {a.partition("=")[0] for a in set(agents[1]) - set(agents[0])}
    assert len(touched) <= len(document.get("nodeAgent", {})) + ("enableNetworkPolicy" in document)


def leaves(document: Json, above: str = "") -> list[tuple[str, Any]]:
    found = []
    for key, value in document.items():
        path = f"{above}{key}"
        if isinstance(value, dict) and path not in {"affinity", "eniConfig.subnets"}:
            found += leaves(value, f"{path}.")
        else:
            found.append((path, value))
    return found


def test_a_self_managed_install_takes_the_same_settings() -> None:
    document = {"enableNetworkPolicy": "true", "env": {"WARM_IP_TARGET": "5"}, "nodeAgent": {"logLevel": "info"}}
    release = V("1.22.4")
    assert plain(vpc_cni_objects(Install(release=release, values=document))) == plain(managed_objects(release, document))
