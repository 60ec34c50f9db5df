"""Under strict mode every pod has a policy."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, NotApplicable, check
from eksnetpol.checks.parts import installed
from eksnetpol.checks.words import count, listed
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject
from eksnetpol.model.snapshot import Unread
from eksnetpol.policy.isolation import Isolation
from eksnetpol.policy.owners import owner_of
from eksnetpol.policy.universe import Classes

FIRST = "kube-system"


@check(
    title="under strict mode every pod is selected by a policy in both directions",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=("aws/amazon-vpc-cni-k8s#2928", CONFIGURE),
)
def strict_mode_covers_every_pod(
    vpc_cni: VpcCni | None, isolation: Isolation, node_kinds: NodeKinds | Unread
) -> Iterator[Finding | Evidence]:
    """
    In strict mode a pod starts closed in both directions and stays so until a policy selects it. That holds for CoreDNS and every
    add-on too: without a policy of their own, DNS stops for the whole cluster as soon as those pods are replaced.
    """
    if not installed(vpc_cni).is_strict:
        raise NotApplicable("the enforcing mode is not strict")
    universe = isolation.universe
    policed = universe.everything & ~universe.on_host_network & ~universe.terminal
    unserved = {} if isinstance(node_kinds, Unread) else node_kinds.unserved
    bare = policed & ~isolation.either
    one_sided = policed & isolation.either & ~(isolation.ingress & isolation.egress)
    yield Evidence(f"{universe.count_pods(policed)} pods, {universe.count_pods(bare)} without any policy")
    yield from _by_namespace(isolation, bare, unserved, "without any policy will be denied everything", None)
    words = "with a policy for one direction only; strict mode wants both"
    yield from _by_namespace(isolation, one_sided, unserved, words, Severity.WARNING)


def _by_namespace(
    isolation: Isolation, classes: Classes, unserved: dict[str, str], words: str, severity: Severity | None
) -> Iterator[Finding]:
    names: dict[str, dict[str, int]] = {}
    for member in isolation.universe.members(classes):
        for pod in member.pods:
            if pod.spec.node_name not in unserved:
                owners = names.setdefault(member.namespace, {})
                owner = str(owner_of(pod)).replace(f"/{member.namespace}/", "/")
                owners[owner] = owners.get(owner, 0) + 1
    for namespace in sorted(names, key=lambda n: (n != FIRST, n)):
        owners = names[namespace]
        ordered = sorted(owners, key=lambda o: ("coredns" not in o, o))
        pods = count(sum(owners.values()), "pod")
        yield Finding(
            subject=Subject("Namespace", namespace),
            message=f"{pods} of {namespace} {words}: {listed(ordered, 5)}",
            remedy="Stay on standard mode until every pod has policies for both directions; begin with CoreDNS.",
            command=f"kubectl get networkpolicies -n {namespace}",
            severity=severity,
        )
