"""Constructs of the dialects, one folder each: what was written, what comes of it, and the verdict on every rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from eksnetpol.policy.profile import Profile
from eksnetpol.translation import Options, Translation, translate
from tests.engines import test_calico_verdicts as calico
from tests.engines import test_cilium_verdicts as cilium

SCENARIOS = Path(__file__).parent / "scenarios"
CALICO = {case["name"]: case for case in calico.CASES}
CILIUM = {case["id"]: case for case in cilium.CASES}
CONSTRUCTS = {
    "calico": (
        "np-default-deny-both", "np-types-omitted-both", "raw-types-missing-ingress-only", "gnp-subject-namespaceSelector",
        "np-subject-serviceAccountSelector", "np-subject-absent-label-not-equal", "np-subject-implicit-labels",
        "np-peer-namespaceSelector-and-selector", "np-peer-namespaceSelector-global", "gnp-peer-selector-matches-gns",
        "np-peer-networkset-own-namespace", "gnp-peer-notSelector-matches-external", "np-peer-nets-match-pods",
        "np-peer-nets-and-selector-anded", "np-peer-nets-and-notNets", "np-peer-serviceAccounts-names",
        "np-ingress-local-destination-selector", "np-egress-local-source-selector", "ports-numeric-and-range",
        "ports-named-ingress-tcp", "ports-notPorts", "ports-source", "protocol-without-ports", "notProtocol-tcp", "protocol-icmp",
        "ipVersion-6-rule-skipped", "action-deny-then-allow", "action-log-continues", "action-pass-in-default-tier",
        "order-lower-first", "tier-pass-default", "tier-allow-is-final", "tier-deny-default-then-default-tier", "staged-ignored",
        "services-egress-destination", "k8s-np-order-1000-after-gnp-999-deny", "upstream-cnp-admin-deny",
    ),
    "cilium": (
        "ingress-empty-rule", "from-endpoints-empty-list", "from-endpoints-wildcard", "peer-ns-name", "peer-ns-labels",
        "peer-serviceaccount-ns", "ccnp-from-endpoints-label", "from-entity-all", "from-entity-world", "from-entity-cluster",
        "from-entity-host", "from-entity-remote-node", "to-entity-kube-apiserver", "from-cidr-any", "from-cidr-vpc",
        "from-cidrset-except", "cidrgroup-ref", "ports-only", "ports-range", "ports-proto-any", "icmp-type", "deny-over-allow",
        "deny-only", "deny-only-edd-false", "deny-cidr-narrow-allow-broad", "deny-beats-k8s-np", "edd-false-alone",
        "edd-false-with-isolation", "specs-two", "l7-http", "l7-dns", "auth-required", "to-groups-ports", "np-ipblock-any",
    ),
}  # fmt: skip


def translated(dialect: str, name: str) -> tuple[list[Any], Translation]:
    case = (CALICO if dialect == "calico" else CILIUM)[name]
    of = calico if dialect == "calico" else cilium
    mine = of.world(case)
    options = Options(profile=Profile(family="ipv4"), vpc=("10.0.0.0/16",))
    return [*case["policies"], *case.get("cidrGroups", ())], translate(of.stack(case, mine), mine, options)


def verdicts(found: Translation) -> list[dict[str, Any]]:
    said = []
    for judged in found.judged:
        one: dict[str, Any] = {"policy": str(judged.ref), "verdict": judged.verdict.value}
        if judged.place:
            one["place"] = judged.place
        if judged.reasons:
            one["reasons"] = list(judged.reasons)
        if judged.witness is not None:
            one["witness"] = str(judged.witness)
        said.append(one)
    return said


@pytest.mark.parametrize(("dialect", "name"), [(dialect, name) for dialect, names in CONSTRUCTS.items() for name in names])
def test_what_comes_of_a_construct(dialect: str, name: str, request: pytest.FixtureRequest) -> None:
    source, found = translated(dialect, name)
    assert found.judged or not found.outputs
    texts = {
        "source.yaml": yaml.safe_dump_all(source, sort_keys=False, width=120),
        "expected.yaml": yaml.safe_dump_all([dict(o.manifest) for o in found.outputs], sort_keys=False, width=120),
        "verdicts.yaml": yaml.safe_dump(verdicts(found), sort_keys=False, width=120),
    }
    folder = SCENARIOS / f"{dialect}-{name}"
    for file, text in texts.items():
        if request.config.getoption("--update-golden"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(text.encode())
        assert text == (folder / file).read_bytes().decode(), f"{folder / file}: --update-golden writes it"
