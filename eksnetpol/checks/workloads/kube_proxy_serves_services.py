"""kube-proxy serves Services, as the controller assumes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eksnetpol.checks.declare import ENFORCING, LIMIT, NotApplicable, check
from eksnetpol.facts.vpc_cni import NAMESPACE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import ConfigMap, Workload
from eksnetpol.model.snapshot import SourceKind, Unread

_MODE = re.compile(r"""^\s*mode:\s*["']?(\w*)""", re.MULTILINE)


@check(
    title="kube-proxy serves Services",
    severity=Severity.ADVICE,
    docs=LIMIT,
    sources=("https://github.com/aws/amazon-network-policy-controller-k8s",),
    intents=ENFORCING,
)
def kube_proxy_serves_services(
    vpc_cni: VpcCni | None,
    daemonsets: tuple[Workload, ...],
    configmaps: tuple[ConfigMap, ...] | Unread,
    source: SourceKind,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The agent looks at egress before kube-proxy turns a Service's address into a pod's, so the controller opens both. Where
    something else serves Services (Cilium in kube-proxy's place), packets may show the pod's address already, and other rules
    decide.
    """
    if vpc_cni is None:
        raise NotApplicable("there is no aws-node DaemonSet")
    subject = Subject("DaemonSet", "kube-proxy", NAMESPACE)
    if any((d.namespace, d.name) == (NAMESPACE, "kube-proxy") for d in daemonsets):
        yield Evidence(f"kube-proxy, mode {_mode(configmaps)}")
    elif source is SourceKind.MANIFESTS:
        yield Unknown(subject, "whether kube-proxy runs: it is not in these files")
    else:
        yield Finding(
            subject=subject,
            message="there is no DaemonSet kube-proxy: something else serves Services, and other rules may decide",
            remedy="Try a policy with a Service on both sides before you rely on it; list Service and container ports alike.",
            command="kubectl get daemonsets -A | grep -i proxy",
        )


def _mode(configmaps: tuple[ConfigMap, ...] | Unread) -> str:
    if isinstance(configmaps, Unread):
        return "unknown"
    for name in ("kube-proxy-config", "kube-proxy"):
        for found in configmaps:
            if (found.metadata.namespace, found.metadata.name) == (NAMESPACE, name):
                modes = (_MODE.search(text) for text in found.data.values())
                return next((m[1] for m in modes if m and m[1]), "by default")
    return "unknown"
