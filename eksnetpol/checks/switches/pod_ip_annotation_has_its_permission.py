"""The CNI may write the annotation it is told to write."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CNI_README, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, installed
from eksnetpol.facts.configuration import variable
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import AccessReview
from eksnetpol.model.snapshot import Unread

VARIABLE = "ANNOTATE_POD_IP"
USER = "system:serviceaccount:kube-system:aws-node"
PATCH = '[{"op":"add","path":"/rules/-","value":{"apiGroups":[""],"resources":["pods"],"verbs":["patch"]}}]'


@check(
    title="the CNI may annotate pods where it is told to",
    severity=Severity.WARNING,
    docs=CNI_README,
    sources=("open-policy-agent/gatekeeper#3719", CNI_README),
)
def pod_ip_annotation_has_its_permission(
    vpc_cni: VpcCni | None, agent_access: tuple[AccessReview, ...] | Unread
) -> Iterator[Finding | Unknown | Evidence]:
    """
    With ANNOTATE_POD_IP the CNI writes a pod's address into an annotation before the pod's status has it, which makes policies
    take effect sooner. It needs the verb patch on pods, which the shipped ClusterRole lacks; without it, nothing is gained.
    Admission policies can refuse the patch too.
    """
    found = variable(installed(vpc_cni).cni, VARIABLE)
    if found is None:
        raise NotApplicable(f"{VARIABLE} is not set")
    if found.value is None:
        yield Unknown(AWS_NODE, f"the value of {VARIABLE} is not to be seen in the DaemonSet")
        return
    if found.value.strip().lower() != "true":
        raise NotApplicable(f"{VARIABLE} is {found.value!r}")
    if isinstance(agent_access, Unread):
        yield Unknown(AWS_NODE, f"whether aws-node may patch pods is not known: {agent_access.reason}")
        return
    answers = [r for r in agent_access if (r.verb, r.group, r.resource) == ("patch", "", "pods")]
    if not answers:
        yield Unknown(AWS_NODE, "whether aws-node may patch pods was not asked of the API server")
        return
    allowed = all(r.allowed for r in answers)
    yield Evidence(f"{VARIABLE} is true, patching pods is {'allowed' if allowed else 'refused'}")
    if not allowed:
        yield Finding(
            subject=Subject("ClusterRole", "aws-node"),
            message=f"{VARIABLE} is true, but {answers[0].user or USER} may not patch pods: the annotation is never written",
            remedy="Grant the verb, and exempt the service account from admission policies that refuse changes to pods.",
            command=f"kubectl patch clusterrole aws-node --type json -p '{PATCH}'",
        )
