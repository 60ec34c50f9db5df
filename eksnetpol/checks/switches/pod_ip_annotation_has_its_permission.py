"""The CNI may write the annotation it is told to write."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CNI_README, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, installed
from eksnetpol.facts.agent_rights import AGENT, AgentRights
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import is_true, variable
from eksnetpol.facts.vpc_cni import Manager, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.snapshot import Unread

VARIABLE = "ANNOTATE_POD_IP"
PATCH = '[{"op":"add","path":"/rules/-","value":{"apiGroups":[""],"resources":["pods"],"verbs":["patch"]}}]'


@check(
    title="the CNI may annotate pods where it is told to",
    severity=Severity.WARNING,
    docs=CNI_README,
    sources=("open-policy-agent/gatekeeper#3719", CNI_README),
)
def pod_ip_annotation_has_its_permission(
    vpc_cni: VpcCni | None, agent_rights: AgentRights | Unread, changing: Changing
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
    if not is_true(found.value):
        raise NotApplicable(f"{VARIABLE} is {found.value!r}")
    if isinstance(agent_rights, Unread):
        yield Unknown(AWS_NODE, f"whether aws-node may patch pods is not known: {agent_rights.reason}")
        return
    allowed = agent_rights.may("patch", "pods", group="")
    if allowed is None:
        yield Unknown(AWS_NODE, "whether aws-node may patch pods was not asked of the API server")
        return
    yield Evidence(f"{VARIABLE} is true, patching pods is {'allowed' if allowed else 'refused'}")
    if not allowed:
        yield Finding(
            subject=Subject("ClusterRole", "aws-node"),
            message=f"{VARIABLE} is true, but {AGENT} may not patch pods: the annotation is never written",
            remedy=f"Grant the verb (add-on and chart do so where {VARIABLE} is set through them), and exempt the account "
            "from admission policies that refuse changes to pods.",
            command=f"kubectl patch clusterrole aws-node --type json -p '{PATCH}'"
            if changing.manager is Manager.MANIFEST
            else changing.set(f"env.{VARIABLE}", "true"),
        )
