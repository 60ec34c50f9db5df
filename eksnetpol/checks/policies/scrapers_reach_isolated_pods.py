"""Prometheus reaches the isolated pods it is told to scrape."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from eksnetpol.checks.declare import ENFORCING, LIMIT, NotApplicable, check
from eksnetpol.checks.places import show_policies
from eksnetpol.checks.words import by_namespace, count, examples, listed
from eksnetpol.facts.cluster_rules import ClusterRulebook, PlacedRule, accepted
from eksnetpol.facts.scraped import Scraped
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.openings import Openings, blocks_that_admit, lets_in
from eksnetpol.policy.reach import Blocks
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.universe import Classes, Universe

EVERYWHERE = ("0.0.0.0/0", "::/0")


@check(
    title="isolated pods let Prometheus scrape them",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=("https://prometheus-operator.dev/docs/developer/getting-started/", "aws/amazon-vpc-cni-k8s#2967"),
    intents=ENFORCING,
)
def scrapers_reach_isolated_pods(
    scraped: Scraped, openings: Openings, ingress_blocks: Blocks, cluster_rulebook: ClusterRulebook | Unread
) -> Iterator[Finding | Evidence]:
    """
    Isolated ingress closes the ports of metrics too. Then dashboards stay empty, alerts that wait for a value stay silent, and
    nothing is scaled by it. Asked are the pods and ports that ServiceMonitors and PodMonitors name: some rule must let the pods
    of Prometheus in there, or a block.
    """
    if not scraped.by:
        raise NotApplicable("no pods of Prometheus are known here")
    isolation = openings.isolation
    universe = isolation.universe
    shut: Classes = 0
    ports: dict[int, Classes] = {}
    for number, targets in scraped.targets.items():
        closed = targets & isolation.ingress & ~scraped.by
        if closed:
            closed &= ~blocks_that_admit(ingress_blocks, EVERYWHERE, "TCP", number)
            for _, selected in lets_in(openings.peers, scraped.by, isolation, openings.ports, "TCP", number):
                closed &= ~selected
            closed &= ~accepted(cluster_rulebook, Direction.INGRESS, closed, partial(_speaks_of, number, scraped.by, universe))
        if closed:
            shut |= closed
            ports[number] = closed
    yield Evidence(f"{count(len(scraped.targets), 'port')} scraped")
    for group in by_namespace(universe, shut):
        here = universe.in_namespace[group.namespace]
        where = listed(str(number) for number, closed in sorted(ports.items()) if closed & here)
        names = (p.name for c in group.classes for p in isolation.policies_of(c, "Ingress"))
        yield Finding(
            subject=group.subject,
            message=(
                f"Prometheus cannot scrape {count(group.pods, 'isolated pod')} on TCP port {where}: closed by {listed(names)}"
            ),
            remedy=f"Allow ingress on TCP port {where} from the namespace and pods of Prometheus.",
            command=show_policies(group.namespace),
            evidence=examples(universe, shut & here),
        )


def _speaks_of(number: int, sources: Classes, universe: Universe, placed: PlacedRule) -> bool:
    return placed.takes("TCP", number) and bool(placed.classes(universe) & sources)
