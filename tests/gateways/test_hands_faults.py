"""Every change, with every fault on its way: it comes true once, or says that it may have."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from eksnetpol.errors import Busy, Conflict, Exists, NotFound, TransientError, Unauthenticated, Unreachable
from eksnetpol.gateways.hands import RealHands, hands_of
from eksnetpol.gateways.kubernetes import KubernetesApi
from eksnetpol.gateways.kubernetes_http import ATTEMPTS
from eksnetpol.gateways.session import Connection, TargetOptions, connect
from eksnetpol.model import kinds
from eksnetpol.model.actions import CreateAddon, UpdateAddon
from eksnetpol.model.kinds import Json, ObjectRef
from tests.gateways.live import CLUSTER, Live
from tests.testbed.eks_endpoint import eks_addon
from tests.testbed.proxy import Answer, Cut, Delay, Fault, Lost, Reset, Script, proxying

pytestmark = pytest.mark.testbed

OLD, NEW = "v1.20.4-eksbuild.2", "v1.20.5-eksbuild.1"
VALUES = '{"enableNetworkPolicy":"true"}'
TOKEN = "a-token"


@dataclass(slots=True)
class Wire:
    """Hands with a proxy on each of their ways. ``waits`` are the pauses that were made between attempts."""

    hands: RealHands
    script: Script
    waits: list[float]
    connection: Connection

    def made(self, method: str) -> int:
        """Return how many calls of *method* arrived."""
        return sum(call.method == method for call in self.script.calls)


def unhurried(connection: Connection, waits: list[float]) -> Connection:
    """Let the API server's door write down its pauses instead of making them."""
    assert isinstance(connection.kubernetes, KubernetesApi)
    connection.kubernetes.api.sleep = waits.append
    return connection


@pytest.fixture
def wire(live: Live) -> Iterator[Wire]:
    script, waits = Script(), list[float]()
    with proxying(script, live.plane.url, authority=live.plane.authority) as url:
        options = TargetOptions(kubeconfig=str(live.plane.kubeconfig(server=url)), request_timeout=1.5)
        connection = unhurried(connect(options), waits)
        hands = hands_of(connection, run="20261127-030744-enable-4f2a")
        script.begin()
        yield Wire(hands, script, waits, connection)


def policy(namespace: str, **labels: str) -> Json:
    meta: Json = {"name": "deny", "namespace": namespace, "finalizers": ["example.com/kept"]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": meta | ({"labels": labels} if labels else {}),
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }


def lease(namespace: str, holder: str) -> Json:
    meta = {"name": "eksnetpol", "namespace": namespace}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": {"holderIdentity": holder}}


# --- the changes, each with what has to be there before and what it leaves ---------------------------------------------------

Change = Callable[[RealHands, Json], object]
STRIP: list[Json] = [
    {"op": "test", "path": "/metadata/finalizers/0", "value": "example.com/kept"},
    {"op": "remove", "path": "/metadata/finalizers"},
]


def _create(hands: RealHands, before: Json) -> object:
    return hands.create(before)


def _apply(hands: RealHands, before: Json) -> object:
    return hands.apply(policy(before["metadata"]["namespace"], tier="web"))


def _patch(hands: RealHands, before: Json) -> object:
    return hands.patch(ObjectRef.of(before), STRIP)


def _replace(hands: RealHands, before: Json) -> object:
    return hands.replace({**before, "spec": {"holderIdentity": "us"}})


def _delete(hands: RealHands, before: Json) -> None:
    hands.delete(ObjectRef.of(before), uid=before["metadata"]["uid"])


def _there(live: Json | None) -> bool:
    return live is not None


CHANGES: dict[str, tuple[Change, str, Callable[[Json | None], bool]]] = {
    "create": (_create, "POST", _there),
    "apply": (_apply, "PATCH", lambda live: live is not None and live["metadata"].get("labels") == {"tier": "web"}),
    "patch": (_patch, "PATCH", lambda live: live is not None and not live["metadata"].get("finalizers")),
    "replace": (_replace, "PUT", lambda live: live is not None and live["spec"] == {"holderIdentity": "us"}),
    "delete": (_delete, "DELETE", lambda live: live is None or "deletionTimestamp" in live["metadata"]),
}


def made_before(change: str, hands: RealHands, namespace: str) -> Json:
    """Return what is there when *change* is made; for a creation only what it would be called."""
    if change == "replace":
        return hands.create(lease(namespace, "somebody"))
    return policy(namespace) if change == "create" else hands.create(policy(namespace))


@pytest.fixture
def seen(request: pytest.FixtureRequest, admin: RealHands, namespace: str) -> Iterator[Json]:
    found = made_before(request.param, admin, namespace)
    yield found
    if found["kind"] == "Lease":
        return
    # What holds a policy back would hold back its namespace.
    with suppress(NotFound):
        admin.patch(ObjectRef.of(found), [{"op": "add", "path": "/metadata/finalizers", "value": []}])


PASSING: dict[str, Fault] = {
    "429": Answer(429, retry_after=3),
    "500": Answer(500),
    "503": Answer(503),
    "reset": Reset(),
}


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize(("change", "seen"), [(c, c) for c in CHANGES], indirect=["seen"])
def test_what_passes_is_tried_again(wire: Wire, admin: RealHands, change: str, seen: Json, fault: str) -> None:
    act, method, is_made = CHANGES[change]
    wire.script.when(lambda call: call.method == method, PASSING[fault])
    act(wire.hands, seen)
    assert is_made(admin.get(ObjectRef.of(seen)))
    assert wire.made(method) == 2
    assert len(wire.waits) == 1
    assert fault != "429" or wire.waits == [3.0]


@pytest.mark.parametrize(("change", "seen"), [(c, c) for c in CHANGES if c != "patch"], indirect=["seen"])
def test_a_change_whose_answer_got_lost_is_recognised(wire: Wire, admin: RealHands, change: str, seen: Json) -> None:
    act, method, is_made = CHANGES[change]
    wire.script.when(lambda call: call.method == method, Lost())
    act(wire.hands, seen)
    assert is_made(admin.get(ObjectRef.of(seen)))
    assert wire.made(method) == 2


@pytest.mark.parametrize(("change", "seen"), [("patch", "patch")], indirect=["seen"])
def test_a_patch_whose_answer_got_lost_may_have_been_ours(wire: Wire, admin: RealHands, change: str, seen: Json) -> None:
    act, method, is_made = CHANGES[change]
    wire.script.when(lambda call: call.method == method, Lost())
    with pytest.raises(Conflict) as caught:
        act(wire.hands, seen)
    assert "may have been ours" in str(caught.value)
    assert is_made(admin.get(ObjectRef.of(seen)))


@pytest.mark.parametrize("seen", ["create"], indirect=True)
def test_what_somebody_else_made_meanwhile_is_not_taken_for_ours(wire: Wire, live: Live, seen: Json) -> None:
    live.plane.apply({**seen, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}}, manager="somebody")
    wire.script.when(lambda call: call.method == "POST", Answer(503))
    with pytest.raises(Exists):
        wire.hands.create(seen)


@pytest.mark.parametrize("seen", ["replace"], indirect=True)
def test_what_somebody_else_wrote_meanwhile_is_a_conflict(wire: Wire, admin: RealHands, seen: Json) -> None:
    admin.replace({**seen, "spec": {"holderIdentity": "others"}})
    wire.script.when(lambda call: call.method == "PUT", Answer(500))
    with pytest.raises(Conflict):
        _replace(wire.hands, seen)


@pytest.mark.parametrize(("change", "seen"), [(c, c) for c in CHANGES], indirect=["seen"])
def test_trouble_that_stays_is_given_up(wire: Wire, admin: RealHands, change: str, seen: Json) -> None:
    act, method, is_made = CHANGES[change]
    wire.script.when(lambda call: call.method == method, Answer(503), times=ATTEMPTS)
    with pytest.raises(TransientError) as caught:
        act(wire.hands, seen)
    assert "retries included" in str(caught.value)
    assert wire.made(method) == ATTEMPTS
    assert not is_made(admin.get(ObjectRef.of(seen)))


@pytest.mark.parametrize("seen", ["patch"], indirect=True)
@pytest.mark.parametrize("fault", [Lost(), Reset(), Answer(500)])
def test_what_may_not_be_repeated_is_not(wire: Wire, seen: Json, fault: Fault) -> None:
    ref = ObjectRef.of(seen)
    for act in (
        lambda: wire.hands.patch(ref, [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]),
        lambda: wire.hands.delete(ref),
    ):
        wire.script.begin()
        wire.script.when(lambda call: call.changes, fault)
        with pytest.raises((Unreachable, TransientError)):
            act()
        assert len(wire.script.calls) == 1


@pytest.mark.parametrize("seen", ["patch"], indirect=True)
def test_a_server_that_did_nothing_is_asked_again_whatever_it_is(wire: Wire, seen: Json) -> None:
    wire.script.at(1, Answer(429))
    assert wire.hands.patch(ObjectRef.of(seen), [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}])
    assert wire.made("PATCH") == 2


@pytest.mark.parametrize(("change", "seen"), [(c, c) for c in CHANGES], indirect=["seen"])
def test_an_answer_that_does_not_come_is_unreachable(wire: Wire, change: str, seen: Json) -> None:
    act, method, _ = CHANGES[change]
    wire.script.when(lambda call: call.method == method, Delay(3))
    with pytest.raises(Unreachable) as caught:
        act(wire.hands, seen)
    assert "did not finish its answer in time" in str(caught.value)
    assert wire.made(method) == 1


@pytest.mark.parametrize(("change", "seen"), [(c, c) for c in CHANGES if c != "create"], indirect=["seen"])
def test_an_object_that_changes_all_the_time_is_a_conflict(wire: Wire, change: str, seen: Json) -> None:
    act, method, _ = CHANGES[change]
    wire.script.when(lambda call: call.method == method, Answer(409, message="the object has been modified"))
    with pytest.raises(Conflict) as caught:
        act(wire.hands, seen)
    assert caught.value.fields == ()


@pytest.mark.parametrize(("change", "seen"), [(c, c) for c in CHANGES], indirect=["seen"])
def test_credentials_that_cannot_be_renewed_end_it(wire: Wire, change: str, seen: Json) -> None:
    act, method, _ = CHANGES[change]
    wire.script.when(lambda call: call.method == method, Answer(401))
    with pytest.raises(Unauthenticated):
        act(wire.hands, seen)
    assert wire.made(method) == 1


def test_every_request_names_its_run(wire: Wire) -> None:
    wire.hands.get(ObjectRef.to(kinds.DAEMONSET, "aws-node", "kube-system"))
    list(wire.hands.watch(ObjectRef.to(kinds.DAEMONSET, "aws-node", "kube-system"), seconds=0.2))
    assert {call.agent.partition(" ")[2] for call in wire.script.calls} == {"run/20261127-030744-enable-4f2a"}


# --- watching -----------------------------------------------------------------------------------------------------------------


def _watches(wire: Wire) -> int:
    return sum(call.is_watch for call in wire.script.calls)


@pytest.mark.parametrize("seen", ["apply"], indirect=True)
@pytest.mark.parametrize("fault", [Reset(), Cut(), Answer(503), Answer(429)])
def test_a_watch_goes_on_after_trouble(wire: Wire, admin: RealHands, seen: Json, fault: Fault) -> None:
    wire.script.when(lambda call: call.is_watch, fault)
    admin.apply(policy(seen["metadata"]["namespace"], tier="db"))
    found = next(wire.hands.watch(ObjectRef.of(seen), since=seen["metadata"]["resourceVersion"], seconds=5))
    assert found is not None
    assert found["metadata"]["labels"] == {"tier": "db"}
    assert _watches(wire) >= 2


@pytest.mark.parametrize("seen", ["apply"], indirect=True)
def test_a_version_that_is_too_old_begins_with_what_is_there(wire: Wire, seen: Json) -> None:
    wire.script.when(lambda call: call.is_watch, Answer(410))
    events = wire.hands.watch(ObjectRef.of(seen), since="1", seconds=1)
    assert next(events) == seen
    assert list(events) == []


@pytest.mark.parametrize("seen", ["apply"], indirect=True)
def test_a_silent_server_is_not_waited_for(wire: Wire, seen: Json) -> None:
    began = time.monotonic()
    wire.script.when(lambda call: call.is_watch, Delay(8, before=True), times=9)
    with pytest.raises(Unreachable):
        list(wire.hands.watch(ObjectRef.of(seen), seconds=1))
    assert time.monotonic() - began < 4


# --- the managed add-on -------------------------------------------------------------------------------------------------------


@pytest.fixture
def eks_wire(live: Live, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Hands on a managed add-on; only the calls to EKS are counted, and its API server is asked with a token for its name."""
    here = live.eks.eks.clusters[CLUSTER]
    offered = {here.cluster["version"]: (NEW, OLD)}
    addons = {"vpc-cni": eks_addon(here.cluster, addonVersion=OLD)}
    live.eks.eks = replace(live.eks.eks, clusters={CLUSTER: replace(here, addons=addons)}, offered=offered)
    script = Script()
    with proxying(script, live.eks.url, aws=True) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EKS", url)
        connection = connect(live.options(request_timeout=2.0))
        script.begin()
        yield Wire(hands_of(connection, run="a-run"), script, [], connection)


UPDATE = UpdateAddon(NEW, VALUES, "PRESERVE")
CREATE = CreateAddon(NEW, VALUES, "OVERWRITE")
FAULTS: dict[str, Fault] = {
    "throttled": Answer(429, code="ThrottlingException"),
    "500": Answer(500, code="ServerException"),
    "503": Answer(503, code="ServiceUnavailableException"),
    "reset": Reset(),
    "lost": Lost(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_update_is_started_once_whatever_happens(eks_wire: Wire, live: Live, fault: str) -> None:
    eks_wire.script.when(lambda call: call.changes, FAULTS[fault])
    update = eks_wire.hands.update_addon(UPDATE, token=TOKEN)
    assert [u.id for u in eks_wire.hands.addon_updates("vpc-cni")] == [update.id]
    assert eks_wire.made("POST") == 2
    assert all(call.agent.endswith("run/a-run") for call in eks_wire.script.calls)
    assert live.eks.calls.count("UpdateAddon") == (2 if fault == "lost" else 1)


@pytest.mark.parametrize("fault", FAULTS)
def test_an_addon_is_made_once_whatever_happens(eks_wire: Wire, live: Live, fault: str) -> None:
    here = live.eks.eks.clusters[CLUSTER]
    live.eks.eks = replace(live.eks.eks, clusters={CLUSTER: replace(here, addons={})})
    eks_wire.script.when(lambda call: call.changes, FAULTS[fault])
    assert eks_wire.hands.create_addon(CREATE, token=TOKEN).addon_version == NEW
    with pytest.raises(Exists):
        eks_wire.hands.create_addon(CREATE, token="another")  # noqa: S106 - an idempotency token


@pytest.mark.parametrize("fault", FAULTS)
def test_an_addon_is_given_up_whatever_happens(eks_wire: Wire, fault: str) -> None:
    eks_wire.script.when(lambda call: call.changes, FAULTS[fault])
    eks_wire.hands.delete_addon("vpc-cni", preserve=True)
    found = eks_wire.hands.describe_addon("vpc-cni")
    assert found is None or found.status == "DELETING"


def test_somebody_elses_update_is_waited_for(eks_wire: Wire) -> None:
    eks_wire.script.when(lambda call: call.changes, Answer(409, code="ResourceInUseException", message="Addon has an update"))
    with pytest.raises(Busy):
        eks_wire.hands.update_addon(UPDATE, token=TOKEN)


def test_a_service_that_stays_away_is_given_up(eks_wire: Wire) -> None:
    for fault, kind in ((Answer(500, code="ServerException"), TransientError), (Reset(), Unreachable)):
        eks_wire.script.begin()
        eks_wire.script.when(lambda _: True, fault, times=9)
        with pytest.raises(kind):
            eks_wire.hands.describe_addon("vpc-cni")


# --- credentials that run out midway --------------------------------------------------------------------------------------

EXPIRED = Answer(403, code="ExpiredTokenException", message="The security token included in the request is expired")


def test_expired_credentials_say_so(eks_wire: Wire) -> None:
    eks_wire.script.when(lambda _: True, EXPIRED, times=9)
    with pytest.raises(Unauthenticated) as caught:
        eks_wire.hands.update_addon(UPDATE, token=TOKEN)
    assert "aws sso login" in str(caught.value)
    assert eks_wire.made("POST") == 1


def _sign_in(file: Path, live: Live, access: str) -> None:
    """Write credentials of the operator into *file*; keys that moto does not know pass for any user, so *access* may be new."""
    lines = ["[default]", f"aws_access_key_id={access}", f"aws_secret_access_key={live.keys.secret}"]
    file.write_text("\n".join(lines) + "\n")


def test_whoever_signed_in_again_goes_on(eks_wire: Wire, live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "credentials"
    _sign_in(file, live, live.keys.access)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    hands = hands_of(connect(live.options()))
    eks_wire.script.begin()
    eks_wire.script.when(lambda _: True, EXPIRED)
    with pytest.raises(Unauthenticated):
        hands.describe_addon("vpc-cni")
    eks_wire.script.when(lambda _: True, EXPIRED)
    _sign_in(file, live, "AKIASIGNEDINAGAIN000")
    update = hands.update_addon(UPDATE, token=TOKEN)
    assert [u.id for u in hands.addon_updates("vpc-cni")] == [update.id]
    assert eks_wire.made("POST") == 2


def test_a_token_that_the_api_server_refuses_midway_is_made_anew(live: Live) -> None:
    script = Script()
    with proxying(script, live.plane.url, authority=live.plane.authority) as url:
        live.change(endpoint=url)
        hands = hands_of(connect(live.options()))
        script.begin()
        script.at(1, Answer(401))
        assert hands.get(ObjectRef.to(kinds.DAEMONSET, "aws-node", "kube-system")) is not None
        assert len(script.calls) == 2
        script.begin()
        script.when(lambda _: True, Answer(401), times=9)
        with pytest.raises(Unauthenticated):
            hands.get(ObjectRef.to(kinds.DAEMONSET, "aws-node", "kube-system"))
        assert len(script.calls) == 2
