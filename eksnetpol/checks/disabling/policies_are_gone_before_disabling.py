"""No policy is left that a switched-off controller could not let go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from eksnetpol.checks.declare import DISABLE, NotApplicable, check
from eksnetpol.checks.words import count
from eksnetpol.facts.vpc_cni import Switches
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.model.snapshot import Target

FINALIZERS = frozenset(
    {"networking.k8s.aws/resources", "networking.k8s.aws/anp-resources", "networking.k8s.aws/cnp-resources"}
)


@check(
    title="no policy is left when network policy is switched off",
    severity=Severity.BLOCKER,
    docs=DISABLE,
    sources=("aws/aws-network-policy-agent#567", "aws/aws-network-policy-agent#568", DISABLE),
    intents=frozenset({Intent.DISABLE}),
)
def policies_are_gone_before_disabling(
    network_policies: tuple[NetworkPolicy, ...],
    application_policies: tuple[NetworkPolicy, ...],
    cluster_policies: tuple[ClusterNetworkPolicy, ...],
    switches: Switches,
    target: Target,
) -> Iterator[Finding | Evidence]:
    """
    The controller puts a finalizer on every policy and alone takes it off. Once it is switched off, deleting such a policy, or
    its namespace, hangs for ever, and pods keep the rules that were in force. AWS's order is: delete the policies while the
    controller runs, wait until their PolicyEndpoints are gone, then switch off. Save them first: they are somebody's intent.
    """
    everything: tuple[NetworkPolicy | ClusterNetworkPolicy, ...] = (
        *network_policies,
        *application_policies,
        *cluster_policies,
    )
    if switches.both_off and not any(FINALIZERS.intersection(p.metadata.finalizers) for p in everything):
        raise NotApplicable("network policy is switched off, and its controller holds no policy")
    yield Evidence(count(len(everything), "policy", "policies"))
    by_namespace = Counter(p.namespace for p in (*network_policies, *application_policies))
    held = Counter(
        p.namespace for p in (*network_policies, *application_policies) if FINALIZERS.intersection(p.metadata.finalizers)
    )
    for namespace, number in sorted(by_namespace.items()):
        holding = f", {held[namespace]} of them with the controller's finalizer" if held[namespace] else ""
        yield Finding(
            subject=Subject("Namespace", namespace),
            message=f"{count(number, 'policy is', 'policies are')} in force{holding}",
            remedy="Save the policies, then delete them while the controller still runs, and wait for their endpoints to go.",
            command=f"kubectl get networkpolicies -n {namespace} -o yaml",
        )
    if cluster_policies:
        yield Finding(
            subject=Subject("Cluster", target.title),
            message=f"{count(len(cluster_policies), 'ClusterNetworkPolicy is', 'ClusterNetworkPolicies are')} in force",
            remedy="Save them, then delete them while the controller still runs, and wait for their endpoints to go.",
            command="kubectl get clusternetworkpolicies.networking.k8s.aws -o yaml",
        )
