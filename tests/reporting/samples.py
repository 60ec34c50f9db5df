"""Reports as the formats meet them: a blocked cluster with everything in it, a ready one, and a set of files."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from eksnetpol.checks.judge import fingerprint
from eksnetpol.model.findings import (
    CheckResult,
    Disposition,
    Finding,
    Intent,
    JudgedFinding,
    Outcome,
    Report,
    Severity,
    Subject,
    Unknown,
    Verdict,
)
from eksnetpol.model.snapshot import Origin, SourceKind, Target, Unread, UnreadSection, Why

WHEN = datetime(2026, 6, 1, 12, 30, 5, tzinfo=UTC)
DOCS = "https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html"
ARN = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"
PROD = Target("prod", "eu-west-1", "111122223333", ARN, "https://ABC.gr7.eu-west-1.eks.amazonaws.com")
DENIED = Unread("listing pods was refused (403 Forbidden: pods is forbidden)", Why.DENIED, "list pods")


def found(  # noqa: PLR0913
    subject: Subject,
    message: str,
    *,
    severity: Severity = Severity.BLOCKER,
    remedy: str = "",
    command: str = "",
    evidence: tuple[str, ...] = (),
    disposition: Disposition = Disposition.OPEN,
    reason: str = "",
    origin: Origin | None = None,
) -> JudgedFinding:
    finding = Finding(subject, message, remedy, command, evidence)
    return JudgedFinding(finding, severity, "", disposition, reason, origin)


def result(  # noqa: PLR0913
    id_: str,
    family: str,
    title: str,
    outcome: Outcome,
    *,
    severity: Severity = Severity.BLOCKER,
    findings: tuple[JudgedFinding, ...] = (),
    reason: str = "",
    unknowns: tuple[Unknown, ...] = (),
    evidence: tuple[str, ...] = (),
    ignored: bool = False,
) -> CheckResult:
    rationale = f"Network policy needs it: {title}.\n\nWithout it, policies are accepted by the API server\nand never enforced."
    findings = tuple(msgspec.structs.replace(f, fingerprint=fingerprint(id_, f.finding.subject)) for f in findings)
    return CheckResult(id_, family, title, severity, outcome, reason, findings, unknowns, evidence, DOCS, rationale, ignored)


AWS_NODE = Subject("DaemonSet", "aws-node", "kube-system")
UPDATE = (
    "aws eks update-addon --cluster-name prod --region eu-west-1 --addon-name vpc-cni --addon-version v1.19.2-eksbuild.1 "
    """--resolve-conflicts PRESERVE --configuration-values '{"enableNetworkPolicy": "true"}'"""
)

BLOCKED = Report(
    tool_version="0.1.0",
    intent=Intent.ENABLE,
    source=SourceKind.LIVE,
    target=PROD,
    looked_at=WHEN,
    verdict=Verdict.BLOCKED,
    exit_code=1,
    results=(
        result(
            "cni-release-supports-policy",
            "control_plane",
            "the VPC CNI is 1.14.0 or later",
            Outcome.FAILED,
            findings=(
                found(
                    AWS_NODE,
                    "the running VPC CNI is v1.12.6, which predates network policy",
                    remedy="Upgrade the add-on to v1.14.0 or later, then enable network policy.",
                    command=UPDATE,
                    evidence=("image 602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.12.6-eksbuild.2",),
                ),
            ),
        ),
        result(
            "node-kernel-supports-agent",
            "nodes",
            "nodes run kernel 5.10 or later",
            Outcome.FAILED,
            severity=Severity.WARNING,
            findings=tuple(
                found(
                    Subject("Node", f"ip-10-0-{n}-7.eu-west-1.compute.internal"),
                    f"kernel 5.4.{200 + n}-amzn2 is older than 5.10",
                    severity=Severity.WARNING,
                    remedy="Move the node group to a current EKS optimized AMI.",
                    command=f"aws eks update-nodegroup-version --cluster-name prod --nodegroup-name workers-{n % 4}",
                )
                for n in range(42)
            ),
        ),
        result(
            "policies-select-something",
            "policies",
            "every policy selects a pod",
            Outcome.FAILED,
            severity=Severity.ADVICE,
            findings=(
                found(
                    Subject("NetworkPolicy", "allow-api", "shop"),
                    "selects no pod: app=apii",
                    severity=Severity.ADVICE,
                    remedy="Correct the selector or delete the policy.",
                    origin=Origin("deploy/shop/policies.yaml", 17),
                ),
                found(
                    Subject("NetworkPolicy", "legacy", "shop"),
                    "selects no pod: app=legacy",
                    severity=Severity.ADVICE,
                    remedy="Correct the selector or delete the policy.",
                    disposition=Disposition.WAIVED,
                    reason="kept for the autumn sale (team-shop), until 2026-12-31",
                ),
                found(
                    Subject("NetworkPolicy", "old", "shop"),
                    "selects no pod: app=old",
                    severity=Severity.ADVICE,
                    disposition=Disposition.BASELINE,
                    reason="already in the baseline",
                ),
            ),
        ),
        result(
            "agent-settles",
            "switches",
            "the agent runs on every node",
            Outcome.ERRORED,
            reason="this check broke (KeyError: 'aws-eks-nodeagent'); please report it",
        ),
        result(
            "pods-have-owners",
            "workloads",
            "pods that a policy selects have an owner",
            Outcome.UNKNOWN,
            reason=DENIED.reason,
        ),
        result(
            "service-ports-are-pod-ports",
            "workloads",
            "Services and their pods use the same port",
            Outcome.UNKNOWN,
            severity=Severity.WARNING,
            reason=DENIED.reason,
        ),
        result(
            "agent-release-is-known",
            "switches",
            "the release of the agent is known",
            Outcome.UNKNOWN,
            severity=Severity.WARNING,
            reason="the image is named by digest alone",
            unknowns=(Unknown(AWS_NODE, "the image is named by digest alone"),),
        ),
        result(
            "kubernetes-version-supports-policy",
            "control_plane",
            "Kubernetes is 1.25 or later",
            Outcome.PASSED,
            evidence=("Kubernetes 1.31, platform eks.12",),
        ),
        result("cluster-is-active", "control_plane", "the cluster is active", Outcome.PASSED, evidence=("ACTIVE",)),
        result("nodes-run-linux", "nodes", "nodes run Linux", Outcome.PASSED),
        result(
            "hybrid-nodes-are-known",
            "nodes",
            "hybrid nodes have their own engine",
            Outcome.SKIPPED,
            reason="there is no hybrid node",
        ),
    ),
    unread=(
        UnreadSection("pods", DENIED),
        UnreadSection("insights", Unread("this snapshot was taken without asking for it")),
    ),
    notes=("the waiver of pods-have-owners for pod/shop/* expired on 2026-05-31 and no longer waives anything",),
)

READY = Report(
    tool_version="0.1.0",
    intent=Intent.MIGRATE,
    source=SourceKind.SIMULATION,
    target=Target("staging", "us-east-2"),
    looked_at=WHEN,
    verdict=Verdict.READY,
    results=tuple(r for r in BLOCKED.results if r.outcome in {Outcome.PASSED, Outcome.SKIPPED}),
)

FILES = Report(
    tool_version="0.1.0",
    intent=Intent.ENABLE,
    source=SourceKind.MANIFESTS,
    target=Target(),
    looked_at=WHEN,
    verdict=Verdict.UNDETERMINED,
    results=(
        *(r for r in BLOCKED.results if r.id == "policies-select-something"),
        result(
            "kubernetes-version-supports-policy",
            "control_plane",
            "Kubernetes is 1.25 or later",
            Outcome.UNKNOWN,
            reason="the files do not say which version the cluster runs",
        ),
    ),
    unread=(UnreadSection("cluster", Unread("the files do not say which version the cluster runs", Why.NOT_IN_FILES)),),
)

SAMPLES = {"blocked": BLOCKED, "ready": READY, "files": FILES}
