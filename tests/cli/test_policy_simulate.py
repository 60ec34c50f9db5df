from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from eksnetpol.gateways import snapshot_file
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import Seen
from eksnetpol.policy.needs import Kind, Verdict
from tests.cli.conftest import Ended
from tests.policy.outlooks import DENY, Json, cluster, simulated, web
from tests.testbed.cluster import ControlPlane

Cli = Callable[..., Ended]
Golden = Callable[[str, str], None]

ROOT = Path(__file__).parents[2]
RETAIL = str(ROOT / "demo" / "clusters" / "retail-store-calico.json.gz")

HOOK = {
    "metadata": {"name": "guard"}, "kind": "ValidatingWebhookConfiguration",
    "webhooks": [{"name": "g.example.com", "clientConfig": {"service": {"namespace": "bank", "name": "hook", "port": 443}}}],
}  # fmt: skip
TO_DNS = {
    "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
}  # fmt: skip
METADATA = [{"InstanceId": "i-1", "MetadataOptions": {"HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 2}}]


def shop(**sections: Any) -> Json:
    """What a cluster has in which much is lost: each need of a pod at least once."""
    robot = {"namespace": "shop", "serviceAccount": "robot"}
    usual: Json = {
        "pods": [
            web(owner="ReplicaSet/web", token=True),
            web(name="api-1", labels={"app": "api"}, owner="ReplicaSet/api", ip="10.0.0.11", account="robot"),
            web(name="idle-1", labels={"app": "idle"}, owner="ReplicaSet/idle", ip="10.0.0.12"),
            web(name="hook-1", namespace="bank", labels={"app": "hook"}, owner="ReplicaSet/hook", ip="10.0.0.13"),
            web(name="logs-1", labels={"app": "logs"}, owner="DaemonSet/logs", ip="10.0.0.1", host_network=True),
        ],
        "services": [
            {"name": "hook", "namespace": "bank", "selector": {"app": "hook"}, "ports": [{"port": 443, "targetPort": 8080}]},
            {"name": "front", "type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        ],
        "network_policies": [
            {**DENY, "pods": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["idle"]}]}},
            {"name": "to-dns", "pods": {"app": "api"}, "types": ["Egress"], "egress": [TO_DNS]},
            {"name": "default-deny", "namespace": "bank"},
        ],
        "pod_identities": [robot],
        "webhooks": [HOOK],
        "instances": METADATA,
        "daemonsets": [{"name": "node-local-dns", "containers": ["example.com/cache:1"]}],
    }
    return {**usual, **sections}


@pytest.fixture
def lost(quiet_place: Path) -> str:
    snapshot_file.save(cluster(**shop()), quiet_place / "lost.json")
    return "lost.json"


@pytest.mark.parametrize("mode", ["standard", "strict"])
def test_the_page_reads_as_it_did(cli: Cli, golden: Golden, lost: str, mode: str) -> None:
    ended = cli("policy", "simulate", "--snapshot", lost, "--mode", mode)
    assert (ended.code, ended.err) == (1, "")
    assert max(len(line) for line in ended.out.splitlines()) <= 80
    golden(f"cli/policy-simulate-{mode}.txt", ended.out)


@pytest.mark.parametrize(("form", "suffix"), [("markdown", "md"), ("yaml", "yaml"), ("json", "json")])
def test_every_format_reads_as_it_did(cli: Cli, golden: Golden, lost: str, form: str, suffix: str) -> None:
    ended = cli("policy", "simulate", "--snapshot", lost, "-o", form)
    assert ended.code == 1
    golden(f"cli/policy-simulate.{suffix}", ended.out)


def test_json_adds_up(cli: Cli, lost: str) -> None:
    report = json.loads(cli("policy", "simulate", "--snapshot", lost, "-o", "json").out)
    summary = report["summary"]
    assert summary["pods"] == sum(w["pods"] for w in report["workloads"])
    for side in ("ingress", "egress"):
        assert summary[side]["isolated"] + summary[side]["open"] == summary["pods"]
        assert summary[side]["isolated"] == sum(w[side]["isolated"] for w in report["workloads"])
    for number, flow in enumerate(report["flows"]):
        said = [f for w in report["workloads"] for f in w["flows"] if f["flow"] == number]
        for verdict in Verdict:
            assert flow["pods"][verdict.value] == sum(f["pods"] for f in said if f["verdict"] == verdict.value)
    assert report["exitCode"] == 1
    assert {f["need"] for f in report["flows"]} >= {
        "dns", "node-local-dns", "api-server", "imds", "pod-identity", "webhook", "load-balancer",
    }  # fmt: skip


def test_the_policies_to_add_keep_everything(cli: Cli, quiet_place: Path, lost: str) -> None:
    text = cli("policy", "simulate", "--snapshot", lost, "-o", "yaml").out
    more = [msgspec.convert(policy, NetworkPolicy) for policy in yaml.safe_load_all(text)]
    snapshot = cluster(**shop())
    assert isinstance(snapshot.network_policies, Seen)
    whole = msgspec.structs.replace(snapshot, network_policies=Seen((*snapshot.network_policies.value, *more)))
    snapshot_file.save(whole, quiet_place / "kept.json")
    ended = cli("policy", "simulate", "--snapshot", "kept.json")
    assert ended.code == 0
    assert ended.out.startswith("KEPT: ")
    assert "To add" not in ended.out


@pytest.mark.testbed
def test_the_real_api_server_takes_every_policy_to_add(control_plane: ControlPlane) -> None:
    kinds = set()
    for name in ("shop", "bank"):
        control_plane.create([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"simulate-{name}"}}])
    for mode in ("standard", "strict"):
        from eksnetpol.policy.profile import Mode

        done = simulated(cluster(**shop()), Mode(mode))
        for remedy in done.remedies:
            kinds.add(remedy.kind)
            policy: Any = msgspec.to_builtins(remedy.policy)
            if remedy.namespace in {"shop", "bank"}:
                policy["metadata"]["namespace"] = f"simulate-{remedy.namespace}"
            said = control_plane.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(policy))
            assert said.returncode == 0, (policy, said.stderr)
    assert kinds >= {Kind.DNS, Kind.API_SERVER, Kind.IMDS, Kind.POD_IDENTITY, Kind.WEBHOOK, Kind.LOAD_BALANCER, None}


def test_a_recorded_cluster_is_told_namespace_by_namespace(cli: Cli) -> None:
    ended = cli("policy", "simulate", "--snapshot", RETAIL, "--width", "200")
    assert ended.code == 1
    assert ended.out.startswith("LOST: API server (1 pod); 4 pods of 4 workloads become isolated.\n")
    assert "enforcement is off today" in ended.out
    assert "default deny: networkpolicy/ui/default-deny closes egress of 1 pod" in ended.out


def test_manifests_are_enough_and_what_they_cannot_tell_does_not_count(cli: Cli, quiet_place: Path) -> None:
    workload = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"automountServiceAccountToken": False, "containers": [{"name": "web", "image": "example.com/web:1"}]},
        }},
    }  # fmt: skip
    policy = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [TO_DNS]},
    }  # fmt: skip
    (quiet_place / "all.yaml").write_text(yaml.safe_dump_all([workload, policy]), encoding="utf-8")
    ended = cli("policy", "simulate", "--manifests", "all.yaml")
    assert ended.code == 0
    assert ended.out.startswith("UNDETERMINED: 1 pod of 1 workload becomes isolated")
    assert cli("policy", "simulate", "--manifests", "all.yaml", "--fail-on-unknown").code == 3
    assert cli("policy", "simulate", "--manifests", "all.yaml", "--fail-on", "isolated").code == 1
    (quiet_place / "none.yaml").write_text(yaml.safe_dump(workload), encoding="utf-8")
    assert cli("policy", "simulate", "--manifests", "none.yaml").out.startswith("KEPT: nobody becomes isolated")


def test_a_look_that_could_read_little_tells_little(cli: Cli, saved: str) -> None:
    ended = cli("policy", "simulate", "--snapshot", saved)
    assert ended.code == 3
    assert ended.out.startswith("UNDETERMINED: nobody becomes isolated; nothing is known to be lost")
    assert "not read: network policies: " in ended.out
    assert cli("policy", "simulate", "--snapshot", saved, "--no-fail-on-unknown").code == 0


def test_flows_that_are_skipped_do_not_count(cli: Cli, lost: str) -> None:
    every = [f"--skip={kind.value}" for kind in Kind]
    assert cli("policy", "simulate", "--snapshot", lost, *every).code == 0
    ended = cli("policy", "simulate", "--snapshot", lost, "--skip", "imds")
    assert "instance metadata" not in ended.out


def test_every_kind_of_flow_can_be_skipped() -> None:
    from eksnetpol.cli.commands.policy.simulate import FLOWS

    assert set(FLOWS) == {kind.value for kind in Kind}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--skip", "dsn"), "'dsn' is not one of 'dns'"),
        (("--fail-on", "blocker"), "'blocker' is not one of 'lost', 'isolated', 'never'"),
        (("--mode", "lenient"), "'lenient' is not one of 'standard', 'strict'"),
        (("--agent-version", "new"), "'new' is no release such as v1.2.7"),
        (("-o", "sarif"), "there is no format 'sarif'"),
        (("stray",), "unexpected extra argument"),
    ],
)
def test_a_wrong_word_is_one_sentence_and_exit_code_two(cli: Cli, lost: str, args: tuple[str, ...], words: str) -> None:
    ended = cli("policy", "simulate", "--snapshot", lost, *args)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_a_missing_file_and_a_broken_one_are_named(cli: Cli, quiet_place: Path) -> None:
    (quiet_place / "broken.json").write_text("{", encoding="utf-8")
    for file in ("absent.json", "broken.json"):
        ended = cli("policy", "simulate", "--snapshot", file)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(f"eksnetpol: {file}")


def test_names_of_strangers_do_not_act_on_the_terminal(cli: Cli, quiet_place: Path) -> None:
    evil = web(owner="ReplicaSet/\x1b[31mred", labels={"app": "\x1b]0;x\x07"})
    snapshot_file.save(cluster(pods=[evil], network_policies=[DENY]), quiet_place / "evil.json")
    for form in ("text", "markdown", "json", "yaml"):
        assert "\x1b" not in cli("policy", "simulate", "--snapshot", "evil.json", "-o", form).out
