"""Selectors of peers find somebody."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import few, listed
from eksnetpol.facts.idle_peers import IdlePeer
from eksnetpol.model.findings import Finding, Severity, Subject, Unknown
from eksnetpol.model.policies import PolicyPeer
from eksnetpol.model.snapshot import SourceKind
from eksnetpol.policy.peers import place_of
from eksnetpol.policy.universe import Universe


@check(
    title="every peer by selectors finds a pod",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "https://kubernetes.io/docs/concepts/services-networking/network-policies/"),
    intents=ENFORCING,
    about="objects",
)
def peers_select_pods(
    idle_peers: tuple[IdlePeer, ...], universe: Universe, source: SourceKind
) -> Iterator[Finding | Unknown]:
    """
    A peer whose labels no pod or no namespace has lets nobody through, although the rule looks right. Namespaces are surest
    selected by kubernetes.io/metadata.name, which every namespace has. Peers that seem to mean a Service without pods, or another
    cluster, have checks of their own.
    """
    found: dict[Subject, list[str]] = {}
    untold: dict[Subject, list[str]] = {}
    for idle in idle_peers:
        if idle.service is not None or idle.is_remote:
            continue
        in_doubt = source is SourceKind.MANIFESTS and not any(universe.in_namespace.get(n) for n in idle.namespaces)
        why = _why(idle)
        for rule, index in idle.peer.places:
            (untold if in_doubt else found).setdefault(rule.subject, []).append(f"{place_of(rule, index)}: {why}")
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=f"lets nobody through by {places[0]}",
            remedy="Correct the labels, or remove the peer.",
            command=edit(subject),
            evidence=few(places),
        )
    for subject, places in untold.items():
        yield Unknown(subject, f"{listed(p.partition(':')[0] for p in places)}: whom it means is not in these files")


def _why(idle: IdlePeer) -> str:
    if not idle.namespaces:
        return f"no namespace has the labels {idle.peer.peer.namespace_selector}"
    where = listed(idle.namespaces, 2)
    return f"no pod of {'namespace' if len(idle.namespaces) == 1 else 'namespaces'} {where} has {_labels(idle.peer.peer)}"


def _labels(peer: PolicyPeer) -> str:
    return "an address" if peer.pod_selector is None or peer.pod_selector.is_empty else f"the labels {peer.pod_selector}"
