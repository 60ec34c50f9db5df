"""Which workload a pod belongs to."""

from __future__ import annotations

from eksnetpol.model.findings import Subject
from eksnetpol.model.kubernetes import Pod


def owner_of(pod: Pod) -> Subject:
    """Return what people call the workload of *pod*: its Deployment rather than the ReplicaSet in between, else its owner.

    A Deployment names its ReplicaSets after itself and the ``pod-template-hash`` it puts on their pods. A pod that nothing owns
    is its own workload.
    """
    owner = next((o for o in pod.metadata.owner_references if o.controller), None)
    owner = owner or next(iter(pod.metadata.owner_references), None)
    if owner is None:
        return Subject("Pod", pod.name, pod.namespace)
    template = pod.labels.get("pod-template-hash")
    if owner.kind == "ReplicaSet" and template and owner.name.endswith(f"-{template}"):
        return Subject("Deployment", owner.name.removesuffix(f"-{template}"), pod.namespace)
    return Subject(owner.kind, owner.name, pod.namespace)
