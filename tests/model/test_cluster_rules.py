"""Rules of cluster-wide policies, typed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from eksnetpol.model.cluster_rules import Action, ClusterPeer, ClusterRules, PortMatch, read_cluster_policy
from eksnetpol.model.policies import ClusterNetworkPolicy
from eksnetpol.model.selectors import LabelSelector


def policy(**spec: Any) -> ClusterNetworkPolicy:
    return msgspec.convert({"metadata": {"name": "guard"}, "spec": spec}, ClusterNetworkPolicy)


def test_a_cluster_policy_is_read_with_types() -> None:
    rules = read_cluster_policy(
        policy(
            tier="Admin",
            priority=7,
            subject={"pods": {"namespaceSelector": {"matchLabels": {"team": "a"}}, "podSelector": {}}},
            ingress=[{"name": "in", "action": "Accept", "from": [{"namespaces": {}}]}],
            egress=[{"action": "Pass", "to": [{"networks": ["10.0.0.0/8"]}, {"domainNames": ["*.example.com"]}]}],
        )
    )
    assert (rules.tier, rules.priority) == ("Admin", 7)
    assert rules.subject.pods is not None
    assert rules.subject.pods.namespace_selector == LabelSelector({"team": "a"})
    assert rules.subject.namespaces is None
    assert rules.ingress[0].peers == (ClusterPeer(namespaces=LabelSelector()),)
    assert rules.ingress[0].action.allows
    assert rules.ingress[0].matches is None
    assert rules.egress[0].action is Action.PASS
    assert rules.egress[0].peers == (ClusterPeer(networks=("10.0.0.0/8",)), ClusterPeer(domain_names=("*.example.com",)))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"ports": [{"portNumber": {"port": 80}}]}, "80/TCP"),
        ({"ports": [{"portNumber": {"port": 53, "protocol": "UDP"}}]}, "53/UDP"),
        ({"ports": [{"portRange": {"start": 1, "end": 9, "protocol": "SCTP"}}]}, "1-9/SCTP"),
        ({"ports": [{"namedPort": "web"}]}, "web"),
        ({"protocols": [{"tcp": {"destinationPort": {"number": 443}}}]}, "443/TCP"),
        ({"protocols": [{"udp": {"destinationPort": {"range": {"start": 5, "end": 6}}}}]}, "5-6/UDP"),
        ({"protocols": [{"sctp": {}}]}, "all SCTP ports"),
        ({"protocols": [{"destinationNamedPort": "web"}]}, "web"),
    ],
)
def test_both_ways_of_writing_ports_come_to_the_same(written: dict[str, Any], meant: str) -> None:
    rule = {"action": "Deny", "from": [{"namespaces": {}}], **written}
    matches = msgspec.convert({"ingress": [rule]}, ClusterRules).ingress[0].matches
    assert matches is not None
    assert [str(m) for m in matches] == [meant]
    assert all(isinstance(m, PortMatch) for m in matches)


def test_null_counts_as_absent() -> None:
    rules = read_cluster_policy(policy(ingress=[{"action": "Deny", "from": [{"namespaces": {}, "pods": None}], "ports": None}]))
    assert rules.ingress[0].peers == (ClusterPeer(namespaces=LabelSelector()),)
    assert rules.ingress[0].matches is None


def test_a_peer_without_any_member_is_not_everybody() -> None:
    rules = read_cluster_policy(policy(ingress=[{"action": "Accept", "from": [{"somethingNew": {}}, {"namespaces": {}}]}]))
    assert [peer.is_unknown for peer in rules.ingress[0].peers] == [True, False]


def test_what_is_misshapen_is_named() -> None:
    with pytest.raises(ValueError, match=r"^ClusterNetworkPolicy guard: invalid .* 'Log' - at `spec.egress\[0\].action`$"):
        read_cluster_policy(policy(egress=[{"action": "Log", "to": []}]))
