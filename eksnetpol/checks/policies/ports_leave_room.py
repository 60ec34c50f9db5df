"""No address is close to as many ports as the agent has room for."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.words import few
from eksnetpol.facts.capacity import PLENTY, ROOM, Room
from eksnetpol.model.findings import Finding, Severity, Subject
from eksnetpol.policy.crowds import Crowded


@check(
    title="the agent's map has room for some more ports",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=(LIMIT, "aws/containers-roadmap#2481"),
    intents=ENFORCING,
    about="objects",
)
def ports_leave_room(crowds: tuple[Crowded, ...], room: Room) -> Iterator[Finding]:
    """
    At 19 to 24 combinations of protocol and port for one address, the next policy, written by somebody who sees only their own,
    may be the one that does not fit.
    """
    if room.best < ROOM:
        return
    worst: dict[Subject, Crowded] = {}
    for crowded in crowds:
        subject = crowded.rules[0].subject
        if subject not in worst or crowded.crowd.entries > worst[subject].crowd.entries:
            worst[subject] = crowded
    for subject, crowded in worst.items():
        if PLENTY < crowded.crowd.entries <= ROOM:
            yield Finding(
                subject=subject,
                message=(
                    f"{crowded.direction.lower()} has {crowded.crowd.entries} of {ROOM} combinations of protocol and port for "
                    f"{crowded.crowd.where}"
                ),
                remedy="Write neighbouring ports as ranges (endPort) before more are added.",
                command=f"kubectl get {subject.kind.lower()} {subject.name} -n {subject.namespace} -o yaml",
                evidence=few(crowded.policies),
            )
