"""All nodes run one build of the agent."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import AGENT_README, check
from eksnetpol.checks.parts import AWS_NODE, agent_of
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.vpc_cni import AGENT_CONTAINERS, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.kubernetes import AgentPod, Node
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import ImageReference


@check(
    title="all nodes run the same build of the agent",
    severity=Severity.WARNING,
    docs=AGENT_README,
    sources=("https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/",),
)
def one_agent_release_everywhere(
    vpc_cni: VpcCni | None, agent_pods: tuple[AgentPod, ...], nodes: tuple[Node, ...] | Unread
) -> Iterator[Finding | Unknown | Evidence]:
    """
    A policy means what the agent of a node makes of it. Nodes left behind by a roll-out, or a mirror that serves another image
    under the same tag, enforce differently from the rest. Images are compared by digest, per processor architecture.
    """
    agent_of(vpc_cni)
    machines = {} if isinstance(nodes, Unread) else {n.name: n.status.node_info.architecture for n in nodes}
    builds: dict[tuple[str, str], list[str]] = {}
    tags: dict[str, set[str]] = {}
    for pod in agent_pods:
        for status in pod.status.container_statuses:
            if status.name in AGENT_CONTAINERS and status.image_id:
                digest = status.image_id.rpartition("@")[2]
                builds.setdefault((machines.get(pod.spec.node_name, ""), digest), []).append(pod.spec.node_name)
                tags.setdefault(digest, set()).add(ImageReference.parse(status.image).tag)
    if not builds:
        yield Unknown(AWS_NODE, "no aws-node pod says which image of the agent it runs")
        return
    digests = {digest for _, digest in builds}
    yield Evidence(f"{count(len(digests), 'build')} of the agent on {count(sum(map(len, builds.values())), 'node')}")
    names = {tag for digest in digests for tag in tags[digest] if tag}
    per_machine = len(builds) == len({machine for machine, _ in builds})
    # One digest per architecture is one release where the tag is one too: an image has a build for each.
    if len(digests) == 1 or (per_machine and len(names) <= 1 and "" not in {m for m, _ in builds}):
        return
    found: dict[str, list[str]] = {}
    for (_, digest), where in builds.items():
        found.setdefault(digest, []).extend(where)
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    said = [f"{', '.join(sorted(tags[d] - {''})) or d[:19]} on {count(len(where), 'node')}" for d, where in ordered]
    yield Finding(
        subject=AWS_NODE,
        message=f"{len(digests)} builds of the agent run side by side: {', '.join(said)}",
        remedy="Finish the roll-out; where the tags are equal, bring registry mirrors to the same image.",
        command="kubectl rollout status daemonset/aws-node -n kube-system",
        evidence=tuple(f"{digest}: {listed(sorted(where), 5)}" for digest, where in ordered),
    )
