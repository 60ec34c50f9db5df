"""No admission hook stands between the controller and its PolicyEndpoints."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import TROUBLESHOOT, check
from eksnetpol.checks.words import count
from eksnetpol.facts.admission import Hook
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown


@check(
    title="admission lets PolicyEndpoints pass",
    severity=Severity.WARNING,
    docs=TROUBLESHOOT,
    sources=("awsdocs/amazon-eks-user-guide#988", "open-policy-agent/gatekeeper#3719"),
)
def admission_lets_policy_endpoints_pass(endpoint_hooks: tuple[Hook, ...]) -> Iterator[Finding | Unknown | Evidence]:
    """
    A webhook, an admission policy, a Kyverno policy or a Gatekeeper constraint that is asked about every kind is asked about
    PolicyEndpoints too. When it refuses one, or does not answer while failurePolicy is Fail, the NetworkPolicy is accepted and
    nothing is enforced. What conditions it has cannot be judged from here and makes the answer unknown.
    """
    yield Evidence(f"{count(len(endpoint_hooks), 'hook')} asked about PolicyEndpoints")
    for hook in endpoint_hooks:
        if hook.doubt:
            yield Unknown(hook.subject, f"{hook.how}, reaches PolicyEndpoints unless {hook.doubt} let them pass")
        else:
            yield Finding(
                subject=hook.subject,
                message=f"{hook.how}: it is asked about PolicyEndpoints and may refuse what the controller writes",
                remedy="Exclude API group networking.k8s.aws, or user eks:network-policy-controller, from it.",
                command=f"kubectl get {hook.subject.kind.lower()} {hook.subject.name} -o yaml",
            )
