"""Rules that let pods to the internet do not let them to the node's credentials."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, NotApplicable, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import count, few
from eksnetpol.facts.credentials import AccountPods, Source, hands_out_metadata
from eksnetpol.model.eks import Instance
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.addresses import IMDS, Network, covers, parse_cidr
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.peers import place_of
from eksnetpol.policy.reach import Blocks, reach
from eksnetpol.policy.rules import Direction, Rule, Rules, admits, entries_of
from eksnetpol.policy.universe import Classes

PORT = 80
MEANT = {4: 16, 6: 32}
"""A block this narrow that holds the address was written for it, or for its neighbours."""


@check(
    title="wide egress rules leave out the instance metadata",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "aws/aws-network-policy-agent#120", "aws/amazon-vpc-cni-k8s#2625"),
    intents=ENFORCING,
)
def wide_egress_leaves_out_instance_metadata(
    isolation: Isolation,
    rules: Rules,
    egress_blocks: Blocks,
    account_pods: AccountPods,
    ip_family: str,
    instances: tuple[Instance, ...] | Unread,
) -> Iterator[Finding | Evidence]:
    """
    A rule for the whole internet on port 80, or on all ports, holds 169.254.169.254 too, where the instance hands out the role of
    the node to whoever asks. Pods without a role of their own thereby keep what policies are often written to take away. Rules
    that name the address, or hardly more, are taken to mean it.
    """
    if not isinstance(instances, Unread) and instances and not any(hands_out_metadata(i) for i in instances):
        raise NotApplicable("no instance hands its metadata to pods: it is off, or the hop limit is 1")
    address = IMDS[ip_family == "ipv6"]
    universe = isolation.universe
    concerned = account_pods.of(Source.NODE) & isolation.egress
    open_ = reach(egress_blocks, isolation, address, "TCP", PORT).allowed & concerned
    yield Evidence(f"{count(universe.count_pods(open_), 'egress-isolated pod')} with no role but the node's may ask {address}")
    if not open_:
        return
    for block, selected in egress_blocks.selected.items():
        if _is_meant(parse_cidr(block.cidr)) and covers(block.cidr, address) and admits(entries_of(block.ports), "TCP", PORT):
            open_ &= ~selected
    found: dict[Subject, list[str]] = {}
    pods: dict[Subject, Classes] = {}
    for rule in (*rules.without_peers, *rules.with_blocks) if open_ else ():
        mine = isolation.subjects[rule.at].selected & open_
        if mine and rule.direction is Direction.EGRESS and admits(entries_of(rule.ports), "TCP", PORT):
            places = list(_wide(rule, address))
            if places:
                found.setdefault(rule.subject, []).extend(places)
                pods[rule.subject] = pods.get(rule.subject, 0) | mine
    for subject, places in found.items():
        yield Finding(
            subject=subject,
            message=(
                f"{places[0]} lets {count(universe.count_pods(pods[subject]), 'pod')} with no role but the node's ask for it at "
                f"{address}"
            ),
            remedy=f"Except {address} there, or set the instances' hop limit to 1 and require IMDSv2.",
            command=edit(subject),
            evidence=few(places),
        )


def _is_meant(network: Network | None) -> bool:
    return network is not None and network.prefixlen >= MEANT[network.version]


def _wide(rule: Rule, address: str) -> Iterator[str]:
    if not rule.peers:
        yield rule.place
    for index, peer in enumerate(rule.peers):
        block = peer.ip_block
        if block is not None and covers(block.cidr, address) and not any(covers(e, address) for e in block.except_):
            yield f"{place_of(rule, index)} ({block.cidr})"
