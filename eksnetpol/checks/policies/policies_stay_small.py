"""Policies are small enough for one PolicyEndpoint."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, check
from eksnetpol.checks.places import edit
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.sizes import Size
from eksnetpol.model.findings import Finding, Severity

CHUNK = 200
"""Entries of one PolicyEndpoint, in the controller's own default; EKS may have set another."""


@check(
    title="policies resolve to no more than a thousand endpoints",
    severity=Severity.WARNING,
    docs=LIMIT,
    sources=("aws/amazon-network-policy-controller-k8s#201", "aws/aws-network-policy-agent#106"),
    intents=ENFORCING,
    about="objects",
)
def policies_stay_small(large_policies: tuple[Size, ...]) -> Iterator[Finding]:
    """
    The controller writes every pod that a policy selects, and every pod and block that it names as a peer, into PolicyEndpoints
    of 200 entries or so. Each pod that comes or goes rewrites them one after another: there are moments in which some are new and
    some are old, and thousands of them keep API server and agents busy. Of each namespace the largest is named, and how many more
    there are.
    """
    by_namespace: dict[str, list[Size]] = {}
    for size in large_policies:
        by_namespace.setdefault(size.policy.policy.namespace, []).append(size)
    for sizes in by_namespace.values():
        largest = max(sizes, key=lambda s: s.most)
        what = {largest.pods: "selected pods", largest.ingress: "peers in ingress", largest.egress: "peers in egress"}
        others = [s.policy.policy.name for s in sizes if s is not largest]
        chunks = count(-(-largest.most // CHUNK), "PolicyEndpoint")
        yield Finding(
            subject=largest.subject,
            message=f"resolves to {largest.most} {what[largest.most]}, in {chunks} of {CHUNK} entries",
            remedy="Select more narrowly, or allow a block instead of many pods.",
            command=edit(largest.subject),
            evidence=(f"{count(len(others), 'policy', 'policies')} beside it: {listed(others)}",) if others else (),
        )
