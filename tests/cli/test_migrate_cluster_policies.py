"""ClusterNetworkPolicies at the command line: only where somebody allows them, and the cluster is known to enforce them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ended

Cli = Callable[..., Ended]

RETAIL = Path(__file__).parents[2] / "demo" / "clusters" / "retail-store-calico.json.gz"
ALLOWED = "--allow-cluster-policies"
WAIVED = ("--waive", "networkpolicy/ui/allow-ui-egress=shop,2999-12-31,what runs on nodes is ours")
RELEASES = {"v1.20.5": "v1.21.1", "v1.2.7": "v1.3.1"}


@pytest.fixture
def newer(quiet_place: Path) -> Callable[..., str]:
    """The bundled cluster that runs Calico, with releases that read cluster policies, and other words in place of some."""

    def save(*replaced: tuple[str, str]) -> str:
        text = gzip.decompress(RETAIL.read_bytes()).decode()
        for old, new in (*RELEASES.items(), *replaced):
            assert old in text
            text = text.replace(old, new)
        (quiet_place / "newer.json.gz").write_bytes(gzip.compress(text.encode()))
        return "newer.json.gz"

    return save


def kinds(ended: Ended) -> set[str]:
    return {output["manifest"]["kind"] for output in json.loads(ended.out)["outputs"]}


def test_a_cluster_that_enforces_them_gets_some(cli: Cli, newer: Callable[..., str], quiet_place: Path) -> None:
    allowed = cli("migrate", "translate", "--snapshot", newer(), ALLOWED, *WAIVED, "-o", "json", "--out", "out")
    assert kinds(allowed) == {"ClusterNetworkPolicy", "NetworkPolicy"}
    assert list((quiet_place / "out" / "cluster").iterdir())
    assert "cluster/" in (quiet_place / "out" / "kustomization.yaml").read_text()
    assert kinds(cli("migrate", "translate", "--snapshot", "newer.json.gz", *WAIVED, "-o", "json")) == {"NetworkPolicy"}


def test_with_them_it_is_explained_and_proved(cli: Cli, newer: Callable[..., str]) -> None:
    pytest.importorskip("z3")
    file = newer()
    shown = cli("migrate", "translate", "--snapshot", file, ALLOWED, *WAIVED, "--explain", "-o", "markdown").out
    assert "kind: ClusterNetworkPolicy" in shown
    proved = cli("migrate", "prove", "--snapshot", file, ALLOWED, *WAIVED, "--symbolic")
    assert proved.code == 0, proved.out + proved.err
    assert "Proven" in proved.out


@pytest.mark.parametrize(
    ("replaced", "words"),
    [
        (("v1.21.1", "v1.21.0"), "the release of the VPC CNI is v1.21.0, and that takes v1.21.1"),
        (("v1.3.1", "v1.2.9"), "the release of the network policy agent is v1.2.9, and that takes v1.3.1"),
        (("clusternetworkpolicies.networking.k8s.aws", "others.networking.k8s.aws"), "networking.k8s.aws is not defined"),
    ],
)
def test_a_cluster_that_does_not_gets_none_and_is_told_why(
    cli: Cli, newer: Callable[..., str], replaced: tuple[str, str], words: str
) -> None:
    ended = cli("migrate", "translate", "--snapshot", newer(replaced), ALLOWED, *WAIVED, "-o", "json")
    assert kinds(ended) == {"NetworkPolicy"}
    [note] = [note for note in json.loads(ended.out)["notes"] if "No ClusterNetworkPolicy is written" in note]
    assert words in note


def test_what_is_not_known_is_no(cli: Cli, quiet_place: Path) -> None:
    policy = """
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: deny}
spec: {selector: all(), types: [Ingress], ingress: [{action: Deny, source: {selector: "app == 'bad'"}}]}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
"""
    (quiet_place / "deny.yaml").write_text(policy)
    ended = cli("migrate", "translate", "--manifests", "deny.yaml", ALLOWED, "-o", "json")
    assert kinds(ended) == {"NetworkPolicy"}
    [note] = [note for note in json.loads(ended.out)["notes"] if "No ClusterNetworkPolicy is written" in note]
    assert "could not be read" in note
