"""Every verb of the hands on a real API server, with real RBAC, and on an EKS endpoint held to AWS's model."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from eksnetpol.errors import Busy, Conflict, Denied, Exists, NotFound, Refused, Rejected, UsageError
from eksnetpol.gateways import kubernetes_lists
from eksnetpol.gateways.hands import RealHands, hands_of, refuse_strangers
from eksnetpol.gateways.permit_documents import MANAGER
from eksnetpol.gateways.permits import CHANGING, Permissions, RbacPermission, permissions_for
from eksnetpol.gateways.session import connect
from eksnetpol.model import kinds
from eksnetpol.model.actions import CreateAddon, DeleteAddon, UpdateAddon
from eksnetpol.model.conditions import AddonGone
from eksnetpol.model.eks import Addon
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.plan import Plan, Step, Verb
from tests.gateways.live import CLUSTER, Live, rendered
from tests.testbed.cluster import User
from tests.testbed.eks_endpoint import Fault, eks_addon

pytestmark = pytest.mark.testbed

AWS_NODE = ObjectRef.to(kinds.DAEMONSET, "aws-node", "kube-system")
SWITCH = ObjectRef.to(kinds.CONFIGMAP, "amazon-vpc-cni", "kube-system")
FINALIZER = "networking.k8s.aws/resources"
STRIP: list[Json] = [
    {"op": "test", "path": "/metadata/finalizers/0", "value": FINALIZER},
    {"op": "remove", "path": "/metadata/finalizers/0"},
]


@pytest.fixture
def hands(live: Live, admin: RealHands) -> RealHands:  # noqa: ARG001 - its AWS is the one that is pointed at
    return admin


@pytest.fixture
def manager(live: Live) -> RealHands:
    """Somebody who holds the shipped role of managers and nothing else, through a token that is really verified."""
    return hands_of(connect(live.options()))


def config(namespace: str, name: str = "settings", **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def policy(namespace: str, name: str = "deny", *, finalizers: tuple[str, ...] = ()) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, **({"finalizers": list(finalizers)} if finalizers else {})},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }


def lease(holder: str = "somebody", namespace: str = "kube-system") -> Json:
    meta = {"name": "eksnetpol", "namespace": namespace}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": {"holderIdentity": holder}}


# --- reading --------------------------------------------------------------------------------------------------------------


def test_an_object_comes_whole(hands: RealHands) -> None:
    found = hands.get(AWS_NODE)
    assert found is not None
    assert (found["apiVersion"], found["kind"]) == ("apps/v1", "DaemonSet")
    assert found["metadata"]["managedFields"]
    names = [c["name"] for c in found["spec"]["template"]["spec"]["containers"]]
    assert names == ["aws-node", "aws-eks-nodeagent"]


def test_what_is_not_there_is_none(hands: RealHands) -> None:
    assert hands.get(ObjectRef.to(kinds.CONFIGMAP, "nope", "kube-system")) is None
    assert hands.get(ObjectRef.to(kinds.NODE_CLASS, "default")) is None
    assert hands.objects(kinds.NODE_CLASS) == ()


def test_a_list_is_whole_and_each_entry_says_what_it_is(hands: RealHands, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = hands.objects(kinds.NODE)
    assert len(whole) == 3
    assert {(n["apiVersion"], n["kind"]) for n in whole} == {("v1", "Node")}
    monkeypatch.setattr(kubernetes_lists, "PAGE", 2)
    assert hands.objects(kinds.NODE) == whole
    assert all(ObjectRef.of(d).of_kind == kinds.DEFINITION for d in hands.objects(kinds.DEFINITION))


def test_a_list_of_one_namespace_and_by_labels(hands: RealHands, live: Live, namespace: str) -> None:
    for name, tier in (("a", "web"), ("b", "db")):
        meta = {"name": name, "namespace": namespace, "labels": {"tier": tier}}
        live.plane.create([{**policy(namespace), "metadata": meta}])
    found = hands.objects(kinds.NETWORK_POLICY, namespace=namespace)
    assert [p["metadata"]["name"] for p in found] == ["a", "b"]
    chosen = hands.objects(kinds.NETWORK_POLICY, namespace=namespace, selector="tier=db")
    assert [p["metadata"]["name"] for p in chosen] == ["b"]


# --- creating -------------------------------------------------------------------------------------------------------------


def test_an_object_is_created_once(hands: RealHands, namespace: str) -> None:
    assert hands.create(config(namespace, a="1"), dry_run=True)["data"] == {"a": "1"}
    ref = ObjectRef.of(config(namespace))
    assert hands.get(ref) is None
    made = hands.create(config(namespace, a="1"))
    assert hands.get(ref) == made
    assert [m["manager"] for m in made["metadata"]["managedFields"]] == ["eksnetpol"]
    with pytest.raises(Exists) as caught:
        hands.create(config(namespace, a="1"))
    assert "already exists" in str(caught.value)


def test_what_the_schema_does_not_know_is_rejected(hands: RealHands, namespace: str) -> None:
    wrong = policy(namespace)
    wrong["spec"]["policyType"] = ["Ingress"]
    with pytest.raises(Rejected) as caught:
        hands.create(wrong)
    assert "policyType" in str(caught.value)
    with pytest.raises(Rejected) as caught:
        hands.apply(wrong)
    assert "policyType" in str(caught.value)
    with pytest.raises(Rejected):
        hands.create({**config(namespace), "metadata": {"name": "No Name", "namespace": namespace}})
    with pytest.raises(NotFound):
        hands.create(config("no-such-namespace"))


def test_what_is_still_being_deleted_is_busy(hands: RealHands, live: Live, namespace: str) -> None:
    hands.create(policy(namespace, finalizers=(FINALIZER,)))
    live.plane.did("delete", "networkpolicy", "deny", "-n", namespace, "--wait=false")
    with pytest.raises(Busy) as caught:
        hands.create(policy(namespace))
    assert "being deleted" in str(caught.value)
    live.plane.did("patch", "networkpolicy", "deny", "-n", namespace, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')


# --- applying -------------------------------------------------------------------------------------------------------------


def test_an_apply_owns_what_it_says_and_lets_go_of_what_it_leaves_out(hands: RealHands, namespace: str) -> None:
    hands.apply(config(namespace, a="1"), dry_run=True)
    ref = ObjectRef.of(config(namespace))
    assert hands.get(ref) is None
    assert hands.apply(config(namespace, a="1", b="2"))["data"] == {"a": "1", "b": "2"}
    (entry,) = hands.apply(config(namespace, b="2"))["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("eksnetpol", "Apply")
    found = hands.get(ref)
    assert found is not None
    assert found["data"] == {"b": "2"}


def test_a_field_of_somebody_else_is_a_conflict_with_its_path_and_owner(hands: RealHands, live: Live, namespace: str) -> None:
    live.plane.apply(config(namespace, a="theirs", b="theirs"), manager="helm")
    with pytest.raises(Conflict) as caught:
        hands.apply(config(namespace, a="ours"))
    assert caught.value.fields == ((".data.a", "helm"),)
    assert "helm owns" in str(caught.value)
    assert hands.apply(config(namespace, a="theirs"))["data"]["a"] == "theirs"
    assert hands.apply(config(namespace, a="ours"), force=True)["data"] == {"a": "ours", "b": "theirs"}


def test_paths_in_lists_are_those_of_the_api_server(hands: RealHands) -> None:
    containers = [{"name": "aws-eks-nodeagent", "args": ["--enable-network-policy=true"]}]
    wanted = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "aws-node", "namespace": "kube-system"},
        "spec": {"template": {"spec": {"containers": containers}}},
    }
    with pytest.raises(Conflict) as caught:
        hands.apply(wanted)
    assert caught.value.fields == (('.spec.template.spec.containers[name="aws-eks-nodeagent"].args', "kubectl"),)


# --- patching and replacing -------------------------------------------------------------------------------------------------


def test_a_patch_does_nothing_once_its_test_fails(hands: RealHands, namespace: str) -> None:
    hands.create(policy(namespace, finalizers=(FINALIZER, "example.com/other")))
    ref = ObjectRef.of(policy(namespace))
    assert hands.patch(ref, STRIP, dry_run=True)["metadata"]["finalizers"] == ["example.com/other"]
    assert hands.patch(ref, STRIP)["metadata"]["finalizers"] == ["example.com/other"]
    with pytest.raises(Conflict) as caught:
        hands.patch(ref, STRIP)
    assert caught.value.fields == ()
    assert "no longer as it was" in str(caught.value)
    hands.patch(ref, [{"op": "remove", "path": "/metadata/finalizers"}])
    with pytest.raises(NotFound):
        hands.patch(ObjectRef.of(policy(namespace, "nope")), STRIP)


def test_only_what_was_seen_is_replaced(hands: RealHands, namespace: str) -> None:
    seen = hands.create(lease("first", namespace))
    changed = hands.replace({**seen, "spec": {"holderIdentity": "second"}})
    assert changed["spec"] == {"holderIdentity": "second"}
    with pytest.raises(Conflict) as caught:
        hands.replace({**seen, "spec": {"holderIdentity": "third"}})
    assert caught.value.fields == ()
    assert "changed meanwhile" in str(caught.value)


# --- deleting -------------------------------------------------------------------------------------------------------------


def test_only_the_object_that_is_meant_is_deleted(hands: RealHands, namespace: str) -> None:
    made = hands.create(policy(namespace))
    ref = ObjectRef.of(made)
    hands.delete(ref, uid="11111111-2222-3333-4444-555555555555")
    assert hands.get(ref) == made
    hands.delete(ref, uid=made["metadata"]["uid"], dry_run=True)
    assert hands.get(ref) == made
    hands.delete(ref, uid=made["metadata"]["uid"])
    assert hands.get(ref) is None
    hands.delete(ref, uid=made["metadata"]["uid"])
    hands.delete(ref)


# --- watching -------------------------------------------------------------------------------------------------------------


def soon(act: Callable[[], object]) -> None:
    timer = threading.Timer(0.3, act)
    timer.daemon = True
    timer.start()


def test_a_change_is_seen_when_it_happens_and_the_end_too(hands: RealHands, namespace: str) -> None:
    made = hands.create(policy(namespace))
    ref = ObjectRef.of(made)

    def change() -> None:
        hands.patch(ref, [{"op": "add", "path": "/metadata/labels", "value": {"tier": "web"}}])
        hands.delete(ref)

    soon(change)
    began = time.monotonic()
    events = hands.watch(ref, since=made["metadata"]["resourceVersion"], seconds=10)
    first = next(events)
    assert first is not None
    assert first["metadata"]["labels"] == {"tier": "web"}
    assert next(events) is None
    assert time.monotonic() - began < 3
    events.close()  # type: ignore[attr-defined]


def test_a_watch_ends_in_time(hands: RealHands, namespace: str) -> None:
    made = hands.create(config(namespace))
    began = time.monotonic()
    assert list(hands.watch(ObjectRef.of(made), since=made["metadata"]["resourceVersion"], seconds=0.7)) == []
    assert 0.5 < time.monotonic() - began < 1.6


def test_without_a_version_what_is_there_comes_first(hands: RealHands, namespace: str) -> None:
    made = hands.create(config(namespace))
    assert next(hands.watch(ObjectRef.of(made), seconds=3)) == made


def test_a_version_too_old_begins_anew(hands: RealHands) -> None:
    # No server remembers its first version for long, and one of the future is answered the same way or as a timeout.
    found = next(hands.watch(AWS_NODE, since="1", seconds=4))
    assert found is not None
    assert found["metadata"]["name"] == "aws-node"


def test_a_kind_that_is_not_served_cannot_be_watched(hands: RealHands) -> None:
    with pytest.raises(NotFound):
        next(hands.watch(ObjectRef.to(kinds.NODE_CLASS, "default"), seconds=1))


# --- who may ----------------------------------------------------------------------------------------------------------------


def _deny_everything(namespace: str) -> list[Json]:
    group = "admissionregistration.k8s.io"
    rule = {"apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["networkpolicies"]}
    name = f"deny-{namespace}"
    here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": here},
        "validations": [{"expression": "false", "message": "not today"}],
    }
    return [
        {"apiVersion": f"{group}/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        },
    ]


def _rejected(act: Callable[[], object]) -> str:
    """Return how *act* is rejected: admission learns of its rules a moment after they are made."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            act()
        except Rejected as error:
            return str(error)
        time.sleep(0.1)
    return ""


def test_admission_rejects_and_rbac_denies(hands: RealHands, live: Live, namespace: str) -> None:
    live.plane.apply(*_deny_everything(namespace))
    assert "not today" in _rejected(lambda: hands.create(policy(namespace), dry_run=True))
    stranger = hands_of(connect(live.as_admin(as_user="stranger")))
    with pytest.raises(Denied) as caught:
        stranger.create(policy(namespace))
    assert caught.value.permission == "create networkpolicies.networking.k8s.io"
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        live.plane.did("delete", kind, f"deny-{namespace}")


def test_a_quota_is_no_missing_permission(hands: RealHands, live: Live, namespace: str) -> None:
    hard = {"spec": {"hard": {"configmaps": "0"}}, "metadata": {"name": "none", "namespace": namespace}}
    live.plane.create([{"apiVersion": "v1", "kind": "ResourceQuota", **hard}])
    live.plane.did(
        "patch", "resourcequota", "none", "-n", namespace, "--subresource=status", "--type=merge",
        "-p", '{"status":{"hard":{"configmaps":"0"},"used":{"configmaps":"0"}}}',
    )  # fmt: skip
    assert "exceeded quota" in _rejected(lambda: hands.create(config(namespace), dry_run=True))


Deed = Callable[[RealHands, str], object]


def _switch(hands: RealHands, _: str) -> object:
    return hands.apply({**config("kube-system", "amazon-vpc-cni"), "data": {"branch-eni-cooldown": "60"}}, dry_run=True)


def _daemonset(hands: RealHands, _: str) -> object:
    wanted = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "aws-node", "namespace": "kube-system"}}
    return hands.apply({**wanted, "spec": {"minReadySeconds": 3}}, dry_run=True)


def _agent_rules(hands: RealHands, _: str) -> object:
    live = hands.get(ObjectRef.to(kinds.CLUSTER_ROLE, "aws-node"))
    assert live is not None
    more = {"apiGroups": ["networking.k8s.aws"], "resources": ["clusterpolicyendpoints"], "verbs": ["get", "list", "watch"]}
    role = {key: live[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": "aws-node"}}
    return hands.apply({**role, "rules": [*live["rules"], more]}, force=True, dry_run=True)


def _definition(hands: RealHands, _: str) -> object:
    live = hands.get(ObjectRef.to(kinds.DEFINITION, "policyendpoints.networking.k8s.aws"))
    assert live is not None
    bare = {key: live[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": live["metadata"]["name"]}}
    hands.apply(bare, dry_run=True)
    with pytest.raises(Exists):
        hands.create(bare)
    return live


def _lease(hands: RealHands, _: str) -> object:
    ref = ObjectRef.of(lease())
    held = hands.get(ref) or hands.create(lease())
    return hands.replace({**held, "spec": {"holderIdentity": "us"}})


def _policies(hands: RealHands, namespace: str) -> object:
    made = hands.create(policy(namespace, finalizers=(FINALIZER,)))
    ref = ObjectRef.of(made)
    hands.patch(ref, STRIP)
    hands.delete(ref, uid=made["metadata"]["uid"])
    return hands.objects(kinds.POLICY_ENDPOINT)


def _roll_out(hands: RealHands, _: str) -> object:
    hands.objects(kinds.POD, namespace="kube-system", selector="k8s-app=aws-node")
    hands.objects(kinds.NODE)
    hands.objects(kinds.CONTROLLER_REVISION, namespace="kube-system")
    return list(hands.watch(AWS_NODE, seconds=0.2))


DEEDS: dict[str, Deed] = {deed.__name__.strip("_"): deed for deed in (
    _switch, _daemonset, _agent_rules, _definition, _lease, _policies, _roll_out,
)}  # fmt: skip


@pytest.mark.parametrize("deed", DEEDS)
def test_the_shipped_role_of_managers_is_enough(manager: RealHands, namespace: str, deed: str) -> None:
    DEEDS[deed](manager, namespace)


def _lacking(live: Live, without: RbacPermission) -> RealHands:
    needed = permissions_for(*CHANGING)
    name = f"lacks-{secrets.token_hex(4)}"
    live.plane.apply(*rendered(Permissions(needed.iam, tuple(p for p in needed.rbac if p != without)), name))
    connection = connect(live.as_admin(as_user=name, as_groups=(name,)))
    assert connection.kubernetes is not None
    deadline = time.monotonic() + 20
    while not connection.kubernetes.may("list", "nodes"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return hands_of(connection)


@pytest.mark.parametrize(
    ("verb", "resource", "deed"),
    [
        ("patch", "configmaps", "switch"),
        ("patch", "daemonsets", "daemonset"),
        ("watch", "daemonsets", "roll_out"),
        ("escalate", "clusterroles", "agent_rules"),
        ("patch", "customresourcedefinitions", "definition"),
        ("create", "customresourcedefinitions", "definition"),
        ("update", "leases", "lease"),
        ("create", "networkpolicies", "policies"),
        ("patch", "networkpolicies", "policies"),
        ("delete", "networkpolicies", "policies"),
    ],
)
def test_whoever_lacks_one_verb_is_told_which(live: Live, namespace: str, verb: str, resource: str, deed: str) -> None:
    (missing,) = (p for p in permissions_for(*CHANGING).rbac if (p.verb, p.resource) == (verb, resource))
    with pytest.raises(Denied) as caught:
        DEEDS[deed](_lacking(live, missing), namespace)
    # To grant what one does not have is part of patching a role, so that is what was tried.
    assert caught.value.permission == str(replace_verb(missing, "patch") if verb == "escalate" else missing)
    assert "eksnetpol permissions show" in str(caught.value)


def replace_verb(permission: RbacPermission, verb: str) -> RbacPermission:
    return RbacPermission(verb, permission.resource, permission.group)


def test_a_reader_changes_nothing(live: Live, namespace: str) -> None:
    reader = hands_of(connect(live.as_admin(as_user="reader", as_groups=("eksnetpol-read",))))
    for deed in DEEDS.values():
        with pytest.raises(Denied):
            deed(reader, namespace)


# --- the managed add-on -----------------------------------------------------------------------------------------------------


TOKENS = tuple(f"token-{n}" for n in range(10))
OLD, NEW = "v1.20.4-eksbuild.2", "v1.20.5-eksbuild.1"


@pytest.fixture
def managed(live: Live) -> Live:
    """The cluster with a managed add-on."""
    here = live.eks.eks.clusters[CLUSTER]
    addon = eks_addon(here.cluster, addonVersion=OLD)
    offered = {here.cluster["version"]: (NEW, OLD)}
    live.eks.eks = replace(live.eks.eks, clusters={CLUSTER: replace(here, addons={"vpc-cni": addon})}, offered=offered)
    return live


def update(values: str = '{"enableNetworkPolicy":"true"}', version: str = NEW) -> UpdateAddon:
    return UpdateAddon(version, values, "PRESERVE")


def test_an_update_is_started_once_per_token(managed: Live) -> None:
    hands = hands_of(connect(managed.options()))
    first = hands.update_addon(update(), token=TOKENS[1])
    assert hands.update_addon(update(), token=TOKENS[1]).id == first.id
    assert hands.describe_update("vpc-cni", first.id).status == "InProgress"
    assert [u.id for u in hands.addon_updates("vpc-cni")] == [first.id]
    with pytest.raises(Busy) as caught:
        hands.update_addon(update(version=OLD), token=TOKENS[2])
    assert "ResourceInUseException" in str(caught.value)
    assert caught.value.exit_code == 4


def test_what_the_schema_of_the_addon_refuses_is_rejected(managed: Live) -> None:
    hands = hands_of(connect(managed.options()))
    with pytest.raises(Rejected) as caught:
        hands.update_addon(update('{"enableNetworkPolicy":true}'), token=TOKENS[3])
    assert "InvalidParameterException" in str(caught.value)
    with pytest.raises(Rejected):
        hands.update_addon(update(version="v9.9.9-eksbuild.1"), token=TOKENS[4])


def test_an_addon_is_made_once(managed: Live) -> None:
    hands = hands_of(connect(managed.options()))
    wanted = CreateAddon(NEW, '{"enableNetworkPolicy":"true"}', "OVERWRITE")
    with pytest.raises(Exists):
        hands.create_addon(wanted, token=TOKENS[5])
    here = managed.eks.eks.clusters[CLUSTER]
    managed.eks.eks = replace(managed.eks.eks, clusters={CLUSTER: replace(here, addons={})})
    made = hands.create_addon(wanted, token=TOKENS[6])
    assert isinstance(made, Addon)
    assert (made.addon_version, made.status) == (NEW, "CREATING")
    assert made.configuration_values == wanted.configuration_values


def test_an_addon_is_given_up_once(managed: Live) -> None:
    hands = hands_of(connect(managed.options()))
    hands.delete_addon("vpc-cni", preserve=True)
    hands.delete_addon("vpc-cni", preserve=True)
    found = hands.describe_addon("vpc-cni")
    assert found is None or found.status == "DELETING"


def test_missing_rights_in_aws_are_named(managed: Live) -> None:
    managed.eks.faults["UpdateAddon"] = Fault(403, "AccessDeniedException", "no")
    with pytest.raises(Denied) as caught:
        hands_of(connect(managed.options())).update_addon(update(), token=TOKENS[7])
    assert caught.value.permission == "eks:UpdateAddon"


def test_a_state_that_passes_is_waited_for_and_any_other_is_not(managed: Live) -> None:
    hands = hands_of(connect(managed.options()))
    managed.eks.faults["UpdateAddon"] = Fault(400, "InvalidRequestException", "Cluster is currently in UPDATING state", times=1)
    with pytest.raises(Busy):
        hands.update_addon(update(), token=TOKENS[8])
    managed.eks.faults["UpdateAddon"] = Fault(400, "InvalidRequestException", "no nodes of the right kind", times=1)
    with pytest.raises(Rejected):
        hands.update_addon(update(), token=TOKENS[9])


# --- strangers --------------------------------------------------------------------------------------------------------------


def giving_up_the_addon() -> Plan:
    return Plan(verb=Verb.DISABLE, steps=(Step("give-up", "Give up the add-on", DeleteAddon(), AddonGone()),))


def test_a_cluster_that_is_known_from_both_sides_is_no_stranger(live: Live) -> None:
    refuse_strangers(connect(live.options()), giving_up_the_addon())
    refuse_strangers(connect(live.options(kubeconfig=str(live.plane.kubeconfig()))), giving_up_the_addon())
    refuse_strangers(connect(live.as_admin()))


def test_whoever_is_not_verified_is_refused(live: Live, tmp_path: Any) -> None:
    text = live.plane.kubeconfig().read_text().splitlines()
    unverified = [
        line.replace(line.split(":")[0].strip(), "insecure-skip-tls-verify").split(": ")[0] + ": true"
        if "certificate-authority-data" in line
        else line
        for line in text
    ]
    path = tmp_path / "unverified.yaml"
    path.write_text("\n".join(unverified))
    with pytest.warns(Warning):  # noqa: PT030 - urllib3's own, on each request
        connection = connect(replace(live.as_admin(), kubeconfig=str(path)))
    assert connection.kubernetes is not None
    with pytest.raises(Refused) as caught:
        refuse_strangers(connection)
    assert "does not verify the certificate" in str(caught.value)
    assert caught.value.exit_code == 6


def test_an_addon_is_not_changed_with_one_eye_closed(live: Live) -> None:
    with pytest.raises(Refused) as caught:
        refuse_strangers(connect(live.as_admin()), giving_up_the_addon())
    assert "AWS cannot be asked" in str(caught.value)
    with pytest.raises(UsageError):
        hands_of(connect(live.as_admin())).describe_addon("vpc-cni")


def test_two_doors_that_may_lead_to_two_clusters_are_refused(live: Live) -> None:
    live.eks.faults["DescribeCluster"] = Fault(403, "AccessDeniedException", "no")
    connection = connect(live.options(kubeconfig=str(live.plane.kubeconfig())))
    assert connection.aws is not None
    with pytest.raises(Refused) as caught:
        refuse_strangers(connection)
    assert "nothing shows" in str(caught.value)


def test_the_manager_group_is_that_of_the_shipped_role(live: Live) -> None:
    assert set(live.authenticator.users.values()) == {User("manager", (MANAGER,))}
