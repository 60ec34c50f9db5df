from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from eksnetpol.checks.catalog import catalog
from eksnetpol.checks.run import run
from eksnetpol.model import eks
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.pseudonyms import Pseudonyms
from eksnetpol.model.redaction import LEFT_OUT, redact
from eksnetpol.model.redaction_words import PATTERN, WORDS
from eksnetpol.model.snapshot import ClusterSnapshot, Origin, Seen, Target, Unread
from eksnetpol.policy.identity import prefix_of
from tests import builders
from tests.benchmarks.generate import Size, generate
from tests.checks.cases import case
from tests.strategies import snapshots

SALT = b"sixteen bytes of"
CHECKS = {check.id: check for check in catalog()}
CASES = sorted((Path(__file__).parent.parent / "checks").rglob("*.yaml"))
SMALL = generate(Size(nodes=3, pods=60, services=5, policies=9))

names = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,14}[a-z0-9])?", fullmatch=True)
KINDS = [ipaddress.ip_network(b) for b in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16")]
ipv4 = st.ip_addresses(v=4)
ipv6 = st.ip_addresses(v=6)


def fresh() -> Pseudonyms:
    return Pseudonyms(SALT, frozenset())


# --- the law ----------------------------------------------------------------------------------------------------------


def said(snapshot: ClusterSnapshot, checks: list[Any]) -> list[tuple[str, str, int, int]]:
    return [(a.check.id, a.outcome, len(a.findings), len(a.unknowns)) for a in run(checks, snapshot)]


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_a_check_says_the_same_of_a_redacted_case(path: Path) -> None:
    check = CHECKS.get(path.stem.replace("_", "-"))
    assert check is not None, f"{path} belongs to no check"
    # Where this fails after a check was added, it knows a word that `eksnetpol.model.redaction_words` does not.
    for name, short in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        snapshot = case(name, short or {}).snapshot
        assert said(redact(snapshot, salt=SALT), [check]) == said(snapshot, [check]), name


def test_every_check_says_the_same_of_a_redacted_cluster() -> None:
    assert said(redact(SMALL, salt=SALT), list(catalog())) == said(SMALL, list(catalog()))


def identifying(snapshot: ClusterSnapshot) -> set[str]:
    """Names of a snapshot that are not made of words that everybody uses."""
    found = {snapshot.target.cluster, snapshot.target.account, snapshot.target.arn}
    for section in ("nodes", "namespaces", "pods", "deployments", "services", "network_policies", "daemonsets"):
        seen = getattr(snapshot, section)
        found |= {thing.metadata.name for thing in seen.value} if isinstance(seen, Seen) else set()
    pods = snapshot.pods.value if isinstance(snapshot.pods, Seen) else ()
    found |= {pod.spec.service_account_name for pod in pods} | {c.image for pod in pods for c in pod.containers}
    found |= {pod.status.pod_ip for pod in pods} | {value for pod in pods for value in pod.labels.values()}

    def common(name: str) -> bool:
        return all(part.lower() in WORDS or PATTERN.fullmatch(part) for part in re.findall(r"[^\W_]+", name))

    return {name for name in found if not common(name)} | {pod.status.pod_ip for pod in pods}


def test_no_name_of_the_original_is_in_the_result() -> None:
    original = identifying(SMALL)
    assert len(original) > 100
    text = msgspec.json.encode(redact(SMALL, salt=SALT)).decode()
    assert {name for name in original if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text)} == set()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(snapshots())
def test_any_snapshot_can_be_redacted_and_stays_one(snapshot: ClusterSnapshot) -> None:
    redacted = redact(snapshot, salt=SALT)
    assert msgspec.json.decode(msgspec.json.encode(redacted), type=ClusterSnapshot) == redacted
    for name in snapshot.__struct_fields__:
        before, after = getattr(snapshot, name), getattr(redacted, name)
        if name == "foreign_policies" and isinstance(before, Seen) and before.value:
            assert after == LEFT_OUT
            continue
        assert isinstance(after, Unread) == isinstance(before, Unread)
        if isinstance(before, Seen) and isinstance(before.value, tuple) and name != "fargate_profiles":
            assert len(after.value) == len(before.value)


def test_the_same_salt_gives_the_same_and_another_gives_others() -> None:
    assert redact(SMALL, salt=SALT) == redact(SMALL, salt=SALT)
    assert redact(SMALL, salt=b"another").target.cluster != redact(SMALL, salt=SALT).target.cluster


# --- names ------------------------------------------------------------------------------------------------------------


@given(st.lists(names, min_size=2, max_size=30, unique=True))
def test_different_names_stay_different_and_keep_their_form(originals: list[str]) -> None:
    pseudonyms = fresh()
    renamed = [pseudonyms.name(name) for name in originals]
    assert len(set(renamed)) == len(originals)
    for old, new in zip(originals, renamed, strict=True):
        assume(not re.search(r"\d\.\d", old))
        assert len(old) == len(new)
        assert [c.isdigit() for c in old] == [c.isdigit() for c in new]
        assert re.sub(r"[^\W_]", "x", old) == re.sub(r"[^\W_]", "x", new)


@given(names, names, names)
def test_pods_share_an_identity_as_before(a: str, b: str, end: str) -> None:
    assume("." not in a + b + end)
    pseudonyms = fresh()
    one, other = pseudonyms.name(f"{a}-{end}"), pseudonyms.name(f"{b}-{end}")
    assert (prefix_of(one) == prefix_of(other)) == (prefix_of(f"{a}-{end}") == prefix_of(f"{b}-{end}"))


@pytest.mark.parametrize(
    "name",
    ["kube-system", "default", "aws-node", "coredns", "calico-system", "aws-eks-nodeagent", "kubernetes.io/os", "10.100.0.10",
     "169.254.169.254/32", "fd00:ec2::254/128", "0.0.0.0/0", "::/0", "policyendpoints.networking.k8s.aws", "v1beta1", "250m",
     "us-west-2a", "amazon-k8s-cni", "system:serviceaccount:kube-system:aws-node"],
)  # fmt: skip
def test_what_every_cluster_has_keeps_its_name(name: str) -> None:
    assert fresh().name(name) == name


def test_more_short_names_than_there_are_letters_to_spare_still_differ() -> None:
    pseudonyms = Pseudonyms(SALT, frozenset("abcdefghijklmnopqrstuvwxyz"))
    free = [c for c in "abcdefghijklmnopqrstuvwxyz" if c not in WORDS]
    assert len({pseudonyms.name(c) for c in free}) == len(free)


# --- addresses --------------------------------------------------------------------------------------------------------


@given(st.lists(ipv4, min_size=2, max_size=20, unique=True), st.integers(0, 32))
def test_addresses_stay_in_their_blocks_and_only_in_theirs(addresses: list[ipaddress.IPv4Address], length: int) -> None:
    pseudonyms = fresh()
    block = ipaddress.ip_network(f"{addresses[0]}/{length}", strict=False)
    renamed = ipaddress.ip_network(pseudonyms.address(str(block)))
    new = [ipaddress.ip_address(pseudonyms.address(str(a))) for a in addresses]
    assert len(set(new)) == len(addresses)
    for old, address in zip(addresses, new, strict=True):
        assert (old in block) == (address in renamed)
        assert [old in kind for kind in KINDS] == [address in kind for kind in KINDS]


@given(st.lists(ipv6, min_size=2, max_size=10, unique=True), st.integers(0, 128))
def test_ipv6_addresses_too(addresses: list[ipaddress.IPv6Address], length: int) -> None:
    pseudonyms = fresh()
    block = ipaddress.ip_network(f"{addresses[0]}/{length}", strict=False)
    renamed = ipaddress.ip_network(pseudonyms.address(str(block)))
    new = [ipaddress.ip_address(pseudonyms.address(str(a))) for a in addresses]
    assert len(set(new)) == len(addresses)
    assert [a in block for a in addresses] == [a in renamed for a in new]


@given(st.integers(0, 255), st.integers(0, 255))
def test_the_resolver_of_a_network_is_found_again(second: int, third: int) -> None:
    pseudonyms = fresh()
    base = ipaddress.ip_address(pseudonyms.address(f"10.{second}.{third}.0/24").partition("/")[0])
    assert pseudonyms.address(f"10.{second}.{third}.2") == str(base + 2)
    wide = ipaddress.ip_address(pseudonyms.address(f"10.{second}.0.0/16").partition("/")[0])
    assert pseudonyms.address(f"10.{second}.0.2") == str(wide + 2)


def test_an_address_in_a_name_is_the_same_as_elsewhere() -> None:
    pseudonyms = fresh()
    address = pseudonyms.address("10.33.44.55")
    assert address not in {"10.33.44.55", ""}
    dashed = address.replace(".", "-")
    assert pseudonyms.name("ip-10-33-44-55.us-west-2.compute.internal") == f"ip-{dashed}.us-west-2.compute.internal"
    assert pseudonyms.prose("dial tcp 10.33.44.55:443: refused") == f"dial tcp {address}:443: refused"


# --- examples ---------------------------------------------------------------------------------------------------------


def redacted(**sections: Any) -> ClusterSnapshot:
    return redact(ClusterSnapshot(**sections), salt=SALT)


def test_images_lose_registry_and_path_and_keep_name_tag_and_digest() -> None:
    digest = f"sha256:{'0a' * 32}"
    images = [
        f"mirror.acme.example:5000/eks/amazon-k8s-cni:v1.20.5@{digest}",
        "111122223333.dkr.ecr.us-west-2.amazonaws.com/amazon/aws-network-policy-agent:v1.2.7",
        "acme/shop:feature-1",
    ]
    containers = tuple(k8s.Container(name="shop", image=image) for image in images)
    template = k8s.Template(spec=k8s.TemplateSpec(containers=containers))
    workload = k8s.Workload(k8s.ObjectMeta(name="shop"), spec=k8s.WorkloadSpec(template=template))
    seen = redacted(daemonsets=Seen((workload,))).daemonsets
    assert isinstance(seen, Seen)
    new = [c.image for c in seen.value[0].containers]
    assert new[0].endswith(f":5000/eks/amazon-k8s-cni:v1.20.5@{digest}")
    assert new[1].endswith(".dkr.ecr.us-west-2.amazonaws.com/amazon/aws-network-policy-agent:v1.2.7")
    assert new[2].endswith(":feature-1")
    assert not re.search(r"acme|shop|111122223333", " ".join(new))


def test_what_names_are_said_in_prose_is_renamed_and_the_rest_can_be_read() -> None:
    condition = k8s.Condition("NamespaceFinalizersRemaining", "True", message="Some content in the namespace checkout remains")
    namespace = k8s.Namespace(k8s.ObjectMeta(name="checkout"), status=k8s.NamespaceStatus(conditions=(condition,)))
    seen = redacted(namespaces=Seen((namespace,))).namespaces
    assert isinstance(seen, Seen)
    (new,) = seen.value
    assert new.status.conditions[0].message == f"Some content in the namespace {new.name} remains"
    assert new.name != "checkout"


def test_settings_keep_their_keys_and_lose_their_values() -> None:
    values = '{"enableNetworkPolicy": "true", "env": {"ADDITIONAL_ENI_TAGS": "acme=shop", "VPC_ID": "vpc-0123456789abcdef0"}}'
    seen = redacted(addon=Seen(eks.Addon("vpc-cni", configuration_values=values))).addon
    assert isinstance(seen, Seen)
    assert seen.value is not None
    new = msgspec.json.decode(seen.value.configuration_values)
    assert new["enableNetworkPolicy"] == "true"
    assert set(new["env"]) == {"ADDITIONAL_ENI_TAGS", "VPC_ID"}
    assert re.fullmatch(r"vpc-(?!0123456789abcdef0)[0-9a-f]{17}", new["env"]["VPC_ID"])
    assert not re.search("acme|shop", seen.value.configuration_values)


def test_rules_of_admin_policies_are_renamed_as_everywhere_and_keep_what_they_do() -> None:
    written = builders.admin_policy(
        {
            "name": "isolate-payments",
            "kind": "AdminNetworkPolicy",
            "priority": 7,
            "subject": {"pods": {"namespaceSelector": {"matchLabels": {"tenant": "acme"}}, "podSelector": {}}},
            "ingress": [{"name": "from-acme", "action": "Allow", "from": [{"namespaces": {"matchLabels": {"tenant": "acme"}}}]}],
            "egress": [
                {
                    "action": "Deny",
                    "to": [{"networks": ["10.20.0.0/16"]}, {"domainNames": ["*.acme.example"]}],
                    "ports": [{"namedPort": "ledger"}, {"portNumber": {"port": 53, "protocol": "UDP"}}],
                }
            ],
        }
    )
    policy = msgspec.convert(written, AdminPolicy)
    inside = k8s.Pod(k8s.PodMeta("a", "shop"), status=k8s.PodStatus(pod_ip="10.20.3.4"))
    redacted = redact(ClusterSnapshot(admin_policies=Seen((policy,)), pods=Seen((inside,))), salt=SALT)
    assert isinstance(redacted.admin_policies, Seen)
    assert isinstance(redacted.pods, Seen)
    (found,), (pod,) = redacted.admin_policies.value, redacted.pods.value
    assert not re.search(r"acme|payments|10\.20\.|ledger", msgspec.json.encode(found).decode())
    assert (found.title, found.api_version) == (policy.title, policy.api_version)
    assert found.spec.subject.pods is not None
    assert found.spec.ingress[0].peers[0].namespaces == found.spec.subject.pods.namespace_selector
    assert ipaddress.ip_address(pod.status.pod_ip) in ipaddress.ip_network(found.spec.egress[0].peers[0].networks[0])
    ports = found.spec.egress[0].matches
    assert ports is not None
    assert str(ports[1]) == "53/UDP"
    assert [r.action for r in (*found.spec.ingress, *found.spec.egress)] == ["Allow", "Deny"]


def test_half_a_word_of_a_fargate_pattern_becomes_the_namespaces_it_means() -> None:
    spaces = tuple(k8s.Namespace(k8s.ObjectMeta(name=name)) for name in ("checkout", "checker", "orders"))
    profile = eks.FargateProfile("fp", selectors=(eks.FargateSelector("check*"), eks.FargateSelector("orders-*")))
    result = redacted(namespaces=Seen(spaces), fargate_profiles=Seen((profile,)))
    assert isinstance(result.namespaces, Seen)
    assert isinstance(result.fargate_profiles, Seen)
    checkout, checker, orders = (n.name for n in result.namespaces.value)
    assert [s.namespace for s in result.fargate_profiles.value[0].selectors] == [checker, checkout, f"{orders}-*"]


def test_the_certificate_goes_and_the_endpoint_is_another() -> None:
    cluster = eks.Cluster(
        "prod", certificate_authority=eks.Certificate("c2VjcmV0"), endpoint="https://0AB1.gr7.us-west-2.eks.amazonaws.com"
    )
    seen = redacted(cluster=Seen(cluster)).cluster
    assert isinstance(seen, Seen)
    assert seen.value.certificate_authority.data == ""
    assert re.fullmatch(r"https://(?!0AB1)\w{4}\.\w{3}\.us-west-2\.eks\.amazonaws\.com", seen.value.endpoint)


def test_places_are_those_of_the_new_names() -> None:
    policy = generate(Size(1, 20, 2, 2)).network_policies
    assert isinstance(policy, Seen)
    first = policy.value[0]
    key = f"networkpolicy/{first.namespace}/{first.name}"
    result = redacted(network_policies=policy, origins={key: Origin("acme/shop.yaml", 7)}, target=Target(cluster="prod"))
    assert isinstance(result.network_policies, Seen)
    new = result.network_policies.value[0]
    assert list(result.origins) == [f"networkpolicy/{new.namespace}/{new.name}"]
    (origin,) = result.origins.values()
    assert origin.line == 7
    assert origin.file.endswith(".yaml")
    assert not re.search("acme|shop", origin.file)


def test_an_annotated_address_becomes_the_one_that_the_status_gets() -> None:
    raw = {
        "metadata": {"name": "web", "namespace": "shop", "annotations": {"vpc.amazonaws.com/pod-ips": "10.42.7.9"}},
        "status": {"podIP": "10.42.7.9"},
    }
    snapshot = ClusterSnapshot(pods=Seen((msgspec.convert(raw, k8s.Pod),)))
    redacted = redact(snapshot, salt=SALT).pods
    assert isinstance(redacted, Seen)
    (pod,) = redacted.value
    assert pod.status.pod_ip != "10.42.7.9"
    assert pod.metadata.annotations == {"vpc.amazonaws.com/pod-ips": pod.status.pod_ip}


def test_taints_and_budgets_mean_what_they_meant() -> None:
    taints = (k8s.Taint("acme.com/team", "billing", "NoSchedule"), k8s.Taint("node.kubernetes.io/unschedulable", "", "NoExecute"))
    node = k8s.Node(metadata=k8s.ObjectMeta(name="ip-10-0-0-7"), spec=k8s.NodeSpec(taints=taints))
    asked: dict[str, Any] = {"selector": {"matchLabels": {"app": "billing"}}, "maxUnavailable": "30%"}
    asked["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    budget = msgspec.convert({"metadata": {"name": "billing", "namespace": "shop"}, "spec": asked}, k8s.DisruptionBudget)
    pod = msgspec.json.decode(b'{"metadata":{"name":"a","namespace":"shop","labels":{"app":"billing"}}}', type=k8s.Pod)
    snapshot = ClusterSnapshot(nodes=Seen((node,)), disruption_budgets=Seen((budget,)), pods=Seen((pod,)))
    hidden = redact(snapshot, salt=SALT)
    assert b"billing" not in msgspec.json.encode(hidden)
    assert isinstance(hidden.nodes, Seen)
    theirs, ours = hidden.nodes.value[0].spec.taints
    assert (theirs.effect, ours) == ("NoSchedule", taints[1])
    assert isinstance(hidden.disruption_budgets, Seen)
    assert isinstance(hidden.pods, Seen)
    spec = hidden.disruption_budgets.value[0].spec
    assert (spec.max_unavailable, spec.unhealthy_pod_eviction_policy) == ("30%", "AlwaysAllow")
    assert spec.selector is not None
    assert spec.selector.matches(hidden.pods.value[0].labels)
