"""The pods that files speak of: those they hold, and one for each template of a workload.

A template's pod has the name its controller would give it, ``x`` standing for letters that are drawn at random: what the name
decides (`eksnetpol.policy.identity`) is then as it will be.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import force_setattr, replace

from eksnetpol.gateways import sanitize
from eksnetpol.gateways.manifest_kinds import Key, named
from eksnetpol.gateways.manifest_objects import Found
from eksnetpol.gateways.pods import PodReducer, WirePod
from eksnetpol.model import kubernetes as k8s


class _Template(WirePod, frozen=True):
    metadata: k8s.PodMeta = k8s.PodMeta()


class _Spec(k8s.ApiObject, frozen=True):
    template: _Template = _Template()


class _Workload(k8s.ApiObject, frozen=True):
    metadata: k8s.PodMeta
    spec: _Spec = _Spec()


class _JobTemplate(k8s.ApiObject, frozen=True):
    spec: _Spec = _Spec()


class _CronSpec(k8s.ApiObject, frozen=True):
    job_template: _JobTemplate = _JobTemplate()


class _CronJob(k8s.ApiObject, frozen=True):
    metadata: k8s.PodMeta
    spec: _CronSpec = _CronSpec()


SUFFIXES: Mapping[Key, str] = {
    ("apps", "Deployment"): "-xxxxxxxxxx-xxxxx",
    ("apps", "ReplicaSet"): "-xxxxx",
    ("apps", "DaemonSet"): "-xxxxx",
    ("apps", "StatefulSet"): "-0",
    ("batch", "Job"): "-xxxxx",
    ("batch", "CronJob"): "-xxxxxxxx-xxxxx",
}
"""Workloads that have a template, and what their controllers put after the workload's name."""

_AGENT = ("kube-system", "aws-node")


class Pods:
    """Gathers the pods of a set of files."""

    def __init__(self) -> None:
        self._reduce = PodReducer()
        self._real: dict[tuple[str, str], k8s.Pod] = {}
        self._made: dict[tuple[str, str, str], k8s.Pod] = {}
        self._agents: dict[str, k8s.AgentPod] = {}
        self._owners: set[tuple[str, str, str]] = set()
        self._pod = msgspec.json.Decoder(WirePod)
        self._agent = msgspec.json.Decoder(k8s.AgentPod)
        self._workload = msgspec.json.Decoder(_Workload)
        self._cron_job = msgspec.json.Decoder(_CronJob)

    def add(self, found: Found) -> k8s.Pod:
        """Take a pod, and return it as it is kept."""
        wire = found.decode(self._pod)
        named(wire.metadata, found, namespaced=True)
        force_setattr(wire.metadata, "labels", _compact(wire.metadata.labels))
        pod = self._checked(self._reduce(wire), found, "")
        self._real[pod.namespace, pod.name] = pod
        self._owners.update(_owners_of(pod))
        if (pod.namespace, pod.labels.get("k8s-app")) == _AGENT:
            agent = found.decode(self._agent)
            named(agent.metadata, found, namespaced=True)
            # Without a status it is nobody's pod yet, and says nothing of how the agent fares.
            if agent.status.container_statuses:
                self._agents[pod.name] = sanitize.agent_pod(agent)
        return pod

    def add_template(self, found: Found) -> k8s.Pod | None:
        """Take the template of a workload, and return its pod; None where another workload made this one.

        A ReplicaSet of a Deployment and a Job of a CronJob repeat the template of what made them.
        """
        meta, template, where = self._template(found)
        named(meta, found, namespaced=True)
        if any(owner.controller for owner in meta.owner_references):
            return None
        owner = k8s.OwnerReference(found.kind, meta.name, meta.uid, found.api_version, controller=True)
        wire = WirePod(
            replace(
                template.metadata,
                name=f"{meta.name}{SUFFIXES[found.group, found.kind]}",
                namespace=meta.namespace,
                uid="",
                labels=_compact(template.metadata.labels),
                owner_references=(owner,),
            ),
            template.spec,
        )
        pod = self._checked(self._reduce(wire), found, where)
        self._made[found.kind, meta.namespace, meta.name] = pod
        return pod

    def all(self) -> tuple[k8s.Pod, ...]:
        """Return all pods. A template whose own pods are in the files too adds none."""
        made = (pod for (kind, *name), pod in self._made.items() if (kind, *name) not in self._owners)
        return (*self._real.values(), *made)

    def agents(self) -> tuple[k8s.AgentPod, ...]:
        """Return the pods of ``aws-node`` with the state of their containers."""
        return tuple(self._agents.values())

    def _template(self, found: Found) -> tuple[k8s.PodMeta, _Template, str]:
        if found.kind == "CronJob":
            cron = found.decode(self._cron_job)
            return cron.metadata, cron.spec.job_template.spec.template, "spec.jobTemplate.spec.template."
        workload = found.decode(self._workload)
        return workload.metadata, workload.spec.template, "spec.template."

    def _checked(self, pod: k8s.Pod, found: Found, where: str) -> k8s.Pod:
        # Labels stay undecoded, so nothing has looked at their types yet.
        try:
            k8s.labels_of(bytes(pod.metadata.labels))
        except msgspec.ValidationError as error:
            words, _, path = str(error).partition(" - at `$")
            raise found.wrong(f"{words} - at `$.{where}metadata.labels{path or '`'}") from None
        return pod


def _compact(raw: msgspec.Raw) -> msgspec.Raw:
    # Equal labels are one text, however they were indented.
    return msgspec.Raw(msgspec.json.format(bytes(raw), indent=-1))


def _owners_of(pod: k8s.Pod) -> set[tuple[str, str, str]]:
    """Return the workloads *pod* can come from: its owner, and what made that, by the name it gives."""
    found = set()
    for owner in pod.metadata.owner_references:
        found.add((owner.kind, pod.namespace, owner.name))
        above = {"ReplicaSet": "Deployment", "Job": "CronJob"}.get(owner.kind)
        if above:
            found.add((above, pod.namespace, owner.name.rpartition("-")[0]))
    return found
