"""What the policies of a stack were read from, by the names that reports call them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from eksnetpol.engines.dialects import stack_of
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.foreign import foreign_policy
from eksnetpol.model.kubernetes import Namespace
from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.operations.migration import Source, translated
from eksnetpol.policy.world import World
from eksnetpol.translation.naming import DIGEST
from eksnetpol.translation.sources import digests, source_objects

Json = dict[str, Any]

CALICO = {"selector": "all()", "types": ["Ingress"], "ingress": [{"action": "Allow", "source": {"selector": "app == 'a'"}}]}
CILIUM = {"endpointSelector": {}, "ingress": [{"fromEndpoints": [{"matchLabels": {"app": "a"}}]}]}
ANTREA = {
    "appliedTo": [{"podSelector": {}}], "priority": 5,
    "ingress": [{"action": "Drop", "from": [{"podSelector": {"matchLabels": {"app": "a"}}}]}],
}  # fmt: skip


def foreign(version: str, kind: str, spec: Json, name: str = "web", **meta: Any) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **meta}, "spec": spec}


def world(*objects: Json, admin: tuple[Json, ...] = ()) -> World:
    return World(
        namespaces=msgspec.convert([{"metadata": {"name": "shop"}}], tuple[Namespace, ...]),
        foreign_policies=tuple(foreign_policy(o, o["apiVersion"], o["kind"]) for o in objects),
        admin_policies=msgspec.convert(list(admin), tuple[AdminPolicy, ...]),
        family="ipv4",
    )


SNAPSHOT = ClusterSnapshot(taken_at=datetime(2026, 1, 1, tzinfo=UTC))

POLICIES = (
    ("calico", foreign("projectcalico.org/v3", "NetworkPolicy", CALICO, namespace="shop")),
    ("calico", foreign("crd.projectcalico.org/v1", "NetworkPolicy", CALICO, "default.web", namespace="shop")),
    ("calico", foreign("projectcalico.org/v3", "GlobalNetworkPolicy", CALICO)),
    ("cilium", foreign("cilium.io/v2", "CiliumNetworkPolicy", CILIUM, namespace="shop")),
    ("cilium", foreign("cilium.io/v2", "CiliumClusterwideNetworkPolicy", CILIUM)),
    ("antrea", foreign("crd.antrea.io/v1beta1", "NetworkPolicy", ANTREA, namespace="shop")),
    ("antrea", foreign("crd.antrea.io/v1beta1", "ClusterNetworkPolicy", ANTREA)),
)


@pytest.mark.parametrize(("dialect", "policy"), POLICIES)
def test_every_policy_in_force_is_found_by_its_name(dialect: str, policy: Json) -> None:
    mine = world(policy)
    refs = {p.ref for tier in stack_of(dialect, mine).tiers for p in tier.policies if p.ref.name}
    assert refs
    assert {ref: source_objects(mine)[ref]["spec"] for ref in refs} == dict.fromkeys(refs, policy["spec"])


def test_policies_of_kubernetes_itself_are_shown_as_they_are_written() -> None:
    rule = {"action": "Deny", "from": [{"namespaces": {"matchLabels": {"a": "b"}}}]}
    spec = {"tier": "Admin", "priority": 3, "subject": {"namespaces": {}}, "ingress": [rule]}
    mine = world(admin=({"kind": "AdminNetworkPolicy", "metadata": {"name": "a"}, "spec": spec},))
    [(ref, body)] = source_objects(mine).items()
    assert str(ref) == "adminnetworkpolicy/a"
    assert (body["apiVersion"], body["spec"]) == (
        "policy.networking.k8s.io/v1alpha1", {k: v for k, v in spec.items() if k != "tier"},
    )  # fmt: skip


@pytest.mark.parametrize(("dialect", "policy"), POLICIES)
def test_what_is_written_bears_the_digest_of_what_it_was_written_from(dialect: str, policy: Json) -> None:
    def said(body: Json) -> set[str]:
        mine = world(body)
        done = translated(Source(dialect, stack_of(dialect, mine), mine, ("10.0.0.0/16",), SNAPSHOT))
        return {output.manifest["metadata"]["annotations"][DIGEST] for output in done.outputs}

    [own] = said(policy)
    assert own in digests(world(policy)).values()
    # What the API server adds, and how keys are ordered, is not what was written.
    meta = {**policy["metadata"], "uid": "1234", "resourceVersion": "5"}
    assert said({**policy, "metadata": meta, "spec": dict(reversed(policy["spec"].items()))}) == {own}
    other = {**policy["spec"], "description": "x"} if dialect == "cilium" else {**policy["spec"], "order": 7}
    if dialect != "antrea":
        assert said({**policy, "spec": other}) != {own}
