"""``policy reach`` and ``policy explain``: what they say, where they send the person, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from eksnetpol.gateways import snapshot_file
from eksnetpol.model.snapshot import Unread, Why
from tests.cli.conftest import Ended, environment
from tests.cli.shop_files import k8s, saved_shop, snapshot_of
from tests.policy import shop

Cli = Callable[..., Ended]
Golden = Callable[[str, str], None]

__all__ = ["k8s", "saved_shop"]


@pytest.mark.parametrize(
    ("name", "code", "args"),
    [
        ("reach-allowed", 0, ("reach", "shop/web", "shop/api", "http")),
        ("reach-denied", 1, ("reach", "bank/web", "shop/api", "8080")),
        ("reach-everything", 0, ("reach", "shop/web", "shop/api")),
        ("reach-range", 1, ("reach", "shop/web", "shop/api", "8080-8090")),
        ("reach-nothing", 1, ("reach", "shop/web", "shop/db")),
        ("reach-unrestricted", 0, ("reach", "shop/db", "bank/web")),
        ("reach-internet", 1, ("reach", "internet", "shop/db", "5432")),
        ("explain-denied", 1, ("explain", "shop/web", "shop/db", "5432")),
        ("explain-insufficient", 1, ("explain", "internet", "shop/db", "5432")),
        ("explain-allowed", 0, ("explain", "shop/api", "shop/db", "5432")),
    ],
)
def test_answers_from_manifests_read_as_they_did(
    cli: Cli, k8s: str, golden: Golden, name: str, code: int, args: tuple[str, ...]
) -> None:
    ended = cli("policy", *args, "--manifests", k8s)
    assert (ended.code, ended.err) == (code, "")
    golden(f"cli/policy/{name}.txt", ended.out)


@pytest.mark.parametrize(
    ("name", "code", "args"),
    [
        ("reach-service", 0, ("reach", "shop/web", "svc:shop/api", "web")),
        ("reach-pod", 0, ("reach", "10.0.3.1", "10.0.1.1", "8080")),
        ("reach-compared", 1, ("reach", "shop/web", "shop/cache", "53", "--compare-semantics")),
        ("explain-same", 0, ("explain", "shop/api", "shop/db", "5432", "--compare-semantics")),
    ],
)
def test_answers_from_a_snapshot_read_as_they_did(
    cli: Cli, saved_shop: str, golden: Golden, name: str, code: int, args: tuple[str, ...]
) -> None:
    ended = cli("policy", *args, "--snapshot", saved_shop)
    golden(f"cli/policy/{name}.txt", ended.out)
    assert (ended.code, ended.err) == (code, "")


def test_a_program_is_told_the_same(cli: Cli, k8s: str, golden: Golden) -> None:
    ended = cli("policy", "reach", "shop/web", "shop/db", "5432", "-o", "json", "--manifests", k8s)
    told = json.loads(ended.out)
    assert (told["from"], told["to"], told["allowed"]) == ("shop/Deployment/web", "shop/Deployment/db", False)
    assert {(d["policy"], d["say"], d["file"]) for d in told["deciders"]} == {("shop/db", "isolates", "k8s/policies.yaml:14")}
    golden("cli/policy/reach.json", ended.out)
    explained = cli("policy", "explain", "shop/web", "shop/db", "5432", "-o", "json", "--manifests", k8s)
    golden("cli/policy/explain.json", explained.out)


def test_the_missing_rule_can_be_applied_as_it_is(cli: Cli, k8s: str, quiet_place: Path) -> None:
    asked = ("shop/web", "shop/db", "5432", "--manifests", k8s)
    assert cli("policy", "explain", *asked, "-o", "yaml=k8s/add.yaml").code == 1
    (added,) = yaml.safe_load_all((quiet_place / "k8s/add.yaml").read_text(encoding="utf-8"))
    assert added["kind"] == "NetworkPolicy"
    ended = cli("policy", "reach", *asked)
    assert ended.code == 0
    assert "k8s/add.yaml:" in ended.out
    assert cli("policy", "explain", *asked, "-o", "yaml").out == "", "nothing is missing any more"


def test_the_two_meanings_can_be_asked_for(cli: Cli, saved_shop: str) -> None:
    strict = ("policy", "reach", "shop/solo", "shop/mixed", "80", "--snapshot", saved_shop, "--mode")
    assert (cli(*strict, "standard").code, cli(*strict, "strict").code) == (0, 1)


def test_what_is_assumed_is_told_to_who_wants_to_know(cli: Cli, k8s: str) -> None:
    asked = ("policy", "reach", "shop/web", "shop/api", "80", "--manifests", k8s, "-v")
    told = cli(*asked).err
    assert "the agent's release is not known; v1.4.2 is assumed (--agent-version)" in told
    assert "a cluster does not tell its controller's release; v1.1.7 is assumed (--controller-version)" in told
    versions = ("--agent-version", "1.2.7", "--controller-version", "v1.0.9", "--ip-family", "ipv4")
    assert "assumed" not in cli(*asked, *versions).err


def test_settings_can_stand_in_the_file(cli: Cli, k8s: str, quiet_place: Path) -> None:
    text = f'manifests = ["{k8s}"]\n[policy]\nsemantics = "kubernetes"\nagent-version = "1.2.0"\n'
    (quiet_place / "eksnetpol.toml").write_text(text, encoding="utf-8")
    told = json.loads(cli("policy", "reach", "shop/web", "shop/api", "80", "-o", "json").out)
    assert (told["semantics"], told["agentVersion"]) == ("kubernetes", "v1.2.0")
    shown = cli("policy", "reach", "shop/web", "shop/api", "--show-config", "--mode", "strict").out
    assert "[policy]" in shown
    assert 'mode = "strict"' in shown
    (quiet_place / "eksnetpol.toml").write_text('[policy]\nsemantic = "x"\n', encoding="utf-8")
    ended = cli("policy", "reach", "shop/web", "shop/api", "80")
    assert (ended.code, ended.out) == (2, "")
    assert "eksnetpol.toml:2: there is no setting 'policy.semantic'; did you mean 'semantics'?" in ended.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("reach", "shop/web"), "Missing argument 'DST'"),
        (("reach", "shop/web", "shop/api", "80", "90"), "Got unexpected extra argument (90)"),
        (("explain", "shop/web", "shop/api"), "Missing argument 'PORT'"),
        (("reach", "shop/web", "shop/api", "--port", "80"), "No such option '--port'"),
        (("reach", "shop/web", "shop/api", "--semantics", "weave"), "'weave' is not one of 'kubernetes', 'vpc-cni'"),
        (("reach", "shop/web", "shop/api", "--agent-version", "new"), "'new' is no release such as v1.2.7"),
        (("reach", "shop/web", "shop/api", "-o", "sarif"), "there is no format 'sarif'"),
        (("reach", "shop/wep", "shop/api"), "there is no workload or pod shop/wep; did you mean shop/Deployment/web?"),
        (("reach", "shop/web", "shop/api", "htttp"), "shop/Deployment/api has no port named 'htttp'; did you mean http?"),
        (("explain", "shop/web", "nowhere/api", "80"), "there is no workload or pod nowhere/api; there is shop/Deployment/api"),
    ],
)
def test_wrong_usage_is_one_line_and_nothing_else(cli: Cli, k8s: str, args: tuple[str, ...], words: str) -> None:
    ended = cli("policy", *args, "--manifests", k8s)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("eksnetpol: ")
    assert words in ended.err


def test_files_that_cannot_be_read_are_named(cli: Cli, quiet_place: Path) -> None:
    asked = ("policy", "reach", "a/b", "c/d")
    ended = cli(*asked, "--manifests", "nowhere")
    assert (ended.code, ended.err) == (2, "eksnetpol: nowhere: there is no such file or directory\n")
    (quiet_place / "broken.yaml").write_text("kind: [", encoding="utf-8")
    ended = cli(*asked, "--manifests", "broken.yaml")
    assert ended.code == 2
    assert "broken.yaml:1: this is not YAML" in ended.err
    (quiet_place / "broken.json").write_text("{}", encoding="utf-8")
    assert cli(*asked, "--snapshot", "broken.json").code == 2
    ended = cli(*asked)
    assert ended.code == 2
    assert "eksnetpol policy reach --manifests DIRECTORY" in ended.err


def test_asking_imports_no_sdk(k8s: str) -> None:
    code = (
        "import sys; from eksnetpol.cli.entry import run; "
        f"run(['policy', 'reach', 'shop/web', 'shop/api', '80', '--manifests', '{k8s}']); "
        "print([m for m in ('boto3', 'botocore', 'kubernetes') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert done.stdout.endswith("[]\n")


def test_what_could_not_be_read_leaves_no_answer(cli: Cli, quiet_place: Path, k8s: str) -> None:
    whole = snapshot_of(shop.world())
    denied = Unread("networkpolicies is forbidden", Why.DENIED, "list networkpolicies")
    snapshot_file.save(replace(whole, network_policies=denied), quiet_place / "part.json")
    for asked in (("reach", "shop/web", "shop/api"), ("matrix",), ("graph",)):
        ended = cli("policy", *asked, "--snapshot", "part.json")
        assert (ended.code, ended.out) == (3, "")
        assert "NetworkPolicies could not be read, and no answer is right without them: networkpolicies is" in ended.err
    (quiet_place / k8s / "policies.yaml").unlink()
    ended = cli("policy", "reach", "shop/web", "shop/api", "--manifests", k8s)
    assert (ended.code, ended.err) == (0, "eksnetpol: note: there is no policy in the files, so that everything is allowed\n")
