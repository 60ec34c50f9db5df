"""Pods as they come in: many, and most of them alike.

Containers are decoded without environment, arguments and commands, and encoded again with what is left; the pods of one workload
then have the same bytes, which are kept once. `msgspec.Raw` is a view into the page it was decoded from: a label that is kept
as it comes keeps the page with it, so labels are copied out, and kept once too.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import force_setattr

from eksnetpol.gateways.sanitize import kept_annotations
from eksnetpol.model import kubernetes as k8s

TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds credentials for the API server: the one mount that is kept, because it tells who talks to it."""

_TOKEN_VOLUME = "kube-api-access"


class _Container(k8s.ApiObject, frozen=True):
    """`k8s.Container` without ``env`` and ``args``, and with the members in the same order."""

    name: str = ""
    image: str = ""
    ports: tuple[k8s.ContainerPort, ...] = ()
    volume_mounts: tuple[k8s.VolumeMount, ...] = ()
    resources: k8s.Resources = k8s.Resources()
    security_context: k8s.SecurityContext | None = None
    liveness_probe: k8s.Probe | None = None
    readiness_probe: k8s.Probe | None = None
    startup_probe: k8s.Probe | None = None
    restart_policy: str = ""


class _Spec(k8s.ApiObject, frozen=True):
    node_name: str = ""
    service_account_name: str = ""
    automount_service_account_token: bool | None = None
    host_network: bool = False
    containers: tuple[_Container, ...] = ()
    init_containers: tuple[_Container, ...] = ()


class WirePod(k8s.ApiObject, frozen=True):
    """A pod as it is decoded from a page."""

    metadata: k8s.PodMeta
    spec: _Spec = _Spec()
    status: k8s.PodStatus = k8s.PodStatus()


class PodReducer:
    """Makes pods of wire pods, sharing what they have in common. One per list; not for several threads at once."""

    def __init__(self) -> None:
        self._raw: dict[bytes, msgspec.Raw] = {}
        self._same: dict[Any, Any] = {}
        self._encode = msgspec.json.Encoder().encode

    def __call__(self, wire: WirePod) -> k8s.Pod:
        """Return *wire* as a pod that holds nothing of the page it came from."""
        meta, spec = wire.metadata, wire.spec
        same = self._same
        # The metadata was decoded a moment ago and nobody else has it yet.
        force_setattr(meta, "labels", self._shared(bytes(meta.labels)))
        force_setattr(meta, "namespace", same.setdefault(meta.namespace, meta.namespace))
        if meta.owner_references:
            force_setattr(meta, "owner_references", same.setdefault(meta.owner_references, meta.owner_references))
        if meta.annotations:
            force_setattr(meta, "annotations", kept_annotations(meta.annotations))
        return k8s.Pod(
            meta,
            k8s.PodSpec(
                same.setdefault(spec.node_name, spec.node_name),
                same.setdefault(spec.service_account_name, spec.service_account_name),
                spec.automount_service_account_token,
                spec.host_network,
                self._containers(spec.containers),
                self._containers(spec.init_containers),
            ),
            wire.status,
        )

    def _shared(self, data: bytes) -> msgspec.Raw:
        found = self._raw.get(data)
        if found is None:
            found = self._raw[data] = msgspec.Raw(data)
        return found

    def _containers(self, found: tuple[_Container, ...]) -> msgspec.Raw:
        for container in found:
            if container.volume_mounts:
                force_setattr(container, "volume_mounts", _token_mount(container.volume_mounts))
        return self._shared(self._encode(found))


def _token_mount(mounts: tuple[k8s.VolumeMount, ...]) -> tuple[k8s.VolumeMount, ...]:
    # The volume's name ends in five random letters per pod, so it would keep equal pods apart.
    return _MOUNT if any(m.mount_path == TOKEN_MOUNT for m in mounts) else ()


_MOUNT = (k8s.VolumeMount(_TOKEN_VOLUME, TOKEN_MOUNT),)
