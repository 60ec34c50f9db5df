from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.model.snapshot import SECTIONS, ClusterSnapshot, Origin, Seen, SourceKind, Unread, Why
from tests import builders

Json = dict[str, Any]

POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: api
  namespace: shop
spec:
  podSelector:
    matchLabels:
      app: api
  ingress:
  - from:
    - podSelector: {}
    ports:
    - port: "80"
    - port: 8080
      protocol: TCP
"""


def given(text: str | bytes, **more: Any) -> ClusterSnapshot:
    data = text.encode() if isinstance(text, str) else text
    return read_manifests(["-"], io.BytesIO(data), **more)


def value(snapshot: ClusterSnapshot, section: str) -> Any:
    seen = getattr(snapshot, section)
    assert isinstance(seen, Seen), seen
    assert seen.complete is False
    return seen.value


def seen_sections(snapshot: ClusterSnapshot) -> set[str]:
    return {name for name in SECTIONS if isinstance(getattr(snapshot, name), Seen)}


def deployment(name: str = "web", **metadata: Any) -> Json:
    container = {
        "name": "app",
        "image": "web:1",
        "args": ["--token=secret"],
        "env": [{"name": "PASSWORD", "value": "secret"}],
        "ports": [{"containerPort": 8080, "name": "http"}],
    }
    spec = {"serviceAccountName": "web-sa", "hostNetwork": True, "containers": [container]}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    metadata = {"name": name, "namespace": "shop", **metadata}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 3, "template": template}}


def a_list(*items: Json, kind: str = "List", version: str = "v1") -> str:
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": {"resourceVersion": ""}, "items": items}, indent=4)


# --- what comes of objects --------------------------------------------------------------------------------------------


def test_a_policy_is_read_with_its_place_and_all_else_is_unread() -> None:
    snapshot = given(f"# shop\n---\n{POLICY}")
    (policy,) = value(snapshot, "network_policies")
    assert (policy.namespace, policy.name) == ("shop", "api")
    assert [p.port for p in policy.spec.ingress[0].ports] == ["80", 8080]
    assert snapshot.source is SourceKind.MANIFESTS
    assert snapshot.origins == {"networkpolicy/shop/api": Origin("stdin", 3)}
    assert seen_sections(snapshot) == {"network_policies"}
    assert snapshot.nodes == Unread("nodes: not in the files given", Why.NOT_IN_FILES)


def test_the_settings_of_cilium_are_read_in_any_namespace_and_no_other_configmap_is() -> None:
    texts = (
        yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "cilium"}, "data": data})
        for name, data in (("cilium-config", {"enable-policy": "always", "mine": "secret"}), ("calico-config", {"veth_mtu": "1"}))
    )
    [found] = value(given("---\n".join(texts)), "configmaps")
    assert (found.metadata.namespace, found.data) == ("cilium", {"enable-policy": "always"})


def test_without_a_namespace_it_is_in_default_and_nodes_are_in_none() -> None:
    snapshot = given(
        "kind: Service\napiVersion: v1\nmetadata: {name: a}\nspec:\n---\nkind: Node\napiVersion: v1\nmetadata: {name: one}\n"
    )
    assert value(snapshot, "services")[0].namespace == "default"
    assert set(snapshot.origins) == {"service/default/a", "node/one"}


def test_null_counts_as_absent_and_in_a_list_as_empty() -> None:
    (policy,) = value(
        given(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, labels: , creationTimestamp: null}\n"
            "spec:\n  podSelector:\n  ingress:\n  -\n  egress: null\n  policyTypes: [Ingress, Egress]\n"
        ),
        "network_policies",
    )
    assert policy.spec.pod_selector.is_empty
    assert [rule.peers for rule in policy.spec.ingress] == [()]
    assert policy.spec.egress == ()


def test_a_workload_gives_a_pod_named_as_its_controller_would() -> None:
    snapshot = given(yaml.safe_dump(deployment()))
    assert seen_sections(snapshot) == {"deployments", "pods"}
    (pod,) = value(snapshot, "pods")
    assert (pod.namespace, pod.name) == ("shop", "web-xxxxxxxxxx-xxxxx")
    assert dict(pod.labels) == {"app": "web"}
    (owner,) = pod.metadata.owner_references
    assert (owner.kind, owner.name, owner.controller) == ("Deployment", "web", True)
    assert pod.spec.host_network
    assert pod.spec.service_account_name == "web-sa"
    (container,) = pod.containers
    assert (container.name, container.image, container.ports[0].name) == ("app", "web:1", "http")
    assert b"secret" not in bytes(pod.spec.containers)
    assert value(snapshot, "deployments")[0].containers[0].env == ()
    assert snapshot.origins["pod/shop/web-xxxxxxxxxx-xxxxx"] == snapshot.origins["deployment/shop/web"]


@pytest.mark.parametrize(
    ("api_version", "kind", "name"),
    [
        ("apps/v1", "StatefulSet", "web-0"),
        ("apps/v1", "DaemonSet", "web-xxxxx"),
        ("apps/v1", "ReplicaSet", "web-xxxxx"),
        ("batch/v1", "Job", "web-xxxxx"),
    ],
)
def test_every_kind_with_a_template_gives_a_pod(api_version: str, kind: str, name: str) -> None:
    (pod,) = value(given(json.dumps(deployment() | {"apiVersion": api_version, "kind": kind})), "pods")
    assert pod.name == name
    assert pod.metadata.owner_references[0].kind == kind


def test_a_cron_job_gives_the_pod_its_jobs_make() -> None:
    spec = {"schedule": "@daily", "jobTemplate": {"spec": deployment()["spec"]}}
    snapshot = given(json.dumps({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "night"}, "spec": spec}))
    assert value(snapshot, "cronjobs")[0].spec.template.spec.service_account_name == "web-sa"
    (pod,) = value(snapshot, "pods")
    assert (pod.namespace, pod.name, pod.spec.host_network) == ("default", "night-xxxxxxxx-xxxxx", True)


def test_what_a_deployment_made_is_not_counted_again() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": True}
    replicas = deployment("web-5d9c") | {"kind": "ReplicaSet"}
    replicas["metadata"]["ownerReferences"] = [owner]
    pod = builders.pod({"name": "web-5d9c-abcde", "labels": {"app": "web"}, "owner": "ReplicaSet/web-5d9c"})
    pod |= {"apiVersion": "v1", "kind": "Pod"}
    assert [p.name for p in value(given(a_list(deployment(), replicas)), "pods")] == ["web-xxxxxxxxxx-xxxxx"]
    assert [p.name for p in value(given(a_list(deployment(), replicas, pod)), "pods")] == ["web-5d9c-abcde"]


def test_pods_of_the_agent_are_read_with_the_state_of_their_containers() -> None:
    agent = builders.agent_pod({"node": "a", "restarts": 3}) | {"apiVersion": "v1", "kind": "Pod"}
    snapshot = given(a_list(agent))
    assert value(snapshot, "agent_pods")[0].status.container_statuses[1].restart_count == 3
    assert [p.name for p in value(snapshot, "pods")] == ["aws-node-a"]


def test_the_agents_own_settings_come_through_and_nobody_elses() -> None:
    own = builders.aws_node({"env": {"SECRET": "x"}}) | {"apiVersion": "apps/v1"}
    snapshot = given(a_list(own, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"}, "data": {"a": "b"}}))
    cni, agent = value(snapshot, "daemonsets")[0].containers
    assert {e.name: e.value for e in cni.env}["SECRET"] is None
    assert "--enable-network-policy=true" in agent.args
    assert isinstance(snapshot.configmaps, Unread)


def test_annotations_come_through_as_from_a_cluster() -> None:
    text = POLICY.replace("  name: api", "  name: api\n  annotations: {note: x, waive.eksnetpol.io/a: because}")
    assert value(given(text), "network_policies")[0].metadata.annotations == {"waive.eksnetpol.io/a": "because"}


def test_kinds_are_told_apart_by_group() -> None:
    named = {"metadata": {"name": "a"}, "spec": {"tier": "Admin", "priority": 10}}
    snapshot = given(
        a_list(
            {"apiVersion": "networking.k8s.aws/v1alpha1", "kind": "ClusterNetworkPolicy", **named},
            {"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy", **named},
            {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": "b", "namespace": "shop"}},
            {"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": {"name": "n"}},
            {"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": {"name": "c", "namespace": "shop"}},
            {"apiVersion": "crd.antrea.io/v1beta1", "kind": "Egress", "metadata": {"name": "e"}},
            {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "s"}},
        )
    )
    assert seen_sections(snapshot) == {"cluster_policies", "admin_policies", "foreign_kinds", "foreign_policies"}
    assert [(p.api_version, p.kind, p.metadata.namespace, p.metadata.name) for p in value(snapshot, "foreign_policies")] == [
        ("cilium.io/v2", "CiliumNetworkPolicy", "shop", "b"),
        ("projectcalico.org/v3", "NetworkPolicy", "shop", "c"),
    ]
    assert [p.spec.priority for p in value(snapshot, "cluster_policies")] == [10]
    assert [(p.kind, p.api_version) for p in value(snapshot, "admin_policies")] == [
        ("ClusterNetworkPolicy", "policy.networking.k8s.io/v1alpha2")
    ]
    assert {"clusternetworkpolicy/a", "clusternetworkpolicy.policy.networking.k8s.io/a"} <= set(snapshot.origins)
    assert [(k.group, k.plural, k.count, k.examples) for k in value(snapshot, "foreign_kinds")] == [
        ("cilium.io", "ciliumnetworkpolicies", 1, ("shop/b",)),
        ("crd.antrea.io", "egresses", 1, ("e",)),
        ("policy.networking.k8s.io", "clusternetworkpolicies", 1, ("a",)),
        ("projectcalico.org", "networkpolicies", 1, ("shop/c",)),
    ]


def test_kinds_that_nobody_reads_are_counted_not_refused() -> None:
    said: list[str] = []
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"a": "b"}}
    snapshot = given(a_list(secret, secret), note=said.append)
    assert seen_sections(snapshot) == set()
    assert said == ["objects that nothing here reads: Secret (2)"]


# --- lists and places -------------------------------------------------------------------------------------------------


def test_lists_are_taken_apart_and_each_item_has_its_line() -> None:
    text = a_list(deployment(), yaml.safe_load(POLICY))
    from_json, from_yaml = given(text), given(yaml.safe_dump(json.loads(text), sort_keys=False))
    assert value(from_json, "network_policies") == value(from_yaml, "network_policies")
    assert value(from_json, "pods") == value(from_yaml, "pods")
    line = next(n for n, words in enumerate(text.splitlines(), 1) if "networking.k8s.io" in words)
    assert from_json.origins["networkpolicy/shop/api"].line == line - 1
    dumped = yaml.safe_dump(json.loads(text), sort_keys=False).splitlines()
    line = next(n for n, words in enumerate(dumped, 1) if "networking.k8s.io" in words)
    assert from_yaml.origins["networkpolicy/shop/api"].line == line


def test_a_typed_list_tells_the_kind_of_items_that_do_not() -> None:
    bare = {k: v for k, v in yaml.safe_load(POLICY).items() if k not in {"apiVersion", "kind"}}
    snapshot = given(a_list(bare, kind="NetworkPolicyList", version="networking.k8s.io/v1"))
    assert [p.name for p in value(snapshot, "network_policies")] == ["api"]


def test_documents_of_json_may_follow_each_other() -> None:
    one = json.dumps(deployment("a"), indent=2)
    snapshot = given(f"\n{one}\n\n{json.dumps(deployment('b'))}")
    assert snapshot.origins["deployment/shop/a"].line == 2
    assert snapshot.origins["deployment/shop/b"].line == one.count("\n") + 4


def test_an_empty_list_is_an_answer() -> None:
    assert seen_sections(given(a_list())) == set()


def test_utf_16_is_read() -> None:
    assert seen_sections(given(POLICY.encode("utf-16"))) == {"network_policies"}


def test_a_name_that_is_generated_is_one() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {generateName: debug-}\n"
    assert [p.name for p in value(given(text), "pods")] == ["debug-xxxxx"]


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "stdin", "this is empty; expected Kubernetes objects in YAML or JSON"),
        ("# nothing\n---\n", "stdin", "this is empty"),
        ("\n\nhello\n", "stdin:3", "this is a text; expected Kubernetes objects"),
        ("- kind: Pod\n", "stdin:1", "this is a list; expected Kubernetes objects"),
        ("[]", "stdin:1", "this is a list"),
        ("a: 1\n---\nkind: Pod\n", "stdin:1", "apiVersion is missing"),
        ("apiVersion: v1\nmetadata: {}\n", "stdin:1", "kind is missing"),
        ("apiVersion: 1\nkind: Pod\n", "stdin:1", "apiVersion: expected `str | null`, got `int`; put it in quotes"),
        (POLICY + "---\n" + POLICY.replace("name: api", "name:"), "stdin:18", "NetworkPolicy shop: metadata.name is missing"),
        (POLICY.replace("  podSelector:\n    matchLabels:\n      app: api", "  podSelector: []"), "stdin:7",
         "NetworkPolicy shop/api: spec.podSelector: expected `object`, got `array`"),
        (POLICY.replace("app: api", "app: 1"), "stdin:8", "expected `str`, got `int`; put it in quotes"),
        (POLICY.replace("port: 8080", "port: true"), "stdin:15", "spec.ingress[0].ports[1].port: expected `int"),
        (POLICY.replace("  name: api", "  name: api\n  name: web"), "stdin:5", "the key 'name' is there twice"),
        (POLICY.replace("metadata:", "metadata: ["), "stdin:5", "this is not YAML"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: {a: 1}\n", "stdin:5",
         "Pod a: metadata.labels[...]: expected `str`, got `int`; put it in quotes"),
        (yaml.safe_dump(deployment()).replace("app: web", "app: 1"), "stdin:10",
         "Deployment shop/web: spec.template.metadata.labels[...]: expected `str`, got `int`"),
        ('{"apiVersion": "v1",\n "kind": "Pod",\n "kind": "Pod", "metadata": {"name": "a"}}', "stdin:3", "the key 'kind'"),
        ('{"apiVersion": "v1",\n "kind": "Pod"', "stdin:2", "this is not YAML"),
        (a_list(deployment(), {"kind": "Pod", "metadata": {"name": "a"}}), "stdin:51", "apiVersion is missing"),
        (a_list({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}, "spec": 3}), "stdin:14", "Node a: spec: exp"),
        ("[" * 100_000, "stdin", "nested too deeply"),
        (b"a: \xff", "stdin:1", "not UTF-8 text"),
        ("apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: a}\nspec: {rules: [3]}", "stdin:1",
         "ClusterPolicy a: this has not the shape of a ClusterPolicy"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {hostNetwork: .inf}", "stdin:4", ".inf is a number that"),
    ],
)  # fmt: skip
def test_mistakes_get_one_line_with_their_place(text: str | bytes, place: str, words: str) -> None:
    with pytest.raises(UnreadableInput) as raised:
        given(text)
    assert words in str(raised.value)
    assert raised.value.place == place
    assert "\n" not in str(raised.value)


def test_a_broken_json_file_is_spoken_of_as_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"kind": "Pod",\n  oops}', encoding="utf-8")
    with pytest.raises(UnreadableInput, match=r"a\.json:2: this is not JSON: .* \(column 3\)"):
        read_manifests([str(tmp_path / "a.json")])
    (tmp_path / "a.json").write_text('{"kind": "Pod",\n', encoding="utf-8")
    with pytest.raises(UnreadableInput, match=r"a\.json:1: the JSON ends too early"):
        read_manifests([str(tmp_path)])


def test_a_wrong_call_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.yaml: there is no such file or directory"):
        read_manifests([str(tmp_path / "absent.yaml")])
    with pytest.raises(UsageError, match="there is none"):
        read_manifests(["-"])
    with pytest.raises(UsageError, match="no manifests were given"):
        read_manifests([])


# --- directories ------------------------------------------------------------------------------------------------------


def write(top: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text, encoding="utf-8")
    return str(top)


def test_a_directory_is_read_with_all_below_it_but_what_is_hidden_or_no_manifest(tmp_path: Path) -> None:
    said: list[str] = []
    top = write(
        tmp_path,
        {
            "a/policy.yaml": POLICY,
            "b/web.json": json.dumps(deployment()),
            ".github/workflow.yml": "on: push\nkind: {{ broken",
            ".hidden.yaml": "a: [",
            "mkdocs.yml": "site_name: x\ntags: !!python/name:a.b {{",
            "package.json": '{"kind": "x", /* no JSON, and not ours */',
            "compose.yaml": "services: {web: {image: a}}\nkinds: [kind]",
            "notes.txt": "apiVersion: nothing",
            "k/kustomization.yaml": "resources: [../a]",
            "chart/Chart.yaml": "apiVersion: v2\nname: chart",
            "chart/values.yaml": "kind: Deployment\napiVersion: 3",
            "chart/templates/a.yaml": "apiVersion: v1\nkind: {{ .Values.kind }}",
            "empty.yaml": "# kind: nothing yet",
        },
    )
    (tmp_path / "package.json").unlink()
    snapshot = read_manifests([top], note=said.append)
    assert seen_sections(snapshot) == {"network_policies", "deployments", "pods"}
    assert snapshot.origins["networkpolicy/shop/api"] == Origin(f"{top}/a/policy.yaml", 1)
    assert said == [
        f"{top}/compose.yaml, {top}/empty.yaml, {top}/mkdocs.yml: no Kubernetes objects, left out",
        f"{top}/chart/templates: a chart's templates, left out; give the output of `helm template`",
        f"{top}/k/kustomization.yaml: left out, as is what it would change; give the output of `kustomize build`",
    ]


def test_what_is_broken_in_a_directory_is_refused(tmp_path: Path) -> None:
    top = write(tmp_path, {"a.yaml": POLICY, "b.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: [}\n"})
    with pytest.raises(UnreadableInput, match=r"b\.yaml:3: this is not YAML"):
        read_manifests([top])


def test_an_object_without_a_kind_beside_others_is_refused(tmp_path: Path) -> None:
    top = write(tmp_path, {"a.yaml": POLICY + "---\nspec: {}\n"})
    with pytest.raises(UnreadableInput, match=r"a\.yaml:18: apiVersion is missing"):
        read_manifests([top])


@pytest.mark.parametrize("files", [{}, {"a.txt": "x"}, {"a.yaml": "a: 1"}, {"a.yaml": ""}])
def test_a_directory_without_objects_is_refused(tmp_path: Path, files: dict[str, str]) -> None:
    top = write(tmp_path, files)
    with pytest.raises(UnreadableInput, match="no Kubernetes objects are here"):
        read_manifests([top])


def test_of_two_with_one_name_the_later_counts(tmp_path: Path) -> None:
    said: list[str] = []
    top = write(tmp_path, {"a.yaml": POLICY, "b.yaml": "\n" + POLICY.replace("app: api", "app: web")})
    snapshot = read_manifests([top], note=said.append)
    (policy,) = value(snapshot, "network_policies")
    assert policy.spec.pod_selector.match_labels == {"app": "web"}
    assert snapshot.origins["networkpolicy/shop/api"] == Origin(f"{top}/b.yaml", 2)
    assert said == [f"there more than once, so that the last counts: networkpolicy/shop/api ({top}/a.yaml:1 and {top}/b.yaml:2)"]
