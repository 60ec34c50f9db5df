"""Cluster policies are within what their kind can hold."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, NotApplicable, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import few
from eksnetpol.facts.cluster_rules import ClusterRulebook, PlacedRule
from eksnetpol.model.cluster_rules import Action
from eksnetpol.model.findings import Finding, Severity, Subject

KIND = "https://github.com/aws/amazon-network-policy-controller-k8s/tree/main/config/crd"
RULES, ENTRIES, HIGHEST = 100, 25, 1000


@check(
    title="cluster policies keep the limits of their kind",
    severity=Severity.BLOCKER,
    docs=KIND,
    sources=(KIND,),
    intents=ENFORCING,
    about="objects",
)
def cluster_policies_keep_the_limits(cluster_rulebook: ClusterRulebook) -> Iterator[Finding]:
    """
    The definition of ClusterNetworkPolicy allows 100 rules for each direction, 25 networks and 25 domain names for each peer,
    priorities from 0 to 1000, and domain names in rules that accept alone. The API server refuses what is beyond.
    """
    if not cluster_rulebook.policies:
        raise NotApplicable("there is no ClusterNetworkPolicy")
    found: dict[Subject, list[str]] = {subject: [words] for subject, words in cluster_rulebook.unreadable}
    for policy in cluster_rulebook.policies:
        subject = Subject("ClusterNetworkPolicy", policy.metadata.name)
        spec = policy.spec
        words = []
        if not 0 <= spec.priority <= HIGHEST:
            words.append(f"spec.priority is {spec.priority}, and must be from 0 to {HIGHEST}")
        for name, rules in (("ingress", spec.ingress), ("egress", spec.egress)):
            if len(rules) > RULES:
                words.append(f"spec.{name} has {len(rules)} rules; {RULES} are allowed")
        if words:
            found.setdefault(subject, []).extend(words)
    for placed in cluster_rulebook.rules:
        for words_ in _of_peers(placed):
            found.setdefault(placed.subject, []).append(words_)
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=places[0],
            remedy="Split the policy, or correct it; what the API server refuses is not enforced.",
            command=edit(subject),
            evidence=few(places),
        )


def _of_peers(placed: PlacedRule) -> Iterator[str]:
    for index, peer in enumerate(placed.peers):
        where = f"spec.{placed.place}.{'from' if placed.direction == 'Ingress' else 'to'}[{index}]"
        for name, entries in (("networks", peer.networks), ("domainNames", peer.domain_names)):
            if len(entries) > ENTRIES:
                yield f"{where}.{name} has {len(entries)} entries; {ENTRIES} are allowed"
        if peer.domain_names and placed.rule.action is not Action.ACCEPT:
            yield f"{where}.domainNames stand in a rule that says {placed.rule.action}; only Accept may have them"
