"""Nodes have the instance metadata service that the agent needs when it starts."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import AGENT_README, NotApplicable, check
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.node_groups import fold
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.model.eks import Instance
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Unknown
from eksnetpol.model.kubernetes import Node
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release


@check(
    title="the agent reaches the instance metadata service of its node",
    severity=Severity.BLOCKER,
    docs=AGENT_README,
    sources=("https://github.com/aws/aws-network-policy-agent/blob/main/main.go",),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def agent_reaches_instance_metadata(
    node_kinds: NodeKinds, instances: tuple[Instance, ...], agent_release: Release | Unread, releases: Matrix
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Up to v1.4.1 the agent asks the instance metadata service for its node's address before anything else, and exits when it gets
    no answer: with HttpEndpoint disabled on an instance it crash-loops there as soon as policies are switched on. The hop limit
    does not matter, because the agent is on the host network.
    """
    without = releases.feature["node-address-from-ipamd"].agent
    if without is not None and isinstance(agent_release, Release) and agent_release.base >= without:
        raise NotApplicable(f"agent {agent_release} asks ipamd for its address")
    known = {i.instance_id: i for i in instances}
    yield Evidence(f"{count(len(node_kinds.linux_ec2), 'Linux node')}, {count(len(known), 'instance')}")
    for maker, nodes in fold(node_kinds.linux_ec2).items():
        strangers = [n.name for n in nodes if _instance_id(n) not in known]
        closed = [n.name for n in nodes if _is_closed(known.get(_instance_id(n)))]
        if strangers:
            yield Unknown(maker, f"EC2 did not tell of the instances of {listed(strangers)}")
        if closed and isinstance(agent_release, Unread):
            yield Unknown(maker, f"metadata is disabled on {listed(closed)}; whether the agent needs it: {agent_release.reason}")
        elif closed:
            yield Finding(
                subject=maker,
                message=f"the metadata service is disabled on {count(len(closed), 'node')}; agent {agent_release} exits there",
                remedy="Enable the endpoint in the launch template and on the running instances.",
                command="aws ec2 modify-instance-metadata-options --http-endpoint enabled --instance-id ID",
                evidence=(listed(closed, 5),),
            )


def _instance_id(node: Node) -> str:
    return node.spec.provider_id.rsplit("/", 1)[-1]


def _is_closed(instance: Instance | None) -> bool:
    return instance is not None and instance.metadata_options.http_endpoint == "disabled"
