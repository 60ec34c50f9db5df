"""What leaves the door, and what does not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from eksnetpol.gateways import custom, sanitize
from eksnetpol.gateways.kubernetes_lists import Resource
from eksnetpol.model import kubernetes as k8s
from tests.gateways.scripted import Answer, Request, kubernetes_at, page, scripted, status

Json = dict[str, Any]
SECRET = "hunter2"


def workload(name: str, container: str = "aws-node", namespace: str = "kube-system") -> Json:
    env = [
        {"name": "ENABLE_POD_ENI", "value": "true"},
        {"name": "FELIX_INTERFACEPREFIX", "value": "eni"},
        {"name": "AWS_SECRET_ACCESS_KEY", "value": SECRET},
        {"name": "MY_NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ]
    fields: Json = {"f:spec": {"f:template": {}}}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": SECRET,
                "meta.helm.sh/release-name": "cni",
                "waive.eksnetpol.io/some-check": "because",
            },
            "managedFields": [{"manager": "eks", "operation": "Apply", "fieldsV1": fields}],
        },
        "spec": {
            "selector": {"matchLabels": {"k8s-app": name}},
            "template": {
                "metadata": {"labels": {"k8s-app": name}, "creationTimestamp": None},
                "spec": {"containers": [{"name": container, "image": "i:1", "args": ["--log-level=debug"], "env": env}]},
            },
        },
    }


def read(*objects: Json, kind: str = "daemonsets") -> tuple[k8s.Workload, ...]:
    with scripted(lambda _: page(list(objects))) as server:
        found: tuple[k8s.Workload, ...] = getattr(kubernetes_at(server.url), kind)()
        return found


def values(workload: k8s.Workload) -> dict[str, str | None]:
    return {e.name: e.value for e in workload.containers[0].env}


def test_the_agents_daemonset_keeps_what_its_settings_are() -> None:
    (found,) = read(workload("aws-node"))
    assert values(found) == {
        "ENABLE_POD_ENI": "true",
        "FELIX_INTERFACEPREFIX": None,
        "AWS_SECRET_ACCESS_KEY": None,
        "MY_NODE_NAME": None,
    }
    assert found.containers[0].args == ("--log-level=debug",)
    assert found.kind == "DaemonSet"
    assert found.metadata.managed_fields[0].fields_v1 == {"f:spec": {"f:template": {}}}
    assert found.metadata.annotations == {"meta.helm.sh/release-name": "cni", "waive.eksnetpol.io/some-check": "because"}


def test_an_empty_value_is_told_from_one_that_comes_from_elsewhere() -> None:
    mode = {"name": "NETWORK_POLICY_ENFORCING_MODE"}
    referred = {**mode, "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}}
    for variable, value in ((mode, ""), (referred, None)):
        document = workload("aws-node")
        document["spec"]["template"]["spec"]["containers"][0]["env"] = [variable]
        (found,) = read(document)
        assert values(found) == {"NETWORK_POLICY_ENFORCING_MODE": value}
        assert found.containers[0].env[0].value_from is None


def test_calico_keeps_its_own_settings_and_no_arguments() -> None:
    (found,) = read(workload("calico-node", "calico-node"))
    assert values(found)["FELIX_INTERFACEPREFIX"] == "eni"
    assert values(found)["ENABLE_POD_ENI"] is None
    assert found.containers[0].args == ()
    assert found.metadata.managed_fields == ()


@pytest.mark.parametrize(("name", "kind"), [("logger", "daemonsets"), ("aws-node", "deployments"), ("api", "statefulsets")])
def test_any_other_workload_keeps_neither(name: str, kind: str) -> None:
    (found,) = read(workload(name), kind=kind)
    assert found.containers[0].env == ()
    assert found.containers[0].args == ()
    assert SECRET.encode() not in msgspec.json.encode(found)


def test_a_cron_job_shows_the_pods_it_makes() -> None:
    job = workload("nightly", namespace="shop")
    made = {"metadata": job["metadata"], "spec": {"jobTemplate": {"spec": job["spec"] | {"ttlSecondsAfterFinished": 60}}}}
    (found,) = read(made, kind="cronjobs")
    assert (found.kind, found.name, found.spec.ttl_seconds_after_finished) == ("CronJob", "nightly", 60)
    assert found.containers[0].image == "i:1"


def test_every_allowed_annotation_says_why() -> None:
    reasons = [*sanitize.ANNOTATIONS.values(), *sanitize.ANNOTATION_PREFIXES.values()]
    assert all(len(reason.split()) > 3 for reason in reasons)
    assert all(key.endswith(("/", "-")) for key in sanitize.ANNOTATION_PREFIXES)


def test_the_address_that_the_controller_falls_back_on_comes_through() -> None:
    found = sanitize.kept_annotations({"vpc.amazonaws.com/pod-ips": "10.0.0.1", "example.com/token": SECRET})
    assert found == {"vpc.amazonaws.com/pod-ips": "10.0.0.1"}


def test_configmaps_keep_the_keys_that_are_read() -> None:
    known = {
        "amazon-vpc-cni": {"enable-network-policy-controller": "true", "mine": SECRET},
        "cilium-config": {"enable-policy": "never", "mine": SECRET},
    }
    shipped = "[INPUT]\n    Name tail\n    Path /var/log/containers/*.log\n[OUTPUT]\n    Http_Passwd hunter2\n"

    def script(request: Request) -> Answer:
        name = request.path.rsplit("/", 1)[-1]
        if name in known:
            return Answer(body={"metadata": {"name": name, "namespace": "kube-system"}, "data": known[name]})
        if request.query.get("fieldSelector") == "metadata.name=fluent-bit":
            return page([{"metadata": {"name": "fluent-bit", "namespace": "logging"}, "data": {"fluent-bit.conf": shipped}}])
        if request.query.get("fieldSelector") == "metadata.name=cilium-config":
            return page([{"metadata": {"name": "cilium-config", "namespace": "cilium"}, "data": known["cilium-config"]}])
        return page([]) if name == "configmaps" else status(404, "not found")

    with scripted(script) as server:
        found = kubernetes_at(server.url).configmaps()
    assert {c.metadata.name: c.data for c in found} == {
        "amazon-vpc-cni": {"enable-network-policy-controller": "true"},
        "cilium-config": {"enable-policy": "never"},
        "fluent-bit": {"fluent-bit.conf": "Path /var/log/containers/*.log"},
    }
    asked = [r for r in server.seen if r.path.endswith("/configmaps")]
    assert asked
    assert all(r.query["fieldSelector"].startswith("metadata.name=") for r in asked)


def test_a_structured_log_shipper_is_understood_too() -> None:
    text = (
        "pipeline:\n  inputs:\n    - name: tail\n      path: /var/log/aws-routed-eni/*.log\n  outputs:\n    - passwd: hunter2\n"
    )
    found = k8s.ConfigMap(metadata=k8s.ObjectMeta(name="fluent-bit"), data={"fluent-bit.yaml": text, "other": "x"})
    assert sanitize.config_map(found).data == {"fluent-bit.yaml": "path: /var/log/aws-routed-eni/*.log"}


# --- custom kinds -----------------------------------------------------------------------------------------------------


def crd(plural: str, group: str, kind: str, *versions: tuple[str, bool, bool], established: bool = True) -> Json:
    return {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {"plural": plural, "kind": kind},
            "versions": [{"name": n, "served": s, "storage": t, "schema": {"openAPIV3Schema": {}}} for n, s, t in versions],
        },
        "status": {"conditions": [{"type": "Established", "status": "True" if established else "False"}]},
    }


def crds(*found: Json) -> tuple[k8s.CustomResourceDefinition, ...]:
    return tuple(msgspec.convert(f, k8s.CustomResourceDefinition) for f in found)


def test_a_kind_that_is_not_there_is_not_asked_for() -> None:
    with scripted(lambda _: status(500, "asked")) as server:
        kubernetes = kubernetes_at(server.url)
        assert kubernetes.policy_endpoints(()) == ()
        assert kubernetes.scrapers(()) == ()
        assert kubernetes.foreign_kinds(()) == ()
        assert (
            kubernetes.engine_settings(
                crds(crd("installations", "operator.tigera.io", "I", ("v1", True, True), established=False))
            )
            == ()
        )
    assert server.seen == []


def test_a_kind_is_asked_for_at_a_version_that_is_served() -> None:
    wanted = Resource("eniconfigs", "crd.k8s.amazonaws.com", "v1alpha1")

    def at(*versions: tuple[str, bool, bool]) -> list[str]:
        return [
            s.resource.version for s in custom.served(crds(crd("eniconfigs", "crd.k8s.amazonaws.com", "E", *versions)), wanted)
        ]

    assert at(("v1alpha1", True, False), ("v1", True, True)) == ["v1alpha1"]
    assert at(("v1alpha1", False, False), ("v1beta1", True, False), ("v1", True, True)) == ["v1"]
    assert at(("v1alpha1", False, True)) == []


def test_admin_policies_of_all_kinds_come_with_kind_and_tier() -> None:
    group, served = "policy.networking.k8s.io", ("v1alpha1", True, True)
    known = crds(
        crd("adminnetworkpolicies", group, "AdminNetworkPolicy", served),
        crd("baselineadminnetworkpolicies", group, "BaselineAdminNetworkPolicy", served),
        crd("clusternetworkpolicies", group, "ClusterNetworkPolicy", ("v1alpha2", True, True)),
    )
    rule = {"name": "r", "action": "Deny", "from": [{"namespaces": {}}]}
    spec = {"subject": {"namespaces": {}}, "ingress": [rule], "priority": 4}

    def script(request: Request) -> Answer:
        name = request.path.rsplit("/", 1)[-1]
        tier = {"tier": "Baseline"} if name.startswith("cluster") else {}
        return page([{"metadata": {"name": "default", "annotations": {"a": SECRET}}, "spec": spec | tier}])

    with scripted(script) as server:
        found = kubernetes_at(server.url).admin_policies(known)
    assert [(p.title, p.api_version.partition("/")[2], p.spec.tier) for p in found] == [
        ("AdminNetworkPolicy", "v1alpha1", "Admin"),
        ("BaselineAdminNetworkPolicy", "v1alpha1", "Baseline"),
        ("ClusterNetworkPolicy.policy.networking.k8s.io", "v1alpha2", "Baseline"),
    ]
    assert all(p.spec.ingress[0].action == "Deny" and not p.metadata.annotations for p in found)
    assert [r.path for r in server.seen] == [
        f"/apis/{group}/v1alpha1/adminnetworkpolicies",
        f"/apis/{group}/v1alpha1/baselineadminnetworkpolicies",
        f"/apis/{group}/v1alpha2/clusternetworkpolicies",
    ]


def test_a_star_stands_for_every_kind_of_its_group() -> None:
    known = crds(
        crd("k8sb", "constraints.gatekeeper.sh", "K8sB", ("v1beta1", True, True)),
        crd("k8sa", "constraints.gatekeeper.sh", "K8sA", ("v1beta1", True, True)),
        crd("other", "templates.gatekeeper.sh", "Other", ("v1", True, True)),
    )
    assert [s.kind for s in custom.served(known, custom.CONSTRAINTS)] == ["K8sA", "K8sB"]


def test_specs_are_cut_to_what_is_read() -> None:
    monitor = {"endpoints": [{"port": "http", "basicAuth": {"password": SECRET}}], "selector": {"matchLabels": {"a": "b"}}}
    assert custom.scraped_ports(monitor) == {"endpoints": [{"port": "http"}], "selector": {"matchLabels": {"a": "b"}}}
    rules = [{"name": "r", "match": {"any": []}, "validate": {"failureAction": "Enforce", "message": SECRET}}]
    assert custom.kyverno({"rules": rules, "background": True}) == {
        "background": True,
        "rules": [{"name": "r", "match": {"any": []}, "does": ["validate"], "failureAction": "Enforce"}],
    }


def test_foreign_kinds_are_counted_without_being_read() -> None:
    known = crds(crd("ciliumnetworkpolicies", "cilium.io", "CiliumNetworkPolicy", ("v2", True, True)))
    first = [{"metadata": {"name": f"p{n}", "namespace": "shop"}} for n in range(5)]
    with scripted(lambda _: page(first, "more", remaining=1200)) as server:
        (found,) = kubernetes_at(server.url).foreign_kinds(known)
    assert (found.kind, found.count, found.examples[0]) == ("CiliumNetworkPolicy", 1205, "shop/p0")
    (request,) = server.seen
    assert request.path == "/apis/cilium.io/v2/ciliumnetworkpolicies"
    assert "PartialObjectMetadataList" in request.headers["Accept"]


def test_a_server_that_does_not_say_how_many_remain_is_asked_for_all() -> None:
    known = crds(crd("ciliumnetworkpolicies", "cilium.io", "CiliumNetworkPolicy", ("v2", True, True)))
    items = [{"metadata": {"name": "p"}}]

    def script(request: Request) -> Answer:
        return page(items * 5, "" if request.query["limit"] == "500" else "more")

    with scripted(script) as server:
        (found,) = kubernetes_at(server.url).foreign_kinds(known)
    assert found.count == 5


def test_schemas_of_our_own_kinds_become_a_digest_and_others_nothing() -> None:
    ours = crd("policyendpoints", "networking.k8s.aws", "PolicyEndpoint", ("v1alpha1", True, True))
    theirs = crd("tiers", "crd.projectcalico.org", "Tier", ("v1", True, True))
    with scripted(lambda _: page([ours, theirs])) as server:
        first, second = kubernetes_at(server.url).crds()
    assert len(first.spec.schema_digest) == 64
    assert second.spec.schema_digest == ""
    ours["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": {"type": "object"}}
    with scripted(lambda _: page([ours])) as server:
        (changed,) = kubernetes_at(server.url).crds()
    assert changed.spec.schema_digest != first.spec.schema_digest
