"""Malformed policies at the command line: said on stderr, left out, and an end only under ``--strict-input``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from eksnetpol.gateways import snapshot_file
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.model.snapshot import SourceKind
from tests.cli.conftest import Ended

Cli = Callable[..., Ended]
Golden = Callable[[str, str], None]

FILES = {
    "web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
""",
    "bad.yaml": """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: open
  namespace: shop
spec:
  podSelector:
    matchExpressions:
    - {key: app, operator: Equals, values: [web]}
  ingress:
  - from:
    - ipBlock:
        cidr: 10.0.0.0/33
    - ipBlock:
        cidr: 10.0.0.0/8
        except: [11.0.0.0/16]
      podSelector: {}
    - {}
    ports:
    - {port: web, endPort: 90}
    - {port: 90, endPort: 80}
    - {port: 80, protocol: ICMP}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: typo, namespace: shop}
spec:
  podSelectors: {}
---
kind: [
""",
}


@pytest.fixture
def given(quiet_place: Path) -> str:
    folder = quiet_place / "k8s"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return "k8s"


def test_what_is_malformed_is_said_and_the_rest_is_answered(cli: Cli, given: str, golden: Golden) -> None:
    ended = cli("policy", "reach", "internet", "shop/web", "80", "--manifests", given, "-o", "json")
    assert ended.code == 1
    assert json.loads(ended.out)["allowed"] is False
    golden("cli/malformed.txt", ended.err)


@pytest.mark.parametrize(
    "words",
    [
        ("matrix",),
        ("reach", "internet", "shop/web", "80"),
        ("explain", "internet", "shop/web", "80"),
        ("predict",),
        ("simulate",),
        ("graph",),
        ("lint",),
    ],
    ids=lambda words: words[0],
)
def test_under_strict_input_every_command_ends_with_2(cli: Cli, given: str, words: tuple[str, ...]) -> None:
    ended = cli("policy", *words, "--manifests", given, "--strict-input")
    assert (ended.code, ended.out) == (2, "")
    assert "k8s/bad.yaml:13: networkpolicy/shop/open: spec.ingress[0].from[0].ipBlock.cidr: " in ended.err
    assert ended.err.splitlines()[-1] == (
        "eksnetpol: 3 documents or objects are malformed, as said above, and --strict-input takes nothing that is"
    )


def test_a_difference_is_made_of_what_is_sound(cli: Cli, given: str) -> None:
    ended = cli("policy", "diff", given, given)
    assert ended.code == 0
    assert ended.err.count("k8s/bad.yaml:13: ") == 2
    assert cli("policy", "diff", given, given, "--strict-input").code == 2


def test_a_revision_is_compared_with_the_work_tree(cli: Cli, given: str, quiet_place: Path) -> None:
    (quiet_place / given / "bad.yaml").unlink()
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q", "-b", "main"), ("add", "k8s"), (*identity, "commit", "-q", "-m", "first")):
        subprocess.run(["git", *words], cwd=quiet_place, check=True)
    web = quiet_place / given / "web.yaml"
    web.write_text(
        FILES["web.yaml"].replace("policyTypes: [Ingress]", "ingress: [{ports: [{port: 443}]}]"), encoding="utf-8"
    )
    ended = cli("policy", "diff", "main:k8s", "k8s", "--fail-on", "widened")
    assert ended.code == 1, ended
    assert "TCP 443" in ended.out
    assert cli("policy", "diff", "main:k8s", "main:k8s", "--fail-on", "any").code == 0
    assert (
        cli("policy", "diff", "v1:k8s", "k8s").err == "eksnetpol: v1:k8s: there is no revision v1 in this Git repository\n"
    )


def test_a_snapshot_of_files_is_looked_through_and_one_of_a_cluster_is_not(cli: Cli, quiet_place: Path) -> None:
    (quiet_place / "k8s.yaml").write_text(
        f"{FILES['web.yaml']}---\n{FILES['bad.yaml']}".replace("Equals", "In").split("---\nkind: [")[0]
    )
    snapshot = read_manifests(["k8s.yaml"])
    snapshot_file.save(snapshot, "files.json")
    snapshot_file.save(replace(snapshot, source=SourceKind.LIVE), "live.json")
    ended = cli("policy", "matrix", "--snapshot", "files.json")
    assert "k8s.yaml:17: networkpolicy/shop/open: spec.ingress[0].from[0].ipBlock.cidr: " in ended.err
    assert cli("policy", "matrix", "--snapshot", "files.json", "--strict-input").code == 2
    assert "malformed" not in cli("policy", "matrix", "--snapshot", "live.json").err


def test_preflight_ends_with_2_as_before(cli: Cli, given: str) -> None:
    ended = cli("preflight", "--manifests", given)
    assert ended.code == 2
    assert ended.err.startswith("eksnetpol: k8s/bad.yaml:")
