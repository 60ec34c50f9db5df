"""ClusterNetworkPolicies to apply: one for each rule that is said for the whole cluster and each selector of its pods.

One rule an object, because the controller tells the entries of one object apart by block, action and first port alone, and
because rules of one object have one priority: what comes first has to be in an object of a lower number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from eksnetpol.engines.kubernetes_policies import in_namespace
from eksnetpol.model.findings import Subject
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import meets
from eksnetpol.policy.stacks.rules import Does
from eksnetpol.policy.tiers import BASELINE
from eksnetpol.policy.world import World
from eksnetpol.translation.cluster_choice import HIGHEST
from eksnetpol.translation.cluster_steps import Placed
from eksnetpol.translation.naming import DIGEST, MANAGED_BY, ORIGIN, digest_of, is_ours, name_of, origin_of
from eksnetpol.translation.values import Options, Output

Json = dict[str, Any]

API, KIND = "networking.k8s.aws/v1alpha1", "ClusterNetworkPolicy"

_NOTES = (
    "ClusterNetworkPolicies are asked before NetworkPolicies, which cannot allow what they deny.",
    "Agents up to v1.4.1 in strict mode drop the kubelet's probes of pods that no NetworkPolicy selects.",
)
"""What holds where ClusterNetworkPolicies are written (aws/aws-network-policy-agent#635)."""

_ACTIONS = {Does.ALLOW: "Accept", Does.DENY: "Deny", Does.PASS: "Pass"}
_FIRST, _STEP = 100, 10
"""Where there is room, priorities begin at 100 and go in tens, so that others find a place before and between."""
_LONGEST = 100


def cluster_outputs(placed: Sequence[Placed], options: Options, world: World) -> tuple[Output, ...]:
    """Return the objects of *placed*, by name; none has the name of a ClusterNetworkPolicy that is there and is not ours."""
    levels = {tier: max((p.level for p in placed if p.tier == tier), default=0) for tier in {p.tier for p in placed}}
    found = [(one.step.policy.ref, spec) for one in placed for spec in _specs(one, levels[one.tier])]
    counted = Counter(owner for owner, _ in found)
    numbers: Counter[Subject] = Counter()
    taken = others(world)
    outputs = []
    for owner, spec in found:
        numbers[owner] += 1
        salt = 0
        while (name := name_of(owner, "", numbers[owner] if counted[owner] > 1 else 0, salt)) in taken:
            salt += 1
        outputs.append(Output(_manifest(name, owner, spec, options), (owner,)))
    return tuple(sorted(outputs, key=lambda o: o.ref.name))


def others(world: World) -> tuple[str, ...]:
    """Return the ClusterNetworkPolicies that are there and are not ours; with theirs, no priority of ours is sure to be right."""
    return tuple(p.metadata.name for p in world.cluster_policies if not is_ours(p.metadata.labels))


def notes(placed: Sequence[Placed], options: Options, world: World) -> tuple[str, ...]:
    """Return what is to be said of the ClusterNetworkPolicies that are written, or why none is."""
    if not options.cluster_policies:
        return ()
    there = others(world)
    if there:
        names = ", ".join(there[:3]) + ", ..." * (len(there) > 3)  # noqa: PLR2004 - so many are named
        return (
            f"No ClusterNetworkPolicy is written: there are some already, and which is asked first is their owner's ({names}).",
        )
    return _NOTES if placed else ()


def cut_off(placed: Iterable[Placed], policies: Iterable[NetworkPolicy]) -> set[int]:
    """Return the numbers of rules of the Baseline tier whose pods may have a NetworkPolicy that is of the other direction alone.

    The agent does not ask the Baseline tier about these at all. *policies* are the NetworkPolicies that are there afterwards.
    """
    found: set[int] = set()
    last = [p for p in placed if p.tier == BASELINE]
    if not last:
        return found
    for policy in policies:
        for one in last:
            isolates = policy.isolates_ingress if one.step.rule.direction is Direction.INGRESS else policy.isolates_egress
            if not isolates and meets(in_namespace(policy.namespace, policy.spec.pod_selector), one.step.subject):
                found.add(one.step.at)
    return found


def _specs(one: Placed, highest: int) -> Iterator[Json]:
    first, step = (_FIRST, _STEP) if _FIRST + highest * _STEP <= HIGHEST else (0, 1)
    for rule in one.rules:
        said: Json = {"action": _ACTIONS[rule.does], "name": f"{one.step.policy.ref} {one.step.rule.place}"[-_LONGEST:]}
        if rule.ports is not None:
            said["ports"] = list(rule.ports)
        whom = "from" if rule.direction is Direction.INGRESS else "to"
        for subject in rule.subjects:
            yield {
                "tier": one.tier,
                "priority": first + one.level * step,
                "subject": subject,
                rule.direction.lower(): [said | {whom: [peer]} for peer in rule.peers],
            }


def _manifest(name: str, owner: Subject, spec: Json, options: Options) -> Json:
    return {
        "apiVersion": API,
        "kind": KIND,
        "metadata": {
            "name": name,
            "labels": dict(MANAGED_BY),
            "annotations": {ORIGIN: origin_of(owner), DIGEST: options.digests.get(owner) or digest_of(spec)},
        },
        "spec": spec,
    }
