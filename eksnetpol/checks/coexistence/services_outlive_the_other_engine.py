"""Services keep working when another engine goes."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import NotApplicable, check
from eksnetpol.engines.engine import Life, Presence
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.rivals import Ground, Rival
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import ConfigMap, CustomObject, Workload
from eksnetpol.model.snapshot import Unread

OFF = {"", "false", "disabled", "probe", "partial"}
"""Values of kube-proxy-replacement with which kube-proxy is still needed, and so still there."""


@check(
    title="Services do not depend on the engine that is to be removed",
    severity=Severity.BLOCKER,
    docs="https://docs.cilium.io/en/stable/network/kubernetes/kubeproxy-free/",
    sources=(
        "https://docs.cilium.io/en/stable/network/kubernetes/kubeproxy-free/",
        "https://docs.tigera.io/calico/latest/operations/ebpf/enabling-ebpf",
        "https://www.kube-router.io/docs/user-guide/",
    ),
    intents=frozenset({Intent.MIGRATE}),
)
def services_outlive_the_other_engine(
    rivals: tuple[Rival, ...],
    daemonsets: tuple[Workload, ...],
    configmaps: tuple[ConfigMap, ...] | Unread,
    engine_settings: tuple[CustomObject, ...] | Unread,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Cilium (kube-proxy-replacement), Calico (eBPF data plane) and kube-router (run-service-proxy) can stand in for kube-proxy.
    Where one does and kube-proxy runs nowhere, every Service stops with the engine: kube-proxy must be back, on each node, first.
    """
    working = [r.presence for r in rivals if r.presence.life is not Life.RESIDUE and r.ground is not Ground.APART]
    there = {p.name: p for p in working}
    if not there:
        raise NotApplicable("no other engine is on the nodes of the VPC CNI")
    proxy = next((d for d in daemonsets if d.name == "kube-proxy"), None)
    runs = proxy is not None and (proxy.status.desired_number_scheduled > 0 or proxy.status.observed_generation == 0)
    yield Evidence("kube-proxy runs" if runs else "kube-proxy runs nowhere")
    if runs:
        return
    for name, presence in there.items():
        instead = _stands_in(name, presence, configmaps, engine_settings)
        subject = Subject("Engine", name)
        if isinstance(instead, Unread):
            yield Unknown(subject, f"whether {presence.title} stands in for kube-proxy is not known: {instead.reason}")
        elif instead:
            yield Finding(
                subject=subject,
                message=f"{presence.title} stands in for kube-proxy ({instead}), and kube-proxy runs nowhere",
                remedy="Bring kube-proxy back and see its rules on every node before the engine goes.",
                command=changing.aws("create-addon", "--addon-name", "kube-proxy"),
            )


def _stands_in(
    name: str, presence: Presence, configmaps: tuple[ConfigMap, ...] | Unread, settings: tuple[CustomObject, ...] | Unread
) -> str | Unread:
    """Return what makes the engine *name* stand in for kube-proxy, empty where nothing does."""
    match name:
        case "cilium":
            return _cilium(configmaps)
        case "calico":
            return settings if isinstance(settings, Unread) else _calico(settings)
        case "kube-router":
            args = [a for c in presence.workload.containers for a in c.args] if presence.workload is not None else []
            return "" if "--run-service-proxy=false" in args else "run-service-proxy"
        case _:
            return ""


def _cilium(configmaps: tuple[ConfigMap, ...] | Unread) -> str | Unread:
    if isinstance(configmaps, Unread):
        return configmaps
    config = next((c for c in configmaps if c.metadata.name == "cilium-config"), None)
    if config is None:
        return Unread("ConfigMap cilium-config was not found")
    value = config.data.get("kube-proxy-replacement", "")
    return "" if value.lower() in OFF else f"kube-proxy-replacement {value}"


def _calico(settings: tuple[CustomObject, ...]) -> str:
    for setting in settings:
        network = setting.spec.get("calicoNetwork")
        if setting.kind == "Installation" and isinstance(network, dict) and network.get("linuxDataplane") == "BPF":
            return "linuxDataplane BPF"
        if setting.kind == "FelixConfiguration" and setting.spec.get("bpfEnabled") is True:
            return "bpfEnabled"
    return ""
