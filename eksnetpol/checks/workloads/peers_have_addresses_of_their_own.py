"""Peers that selectors mean have addresses of their own, not those of whole nodes."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import count, few, listed, workloads
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.model.policies import PolicyPeer
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.rules import Rules
from eksnetpol.policy.universe import Classes, Universe


@check(
    title="no rule opens whole nodes by selecting pods on their network",
    severity=Severity.ADVICE,
    docs=LIMIT,
    sources=("https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/network-policy-faq.md", LIMIT),
    intents=ENFORCING,
    about="objects",
)
def peers_have_addresses_of_their_own(isolation: Isolation, rules: Rules) -> Iterator[Finding]:
    """
    A pod on the host network has the address of its node. A rule that selects one as a peer therefore speaks of everything on
    that node that uses its address, and of every pod there whose traffic is sent on under it. Rules for all pods of all
    namespaces are left out: they mean to be wide.
    """
    universe = isolation.universe
    hosts = universe.on_host_network & ~universe.terminal
    wide: dict[str, Classes] = {}
    names: dict[str, list[str]] = {}
    for rule in rules.with_selectors if hosts else ():
        namespace = rule.policy.metadata.namespace
        near = universe.in_namespace.get(namespace, 0) & hosts
        for peer in rule.peers:
            found = _hosts_among(peer, universe, near, hosts)
            if found:
                wide[namespace] = wide.get(namespace, 0) | found
                names.setdefault(namespace, []).append(rule.policy.name)
    for namespace, classes in wide.items():
        members = list(universe.members(classes))
        nodes = {p.spec.node_name for c in members for p in c.pods if p.spec.node_name}
        yield Finding(
            subject=Subject("Namespace", namespace),
            message=(
                f"peers of {listed(names[namespace])} hold {count(sum(len(c.pods) for c in members), 'pod')} on the host "
                f"network: these rules are for everything on {count(len(nodes), 'node') if nodes else 'their nodes'}"
            ),
            remedy="Select peers more narrowly, or say with an ipBlock that nodes are meant.",
            command=f"kubectl get networkpolicies -n {namespace} -o yaml",
            evidence=few(str(w) for w in workloads(members)),
        )


def _hosts_among(peer: PolicyPeer, universe: Universe, near: Classes, hosts: Classes) -> Classes:
    pods, namespaces = peer.pod_selector, peer.namespace_selector
    if namespaces is None:
        within = near if pods is not None else 0
    elif namespaces.is_empty and (pods is None or pods.is_empty):
        within = 0
    else:
        within = universe.select_namespaces(namespaces) & hosts
    return universe.select(pods, within) if within and pods is not None else within
