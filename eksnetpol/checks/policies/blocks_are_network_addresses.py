"""Blocks are written by their network address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import lru_cache

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import few
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.rules import Rules


@check(
    title="blocks are written by their network address",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=("aws/aws-network-policy-agent#608",),
    intents=ENFORCING,
    about="objects",
)
def blocks_are_network_addresses(
    rules: Rules, agent_release: Release | Unread, releases: Matrix
) -> Iterator[Finding | Evidence]:
    """
    In 10.0.1.5/24 the last 8 bits mean nothing. Agents up to v1.4.1 take it for a block of its own all the same, in a place where
    10.0.1.0/24 belongs too: of the two the one written last is there, and what the other allowed is gone. Newer agents cut the
    bits off, and new API servers refuse them in NetworkPolicies.
    """
    since = next((f.since for f in releases.fix if "aws/aws-network-policy-agent#608" in f.sources), None)
    cured = isinstance(agent_release, Release) and since is not None and agent_release.base >= since
    found: dict[Subject, list[str]] = {}
    for rule, block in rules.blocks():
        for cidr in (block.cidr, *block.except_):
            if _has_host_bits(cidr):
                found.setdefault(rule.subject, []).append(f"{rule.place}: {cidr} is {parse_cidr(cidr)}")
    yield Evidence("agent not known" if isinstance(agent_release, Unread) else f"agent {agent_release}")
    for subject, places in found.items():
        risk = "this agent reads it so" if cured else "it may overwrite that block's rules in the agent's map, or be overwritten"
        yield Finding(
            subject=subject,
            message=f"{places[0]}; {risk}",
            remedy="Write the network address.",
            command=edit(subject),
            evidence=few(places),
            severity=Severity.ADVICE if cured else None,
        )


@lru_cache(maxsize=1 << 14)
def _has_host_bits(cidr: str) -> bool:
    network = parse_cidr(cidr)
    return network is not None and ipaddress.ip_interface(cidr.strip()).ip != network.network_address
