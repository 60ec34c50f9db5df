"""What moving off an engine has to know of it: data plane, release, what it does beside policies, what of the cluster is its own.

Signatures: projectcalico/calico and tigera/operator manifests, cilium/cilium's Helm chart, antrea-io/antrea,
cloudnativelabs/kube-router; features by their settings. What a setting cannot tell is not guessed: an engine whose settings were
not read has no features here, and `Details.unread` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eksnetpol.engines.catalog import catalog
from eksnetpol.engines.engine import Life, Mode, Presence, env_of
from eksnetpol.facts.declare import fact
from eksnetpol.facts.tracking import trackers
from eksnetpol.model.kubernetes import (
    ApiService,
    ConfigMap,
    CustomObject,
    CustomResourceDefinition,
    KindCount,
    Namespace,
    WebhookConfiguration,
    Workload,
)
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import ImageReference

_AGENTS = {
    "calico": ("calico-node",),
    "canal": ("calico-node",),
    "cilium": ("cilium-agent",),
    "antrea": ("antrea-agent",),
    "weave": ("weave",),
    "kube-router": ("kube-router",),
}
"""The agent's container, by engine."""

_OFF = frozenset({"", "false", "disabled", "never"})
_NAMESPACES = {
    "calico": ("calico-system", "calico-apiserver", "tigera-operator"),
    "cilium": ("cilium", "cilium-secrets", "cilium-spire"),
}


@dataclass(frozen=True, slots=True)
class Feature:
    """Something an engine does that goes with it. ``name`` is what a waiver names; ``blocks``: it has to be seen to before."""

    name: str
    words: str
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Details:
    """An engine that is there, and all that is its own. ``kinds`` are its policy kinds that have objects."""

    presence: Presence
    data_plane: str
    release: str
    features: tuple[Feature, ...]
    kinds: tuple[KindCount, ...]
    definitions: int
    namespaces: tuple[str, ...]
    webhooks: tuple[str, ...]
    api_services: tuple[str, ...]
    owners: tuple[str, ...]
    unread: tuple[str, ...] = ()


@fact
def engine_details(
    engines: tuple[Presence, ...],
    configmaps: tuple[ConfigMap, ...] | Unread,
    engine_settings: tuple[CustomObject, ...] | Unread,
    foreign_kinds: tuple[KindCount, ...] | Unread,
    crds: tuple[CustomResourceDefinition, ...] | Unread,
    namespaces: tuple[Namespace, ...] | Unread,
    webhooks: tuple[WebhookConfiguration, ...] | Unread,
    api_services: tuple[ApiService, ...] | Unread,
) -> tuple[Details, ...]:
    """Every other engine with what is its own, those that live first."""
    groups = {engine.name: engine.groups for engine in catalog()}
    config = {c.metadata.name: c.data for c in _known(configmaps)}
    settings = _known(engine_settings)
    found = []
    for presence in engines:
        own = groups.get(presence.name, ())
        unread = () if presence.name not in {"calico", "canal", "cilium"} else _unread(configmaps, engine_settings)
        found.append(
            Details(
                presence=presence,
                data_plane=_data_plane(presence, settings),
                release=_release(presence),
                features=tuple(_features(presence, config, settings, _known(foreign_kinds))),
                kinds=tuple(k for k in _known(foreign_kinds) if k.count and _is_of(k.group, own)),
                definitions=sum(_is_of(c.spec.group, own) for c in _known(crds)),
                namespaces=tuple(n.name for n in _known(namespaces) if n.name in _NAMESPACES.get(presence.name, ())),
                webhooks=tuple(w.metadata.name for w in _known(webhooks) if _calls(w, presence, own)),
                api_services=tuple(a.metadata.name for a in _known(api_services) if a.spec.service and _is_of(a.spec.group, own)),
                owners=tuple(_owners(presence.workload)),
                unread=unread,
            )
        )
    order = [Life.LIVE, Life.PARTIAL, Life.RESIDUE]
    return tuple(sorted(found, key=lambda d: order.index(d.presence.life)))


def _known(section: tuple[object, ...] | Unread) -> tuple:  # type: ignore[type-arg] # whatever the section holds
    return () if isinstance(section, Unread) else section


def _unread(*sections: tuple[object, ...] | Unread) -> tuple[str, ...]:
    return tuple(section.reason for section in sections if isinstance(section, Unread))


def _is_of(group: str, own: tuple[str, ...]) -> bool:
    return any(group == one or group.endswith(f".{one}") for one in own)


def _calls(webhook: WebhookConfiguration, presence: Presence, own: tuple[str, ...]) -> bool:
    """Say whether a webhook is the engine's: by its name's domain or by a word that only this engine uses."""
    name = webhook.metadata.name
    words = {"calico": ("calico", "tigera", "projectcalico"), "antrea": ("antrea",), "cilium": ("cilium",)}
    return any(group in name for group in own) or any(word in name for word in words.get(presence.name, ()))


def _owners(agent: Workload | None) -> Iterator[str]:
    if agent is None:
        return
    meta = agent.metadata
    yield from dict.fromkeys(tracker.tool for tracker in trackers(meta.labels, meta.annotations))
    if meta.labels.get("app.kubernetes.io/managed-by") == "tigera-operator" or any(
        owner.kind == "Installation" for owner in meta.owner_references
    ):
        yield "the Tigera operator"


def _release(presence: Presence) -> str:
    if presence.workload is None:
        return ""
    container = presence.workload.container(*_AGENTS.get(presence.name, ()))
    image = ImageReference.parse(container.image) if container is not None else None
    return "" if image is None else image.tag


def _data_plane(presence: Presence, settings: tuple[CustomObject, ...]) -> str:
    match presence.name:
        case "calico" | "canal":
            return _calico_plane(presence, settings)
        case "cilium":
            return "eBPF"
        case "antrea":
            return "Open vSwitch"
        case "weave" | "kube-router":
            return "iptables"
        case _:
            return ""


def _calico_plane(presence: Presence, settings: tuple[CustomObject, ...]) -> str:
    for setting in settings:
        network = setting.spec.get("calicoNetwork")
        if setting.kind == "Installation" and isinstance(network, dict) and network.get("linuxDataplane"):
            return {"BPF": "eBPF", "Iptables": "iptables", "Nftables": "nftables"}.get(
                str(network["linuxDataplane"]), str(network["linuxDataplane"])
            )
        if setting.kind == "FelixConfiguration" and setting.spec.get("bpfEnabled") is True:
            return "eBPF"
        if setting.kind == "FelixConfiguration" and setting.spec.get("nftablesMode") == "Enabled":
            return "nftables"
    env = env_of(presence.workload, "calico-node") if presence.workload is not None else {}
    if env.get("FELIX_BPFENABLED", "").lower() == "true":
        return "eBPF"
    return "nftables" if env.get("FELIX_NFTABLESMODE") == "Enabled" else "iptables"


def _features(
    presence: Presence,
    config: Mapping[str, Mapping[str, str]],
    settings: tuple[CustomObject, ...],
    kinds: tuple[KindCount, ...],
) -> Iterator[Feature]:
    match presence.name:
        case "calico" | "canal":
            yield from _of_calico(presence, settings)
        case "cilium":
            yield from _of_cilium(config.get("cilium-config", {}))
    own = {k.plural: k.count for k in kinds if k.count and _is_of(k.group, _groups(presence))}
    for plural, words in _LOST.items():
        if plural in own:
            yield Feature(plural, f"{own[plural]} {words}")


def _groups(presence: Presence) -> tuple[str, ...]:
    return next((engine.groups for engine in catalog() if engine.name == presence.name), ())


_LOST = {
    "hostendpoints": "HostEndpoints police nodes, which the VPC CNI does not: security groups have to",
    "ciliumegressgatewaypolicies": "CiliumEgressGatewayPolicies give traffic its way out of the cluster",
    "ciliumlocalredirectpolicies": "CiliumLocalRedirectPolicies lead traffic to pods of the node",
    "ciliumenvoyconfigs": "CiliumEnvoyConfigs steer traffic through a proxy",
    "ciliumclusterwideenvoyconfigs": "CiliumClusterwideEnvoyConfigs steer traffic through a proxy",
    "egresses": "Egresses give traffic its way out of the cluster",
}
"""Kinds whose work nobody does once the engine is gone."""

_CILIUM_SWITCHES = {
    "enable-host-firewall": "the host firewall polices nodes, which the VPC CNI does not",
    "enable-wireguard": "traffic between nodes is encrypted by WireGuard",
    "enable-ipsec": "traffic between nodes is encrypted by IPsec",
    "enable-l7-proxy": "rules may look into HTTP and DNS through a proxy",
}


def _of_calico(presence: Presence, settings: tuple[CustomObject, ...]) -> Iterator[Feature]:
    if _calico_plane(presence, settings) == "eBPF":
        yield Feature("kube-proxy", "it stands in for kube-proxy, which has to be back on every node first", blocks=True)
    env = env_of(presence.workload, "calico-node") if presence.workload is not None else {}
    if env.get("ETCD_ENDPOINTS") or env.get("DATASTORE_TYPE", "").startswith("etcd"):
        yield Feature("etcd", "its policies are kept in etcd, where no API server shows them", blocks=True)
    for setting in settings:
        if setting.kind == "FelixConfiguration":
            if setting.spec.get("wireguardEnabled") is True or setting.spec.get("wireguardEnabledV6") is True:
                yield Feature("wireguard", "traffic between nodes is encrypted by WireGuard")
            if str(setting.spec.get("egressIPSupport", "")).lower() not in {*_OFF, "none"}:
                yield Feature("egress-gateway", "egress gateways give traffic its way out of the cluster")


def _of_cilium(config: Mapping[str, str]) -> Iterator[Feature]:
    replacement = config.get("kube-proxy-replacement", "").lower()
    if replacement not in _OFF:
        yield Feature("kube-proxy", "it stands in for kube-proxy, which has to be back on every node first", blocks=True)
    for key, words in _CILIUM_SWITCHES.items():
        if config.get(key, "").lower() == "true":
            yield Feature(key.removeprefix("enable-"), words)


def is_full_cni(presence: Presence) -> bool:
    """Say whether an engine connects the pods as well: leaving it means new pods, not another policy engine."""
    return presence.mode is Mode.FULL_CNI
