"""The ways to pods through the addresses of Services, asked pair by pair: what flows there that did not is named, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from eksnetpol.translation import Translation, Verdict
from eksnetpol.translation.comparing import after
from tests.migration.promise import MAKERS, PROFILE, WORSE, Cluster
from tests.policy.oracle.plain import Packet, named
from tests.policy.oracle.vpc_cni import VpcCni

CLUSTERS = 130
"""Among so many of each dialect there are ones in which a Service leads elsewhere than its pods may be reached from."""


def ways(case: Cluster, made: Translation) -> Iterator[tuple[str, bool | None, bool | None]]:
    """Yield every way from a pod through a Service to a pod: whether the source engine, and what was written, lets it through."""
    later = VpcCni(after(case.world, made.outputs), PROFILE)
    pods = [place for place in later.cluster.pods() if place.pod is not None and not place.is_host]
    for service in case.world.services:
        if service.spec.cluster_ip in {"", "None"} or not service.spec.selector:
            continue
        for port in service.spec.ports:
            target = port.port if port.target_port is None else port.target_port
            ends = []
            for place in later.cluster.behind(service):
                assert place.pod is not None
                is_name = isinstance(target, str)
                number = named(place.pod, port.protocol, str(target), with_sidecars=True) if is_name else int(target)
                ends += [] if number is None else [(place, number)]
            for source in pods:
                answers = later.through(source, service, Packet(port.protocol, port.port))
                for (place, number), now in zip(ends, answers, strict=True):
                    if place.pod is source.pod or case.is_at_home(source.address, place.address):
                        continue
                    was = case.before(source.address, place.address, port.protocol, number)
                    yield f"{source.address} -> {service.name} {port.port} -> {place.address} {number}", was, now


@pytest.mark.parametrize("cluster_policies", [False, True])
@pytest.mark.parametrize("dialect", ["antrea", "upstream"])
def test_nothing_flows_unnamed_through_a_service(dialect: str, cluster_policies: bool) -> None:
    seen: Counter[str] = Counter()
    for number in range(CLUSTERS):
        case = replace(MAKERS[dialect](number), cluster_policies=cluster_policies)
        if not case.world.services:
            continue
        made = case.translated(compare=False)
        found = list(ways(case, made))
        if all(was is now for _, was, now in found):
            continue
        # What reasoning alone does not name, comparing does.
        told = {judged.verdict for judged in case.translated().judged}
        for title, was, now in found:
            if now is not False and was is False:
                seen["more"] += 1
                assert Verdict.LOOSER in told, (number, title, was, now)
            elif was and not now:
                seen["less"] += 1
                assert told & WORSE, (number, title, was, now)
    assert seen
