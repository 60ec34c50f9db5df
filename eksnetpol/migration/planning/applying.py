"""Phase 4: the translated policies are applied while the old engine still enforces, so that nothing is let through meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from eksnetpol.facts.declare import Lookup
from eksnetpol.migration.planning import phases
from eksnetpol.migration.planning.leaving import Leaving
from eksnetpol.model.actions import Apply, Delete, ObjectId
from eksnetpol.model.conditions import Absent, Holds
from eksnetpol.model.kinds import CLUSTER_POLICY, NETWORK_POLICY, ObjectRef
from eksnetpol.model.plan import FieldChange, Step, Undo
from eksnetpol.model.policies import ClusterNetworkPolicy, ClusterPolicySpec, NetworkPolicy, NetworkPolicySpec
from eksnetpol.planning import live
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.reading import need
from eksnetpol.translation.naming import MANAGED_BY
from eksnetpol.translation.values import Output, Translation

Written = NetworkPolicy | ClusterNetworkPolicy
Key = tuple[str, str, str]
"""Kind, namespace and name."""


def applying(facts: Lookup, left: Leaving, translation: Translation) -> Draft:
    """Return a step for each policy that is not there as it is to be; raise as `need` where policies are unread.

    ClusterNetworkPolicies come first: the old engine does not know them, and what they deny is never open.
    """
    there: tuple[NetworkPolicy, ...] = need(facts, "network_policies")
    known: dict[Key, Written] = {(NETWORK_POLICY.name, p.namespace, p.name): p for p in there}
    if any(output.is_cluster_wide for output in translation.outputs):
        above: tuple[ClusterNetworkPolicy, ...] = need(facts, "cluster_policies")
        known |= {(CLUSTER_POLICY.name, "", p.metadata.name): p for p in above}
    wanted = [output for output in translation.outputs if not _is_there(known, output)]
    return Draft(
        steps=tuple(_steps(wanted, known, left)),
        changes=tuple(_change(known, output) for output in wanted),
        warnings=tuple(translation.notes),
    )


def _steps(wanted: list[Output], known: Mapping[Key, Written], left: Leaving) -> Iterator[Step]:
    for output in wanted:
        manifest = _plain(output.manifest)
        ref = ObjectRef.of(manifest)
        origins = ", ".join(str(origin) for origin in output.origins)
        yield Step(
            id=f"apply/{ref.namespace}/{ref.name}" if ref.namespace else f"apply/{ref.name}",
            title=f"Apply {ref}, which says what {origins or left.title} said",
            action=Apply(manifest),
            until=Holds(manifest),
            undo=_back(ref, known.get(_key(output))),
            phase=phases.APPLY,
        )


def _back(ref: ObjectRef, former: Written | None) -> Undo:
    """Return the way back: what a former translation of ours said, or nothing of that name."""
    if former is None:
        one = ObjectId(ref)
        return Undo(f"Delete {ref}", Delete((one,)), Absent((one,)))
    said = live.as_object(former, ref.of_kind)
    kept = {key: said["metadata"][key] for key in ("name", "namespace", "labels", "annotations") if said["metadata"].get(key)}
    before = {**said, "metadata": kept}
    return Undo(f"Let {ref} say what it said before", Apply(before), Holds(before))


def _plain(manifest: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(manifest))
    return found


def _key(output: Output) -> Key:
    return output.ref.kind, output.ref.namespace, output.ref.name


def _is_there(known: Mapping[Key, Written], output: Output) -> bool:
    """Say whether a policy of ours is there and says the same."""
    found = known.get(_key(output))
    if found is None or not MANAGED_BY.items() <= found.metadata.labels.items():
        return False
    said = msgspec.convert(output.manifest["spec"], ClusterPolicySpec if output.is_cluster_wide else NetworkPolicySpec)
    return bool(said == found.spec)


def _change(known: Mapping[Key, Written], output: Output) -> FieldChange:
    ref = ObjectRef.of(dict(output.manifest))
    before = "another one" if _key(output) in known else None
    return FieldChange(str(ref), "", before, "created" if before is None else "changed")
