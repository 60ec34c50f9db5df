"""What is rendered for a release is what AWS ships for it, and with the feature on it differs in two places."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from eksnetpol.assets.definitions import recognise
from eksnetpol.assets.history import history, known_releases
from eksnetpol.assets.manifests import (
    AGENT,
    CNI,
    INIT,
    Install,
    agent_container,
    agent_of,
    agent_rules,
    agent_volumes,
    definition,
    needed_definitions,
    vpc_cni_objects,
)
from eksnetpol.errors import UsageError
from eksnetpol.facts.configuration import ADDRESS_FLAGS, AGENT_FLAGS
from eksnetpol.model.digests import schema_digest
from eksnetpol.model.versions import Release
from tests.assets.upstream import RELEASES, container, enabled, of_kind, plain, upstream
from tests.testbed.scenario import DATA

V = Release.parse
releases = pytest.mark.parametrize("release", RELEASES, ids=str)


def test_there_is_something_to_compare() -> None:
    assert len(RELEASES) >= 13
    assert set(RELEASES) <= set(known_releases())


@releases
def test_a_release_is_rendered_as_aws_ships_it(release: Release) -> None:
    assert plain(vpc_cni_objects(Install(release=release))) == plain(upstream(release))


@releases
def test_turned_on_it_differs_in_the_flag_and_the_key(release: Release) -> None:
    ours = vpc_cni_objects(Install(release=release, network_policy=True))
    assert plain(ours) == plain(enabled(upstream(release)))


@releases
def test_the_pieces_are_those_of_the_whole(release: Release) -> None:
    install = Install(release=release)
    role, daemonset = (of_kind(upstream(release), kind) for kind in ("ClusterRole", "DaemonSet"))
    agent = container(daemonset, AGENT)
    mounted = {mount["name"] for mount in agent["volumeMounts"]}
    volumes = daemonset["spec"]["template"]["spec"]["volumes"]
    assert agent_container(install) == agent
    assert list(agent_volumes(install)) == [v for v in volumes if v["name"] in mounted]
    assert list(agent_rules(install.agent_release)) == [r for r in role["rules"] if "networking.k8s.aws" in str(r)]
    assert agent["image"].endswith(f":{agent_of(release)}")


@pytest.mark.parametrize("release", known_releases(), ids=str)
def test_every_known_release_can_be_rendered(release: Release) -> None:
    objects = vpc_cni_objects(Install(release=release, network_policy=True))
    daemonset = of_kind(objects, "DaemonSet")
    assert container(daemonset, CNI)["image"].endswith(f"/amazon-k8s-cni:{release}")
    assert "--enable-network-policy=true" in container(daemonset, AGENT)["args"]
    names = {v["name"] for v in daemonset["spec"]["template"]["spec"]["volumes"]}
    for name in (INIT, CNI, AGENT):
        assert {m["name"] for m in container(daemonset, name)["volumeMounts"]} <= names


def test_nothing_is_given_to_an_agent_before_it_knows_it() -> None:
    for flag in history().flag:
        assert agent_of(flag.since) >= flag.agent, flag.name


def test_keys_mean_the_same_flags_to_those_who_read_them() -> None:
    flags = history().flag
    assert {flag.key: flag.name for flag in flags} == dict(AGENT_FLAGS)
    assert {flag.name for flag in flags if flag.port} == ADDRESS_FLAGS


def test_of_texts_that_follow_one_another_one_holds() -> None:
    for release in known_releases():
        for entries in (history().volume, history().pull, history().definition, history().ipamd):
            held = [e for e in entries if e.holds(release)]
            names = [getattr(e, "container", getattr(e, "name", "")) for e in held]
            assert len(names) == len(set(names)), (release, names)
        assert sum(i.holds(release) for i in history().ipamd) == 1


def test_an_older_agent_than_the_manifest_s_gets_no_flag_it_does_not_know() -> None:
    args = agent_container(Install(release=V("1.23.0"), agent=V("1.0.2")))["args"]
    assert [a.partition("=")[0].removeprefix("--") for a in args] == [f.name for f in history().flag if f.agent <= V("1.0.2")]


def test_a_flag_that_the_manifest_does_not_give_is_given_when_it_is_asked_for() -> None:
    release = V("1.19.6")
    quiet = agent_container(Install(release=release))["args"]
    asked = agent_container(Install(release=release, values={"nodeAgent.conntrackCacheTableSize": "65536"}))["args"]
    assert set(asked) - set(quiet) == {"--conntrack-cache-table-size=65536"}


def test_ipv6_clusters_get_what_belongs_together() -> None:
    daemonset = of_kind(vpc_cni_objects(Install(release=V("1.23.0"), family="ipv6")), "DaemonSet")
    variables = {e["name"]: e.get("value") for e in container(daemonset, CNI)["env"]}
    wanted = {"ENABLE_IPv4": "false", "ENABLE_IPv6": "true", "ENABLE_PREFIX_DELEGATION": "true"}
    assert {name: variables[name] for name in wanted} == wanted
    assert {"name": "ENABLE_IPv6", "value": "true"} in container(daemonset, INIT)["env"]
    assert "--enable-ipv6=true" in container(daemonset, AGENT)["args"]


def test_images_are_kept_where_they_are_given_and_else_from_one_registry() -> None:
    install = Install(release=V("1.22.4"), registry="mirror.example:5000/aws", images={AGENT: "elsewhere.example/agent@sha256:0"})
    daemonset = of_kind(vpc_cni_objects(install), "DaemonSet")
    assert [container(daemonset, name)["image"] for name in (INIT, CNI, AGENT)] == [
        "mirror.example:5000/aws/amazon-k8s-cni-init:v1.22.4",
        "mirror.example:5000/aws/amazon-k8s-cni:v1.22.4",
        "elsewhere.example/agent@sha256:0",
    ]


def test_the_role_is_on_the_service_account_alone() -> None:
    arn = "arn:aws:iam::111122223333:role/cni"
    with_role, without = (vpc_cni_objects(Install(release=V("1.22.4"), role=role)) for role in (arn, ""))
    assert of_kind(with_role, "ServiceAccount")["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": arn}
    assert [o for o in with_role if o["kind"] != "ServiceAccount"] == [o for o in without if o["kind"] != "ServiceAccount"]


def test_pods_are_annotated_only_by_who_may() -> None:
    def verbs(**values: str) -> list[str]:
        role = of_kind(vpc_cni_objects(Install(release=V("1.22.4"), values=values)), "ClusterRole")
        (rule,) = (r for r in role["rules"] if r.get("resources") == ["pods"])
        return list(rule["verbs"])

    assert verbs() == ["list", "watch", "get"]
    # The chart looks at whether the variable is there, not at its value.
    assert verbs(**{"env.ANNOTATE_POD_IP": "false"}) == ["list", "watch", "get", "patch"]


ANY = st.text(st.characters(exclude_categories=["Cs"]))


@given(ANY.filter(lambda name: name and "." not in name), ANY)
@example("yes", "no")
@example("1", "null")
@example("A: {", "\\ud83d😀")
def test_a_variable_arrives_as_it_was_given(name: str, value: str) -> None:
    daemonset = of_kind(vpc_cni_objects(Install(release=V("1.23.0"), values={f"env.{name}": value})), "DaemonSet")
    assert {"name": name, "value": value} in container(daemonset, CNI)["env"]


def test_values_may_be_nested_or_dotted() -> None:
    dotted = Install(release=V("1.23.0"), values={"env.WARM_IP_TARGET": "5", "resources.limits.cpu": "1"})
    nested = Install(release=V("1.23.0"), values={"env": {"WARM_IP_TARGET": "5"}, "resources": {"limits": {"cpu": "1"}}})
    assert vpc_cni_objects(dotted) == vpc_cni_objects(nested)
    assert plain(vpc_cni_objects(dotted)) != plain(upstream(V("1.23.0")))


# --- what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("install", "why"),
    [
        (Install(release=V("1.13.4")), "VPC CNI v1.13.4 has no network policy; v1.14.0 is the first release that has"),
        (Install(release=V("1.22.0")), "VPC CNI v1.22.0: no such release is known here; the newest is v1.23.0"),
        (Install(release=V("1.99.0")), "VPC CNI v1.99.0: no such release is known here; the newest is v1.23.0"),
        (Install(release=V("1.23.0"), values={"nodeAgent.speed": "fast"}), "the VPC CNI has no setting nodeAgent.speed"),
        (Install(release=V("1.23.0"), values={"env": {"A": {"B": "c"}}}), "the VPC CNI has no setting env.A.B"),
    ],
    ids=["too-old", "never-released", "too-new", "unknown-setting", "too-deep"],
)
def test_what_cannot_be_made_is_refused_in_one_line(install: Install, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        vpc_cni_objects(install)
    assert str(refused.value) == why


def test_agents_are_paired_and_never_go_back() -> None:
    pairs = [agent_of(release) for release in known_releases()]
    assert all(earlier <= later for earlier, later in pairwise(pairs))
    assert agent_of(V("1.21.1-eksbuild.7")) == V("1.3.1")
    assert agent_of(V("1.24.0")) == agent_of(V("1.23.0")) == V("1.4.1")
    with pytest.raises(UsageError, match=r"VPC CNI v1\.13\.4 has no network policy agent"):
        agent_of(V("1.13.4"))


# --- definitions ------------------------------------------------------------------------------------------------------------


def _digest(found: dict[str, Any]) -> str:
    return schema_digest({v["name"]: v["schema"] for v in found["spec"]["versions"]})


@pytest.mark.parametrize(
    "plural", ["policyendpoints", "clusterpolicyendpoints", "applicationnetworkpolicies", "clusternetworkpolicies"]
)
def test_the_newest_definitions_are_those_that_aws_released(plural: str) -> None:
    made = definition(f"{plural}.networking.k8s.aws")
    known = recognise(f"{plural}.networking.k8s.aws", _digest(made))
    assert known is not None
    assert "policy controller v1.1.7" in known.releases
    released = yaml.safe_load((DATA / "crds" / "networking.k8s.aws" / f"{plural}.yaml").read_text())
    assert made["spec"]["names"] == released["spec"]["names"]
    assert made["spec"]["scope"] == released["spec"]["scope"]
    assert made["metadata"] == released["metadata"]


def test_agents_get_the_definitions_they_cannot_do_without() -> None:
    def needed(agent: str) -> list[str]:
        return [d["metadata"]["name"].partition(".")[0] for d in needed_definitions(V(agent))]

    assert needed("1.0.1") == needed("1.3.4") == ["policyendpoints"]
    assert needed("1.3.5") == needed("1.4.1") == ["policyendpoints", "clusterpolicyendpoints"]
    assert all(d == definition(d["metadata"]["name"]) for d in needed_definitions(V("1.4.1")))


def test_a_definition_is_the_caller_s_own() -> None:
    name = "policyendpoints.networking.k8s.aws"
    definition(name)["spec"].clear()
    assert definition(name)["spec"]["group"] == "networking.k8s.aws"


def test_an_unknown_definition_is_refused() -> None:
    with pytest.raises(UsageError, match="the definition pods is not known here"):
        definition("pods")
