"""Live objects against predicted ones: what each rule finds, and that it finds nothing where all is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.model.kubernetes import Node, ObjectMeta
from eksnetpol.model.policies import PolicyEndpoint
from eksnetpol.model.versions import Release
from eksnetpol.policy.prediction.compare import Comparison, Discrepancy
from eksnetpol.policy.prediction.predict import predict
from eksnetpol.policy.prediction.rules import RULES
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.world import World
from tests.policy.prediction import worlds
from tests.policy.prediction.small import API, WEB, egress, ingress, pod, policy, service, tcp, world
from tests.policy.prediction.test_against_the_oracle import RELEASES, Cluster

Json = dict[str, Any]

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
FINALIZERS = {
    "NetworkPolicy": "networking.k8s.aws/resources",
    "ApplicationNetworkPolicy": "networking.k8s.aws/anp-resources",
    "ClusterNetworkPolicy": "networking.k8s.aws/cnp-resources",
}
PODS = [pod("web", "10.0.0.1", app="web"), pod("api", "10.0.0.2"), pod("other", "10.0.0.3")]


def finalized(items: list[Json], kind: str) -> list[Json]:
    return [i | {"metadata": {**i["metadata"], "finalizers": [FINALIZERS[kind]]}} for i in items]


def ran(of: World, release: str = "1.1.7", size: int = 200) -> World:
    """The world once the controller has run on it."""
    namespaced: list[Json] = []
    clusterwide: list[Json] = []
    for number, document in enumerate(predict(of, Profile(controller=Release.parse(release)), size).documents()):
        raw = msgspec.json.decode(document)
        raw["metadata"]["name"] = f"{raw['metadata']['generateName']}{number:05}"
        raw["metadata"]["managedFields"] = [{"manager": "controller"}]
        kind = namespaced if raw["kind"] == "PolicyEndpoint" else clusterwide
        kind.append(raw)
    return replace(
        of,
        policy_endpoints=worlds.read(namespaced, PolicyEndpoint),
        cluster_policy_endpoints=worlds.read(clusterwide, PolicyEndpoint),
    )


def compared(of: World, release: str = "1.1.7", size: int = 200, at: datetime | None = NOW) -> tuple[Discrepancy, ...]:
    prediction = predict(of, Profile(controller=Release.parse(release)), size)
    return Comparison(prediction, at, ("kubectl",)).run()


def healthy() -> World:
    policies = [
        ingress({"podSelector": WEB}, ports=[tcp(8080)], name="in", podSelector=API),
        egress({"podSelector": API}, ports=[tcp(8080)], name="out", podSelector=WEB),
    ]
    return ran(world(PODS, *finalized(policies, "NetworkPolicy"), services=[service("s", "172.20.0.1", (80, 8080))]))


def changed(of: World, name: str, change: Callable[[Json], object]) -> World:
    """*of* with the object of one policy changed."""
    found = []
    for endpoint in of.policy_endpoints:
        raw = msgspec.json.decode(msgspec.json.encode(endpoint))
        if endpoint.spec.policy_ref.name == name:
            change(raw)
        found.append(raw)
    return replace(of, policy_endpoints=worlds.read(found, PolicyEndpoint))


def said(found: tuple[Discrepancy, ...]) -> list[str]:
    return [f"{d.rule}: {d.finding.subject} {d.finding.message}" for d in found]


# --- all is well ------------------------------------------------------------------------------------------------------


def test_what_the_controller_wrote_is_as_it_writes_it() -> None:
    assert compared(healthy()) == ()


@settings(max_examples=150, deadline=None)
@given(
    worlds.clusters(), worlds.network_policies(), worlds.application_policies(), worlds.cluster_policies(),
    st.sampled_from(RELEASES), st.sampled_from([1, 2, 200]),
)  # fmt: skip
def test_a_prediction_differs_from_itself_in_nothing(
    cluster: Cluster, network: Json, application: Json, clusterwide: Json, release: str, size: int
) -> None:
    lists = (
        finalized(items, kind) for kind, items in zip(FINALIZERS, ([network], [application], [clusterwide]), strict=True)
    )
    of = ran(worlds.world(cluster, *lists), release, size)
    assert {d.rule for d in compared(of, release, size)} <= {"objects-are-few", "policy-stops-no-controller"}


# --- policies ---------------------------------------------------------------------------------------------------------


def test_a_policy_without_objects() -> None:
    lost = replace(healthy(), policy_endpoints=())
    assert said(compared(lost))[0] == "policy-has-endpoints: networkpolicy/shop/in has no object, so agents do not know it"
    command = compared(lost)[0].finding.command
    assert command == 'kubectl -n shop annotate pod api eksnetpol.io/resync="$(date +%s)" --overwrite'


def test_a_policy_is_given_a_minute() -> None:
    young = finalized([policy()], "NetworkPolicy")
    young[0]["metadata"]["creationTimestamp"] = NOW.isoformat()
    assert compared(world(PODS, *young), at=NOW + timedelta(seconds=59)) == ()
    assert [d.rule for d in compared(world(PODS, *young), at=NOW + timedelta(seconds=61))] == ["policy-has-endpoints"]


def test_a_policy_the_controller_has_not_seen() -> None:
    assert [d.rule for d in compared(world(PODS, policy()))] == ["policy-has-endpoints", "policy-has-finalizer"]


def test_a_policy_that_cannot_go() -> None:
    leaving = finalized([policy()], "NetworkPolicy")
    leaving[0]["metadata"]["deletionTimestamp"] = NOW.isoformat()
    assert said(compared(world(PODS, *leaving), at=NOW + timedelta(minutes=5))) == [
        "policy-ends: networkpolicy/shop/np has been deleted and waits for networking.k8s.aws/resources"
    ]
    assert compared(world(PODS, *leaving), at=NOW) == ()


def test_a_policy_that_ends_the_controller() -> None:
    rule = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 80}]}
    found = compared(world(PODS, application=[policy("anp", egress=[rule])]))
    assert [d.rule for d in found] == ["policy-stops-no-controller"]


def test_two_kinds_of_one_name() -> None:
    both = world(PODS, *finalized([policy()], "NetworkPolicy"), application=finalized([policy()], "ApplicationNetworkPolicy"))
    assert [(d.rule, str(d.finding.subject)) for d in compared(ran(both))] == [
        ("names-are-apart", "applicationnetworkpolicy/shop/np")
    ]


# --- objects ----------------------------------------------------------------------------------------------------------


def test_an_object_of_no_policy() -> None:
    left = replace(healthy(), network_policies=())
    assert said(compared(left)) == [
        "endpoint-has-policy: policyendpoint/shop/in-00000 belongs to no policy that is there; agents enforce it for 2 pods",
        "endpoint-has-policy: policyendpoint/shop/out-00001 belongs to no policy that is there; agents enforce it for 1 pod",
    ]


def test_an_object_of_a_policy_that_had_the_name_before() -> None:
    def age(raw: Json) -> None:
        raw["metadata"]["ownerReferences"][0]["uid"] = "uid-of-old"

    assert [d.rule for d in compared(changed(healthy(), "in", age))] == ["policy-has-endpoints", "endpoint-has-policy"]


def test_a_selector_that_was_edited() -> None:
    stale = changed(healthy(), "in", lambda raw: raw["spec"].update(podSelector={"matchLabels": {"app": "old"}}))
    assert said(compared(stale)) == [
        "selector-is-current: networkpolicy/shop/in selects app=api, and in-00000 still app=old",
    ]


def test_isolation_that_was_edited() -> None:
    wrong = changed(healthy(), "in", lambda raw: raw["spec"].update(podIsolation=["Egress"]))
    assert said(compared(wrong)) == ["isolation-is-current: networkpolicy/shop/in isolates Egress in in-00000, not Ingress"]


def test_pods_that_are_missing_left_over_moved_or_twice() -> None:
    def disturb(raw: Json) -> None:
        api, other = raw["spec"]["podSelectorEndpoints"]
        assert (api["name"], other["name"]) == ("api", "other")
        raw["spec"]["podSelectorEndpoints"] = [api | {"podIP": "10.0.0.99"}, api | {"name": "gone"}, api | {"name": "gone"}]

    subject = "networkpolicy/shop/in"
    assert said(compared(changed(healthy(), "in", disturb))) == [
        "pods-are-listed: networkpolicy/shop/in selects 1 pod that no object lists, so nothing is enforced for them: shop/other",
        f"listed-pods-are-there: {subject} lists 1 pod that it does not select, or that are not there: shop/gone (10.0.0.2)",
        f"addresses-are-current: {subject} lists other addresses than are: shop/api is at 10.0.0.2, not 10.0.0.99",
        "pods-are-listed-once: networkpolicy/shop/in lists 1 pod twice: shop/gone",
    ]


def test_a_pod_is_given_half_a_minute() -> None:
    of = healthy()
    young = pod("new", "10.0.0.7", metadata={"creationTimestamp": NOW.isoformat()})
    of = replace(of, pods=(*of.pods, *worlds.world(([young], [], [])).pods))
    rules = {d.rule for d in compared(of, at=NOW + timedelta(seconds=29))}
    assert "pods-are-listed" not in rules
    assert "pods-are-listed" in {d.rule for d in compared(of, at=NOW + timedelta(seconds=31))}


def test_entries_that_are_missing_or_too_many() -> None:
    def edit(raw: Json) -> None:
        raw["spec"]["ingress"] = [{"cidr": "10.0.0.1", "ports": [tcp(9090)]}, {"cidr": "192.0.2.0/24"}]

    (words,) = said(compared(changed(healthy(), "in", edit)))
    missing, extra = words.split("; ")
    assert missing == "rules-are-current: networkpolicy/shop/in 1 entry missing: ingress 10.0.0.1 on TCP 8080"
    assert extra == "2 entries too many: ingress 10.0.0.1 on TCP 9090, ingress 192.0.2.0/24 on all ports"


def test_an_address_that_is_another_pods_by_now() -> None:
    recycled = changed(healthy(), "out", lambda raw: raw["spec"]["egress"].append({"cidr": "10.0.0.1"}))
    assert [d.rule for d in compared(recycled)] == ["rules-are-current", "addresses-are-not-recycled"]
    assert "10.0.0.1 is now shop/web's" in said(compared(recycled))[1]


def test_objects_that_are_not_all_there() -> None:
    many = [pod(f"p-{i}", f"10.0.1.{i}") for i in range(5)]
    of = ran(world(many, *finalized([ingress({"podSelector": {}})], "NetworkPolicy")), size=2)
    partial = replace(of, policy_endpoints=of.policy_endpoints[:2])
    assert [d.rule for d in compared(partial, size=2)] == ["pods-are-listed", "entries-are-complete", "objects-are-few"]


def test_more_objects_than_are_needed() -> None:
    of = healthy()
    empty = msgspec.structs.replace(of.policy_endpoints[0], spec=msgspec.structs.replace(
        of.policy_endpoints[0].spec, ingress=(), pod_selector_endpoints=()))  # fmt: skip
    assert said(compared(replace(of, policy_endpoints=(*of.policy_endpoints, empty)))) == [
        "objects-are-full: networkpolicy/shop/in has 2 objects where 1 would do"
    ]


def test_hands_that_wrote() -> None:
    def edit(raw: Json) -> None:
        raw["metadata"]["managedFields"].append({"manager": "kubectl-edit"})

    def make(raw: Json) -> None:
        del raw["metadata"]["ownerReferences"]

    assert said(compared(changed(healthy(), "in", edit))) == [
        "controller-writes-alone: policyendpoint/shop/in-00000 was written to by kubectl-edit"
    ]
    assert "was made by hand for networkpolicy/shop/in" in said(compared(changed(healthy(), "in", make)))[0]


def test_objects_that_weigh_much_on_many_nodes() -> None:
    of = healthy()
    heavy = replace(of, nodes=(Node(ObjectMeta(name="n")),) * (1 << 22))
    assert [d.rule for d in compared(heavy)] == ["objects-are-light"]


def test_either_answer_that_is_left_to_chance_is_well() -> None:
    pods = [pod("a", "10.0.0.1", ports=["http=8080"]), pod("b", "10.0.0.2", ports=["http=9090"])]
    one = egress({"podSelector": {}}, ports=[tcp("http")])
    of = ran(
        world(pods, *finalized([one], "NetworkPolicy"), services=[service("s", "172.20.0.1", (80, 8080), (90, 9090))])
    )
    assert compared(of) == ()

    def say(number: int) -> Callable[[Json], None]:
        def change(raw: Json) -> None:
            for entry in raw["spec"]["egress"]:
                if entry["cidr"] == "172.20.0.1":
                    entry["ports"] = [tcp(number)]

        return change

    assert compared(changed(of, "np", say(90))) == ()
    assert [d.rule for d in compared(changed(of, "np", say(91)))] == ["rules-are-current"]


def test_cluster_wide_objects_are_compared_too() -> None:
    spec: Json = {"tier": "Admin", "priority": 0, "subject": {"namespaces": {}}, "ingress": [], "egress": []}
    one = {"metadata": {"name": "cnp", "uid": "u"}, "spec": spec}
    of = ran(world(PODS, clusterwide=finalized([one], "ClusterNetworkPolicy")))
    assert compared(of) == ()
    assert [d.rule for d in compared(replace(of, cluster_policy_endpoints=()))] == ["policy-has-endpoints"]
    assert [d.rule for d in compared(replace(of, cluster_policies=()))] == ["endpoint-has-policy"]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_rule_says_where_it_is_from(rule: Any) -> None:
    assert rule.source.startswith("https://")
    assert len(rule.title.split()) > 3
