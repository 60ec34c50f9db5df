"""DaemonSets, Deployments, StatefulSets, Jobs and their revisions."""

from __future__ import annotations

from typing import Any

import msgspec

from eksnetpol.model.objects.metadata import ApiObject, Named, ObjectMeta
from eksnetpol.model.objects.pods import Container
from eksnetpol.model.selectors import LabelSelector


class HostPath(ApiObject, frozen=True):
    """A host path."""

    path: str = ""


class Volume(ApiObject, frozen=True):
    """A volume; only host paths matter here."""

    name: str = ""
    host_path: HostPath | None = None


class TemplateSpec(ApiObject, frozen=True):
    """The pod a workload makes."""

    service_account_name: str = ""
    automount_service_account_token: bool | None = None
    host_network: bool = False
    node_selector: dict[str, str] = msgspec.field(default_factory=dict)
    affinity: dict[str, Any] = msgspec.field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()


class Template(ApiObject, frozen=True):
    """Metadata and spec of the pods a workload makes."""

    metadata: ObjectMeta = ObjectMeta()
    spec: TemplateSpec = TemplateSpec()


class RollingUpdate(ApiObject, frozen=True):
    """How many pods of a DaemonSet may be away at once: a number or a share of the nodes, e.g. ``10%``. None is not said."""

    max_unavailable: int | str | None = None
    max_surge: int | str | None = None


class UpdateStrategy(ApiObject, frozen=True):
    """``RollingUpdate`` or ``OnDelete``."""

    type: str = ""
    rolling_update: RollingUpdate | None = None


class WorkloadSpec(ApiObject, frozen=True):
    """What the workload kinds have in common. ``replicas`` is None where the kind has none or the API's default is meant."""

    selector: LabelSelector | None = None
    template: Template = Template()
    replicas: int | None = None
    update_strategy: UpdateStrategy = UpdateStrategy()
    ttl_seconds_after_finished: int | None = None


class WorkloadStatus(ApiObject, frozen=True):
    """Counters of DaemonSets and of Deployments; each kind fills its own."""

    observed_generation: int = 0
    desired_number_scheduled: int = 0
    current_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    replicas: int = 0
    ready_replicas: int = 0


class Workload(Named, frozen=True):
    """A DaemonSet, Deployment, StatefulSet, ReplicaSet or Job. ``kind`` is filled at the door: lists do not carry it."""

    kind: str = ""
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()

    @property
    def containers(self) -> tuple[Container, ...]:
        """The containers of its pods."""
        return self.spec.template.spec.containers

    def container(self, *names: str) -> Container | None:
        """Return the first container with one of *names*: positions differ between installs, names do not."""
        return next((c for c in self.containers if c.name in names), None)


class BudgetSpec(ApiObject, frozen=True):
    """How many of the selected pods have to stay: a number or a share of them, e.g. ``50%``. One of the two is said."""

    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    selector: LabelSelector | None = None
    unhealthy_pod_eviction_policy: str = ""


class BudgetStatus(ApiObject, frozen=True):
    """What its controller counted last: ``disruptions_allowed`` pods may be evicted now."""

    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0


class DisruptionBudget(Named, frozen=True):
    """A PodDisruptionBudget."""

    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()


class ControllerRevision(ApiObject, frozen=True):
    """One stored template of a DaemonSet; ``images`` is filled at the door from its data, as ``container=image``."""

    metadata: ObjectMeta
    revision: int = 0
    images: tuple[str, ...] = ()
