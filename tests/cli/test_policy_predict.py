"""``policy predict``: the three documents, what is said beside them, and the comparison with what is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from eksnetpol.gateways import snapshot_file
from eksnetpol.model.policies import PolicyEndpoint
from eksnetpol.model.snapshot import Seen, Unread, Why
from eksnetpol.reporting.yaml import Dumper
from tests.cli.conftest import Ended
from tests.cli.shop_files import k8s, saved_shop
from tests.policy.prediction.small import policy, tcp

Cli = Callable[..., Ended]
Golden = Callable[[str, str], None]

RECORDED = Path(__file__).parents[1] / "data" / "policyendpoints"
CLUSTER, ENDPOINTS = str(RECORDED / "cluster.json"), str(RECORDED / "policyendpoints.json")

__all__ = ["k8s", "saved_shop"]


def put(path: Path, *objects: dict[str, Any]) -> str:
    path.write_text("\n---\n".join(json.dumps(o) for o in objects), encoding="utf-8")
    return path.name


# --- predicted --------------------------------------------------------------------------------------------------------


def test_text_is_a_line_for_each_policy(cli: Cli, golden: Golden) -> None:
    ended = cli("policy", "predict", "--manifests", CLUSTER)
    assert (ended.code, ended.err) == (0, "")
    golden("cli/policy/predict.txt", ended.out)


def test_json_is_a_list_of_objects(cli: Cli) -> None:
    ended = cli("policy", "predict", "--manifests", CLUSTER, "-o", "json")
    made = json.loads(ended.out)
    assert (made["apiVersion"], made["kind"], len(made["items"])) == ("v1", "List", 19)
    assert {i["kind"] for i in made["items"]} == {"PolicyEndpoint"}
    assert ended.out.isascii()


def test_yaml_is_a_document_for_each_object(cli: Cli) -> None:
    args = ("policy", "predict", "--manifests", CLUSTER, "-o")
    documents = list(yaml.safe_load_all(cli(*args, "yaml").out))
    assert documents == json.loads(cli(*args, "json").out)["items"]


def test_yaml_is_what_pyyaml_makes_of_the_objects(cli: Cli) -> None:
    args = ("policy", "predict", "--manifests", CLUSTER, "-o")
    items = json.loads(cli(*args, "json").out)["items"]
    assert cli(*args, "yaml").out == yaml.dump_all(items, explicit_start=True, width=1 << 20, Dumper=Dumper)


def test_a_list_without_objects_is_a_list(cli: Cli, quiet_place: Path) -> None:
    file = put(quiet_place / "a.yaml", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    assert json.loads(cli("policy", "predict", "--manifests", file, "-o", "json").out)["items"] == []


def test_several_formats_go_to_files_of_their_own(cli: Cli, quiet_place: Path) -> None:
    ended = cli("policy", "predict", "--manifests", CLUSTER, "-o", "json=a.json", "-o", "yaml=a.yaml", "-o", "text")
    assert ended.code == 0
    assert ended.out.startswith("POLICY")
    documents = list(yaml.safe_load_all((quiet_place / "a.yaml").read_text()))
    assert json.loads((quiet_place / "a.json").read_text())["items"] == documents


def test_chunks_are_as_large_as_they_are_said_to_be(cli: Cli) -> None:
    made = json.loads(cli("policy", "predict", "--manifests", CLUSTER, "--chunk-size", "1", "-o", "json").out)["items"]
    assert len(made) > 19
    assert all(len(i["spec"].get(key, [])) <= 1 for i in made for key in ("ingress", "egress", "podSelectorEndpoints"))
    refused = cli("policy", "predict", "--manifests", CLUSTER, "--chunk-size", "0")
    assert refused.code == 2
    assert "--chunk-size" in refused.err


def test_releases_decide(cli: Cli, quiet_place: Path) -> None:
    whole = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    one = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", **policy(egress=[whole, {**whole, "ports": [tcp(80)]}])}
    file = put(quiet_place / "a.yaml", one)
    args = ("policy", "predict", "--manifests", file, "-o", "json", "--controller-version")
    ports = [json.loads(cli(*args, r).out)["items"][0]["spec"]["egress"][0].get("ports") for r in ("1.1.2", "v1.1.3")]
    assert ports == [[tcp(80)], None]


def test_what_ends_the_controller_is_named_and_left_out(cli: Cli, quiet_place: Path, golden: Golden) -> None:
    rule = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 80}]}
    broken = {"apiVersion": "networking.k8s.aws/v1alpha1", "kind": "ApplicationNetworkPolicy", **policy("anp", egress=[rule])}
    file = put(quiet_place / "a.yaml", broken)
    ended = cli("policy", "predict", "--manifests", file, "-o", "json")
    assert (ended.code, json.loads(ended.out)["items"]) == (0, [])
    assert "note: applicationnetworkpolicy/shop/anp is left out: a port of an egress rule has no protocol" in ended.err
    golden("cli/policy/predict-left-out.txt", cli("policy", "predict", "--manifests", file).out)


def test_manifests_without_addresses_are_said_to_have_none(cli: Cli, k8s: str) -> None:
    ended = cli("policy", "predict", "--manifests", k8s, "-o", "json")
    assert "pods have no address in these files, and without one no entry is made" in ended.err


def test_a_snapshot_has_addresses(cli: Cli, saved_shop: str, golden: Golden) -> None:
    ended = cli("policy", "predict", "--snapshot", saved_shop)
    assert (ended.code, ended.err) == (0, "")
    golden("cli/policy/predict-snapshot.txt", ended.out)


# --- compared ---------------------------------------------------------------------------------------------------------


def test_what_the_real_controller_wrote_is_as_it_writes_it(cli: Cli) -> None:
    ended = cli("policy", "predict", "--check", "--manifests", CLUSTER, ENDPOINTS)
    assert (ended.code, ended.out, ended.err) == (
        0, "19 objects for 19 policies, 19 predicted: all as the controller writes them\n", "",
    )  # fmt: skip


def disturbed(quiet_place: Path) -> str:
    """The recording, with one object gone, one without a policy and one edited."""
    items = json.loads(Path(ENDPOINTS).read_text(encoding="utf-8"))["items"]
    one, other, third, *rest = sorted(items, key=lambda i: str(i["metadata"]["name"]))
    third["spec"]["podIsolation"] = []
    stray = json.loads(json.dumps(other))
    stray["metadata"].update(name="stray-abcde")
    stray["spec"]["policyRef"]["name"] = "stray"
    assert one not in rest
    return put(quiet_place / "endpoints.json", {"apiVersion": "v1", "kind": "List", "items": [other, third, stray, *rest]})


def test_what_is_not_as_the_controller_writes_it_is_said_with_what_to_do(cli: Cli, quiet_place: Path, golden: Golden) -> None:
    ended = cli("policy", "predict", "--check", "--manifests", CLUSTER, disturbed(quiet_place), "--width", "100")
    assert (ended.code, ended.err) == (1, "")
    golden("cli/policy/predict-check.txt", ended.out)


def test_json_of_a_comparison_says_the_same(cli: Cli, quiet_place: Path, golden: Golden) -> None:
    ended = cli("policy", "predict", "--check", "--manifests", CLUSTER, disturbed(quiet_place), "-o", "json")
    assert ended.code == 1
    assert {f["rule"] for f in json.loads(ended.out)["findings"]} == {
        "policy-has-endpoints", "endpoint-has-policy", "isolation-is-current",
    }  # fmt: skip
    golden("cli/policy/predict-check.json", ended.out)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("junit", 'failures="3"'),
        ("sarif", '"ruleId": "isolation-is-current"'),
        ("github", "isolates nothing in allow-catalog-ingress-webservice"),
    ],
)
def test_pipelines_read_what_is_found(cli: Cli, quiet_place: Path, form: str, words: str) -> None:
    ended = cli("policy", "predict", "--check", "--manifests", CLUSTER, disturbed(quiet_place), "-o", form)
    assert (ended.code, ended.err) == (1, "")
    assert words in ended.out
    refused = cli("policy", "predict", "--manifests", CLUSTER, "-o", form)
    assert refused.code == 2
    assert "add --check" in refused.err


def test_manifests_without_objects_are_nothing_to_compare_with(cli: Cli) -> None:
    ended = cli("policy", "predict", "--check", "--manifests", CLUSTER)
    assert ended.code == 2
    assert "these files hold none" in ended.err


def test_yaml_is_no_comparison(cli: Cli) -> None:
    ended = cli("policy", "predict", "--check", "--manifests", CLUSTER, ENDPOINTS, "-o", "yaml")
    assert ended.code == 2
    assert "-o text or -o json" in ended.err


@pytest.mark.parametrize("why", [Why.DENIED, Why.UNREACHABLE])
def test_objects_that_could_not_be_read_end_with_3(cli: Cli, quiet_place: Path, saved_shop: str, why: Why) -> None:
    snapshot = snapshot_file.load(quiet_place / saved_shop)
    unread = msgspec.structs.replace(snapshot, policy_endpoints=Unread("policyendpoints is forbidden", why))
    snapshot_file.save(unread, quiet_place / "unread.json")
    ended = cli("policy", "predict", "--check", "--snapshot", "unread.json")
    assert ended.code == 3
    assert "policyendpoints is forbidden" in ended.err


@pytest.mark.parametrize("more", [(), ("--check",)])
def test_what_the_controller_sees_and_was_not_read_ends_with_3(
    cli: Cli, quiet_place: Path, saved_shop: str, more: tuple[str, ...]
) -> None:
    snapshot = snapshot_file.load(quiet_place / saved_shop)
    unread = msgspec.structs.replace(snapshot, services=Unread("services is forbidden", Why.DENIED), policy_endpoints=Seen(()))
    snapshot_file.save(unread, quiet_place / "unread.json")
    ended = cli("policy", "predict", "--snapshot", "unread.json", *more)
    assert ended.code == 3
    assert "exit code 3: the controller sees what could not be read here: services: services is forbidden" in ended.err


def test_a_snapshot_of_what_was_predicted_is_well(cli: Cli, quiet_place: Path, saved_shop: str) -> None:
    items = json.loads(cli("policy", "predict", "--snapshot", saved_shop, "-o", "json").out)["items"]
    for number, item in enumerate(items):
        item["metadata"]["name"] = f"{item['metadata']['generateName']}{number:05}"
    snapshot = snapshot_file.load(quiet_place / saved_shop)
    assert isinstance(snapshot.network_policies, Seen)
    seen = tuple(
        msgspec.structs.replace(p, metadata=msgspec.structs.replace(p.metadata, finalizers=("networking.k8s.aws/resources",)))
        for p in snapshot.network_policies.value
    )
    endpoints = tuple(msgspec.convert(items, list[PolicyEndpoint]))
    snapshot_file.save(
        msgspec.structs.replace(snapshot, network_policies=Seen(seen), policy_endpoints=Seen(endpoints)), quiet_place / "ran.json"
    )
    ended = cli("policy", "predict", "--check", "--snapshot", "ran.json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("all as the controller writes them\n")
