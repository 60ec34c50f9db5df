"""Malformed policies: every reader says which one and where, and nothing crashes, from the object to the file."""

from __future__ import annotations

import json
import random
from io import BytesIO
from typing import Any

import pytest

from eksnetpol.errors import EksNetpolError, UnreadableInput
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.model.findings import Subject
from eksnetpol.operations.migration import source_of, translated
from tests.migration.malformed import spoilt
from tests.migration.promise import MAKERS, Cluster

Json = dict[str, Any]

OBJECTS = 400
"""So many of each dialect's readers."""
FILES = {"calico": 40, "cilium": 24, "antrea": 8, "upstream": 40}
"""So many of each dialect: few where it takes long."""
POLICIES = {
    *("NetworkPolicy", "GlobalNetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "ClusterNetworkPolicy"),
}


def with_one_spoilt(case: Cluster, chance: random.Random) -> tuple[list[Json], Json]:
    """Return the objects of a case with one that is not as it should be, and that one."""
    objects = list(case.objects)
    at = chance.choice([n for n, one in enumerate(objects) if one["apiVersion"] != "networking.k8s.io/v1"])
    objects[at] = spoilt(objects[at], chance)
    return objects, objects[at]


def same(ref: Subject, one: Json) -> bool:
    meta = one["metadata"]
    mine = (ref.kind.partition(".")[0], ref.name, ref.namespace)
    return mine == (one["kind"], meta["name"], meta.get("namespace", ""))


@pytest.mark.parametrize("dialect", ["calico", "cilium", "antrea"])
def test_a_reader_takes_it_or_says_where_it_is_wrong(dialect: str) -> None:
    wrong = 0
    for number in range(OBJECTS):
        chance = random.Random(number)  # noqa: S311 - nothing depends on nobody guessing it
        case = MAKERS[dialect](number)
        objects, one = with_one_spoilt(case, chance)
        stack = case.reader([o for o in objects if o["apiVersion"] != "networking.k8s.io/v1"], case.world)
        left_out = [r for r in (*stack.refused, *stack.unread) if same(r.ref, one)]
        taken = [p for tier in stack.tiers for p in tier.policies if same(p.ref, one)]
        # It is in force, or named: never neither, and never both.
        assert bool(left_out) != bool(taken) or one["kind"] not in POLICIES, one
        assert all(r.why and (r.place or "spec" in r.why) for r in left_out), left_out
        wrong += bool(left_out)
    assert wrong > OBJECTS / 2


@pytest.mark.parametrize("dialect", MAKERS)
def test_a_file_is_translated_or_refused_with_its_line(dialect: str) -> None:
    done = 0
    refusals: list[str] = []
    for number in range(FILES[dialect]):
        chance = random.Random(number)  # noqa: S311 - nothing depends on nobody guessing it
        case = MAKERS[dialect](number)
        objects, one = with_one_spoilt(case, chance)
        try:
            source = source_of(read_manifests(["-"], BytesIO(as_file(case, objects))), dialect)
            made = translated(source)
        except UnreadableInput as error:
            refusals.append(str(error))
            continue
        except EksNetpolError as error:
            pytest.fail(f"{dialect} {number}: {error}, of {one}")
        named = [*(r.ref for r in source.stack.refused), *(j.ref for j in made.judged)]
        assert any(same(ref, one) for ref in named) or one["kind"] not in POLICIES, one
        done += 1
    assert done
    # The line, and what is wrong there.
    assert [r for r in refusals if not r.startswith("stdin:")] == []
    assert refusals or dialect != "upstream"


def as_file(case: Cluster, objects: list[Json]) -> bytes:
    """Return a case as manifests."""
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n["name"], "labels": n["labels"]}}
        for n in case.cluster["namespaces"]
    ]
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": p["name"], "namespace": p["namespace"], "labels": p["labels"]},
            "spec": {"containers": [{"name": "a", "image": "b", "ports": p["ports"]}], "serviceAccountName": p["serviceAccount"]},
            "status": {"phase": "Running", "podIP": p["ip"]},
        }
        for p in case.cluster["pods"]
    ]
    text = "\n---\n".join(json.dumps(one) for one in (*spaces, *pods, *objects))
    return text.replace("-Infinity", "-.inf").replace("Infinity", ".inf").replace("NaN", ".nan").encode()
