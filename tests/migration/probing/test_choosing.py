"""Which connections are tried: held to the engines asked one pair of pods at a time, and to what a probe must never be like."""

from __future__ import annotations

from dataclasses import replace as with_changes
from functools import cache
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from eksnetpol.engines.dialects import stack_of
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.gateways import snapshot_file
from eksnetpol.migration.planning.options import MigrateOptions
from eksnetpol.migration.probing.choosing import IMDS, MOST_SOURCES, Chosen
from eksnetpol.migration.probing.safety import publishing_service
from eksnetpol.model.actions import ProbeSource, ProbeTarget
from eksnetpol.model.kubernetes import Pod
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.operations.migration import Source, source_of, translated
from eksnetpol.operations.moving import connections
from eksnetpol.policy.answers import Addresses, Engine, Pods
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.stacks.engine import engine_for
from eksnetpol.translation import Translation
from eksnetpol.translation.comparing import after
from tests.migration.towns import town

ROOT = Path(__file__).parents[3]


@cache
def store() -> tuple[ClusterSnapshot, Source, Translation]:
    """The recorded retail store under Calico."""
    catalog()
    found = snapshot_file.load(ROOT / "demo" / "clusters" / "retail-store-calico.json.gz")
    source = source_of(found)
    return found, source, translated(source)


def chosen(snapshot: ClusterSnapshot, source: Source, done: Translation, most: int = 40) -> Chosen:
    catalog()
    found = connections(source, done, MigrateOptions(probe_image="p", probes=most), Lookup(snapshot))
    assert found is not None
    return found


def lines(found: Chosen) -> list[str]:
    return [
        f"{found.sources[one.source].title} to {found.targets[one.target].title}:{one.port} {'yes' if one.allowed else 'no'}"
        for one in found.tries
    ]


def test_the_stores_connections_cover_every_workload_that_policies_are_about() -> None:
    found = chosen(*store())
    assert found.notes == ()
    assert found.words == "26 connections from 9 kinds of pods, 13 of which policies deny"
    told = {target.title for target in found.targets}
    assert {"kube-system/Deployment/coredns", "the Kubernetes API", "instance metadata"} <= told
    assert {f"{name}/Deployment/{name}" for name in ("carts", "catalog", "checkout", "orders", "ui")} <= told
    for one in found.tries:
        if not one.allowed:
            control = found.tries[one.control]
            assert (control.allowed, control.target, control.port) == (True, one.target, one.port)
            assert control.source != one.source
    assert lines(found)[:4] == [
        "carts/Deployment/carts to carts/Deployment/carts-dynamodb:8000 yes",
        "carts/Deployment/carts-dynamodb to carts/Deployment/carts-dynamodb:8000 no",
        "checkout/Deployment/checkout-redis to carts/Deployment/carts:8080 yes",
        "catalog/StatefulSet/catalog-mysql to carts/Deployment/carts:8080 no",
    ]


def test_the_same_cluster_gives_the_same_choice_in_whatever_order_it_was_read() -> None:
    snapshot, source, done = store()
    world = with_changes(source.world, pods=tuple(reversed(source.world.pods)), namespaces=source.world.namespaces[::-1])
    again = chosen(snapshot, with_changes(source, world=world), done)
    assert again == chosen(snapshot, source, done)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 12, 200])
def test_no_more_are_chosen_than_were_wanted(most: int) -> None:
    found = chosen(*store(), most)
    assert len(found.tries) <= most
    assert len(found.sources) <= MOST_SOURCES
    assert all(0 <= one.control < len(found.tries) for one in found.tries if not one.allowed)


def like(pods: tuple[Pod, ...], end: ProbeSource | ProbeTarget) -> list[Pod]:
    """The pods of today that a probe, or its target, stands for."""
    namespace = end.namespace if isinstance(end, ProbeTarget) else end.job.namespace
    without = end.without if isinstance(end, ProbeTarget) else ()
    return [
        pod
        for pod in pods
        if pod.namespace == namespace
        and not pod.spec.host_network
        and not pod.is_terminal
        and end.labels.items() <= pod.labels.items()
        and not any(key in pod.labels for key in without)
    ]


@pytest.mark.parametrize("name", ["store", "calico_by_operator", "cilium"])
def test_both_engines_say_of_every_pair_of_pods_what_is_expected(name: str) -> None:
    if name == "store":
        snapshot, source, done = store()
    else:
        there = town(name)
        snapshot, source, done = there.snapshot, there.source, there.translation
    profile = Profile(family="ipv4")
    engines: tuple[Engine, ...] = (
        engine_for(source.world, profile, stack_of(source.dialect, source.world)),
        build_engine(after(source.world, done.outputs), profile),
    )
    found = chosen(snapshot, source, done)
    assert found.tries
    for one in found.tries:
        target = found.targets[one.target]
        for mine in like(source.world.pods, found.sources[one.source]):
            for engine in engines:
                sender = Pods(1 << engine.atlas.class_of[mine.namespace, mine.name], mine.name, (mine,))
                if target.address:
                    answer = engine.decide(sender, Addresses(f"{target.address}/32", target.title), "TCP", one.port)
                    assert answer.allowed is one.allowed, (mine.name, target.title)
                for pod in like(source.world.pods, target) if not target.address else ():
                    taker = Pods(1 << engine.atlas.class_of[pod.namespace, pod.name], pod.name, (pod,))
                    if (pod.namespace, pod.name) != (mine.namespace, mine.name):
                        assert engine.decide(sender, taker, "TCP", one.port).allowed is one.allowed, (mine.name, pod.name)


def test_a_probe_carries_no_label_that_policies_do_not_ask_for() -> None:
    snapshot, source, done = store()
    found = chosen(snapshot, source, done)
    asked = {key for one in found.sources for key in one.labels}
    on_pods = {key for pod in source.world.pods for key in pod.labels}
    assert "pod-template-hash" in on_pods
    assert asked
    assert not asked & {"pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name"}


def test_nothing_is_put_where_the_system_or_an_engine_lives() -> None:
    for args in (store(), *((t.snapshot, t.source, t.translation) for t in (town("calico_by_operator"), town("cilium")))):
        found = chosen(*args)
        assert not {one.job.namespace for one in found.sources} & {"kube-system", "calico-system", "tigera-operator"}


def test_jobs_of_different_gates_and_sources_have_names_of_their_own() -> None:
    """The agent takes pods for one that share namespace and name up to the last dash."""
    found = chosen(*store())
    refs = [ref for gate in ("baseline", "batch-1", "close") for ref in found.at(gate, "p").refs]
    assert len(set(refs)) == len(refs) == 3 * len(found.sources)
    assert all(len(ref.name) <= 63 - len("-xxxxx") for ref in refs)


def policy(spec: dict[str, object]) -> NetworkPolicy:
    body = {"metadata": {"name": "more", "namespace": "shop", "uid": "more"}, "spec": spec}
    return msgspec.convert(body, NetworkPolicy)


def with_policy(spec: dict[str, object]) -> Chosen:
    there = town("calico_by_operator")
    assert isinstance(there.snapshot.network_policies, Seen)
    policies = (*there.snapshot.network_policies.value, policy(spec))
    snapshot = replace(there.snapshot, network_policies=Seen(policies))
    source = source_of(snapshot)
    return chosen(snapshot, source, translated(source))


def test_where_policies_tell_pods_apart_by_what_jobs_add_nothing_is_tried() -> None:
    found = with_policy({"podSelector": {"matchLabels": {"job-name": "backup"}}, "policyTypes": ["Ingress"]})
    assert found.tries == ()
    assert found.notes == ("no connection is tried: policies tell pods apart by job-name, which a probe's pod always has",)


def test_where_blocks_tell_pods_apart_no_probe_stands_for_either() -> None:
    there = town("calico_by_operator")
    address = next(p.status.pod_ip for p in there.source.world.pods if p.labels.get("app") == "web")
    rule = {"from": [{"ipBlock": {"cidr": f"{address}/32"}}]}
    found = with_policy({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [rule]})
    assert not [one for one in found.sources if one.labels == {"app": "db"}], "no pod of its is in the block of one of web's"
    assert "where a probe's address falls is not known before" in found.notes[0]


def test_a_service_that_publishes_pods_that_are_not_ready_is_recognised() -> None:
    def service(*, publishes: bool, **selector: str) -> dict[str, object]:
        return {"metadata": {"name": "peers"}, "spec": {"publishNotReadyAddresses": publishes, "selector": selector}}

    assert publishing_service([service(publishes=True, app="db")], {"app": "db"}) == "peers"
    assert publishing_service([service(publishes=False, app="db")], {"app": "db"}) == ""
    assert publishing_service([service(publishes=True, app="db", tier="1")], {"app": "db"}) == "", "fewer labels, no match"
    assert publishing_service([service(publishes=True)], {"app": "db"}) == "", "without selector it selects nobody"


def test_instance_metadata_is_only_expected_to_be_closed() -> None:
    """Whether it answers a pod depends on hop limits of instances too, which are nobody's policy."""
    found = chosen(*store())
    places = {number for number, target in enumerate(found.targets) if target.address == IMDS}
    tries = [one for one in found.tries if one.target in places]
    assert [(one.allowed, one.counts) for one in tries] == [(True, False), (False, True)]
