from __future__ import annotations

import json
import shlex
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import AGENT_FLAGS
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.facts.vpc_cni import flags_of
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, Target
from eksnetpol.model.versions import Release
from tests.checks.cases import snapshot

catalog()


def changing(short: dict[str, Any], target: Target | None = None) -> Changing:
    look: ClusterSnapshot = msgspec.structs.replace(snapshot(short), target=target or Target(cluster="prod", region="eu-west-1"))
    found = Lookup(look).get("changing")
    assert isinstance(found, Seen)
    assert isinstance(found.value, Changing)
    return found.value


def addon(values: str = "", version: str = "v1.20.5-eksbuild.1") -> dict[str, Any]:
    return {"addonName": "vpc-cni", "addonVersion": version, "configurationValues": values}


def test_an_addon_is_given_the_merged_document_of_this_cluster() -> None:
    how = changing({"aws_node": {}, "addon": addon('{"env":{"WARM_IP_TARGET":"5"}}')})
    words = shlex.split(how.set("env.NETWORK_POLICY_ENFORCING_MODE", "standard"))
    assert words[:7] == ["aws", "eks", "update-addon", "--region", "eu-west-1", "--cluster-name", "prod"]
    assert words[-2:] == ["--resolve-conflicts", "PRESERVE"]
    document = json.loads(words[words.index("--configuration-values") + 1])
    assert document == {"env": {"WARM_IP_TARGET": "5", "NETWORK_POLICY_ENFORCING_MODE": "standard"}}


def test_taking_the_last_key_away_leaves_no_empty_mapping() -> None:
    how = changing({"aws_node": {}, "addon": addon('{"env":{"A":"1"},"enableNetworkPolicy":"true"}')})
    words = shlex.split(how.set("env.A", None))
    assert json.loads(words[words.index("--configuration-values") + 1]) == {"enableNetworkPolicy": "true"}


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
def test_whatever_the_values_hold_the_shell_hands_them_over_unchanged(text: str) -> None:
    how = changing({"aws_node": {}, "addon": addon(json.dumps({"env": {"A": text}}))})
    words = shlex.split(how.set("enableNetworkPolicy", "true"))
    document = json.loads(words[words.index("--configuration-values") + 1])
    assert document == {"env": {"A": text}, "enableNetworkPolicy": "true"}


@pytest.mark.parametrize("values", ['{"broken', "[1]"])
def test_a_document_nobody_can_read_is_read_before_it_is_replaced(values: str) -> None:
    how = changing({"aws_node": {}, "addon": addon(values)})
    for command in (how.set("enableNetworkPolicy", "true"), how.upgrade(Release.parse("1.21.2")), how.restore()):
        assert "describe-addon" in command
        assert "update-addon" not in command


def test_an_unknown_cluster_is_left_for_the_shell_to_name() -> None:
    how = changing({"aws_node": {}, "addon": addon()}, Target())
    assert '--cluster-name "$CLUSTER"' in how.set("enableNetworkPolicy", "true")
    assert "--region" not in how.set("enableNetworkPolicy", "true")


@given(st.sampled_from(sorted(AGENT_FLAGS)), st.text("abc019", min_size=1, max_size=6))
def test_a_manifest_is_patched_where_the_flag_is_and_nowhere_else(path: str, value: str) -> None:
    short: dict[str, Any] = {"aws_node": {}, "addon": None}
    how = changing(short)
    assert how.cni is not None
    assert how.cni.agent is not None
    before = how.cni.agent.args
    words = shlex.split(how.set(path, value))
    *tests, change = json.loads(words[-1])
    assert all(t["op"] == "test" for t in tests)
    assert tests[0]["value"] == "aws-eks-nodeagent"
    args = list(before)
    if change["op"] == "replace":
        args[int(change["path"].rsplit("/", 1)[-1])] = change["value"]
    else:
        args.append(change["value"])
    flag = AGENT_FLAGS[path]
    expected = f":{value}" if flag.endswith("bind-addr") else value
    assert flags_of(tuple(args)) == flags_of(before) | {flag: expected}


@pytest.mark.parametrize(
    ("args", "on"),
    [
        (["--enable-network-policy=true"], True),
        (["--enable-network-policy=1"], True),
        (["--enable-network-policy=T"], True),
        (["--enable-network-policy", "false"], True),
        (["--enable-network-policy=false"], False),
        (["--enable-network-policy=0"], False),
        (["--log-level", "info"], False),
    ],
)
def test_a_switch_is_read_as_the_agent_reads_it(args: list[str], on: bool) -> None:
    containers = [{"name": "aws-node", "image": "x:v1.20.5"}, {"name": "aws-eks-nodeagent", "image": "y:v1.2.7", "args": args}]
    meta = {"name": "aws-node", "namespace": "kube-system"}
    how = changing(
        {"daemonsets": [{"metadata": meta, "spec": {"template": {"spec": {"containers": containers}}}}], "addon": None}
    )
    assert how.cni is not None
    assert how.cni.agent_is_on is on


@pytest.mark.parametrize(
    ("text", "default", "on"),
    [("true", "false", True), ("1", "false", True), ("F", "true", False), ("yes", "true", True), ("", "false", False)],
)
def test_a_variable_is_read_as_the_cni_reads_it(text: str, default: str, on: bool) -> None:
    how = changing({"aws_node": {"env": {"X": text}}, "addon": None})
    assert how.cni is not None
    assert how.cni.env_is("X", "true", default=default) is on
    assert how.cni.env_is("X", "false", default=default) is not on


def test_a_flag_and_its_value_in_two_words_are_left_to_an_editor() -> None:
    containers = [
        {"name": "aws-node", "image": "x:v1.20.5"},
        {"name": "aws-eks-nodeagent", "image": "y:v1.2.7", "args": ["--log-level", "debug"]},
    ]
    own = {
        "metadata": {"name": "aws-node", "namespace": "kube-system"},
        "spec": {"template": {"spec": {"containers": containers}}},
    }
    assert changing({"daemonsets": [own], "addon": None}).set("nodeAgent.logLevel", "info").startswith("kubectl edit daemonset")


def test_a_helm_release_keeps_its_chart_and_its_name() -> None:
    names = {"meta.helm.sh/release-name": "my cni", "meta.helm.sh/release-namespace": "kube-system"}
    how = changing({"aws_node": {"cni": "v1.19.6", "annotations": names}, "addon": None})
    words = shlex.split(how.set("env.X", "a,b"))
    assert words[:4] == ["helm", "upgrade", "my cni", "eks/aws-vpc-cni"]
    assert words[words.index("--version") + 1] == "1.19.6"
    assert words[-2:] == ["--set-string", "env.X=a\\,b"]


OFFERED = [
    "v1.19.6-eksbuild.1",
    "v1.20.1-eksbuild.1",
    "v1.20.4-eksbuild.2",
    "v1.21.0-eksbuild.1",
    "v1.21.2-eksbuild.1",
    "v1.22.4-eksbuild.1",
]


@pytest.mark.parametrize(
    ("running", "least", "step"),
    [
        ("v1.19.6-eksbuild.1", "1.22.4", "v1.20.4-eksbuild.2"),
        ("v1.20.4-eksbuild.2", "1.22.4", "v1.21.2-eksbuild.1"),
        ("v1.21.2-eksbuild.1", "1.22.4", "v1.22.4-eksbuild.1"),
        ("v1.20.1-eksbuild.1", "1.20.2", "v1.20.4-eksbuild.2"),
    ],
)
def test_steps_are_one_minor_version_long_and_never_known_bad(running: str, least: str, step: str) -> None:
    releases = [{"addonVersion": v, "compatibilities": [{"clusterVersion": "1.31"}]} for v in OFFERED]
    cluster = {"name": "prod", "version": "1.31"}
    short = {"aws_node": {"cni": running}, "addon": addon("", running), "addon_releases": releases, "cluster": cluster}
    words = shlex.split(changing(short).upgrade(Release.parse(least)))
    assert words[words.index("--addon-version") + 1] == step
