"""Which recorded cases of Calico's and Cilium's own code stand for which construct; each has a folder under `scenarios`.

A folder without a case here has a ``source.yaml`` that was written by hand; see `tests/migration/scenarios/README.md`.
"""

from __future__ import annotations

from collections.abc import Iterator

CALICO = {
    "types, and what they are where nothing is written": """
        np-default-deny-both np-types-omitted-no-rules np-types-omitted-ingress-only np-types-omitted-egress-only
        np-types-omitted-both np-types-ingress-egress-rules-ignored np-types-omitted-empty-ingress-list-with-egress
        raw-types-missing-no-rules raw-types-missing-ingress-only""",
    "for whom: selectors, negated and absent labels, implicit labels, namespaces, service accounts": """
        np-selector-omitted gnp-subject-selector gnp-subject-namespaceSelector np-subject-serviceAccountSelector
        gnp-subject-serviceAccountSelector-and-selector gnp-subject-serviceAccountSelector-negative
        np-subject-absent-label-not-equal np-subject-absent-label-not-in np-subject-absent-label-starts-with-negated
        np-subject-empty-set np-subject-implicit-labels pod-host-network-not-an-endpoint""",
    "peers by labels: own namespace, other namespaces, both, negated": """
        np-peer-selector-own-namespace-only gnp-peer-selector-any-namespace np-peer-namespaceSelector-all
        np-peer-namespaceSelector-and-selector np-peer-namespaceSelector-not-all np-peer-notSelector-own-namespace-only
        np-peer-selector-and-notSelector np-peer-namespaceSelector-and-notSelector np-peer-notSelector-in-deny
        gnp-peer-notSelector-matches-external gnp-peer-notSelector-removes-matching-set""",
    "network sets, global ones and those of a namespace": """
        np-peer-namespaceSelector-global gnp-peer-selector-matches-gns np-peer-namespaceSelector-not-equal-matches-gns
        np-peer-namespaceSelector-not-has-matches-gns gnp-peer-selector-pcns-negative-matches-gns
        np-peer-networkset-own-namespace np-peer-networkset-namespace-labels np-peer-selector-hits-pods-and-set
        networkset-overlapping-pod-ips""",
    "blocks": """
        np-peer-nets-match-pods np-peer-nets-and-selector-anded np-peer-nets-and-notNets np-peer-notNets-alone
        np-peer-notNets-ipv6-only np-peer-nets-host-bits-set""",
    "service accounts and Services as peers": """
        np-peer-serviceAccounts-names np-peer-serviceAccounts-selector np-peer-serviceAccounts-empty
        gnp-peer-serviceAccounts-selector-negative-matches-sets services-egress-destination
        services-ingress-source-ignores-ports""",
    "what narrows the subject in a rule": "np-ingress-local-destination-selector np-egress-local-source-selector",
    "ports, protocols, ICMP, families": """
        ports-numeric-and-range ports-named-ingress-tcp ports-named-ingress-no-protocol ports-named-egress ports-named-unknown
        ports-notPorts ports-notPorts-named ports-source ports-source-named protocol-without-ports protocol-number protocol-sctp
        notProtocol-tcp protocol-icmp icmp-type icmp-not-type ipVersion-4 ipVersion-6-rule-skipped""",
    "actions": """
        action-deny-then-allow action-log-continues action-log-only-is-no-match action-pass-in-default-tier""",
    "order, and ties": """
        order-lower-first order-missing-last order-equal-prefix-name-dash order-equal-same-name-gnp-before-np
        order-equal-same-name-k8s-vs-calico order-equal-k8s-isolation-is-no-deny-before-later-allow""",
    "tiers": """
        tier-pass-default tier-pass-default-no-later-policy tier-allow-is-final tier-deny-default-then-default-tier
        tier-defaultAction-omitted tier-order-missing-after-default tier-pass-skips-rest-of-tier
        tier-after-default-reached-only-by-pass staged-ignored staged-in-tier-does-not-trigger-tier-default""",
    "NetworkPolicies and policies of policy.networking.k8s.io beside Calico's": """
        k8s-np-order-1000-after-gnp-999-deny k8s-np-order-1000-before-gnp-1001-deny k8s-np-union-with-calico-np
        k8s-np-ipblock-except k8s-np-named-port upstream-cnp-admin-deny upstream-cnp-admin-accept-overrides-np
        upstream-cnp-baseline-deny-only-without-np""",
}

CILIUM = {
    "the traps of empty lists, and what isolates": """
        ingress-empty-rule ingress-empty-list-only ingress-empty-list-with-egress from-endpoints-empty-list
        from-endpoints-wildcard ccnp-from-endpoints-wildcard two-l3-fields-one-empty from-requires-empty ports-only
        ports-empty-list ports-empty-element-peer icmp-empty-fields""",
    "for whom": """
        no-selector both-selectors nodeselector-in-cnp subject-ccnp-all subject-ccnp-nodeselector subject-other-namespace
        subject-other-namespace-noprefix subject-label-filtered""",
    "peers by labels, namespaces, clusters, service accounts; labels that do not count": """
        peer-ns-name peer-ns-exists peer-ns-notin peer-ns-doesnotexist peer-ns-labels peer-serviceaccount
        peer-serviceaccount-ns peer-cluster-label peer-cluster-other peer-other-source peer-reserved-host
        peer-reserved-doesnotexist peer-label-filtered peer-label-filtered-notexist ccnp-from-endpoints-label""",
    "entities": """
        from-entity-all from-entity-world from-entity-cluster from-entity-host from-entity-remote-node
        from-entity-kube-apiserver to-entity-kube-apiserver from-entity-none from-entity-init from-entity-ingress
        from-entity-health host-always""",
    "blocks and groups of them": """
        from-cidr-any from-cidr-vpc from-cidr-pod-ip from-cidr-node-ip from-cidr-bare-ip from-cidr-host-bits
        from-cidrset-except cidrgroup-ref cidrgroup-selector cidrgroup-selector-empty cidrgroup-selector-notin""",
    "peers that nobody can say": """
        to-groups-ports to-services-unresolved to-services-unresolved-ports from-nodes""",
    "ports, protocols, ICMP": """
        ports-range ports-range-reverse ports-proto-any ports-zero-any ports-zero-endport ports-named-ingress
        ports-named-upper ports-hex ports-icmp-proto ports-gre icmp-type icmp-type-zero""",
    "denials": """
        deny-over-allow deny-only deny-only-edd-false deny-cidr-narrow-allow-broad deny-cidr-broad-allow-narrow
        deny-beats-k8s-np deny-empty-rule deny-host deny-all""",
    "the switch for isolation": "edd-false-alone edd-false-with-isolation edd-false-empty-rule edd-egress-default",
    "several rules in one object": "specs-two spec-and-specs specs-one-invalid",
    "what is looked at further": "l7-http l7-dns servernames auth-required",
    "NetworkPolicies under Cilium": """
        np-ipblock-any np-type-ingress-egress-rules np-type-egress-ingress-rules np-ns-selector-notin
        np-peer-label-filtered np-pod-label-filtered np-endport""",
}


def recorded() -> Iterator[tuple[str, str]]:
    """Yield dialects with the names of recorded cases."""
    for dialect, constructs in (("calico", CALICO), ("cilium", CILIUM)):
        for names in constructs.values():
            yield from ((dialect, name) for name in names.split())
