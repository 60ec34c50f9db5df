"""Nobody scrapes the agent's former metrics port."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import AGENT_README, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, ENFORCING, agent_of
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import CustomObject, Service
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release

FORMER, CURRENT = 61680, 8162
MENTIONS = re.compile(rf"(?<!\d){FORMER}(?!\d)")


@check(
    title="nothing scrapes the agent's former metrics port",
    severity=Severity.ADVICE,
    docs=AGENT_README,
    sources=("aws/aws-network-policy-agent#316", "aws/aws-network-policy-agent#357", "aws/aws-network-policy-agent#589"),
    intents=ENFORCING,
)
def scrapers_use_the_current_port(
    vpc_cni: VpcCni | None,
    agent_release: Release | Unread,
    services: tuple[Service, ...] | Unread,
    scrapers: tuple[CustomObject, ...] | Unread,
    releases: Matrix,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Up to v1.2.2 the agent's own metrics were on port 61680; from v1.2.3 on all are on 8162. A Service, PodMonitor or
    ServiceMonitor that still names the old port finds nothing there, and dashboards stay empty without an error.
    """
    agent_of(vpc_cni)
    if isinstance(agent_release, Unread):
        yield Unknown(AWS_NODE, agent_release.reason)
        return
    moved = releases.feature["metrics-on-one-port"].agent
    if moved is not None and agent_release.base < moved:
        raise NotApplicable(f"agent {agent_release} still serves metrics on {FORMER}")
    yield Evidence(f"agent {agent_release} serves metrics on one port")
    for name, section in (("Services", services), ("scrape configurations", scrapers)):
        if isinstance(section, Unread):
            yield Unknown(AWS_NODE, f"{name} could not be read: {section.reason}")
    for service in () if isinstance(services, Unread) else services:
        if any(FORMER in {p.port, p.target_port} for p in service.spec.ports):
            yield _finding(Subject("Service", service.name, service.namespace), agent_release)
    for scraper in () if isinstance(scrapers, Unread) else scrapers:
        if _mentions(scraper.spec):
            meta = scraper.metadata
            yield _finding(Subject(scraper.kind or "PodMonitor", meta.name, meta.namespace), agent_release)


def _mentions(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_mentions(v) for v in value.values())
    if isinstance(value, list | tuple):
        return any(_mentions(v) for v in value)
    return not isinstance(value, bool) and isinstance(value, int | str) and MENTIONS.search(str(value)) is not None


def _finding(subject: Subject, release: Release) -> Finding:
    place = f"{subject.kind.lower()} {subject.name} -n {subject.namespace}"
    return Finding(
        subject=subject,
        message=f"it names port {FORMER}, where agent {release} serves nothing any more",
        remedy=f"Scrape port {CURRENT} instead (named agentmetrics in manifests of VPC CNI v1.19.4 and later).",
        command=f"kubectl edit {place}",
    )
