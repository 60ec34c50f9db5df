"""Every release with network policy, on a real API server: what `enable` makes of it is upstream's manifest with it on.

People apply upstream's manifest and leave one thing out or on; the plan is made from a real look, the real executor carries it
out through the real hands, and goes back.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.facts.vpc_cni import MODE_VARIABLE
from eksnetpol.gateways.clock import SystemClock
from eksnetpol.gateways.collect import collect
from eksnetpol.gateways.hands import RealHands, hands_of
from eksnetpol.gateways.runs import Runs, new_run_id
from eksnetpol.gateways.session import Connection, TargetOptions, connect
from eksnetpol.interfaces import SilentObserver
from eksnetpol.interfaces.acting import SilentWatcher
from eksnetpol.model import eks
from eksnetpol.model.plan import Plan, Verb
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.model.versions import Release
from eksnetpol.operations.runs import perform, way_back
from eksnetpol.planning.enable import plan_enable
from eksnetpol.planning.options import EnableOptions
from eksnetpol.planning.places import AGENT_ROLE, AWS_NODE, SETTINGS
from tests.assets.upstream import RELEASES, enabled, upstream
from tests.lifecycle import starts
from tests.lifecycle.cluster import differing
from tests.planning.manifests import Objects, in_effect
from tests.testbed.build import Components
from tests.testbed.cluster import ADMIN, ControlPlane

pytestmark = pytest.mark.testbed

PICKED = frozenset(RELEASES if os.environ.get("EKSNETPOL_TEST_ALL") else (RELEASES[0], RELEASES[-1]))
"""Releases of which every variant is tried; of the others one each, by turns."""
NAMES = ("daemonset/aws-node", "configmap/amazon-vpc-cni", "clusterrole/aws-node")


@pytest.fixture(scope="module")
def plane(full_programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A cluster of its own, without nodes: nothing else may have an ``aws-node``."""
    started = ControlPlane.start(tmp_path_factory.mktemp("versions"), programs=full_programs)
    started.start_controllers()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def connection(plane: ControlPlane) -> Connection:
    return connect(TargetOptions(kubeconfig=str(plane.kubeconfig(ADMIN))))


def whole(objects: dict[str, Any]) -> None:
    """Leave everything as upstream has it."""


def controller_on(objects: dict[str, Any]) -> None:
    starts.key("true")(objects)


def agent_on(objects: dict[str, Any]) -> None:
    starts.flag(("--enable-network-policy=true",))(objects)


VARIANTS: tuple[Callable[[dict[str, Any]], None], ...] = (whole, starts.no_agent, starts.no_settings, controller_on, agent_on)


def applied(plane: ControlPlane, objects: list[Any]) -> None:
    """Apply *objects* as a README says, to where no VPC CNI is."""
    plane.did("delete", *NAMES, "-n", "kube-system", "--ignore-not-found")
    plane.did("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))


def varied(release: Release, change: Callable[[dict[str, Any]], None]) -> list[Any]:
    objects = copy.deepcopy(upstream(release))
    by_kind = {o["kind"]: o for o in objects if o["kind"] in {"DaemonSet", "ConfigMap", "ClusterRole"}}
    change(by_kind)
    return [o for o in objects if o["kind"] not in {"DaemonSet", "ConfigMap", "ClusterRole"} or o["kind"] in by_kind]


def read(hands: RealHands) -> Objects:
    """Return the VPC CNI's objects, whole; a ConfigMap that is not there says nothing."""
    found: Objects = {str(ref): live for ref in (AWS_NODE, SETTINGS, AGENT_ROLE) if (live := hands.get(ref)) is not None}
    found.setdefault(str(SETTINGS), {"kind": "ConfigMap", "metadata": {}})
    return found


def as_stored(hands: RealHands) -> Any:
    """Return all that is said in the objects, in effect, defaults included."""
    found = in_effect(read(hands))
    # A ConfigMap that was created says what the controller reads and nothing of Windows; one that says nothing is none.
    found["settings"] = (found["settings"] or {}).get("enable-network-policy-controller")
    # No mode is the standard one; agents that end without a mode are given it.
    modes = found["pods"]["containers"]["aws-node"]["env"]
    if modes.get(MODE_VARIABLE, {}).get("value") == "standard":
        del modes[MODE_VARIABLE]
    return found


def look(connection: Connection) -> ClusterSnapshot:
    seen = collect(connection, SilentObserver())
    # What AWS says of a cluster whose VPC CNI EKS does not manage.
    cluster = eks.Cluster(name="shop", version="1.33", status="ACTIVE")
    return replace(seen, cluster=Seen(cluster), addon=Seen(None))


def planned(connection: Connection) -> Plan:
    catalog()
    return plan_enable(Lookup(look(connection)), EnableOptions())


def carry_out(plan: Plan, connection: Connection, runs: Path) -> Plan:
    """Carry *plan* out as a run, and return the plan that goes back on it."""
    run = Runs.at(str(runs)).start(plan, new_run_id(plan.verb, datetime.now(UTC)))
    try:
        perform(plan, hands_of(connection, run=run.run), run, SystemClock(), SilentWatcher(), timeout=60)
        return way_back(plan, run, datetime.now(UTC))
    finally:
        run.release()


@pytest.mark.parametrize("release", RELEASES, ids=str)
def test_enabled_it_is_the_manifest_with_the_feature_on(
    plane: ControlPlane, connection: Connection, release: Release, tmp_path: Path
) -> None:
    hands = hands_of(connection)
    applied(plane, enabled(upstream(release)))
    wanted = as_stored(hands)
    # Newer manifests leave the definitions to the control plane of EKS, which this one is not.
    assert all(step.id.startswith("definition-") for step in planned(connection).steps)
    for variant in VARIANTS if release in PICKED else (VARIANTS[RELEASES.index(release) % len(VARIANTS)],):
        applied(plane, varied(release, variant))
        before = as_stored(hands)
        plan = planned(connection)
        assert plan.verb is Verb.ENABLE
        assert not plan.refusals, (variant, plan.refusals)
        back = carry_out(plan, connection, tmp_path / variant.__name__)
        assert not differing(as_stored(hands), wanted), variant
        again = planned(connection)
        assert not again.steps, (variant, [step.title for step in again.steps])
        carry_out(back, connection, tmp_path / f"{variant.__name__}-back")
        assert not differing(as_stored(hands), before), variant


