"""How runs end: what is compared between one that met trouble and one that did not."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from eksnetpol.execution.executor import carry_out
from eksnetpol.interfaces.acting import Watcher
from eksnetpol.model.kinds import CONFIGMAP, DAEMONSET, DEFINITION, NETWORK_POLICY
from eksnetpol.model.plan import Plan
from tests.execution.small_world import SmallWorld
from tests.execution.trouble import Disk, Heard, Process

HOLDER = "someone@somewhere"


def go(plan: Plan, world: SmallWorld, process: Process, watcher: Watcher | None = None, **how: Any) -> None:
    """Carry out *plan* by *process*."""
    carry_out(plan, process.hands, process.journal, world, watcher or Heard(), holder=HOLDER, **how)


def state_of(world: SmallWorld) -> Any:
    """What is there in the end, but for what differs between two objects of one name and content."""
    objects = {}
    for kind in (CONFIGMAP, DAEMONSET, NETWORK_POLICY, DEFINITION):
        for found in world.api.objects(kind):
            meta = {
                key: value for key, value in found["metadata"].items() if key in {"name", "namespace", "finalizers", "generation"}
            }
            owners = [(b["manager"], b["operation"], b.get("fieldsV1")) for b in found["metadata"].get("managedFields", ())]
            rest = re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "sometime", repr({k: v for k, v in found.items() if k != "metadata"}))
            objects[found["kind"], meta["name"]] = (meta, rest, sorted(map(repr, owners)))
    addon = None if world.addon is None else (world.addon.addon_version, world.addon.status, world.addon.configuration_values)
    return objects, addon, Counter(world.changed)


def events(disk: Disk) -> list[str]:
    """The journal in short."""
    return [f"{entry.event} {entry.step}".strip() for entry in disk.entries]
