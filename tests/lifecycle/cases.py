"""The changes that are interrupted and disturbed: each from a first state that the cluster is put back to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from eksnetpol.model.kinds import NETWORK_POLICY, POLICY_ENDPOINT, Json
from tests.lifecycle.actor import listed
from tests.lifecycle.cluster import AWS_NODE, CLUSTER, First, Place, copied

NEXT = "v1.21.2-eksbuild.2"
POLICIES = {"web": {"app": "web"}, "closed": {}, "egress": {"app": "job"}}
WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class Case:
    """A change: the command, and the name of the state it begins at."""

    name: str
    first: str
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Went:
    """How a change went without trouble: calls at both doors, writes to the run, what came of it."""

    calls: int
    begins: int
    """The number of the first call once there is a run."""
    ends: int
    """The number of the last call before the run was closed."""
    writes: int
    lines: int
    after: Json
    rolled: int
    """How often the DaemonSet was changed."""
    kept: dict[str, int]
    """The files that the run keeps, but for looks at the cluster, and how many objects each holds."""


CASES = (
    Case("enable an add-on", "addon", ("enable", "--yes")),
    Case("enable a manifest", "manifest", ("enable", "--yes")),
    Case("upgrade an add-on", "addon-on", ("upgrade", "--to", NEXT, "--yes")),
    Case("disable a manifest", "manifest-on", ("disable", "--yes")),
    Case("roll back an add-on", "addon-on", ("rollback", "--yes")),
    Case("roll back a manifest", "manifest-enabled", ("rollback", "--yes")),
)


def begun(place: Place, name: str) -> First:
    """Put the cluster back to a first state, which is made when it is wanted for the first time."""
    if name not in place.firsts:
        place.firsts[name] = _MADE[name](place)
    return place.put_back(name)


def runs_for(place: Place, first: First) -> Path:
    """Return a folder of runs for one more try: empty, or with the runs that belong to the state."""
    runs = place.runs()
    return copied(first.runs, runs) if first.runs else runs


def run_folders(runs: Path) -> set[str]:
    """Return the ids of all runs in a folder."""
    return {folder.name for folder in runs.glob("2*")}


def generation(place: Place) -> int:
    """Return how often the DaemonSet was changed since it was made."""
    with place.server() as server:
        live = server.get(AWS_NODE)
    assert live is not None
    return int(live["metadata"]["generation"])


def journal(runs: Path, of: str = "") -> list[Json]:
    """Return the lines of the newest run, or of the one named, its header first; none where there is no run."""
    names = sorted(name for name in run_folders(runs) if of in {"", name})
    return [json.loads(line) for line in (runs / names[-1] / "journal.jsonl").read_text().splitlines()] if names else []


# --- first states -----------------------------------------------------------------------------------------------------------


def _manifest(place: Place) -> First:
    """The same objects as somebody applied them by kubectl, and no add-on in EKS."""
    addon = place.firsts["addon"]
    objects = {ref: json.loads(json.dumps(obj)) for ref, obj in addon.objects.items()}
    for ref, obj in objects.items():
        for line in obj["metadata"].get("managedFields", ()):
            if line["manager"] == "eks" and ref.kind != "CustomResourceDefinition":
                line["manager"] = "kubectl"
    here = addon.eks.of(CLUSTER)
    return First(objects, replace(addon.eks, clusters={CLUSTER: replace(here, addons={})}))


def _enabled(first: str) -> Callable[[Place], First]:
    def make(place: Place) -> First:
        begun(place, first)
        runs = place.runs()
        done = place.run("enable", "--yes", runs=runs)
        assert done.code == 0, done.err
        place.settle()
        return place.kept(runs)

    return make


def _policed(place: Place) -> First:
    """Enabled, with policies in force."""
    begun(place, "manifest-enabled")
    with place.server() as server:
        for name, labels in POLICIES.items():
            meta = {"name": name, "namespace": "shop"}
            types = ["Egress"] if name == "egress" else ["Ingress"]
            spec = {"podSelector": {"matchLabels": labels}, "policyTypes": types}
            policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}
            assert server.create(policy, "kubectl").ok
        deadline = time.monotonic() + WITHIN
        while len(listed(server, POLICY_ENDPOINT)) < len(POLICIES):
            assert time.monotonic() < deadline, "the controller does nothing"
            time.sleep(0.1)
        assert len(listed(server, NETWORK_POLICY)) == len(POLICIES)
    return place.kept()


_MADE: dict[str, Callable[[Place], First]] = {
    "manifest": _manifest,
    "addon-on": _enabled("addon"),
    "manifest-enabled": _enabled("manifest"),
    "manifest-on": _policed,
}
