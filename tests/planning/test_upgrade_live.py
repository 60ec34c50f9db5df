"""A self-managed upgrade on a real API server: people apply upstream's manifest and edit it, the plan does the rest."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator

import pytest
import yaml

from eksnetpol.errors import Conflict
from eksnetpol.fields.holds import ABSENT, differences, value_at
from eksnetpol.fields.keeping import kept
from eksnetpol.gateways.hands import RealHands, hands_of
from eksnetpol.gateways.session import TargetOptions, connect
from eksnetpol.model.actions import Action, Apply, Create
from eksnetpol.model.conditions import Condition, Holds
from eksnetpol.model.kinds import DEFINITION, ObjectRef
from eksnetpol.model.plan import Step
from eksnetpol.model.versions import Release
from eksnetpol.planning.places import AGENT_ROLE, AWS_NODE, SETTINGS
from eksnetpol.planning.upgrade_manifest import plan_manifest
from tests.planning.manifests import Objects, facts_of, in_effect, manifest
from tests.planning.test_upgrade_manifest import hops_between
from tests.testbed.build import Components
from tests.testbed.cluster import ADMIN, ControlPlane

pytestmark = pytest.mark.testbed

NAMES = ("daemonset/aws-node", "configmap/amazon-vpc-cni", "clusterrole/aws-node")


@pytest.fixture(scope="module")
def plane(programs: Components, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A cluster of its own: nothing else may have an ``aws-node``."""
    started = ControlPlane.start(tmp_path_factory.mktemp("upgrade"), programs=programs)
    yield started
    started.stop()


def of_people(plane: ControlPlane, version: str) -> None:
    """Apply upstream's manifest as its README says, to where there is none, and change a few things as people do."""
    plane.did("delete", *NAMES, "-n", "kube-system", "--ignore-not-found")
    plane.did("apply", "-f", "-", stdin=yaml.safe_dump_all(manifest(version).values()))
    plane.did("set", "env", "daemonset/aws-node", "-n", "kube-system", "-c", "aws-node", "WARM_IP_TARGET=5", "WARM_ENI_TARGET=3")
    limits = ("--requests=cpu=50m", "--limits=memory=512Mi")
    plane.did("set", "resources", "daemonset/aws-node", "-n", "kube-system", "-c", "aws-node", *limits)


def read(hands: RealHands) -> Objects:
    """Return the VPC CNI's objects, whole."""
    named = [found for ref in (AWS_NODE, SETTINGS, AGENT_ROLE) if (found := hands.get(ref)) is not None]
    return {str(ObjectRef.of(o)): o for o in (*named, *hands.objects(DEFINITION))}


def act(hands: RealHands, action: Action) -> None:
    """Do what the executor does: apply, and force only what the plan names.

    Not with kubectl: its ``apply --server-side`` takes over what an ``apply`` before it owned, and so removes what is not said
    again; no API server does that by itself.
    """
    if isinstance(action, Create):
        hands.create(action.object)
    if not isinstance(action, Apply):
        return
    sent = kept(hands.get(action.ref), action.object, drops=action.drops)
    try:
        hands.apply(sent)
    except Conflict as conflict:
        taken = {(t.path, t.manager) for t in action.takes}
        if unnamed := set(conflict.fields) - taken:
            pytest.fail(f"not named in the plan: {sorted(unnamed)}")
        hands.apply(sent, force=True)


def holds(hands: RealHands, condition: Condition) -> bool:
    if not isinstance(condition, Holds):
        return True
    live = hands.get(condition.ref)
    return not differences(live, condition.object) and all(value_at(live, path) is ABSENT for path in condition.without)


def carry_out(hands: RealHands, steps: Iterable[Step]) -> None:
    for step in steps:
        act(hands, step.action)
        assert holds(hands, step.until), step.id


@pytest.mark.parametrize(("old", "new"), [("v1.14.1", "v1.18.5"), ("v1.18.5", "v1.23.0")])
def test_upgrade_and_way_back(plane: ControlPlane, old: str, new: str) -> None:
    hands = hands_of(connect(TargetOptions(kubeconfig=str(plane.kubeconfig(ADMIN)))))
    of_people(plane, old)
    before = read(hands)
    draft = plan_manifest(facts_of(copy.deepcopy(before)), Release.parse(old), hops_between(old, new))
    carry_out(hands, draft.steps)
    after = in_effect(read(hands))
    # What upstream's new manifest comes to with the same changes, on the same API server, made from nothing.
    undone = [s for s in reversed(draft.steps) if s.undo is not None]
    for step in undone:
        assert step.undo is not None
        act(hands, step.undo.action)
        assert holds(hands, step.undo.until), f"undoing {step.id}"
    assert in_effect(read(hands)) == in_effect(before)
    of_people(plane, new)
    assert after == in_effect(read(hands))
