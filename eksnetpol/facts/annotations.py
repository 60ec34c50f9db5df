"""Pods by the annotations that change what a policy does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eksnetpol.facts import policing  # noqa: F401 - declares the fact that is asked for below
from eksnetpol.facts.declare import fact
from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.universe import Classes, Universe, set_of

POD_ENI = "vpc.amazonaws.com/pod-eni"
"""A branch interface: security groups for pods."""
MULTUS = "k8s.v1.cni.cncf.io/networks"
"""Further interfaces by Multus."""
NIC_CONFIG = "k8s.amazonaws.com/nicConfig"
"""An interface per network card of the instance."""
MIRROR = "kubernetes.io/config.mirror"
"""A static pod's image in the API."""
BANDWIDTH = ("kubernetes.io/ingress-bandwidth", "kubernetes.io/egress-bandwidth")
"""Shaping by the bandwidth plug-in."""

_LOOKED_FOR = frozenset({POD_ENI, MULTUS, NIC_CONFIG, MIRROR, *BANDWIDTH})


@dataclass(frozen=True, slots=True)
class Annotated:
    """For each annotation the classes that have pods with it, and these pods by class index."""

    classes: Mapping[str, Classes]
    pods: Mapping[str, Mapping[int, tuple[Pod, ...]]]

    def of(self, annotation: str) -> Classes:
        """Return the classes that have pods with *annotation*."""
        return self.classes.get(annotation, 0)


@fact
def annotated(universe: Universe) -> Annotated:
    """One pass over all pods; most have no annotation that matters."""
    found: dict[str, dict[int, list[Pod]]] = {}
    for pod_class in universe.classes:
        for pod in [p for p in pod_class.pods if p.metadata.annotations]:
            for key in _LOOKED_FOR & pod.metadata.annotations.keys():
                found.setdefault(key, {}).setdefault(pod_class.index, []).append(pod)
    return Annotated(
        {key: set_of(by_class) for key, by_class in found.items()},
        {key: {i: tuple(pods) for i, pods in by_class.items()} for key, by_class in found.items()},
    )
