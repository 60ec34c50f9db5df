"""Which engine speaks which dialect, and that each has a reader or needs none."""

from __future__ import annotations

import msgspec
import pytest

from eksnetpol.engines import dialects
from eksnetpol.engines.catalog import catalog
from eksnetpol.engines.engine import Life, Mode, Presence
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.profile import Semantics
from eksnetpol.policy.stacks.rules import Does
from eksnetpol.policy.world import World


def there(name: str, life: Life = Life.LIVE, *, enforces: bool = True) -> Presence:
    return Presence(name, name, life, Mode.POLICY_ONLY, (), None, enforces)


def test_engines_and_what_they_speak() -> None:
    assert set(dialects.SPOKEN) == {engine.name for engine in catalog()} - {"others"}
    assert set(dialects.KINDS) == {*dialects.SPOKEN.values(), "upstream"}
    assert set(dialects.READERS) == {s for s in Semantics if s.is_foreign}
    for name in dialects.READERS:
        groups = next(engine.groups for engine in catalog() if engine.name == name)
        assert all(any(f".{own}".endswith(f".{group}") for group in groups) for own in dialects.KINDS[name])


def test_what_is_enforced_is_what_runs() -> None:
    assert dialects.dialects_of([there("canal")]) == ("calico",)
    assert dialects.dialects_of([there("weave"), there("kube-router")]) == ("kubernetes",)
    assert dialects.dialects_of([there("calico"), there("cilium")]) == ("calico", "cilium")
    assert dialects.dialects_of([there("antrea", Life.RESIDUE), there("others"), there("kube-router", enforces=False)]) == ()


def test_network_policies_alone_and_with_upstream_ones() -> None:
    own = msgspec.convert({"metadata": {"name": "p", "namespace": "shop"}}, NetworkPolicy)
    wide = msgspec.convert({"kind": "AdminNetworkPolicy", "metadata": {"name": "a"}, "spec": {"tier": "Admin"}}, AdminPolicy)
    world = World(network_policies=(own,), admin_policies=(wide,))
    alone = dialects.stack_of("kubernetes", world)
    assert [(tier.name, len(tier.policies), tier.otherwise) for tier in alone.tiers] == [("", 1, Does.DENY)]
    assert dialects.stack_of("kubernetes", world) is alone
    assert [(t.name, len(t.policies)) for t in dialects.stack_of("upstream", world).tiers] == [
        ("Admin", 1),
        ("", 1),
        ("Baseline", 0),
    ]
    with pytest.raises(KeyError):
        dialects.stack_of("flannel", world)
