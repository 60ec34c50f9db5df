"""No address has more ports than the agent has room for."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import count, few
from eksnetpol.facts.capacity import Room
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.policy.crowds import Crowded


@check(
    title="the ports of every address fit the agent's map",
    severity=Severity.BLOCKER,
    docs=LIMIT,
    sources=(LIMIT, "aws/aws-network-policy-agent#102", "aws/containers-roadmap#2481"),
    intents=ENFORCING,
    about="objects",
)
def ports_fit_the_agent(crowds: tuple[Crowded, ...], room: Room) -> Iterator[Finding | Unknown | Evidence]:
    """
    For each address the agent keeps up to 24 combinations of protocol and port, per direction, for all pods whose names begin
    alike (before v1.0.5: 8, and 4 on IPv6 clusters). All policies that select such a pod come together there, and a narrow block
    takes over the ports of every wider one that holds it. Of what does not fit a part is dropped, each time another. A range
    counts once.
    """
    yield Evidence(f"room for {room.best} combinations" if room.sure == room.best else f"room for {room.sure} to {room.best}")
    worst: dict[Subject, Crowded] = {}
    pods: dict[Subject, int] = {}
    for crowded in crowds:
        subject = crowded.rules[0].subject
        pods[subject] = pods.get(subject, 0) + crowded.pods
        if subject not in worst or crowded.crowd.entries > worst[subject].crowd.entries:
            worst[subject] = crowded
    for subject, crowded in worst.items():
        entries = crowded.crowd.entries
        if entries > room.best:
            yield Finding(
                subject=subject,
                message=(
                    f"{crowded.direction.lower()} has {entries} combinations of protocol and port for {crowded.crowd.where}"
                    f"{_whose(pods[subject])}; the agent keeps {room.best} and drops the rest unpredictably"
                ),
                remedy="Write neighbouring ports as ranges (endPort), leave the ports out, or split the peers.",
                command=f"kubectl get {subject.kind.lower()} {subject.name} -n {subject.namespace} -o yaml",
                evidence=few(crowded.policies),
            )
        elif entries > room.sure:
            yield Unknown(subject, f"whether {entries} combinations of protocol and port fit the agent: {room.doubt}")


def _whose(pods: int) -> str:
    return f", kept for {count(pods, 'pod')}" if pods else ""
