"""The shop under Calico with a policy for the whole cluster, and a VPC CNI that knows ClusterNetworkPolicies."""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec.structs import replace

from eksnetpol.migration.planning.options import MigrateOptions
from eksnetpol.model.foreign import foreign_policy
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.operations.moving import Move, prepare_migration
from tests.migration.shops import SOURCE, owned, short
from tests.migration.towns import EMPTY
from tests.planning.clusters import definition, look
from tests.simulation import engine_clusters

Json = dict[str, Any]
DENIES: Json = {
    "apiVersion": "crd.projectcalico.org/v1",
    "kind": "GlobalNetworkPolicy",
    "metadata": {"name": "default.no-spies", "uid": "source-no-spies"},
    "spec": {
        "order": 10,
        "selector": "app == 'db'",
        "types": ["Ingress"],
        "ingress": [{"action": "Deny", "source": {"selector": "app == 'spy'"}}],
    },
}
NAME = "clusternetworkpolicies.networking.k8s.aws"


@cache
def there() -> ClusterSnapshot:
    """The shop under Calico, where spies are denied everywhere, with a VPC CNI that knows ClusterNetworkPolicies."""
    written = short()
    written |= {"daemonsets": [], "deployments": [], "pods": [p for p in written["pods"] if "calico" not in p["name"]]}
    written |= {name: [] for name in EMPTY}
    written["aws_node"] = {**written["aws_node"], "cni": "v1.21.1"}
    written["crds"] = [d for d in written["crds"] if d["name"] != NAME] + [definition(NAME, "ClusterNetworkPolicy")]
    found = engine_clusters.calico_by_operator(owned(look(written)))
    foreign = tuple(foreign_policy(one, one["apiVersion"], one["kind"]) for one in (SOURCE, DENIES))
    return replace(found, foreign_policies=Seen(foreign))


def move(snapshot: ClusterSnapshot | None = None, *, asked: bool = True) -> Move:
    """What leading it off Calico comes to."""
    options = MigrateOptions(cleaner_image="example.com/cleaner:1")
    return prepare_migration(snapshot or there(), options, cluster_policies=asked)
