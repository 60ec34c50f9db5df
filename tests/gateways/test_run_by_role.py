"""A whole run by somebody who holds exactly the shipped role, and by one whose role lacks something midway."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eksnetpol.errors import EksNetpolError
from eksnetpol.execution.executor import carry_out
from eksnetpol.gateways.clock import SystemClock
from eksnetpol.gateways.hands import RealHands, hands_of
from eksnetpol.gateways.permits import CHANGING, Permissions, permissions_for
from eksnetpol.gateways.run_folder import RunFolder
from eksnetpol.gateways.runs import Runs, new_run_id
from eksnetpol.gateways.session import TargetOptions, connect
from eksnetpol.interfaces.acting import SilentWatcher
from eksnetpol.model import kinds
from eksnetpol.model.actions import Apply, BackUp, Delete, ObjectId, Restore, StripFinalizer, Taking
from eksnetpol.model.conditions import Absent, BackedUp, Holds, Restored, Unfinalized
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.plan import Plan, Step, Verb
from tests.gateways.live import Live, rendered
from tests.testbed.proxy import Answer, Script, proxying

pytestmark = pytest.mark.testbed

FINALIZER = "networking.k8s.aws/resources"
KEY = "enable-network-policy-controller"


def switch(value: str) -> Json:
    meta = {"name": "amazon-vpc-cni", "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {KEY: value}}


@pytest.fixture
def policy(admin: RealHands, namespace: str) -> Iterator[ObjectId]:
    made = admin.create(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "deny", "namespace": namespace, "finalizers": [FINALIZER]},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        }
    )
    ref = ObjectRef.of(made)
    yield ObjectId(ref, made["metadata"]["uid"])
    if (admin.get(ref) or {"metadata": {}})["metadata"].get("finalizers"):
        admin.patch(ref, [{"op": "remove", "path": "/metadata/finalizers"}])


def disabling(policy: ObjectId, value: str) -> Plan:
    """Return a plan that has an action of each sort: the ConfigMap applied, a policy backed up, freed, deleted and put back."""
    objects, wanted, file = (policy,), switch(value), "policies.json"
    return Plan(
        verb=Verb.DISABLE,
        steps=(
            Step("back-up", "Back up", BackUp(objects, file), BackedUp(file, objects)),
            Step("switch", "Switch", Apply(wanted, (Taking(f".data.{KEY}", "kubectl"),), keeps=True), Holds(wanted)),
            Step("free", "Free the policy", StripFinalizer(objects, FINALIZER), Unfinalized(objects, FINALIZER)),
            Step("delete", "Delete the policy", Delete(objects), Absent(objects)),
            Step("restore", "Put it back", Restore(file), Restored(file)),
        ),
    )


@pytest.fixture
def run(tmp_path: Path, policy: ObjectId) -> Iterator[RunFolder]:
    plan = disabling(policy, secrets.token_hex(4))
    started = Runs.at(str(tmp_path)).start(plan, new_run_id(plan.verb, datetime.now(UTC)))
    yield started
    started.release()


def carried_out(run: RunFolder, hands: RealHands) -> None:
    carry_out(run.plan(), hands, run, SystemClock(), SilentWatcher(), holder="a test", timeout=60)


def is_done(run: RunFolder, admin: RealHands, policy: ObjectId) -> bool:
    action = run.plan().steps[1].action
    assert isinstance(action, Apply)
    found = admin.get(ObjectRef.to(kinds.CONFIGMAP, "amazon-vpc-cni", "kube-system"))
    restored = admin.get(policy.ref)
    assert found is not None
    assert restored is not None
    (summary,) = Runs(run.folder.parent).all()
    done = [e.step for e in run.entries() if e.event == "succeeded"]
    return (
        run.entries()[-1].event == "closed"
        and (summary.done, summary.steps) == (5, 5)
        and done == [step.id for step in run.plan().steps]
        and found["data"][KEY] == action.object["data"][KEY]
        and restored["metadata"]["uid"] != policy.uid
    )


def test_the_shipped_role_carries_a_run_to_its_end(live: Live, admin: RealHands, run: RunFolder, policy: ObjectId) -> None:
    carried_out(run, hands_of(connect(live.options()), run=run.run))
    assert is_done(run, admin, policy)


@pytest.mark.parametrize(
    ("verb", "resource", "stops_at"),
    [
        ("patch", "configmaps", "switch"),
        ("patch", "networkpolicies", "free"),
        ("delete", "networkpolicies", "delete"),
        ("create", "networkpolicies", "restore"),
    ],
)
def test_a_run_that_lacks_a_right_midway_goes_on_when_it_is_granted(
    live: Live, admin: RealHands, run: RunFolder, policy: ObjectId, verb: str, resource: str, stops_at: str
) -> None:
    needed = permissions_for(*CHANGING)
    less = Permissions(rbac=tuple(p for p in needed.rbac if (p.verb, p.resource) != (verb, resource)))
    name = f"midway-{secrets.token_hex(4)}"
    live.plane.apply(*rendered(less, name))
    connection = connect(live.as_admin(as_user=name, as_groups=(name,)))
    assert connection.kubernetes is not None
    may = connection.kubernetes.may
    _until_true(lambda: may("list", "nodes"))
    with pytest.raises(EksNetpolError) as caught:
        carried_out(run, hands_of(connection))
    assert f"not allowed to {verb} {resource}" in str(caught.value)
    assert caught.value.exit_code in {3, 4, 5}
    done = [e.step for e in run.entries() if e.event == "succeeded"]
    assert done == [s.id for s in run.plan().steps][: [s.id for s in run.plan().steps].index(stops_at)]
    live.plane.apply(*rendered(needed, name))
    namespaced = {p.namespace for p in needed.rbac if (p.verb, p.resource) == (verb, resource)}.pop()
    names = next(p.names for p in needed.rbac if (p.verb, p.resource) == (verb, resource))
    group = next(p.group for p in needed.rbac if (p.verb, p.resource) == (verb, resource))
    _until_true(lambda: may(verb, resource, group=group, name=(*names, "")[0], namespace=namespaced))
    carried_out(run, hands_of(connection))
    assert is_done(run, admin, policy)


def _until_true(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_credentials_that_run_out_midway_leave_a_run_that_can_be_resumed(
    live: Live, admin: RealHands, run: RunFolder, policy: ObjectId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eksnetpol.execution.waiting.SIGNING_IN", 0.5)
    script = Script()
    with proxying(script, live.plane.url, authority=live.plane.authority) as url:
        hands = hands_of(connect(TargetOptions(kubeconfig=str(live.plane.kubeconfig(server=url)))))
        script.when(lambda call: call.method == "DELETE", Answer(401), times=1_000)
        with pytest.raises(EksNetpolError) as caught:
            carried_out(run, hands)
    assert "does not accept these credentials" in str(caught.value)
    assert caught.value.exit_code in {3, 4, 5}
    carried_out(run, hands_of(connect(live.as_admin())))
    assert is_done(run, admin, policy)


def test_somebody_without_any_right_changes_nothing(live: Live, run: RunFolder) -> None:
    with pytest.raises(EksNetpolError) as caught:
        carried_out(run, hands_of(connect(live.as_admin(as_user="nobody"))))
    assert "not allowed to" in str(caught.value)
    assert [e for e in run.entries() if e.event in {"started", "acted", "succeeded"}] == []
