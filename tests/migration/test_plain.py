"""The plain semantics against what the engines' own code answered: every case, every query, either side."""

from __future__ import annotations

from typing import Any

import pytest

from tests.migration.clusters import recorded
from tests.migration.plain_calico import Calico, Wire
from tests.migration.plain_cilium import Cilium, End

CALICO = recorded("calico")


def in_force(case: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects that Calico's own validation takes."""
    refused = {int(r.partition("[")[2].partition("]")[0]) for r in case["rejected"]}
    return [one for number, one in enumerate(case["policies"]) if number not in refused]


def calico_wire(case: dict[str, Any], query: dict[str, Any]) -> Wire:
    """Return a query as a connection between addresses."""
    pods = {f"{p['namespace']}/{p['name']}": p["ip"] for p in case["cluster"]["pods"]}
    ends = [pods[end["pod"]] if "pod" in end else end["ip"] for end in (query["from"], query["to"])]
    icmp = query.get("icmpType", 8), query.get("icmpCode", 0)
    return Wire(ends[0], ends[1], query["protocol"], query.get("port", 0), query.get("sourcePort", 40000), icmp)


@pytest.mark.parametrize("case", CALICO, ids=lambda c: c["name"])
def test_calico_answers_as_its_own_code(case: dict[str, Any]) -> None:
    plain = Calico(case["cluster"], in_force(case), raw=bool(case.get("raw")))
    assert case["queries"]
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        said = tuple(None if verdict[side] is None else verdict[side] == "allow" for side in ("egress", "ingress"))
        assert plain.allowed(calico_wire(case, query)) == said, query


CILIUM = recorded("cilium")


def cilium_end(plain: Cilium, case: dict[str, Any], end: dict[str, str], other: dict[str, str]) -> End:
    """Return one end of a query as the pod at the other end sees it."""
    pods = {f"{p['namespace']}/{p['name']}": p for p in case["pods"]}
    if "pod" in end:
        return plain.pod(pods[end["pod"]])
    if "node" in end:
        return plain.node(end["node"], pods[other["pod"]]["node"])
    if "ip" in end:
        return plain.at(end["ip"])
    return plain.at(case["kubeApiserverIP"]) if end["entity"] == "kube-apiserver" else plain.reserved(end["entity"])


@pytest.mark.parametrize("case", CILIUM, ids=lambda c: c["id"])
def test_cilium_answers_as_its_own_code(case: dict[str, Any]) -> None:
    taken = zip(case["policies"], case["policy_results"], strict=True)
    plain = Cilium(case, [one for one, result in taken if result["applied"]])
    assert case["queries"]
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        source, destination = (cilium_end(plain, case, query[a], query[b]) for a, b in (("from", "to"), ("to", "from")))
        assert plain.allowed(source, destination, query["protocol"], query["port"]) == (verdict["egress"], verdict["ingress"]), (
            query
        )
