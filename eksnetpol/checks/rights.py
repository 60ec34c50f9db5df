"""May the agent read what it lives on: asked the same way of each kind."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.facts.agent_rights import AGENT, GROUP, ROLE, AgentRights
from eksnetpol.model.findings import Evidence, Finding, Subject, Unknown

VERBS = ("get", "list", "watch")


def read_rights(rights: AgentRights, resource: str, consequence: str) -> Iterator[Finding | Unknown | Evidence]:
    """Say whether the agent may get, list and watch *resource*; *consequence* ends the message where it may not."""
    answers = {verb: rights.may(verb, resource) for verb in VERBS}
    yield Evidence(f"may {', '.join(v for v, a in answers.items() if a) or 'do nothing with'} {resource}")
    denied = [verb for verb, answer in answers.items() if answer is False]
    unsaid = [verb for verb, answer in answers.items() if answer is None]
    subject = Subject("ClusterRole", ROLE)
    if denied:
        yield Finding(
            subject=subject,
            message=f"aws-node may not {', '.join(denied)} {resource}.{GROUP}{consequence}",
            remedy="Take the ClusterRole from the same release as the image.",
            command=f"kubectl auth can-i list {resource}.{GROUP} --as={AGENT}",
        )
    elif unsaid:
        yield Unknown(subject, f"ClusterRole {ROLE} does not say {', '.join(unsaid)} {resource}; another role may")
