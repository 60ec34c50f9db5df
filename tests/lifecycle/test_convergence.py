"""Every verb on every way of installing: planning again finds nothing to do, and the way back leads to where it began.

In memory, on clusters whose objects are upstream's own manifests, whole. What no way back brings back is written down here as in
docs/lifecycle.md, and nothing else may differ.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eksnetpol.fields.holds import ABSENT, value_at
from eksnetpol.model.actions import Restore, UpdateAddon
from eksnetpol.model.versions import Release
from eksnetpol.operations.lifecycle import Options, standing
from eksnetpol.operations.runs import way_back
from eksnetpol.planning.options import DisableOptions, EnableOptions, UpgradeOptions
from eksnetpol.simulation.world import SimulatedCluster
from tests.lifecycle import starts
from tests.lifecycle.convergence import Cluster, differing
from tests.planning.test_enable_carried_out import switches

AWS_NODE = "daemonset/kube-system/aws-node"
SETTINGS = "configmap/kube-system/amazon-vpc-cni"
CONTAINER = '.spec.template.spec.containers[name="{}"]'
ENABLE, UPGRADE = EnableOptions(), UpgradeOptions(to="1.21")
DISABLE, KEEP = DisableOptions(), DisableOptions(keep_policies=True)
STORED = '{"env":{"WARM_IP_TARGET":"5"},"nodeAgent":{"logLevel":"info"}}'
IMAGES = (("aws-node", "containers"), ("aws-eks-nodeagent", "containers"), ("aws-vpc-cni-init", "initContainers"))


@dataclass(frozen=True, slots=True)
class Situation:
    """Where it begins, what is wanted, and the objects in which the way back does not bring all back."""

    begins: Callable[[], SimulatedCluster]
    wanted: Options
    stays: tuple[str, ...] = ()


def at(*args: Any, **more: Any) -> Callable[[], SimulatedCluster]:
    return lambda: starts.cluster(*args, **more)


POLICY_ENDPOINTS = "customresourcedefinition/policyendpoints.networking.k8s.aws"
SITUATIONS: dict[str, Situation] = {
    "enable an add-on": Situation(at("addon", values=STORED), ENABLE),
    "enable an add-on that was never configured": Situation(at("addon"), ENABLE, ("add-on",)),
    "enable an add-on whose variables somebody changed": Situation(
        at("addon", values=STORED, edits=[starts.variable("WARM_ENI_TARGET", "3")]), ENABLE
    ),
    "enable an add-on whose switch somebody holds": Situation(
        at("addon", values=STORED, edits=[starts.key("False")]), ENABLE, (SETTINGS,)
    ),
    "enable what people manage": Situation(at(), ENABLE),
    "enable without an agent and without a ConfigMap": Situation(
        at(edits=[starts.no_agent, starts.no_settings]), ENABLE, (SETTINGS,)
    ),
    "enable without a key": Situation(at(edits=[starts.no_key]), ENABLE),
    "enable where one switch is on": Situation(at(edits=[starts.key("true")]), ENABLE),
    "enable where the other switch is on": Situation(at(edits=[starts.flag(("--enable-network-policy=true",))]), ENABLE),
    "enable a Helm release": Situation(at("helm"), ENABLE),
    "enable on Auto Mode": Situation(at("none", auto=True), ENABLE, (SETTINGS,)),
    "enable on Auto Mode beside an add-on": Situation(at("addon", values=STORED, auto=True), ENABLE),
    "enable on Auto Mode beside what people manage": Situation(at(auto=True), ENABLE),
    "adopt": Situation(at(), EnableOptions(adopt=True), (AWS_NODE,)),
    "adopt with settings": Situation(at(edits=[starts.variable("WARM_IP_TARGET", "7")]), EnableOptions(adopt=True), (AWS_NODE,)),
    "upgrade an add-on": Situation(at("addon", "v1.19.3", values='{"env":{"WARM_IP_TARGET":"5"}}', on=True), UPGRADE),
    "upgrade what people manage": Situation(at("manifest", "v1.19.6", on=True), UPGRADE, (POLICY_ENDPOINTS,)),
    "upgrade a Helm release": Situation(at("helm", "v1.19.6", on=True), UPGRADE, (POLICY_ENDPOINTS,)),
    "disable an add-on": Situation(at("addon", values=STORED, on=True), DISABLE),
    "disable what people manage": Situation(at(on=True), DISABLE),
    "disable a Helm release": Situation(at("helm", on=True), DISABLE),
    "disable on Auto Mode beside what people manage": Situation(at(on=True, auto=True), DISABLE),
    "disable an add-on and keep the policies": Situation(at("addon", values=STORED, on=True), KEEP),
    "disable what people manage and keep the policies": Situation(at(on=True), KEEP),
    "disable a Helm release and keep the policies": Situation(at("helm", on=True), KEEP),
    "disable on Auto Mode and keep the policies": Situation(at(on=True, auto=True), KEEP),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_planning_again_finds_nothing_and_the_way_back_leads_back(name: str) -> None:
    found = SITUATIONS[name]
    cluster = Cluster(found.begins())
    before = cluster.said()
    plan = cluster.plan(found.wanted)
    assert plan.steps
    assert not standing(plan, {"--take-over"})
    ran = cluster.perform(plan)
    after = cluster.said()
    assert differing(before, after)
    wanted = isinstance(found.wanted, EnableOptions | UpgradeOptions)
    has_agent = AWS_NODE in after
    assert switches(cluster.world.snapshot()) == (wanted, wanted and has_agent)
    again = cluster.plan(ENABLE if isinstance(found.wanted, EnableOptions) else found.wanted)
    assert not again.steps, [step.title for step in again.steps]
    cluster.back(ran)
    back = differing(before, cluster.said())
    assert back.keys() == set(found.stays), back.keys()
    for place, (was, now) in back.items():
        assert EXCUSES[place](was, now), (place, was, now)


# --- what a way back does not bring back --------------------------------------------------------------------------------------


def _never_configured(was: Any, now: Any) -> bool:
    """What says nothing is stored as the document that says nothing."""
    return bool({**was, "configuration_values": "{}"} == now)


def _settings_created(was: Any, now: Any) -> bool:
    """A ConfigMap that was created stays, with nothing of ours in it; a switch that EKS took over is off as EKS spells it."""
    if was is None:
        return not now.get("data")
    return (was["data"], now["data"]) == (
        {**now["data"], "enable-network-policy-controller": "False"},
        {**was["data"], "enable-network-policy-controller": "false"},
    )


def _images_as_eks_names_them(was: Any, now: Any) -> bool:
    """What EKS has written once stays EKS's build of the same release."""
    for container, part in IMAGES:
        path = f'.spec.template.spec.{part}[name="{container}"].image'
        one, other = value_at(was, path), value_at(now, path)
        assert one is not ABSENT
        if one.partition("-eksbuild")[0] != other.partition("-eksbuild")[0] and container != "aws-eks-nodeagent":
            return False
    return bool(_without_images(was) == _without_images(now))


def _without_images(daemonset: Any) -> Any:
    spec = daemonset["spec"]["template"]["spec"]
    parts = ("containers", "initContainers")
    bare = {k: [{**c, "image": "", "env": sorted(c.get("env", ()), key=str)} for c in spec[k]] for k in parts}
    return {**daemonset, "spec": {**daemonset["spec"], "template": {**daemonset["spec"]["template"], "spec": {**spec, **bare}}}}


def _newer_definition(was: Any, now: Any) -> bool:
    """A definition is never taken back to an older schema: objects of the newer one would be lost."""
    return bool(was["spec"]["names"] == now["spec"]["names"] and was["spec"]["versions"] != now["spec"]["versions"])


EXCUSES: dict[str, Callable[[Any, Any], bool]] = {
    "add-on": _never_configured,
    SETTINGS: _settings_created,
    AWS_NODE: _images_as_eks_names_them,
    POLICY_ENDPOINTS: _newer_definition,
}


# --- restore, and rollbacks of rollbacks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in SITUATIONS if n.startswith("disable") and "keep" not in n])
def test_what_was_backed_up_is_restored_once_and_can_be_taken_back(name: str) -> None:
    found = SITUATIONS[name]
    cluster = Cluster(found.begins())
    before = cluster.said()
    ran = cluster.perform(cluster.plan(found.wanted))
    off = cluster.said()
    restoring = cluster.restoring(ran)
    assert [type(step.action) for step in restoring.steps] == [Restore]
    restored = cluster.perform(restoring)
    assert not cluster.restoring(ran).steps
    there = cluster.said()
    policies = {place for place in before if place.startswith("networkpolicy/")}
    assert policies
    for place in policies:
        assert there[place]["spec"] == before[place]["spec"]
        assert "finalizers" not in there[place]["metadata"]
    assert differing(off, there).keys() == policies
    cluster.back(restored)
    assert not differing(off, cluster.said())


@pytest.mark.parametrize("name", ["enable an add-on", "enable what people manage", "disable what people manage"])
def test_a_rollback_is_rolled_back_and_that_too(name: str) -> None:
    found = SITUATIONS[name]
    cluster = Cluster(found.begins())
    sides = [cluster.said()]
    ran = cluster.perform(cluster.plan(found.wanted))
    sides.append(cluster.said())
    for number in range(4):
        ran = cluster.back(ran)
        assert not differing(cluster.said(), sides[number % 2]), f"rollback {number + 1}"


def test_no_policy_hangs_after_going_back_on_enabling() -> None:
    cluster = Cluster(starts.cluster())
    ran = cluster.perform(cluster.plan(ENABLE))
    enforced = cluster.said()
    assert any(place.startswith("policyendpoint/") for place in enforced)
    # Somebody makes a policy meanwhile; the controller marks it as the others.
    cluster.world.create(starts.policy({"name": "later", "uid": "p-9"}))
    assert "finalizers" in cluster.said()["networkpolicy/shop/later"]["metadata"]
    cluster.back(ran)
    after = cluster.said()
    assert not any(place.startswith("policyendpoint/") for place in after)
    for ref in [r for r in starts.policies(cluster.world) if r.name in {"later", "web"}]:
        cluster.world.delete(ref)
    assert "networkpolicy/shop/later" not in cluster.said()


# --- any start ------------------------------------------------------------------------------------------------------------------

RELEASES = ("v1.14.0", "v1.16.4", "v1.18.5", "v1.19.3", "v1.20.5", "v1.21.1", "v1.23.0")
SPELLED = st.sampled_from(["true", "false", "True", "False", "yes", "", " true"])
FLAGS = st.sampled_from(
    [
        (),
        ("--enable-network-policy=false",),
        ("--enable-network-policy=true",),
        ("--enable-network-policy",),
        ("-enable-network-policy=False",),
        ("--enable-network-policy=0",),
        ("--enable-network-policy=false", "--enable-network-policy=true"),
        ("--enable-network-policy=true", "--enable-network-policy=false"),
    ]
)
VARIABLES = st.sampled_from(["WARM_IP_TARGET", "NETWORK_POLICY_ENFORCING_MODE", "MY_OWN"])
EDITS = st.lists(
    st.one_of(
        SPELLED.map(starts.key),
        FLAGS.map(starts.flag),
        st.sampled_from([starts.no_agent, starts.no_settings, starts.no_key]),
        st.tuples(VARIABLES, st.sampled_from(["5", "standard", None])).map(lambda pair: starts.variable(*pair)),
        st.sampled_from(["--log-level=error", "--metrics-bind-addr=:9999", "--their-own=1"]).map(starts.argument),
    ),
    max_size=4,
)
EXAMPLES = 200 if os.environ.get("EKSNETPOL_TEST_ALL") else 6
QUICK = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@QUICK
@given(
    release=st.sampled_from(RELEASES),
    way=st.sampled_from(["manifest", "helm"]),
    auto=st.booleans(),
    on=st.booleans(),
    edits=EDITS,
)
def test_whatever_people_made_of_it_is_enabled_once_and_comes_back(
    release: str, way: str, auto: bool, on: bool, edits: list[starts.Edit]
) -> None:
    cluster = Cluster(starts.cluster(way, release, auto=auto, on=on, edits=edits))
    before = cluster.said()
    plan = cluster.plan(ENABLE)
    assert not standing(plan, {"--take-over"}), plan.refusals
    if not plan.steps:
        assert switches(cluster.world.snapshot()) == (True, True)
        return
    ran = cluster.perform(plan)
    assert switches(cluster.world.snapshot()) == (True, True)
    again = cluster.plan(ENABLE)
    assert not again.steps, [step.title for step in again.steps]
    cluster.back(ran)
    left = differing(before, cluster.said())
    assert left.keys() <= {SETTINGS} | {place for place, (was, _) in left.items() if was is None}
    assert all(was is None or _settings_created(was, now) for was, now in left.values()), left


@QUICK
@given(
    release=st.sampled_from(["v1.18.5", "v1.19.3", "v1.20.5", "v1.22.4"]),
    values=st.fixed_dictionaries(
        {},
        optional={
            "env": st.dictionaries(st.sampled_from(["WARM_IP_TARGET", "ENABLE_POD_ENI"]), st.sampled_from(["1", "true"])),
            "nodeAgent": st.just({"enableCloudWatchLogs": "true"}),
            "enableNetworkPolicy": st.just("false"),
        },
    ),
    edits=st.lists(st.sampled_from(["WARM_ENI_TARGET", "MY_OWN"]).map(lambda name: starts.variable(name, "4")), max_size=2),
    keep=st.booleans(),
)
def test_an_addon_is_enabled_disabled_and_taken_back_to_where_it_was(
    release: str, values: dict[str, Any], edits: list[starts.Edit], keep: bool
) -> None:
    stored = json.dumps(values) if values else "{}"
    cluster = Cluster(starts.cluster("addon", release, values=stored, edits=edits))
    before = cluster.said()
    enabling = cluster.perform(cluster.plan(ENABLE))
    (sent,) = (step.action for step in enabling.plan.steps if isinstance(step.action, UpdateAddon))
    assert json.loads(sent.configuration_values) == {**values, "enableNetworkPolicy": "true"}
    on = cluster.said()
    off = cluster.plan(DisableOptions(keep_policies=keep))
    old = Release.parse(release) < Release.parse("v1.19.0")
    if keep and old:
        assert "crashes" in off.refusals[0].why
        return
    assert not off.refusals
    disabling = cluster.perform(off)
    assert not cluster.plan(DisableOptions(keep_policies=keep)).steps
    cluster.back(disabling)
    assert not differing(on, cluster.said())
    if old:
        # Its agent would crash, for EKS switches it off with PolicyEndpoints around.
        (door,) = way_back(enabling.plan, enabling.journal, cluster.world.now()).refusals
        assert "eksnetpol disable" in door.why
        return
    cluster.back(enabling)
    assert not differing(before, cluster.said())
