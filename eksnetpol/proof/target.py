"""What is in force after a translation as a stack: ClusterNetworkPolicies before and behind NetworkPolicies, as the agent asks.

At one priority it asks Deny before Accept and Accept before Pass. The Baseline tier it asks only about pods that no NetworkPolicy
selects, of whatever direction (aws/aws-network-policy-agent, pkg/fwruleprocessor and pkg/ebpf/c).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from eksnetpol.engines.kubernetes_policies import stack_tier
from eksnetpol.engines.upstream import stack_policy
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.cluster_rules import ClusterRules, read_cluster_policy
from eksnetpol.model.policies import ClusterNetworkPolicy, NetworkPolicy
from eksnetpol.policy.stacks.formulas import And, Not, Or
from eksnetpol.policy.stacks.rules import Does, Stack, StackPolicy, StackTier
from eksnetpol.policy.tiers import ADMIN, BASELINE
from eksnetpol.policy.world import World

KIND = "ClusterNetworkPolicy"
_ORDER = (Does.DENY, Does.ALLOW, Does.PASS)


def target_stack(policies: Iterable[NetworkPolicy], above: Iterable[ClusterNetworkPolicy], world: World) -> Stack:
    """Return NetworkPolicies, with ClusterNetworkPolicies *above* and below them, as a stack.

    Raises `ValueError` where one of these has a shape that its definition does not allow.
    """
    between = stack_tier(policies, world)
    read = [(policy, read_cluster_policy(policy)) for policy in above]
    tiers = {name: [one for one in read if one[1].tier == name] for name in (ADMIN, BASELINE)}
    unselected = Not(Or(tuple(policy.subject for policy in between.policies)))
    admin = StackTier(ADMIN, tuple(_ordered(tiers[ADMIN], world)), otherwise=None)
    last = (replace(one, subject=And((one.subject, unselected))) for one in _ordered(tiers[BASELINE], world))
    return Stack("networkpolicies", (admin, between, StackTier(BASELINE, tuple(last), otherwise=None)))


def _ordered(found: Sequence[tuple[ClusterNetworkPolicy, ClusterRules]], world: World) -> Iterator[StackPolicy]:
    whole = [(rules.priority, stack_policy(AdminPolicy(policy.metadata, KIND, spec=rules), world)) for policy, rules in found]
    for priority in sorted({number for number, _ in whole}):
        equal = [policy for number, policy in whole if number == priority]
        for does in _ORDER:
            for policy in equal:
                yield replace(policy, rules=tuple(rule for rule in policy.rules if rule.does is does))

