"""The sets against the plain way: pod by pod, entry by entry."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eksnetpol.model.versions import Release
from eksnetpol.policy.prediction.predict import Prediction, predict
from eksnetpol.policy.profile import Profile
from tests.policy.prediction import oracle as slow
from tests.policy.prediction import worlds
from tests.policy.prediction.oracle import Oracle

Json = dict[str, Any]
Cluster = tuple[list[Json], list[Json], list[Json]]
Lists = tuple[list[Json], list[Json], list[Json]]

LARGE = 1 << 20
RELEASES = sorted(slow.RELEASES)


def port(triple: tuple[Any, ...]) -> tuple[str, Any, Any]:
    return (triple[0] or "TCP", triple[1], triple[2])


def shape(entry: Json) -> str:
    """An entry without the order of its lists."""
    ports = sorted((p["protocol"], p.get("port", 0), p.get("endPort", 0)) for p in entry.get("ports", []))
    rest = {k: v for k, v in entry.items() if k not in {"ports", "except"}}
    return json.dumps({**rest, "except": sorted(entry.get("except", [])), "ports": ports}, sort_keys=True)


def written(entry: Json) -> Json:
    """An entry of the oracle as the API has it."""
    named = (zip(("protocol", "port", "endPort"), port(p), strict=True) for p in entry["ports"])
    ports = [{k: v for k, v in pairs if v is not None} for pairs in named]
    made = {"cidr": entry.get("cidr"), "domainName": entry.get("domain"), "action": entry.get("action")}
    return {k: v for k, v in made.items() if v} | {"except": entry.get("except", []), "ports": ports}


def compare(predicted: Prediction, want: Lists, merge: str, size: int) -> None:
    """Hold the objects of the one policy of *predicted* to what the oracle says."""
    pods, *both = want
    assume(not any(slow.is_chance(entries) for entries in both))
    apart = [slow.told_apart(slow.settle(entries), cluster=merge == "action") for entries in both]
    objects = [json.loads(d) for d in predicted.documents()]
    needed = max(1, *(-(-len(entries) // size) for entries in (pods, *apart)))
    assert len(objects) == needed
    (count,) = predicted.counts()
    assert (count.objects, count.pods, count.ingress, count.egress) == (needed, len(pods), *map(len, apart))
    listed = [p for o in objects for p in o["spec"].get("podSelectorEndpoints", [])]
    assert Counter(json.dumps(p, sort_keys=True) for p in listed) == Counter(json.dumps(p, sort_keys=True) for p in pods)
    for key, entries in zip(("ingress", "egress"), apart, strict=True):
        mine = [e for o in objects for e in o["spec"].get(key, [])]
        if needed == 1:
            assert Counter(map(shape, mine)) == Counter(shape(written(e)) for e in slow.merged(entries, merge)), key
        else:
            assert all(len(o["spec"].get(key, [])) <= size for o in objects)
            assert union(mine, merge) == union([written(e) for e in entries], merge), key


def union(entries: list[Json], merge: str) -> Any:
    """All that several objects say of one block together, whichever entry lies in which."""
    if merge == "never":
        return Counter(map(shape, entries))
    found: dict[Any, set[Any]] = {}
    everything = set()
    for entry in entries:
        head: Any = (entry.get("cidr"), entry.get("domainName"), entry.get("action"))
        if merge == "block":
            head = (*head, *sorted(entry.get("except", [])))
        found.setdefault(head, set()).update((p["protocol"], p.get("port"), p.get("endPort")) for p in entry.get("ports", []))
        if not entry.get("ports") and merge == "block":
            everything.add(head)
    return {head: "all" if head in everything else ports for head, ports in found.items()}


def run(make: Callable[[], Lists], predicted: Prediction, merge: str, size: int) -> None:
    try:
        want = make()
    except slow.Stops:
        assert not list(predicted.documents())
        (note,) = [n for n in predicted.notes if n.left_out]
        assert note.subject is not None
        assert "ends the process" in note.words
        return
    assert not any(n.left_out for n in predicted.notes)
    compare(predicted, want, merge, size)


sizes = st.sampled_from([LARGE, LARGE, 1, 2, 3])


@settings(max_examples=400, deadline=None)
@given(worlds.clusters(), worlds.network_policies(), st.sampled_from(RELEASES), sizes)
def test_network_policies_become_what_the_oracle_says(cluster: Cluster, policy: Json, release: str, size: int) -> None:
    how = slow.RELEASES[release]
    predicted = predict(worlds.world(cluster, network=[policy]), Profile(controller=Release.parse(release)), size)
    asked = Oracle(*cluster, how)
    run(lambda: asked.network_policy(policy), predicted, how.merge, size)


@settings(max_examples=300, deadline=None)
@given(worlds.clusters(), worlds.application_policies(), sizes)
def test_application_policies_become_what_the_oracle_says(cluster: Cluster, policy: Json, size: int) -> None:
    predicted = predict(worlds.world(cluster, application=[policy]), Profile(), size)
    asked = Oracle(*cluster, slow.RELEASES["1.1.7"])
    run(lambda: asked.application_policy(policy), predicted, "never", size)


@settings(max_examples=300, deadline=None)
@given(worlds.clusters(), worlds.cluster_policies(), sizes)
def test_cluster_policies_become_what_the_oracle_says(cluster: Cluster, policy: Json, size: int) -> None:
    predicted = predict(worlds.world(cluster, clusterwide=[policy]), Profile(), size)
    asked = Oracle(*cluster, slow.RELEASES["1.1.7"])
    run(lambda: asked.cluster_policy(policy), predicted, "action", size)


@settings(max_examples=300, deadline=None)
@given(worlds.clusters(), st.lists(worlds.policy_ports(), min_size=1, max_size=3), st.sampled_from(["1.1.4", "1.1.5", "1.1.7"]))
def test_services_have_the_answers_that_some_order_of_their_pods_gives(cluster: Cluster, ports: list[Json], release: str) -> None:
    """5.4c: whichever pod is met first decides, so all that can be met is predicted, and nothing else."""
    pods, namespaces, services = cluster
    everywhere: Json = {"namespaceSelector": {}}
    policy = {
        "metadata": {"name": "np", "namespace": "shop"},
        "spec": {"podSelector": {}, "egress": [{"to": [everywhere], "ports": ports}]},
    }
    asked = Oracle(pods, namespaces, services, slow.RELEASES[release])
    predicted = predict(worlds.world(cluster, network=[policy]), Profile(controller=Release.parse(release)))
    predicted_services = predicted.resolver.services
    doubtful = {u.service.name: u for u in predicted.undetermined}
    by_name = {s["metadata"]["name"]: s for s in services}
    policy_ports = predicted.world.network_policies[0].spec.egress[0].ports
    for index, service in enumerate(predicted_services.members):
        want = {tuple(a) or None for a in asked.answers(by_name[service.name], ports)}
        assert set(predicted_services.answers(index, policy_ports)) == want
        assert (service.name in doubtful) == (len(want) > 1)


def test_of_nothing_nothing_becomes() -> None:
    empty = predict(worlds.world(([], [], [])), Profile())
    assert (list(empty.objects()), empty.counts(), empty.notes, empty.undetermined) == ([], (), (), ())
