"""The policies that a migration starts from: those of the old engine, and the NetworkPolicies beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eksnetpol.facts.declare import Lookup
from eksnetpol.migration.planning.leaving import Leaving
from eksnetpol.model.actions import ObjectId
from eksnetpol.model.conditions import Covered, Unchanged
from eksnetpol.model.engine_kinds import ENGINE_KINDS
from eksnetpol.model.fingerprints import digest_of_objects
from eksnetpol.model.foreign import ForeignPolicy
from eksnetpol.model.kinds import CLUSTER_POLICY, NETWORK_POLICY, Json, Kind, ObjectRef
from eksnetpol.model.kubernetes import KindCount
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.model.snapshot import Unread, Why
from eksnetpol.planning import live
from eksnetpol.planning.reading import known, need
from eksnetpol.translation.naming import MANAGED_BY, is_ours
from eksnetpol.translation.values import Translation

OURS = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())
"""The label of NetworkPolicies that a translation made, as a selector."""

_OF_NODES = frozenset({"HostEndpoint"})
"""Kinds that say nothing of pods. Calico's controllers make these as nodes come and go, which is no change of a policy."""

_KNOWN = {(kind.api_version, kind.name): kind for kind in ENGINE_KINDS}


@dataclass(frozen=True, slots=True)
class Sources:
    """``own`` are the old engine's policies and what they refer to, ``standard`` the NetworkPolicies that are not ours.

    ``kinds`` are served here and say what may flow; ``strange`` are objects of versions that are not written here, in words.
    ``cluster`` is set where ClusterNetworkPolicies are among what they become: nobody else may write any beside them then, and
    they have to be resolved as NetworkPolicies are.
    """

    own: tuple[ObjectId, ...]
    standard: tuple[ObjectId, ...]
    kinds: tuple[Kind, ...]
    digest: str
    strange: tuple[str, ...] = ()
    cluster: bool = False

    @property
    def all(self) -> tuple[ObjectId, ...]:
        """Both."""
        return (*self.own, *self.standard)

    @property
    def unchanged(self) -> Unchanged:
        """The condition that they are still what the plan was made from."""
        return Unchanged(tuple(str(kind) for kind in self.kinds), self.digest, OURS)

    @property
    def covered(self) -> Covered:
        """The condition that the controller has resolved what they became, and all other policies."""
        return Covered(self.cluster)


def sources_of(facts: Lookup, left: Leaving, translation: Translation | None = None) -> Sources:
    """Return what the plan is made from, which becomes *translation*; raise as `need` where it was not read."""
    found: tuple[NetworkPolicy, ...] = need(facts, "network_policies")
    foreign: tuple[ForeignPolicy, ...] = known(facts, "foreign_policies", ()) if not left.parts.policies else _foreign(facts)
    standard = [policy for policy in found if not MANAGED_BY.items() <= policy.metadata.labels.items()]
    served = tuple(kind for kind in left.parts.policies if _is_served(left, kind))
    meant = frozenset(served)
    own = [policy for policy in foreign if _KNOWN.get((policy.api_version, policy.kind)) in meant]
    strange = [policy for policy in foreign if _is_of_same(policy, left) and policy not in own]
    bodies: list[Json] = [policy.body for policy in own if policy.kind not in _OF_NODES]
    bodies += [live.as_object(policy, NETWORK_POLICY) for policy in standard]
    cluster = translation is not None and any(output.is_cluster_wide for output in translation.outputs)
    above: tuple[ClusterNetworkPolicy, ...] = need(facts, "cluster_policies") if cluster else ()
    bodies += [live.as_object(policy, CLUSTER_POLICY) for policy in above if not is_ours(policy.metadata.labels)]
    return Sources(
        own=tuple(sorted(_ids(own))),
        standard=tuple(sorted(ObjectId(ObjectRef.to(NETWORK_POLICY, p.name, p.namespace), p.metadata.uid) for p in standard)),
        kinds=(*(k for k in served if k.name not in _OF_NODES), NETWORK_POLICY, *((CLUSTER_POLICY,) if cluster else ())),
        digest=digest_of_objects(bodies),
        strange=tuple(f"{p.kind} {p.metadata.name} of {p.api_version}" for p in strange),
        cluster=cluster,
    )


def policies(number: int, noun: str = "policy") -> str:
    """Return a number of policies in words: ``1 policy``, ``12 policies``."""
    return f"{number:,} {noun if number == 1 else f'{noun[:-1]}ies'}"


def _foreign(facts: Lookup) -> tuple[ForeignPolicy, ...]:
    counted: tuple[KindCount, ...] = known(facts, "foreign_kinds", ())
    section = facts.get("foreign_policies")
    if isinstance(section, Unread) and section.why is Why.NOT_ASKED and counted and not any(kind.count for kind in counted):
        # Looks of before did not keep them; where there is none, none is missing.
        return ()
    found: tuple[ForeignPolicy, ...] = need(facts, "foreign_policies")
    return found


def _ids(found: list[ForeignPolicy]) -> Iterator[ObjectId]:
    for policy in found:
        meta = policy.metadata
        yield ObjectId(ObjectRef(policy.api_version, policy.kind, meta.name, meta.namespace), meta.uid)


def _is_served(left: Leaving, kind: Kind) -> bool:
    """Say whether the API server serves this version of a kind; where its versions were not read, it is taken to."""
    found = next((d for d in left.definitions if d.name == str(kind)), None)
    if found is None:
        return False
    return not found.spec.versions or any(v.name == kind.version and v.served for v in found.spec.versions)


def _is_of_same(policy: ForeignPolicy, left: Leaving) -> bool:
    groups = {kind.group for kind in left.parts.policies}
    return policy.api_version.partition("/")[0] in groups
