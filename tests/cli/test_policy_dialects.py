"""``--semantics`` of another engine: every command asks over its stack, and says what is not in force or not understood."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eksnetpol.engines import dialects
from eksnetpol.model.foreign import ForeignPolicy
from eksnetpol.model.objects.metadata import ObjectMeta
from eksnetpol.policy.world import World
from tests.cli.conftest import Ended
from tests.cli.shop_files import k8s, saved_shop

Cli = Callable[..., Ended]

__all__ = ["k8s", "saved_shop"]


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``calico`` be the dialect of tests, and every world hold objects of it and of somebody else's."""
    monkeypatch.setattr(dialects, "READERS", {"calico": "tests.policy.stacks.dialect.read"})
    found = World.of
    bodies = {
        "crd.odd.example/v1": {"name": "bad", "why": "no such operator"},
        "odd.example/v1": {"name": "new", "twist": "spec.twist"},
        "cilium.io/v2": {"name": "other", "why": "it is not ours"},
    }
    more = tuple(ForeignPolicy(ObjectMeta(), version, "NetworkPolicy", body) for version, body in bodies.items())
    monkeypatch.setattr(World, "of", lambda snapshot: replace(found(snapshot), foreign_policies=more))


SAID = (
    "eksnetpol: networkpolicy/bank/bad is not in force, since calico refuses it at spec.selector: no such operator\n"
    "eksnetpol: networkpolicy/bank/new is not understood, and no answer that it could change is certain: "
    "unknown field spec.twist\n"
)
UNSURE = "networkpolicy/bank/new"


@pytest.mark.usefixtures("odd")
def test_one_question(cli: Cli, k8s: str) -> None:
    asked = ("--semantics", "calico", "--manifests", k8s)
    sure = cli("policy", "explain", "shop/web", "shop/db", "5432", *asked)
    assert (sure.code, sure.err) == (1, SAID)
    assert "isolates the pod in ingress, and no rule of it matches" in sure.out
    assert "kind: NetworkPolicy" not in sure.out
    unsure = cli("policy", "reach", "shop/db", "bank/web", "80", *asked)
    assert unsure.code == 1
    assert f"no answer is certain: what {UNSURE} says: unknown field spec.twist" in " ".join(unsure.out.split())
    assert "note: as of today" in cli("policy", "reach", "shop/db", "bank/web", "80", *asked, "-v").err


@pytest.mark.usefixtures("odd")
def test_the_whole_picture(cli: Cli, k8s: str) -> None:
    asked = ("--semantics", "calico", "--manifests", k8s)
    ended = cli("policy", "matrix", *asked, "-o", "json")
    assert (ended.code, ended.err) == (0, SAID)
    assert "calico" in json.dumps(json.loads(ended.out))
    compared = cli("policy", "matrix", *asked, "--compare-semantics")
    assert compared.code == 0
    assert "calico" in compared.out
    assert cli("policy", "graph", *asked).code == 0


@pytest.mark.usefixtures("odd")
def test_expectations_and_differences(cli: Cli, k8s: str, quiet_place: Path) -> None:
    cases = quiet_place / "cases.yaml"
    cases.write_text("- {name: sure, from: shop/web, to: shop/db, port: 5432, allow: false}\n")
    assert cli("policy", "test", str(cases), "--semantics", "calico", "--manifests", k8s).code == 0
    ended = cli("policy", "diff", k8s, k8s, "--semantics", "calico")
    assert ended.code == 0
    assert ended.err == SAID * 2


LOG = """\
version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
2 123456789012 eni-1 10.0.1.1 10.0.3.1 40000 5432 6 10 840 1780000000 1780000060 ACCEPT OK
"""


@pytest.mark.usefixtures("odd")
def test_flows_are_replayed_and_nothing_is_suggested(cli: Cli, saved_shop: str, quiet_place: Path) -> None:
    (quiet_place / "vpc.log").write_text(LOG)
    ended = cli("policy", "flows", "vpc.log", "--snapshot", saved_shop, "--semantics", "calico")
    assert ended.code == 1
    assert "shop/Deployment/web -> shop/StatefulSet/db TCP 5432: 1 flow" in ended.out
    assert "kind: NetworkPolicy" not in ended.out


@pytest.mark.parametrize("command", ["simulate", "predict"])
def test_what_is_asked_about_the_vpc_cni_alone(cli: Cli, k8s: str, quiet_place: Path, command: str) -> None:
    (quiet_place / "eksnetpol.toml").write_text('[policy]\nsemantics = "cilium"\n')
    ended = cli("policy", command, "--manifests", k8s)
    assert (ended.code, ended.out) == (2, "")
    assert "this asks what the VPC CNI does, and nothing of another engine (--semantics cilium)" in ended.err
    assert "try: eksnetpol policy matrix --semantics cilium" in ended.err


BOTH = """\
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  order: 10
  selector: app == 'db'
  ingress:
  - action: Deny
    protocol: TCP
    source: {selector: app == 'api'}
    destination: {ports: [5433]}
  - {action: Pass, source: {namespaceSelector: "projectcalico.org/name == 'bank'"}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {}}]
"""


def test_policies_of_one_name_are_told_apart_to_the_line(cli: Cli, k8s: str, quiet_place: Path) -> None:
    (quiet_place / k8s / "both.yaml").write_text(BOTH)
    for old in (quiet_place / k8s).glob("*.yaml"):
        if "kind: NetworkPolicy" in old.read_text() and old.name != "both.yaml":
            old.unlink()
    asked = ("--semantics", "calico", "--manifests", k8s)
    denied = cli("policy", "explain", "shop/api", "shop/db", "5433", *asked)
    assert (denied.code, denied.err) == (1, "")
    text = " ".join(denied.out.split())
    assert "networkpolicy.projectcalico.org/shop/db spec.ingress[0] (default tier) denies it (k8s/both.yaml:8)" in text
    allowed = cli("policy", "explain", "shop/api", "shop/db", "5432", *asked)
    text = " ".join(allowed.out.split())
    assert "networkpolicy/shop/db spec.ingress[0] (default tier) allows it (k8s/both.yaml:20)" in text
    passed = " ".join(cli("policy", "explain", "bank/web", "shop/db", "5432", *asked).out.split())
    assert "networkpolicy.projectcalico.org/shop/db spec.ingress[1] (default tier) leaves it to the next tier" in passed
