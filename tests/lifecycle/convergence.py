"""What a cluster in memory comes to when a verb is carried out on it, and what is the same after the way back."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from eksnetpol.execution import backups
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.interfaces.acting import SilentWatcher
from eksnetpol.model import kinds
from eksnetpol.model.actions import BackUp
from eksnetpol.model.eks import AddonSchema
from eksnetpol.model.fingerprints import digest_of_file
from eksnetpol.model.kinds import Json, Kind, ObjectRef
from eksnetpol.model.plan import Plan
from eksnetpol.model.snapshot import Seen
from eksnetpol.model.versions import Release
from eksnetpol.operations.lifecycle import Options
from eksnetpol.operations.runs import MemoryJournal, perform, present, way_back
from eksnetpol.planning.disable import plan_disable
from eksnetpol.planning.enable import plan_enable
from eksnetpol.planning.options import DisableOptions, EnableOptions, UpgradeOptions
from eksnetpol.planning.restore import plan_restore
from eksnetpol.planning.upgrade import plan_upgrade
from eksnetpol.simulation.world import SimulatedCluster
from tests.assets.upstream import without_prose
from tests.planning.clusters import look, schema
from tests.planning.test_market import OFFERED

SCHEMAS = {v: AddonSchema(v, schema(v)["configurationSchema"]) for v in (*OFFERED, "v1.20.5-eksbuild.3")}
KINDS: tuple[Kind, ...] = (
    kinds.DAEMONSET,
    kinds.CONFIGMAP,
    kinds.CLUSTER_ROLE,
    kinds.DEFINITION,
    kinds.NODE_CLASS,
    kinds.NETWORK_POLICY,
    kinds.APPLICATION_POLICY,
    kinds.CLUSTER_POLICY,
    kinds.POLICY_ENDPOINT,
    kinds.CLUSTER_POLICY_ENDPOINT,
)
"""Everything that a plan may write, and what follows from it."""

MOVED = frozenset({"managedFields", "generation", "resourceVersion"})
"""What no way back brings back, of any object; `docs/lifecycle.md` has the list."""
RENEWED = frozenset({"uid", "creationTimestamp"})
"""What an object that was deleted and put back does not keep beside that."""
_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_POLICIES = frozenset({"NetworkPolicy", "ApplicationNetworkPolicy", "ClusterNetworkPolicy"})
_ENDPOINTS = frozenset({"PolicyEndpoint", "ClusterPolicyEndpoint"})


def said(world: SimulatedCluster) -> dict[str, Any]:
    """Return every field of every object that a plan may write, and of the add-on, but for what is documented as moved."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        for live in world.objects(kind):
            name, bare = _bare(copy.deepcopy(live))
            found[name] = bare
    addon = world.describe_addon("vpc-cni")
    if addon is not None:
        found["add-on"] = {
            name: getattr(addon, name) for name in addon.__struct_fields__ if name not in {"modified_at", "created_at"}
        }
    return found


def _bare(obj: Json) -> tuple[str, Json]:
    meta = obj["metadata"]
    gone = MOVED | (RENEWED if obj["kind"] in _POLICIES | _ENDPOINTS else frozenset())
    obj["metadata"] = {key: value for key, value in meta.items() if key not in gone and value not in ({}, [], "", None)}
    annotations = {k: v for k, v in meta.get("annotations", {}).items() if k != _TEMPLATE_GENERATION}
    obj["metadata"].pop("annotations", None)
    if annotations:
        obj["metadata"]["annotations"] = annotations
    for containers in _containers(obj):
        # The order of variables means nothing where none refers to another.
        containers["env"] = sorted(containers.get("env", ()), key=lambda variable: str(variable["name"]))
    # What has the object's generation in it, or is counted anew when pods are made anew.
    obj.pop("status", None)
    name = str(ObjectRef.of(obj))
    if obj["kind"] == "CustomResourceDefinition":
        # Prose, and what v1 of definitions only takes as false.
        obj = without_prose(obj)
        obj["spec"].pop("preserveUnknownFields", None)
    if obj["kind"] in _ENDPOINTS:
        # The controller gives them a random ending, and their owner another uid.
        name = re.sub("-[a-z0-9]{5}$", "", name)
        obj["metadata"] = {key: obj["metadata"].get(key) for key in ("namespace", "labels")}
    return name, obj


def _containers(obj: Json) -> list[Json]:
    spec = obj.get("spec", {}).get("template", {}).get("spec", {}) if obj["kind"] == "DaemonSet" else {}
    return [*spec.get("initContainers", ()), *spec.get("containers", ())]


def differing(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return where two clusters differ, each side as it is."""
    names = before.keys() | after.keys()
    return {name: (before.get(name), after.get(name)) for name in sorted(names) if before.get(name) != after.get(name)}


def planned(world: SimulatedCluster, wanted: Options) -> Plan:
    """Return the plan that *wanted* means on the cluster as it is now, with the schemas of all versions at hand."""
    catalog()
    seen = world.snapshot()
    addon = world.describe_addon("vpc-cni")
    if addon is not None and Release.parse(addon.addon_version) >= Release(1, 14, 0):
        version = addon.addon_version
        seen = replace(seen, addon_schema=Seen(AddonSchema(version, schema(version)["configurationSchema"])))
    facts = Lookup(seen)
    match wanted:
        case EnableOptions():
            return plan_enable(facts, wanted, schemas=SCHEMAS)
        case UpgradeOptions():
            return plan_upgrade(facts, wanted, schemas=SCHEMAS)
        case DisableOptions():
            return plan_disable(facts, wanted)


@dataclass(slots=True)
class Ran:
    """A run that ended well, and what it kept."""

    plan: Plan
    journal: MemoryJournal


@dataclass(slots=True)
class Journal(MemoryJournal):
    """One that finds the files of other runs too, as runs in one folder do."""

    others: dict[str, MemoryJournal] = field(default_factory=dict)

    def load(self, name: str, *, run: str = "") -> bytes | None:
        """Return a file of this or another run."""
        if run in {"", self.run}:
            return self.files.get(name)
        return self.others[run].load(name) if run in self.others else None


class Cluster:
    """A cluster in memory with its runs."""

    def __init__(self, short_or_world: Json | SimulatedCluster) -> None:
        self.world = short_or_world if isinstance(short_or_world, SimulatedCluster) else SimulatedCluster.of(look(short_or_world))
        self.runs: dict[str, MemoryJournal] = {}

    def said(self) -> dict[str, Any]:
        """Return what is there once controllers have come to rest."""
        self.world.sleep(600)
        return said(self.world)

    def plan(self, wanted: Options) -> Plan:
        """Return the plan for *wanted*."""
        return planned(self.world, wanted)

    def perform(self, plan: Plan) -> Ran:
        """Carry *plan* out as a new run."""
        journal = Journal(f"run-{len(self.runs)}", others=self.runs)
        self.runs[journal.run] = journal
        perform(plan, self.world, journal, self.world, SilentWatcher())
        return Ran(plan, journal)

    def back(self, ran: Ran) -> Ran:
        """Go back on a run."""
        return self.perform(way_back(ran.plan, ran.journal, self.world.now()))

    def restoring(self, ran: Ran) -> Plan:
        """Return the plan that puts back what *ran* backed up."""
        kept = next(s.action for s in ran.plan.steps if isinstance(s.action, BackUp))
        data = ran.journal.files[kept.file]
        file = backups.read(data, kept.file)
        return plan_restore(
            ran.plan.target,
            run=ran.journal.run,
            file=kept.file,
            digest=digest_of_file(data),
            objects=file.by_ref.values(),
            present=present(self.world, file.refs),
        )
