"""The shop under each engine that it can be led off: snapshot, policies, translation, and the plan that is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from msgspec.structs import replace

from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.migration.planning.migrate import plan_migration
from eksnetpol.migration.planning.options import LeftOver, MigrateOptions
from eksnetpol.model.foreign import foreign_policy
from eksnetpol.model.plan import Plan
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.operations.migration import Source, source_of, translated
from eksnetpol.translation import Translation
from tests.migration.shops import SOURCE, owned, short
from tests.planning.clusters import look
from tests.simulation import engine_clusters

Json = dict[str, Any]
ENGINES = ("calico_by_operator", "calico_by_manifest", "kube_router", "cilium")
EMPTY = (
    "cluster_role_bindings", "admission_policies", "admission_bindings", "service_accounts", "webhooks", "api_services",
    "policy_endpoints", "cluster_policy_endpoints", "cluster_policies",
)  # fmt: skip
CILIUM: Json = {
    "apiVersion": "cilium.io/v2",
    "kind": "CiliumNetworkPolicy",
    "metadata": {"name": "db", "namespace": "shop", "uid": "source-db"},
    "spec": {
        "endpointSelector": {"matchLabels": {"app": "db"}},
        "ingress": [
            {
                "fromEndpoints": [{"matchLabels": {"app": "web"}}],
                "toPorts": [{"ports": [{"port": "5432", "protocol": "TCP"}]}],
            }
        ],
    },
}


@dataclass(frozen=True)
class Town:
    """A cluster that is to be led off its engine."""

    snapshot: ClusterSnapshot
    source: Source
    translation: Translation
    ebpf: bool

    @property
    def brought(self) -> tuple[NetworkPolicy, ...]:
        """What the plan applies."""
        return tuple(msgspec.convert(o.manifest, NetworkPolicy) for o in self.translation.outputs)

    def plan(self, **options: Any) -> Plan:
        """Return the plan; *options* are those of `MigrateOptions`."""
        catalog()
        wanted = {"cleaner_image": "example.com/cleaner:1", "left_overs": tuple(LeftOver)} | options
        return plan_migration(Lookup(self.snapshot), self.translation, MigrateOptions(**wanted))


@cache
def town(engine: str) -> Town:
    """Return the shop under one of `ENGINES`."""
    written = short()
    written |= {"daemonsets": [], "deployments": [], "pods": [p for p in written["pods"] if "calico" not in p["name"]]}
    written |= {name: [] for name in EMPTY}
    found: ClusterSnapshot = getattr(engine_clusters, engine)(owned(look(written)))
    if engine != "kube_router":
        one = CILIUM if engine == "cilium" else SOURCE
        found = replace(found, foreign_policies=Seen((foreign_policy(one, one["apiVersion"], one["kind"]),)))
    source = source_of(found)
    return Town(found, source, translated(source), engine == "cilium")
