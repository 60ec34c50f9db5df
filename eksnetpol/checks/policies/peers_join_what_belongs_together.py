"""Selectors that belong together stand in one peer."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import few
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.model.policies import PolicyPeer
from eksnetpol.policy.peers import place_of
from eksnetpol.policy.rules import Rule, Rules, peer_classes
from eksnetpol.policy.universe import Universe

RECIPES = "https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors"


@check(
    title="selectors of namespaces and of pods that belong together stand in one peer",
    severity=Severity.WARNING,
    docs=RECIPES,
    sources=(RECIPES,),
    intents=ENFORCING,
    about="objects",
)
def peers_join_what_belongs_together(rules: Rules, universe: Universe) -> Iterator[Finding]:
    """
    Items of a list of peers are alternatives; what must hold together stands in one item. A dash too many before podSelector
    makes of "these pods in that namespace" "everything in that namespace, or these pods in mine". It is likely where the pods are
    not in the policy's own namespace, but are in the one selected beside them.
    """
    found: dict[Subject, list[str]] = {}
    for rule in rules.with_selectors:
        if len(rule.peers) > 1:
            for index in range(len(rule.peers) - 1):
                if _are_torn(universe, rule, rule.peers[index], rule.peers[index + 1]):
                    found.setdefault(rule.subject, []).append(f"{place_of(rule, index)} and [{index + 1}]")
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=f"{places[0]} let everything of the namespaces through, or the pods: joined they would mean the pods there",
            remedy="Write namespaceSelector and podSelector in one item, without a second dash.",
            command=edit(subject),
            evidence=few(places),
        )


def _are_torn(universe: Universe, rule: Rule, one: PolicyPeer, other: PolicyPeer) -> bool:
    namespaces, pods = (one, other) if one.namespace_selector is not None else (other, one)
    if namespaces.namespace_selector is None or namespaces.namespace_selector.is_empty or namespaces.pod_selector is not None:
        return False
    if pods.namespace_selector is not None or pods.pod_selector is None or pods.pod_selector.is_empty:
        return False
    joined = PolicyPeer(pod_selector=pods.pod_selector, namespace_selector=namespaces.namespace_selector)
    own = rule.policy.metadata.namespace
    return not peer_classes(universe, own, pods) and bool(peer_classes(universe, own, joined))
