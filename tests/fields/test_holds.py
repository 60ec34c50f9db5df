"""Whether an object holds what is wanted."""

from __future__ import annotations

from typing import Any

import pytest

from eksnetpol.fields.holds import ABSENT, Difference, differences, value_at

CONTAINERS = ".spec.template.spec.containers"


def daemonset(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pods = {"containers": list(containers), **spec}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "aws-node"}, "spec": {"template": {"spec": pods}}}


LIVE = daemonset(
    {"name": "aws-node", "image": "cni:1", "env": [{"name": "A", "value": "1"}, {"name": "B"}], "imagePullPolicy": "Always"},
    {"name": "aws-eks-nodeagent", "args": ["--enable-network-policy=false", "--log-level=debug"]},
    dnsPolicy="ClusterFirst",
)


def test_whatever_else_is_there_does_not_matter() -> None:
    assert differences(LIVE, daemonset({"name": "aws-node", "env": [{"name": "A", "value": "1"}]})) == ()


def test_entries_are_found_by_key_wherever_they_stand() -> None:
    wanted = daemonset(
        {"name": "aws-eks-nodeagent", "args": ["--enable-network-policy=true", "--log-level=debug"]},
        {"name": "aws-node", "env": [{"name": "A", "value": "2"}, {"name": "C", "value": "3"}]},
    )
    assert differences(LIVE, wanted) == (
        Difference(
            f'{CONTAINERS}[name="aws-eks-nodeagent"].args',
            ["--enable-network-policy=false", "--log-level=debug"],
            ["--enable-network-policy=true", "--log-level=debug"],
        ),
        Difference(f'{CONTAINERS}[name="aws-node"].env[name="A"].value', "1", "2"),
        Difference(f'{CONTAINERS}[name="aws-node"].env[name="C"].name', None, "C"),
        Difference(f'{CONTAINERS}[name="aws-node"].env[name="C"].value', None, "3"),
    )


def test_of_what_is_not_there_every_field_differs() -> None:
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}}
    assert [d.path for d in differences(None, wanted)] == [".data.a", ".data.b"]


def test_a_value_of_another_kind_is_another_value() -> None:
    live = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": "broken"}
    assert [d.path for d in differences(live, {**live, "data": {"a": "1"}})] == [".data.a"]
    assert [d.path for d in differences({**live, "immutable": 1}, {**live, "immutable": True})] == [".immutable"]


@pytest.mark.parametrize(
    ("live", "wanted", "holds"),
    [
        ({"fieldPath": "spec.nodeName", "apiVersion": "v1"}, {"fieldPath": "spec.nodeName"}, True),
        ({"fieldPath": "spec.nodeName", "apiVersion": "v2"}, {"fieldPath": "spec.nodeName"}, False),
        ({"fieldPath": "metadata.name", "apiVersion": "v1"}, {"fieldPath": "spec.nodeName"}, False),
    ],
)
def test_what_the_server_fills_in_may_go_unsaid(live: Any, wanted: Any, holds: bool) -> None:
    def env(ref: Any) -> dict[str, Any]:
        return daemonset({"name": "c", "env": [{"name": "N", "valueFrom": {"fieldRef": ref}}]})

    assert (not differences(env(live), env(wanted))) is holds


@pytest.mark.parametrize(
    ("live", "wanted", "holds"),
    [
        ({"podSelector": {"matchLabels": {"a": "b"}}}, {"podSelector": {}}, False),
        ({"podSelector": {}}, {"podSelector": {}, "ingress": []}, True),
        ({"ingress": [{"ports": [{"port": 80, "protocol": "TCP"}]}]}, {"ingress": [{"ports": [{"port": 80}]}]}, True),
        ({"ingress": [{"from": [{"podSelector": {}}]}]}, {"ingress": [{}]}, False),
        ({"ingress": [{}]}, {"ingress": [{"from": [{"namespaceSelector": {}}]}]}, False),
        ({"ingress": [{}, {}]}, {"ingress": [{}]}, False),
    ],
)
def test_a_policy_that_means_something_else_does_not_hold(live: Any, wanted: Any, holds: bool) -> None:
    def policy(spec: Any) -> dict[str, Any]:
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": spec}

    assert (not differences(policy(live), policy(wanted))) is holds


def test_what_silence_says_holds() -> None:
    live = daemonset({"name": "c", "env": [{"name": "X"}], "volumeMounts": [{"mountPath": "/m", "name": "m"}]})
    wanted = daemonset(
        {"name": "c", "env": [{"name": "X", "value": ""}], "volumeMounts": [{"mountPath": "/m", "name": "m", "readOnly": False}]},
        hostNetwork=False,
    )
    assert differences(live, wanted) == ()
    assert [d.path for d in differences(live, daemonset(automountServiceAccountToken=False))] == [
        ".spec.template.spec.automountServiceAccountToken"
    ]


def test_identity_and_what_the_server_keeps_are_not_compared() -> None:
    meta = {"name": "aws-node", "namespace": "x", "resourceVersion": "7", "uid": "u", "managedFields": [{}], "labels": {"a": "b"}}
    assert [d.path for d in differences(LIVE, {**LIVE, "metadata": meta})] == [".metadata.labels.a"]


@pytest.mark.parametrize(
    ("said", "value"),
    [
        (f'{CONTAINERS}[name="aws-node"].env[name="A"].value', "1"),
        (f'{CONTAINERS}[name="aws-node"].env[name="B"].value', ABSENT),
        (f'{CONTAINERS}[name="nobody"].image', ABSENT),
        (f"{CONTAINERS}[0].image", "cni:1"),
        (f"{CONTAINERS}[7].image", ABSENT),
        (".spec.template.spec.dnsPolicy", "ClusterFirst"),
        (".spec.template.spec.dnsPolicy.deeper", ABSENT),
        (".spec.template.spec.dnsPolicy[0]", ABSENT),
        (".spec.nothing", ABSENT),
        ("nonsense", ABSENT),
        ("", LIVE),
    ],
)
def test_values_by_their_path(said: str, value: Any) -> None:
    assert value_at(LIVE, said) == value


def test_keys_with_dots_are_found_by_looking() -> None:
    obj = {"metadata": {"labels": {"a": "1", "a.b/c": "2"}, "finalizers": ["x.y/z"]}, "a.b": {"c.d": [{"e": 1}]}}
    assert value_at(obj, ".metadata.labels.a.b/c") == "2"
    assert value_at(obj, ".metadata.labels.a") == "1"
    assert value_at(obj, '.metadata.finalizers[="x.y/z"]') == "x.y/z"
    assert value_at(obj, ".a.b.c.d[e=1].e") == 1


def test_a_port_without_a_protocol_is_a_tcp_port() -> None:
    obj = daemonset({"name": "c", "ports": [{"containerPort": 80, "name": "web"}]})
    assert value_at(obj, f'{CONTAINERS}[name="c"].ports[containerPort=80,protocol="TCP"].name') == "web"
    assert value_at(obj, f'{CONTAINERS}[name="c"].ports[containerPort=80,protocol="UDP"]') is ABSENT
