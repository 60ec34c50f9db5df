"""What a real API server makes of the rendered objects: the same as of AWS's own, whole or put onto what is there.

Every release is put beside the others under a name of its own, so that a handful of calls asks about all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import yaml

from eksnetpol.assets.manifests import (
    AGENT,
    CNI,
    Install,
    agent_container,
    agent_rules,
    agent_volumes,
    definition,
    needed_definitions,
    vpc_cni_objects,
)
from eksnetpol.model.versions import Release
from tests.assets.upstream import RELEASES, by_name, container, enabled, of_kind, upstream, without_prose
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane
from tests.testbed.scenario import DATA

pytestmark = pytest.mark.testbed

Json = dict[str, Any]
V = Release.parse
DEFINITION = "CustomResourceDefinition"
MANAGER = "eksnetpol"


@pytest.fixture(scope="module")
def plane(programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A cluster of its own: nothing else may have an ``aws-node``."""
    started = ControlPlane.start(tmp_path_factory.mktemp("manifests"), programs=programs)
    yield started
    started.stop()


def named(objects: Iterable[Json], place: str, release: Release | None = None) -> list[Json]:
    """Return *objects* under names of their own at *place*; definitions are left out, for they cannot have one."""
    return [
        {**o, "metadata": {**o["metadata"], "name": f"{o['metadata']['name']}--{place}--{release or 'one'}"}}
        for o in objects
        if o["kind"] != DEFINITION
    ]


def named_by_release(objects_of: Callable[[Release], Iterable[Json]], place: str) -> list[Json]:
    return [o for release in RELEASES for o in named(objects_of(release), place, release)]


def accepted(plane: ControlPlane, objects: Iterable[Json]) -> dict[tuple[str, str], Json]:
    """Return what the API server would store of *objects*, defaults filled in, without storing it.

    They must not be there: a dry run is made upon what is.
    """
    text = yaml.safe_dump_all(objects)
    flags = ("--server-side", "--dry-run=server", f"--field-manager={MANAGER}", "-o", "json")
    return by_name(map(essential, json.loads(plane.did("apply", *flags, "-f", "-", stdin=text))["items"]))


def stored(plane: ControlPlane, objects: Iterable[Json]) -> dict[tuple[str, str], Json]:
    """Return what the API server has of *objects*."""
    text = yaml.safe_dump_all(objects)
    return by_name(map(essential, json.loads(plane.did("get", "-f", "-", "-o", "json", stdin=text))["items"]))


def essential(found: Json) -> Json:
    """Return an object without what the API server alone decides, without prose, and with its place taken out of its name."""
    meta = found["metadata"]
    meta["name"] = re.sub("--.*--", "--", meta["name"])
    for key in ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"):
        meta.pop(key, None)
    meta.get("annotations", {}).pop("deprecated.daemonset.template.generation", None)
    if not meta.get("annotations", True):
        del meta["annotations"]
    found.pop("status", None)
    bare: Json = without_prose(found)
    return bare


def in_effect(objects: dict[tuple[str, str], Json]) -> dict[tuple[str, str], Json]:
    """Return *objects* with everything in order that has none: rules by what they grant, lists with keys by their keys."""
    made: list[Json] = json.loads(json.dumps(list(objects.values())))
    for found in made:
        if found["kind"] == "ClusterRole":
            found["rules"] = sorted({json.dumps(grant) for rule in found["rules"] for grant in grants(rule)})
        if found["kind"] == "DaemonSet":
            spec = found["spec"]["template"]["spec"]
            for part in (spec["containers"], spec["initContainers"], spec["volumes"], *(c["env"] for c in spec["containers"])):
                part.sort(key=lambda entry: entry["name"])
    return by_name(made)


def grants(rule: Json) -> Iterator[list[str]]:
    for verb in rule["verbs"]:
        for url in rule.get("nonResourceURLs", ()):
            yield [url, verb]
        for group in rule.get("apiGroups", ()):
            for resource in rule.get("resources", ()):
                yield [group, resource, verb]


# --- whole ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", [False, True], ids=["off", "on"])
def test_the_api_server_stores_the_same_as_of_aws_s_manifest(plane: ControlPlane, on: bool) -> None:
    ours = accepted(plane, named_by_release(lambda r: vpc_cni_objects(Install(release=r, network_policy=on)), "whole"))
    theirs = accepted(plane, named_by_release(lambda r: enabled(upstream(r)) if on else upstream(r), "whole"))
    assert len(theirs) == 5 * len(RELEASES)
    assert ours == theirs


def test_the_api_server_stores_the_same_definitions(plane: ControlPlane) -> None:
    for release in RELEASES:
        ours, theirs = (
            accepted(plane, [o for o in objects if o["kind"] in {DEFINITION, "ConfigMap"}])
            for objects in (vpc_cni_objects(Install(release=release)), upstream(release))
        )
        assert ours == theirs, release
        assert (DEFINITION, "eniconfigs.crd.k8s.amazonaws.com") in ours


def test_the_api_server_stores_the_same_as_of_the_controller_s_own_definitions(plane: ControlPlane) -> None:
    plurals = ("policyendpoints", "clusterpolicyendpoints", "applicationnetworkpolicies", "clusternetworkpolicies")
    ours = accepted(plane, [definition(f"{plural}.networking.k8s.aws") for plural in plurals])
    files = [DATA / "crds" / "networking.k8s.aws" / f"{plural}.yaml" for plural in plurals]
    assert ours == accepted(plane, [yaml.safe_load(file.read_text()) for file in files])


# --- put onto what is there ----------------------------------------------------------------------------------------------


def without_agent(release: Release) -> list[Json]:
    """A release's manifest with nothing of the agent in it, and the controller never told anything."""
    objects = [o for o in upstream(release) if o["kind"] != "ConfigMap"]
    spec = of_kind(objects, "DaemonSet")["spec"]["template"]["spec"]
    spec["containers"] = [c for c in spec["containers"] if c["name"] != AGENT]
    spec["volumes"] = [v for v in spec["volumes"] if v["name"] != "bpf-pin-path"]
    for one in spec["containers"]:
        one["env"] = [e for e in one["env"] if e["name"] != "NETWORK_POLICY_ENFORCING_MODE"]
    role = of_kind(objects, "ClusterRole")
    role["rules"] = [r for r in role["rules"] if "networking.k8s.aws" not in json.dumps(r)]
    return objects


def agent_part(release: Release) -> Json:
    """The agent's container, its volumes and, where the release has it, the enforcing mode: nothing else of the DaemonSet."""
    install = Install(release=release, network_policy=True)
    mode = {"name": "NETWORK_POLICY_ENFORCING_MODE", "value": "standard"}
    cni = [{"name": CNI, "env": [mode]}] if release >= V("1.17.1") else []
    pod = {"containers": [*cni, agent_container(install)], "volumes": list(agent_volumes(install))}
    found = of_kind(upstream(release), "DaemonSet")
    head = {key: found["metadata"][key] for key in ("name", "namespace")}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": head, "spec": {"template": {"spec": pod}}}


def pieces(release: Release, live_rules: list[Json]) -> list[Json]:
    """What turns network policy on where *release* runs without its agent."""
    role = of_kind(upstream(release), "ClusterRole")
    config = of_kind(upstream(release), "ConfigMap")
    head = {key: config["metadata"][key] for key in ("name", "namespace")}
    return [
        agent_part(release),
        {**config, "metadata": head, "data": {"enable-network-policy-controller": "true"}},
        {
            **role,
            "metadata": {"name": role["metadata"]["name"]},
            "rules": [*live_rules, *agent_rules(Install(release=release).agent_release)],
        },
    ]


def turned_on(plane: ControlPlane) -> dict[tuple[str, str], Json]:
    """Return what the API server makes of every release's manifest with the feature on, where nothing is yet."""
    return accepted(plane, named_by_release(lambda r: enabled(upstream(r)), "wanted"))


def rules_of(objects: Iterable[Json]) -> list[Json]:
    rules: list[Json] = of_kind(objects, "ClusterRole")["rules"]
    return rules


def without_labels(objects: dict[tuple[str, str], Json], kind: str) -> dict[tuple[str, str], Json]:
    """Return *objects* with no labels on those of *kind*: a ConfigMap that we create is nobody's part."""
    for found in objects.values():
        if found["kind"] == kind:
            found["metadata"].pop("labels", None)
    return objects


def test_the_agent_s_pieces_make_of_a_release_without_it_that_release_with_the_feature_on(plane: ControlPlane) -> None:
    plane.apply(*named_by_release(without_agent, "bare"), manager="kubectl")
    plane.apply(*named_by_release(lambda r: pieces(r, rules_of(without_agent(r))), "bare"), manager=MANAGER)
    live = in_effect(without_labels(stored(plane, named_by_release(upstream, "bare")), "ConfigMap"))
    expected = in_effect(without_labels(turned_on(plane), "ConfigMap"))
    # The key alone is written: the others are the Windows controllers' and hold their defaults.
    for key, found in expected.items():
        if found["kind"] == "ConfigMap":
            found["data"] = {"enable-network-policy-controller": "true"}
            assert live[key]["data"] == found["data"]
    assert live == expected


def test_nothing_of_others_is_taken_by_the_agent_s_pieces(plane: ControlPlane) -> None:
    release = V("1.22.4")
    plane.apply(*named(without_agent(release), "shared"), manager="kubectl")
    part = named([agent_part(release)], "shared")
    # Without force: whatever somebody else owned with another value would be a conflict.
    plane.did("apply", "--server-side", f"--field-manager={MANAGER}", "-f", "-", stdin=yaml.safe_dump_all(part))
    live = json.loads(
        plane.did("get", "daemonset", "aws-node--shared--one", "-n", "kube-system", "-o", "json", "--show-managed-fields")
    )
    (ours,) = (f["fieldsV1"] for f in live["metadata"]["managedFields"] if f["manager"] == MANAGER)
    spec = ours["f:spec"]["f:template"]["f:spec"]
    assert set(ours) == {"f:spec"}
    assert set(spec) == {"f:containers", "f:volumes"}
    assert set(spec["f:containers"]) == {'k:{"name":"aws-eks-nodeagent"}', 'k:{"name":"aws-node"}'}
    assert set(spec["f:containers"]['k:{"name":"aws-node"}']) == {".", "f:name", "f:env"}


def test_what_was_added_goes_when_it_is_applied_no_more(plane: ControlPlane) -> None:
    release = V("1.22.4")
    base = named(without_agent(release), "back")
    plane.apply(*base, manager="kubectl")
    before = stored(plane, base)
    part = agent_part(release)
    plane.apply(*named([part], "back"), manager=MANAGER)
    assert stored(plane, base) != before
    nothing = {k: v for k, v in part.items() if k != "spec"}
    plane.apply(*named([nothing], "back"), manager=MANAGER)
    assert stored(plane, base) == before


def test_from_a_release_before_network_policy_to_any_release_with_it(plane: ControlPlane) -> None:
    old = V("1.13.4")
    plane.apply(*named_by_release(lambda _: upstream(old), "old"), manager="kubectl")
    plane.apply(*named_by_release(lambda r: vpc_cni_objects(Install(release=r, network_policy=True)), "old"), manager=MANAGER)
    assert in_effect(stored(plane, named_by_release(upstream, "old"))) == in_effect(turned_on(plane))


def test_the_first_agent_beside_a_cni_before_network_policy_is_the_first_release_but_for_its_images(plane: ControlPlane) -> None:
    old, first = V("1.13.4"), V("1.14.0")
    base = named(upstream(old), "first")
    plane.apply(*base, manager="kubectl")
    plane.apply(*named(pieces(first, rules_of(upstream(old))), "first"), manager=MANAGER)
    live = in_effect(stored(plane, named(upstream(first), "first")))
    expected = in_effect(accepted(plane, named(enabled(upstream(first)), "wanted")))
    daemonset, role = ((kind, "aws-node--one") for kind in ("DaemonSet", "ClusterRole"))
    for found in (live, expected):
        for one in ("aws-vpc-cni-init", "aws-node"):
            container(found[daemonset], one).pop("image")
        found[daemonset]["metadata"]["labels"].pop("app.kubernetes.io/version")
    assert live[daemonset] == expected[daemonset]
    assert live[role]["rules"] == expected[role]["rules"]


def test_the_agent_s_definitions_are_served(plane: ControlPlane) -> None:
    plane.apply(*needed_definitions(V("1.4.1")), manager=MANAGER)
    for name in ("policyendpoints", "clusterpolicyendpoints"):
        plane.did("wait", "--for=condition=Established", f"crd/{name}.networking.k8s.aws", "--timeout=20s")
    listed = plane.did("api-resources", "--api-group=networking.k8s.aws", "--no-headers", "-o", "name").split()
    assert sorted(listed) == ["clusterpolicyendpoints.networking.k8s.aws", "policyendpoints.networking.k8s.aws"]
    # What the controller writes is what `kubectl explain` and validation know.
    endpoint: Json = {
        "apiVersion": "networking.k8s.aws/v1alpha1",
        "kind": "PolicyEndpoint",
        "metadata": {"name": "web-abcde", "namespace": "default"},
        "spec": {"policyRef": {"name": "web", "namespace": "default"}, "egress": [{"domainName": "example.com"}]},
    }
    plane.apply(endpoint)
    del endpoint["spec"]["policyRef"]
    refused = plane.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=json.dumps(endpoint))
    assert refused.returncode != 0
    assert "spec.policyRef: Required value" in refused.stderr
